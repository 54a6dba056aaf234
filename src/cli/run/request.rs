//! What was typed behind `styxy run`, as a request.
//!
//! Pure. Every value is parsed here; what it means together with configuration and profiles is the
//! operation's business.

use crate::{
    cli::arguments::{Naming, NewRange, PortWishes, duration, value, words},
    config::{
        IfRunning, LivenessSettings, ReadyCheck, RestartPolicy, ServiceSettings, Stdin, StopSignal,
    },
    operations::{after::After, plan::Request},
    ports::Port,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The hidden flag by which `up` starts the supervisor of a service: its own pid behind it.
pub(in crate::cli) const UNDER_UP: &str = "under-up";
/// Behind that flag: `up -d`, which leaves the service alone once it is ready.
pub(in crate::cli) const UP_LEAVES: i32 = 0;

/// Run a command with a port of its own, once, supervised
///
/// Leases a port of the type's range, starts the command with it, and gives it back when nothing of
/// the command is left. The port reaches the command as PORT, as {port} in its arguments, or by the
/// flag that a known tool has for it. Is the instance running already, this run attaches to it.
///
/// A command that is docker run, podman run, nerdctl run or compose up, also behind env or in an
/// sh -c of plain words, has its containers supervised through their engine: a stop ends them, and
/// what a crash leaves of them is found again. A restart starts a container without --rm again; with
/// --rm it makes a new one. A container that a script starts is its engine's alone.
///
/// In the command's arguments and in --env, {port}, {port:NAME}, {host}, {url}, {type} and {id} are
/// replaced; doubled braces are left alone. Times are numbers with ms, s, m, h or d; a bare number is
/// seconds. What no flag says comes from the configuration, the recognised tool, and the type's
/// profile.
///
/// Without --, a single word is the name of a service in the project's styxy.toml or Procfile:
/// `styxy run web` runs it as it is described there, and flags say otherwise.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["service", "command"]))]
pub(in crate::cli) struct Arguments {
    /// A service that the project names
    #[arg(value_name = "SERVICE")]
    pub(super) service: Option<String>,
    /// The command and its arguments
    #[arg(last = true, num_args = 1.., value_name = "CMD")]
    command: Vec<String>,
    /// As a part of `up`, the process of that pid
    #[arg(long = UNDER_UP, hide = true, requires = "service", value_name = "PID")]
    pub(super) under_up: Option<i32>,
    #[command(flatten)]
    naming: Naming,
    #[command(flatten)]
    wishes: PortWishes,
    #[command(flatten)]
    pub(super) new_range: NewRange,
    #[command(flatten)]
    second: SecondRun,
    #[command(flatten)]
    ways: Ways,
    #[command(flatten)]
    ready: Readiness,
    #[command(flatten)]
    health: Health,
    #[command(flatten)]
    end: End,
}

/// When it runs already.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "When it runs already")]
struct SecondRun {
    /// attach: stay with it, end with its code; reuse: print it once it is ready; fail: end with 75;
    /// replace: stop it, then start; wait: start when it ends [default: attach]
    #[arg(long, value_name = "WAY", value_parser = words::<IfRunning>(IfRunning::WORDS))]
    if_running: Option<IfRunning>,
    /// A data directory that no other instance may use meanwhile; may be given several times
    #[arg(long, value_name = "PATH")]
    claim: Vec<PathBuf>,
}

/// How the command is run.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Command")]
struct Ways {
    /// Start when this instance is ready; STYXY_<TYPE>_<ID>_PORT and _URL say where it is. Ends with 75 if
    /// it does not run, or ends before it is ready. May be given several times
    #[arg(long, value_name = "REF")]
    after: Vec<String>,
    /// Supervise in the background: return when it is ready and print the port; output goes to a log
    #[arg(short, long)]
    detach: bool,
    /// One more variable for the command; without a template it is the port. May be given several times
    #[arg(short, long, value_name = "NAME[=TEMPLATE]", value_parser = variable)]
    env: Vec<(String, String)>,
    /// What the command reads: what styxy reads, or nothing [default: inherit]
    #[arg(long, value_name = "FROM", value_parser = words::<Stdin>(Stdin::WORDS))]
    stdin: Option<Stdin>,
    /// Replace nothing in the arguments, and add no tool's port flag
    #[arg(long)]
    raw: bool,
    /// Lease the port by name alone, for a program that cannot start over the reservation of it
    #[arg(long)]
    no_reserve: bool,
    /// Listen on the port for the command, on 127.0.0.1, and pass the socket on (LISTEN_FDS, from
    /// descriptor 3; several with --ports): nobody can steal it, connections wait while the command
    /// starts or is started again, and readiness tcp is none
    #[arg(long)]
    listen_fd: bool,
    /// For docker run, podman run or nerdctl run: publish this port of the container on the leased port of
    /// 127.0.0.1
    #[arg(long, value_name = "PORT")]
    container_port: Option<Port>,
    /// Decide and print, but lease and start nothing
    #[arg(long)]
    dry_run: bool,
}

/// When it counts as ready.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Readiness")]
struct Readiness {
    /// tcp: something of it listens on the port; http:/PATH: a GET answers 200 to 399; exec:CMD: the
    /// command ends with 0; log:REGEX: a line of its log matches (with -d); notify: it says READY=1 on
    /// the socket in NOTIFY_SOCKET (sd_notify); none: at once [default: tcp]
    #[arg(long, value_name = "CHECK", value_parser = value::<ReadyCheck>)]
    ready: Option<ReadyCheck>,
    /// Not ready after this time, it is stopped and the run ends with 124; in the foreground only if
    /// the time is given [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ready_timeout: Option<Duration>,
}

/// Whether it still works; off unless one of these is given.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Health (off unless one is given)")]
struct Health {
    /// Time between two checks [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    health_interval: Option<Duration>,
    /// How long one check may take [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    health_timeout: Option<Duration>,
    /// So many failures in a row make it unhealthy [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    health_retries: Option<u32>,
    /// Failures within this time after the start do not count [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    health_start_period: Option<Duration>,
}

/// How it ends, and whether it begins again.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Restart and stop")]
struct End {
    /// no; on-failure, or on-failure:N for at most N restarts in a row; always [default: no]
    #[arg(long, value_name = "POLICY", value_parser = value::<RestartPolicy>)]
    restart: Option<RestartPolicy>,
    /// The signal that begins a stop, a name or a number [default: TERM]
    #[arg(long, value_name = "SIGNAL", value_parser = value::<StopSignal>)]
    stop_signal: Option<StopSignal>,
    /// How long the whole tree may take to end before it is killed [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    stop_timeout: Option<Duration>,
}

impl Arguments {
    /// What was typed, laid over what a service says.
    pub(super) fn onto(self, mut request: Request) -> Request {
        let Self { naming, wishes, new_range, second, ways, ready, health, end, .. } = self;
        if !self.command.is_empty() {
            request.command = self.command;
        }
        request.if_running = second.if_running.unwrap_or(request.if_running);
        request.claims.extend(second.claim);
        request.after.extend(ways.after.into_iter().map(After::Reference));
        request.detach |= ways.detach;
        request.stdin_null = ways.stdin.map_or(request.stdin_null, |stdin| stdin == Stdin::Null);
        request.raw |= ways.raw;
        request.dry_run = ways.dry_run;
        let flags = ServiceSettings {
            env: ways.env.into_iter().collect(),
            reserve: ways.no_reserve.then_some(false),
            listen_fd: ways.listen_fd.then_some(true),
            container_port: ways.container_port,
            ready: ready.ready,
            ready_timeout: ready.ready_timeout,
            liveness: LivenessSettings {
                interval: health.health_interval,
                timeout: health.health_timeout,
                retries: health.health_retries,
                start_period: health.health_start_period,
            },
            restart: end.restart,
            stop_signal: end.stop_signal,
            stop_timeout: end.stop_timeout,
            ..ServiceSettings::default()
        };
        request.settings = flags.or(&request.settings);
        naming.fill(&mut request);
        wishes.fill(&mut request);
        new_range.fill(&mut request);
        request
    }

    /// The same with paths that mean what they mean here, wherever the command will run.
    pub(super) fn typed_in(mut self, cwd: &Path) -> Self {
        for claim in &mut self.second.claim {
            *claim = cwd.join(&*claim);
        }
        self
    }
}

/// `NAME=TEMPLATE`, or `NAME` for the port.
fn variable(text: &str) -> Result<(String, String), String> {
    let (name, template) = text.split_once('=').unwrap_or((text, "{port}"));
    if name.is_empty() {
        return Err("a variable needs a name: NAME or NAME=TEMPLATE".to_owned());
    }
    Ok((name.to_owned(), template.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ScopeKind;
    use clap::{Args, FromArgMatches};

    fn request(line: &str) -> Result<Request, String> {
        let command = Arguments::augment_args(clap::Command::new("run").no_binary_name(true));
        let words = line.split(' ').filter(|word| !word.is_empty());
        let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
        let typed = Arguments::from_arg_matches(&matches).map_err(|error| error.to_string())?;
        Ok(typed.onto(Request::default()))
    }

    /// The line, with a command behind it, asks for that and nothing else.
    fn check(line: &str, change: impl FnOnce(&mut Request)) {
        let mut expected = Request { command: vec!["true".to_owned()], ..Request::default() };
        change(&mut expected);
        let found =
            request(&format!("{line} -- true")).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{line}");
    }

    fn check_settings(line: &str, change: impl FnOnce(&mut ServiceSettings)) {
        check(line, |request| change(&mut request.settings));
    }

    #[test]
    fn every_option_finds_its_place_in_the_request() {
        check("", |_| {});
        for line in ["-t ai -i rag", "--type ai --id rag", "--service-type ai --instance-id rag"] {
            check(line, |request| {
                request.service_type = Some("ai".parse().unwrap());
                request.id = Some("rag".parse().unwrap());
            });
        }
        check("-p 3000", |request| request.wish.exact = Some(Port::known(3000)));
        check("--prefer 3000 --prefer 3001,3002", |request| {
            request.wish.prefer = vec![Port::known(3000), Port::known(3001), Port::known(3002)];
        });
        check("--ports http,grpc", |request| {
            request.wish.names = vec!["http".to_owned(), "grpc".to_owned()];
        });
        check("--group team-red --yes", |request| {
            request.range.group = Some("team-red".to_owned());
        });
        check("--new", |request| request.new = true);
        check("--if-running replace", |request| request.if_running = IfRunning::Replace);
        check("--claim data --claim more", |request| {
            request.claims = vec![PathBuf::from("data"), PathBuf::from("more")];
        });
        check("--after db --after api/x@shop", |request| {
            let reference = |text: &str| After::Reference(text.to_owned());
            request.after = vec![reference("db"), reference("api/x@shop")];
        });
        check("-d", |request| request.detach = true);
        check("--stdin null", |request| request.stdin_null = true);
        check("--raw --dry-run", |request| (request.raw, request.dry_run) = (true, true));
    }

    #[test]
    fn every_setting_finds_its_place_in_the_request() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        check_settings("--scope machine", |settings| settings.scope = Some(ScopeKind::Machine));
        check_settings("--no-reserve", |settings| settings.reserve = Some(false));
        check_settings("--container-port 5432", |settings| {
            settings.container_port = Some(Port::known(5432));
        });
        check_settings("--listen-fd", |settings| settings.listen_fd = Some(true));
        check_settings("-e ADDR=at:{port} -e VITE_PORT -e A=b=c", |settings| {
            let pairs = [("ADDR", "at:{port}"), ("VITE_PORT", "{port}"), ("A", "b=c")];
            settings.env =
                pairs.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        });
        check_settings("--ready http:/health --ready-timeout 10m", |settings| {
            settings.ready = Some(ReadyCheck::Http("/health".to_owned()));
            settings.ready_timeout = seconds(600);
        });
        check_settings("--health-interval 5 --health-timeout 1s", |settings| {
            settings.liveness.interval = seconds(5);
            settings.liveness.timeout = seconds(1);
        });
        check_settings("--health-retries 2 --health-start-period 1m", |settings| {
            settings.liveness.retries = Some(2);
            settings.liveness.start_period = seconds(60);
        });
        check_settings("--restart on-failure:5", |settings| {
            settings.restart = Some(RestartPolicy::OnFailure { restarts_max: Some(5) });
        });
        check_settings("--stop-signal SIGINT --stop-timeout 500ms", |settings| {
            settings.stop_signal = Some(StopSignal::INT);
            settings.stop_timeout = Some(Duration::from_millis(500));
        });
    }

    #[test]
    fn flags_win_over_what_a_service_says() {
        let service = || Request {
            service_type: Some("dev".parse().unwrap()),
            id: Some("web".parse().unwrap()),
            if_running: IfRunning::Fail,
            stdin_null: true,
            wish: crate::decision::port::Wish {
                exact: Some(Port::known(3000)),
                ..Default::default()
            },
            command: vec!["vite".to_owned()],
            ..Request::default()
        };
        let laid_over = |line: &str| {
            let command = Arguments::augment_args(clap::Command::new("run").no_binary_name(true));
            let matches = command.try_get_matches_from(line.split(' ')).unwrap();
            Arguments::from_arg_matches(&matches).unwrap().onto(service())
        };
        assert_eq!(format!("{:?}", laid_over("web")), format!("{:?}", service()));
        let other = laid_over("web -i x --if-running attach --stdin inherit --prefer 3001 -e A=1");
        assert_eq!((other.id, other.service_type), ("x".parse().ok(), "dev".parse().ok()));
        assert_eq!((other.if_running, other.stdin_null), (IfRunning::Attach, false));
        assert_eq!((other.wish.exact, other.wish.prefer), (None, vec![Port::known(3001)]));
        assert_eq!(
            (&other.command[..], &other.settings.env["A"][..]),
            (&["vite".to_owned()][..], "1")
        );
    }

    #[test]
    fn what_is_behind_the_two_dashes_is_the_commands() {
        let found = request("-t ai -- python -m http.server --port {port} -- -t x").unwrap();
        let expected = ["python", "-m", "http.server", "--port", "{port}", "--", "-t", "x"];
        assert_eq!(found.command, expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        for (line, reason) in [
            ("", "required"),
            ("--", "required"),
            ("--port 0 -- true", "'0'"),
            ("--port 65536 -- true", "'65536'"),
            ("--port 1 --prefer 2 -- true", "cannot be used with"),
            ("--id a/b -- true", "'a/b'"),
            ("--if-running perhaps -- true", "possible values: attach, reuse, fail, replace, wait"),
            ("--ready whenever -- true", "whenever"),
            ("--stop-timeout soon -- true", "write 500ms"),
            ("--stop-signal TREM -- true", "did you mean 'TERM'?"),
            ("--health-retries 0 -- true", "'0'"),
            ("-e =x -- true", "NAME=TEMPLATE"),
            ("--ports a,a -- true", "given twice"),
            ("web -- true", "cannot be used with"),
            ("web api", "unexpected argument"),
            ("--restart sometimes -- true", "on-failure"),
        ] {
            let error = request(line).expect_err(line);
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
