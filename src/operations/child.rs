//! What the command is given: its arguments with templates replaced and the port injected, and its
//! environment.

use super::{
    container,
    error::Error,
    plan::{Plan, Request},
};
use crate::{
    decision::template::{self, Values},
    os::{notify, spawn::Socket, tree::LOCK_ID_VARIABLE},
    registry::{InstanceName, LockId, NamedPort},
};
use std::{
    collections::BTreeMap,
    ffi::{CString, OsStr, OsString},
    os::{
        fd::BorrowedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
};

/// Where instances are reached.
pub(super) const HOST: &str = "127.0.0.1";

/// A command as it is executed.
pub(super) struct Child {
    /// The program, as it was given.
    pub(super) program: CString,
    /// The whole argument list.
    pub(super) arguments: Vec<CString>,
    /// The whole environment, as `NAME=value`.
    pub(super) environment: Vec<CString>,
}

/// The lease for which a command is made.
pub(super) struct Given<'a> {
    pub(super) name: &'a InstanceName,
    pub(super) ports: &'a [NamedPort],
    pub(super) lock_id: &'a LockId,
    /// Where it says how it is, if it is asked to.
    pub(super) notify: Option<&'a str>,
    /// Where the engine writes the id of its container.
    pub(super) cidfile: &'a str,
}

/// The command of a request, for the lease that it has got.
pub(super) fn child(plan: &Plan, request: &Request, given: &Given<'_>) -> Result<Child, Error> {
    let values = Values { name: given.name, ports: given.ports, host: HOST };
    let port = given.ports[0].port;
    let words = match &plan.tool {
        _ if request.raw => request.command.clone(),
        // Who is passed a socket is not told to listen on the port as well.
        Some(tool) if !plan.listens => filled(&tool.inject(port), &values)?,
        Some(_) | None => filled(&request.command, &values)?,
    };
    let words = container::contained(words, plan, given)?;
    let mut environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for (name, value) in styxys_own(given) {
        environment.insert(name.into(), value.into());
    }
    for (name, value) in &plan.addresses {
        environment.insert(name.into(), value.into());
    }
    for (name, text) in &plan.settings.env {
        if name == LOCK_ID_VARIABLE {
            return Err(own_variable());
        }
        environment.insert(name.into(), template::fill(text, &values)?.into());
    }
    let environment = environment.into_iter().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        c_string(&name)
    });
    let arguments: Vec<CString> =
        words.iter().map(|word| c_string(OsStr::new(word))).collect::<Result<_, _>>()?;
    Ok(Child {
        program: arguments[0].clone(),
        environment: environment.collect::<Result<_, _>>()?,
        arguments,
    })
}

/// By its value the processes of an instance are found again.
fn own_variable() -> Error {
    Error::Usage {
        message: format!("{LOCK_ID_VARIABLE} is set by styxy: its processes are known by it"),
        hint: Some("take it out of --env, or of `env` in the configuration".to_owned()),
    }
}

fn filled(words: &[String], values: &Values<'_>) -> Result<Vec<String>, Error> {
    words.iter().map(|word| Ok(template::fill(word, values)?)).collect()
}

/// The variables that are always set.
pub(super) fn styxys_own(given: &Given<'_>) -> Vec<(String, String)> {
    let port = given.ports[0].port;
    let mut own = vec![
        ("PORT".to_owned(), port.to_string()),
        ("STYXY_PORT".to_owned(), port.to_string()),
        ("STYXY_TYPE".to_owned(), given.name.service_type.to_string()),
        ("STYXY_ID".to_owned(), given.name.id.to_string()),
        ("STYXY_URL".to_owned(), template::url(HOST, port)),
        ("STYXY_LOCK_ID".to_owned(), given.lock_id.to_string()),
    ];
    own.extend(given.notify.map(|name| (notify::VARIABLE.to_owned(), name.to_owned())));
    let named = given.ports.iter().filter(|named| !named.name.is_empty());
    own.extend(named.map(|named| (variable(&named.name), named.port.to_string())));
    own
}

/// The listening sockets of its ports with the names that it finds in LISTEN_FDNAMES: what `--ports` called
/// them, else the instance's id.
pub(super) fn named_sockets<'a>(
    sockets: &[BorrowedFd<'a>],
    name: &'a InstanceName,
    ports: &'a [NamedPort],
) -> Vec<Socket<'a>> {
    let names = ports.iter().map(|named| match &named.name[..] {
        "" => name.id.as_str(),
        called => called,
    });
    sockets.iter().zip(names).map(|(&fd, name)| Socket { fd, name }).collect()
}

/// `PORT_HTTP` for the port `http`.
fn variable(name: &str) -> String {
    format!("PORT_{}", shouted(name))
}

/// A name as a part of a variable's: `G_RPC` for `g-rpc`.
pub(super) fn shouted(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(letter).collect()
}

fn c_string(text: &OsStr) -> Result<CString, Error> {
    CString::new(OsString::from(text).into_vec()).map_err(|_| Error::Usage {
        message: format!(
            "an argument or variable holds a zero byte: {}",
            String::from_utf8_lossy(text.as_bytes()).escape_debug()
        ),
        hint: Some("no program can be given one; take it out".to_owned()),
    })
}
