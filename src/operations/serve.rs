//! `serve`: where the HTTP face listens, its lease and its secrets. What it answers is its own business.
//!
//! The lease is one in `coordination`, held for this process: a second `serve` finds the first by it.

use super::{
    allocate::{Reserve, TTL_DEFAULT},
    error::Error,
    host::{Host, Place, Tell, config_places, load_config, places_in, project_root},
    plan::Request,
    view::Answer,
};
use crate::{
    config::{self, Places, ScopeKind},
    os::{
        clock,
        interrupts::Interrupts,
        memory,
        process::{self, Handle},
        secret, signals, usage, user,
        wait_set::{Interest, WaitSet, pause},
    },
    ports::Port,
    registry::{Holder, InstanceName, ProcessIdentity},
    store::run_dir::in_directory,
};
use jiff::Timestamp;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpListener},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            fs::{MetadataExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::Path,
    time::Duration,
};

/// The type of its lease.
pub const TYPE: &str = "coordination";
/// The id of its lease.
pub const ID: &str = "styxy";
/// The socket in the state directory.
const SOCKET: &str = "serve.sock";
/// Who has the post listens by then, on however busy a machine.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);
/// So often is looked whether it does.
const KNOCK_AGAIN: Duration = Duration::from_millis(10);
/// The token in the state directory.
const TOKEN: &str = "auth.token";

/// What is asked of `serve`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// This port, in place of the configured one.
    pub port: Option<Port>,
    /// Show the page in the user's browser.
    pub open: bool,
}

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It answers, or did so before.
    Serving {
        /// The page's address with a code that is good once.
        url: String,
        /// The port.
        port: Port,
        /// The server's process.
        pid: i32,
        /// Another process serves already.
        existing: bool,
    },
    /// Something to know.
    Notice(String),
}

/// The face that serves: it gets the host and what is wanted, tells, and returns what to end with.
pub type Face = fn(Host, Wanted, &mut dyn FnMut(Said)) -> Result<i32, Error>;

/// Where this process stands.
pub enum Stand {
    /// It serves.
    Mine(Box<Post>),
    /// Another one does.
    Taken(Box<Answer>),
}

/// All that the serving process holds.
pub struct Post {
    /// Where it listens on loopback.
    pub listener: TcpListener,
    /// Where it listens for this user's processes.
    pub socket: UnixListener,
    /// What clients have to show.
    pub token: String,
    /// Ctrl-C and TERM.
    pub interrupts: Interrupts,
    /// Its own lease, unless it runs in an instance of styxy's.
    lease: Option<String>,
}

/// Whether it is the lease of who serves: it has no supervisor, and yet it runs.
pub(super) fn is_post(name: &InstanceName) -> bool {
    name.service_type.as_str() == TYPE && name.id.as_str() == ID
}

/// The process that says it serves, where that has no supervisor.
pub(super) fn at_post(name: &InstanceName, holder: &Holder) -> Option<ProcessIdentity> {
    match holder {
        Holder::Reserved(held) if is_post(name) => held.process,
        Holder::Reserved(_) | Holder::Supervisor => None,
    }
}

/// When a process was started, as it is shown: to the second, so that every look says the same.
pub(super) fn started_at(process: &ProcessIdentity) -> Option<String> {
    let began = clock::utc().checked_sub(usage::age(process)).ok()?;
    Timestamp::from_second(began.as_second()).ok().map(|began| began.to_string())
}

impl Host {
    /// Takes the post, or tells who has it.
    pub fn take_post(&self, wanted: Wanted, tell: &Tell<'_>) -> Result<Stand, Error> {
        let listen = self.config.serve().listen;
        if !listen.ip().is_loopback() {
            return Err(Error::Usage {
                message: format!("serve.listen is {listen}, which other machines can reach"),
                hint: Some("listen on 127.0.0.1, and reach it from elsewhere by `ssh -L`".into()),
            });
        }
        let interrupts = Interrupts::take().map_err(|source| system("handle signals", source))?;
        let (port, lease) = match self.own_instance(tell)? {
            Some(port) => (port, None),
            None => {
                let answer = self.lease_for_serve(wanted, listen.port(), tell)?;
                if answer.existing {
                    return Ok(Stand::Taken(Box::new(answer)));
                }
                (answer.port, answer.lock_id)
            }
        };
        let post = self.listen(listen.ip(), port);
        let kept = secret::kept(self.store.as_fd(), TOKEN)
            .map_err(|source| system("keep the token in auth.token", source));
        match (post, kept) {
            (Ok((listener, socket)), Ok(token)) => {
                let post = Post { listener, socket, token, interrupts, lease };
                Ok(Stand::Mine(Box::new(post)))
            }
            (Err(error), _) | (_, Err(error)) => {
                self.give_up(lease.as_deref(), tell);
                Err(error)
            }
        }
    }

    /// Gives the post up: the socket goes, and the lease ends.
    pub fn leave_post(&self, post: Post, tell: &Tell<'_>) {
        let lease = post.lease.clone();
        drop(post);
        // Gone already is as good; so is a lease that a later command collects.
        let _ = fs::remove_file(in_directory(self.store.as_fd(), SOCKET));
        self.give_up(lease.as_deref(), tell);
    }

    fn give_up(&self, lease: Option<&str>, tell: &Tell<'_>) {
        if let Some(Err(error)) = lease.map(|lease| self.release(lease, true, tell)) {
            tell(&format!(
                "the lease could not be given back ({error}); the next command does that"
            ));
        }
    }

    /// A connection to the process that serves. Its lease comes before its socket: while it lives, one that has
    /// taken its post only just now gets the time to listen.
    pub fn call_post(&self, pid: Option<i32>) -> Result<UnixStream, Error> {
        let until = clock::now() + LISTENS_WITHIN;
        loop {
            let source = match self.knock() {
                Ok(stream) => return Ok(stream),
                Err(source) => source,
            };
            let is_new =
                matches!(source.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
            let may_come = is_new && pid.is_some_and(|pid| process::identify(pid).is_ok());
            if !may_come || until <= clock::now() {
                return Err(system("reach the running `styxy serve`", source));
            }
            // Nothing tells when it listens.
            pause(KNOCK_AGAIN);
        }
    }

    fn knock(&self) -> io::Result<UnixStream> {
        UnixStream::connect(in_directory(self.store.as_fd(), SOCKET))
    }

    /// A handle on the process that serves, if it is that one. Anybody can reserve its name for any process;
    /// who listens on serve.sock is a styxy, and the kernel says who that is.
    pub(super) fn serving(&self, process: &ProcessIdentity) -> Option<Handle> {
        let socket = self.knock().ok()?;
        let peer = getsockopt(&socket, PeerCredentials).ok()?;
        let handle = Handle::open(process).ok().flatten();
        handle.filter(|handle| handle.identity().pid == peer.pid())
    }

    /// The port of the instance in which this process runs as styxy's own server.
    fn own_instance(&self, tell: &Tell<'_>) -> Result<Option<Port>, Error> {
        let Some(lock_id) = &self.place.inside else { return Ok(None) };
        let registry = self.read(tell)?;
        let instance = registry.by_lock_id(lock_id).filter(|instance| is_post(&instance.name));
        Ok(instance.filter(|_| self.store.run().is_alive(lock_id)).map(|instance| instance.port()))
    }

    fn lease_for_serve(&self, wanted: Wanted, port: u16, tell: &Tell<'_>) -> Result<Answer, Error> {
        let mut request = Request {
            service_type: Some(TYPE.parse()?),
            id: Some(ID.parse()?),
            ..Request::default()
        };
        request.settings.scope = Some(ScopeKind::Machine);
        request.wish.exact = wanted.port;
        request.wish.prefer = Port::try_from(u32::from(port)).ok().into_iter().collect();
        let own = Reserve { pid: Some(own_pid()), ttl: TTL_DEFAULT };
        let answer = self.allocate(&request, own, tell)?;
        // One that was kept for nobody in particular is this process's now.
        let existing = answer.existing && answer.pid != Some(own_pid());
        Ok(Answer { existing, ..answer })
    }

    fn listen(&self, address: IpAddr, port: Port) -> Result<(TcpListener, UnixListener), Error> {
        let path = in_directory(self.store.as_fd(), SOCKET);
        // Whoever left it is dead: the lease is ours.
        let _ = fs::remove_file(&path);
        let socket = UnixListener::bind(&path)
            .and_then(|socket| {
                fs::set_permissions(&path, Permissions::from_mode(0o600))?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            })
            .map_err(|source| system("listen on serve.sock", source))?;
        // Last: who sees the port served takes it for ready, and calls at the socket.
        let address = SocketAddr::new(address, port.number());
        let listener = TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|source| {
                // It is removed by the next one at the latest.
                let _ = fs::remove_file(&path);
                Error::Usage {
                    message: format!("cannot listen on {address}: {source}"),
                    hint: Some("choose another port with --port".to_owned()),
                }
            })?;
        Ok((listener, socket))
    }

    /// The host as if styxy had been called in that directory.
    pub fn open_in(directory: &Path, tell: &Tell<'_>) -> Result<Self, Error> {
        let cwd = directory.canonicalize().map_err(|source| Error::Usage {
            message: format!("{} cannot be used: {source}", directory.display()),
            hint: Some("name a directory that is there".to_owned()),
        })?;
        let loaded = config::load(&places_in(&cwd), std::env::vars_os(), &[])?;
        loaded.notices.iter().for_each(|notice| tell(notice));
        let host = Self::with_config(loaded.config)?;
        let place = Place { project: project_root(&cwd), cwd, inside: None, ..host.place.clone() };
        Ok(Self { place, ..host })
    }
}

/// Waits until the process has ended, or a signal asks to end; tells what to end with.
pub fn wait_for_end(pid: Option<i32>) -> Result<i32, Error> {
    let failed = |source| system("wait for the running `styxy serve`", source);
    let identity = pid.and_then(|pid| process::identify(pid).ok());
    let handle = identity.map(|identity| Handle::open(&identity)).transpose().map_err(failed)?;
    let Some(handle) = handle.flatten() else { return Ok(0) };
    let interrupts = Interrupts::take().map_err(failed)?;
    let mut set = WaitSet::new();
    set.add(true, &interrupts, Interest::Readable);
    set.add(false, &handle, Interest::Readable);
    let interrupted = set.wait(None).map_err(failed)?.next().unwrap_or(false);
    Ok(if interrupted { interrupts.which().exit_code() } else { 0 })
}

/// This thread takes no signal from now on: they are the main thread's.
pub fn block_signals() {
    // A thread that takes one hands it on all the same.
    let _ = signals::block_all();
}

/// A thread ends that was not needed for a while: what its work has taken is given back to the kernel.
pub fn rest() {
    memory::give_back();
}

/// A secret that nobody guesses.
pub fn secret() -> Result<String, Error> {
    secret::secret().map_err(|source| system("get random numbers", source))
}

/// Whether a process of that user may do what this one may.
pub fn is_own(uid: u32) -> bool {
    uid == user::uid() || uid == 0
}

/// The pid of this process.
pub fn own_pid() -> i32 {
    i32::try_from(std::process::id()).expect("a pid fits 31 bits")
}

/// Where this process's configuration is, which stays the same as long as it runs.
#[derive(Debug, Clone)]
pub struct Sources(Places);

/// What the configuration's files looked like at a moment: a difference means that they are to be read
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp([Option<(u64, i64, i64, u64)>; 3]);

impl Sources {
    /// Those that the environment names.
    pub fn of_environment() -> Self {
        Self(config_places())
    }

    /// What they look like now.
    pub fn stamp(&self) -> Stamp {
        let look = |path: &Path| {
            let metadata = fs::metadata(path).ok()?;
            let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
            Some((metadata.ino(), seconds, nanoseconds, metadata.size()))
        };
        let Places { system, user, .. } = &self.0;
        let project = self.0.project();
        Stamp([look(system), user.as_deref().and_then(look), project.as_deref().and_then(look)])
    }
}

/// The host as the environment and the files say now.
pub fn open_again(tell: &Tell<'_>) -> Result<Host, Error> {
    Host::with_config(load_config(&[], tell)?)
}

impl Post {
    /// Readable once a signal has come.
    pub fn interrupt_fd(&self) -> BorrowedFd<'_> {
        self.interrupts.as_fd()
    }

    /// What to end with once a signal has come.
    pub fn exit_code(&self) -> i32 {
        self.interrupts.which().exit_code()
    }
}

fn system(deed: &'static str, source: io::Error) -> Error {
    Error::System { deed, source }
}
