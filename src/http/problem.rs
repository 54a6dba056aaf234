//! What went wrong, as an answer: a status, a sentence, and what to do now.
//!
//! Pure. Kinds of failure map to statuses here and nowhere else.

use super::call::Reply;
use crate::{
    operations::{Error, Failure, Kind, view::View},
    registry::ReferenceError,
};
use serde::Serialize;
use serde_json::{Value, json};

/// Why a request is not answered as it was hoped.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Problem {
    /// The status.
    pub(super) status: u16,
    /// What failed, and why.
    pub(super) message: String,
    /// What to do now.
    pub(super) hint: Option<String>,
    /// What kind of failure, where an operation failed.
    pub(super) kind: Option<Kind>,
    /// The instance that is in the way.
    pub(super) instance: Option<Box<View>>,
}

/// How it is answered. The original daemon's clients read `success` and `error`.
#[derive(Serialize)]
struct Body<'a> {
    success: bool,
    error: &'a str,
    hint: &'a Option<String>,
    kind: Value,
    instance: &'a Option<Box<View>>,
}

impl Problem {
    /// A problem that the request itself has.
    pub(super) fn new(status: u16, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into()).filter(|hint: &String| !hint.is_empty());
        Self { status, message: message.into(), hint, kind: None, instance: None }
    }

    /// Input that makes no sense.
    pub(super) fn bad(message: String) -> Self {
        Self::new(400, message, "GET /openapi.json says what each route takes")
    }

    /// As an answer.
    pub(super) fn reply(&self) -> Reply {
        let kind = self.kind.map_or(Value::Null, |kind| json!(kind));
        let Self { message, hint, instance, .. } = self;
        let body = Body { success: false, error: message, hint, kind, instance };
        Reply::json_with(self.status, &body)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = status(&error);
        Self { status, ..Self::from(error.failure(|_| 0)) }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let Failure { kind, message, hint, instance, .. } = failure;
        Self { status: status_of(kind), message, hint, kind: Some(kind), instance }
    }
}

/// The status of a failure.
fn status(error: &Error) -> u16 {
    match error {
        Error::Reference(ReferenceError::Unknown(_)) => return 404,
        Error::NotYours { .. } => return 403,
        Error::Unconfirmed(_) | Error::Declined(_) => return 409,
        error if error.is_busy() => return 503,
        _ => {}
    }
    status_of(error.kind())
}

/// The status of a kind of failure.
fn status_of(kind: Kind) -> u16 {
    match kind {
        Kind::Usage | Kind::Config | Kind::NotFound | Kind::NotExecutable => 400,
        Kind::Blocked | Kind::NoPort => 409,
        Kind::Timeout => 504,
        Kind::Ended => 502,
        Kind::Failed => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_to_do_now() {
        let error = Error::Usage { message: "no".to_owned(), hint: Some("yes".to_owned()) };
        let problem = Problem::from(error);
        assert_eq!((problem.status, problem.kind), (400, Some(Kind::Usage)));
        let body: Value = serde_json::from_slice(&problem.reply().body).unwrap();
        let expected = json!({
            "success": false, "error": "no", "hint": "yes", "kind": "usage", "instance": null,
        });
        assert_eq!(body, expected);
        let unknown = Error::Reference(ReferenceError::Unknown("x".to_owned()));
        assert_eq!(Problem::from(unknown).status, 404);
    }
}
