//! One pass over an instance's containers: list them, look at them, do what is wanted, and see what is left.
//!
//! Pure. Each step is a question for the engine; asking it, and how long to wait for an answer, is the caller's
//! business. No answer, or one that makes no sense, means "unknown", and never "gone".

use super::{
    facts::{self, Facts},
    whose::{Mark, Whose},
};
use std::{collections::VecDeque, time::Duration};

/// An engine that has not answered by then is not going to.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The same of compose, which is a program above the engine; one in Python needs a second of a processor, and there
/// may be many who want it.
const COMPOSE_PATIENCE: Duration = Duration::from_secs(60);
/// A container that is just being removed is met again; so often within one pass.
const ROUNDS_MAX: usize = 4;

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// To know; and nothing is left of what never ran, or was to be removed.
    Look,
    /// That they end, in their own way, within this time.
    Stop {
        /// Before the engine kills them.
        grace: Duration,
    },
    /// That they get this signal.
    Signal(i32),
    /// That they end.
    Kill,
}

impl Aim {
    /// Which wish goes first: the heavier one.
    pub fn weight(self) -> u8 {
        match self {
            Self::Look => 0,
            Self::Signal(_) => 1,
            Self::Stop { .. } => 2,
            Self::Kill => 3,
        }
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask this.
    Ask(Question),
    /// The pass is over.
    Over(Found),
}

/// A question for the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The command line.
    pub words: Vec<String>,
    /// How long the answer may take.
    pub patience: Duration,
}

/// What the engine said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The code that its command ended with; `None` when it said nothing in time, or could not be started.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub complaint: String,
}

impl Answer {
    /// The last code that `wait` printed: each container's on a line of its own.
    pub fn last_code(&self) -> Option<i32> {
        self.out.split_whitespace().filter_map(|line| line.parse().ok()).next_back()
    }
}

/// What is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// None of them runs.
    Gone {
        /// What the last one ended with, where that is still to be known.
        code: Option<i32>,
        /// One that has ended, and is left as its user wants it.
        kept: Option<String>,
    },
    /// These are there.
    Left {
        /// Their ids.
        ids: Vec<String>,
    },
    /// The engine does not say.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// A pass under way.
#[derive(Debug)]
pub struct Sweep {
    whose: Whose,
    aim: Aim,
    stage: Stage,
    deeds: VecDeque<Question>,
    /// The deeds that were wanted have been done once.
    is_done: bool,
    rounds: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Listing,
    Looking,
    Doing,
}

impl Sweep {
    /// Begins a pass with its first question.
    pub fn begin(whose: &Whose, aim: Aim) -> (Self, Question) {
        let mut sweep = Self {
            whose: whose.clone(),
            aim,
            stage: Stage::Listing,
            deeds: VecDeque::new(),
            is_done: false,
            rounds: 0,
        };
        if let (Aim::Stop { .. }, Mark::Project(_)) = (aim, &whose.mark) {
            // It takes down whatever there is, and compose is slow: it is not asked first what that may be.
            sweep.want(&[]);
        }
        let question = match sweep.deeds.pop_front() {
            Some(deed) => {
                sweep.stage = Stage::Doing;
                deed
            }
            None => sweep.list(),
        };
        (sweep, question)
    }

    /// What is wanted.
    pub fn aim(&self) -> Aim {
        self.aim
    }

    /// Takes in an answer.
    pub fn step(&mut self, answer: &Answer) -> Next {
        match self.stage {
            Stage::Listing if answer.code != Some(0) => Next::Over(unknown(answer)),
            Stage::Listing => {
                let ids: Vec<String> = answer.out.split_whitespace().map(str::to_owned).collect();
                if ids.is_empty() {
                    return Next::Over(Found::Gone { code: None, kept: None });
                }
                self.stage = Stage::Looking;
                Next::Ask(question(self.whose.ask(&["container", "inspect"], &ids)))
            }
            Stage::Looking => match facts::parse(&answer.out) {
                // An engine that has gone away since has an empty list for everything.
                Some(found) if found.is_empty() && !says_gone(answer) => {
                    Next::Over(unknown(answer))
                }
                // One that is gone since is complained of; the others are told all the same.
                Some(found) => self.judge(&found),
                None => Next::Over(unknown(answer)),
            },
            Stage::Doing => self.go_on(),
        }
    }

    fn list(&self) -> Question {
        list(&self.whose)
    }

    fn judge(&mut self, found: &[Facts]) -> Next {
        let ids = |of: &dyn Fn(&Facts) -> bool| -> Vec<String> {
            found.iter().filter(|one| of(one)).map(|one| one.id.clone()).collect()
        };
        let running = ids(&|one| one.is_running);
        let is_project = matches!(self.whose.mark, Mark::Project(_));
        let litter = ids(&|one| !one.is_running && (one.never_ran || one.removes_itself));
        // Down to the last stopped one: that is what a project's stop is.
        let has_to_go = is_project && !matches!(self.aim, Aim::Look | Aim::Signal(_));
        let left = !running.is_empty() || (has_to_go && !found.is_empty());
        if !litter.is_empty() && !is_project {
            self.deeds.push_back(question(self.whose.ask(&["rm", "--force"], &litter)));
        }
        if left && !self.is_done {
            self.want(&running);
        }
        let more = !self.deeds.is_empty() || (left && self.is_done && self.rounds > 0);
        if more && self.rounds < ROUNDS_MAX {
            self.rounds += 1;
            return self.go_on();
        }
        let left = ids(&|one| left && (one.is_running || has_to_go));
        if left.is_empty() && litter.is_empty() {
            let code = found.iter().find_map(|one| one.exit_code);
            let kept = found.first().filter(|_| !is_project).map(|one| one.id.clone());
            return Next::Over(Found::Gone { code, kept });
        }
        Next::Over(Found::Left { ids: if left.is_empty() { litter } else { left } })
    }

    /// The deeds by which those that run get what is wanted.
    fn want(&mut self, running: &[String]) {
        self.is_done = true;
        let seconds = |grace: Duration| grace.as_secs_f64().ceil().to_string();
        let patient = |words, grace| Question { words, patience: patience(&self.whose) + grace };
        match (self.aim, self.whose.mark.clone()) {
            (Aim::Look, _) => {}
            (Aim::Stop { grace }, Mark::Label(_)) => {
                let words = self.whose.ask(&["stop", "-t", &seconds(grace)], running);
                self.deeds.push_back(patient(words, grace));
            }
            (Aim::Stop { grace }, Mark::Project(project)) => {
                let words = self.whose.down(&project, &seconds(grace));
                self.deeds.extend(words.into_iter().map(|words| patient(words, grace)));
            }
            (Aim::Signal(signal), _) => {
                let flag = format!("--signal={signal}");
                self.deeds.push_back(question(self.whose.ask(&["kill", &flag], running)));
            }
            (Aim::Kill, Mark::Label(_)) => {
                self.deeds.push_back(question(self.whose.ask(&["kill"], running)));
            }
            (Aim::Kill, Mark::Project(project)) => {
                if !running.is_empty() {
                    self.deeds.push_back(question(self.whose.ask(&["kill"], running)));
                }
                let words = self.whose.down(&project, "0");
                self.deeds.extend(words.into_iter().map(|words| patient(words, Duration::ZERO)));
            }
        }
    }

    fn go_on(&mut self) -> Next {
        if let Some(deed) = self.deeds.pop_front() {
            self.stage = Stage::Doing;
            return Next::Ask(deed);
        }
        self.stage = Stage::Listing;
        Next::Ask(self.list())
    }
}

/// The question for the ids of all that is meant.
pub fn list(whose: &Whose) -> Question {
    Question { words: whose.list(), patience: patience(whose) }
}

/// How long the answer to a question about all that is meant may take.
fn patience(whose: &Whose) -> Duration {
    match whose.mark {
        Mark::Label(_) => PATIENCE,
        Mark::Project(_) => COMPOSE_PATIENCE,
    }
}

fn question(words: Vec<String>) -> Question {
    Question { words, patience: PATIENCE }
}

/// Whether it is the engine's own word that there is no such container: all of them have one of these.
fn says_gone(answer: &Answer) -> bool {
    let complaint = answer.complaint.to_ascii_lowercase();
    let words = ["no such container", "no such object"];
    answer.code == Some(0) || words.iter().any(|word| complaint.contains(word))
}

fn unknown(answer: &Answer) -> Found {
    let last = answer.complaint.lines().rev().find(|line| !line.trim().is_empty());
    let why = match (answer.code, last) {
        (_, Some(line)) => line.trim().to_owned(),
        (Some(code), None) => format!("it ended with {code}"),
        (None, None) => "it does not answer".to_owned(),
    };
    Found::Unknown { why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::recognise;

    fn whose(line: &str) -> Whose {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Whose::of(&words, &recognise(&words).unwrap(), "L", "/c", str::to_owned)
    }

    /// What an engine with these containers would be asked: each is `id status [rm]`; the script says after which
    /// question which container changes.
    fn play(line: &str, aim: Aim, mut engine: impl FnMut(&str) -> Answer) -> (Vec<String>, Found) {
        let (mut sweep, mut question) = Sweep::begin(&whose(line), aim);
        let mut asked = Vec::new();
        for _ in 0..40 {
            let words = question.words.join(" ");
            let answer = engine(&words);
            if !words.contains(" ps ") && !words.contains("inspect") {
                asked.push(words);
            }
            match sweep.step(&answer) {
                Next::Ask(next) => question = next,
                Next::Over(found) => return (asked, found),
            }
        }
        panic!("it asks for ever: {asked:?}");
    }

    fn said(out: &str) -> Answer {
        Answer { code: Some(0), out: out.to_owned(), complaint: String::new() }
    }

    fn described(id: &str, status: &str, removes: bool) -> String {
        format!(
            r#"[{{"Id": "{id}", "State": {{"Status": "{status}", "ExitCode": 3}}, "HostConfig": {{"AutoRemove": {removes}}}}}]"#
        )
    }

    /// An engine with one container, which `stop`, `kill`, `rm` and `down` work on.
    fn engine(mut status: &'static str, removes: bool) -> impl FnMut(&str) -> Answer {
        move |words| {
            let verb = |verb: &str| words.split(' ').any(|word| word == verb);
            if verb("ps") {
                return said(if status.is_empty() { "" } else { "abc\n" });
            }
            if verb("inspect") {
                return said(&described("abc", status, removes));
            }
            status = match () {
                () if verb("rm") || verb("down") => "",
                () if verb("stop") || words.ends_with("kill abc") => "exited",
                () => status,
            };
            said("")
        }
    }

    const STOP: Aim = Aim::Stop { grace: Duration::from_millis(1500) };
    const GONE: Found = Found::Gone { code: None, kept: None };

    #[track_caller]
    fn check(
        line: &str,
        aim: Aim,
        status: &'static str,
        removes: bool,
        asked: &[&str],
        found: &Found,
    ) {
        let (did, left) = play(line, aim, engine(status, removes));
        assert_eq!(
            (&did[..], &left),
            (&asked.iter().map(|&a| a.to_owned()).collect::<Vec<_>>()[..], found),
            "{line} {aim:?} {status}"
        );
    }

    #[test]
    fn the_last_code_of_a_wait_counts() {
        for (out, expected) in [("0\n", Some(0)), ("3\n137\n", Some(137)), ("", None), ("x", None)]
        {
            assert_eq!(said(out).last_code(), expected, "{out}");
        }
    }

    #[test]
    fn a_stronger_wish_goes_first() {
        let weights = [Aim::Look, Aim::Signal(1), STOP, Aim::Kill].map(Aim::weight);
        assert!(weights.is_sorted());
    }

    #[test]
    fn a_pass_does_what_is_wanted_and_nothing_else() {
        let run = "docker run img";
        let kept = Found::Gone { code: Some(3), kept: Some("abc".to_owned()) };
        let left = Found::Left { ids: vec!["abc".to_owned()] };
        check(run, Aim::Look, "", false, &[], &GONE);
        check(run, Aim::Look, "running", false, &[], &left);
        check(run, Aim::Look, "exited", false, &[], &kept);
        check(run, Aim::Look, "exited", true, &["docker rm --force abc"], &GONE);
        check(run, Aim::Look, "created", false, &["docker rm --force abc"], &GONE);
        check(run, STOP, "running", false, &["docker stop -t 2 abc"], &kept);
        check(
            run,
            STOP,
            "running",
            true,
            &["docker stop -t 2 abc", "docker rm --force abc"],
            &GONE,
        );
        check(run, STOP, "exited", false, &[], &kept);
        check(run, STOP, "created", false, &["docker rm --force abc"], &GONE);
        check(run, Aim::Kill, "running", false, &["docker kill abc"], &kept);
        check(run, Aim::Signal(1), "running", false, &["docker kill --signal=1 abc"], &left);
    }

    #[test]
    fn a_project_goes_down_and_no_container_of_it_is_removed_singly() {
        let up = "docker compose -p shop up";
        let down = "docker compose -p shop down -t 2";
        check(up, STOP, "running", false, &[down], &GONE);
        check(up, STOP, "exited", false, &[down], &GONE);
        check(
            up,
            Aim::Kill,
            "running",
            false,
            &["docker kill abc", "docker compose -p shop down -t 0"],
            &GONE,
        );
        check(up, Aim::Look, "exited", false, &[], &Found::Gone { code: Some(3), kept: None });
        let up = "nerdctl compose -p shop up";
        let (stop, down) = ("nerdctl compose -p shop stop -t 2", "nerdctl compose -p shop down");
        check(up, STOP, "running", false, &[stop, down], &GONE);
    }

    #[test]
    fn no_answer_is_unknown_and_never_gone() {
        let silent = Answer { code: None, out: String::new(), complaint: String::new() };
        let refused = Answer {
            code: Some(1),
            out: String::new(),
            complaint: "Cannot connect to the daemon\n\n".to_owned(),
        };
        for (answer, expected) in
            [(silent, "it does not answer"), (refused, "Cannot connect to the daemon")]
        {
            for aim in [Aim::Look, STOP, Aim::Kill] {
                let (_, found) = play("docker run img", aim, |_| answer.clone());
                assert_eq!(found, Found::Unknown { why: expected.to_owned() });
                // The same when it stops answering between two questions.
                let mut first = true;
                let (_, found) = play("docker run img", aim, |_| {
                    if std::mem::take(&mut first) { said("abc") } else { answer.clone() }
                });
                assert!(matches!(found, Found::Unknown { .. }), "{found:?}");
            }
        }
    }

    #[test]
    fn an_empty_description_tells_of_an_end_only_where_the_engine_says_so() {
        let unknown = |why: &str| Found::Unknown { why: why.to_owned() };
        let (down, away) =
            ("Cannot connect to the daemon", "dial unix /s: no such file or directory");
        for (complaint, expected) in [
            (down, &unknown(down)),
            (away, &unknown(away)),
            ("Error response from daemon: No such container: abc", &GONE),
            ("Error: no such container \"abc\"", &GONE),
            ("level=fatal msg=\"1 errors:\\nno such object: abc\"", &GONE),
        ] {
            for aim in [Aim::Look, STOP, Aim::Kill] {
                let (_, found) = play("docker run img", aim, |words| match words {
                    words if words.contains("inspect") => Answer {
                        code: Some(1),
                        out: "[]\n".to_owned(),
                        complaint: complaint.to_owned(),
                    },
                    _ => said("abc\n"),
                });
                assert_eq!(&found, expected, "{complaint}");
            }
        }
    }

    #[test]
    fn a_container_that_nothing_ends_is_left() {
        for aim in [STOP, Aim::Kill] {
            let (asked, found) = play("docker run img", aim, |words| {
                if words.contains("inspect") {
                    said(&described("abc", "running", false))
                } else {
                    said("abc")
                }
            });
            assert_eq!(found, Found::Left { ids: vec!["abc".to_owned()] });
            assert_eq!(asked.len(), 1, "asked once: {asked:?}");
        }
    }
}
