//! A person is asked whether a new range may be made: yes, no, or another one.
//!
//! On the terminal, and never while the state is locked: the operation has ended with a proposal, and is
//! tried again with what was answered. Nobody is asked where nobody sits.

use super::output;
use crate::operations::{Error, consent::Proposal, plan::Request};
use std::io::{self, IsTerminal};

/// What a person answers to a proposal.
enum Answer {
    Yes,
    No,
    Customize,
}

/// Does what was requested, and asks as often as it needs consent that nobody has given.
pub(super) fn with_consent<T>(
    request: &mut Request,
    mut attempt: impl FnMut(&Request) -> Result<T, Error>,
) -> Result<T, Error> {
    let plain = request.range.clone();
    loop {
        let error = match attempt(request) {
            Err(error) if is_attended() => error,
            done => return done,
        };
        match error {
            Error::Unconfirmed(proposal) => {
                if request.agreed.take().is_some() {
                    output::say("The ranges have changed meanwhile.");
                }
                match ask(&proposal)? {
                    Answer::Yes => request.agreed = Some(*proposal),
                    Answer::No => return Err(Error::Declined(proposal)),
                    Answer::Customize if customize(&proposal, request)? => {}
                    Answer::Customize => return Err(Error::Declined(proposal)),
                }
            }
            // What was asked for instead does not fit: back to what was proposed at first.
            error if error.is_no_room() && request.range != plain => {
                output::say(&format!("There is {error}."));
                request.range = plain.clone();
            }
            error => return Err(error),
        }
    }
}

/// Whether somebody sits at a terminal and can see a question.
fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Shows the proposal and asks until the answer is one.
fn ask(proposal: &Proposal) -> Result<Answer, Error> {
    let Proposal { service_type, range, place, .. } = proposal;
    output::say(&match proposal.grows {
        false => format!("⚠ Unknown service type '{service_type}'"),
        true => format!("⚠ Service type '{service_type}' has no free port"),
    });
    output::say(&format!("Propose auto-allocation: ports {range}"));
    output::say(&format!("Placement: {place}"));
    loop {
        let Some(answer) = question("Proceed? [y/N/customize]: ")? else { return Ok(Answer::No) };
        match answer.to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(Answer::Yes),
            "" | "n" | "no" => return Ok(Answer::No),
            "c" | "customize" => return Ok(Answer::Customize),
            _ => output::say("Answer y, n or customize."),
        }
    }
}

/// Asks for size, placement and start. An empty answer leaves them as they are; false: the end of input.
fn customize(proposal: &Proposal, request: &mut Request) -> Result<bool, Error> {
    let wish = &mut request.range;
    let size = format!("Ports [{}]: ", proposal.range.size());
    let placement = format!("Placement ({}) [as proposed]: ", proposal.placements.join(", "));
    Ok(detail(&size, |text| proposal.size(text), &mut wish.chunk_size)?
        && detail(&placement, |text| proposal.placement(text), &mut wish.placement)?
        && detail("First port [as proposed]: ", |text| proposal.start(text), &mut wish.start)?)
}

/// Asks until the answer makes sense; false at the end of input.
fn detail<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, String>,
    place: &mut Option<T>,
) -> Result<bool, Error> {
    loop {
        match question(text)? {
            None => return Ok(false),
            Some(answer) if answer.is_empty() => return Ok(true),
            Some(answer) => match read(&answer) {
                Ok(value) => {
                    *place = Some(value);
                    return Ok(true);
                }
                Err(why) => output::say(&format!("No: {why}.")),
            },
        }
    }
}

/// Asks one thing; `None` at the end of input.
fn question(text: &str) -> Result<Option<String>, Error> {
    output::ask(text);
    let mut line = String::new();
    let failed = |source| Error::System { deed: "read the answer from the terminal", source };
    if io::stdin().read_line(&mut line).map_err(failed)? == 0 {
        output::say("");
        return Ok(None);
    }
    Ok(Some(line.trim().to_owned()))
}
