//! The services that `up` and `down` are about, in their order, and what is known of each while it lives.

use super::{
    consent::Proposal,
    detach::Line,
    error::{Error, Failure},
    host::Host,
    run::Said,
    services::Services,
    view::Answer,
};
use crate::{
    decision::start_order::{Stage, StartOrder},
    os::{companion::Companion, logs::Follow},
    registry::InstanceName,
};

/// So much of a log is read before the others have their turn.
const PIECES_MAX: usize = 16;
/// How much is read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// A longer line is shown as several.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Services that are started or stopped together.
pub struct Lineup {
    /// Who waits for whom.
    pub(super) order: StartOrder,
    /// Each one behind all that it waits for.
    pub(super) members: Vec<Member>,
}

/// One of them.
pub(super) struct Member {
    /// What the project calls it.
    pub(super) name: String,
    /// What its instance is called.
    pub(super) instance: InstanceName,
    pub(super) stage: Stage,
    /// Its supervisor, until that was waited for.
    pub(super) companion: Option<Companion>,
    /// The beginning of a line of its report.
    report: Vec<u8>,
    /// Its output, while it is shown.
    pub(super) log: Option<Follow>,
    /// The beginning of a line of its output.
    output: Vec<u8>,
    /// There is more of it than was read.
    pub(super) unread: bool,
    /// Where it is.
    pub(super) answer: Option<Answer>,
    /// What its supervisor said last, where that was a failure.
    pub(super) failure: Option<Failure>,
    /// Somebody has stopped it.
    pub(super) stopped: bool,
    /// `up` has.
    pub(super) asked_to_end: bool,
}

/// What a supervisor reports.
pub(super) enum News {
    /// Something worth saying.
    Said(Said),
    /// It is ready.
    Ready(Box<Answer>),
    /// It has failed.
    Failed(Failure),
    /// A new range wants consent, which it cannot ask for.
    Unconfirmed(Box<Proposal>),
    /// Nothing more.
    Closed,
}

impl Host {
    /// The services that are wanted (all, if none is named), and those that they need.
    pub fn lineup(&self, services: &Services, wanted: &[String]) -> Result<Lineup, Error> {
        self.lineup_in(services, self.start_order(services, wanted)?)
    }

    /// Those that are named (all, if none is) and no others.
    pub fn lineup_of_exactly(
        &self,
        services: &Services,
        wanted: &[String],
    ) -> Result<Lineup, Error> {
        // Of all, so that what makes no sense is refused whoever is meant.
        let order = self.start_order(services, wanted)?;
        let mut lineup = self.lineup_in(services, order)?;
        if !wanted.is_empty() {
            lineup.members.retain(|member| wanted.contains(&member.name));
        }
        Ok(lineup)
    }

    fn lineup_in(&self, services: &Services, order: StartOrder) -> Result<Lineup, Error> {
        let member = |name: &String| {
            let instance = self.name_of(services, services.find(name)?)?;
            Ok(Member::new(name.clone(), instance))
        };
        let members = order.names().iter().map(member).collect::<Result<_, Error>>()?;
        Ok(Lineup { order, members })
    }
}

impl Lineup {
    /// What they are called, in the order in which they are started.
    pub fn names(&self) -> &[String] {
        self.order.names()
    }

    /// What each of them is doing.
    pub(super) fn stages(&self) -> Vec<Stage> {
        self.members.iter().map(|member| member.stage).collect()
    }
}

impl Member {
    fn new(name: String, instance: InstanceName) -> Self {
        Self {
            name,
            instance,
            stage: Stage::Waiting,
            companion: None,
            report: Vec::new(),
            log: None,
            output: Vec::new(),
            unread: false,
            answer: None,
            failure: None,
            stopped: false,
            asked_to_end: false,
        }
    }

    /// Asks its supervisor to stop it, once.
    pub(super) fn ask_to_end(&mut self) {
        if !std::mem::replace(&mut self.asked_to_end, true) {
            self.companion.iter().for_each(Companion::ask_to_end);
        }
    }

    /// Whether another supervisor has it, and nobody stays with it.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.existing)
    }

    /// What its supervisor says by now.
    pub(super) fn read_report(&mut self) -> Result<Vec<News>, Error> {
        let failed = |source| Error::System { deed: "hear a supervisor's report", source };
        let Some(companion) = &mut self.companion else { return Ok(Vec::new()) };
        let mut bytes = [0; 4096];
        let length = companion.read(&mut bytes).map_err(failed)?;
        self.report.extend_from_slice(&bytes[..length]);
        let lines = whole_lines(&mut self.report);
        // A line that was cut, since nobody read along, is passed over.
        let read = lines.iter().filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        let mut news: Vec<News> = read.map(News::from).collect();
        if length == 0 {
            news.push(News::Closed);
        }
        Ok(news)
    }

    /// What it has written by now, as lines.
    pub(super) fn read_output(&mut self) -> Result<Vec<Vec<u8>>, Error> {
        let failed = |source| Error::System { deed: "read the instance's log", source };
        self.unread = false;
        let Some(log) = &mut self.log else { return Ok(Vec::new()) };
        let mut piece = vec![0; PIECE_BYTES];
        let mut lines = Vec::new();
        for count in 1..=PIECES_MAX {
            let length = log.read(&mut piece).map_err(failed)?;
            if length == 0 {
                break;
            }
            self.output.extend_from_slice(&piece[..length]);
            lines.extend(whole_lines(&mut self.output));
            if self.output.len() > LINE_BYTES_MAX {
                lines.push(std::mem::take(&mut self.output));
            }
            self.unread = count == PIECES_MAX;
        }
        Ok(lines)
    }

    /// What it wrote last, without the end of a line.
    pub(super) fn rest_of_output(&mut self) -> Option<Vec<u8>> {
        let rest = std::mem::take(&mut self.output);
        (!rest.is_empty()).then_some(rest)
    }
}

impl From<Line> for News {
    fn from(line: Line) -> Self {
        match line {
            Line::Said(said) => Self::Said(said),
            Line::Ready(answer) => Self::Ready(answer),
            Line::Failed(failure) => Self::Failed(failure),
            Line::Unconfirmed(proposal) => Self::Unconfirmed(proposal),
        }
    }
}

/// Takes the lines off that are complete, without their ends.
fn whole_lines(bytes: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    let rest = bytes.split_off(end + 1);
    let whole = std::mem::replace(bytes, rest);
    let lines = whole[..end].split(|byte| *byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_are_taken() {
        for (text, expected, rest) in [
            ("", &[][..], ""),
            ("a", &[], "a"),
            ("a\n", &["a"], ""),
            ("a\r\n\nb\nc", &["a", "", "b"], "c"),
            ("\n", &[""], ""),
        ] {
            let mut bytes = text.as_bytes().to_vec();
            let lines = whole_lines(&mut bytes);
            let lines: Vec<&str> = lines.iter().map(|l| std::str::from_utf8(l).unwrap()).collect();
            assert_eq!((&lines[..], &bytes[..]), (expected, rest.as_bytes()), "{text:?}");
        }
    }
}
