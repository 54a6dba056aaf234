//! Ranges and free blocks before and after, as bars of text.
//!
//! Pure.

use crate::{
    operations::ranges::{Consolidated, Scene},
    ports::Range,
};

/// How many cells a bar has; with both ends and the words a line fits eighty columns.
const CELLS: u32 = 56;
/// So many free blocks are named.
const BLOCKS_MAX: usize = 6;
/// What the cells mean.
const LEGEND: &str = "        # with leases  = without  o other types  . free\n";

/// Both scenes, one below the other; nothing when there is no range.
pub(super) fn of(done: &Consolidated) -> String {
    let first = done.before.ranges.iter().map(|view| view.range.first()).min();
    let last = done.before.ranges.iter().map(|view| view.range.last()).max();
    let Some(span) = first.zip(last).and_then(|(first, last)| Range::new(first, last).ok()) else {
        return String::new();
    };
    let line = |name: &str, scene: &Scene| {
        format!("{name:<7} {} {} {}\n", span.first(), bar(scene, span), span.last())
    };
    let free = |name: &str, scene: &Scene| format!("free {name:<6} {}\n", blocks(&scene.free));
    [
        line("before", &done.before),
        line("after", &done.after),
        LEGEND.to_owned(),
        free("before", &done.before),
        free("after", &done.after),
    ]
    .concat()
}

/// One cell stands for several ports, and shows the fullest of them.
fn bar(scene: &Scene, span: Range) -> String {
    let ports = u32::from(span.size());
    let cells = CELLS.min(ports);
    let first = u32::from(span.first().number());
    let cell = |number: u32| {
        let low = first + number * ports / cells;
        let high = first + ((number + 1) * ports / cells).max(1) - 1;
        let within = |range: Range| {
            u32::from(range.first().number()) <= high && low <= u32::from(range.last().number())
        };
        let covers = |range: &Range| {
            u32::from(range.first().number()) <= low && high <= u32::from(range.last().number())
        };
        let own = || scene.ranges.iter().filter(|view| within(view.range));
        match own().map(|view| view.leased).max() {
            Some(0) => '=',
            Some(1..) => '#',
            None if scene.free.iter().any(covers) => '.',
            None => 'o',
        }
    };
    (0..cells).map(cell).collect()
}

fn blocks(free: &[Range]) -> String {
    let named: Vec<String> = free.iter().take(BLOCKS_MAX).map(ToString::to_string).collect();
    let more = free.len().saturating_sub(BLOCKS_MAX);
    match (named.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => named.join(", "),
        (false, more) => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::ranges::RangeView;

    fn scene(ranges: &[(u16, u16, usize)], free: &[(u16, u16)]) -> Scene {
        let view = |(first, last, leased): &(u16, u16, usize)| RangeView {
            r#type: "a".parse().unwrap(),
            range: Range::known(*first, *last),
            created: String::new(),
            used: None,
            leased: *leased,
        };
        Scene {
            ranges: ranges.iter().map(view).collect(),
            free: free.iter().map(|(first, last)| Range::known(*first, *last)).collect(),
        }
    }

    #[test]
    fn before_and_after_stand_below_each_other() {
        let done = Consolidated {
            dry_run: false,
            retired: Vec::new(),
            joined: Vec::new(),
            before: scene(
                &[(10_000, 10_009, 0), (10_020, 10_029, 1)],
                &[(10_010, 10_014), (10_030, 65_000)],
            ),
            after: scene(&[(10_020, 10_029, 1)], &[(10_000, 10_014), (10_030, 65_000)]),
        };
        let expected = "\
before  10000 ==========.....ooooo########## 10029
after   10000 ...............ooooo########## 10029
        # with leases  = without  o other types  . free
free before 10010-10014, 10030-65000
free after  10000-10014, 10030-65000
";
        assert_eq!(of(&done), expected);
    }

    #[test]
    fn the_widest_span_has_a_bar_of_its_own_width() {
        let wide = scene(&[(1, 1, 0), (65_535, 65_535, 2)], &[(2, 65_534)]);
        let bar = bar(&wide, Range::known(1, 65_535));
        let expected = format!("={}#", ".".repeat(54));
        assert_eq!(bar, expected);
        let many: Vec<Range> = (1..=8).map(|port| Range::known(port, port)).collect();
        assert!(blocks(&many).ends_with("6-6 and 2 more"));
        assert_eq!(blocks(&[]), "none");
    }
}
