//! Decisions: registry, configuration, a world that can be asked and a moment in; a verdict out.
//!
//! Pure, every file of it.

pub mod ask;
pub mod give_way;
pub mod identity;
mod launcher;
#[cfg(test)]
mod model;
pub mod new_range;
pub mod placement;
pub mod port;
pub mod range_rule;
pub mod reclaim;
pub mod recognise;
pub mod refusal;
pub mod retire;
pub mod second_run;
pub mod start_order;
pub mod template;
pub mod within;
pub mod world;
