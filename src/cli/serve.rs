//! `styxy serve`: hands over to the HTTP face, which it was given and does not know.

use super::{
    arguments::{Session, Verb},
    output,
};
use crate::{
    config::ScopeKind,
    operations::{
        Error,
        detach::Detached,
        plan::Request,
        serve::{Face, ID, Said, TYPE, Wanted},
    },
    ports::Port,
};
use serde_json::json;
use std::{
    cell::RefCell,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// The face that `main` gave.
static FACE: OnceLock<Face> = OnceLock::new();
/// What opens an address in the user's browser, tried in this order.
const OPENERS: &[&str] = &["xdg-open", "open"];

/// Serve the HTTP API, the metrics and the web page
///
/// On 127.0.0.1:9876 and on serve.sock in the state directory, until Ctrl-C. Programs show the token in
/// auth.token there; the address that is printed carries a code that is good once, for a browser. A second
/// `serve` attaches to the first.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Listen on this port, and on no other
    #[arg(short, long, value_name = "PORT")]
    port: Option<Port>,
    /// Show the page in the browser
    #[arg(short, long)]
    open: bool,
    /// Serve in the background, as the instance coordination/styxy
    #[arg(short, long, conflicts_with = "print_unit")]
    detach: bool,
    /// Print a systemd user unit, and do nothing else
    #[arg(long)]
    print_unit: bool,
}

/// Keeps the face for `serve`.
pub(super) fn keep(face: Option<Face>) {
    if let Some(face) = face {
        // Given twice, it is the same.
        let _ = FACE.set(face);
    }
}

impl Verb for Arguments {
    fn perform(self, session: &Session) -> Result<i32, Error> {
        if self.print_unit {
            return output::print(&unit()).map(|()| 0);
        }
        let face = FACE.get().ok_or_else(|| Error::Usage {
            message: "this styxy was built without `serve`".to_owned(),
            hint: Some("build it with the feature `serve`".to_owned()),
        })?;
        // One that was started just now is not one that ran already, though this process only attaches to it.
        let existing = self.detach.then(|| self.detached(session)).transpose()?;
        let failure = RefCell::new(None);
        let mut say = |mut said: Said| {
            if let (Said::Serving { existing: told, .. }, Some(existing)) = (&mut said, existing) {
                *told = existing;
            }
            if let Err(error) = shown(&said, self.open, session) {
                failure.replace(Some(error));
            }
        };
        // Beside a detached one nobody stays: to tell of it is all that is left.
        let wanted = Wanted { port: self.port, open: self.open || self.detach };
        let code = face(session.host()?, wanted, &mut say)?;
        failure.into_inner().map_or(Ok(code), Err)
    }
}

impl Arguments {
    /// `styxy run -d -t coordination -i styxy -- styxy serve`, unless one runs: whether one did.
    fn detached(&self, session: &Session) -> Result<bool, Error> {
        let mut host = session.host()?;
        let program = std::env::current_exe()
            .map_err(|source| Error::System { deed: "find styxy's own program", source })?;
        let mut request = Request {
            service_type: Some(TYPE.parse()?),
            id: Some(ID.parse()?),
            detach: true,
            stdin_null: true,
            command: vec![
                program.to_string_lossy().into_owned(),
                "serve".to_owned(),
                "-q".to_owned(),
            ],
            ..Request::default()
        };
        request.settings.scope = Some(ScopeKind::Machine);
        // The port is bound by `serve` itself, with a plain listener.
        request.settings.reserve = Some(false);
        request.wish.exact = self.port;
        let configured = u32::from(host.config.serve().listen.port());
        request.wish.prefer = Port::try_from(configured).ok().into_iter().collect();
        let detached = host.run_detached(&request, super::exit_code::of, None, &mut |_| {})?;
        match detached {
            Detached::Launched(Ok(answer)) => Ok(answer.existing),
            Detached::Left(_) => Ok(false),
            Detached::Launched(Err(failure)) => {
                Err(Error::Usage { message: failure.message, hint: failure.hint })
            }
            // The background's side: nobody listens any more.
            Detached::Over(code) => std::process::exit(code),
        }
    }
}

fn shown(said: &Said, opens: bool, session: &Session) -> Result<(), Error> {
    match said {
        Said::Notice(sentence) => session.tell(sentence),
        Said::Serving { url, port, pid, existing } if session.json => {
            output::json(&json!({ "url": url, "port": port, "pid": pid, "existing": existing }))?;
        }
        Said::Serving { url, pid, existing, .. } => {
            let how = if *existing { format!(" already (pid {pid})") } else { String::new() };
            session.say(&format!("styxy serves{how}; its page:"));
            output::print(&format!("{url}\n"))?;
        }
    }
    if let Said::Serving { url, .. } = said
        && opens
        && !open(url)
    {
        session.tell("no program to show a page was found; open the address yourself");
    }
    Ok(())
}

/// Shows the page; `false` where nothing does. What opens it may stay as long as the browser does, so nobody
/// waits for it.
fn open(url: &str) -> bool {
    OPENERS.iter().any(|opener| {
        let line =
            format!("command -v {opener} >/dev/null && {{ {opener} \"$1\" >/dev/null 2>&1 & }}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line, "sh", url]).stdin(Stdio::null()).stdout(Stdio::null());
        shell.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    })
}

/// A unit for `systemctl --user`.
fn unit() -> String {
    let program = std::env::current_exe()
        .map_or_else(|_| "styxy".to_owned(), |path| path.to_string_lossy().into_owned());
    format!(
        "# Save as ~/.config/systemd/user/styxy.service, then: systemctl --user enable --now styxy\n\
         [Unit]\nDescription=styxy: the HTTP API, the metrics and the web page\n\n\
         [Service]\nExecStart={} serve --quiet\nRestart=on-failure\nNoNewPrivileges=yes\n\n\
         [Install]\nWantedBy=default.target\n",
        quoted(&program)
    )
}

/// A word as systemd reads it (systemd.service(5), quoting and specifiers).
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    if word.bytes().all(plain) {
        return word.to_owned();
    }
    let escaped =
        word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_program_is_one_word_for_systemd() {
        assert_eq!(quoted("/usr/bin/styxy"), "/usr/bin/styxy");
        assert_eq!(quoted("/a b/100%/st\"yxy"), "\"/a b/100%%/st\\\"yxy\"");
    }
}
