//! Where a setting comes from: which layer, and which line, variable or flag of it.
//!
//! Pure. Reading a source is `reader`'s and `files`' business.

use std::{fmt, sync::Arc};

/// The sources that a person can change, lowest first: a higher one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// `/etc/styxy/config.toml`.
    System,
    /// The user's file, or the one that `STYXY_CONFIG` names.
    User,
    /// The nearest `styxy.toml`.
    Project,
    /// `STYXY_SET_<KEY>`.
    Variables,
    /// The command line.
    Flags,
}

/// Where one value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The built-in type of this name.
    Profile(&'static str),
    /// A file.
    File {
        /// Which of the files.
        layer: Layer,
        /// Its path as it is shown.
        path: Arc<str>,
        /// The line, from 1.
        line: usize,
    },
    /// The variable of this name.
    Variable(Arc<str>),
    /// The flag or argument of this name.
    Flag(Arc<str>),
}

impl Origin {
    /// The layer, if a person can change it there.
    pub fn layer(&self) -> Option<Layer> {
        match self {
            Self::Default | Self::Profile(_) => None,
            Self::File { layer, .. } => Some(*layer),
            Self::Variable(_) => Some(Layer::Variables),
            Self::Flag(_) => Some(Layer::Flags),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::Profile(name) => write!(out, "profile {name}"),
            Self::File { path, line, .. } => write!(out, "{}:{line}", path.escape_debug()),
            Self::Variable(name) | Self::Flag(name) => write!(out, "{}", name.escape_debug()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_shown_as_people_point_at_things() {
        let file = |path: &str| Origin::File { layer: Layer::User, path: path.into(), line: 7 };
        for (origin, expected) in [
            (Origin::Default, "default"),
            (Origin::Profile("ai"), "profile ai"),
            (file("styxy.toml"), "styxy.toml:7"),
            (file("a\nb/styxy.toml"), "a\\nb/styxy.toml:7"),
            (Origin::Variable("STYXY_SET_X".into()), "STYXY_SET_X"),
            (Origin::Flag("--yes".into()), "--yes"),
        ] {
            assert_eq!(origin.to_string(), expected);
        }
    }

    #[test]
    fn flags_win_over_variables_over_files_over_profiles() {
        let of = |layer| Origin::File { layer, path: "x".into(), line: 1 }.layer();
        let order = [
            Origin::Profile("ai").layer(),
            of(Layer::System),
            of(Layer::User),
            of(Layer::Project),
            Origin::Variable("x".into()).layer(),
            Origin::Flag("x".into()).layer(),
        ];
        assert!(order.is_sorted() && order[0].is_none());
    }
}
