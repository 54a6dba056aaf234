//! The picture of all ranges: a bar each, what is used, reserved and free in it, and the gap to the next one.
//!
//! Pure. How wide it may be, and which signs can be shown, is handed in; every sign tells by its shape what
//! it means, and colours only repeat that.

use super::output;
use crate::{
    config::{Behavior, TypeOrigin},
    operations::{
        service_types::{Held, ServiceTypes},
        view::TypeView,
    },
    ports::{Port, Range},
};
use anstyle::{AnsiColor, Style};
use std::collections::BTreeMap;

/// How a used port looks at a terminal.
const USED: Style = AnsiColor::Green.on_default().bold();
/// How a reserved one looks.
const RESERVED: Style = AnsiColor::Yellow.on_default();
/// How what nobody has looks.
const QUIET: Style = Style::new().dimmed();
/// Blanks between two columns.
const GAP: &str = "  ";
/// A bar has no fewer cells than this …
const CELLS_MIN: usize = 8;
/// … and no more than this: nobody counts farther.
const CELLS_MAX: usize = 50;
/// A line has room for so many bars.
const BARS_IN_LINE: usize = 4;
/// A description that is cut shorter than this says nothing.
const DESCRIPTION_MIN: usize = 16;

/// The signs of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Glyphs {
    used: char,
    reserved: char,
    free: char,
    gap: char,
    /// What stands where a text is cut.
    more: &'static str,
}

impl Glyphs {
    /// For terminals that show Unicode.
    pub(super) const UNICODE: Self =
        Self { used: '█', reserved: '▒', free: '░', gap: '╌', more: "…" };
    /// For all others.
    pub(super) const ASCII: Self =
        Self { used: '#', reserved: '=', free: '.', gap: '~', more: "..." };
}

/// One line of the picture: a range, or a type that has none.
struct Line<'a> {
    known: &'a TypeView,
    range: Option<Range>,
    /// So many ports lie between this range and the next one.
    gap: Option<u16>,
}

/// The columns that there is room for, beside the name, the ports and the bar.
struct Columns {
    name: usize,
    ports: usize,
    /// The most cells that a bar has.
    cells: usize,
    /// The bar and the gap behind it.
    bar: usize,
    used: Option<usize>,
    instances: Option<usize>,
    origin: Option<usize>,
    description: Option<usize>,
}

/// All types, with a head and an explanation of the signs.
pub(super) fn picture(types: &ServiceTypes, width: usize, glyphs: Glyphs) -> String {
    let lines = lines(&types.types);
    let columns = Columns::fit(&lines, &types.held, width);
    let mut text = output::head(&columns.head());
    for line in &lines {
        let bar = line.range.map(|range| columns.bar(range, line.gap, &types.held, glyphs));
        text.push_str(&columns.line(line, bar, &types.held, glyphs));
    }
    text + &legend(glyphs)
}

/// A line for each range, lowest first, so that neighbours stand below each other.
fn lines(types: &[TypeView]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for known in types {
        let line = |range| Line { known, range, gap: None };
        if known.ranges.is_empty() {
            lines.push(line(None));
        }
        lines.extend(known.ranges.iter().map(|range| line(Some(*range))));
    }
    lines.sort_by_key(|line| line.range);
    let next: Vec<Option<Range>> = lines.iter().skip(1).map(|line| line.range).collect();
    for (line, next) in lines.iter_mut().zip(next) {
        line.gap = line.range.and_then(|range| range.distance(next?));
    }
    lines
}

impl Columns {
    /// What of the columns fits: a narrow picture leaves out what matters least, and never the bars.
    fn fit(lines: &[Line<'_>], held: &BTreeMap<Port, Held>, width: usize) -> Self {
        let widest = |head: &str, cells: &mut dyn Iterator<Item = usize>| {
            cells.chain([head.len()]).max().unwrap_or_default()
        };
        let name = widest("TYPE", &mut lines.iter().map(|line| line.known.name.len()));
        let ports = widest("PORTS", &mut lines.iter().map(|line| ports(line).len()));
        let used = widest("USED", &mut lines.iter().map(|line| used(line, held).len()));
        let description = lines.iter().map(|line| line.known.description.chars().count());
        let description = widest("DESCRIPTION", &mut description.into_iter());
        let gap = lines.iter().map(|line| shown_gap(line.gap, '-').len()).max().unwrap_or_default();
        let cells = (width / BARS_IN_LINE).clamp(CELLS_MIN, CELLS_MAX);
        let bar = (cells + gap).max("RANGE".len());
        let mut left = width.saturating_sub(name + ports + bar + 2 * GAP.len());
        let mut take = |wanted: usize, least: usize| {
            let given = wanted.min(left.saturating_sub(GAP.len()));
            (given >= least).then(|| {
                left -= given + GAP.len();
                given
            })
        };
        Self {
            name,
            ports,
            cells,
            bar,
            used: take(used, used),
            instances: take("single".len(), "single".len()),
            origin: take("profile".len(), "profile".len()),
            description: take(description, description.min(DESCRIPTION_MIN)),
        }
    }

    fn head(&self) -> String {
        self.row(["TYPE", "PORTS", "USED", "RUNS", "FROM", "DESCRIPTION"], "RANGE", "RANGE".len())
    }

    fn line(
        &self,
        line: &Line<'_>,
        bar: Option<(String, usize)>,
        held: &BTreeMap<Port, Held>,
        glyphs: Glyphs,
    ) -> String {
        let known = line.known;
        let instances = match known.instance_behavior {
            Behavior::Single => "single",
            Behavior::Multi => "multi",
        };
        let origin = match known.origin {
            TypeOrigin::Profile => "profile",
            TypeOrigin::Config => "config",
            TypeOrigin::Auto => "auto",
        };
        let description = output::visible(&known.description);
        let description =
            output::cut(&description, self.description.unwrap_or_default(), glyphs.more);
        let (bar, width) = bar.unwrap_or_default();
        let cells =
            [&known.name, &*ports(line), &used(line, held), instances, origin, &description];
        let row = self.row(cells, &bar, width);
        format!("{}\n", row.trim_end())
    }

    /// The cells side by side; `bar` takes `width` columns on the screen, whatever its colours.
    fn row(&self, cells: [&str; 6], bar: &str, width: usize) -> String {
        let [name, ports, used, instances, origin, description] = cells;
        let blanks = " ".repeat(self.bar.saturating_sub(width));
        let mut text =
            format!("{name:<0$}{GAP}{ports:<1$}{GAP}{bar}{blanks}", self.name, self.ports);
        let others = [
            (used, self.used),
            (instances, self.instances),
            (origin, self.origin),
            (description, self.description),
        ];
        for (cell, width) in others {
            if let Some(width) = width {
                text.push_str(&format!("{GAP}{cell:<width$}"));
            }
        }
        text
    }

    /// The bar of a range with the gap behind it, and its width on the screen. A cell is one port, or as
    /// many as it takes for the range to fit; of those the most important is shown.
    fn bar(
        &self,
        range: Range,
        gap: Option<u16>,
        held: &BTreeMap<Port, Held>,
        glyphs: Glyphs,
    ) -> (String, usize) {
        let ports: Vec<Port> = range.ports().collect();
        let cells: Vec<Cell> = ports
            .chunks(ports.len().div_ceil(self.cells))
            .map(|cell| {
                let found = cell.iter().filter_map(|port| held.get(port));
                found.map(|held| Cell::from(*held)).max().unwrap_or(Cell::Free)
            })
            .collect();
        let mut text = String::new();
        for run in cells.chunk_by(|one, other| one == other) {
            let (glyph, style) = run[0].look(glyphs);
            let run = glyph.to_string().repeat(run.len());
            text.push_str(&format!("{style}{run}{style:#}"));
        }
        let gap = shown_gap(gap, glyphs.gap);
        let width = cells.len() + gap.chars().count();
        (format!("{text}{QUIET}{gap}{QUIET:#}"), width)
    }
}

/// One cell of a bar; what matters more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Free,
    Reserved,
    Used,
}

impl From<Held> for Cell {
    fn from(held: Held) -> Self {
        match held {
            Held::Used => Self::Used,
            Held::Reserved => Self::Reserved,
        }
    }
}

impl Cell {
    fn look(self, glyphs: Glyphs) -> (char, Style) {
        match self {
            Self::Free => (glyphs.free, QUIET),
            Self::Reserved => (glyphs.reserved, RESERVED),
            Self::Used => (glyphs.used, USED),
        }
    }
}

fn ports(line: &Line<'_>) -> String {
    output::or_none(line.range)
}

/// `3/100`: so many of its ports have a lease.
fn used(line: &Line<'_>, held: &BTreeMap<Port, Held>) -> String {
    output::or_none(line.range.map(|range| {
        let leased = held.range(range.first()..=range.last()).count();
        format!("{leased}/{}", range.size())
    }))
}

/// `╌10╌`; nothing behind the last range, or between two that overlap.
fn shown_gap(gap: Option<u16>, sign: char) -> String {
    gap.map_or_else(String::new, |ports| format!("{sign}{ports}{sign}"))
}

/// What the signs mean.
fn legend(glyphs: Glyphs) -> String {
    let Glyphs { used, reserved, free, gap, more: _ } = glyphs;
    format!(
        "\n{USED}{used}{USED:#} used  {RESERVED}{reserved}{RESERVED:#} reserved  \
         {QUIET}{free}{QUIET:#} free  {QUIET}{gap}n{gap}{QUIET:#} n ports to the next range\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type with 100 ports, one with a range on each side of it, one without a range.
    fn sample() -> ServiceTypes {
        let ai = TypeView {
            instance_behavior: Behavior::Single,
            ..TypeView::known("ai", TypeOrigin::Config, &[])
        };
        let types = vec![
            ai,
            TypeView::known("grafana", TypeOrigin::Auto, &[(2980, 2989), (3110, 3119)]),
            TypeView::known("dev", TypeOrigin::Profile, &[(3000, 3099)]),
        ];
        let held = [(2980, Held::Used), (2981, Held::Reserved), (3004, Held::Reserved)];
        let more = [(3007, Held::Used), (3099, Held::Reserved)];
        let held = held.into_iter().chain(more);
        ServiceTypes { types, held: held.map(|(port, held)| (Port::known(port), held)).collect() }
    }

    fn plain(width: usize, glyphs: Glyphs) -> String {
        anstream::adapter::strip_str(&picture(&sample(), width, glyphs)).to_string()
    }

    #[test]
    fn each_range_is_a_bar_with_the_gap_to_its_neighbour() {
        assert_eq!(
            plain(80, Glyphs::UNICODE),
            "TYPE     PORTS      RANGE                     USED   RUNS    FROM\n\
             ai       -                                    -      single  config\n\
             grafana  2980-2989  █▒░░░░░░░░╌10╌            2/10   multi   auto\n\
             dev      3000-3099  ▒█░░░░░░░░░░░░░░░░░▒╌10╌  3/100  multi   profile\n\
             grafana  3110-3119  ░░░░░░░░░░                0/10   multi   auto\n\
             \n█ used  ▒ reserved  ░ free  ╌n╌ n ports to the next range\n"
        );
        let row = |width| plain(width, Glyphs::UNICODE).lines().nth(2).unwrap().to_owned();
        assert_eq!(
            row(90),
            "grafana  2980-2989  █▒░░░░░░░░╌10╌              2/10   multi   auto     All that is grafa…"
        );
        assert_eq!(row(40), "grafana  2980-2989  █▒░░░░░░░░╌10╌");
    }

    #[test]
    fn without_unicode_the_signs_are_others_and_still_tell_apart() {
        let text = plain(60, Glyphs::ASCII);
        assert!(text.is_ascii() && text.contains("#=........~10~"), "{text}");
        assert!(text.contains("# used  = reserved  . free  ~n~ n ports"), "{text}");
    }

    #[test]
    fn colours_only_repeat_what_the_signs_say() {
        let coloured = picture(&sample(), 80, Glyphs::UNICODE);
        assert!(coloured.contains('\u{1b}'));
        let colours: Vec<String> = [Cell::Free, Cell::Reserved, Cell::Used]
            .map(|cell| cell.look(Glyphs::ASCII).1.to_string())
            .into();
        assert!(colours.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn no_line_is_wider_than_it_may_be_and_what_matters_most_stays() {
        for width in 40..260 {
            for glyphs in [Glyphs::ASCII, Glyphs::UNICODE] {
                let text = plain(width, glyphs);
                for line in text.lines().filter(|line| !line.contains("ports to the next")) {
                    assert!(line.chars().count() <= width, "{width}: {line}");
                }
                assert!(text.contains("2980-2989") && text.contains(glyphs.used), "{width}");
            }
        }
        let columns = |width| plain(width, Glyphs::ASCII).lines().next().unwrap().to_owned();
        assert!(!columns(45).contains("FROM") && columns(45).ends_with("USED"), "{}", columns(45));
        assert!(columns(70).contains("FROM") && !columns(60).contains("DESCRIPTION"));
        assert!(columns(200).ends_with("DESCRIPTION"));
    }

    #[test]
    fn a_bar_has_a_cell_for_each_port_while_they_fit() {
        let columns = |cells| Columns {
            name: 0,
            ports: 0,
            cells,
            bar: 0,
            used: None,
            instances: None,
            origin: None,
            description: None,
        };
        for (size, cells, expected) in
            [(1, 20, 1), (10, 20, 10), (20, 20, 20), (21, 20, 11), (100, 20, 20), (65_535, 20, 20)]
        {
            let range = Range::sized(Port::known(1), size).unwrap();
            let (_, width) = columns(cells).bar(range, None, &BTreeMap::new(), Glyphs::ASCII);
            assert_eq!(width, expected, "{size}");
        }
    }
}
