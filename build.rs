//! Makes constant tables of `profiles/*.toml`, so that nothing of them is parsed when styxy starts, has the
//! page compressed (`build/page.rs`), lets the program start where it was linked, and tells it from which
//! commit it is built.
//!
//! The structs below are the schema of a profile: to add a tool, add a `[[tools]]` entry to the file of
//! its type. A mistake there ends the build with the name of the file and what is wrong in it. What
//! the tables look like in Rust is told in `src/config/profile.rs`.

#![expect(clippy::print_stderr, reason = "cargo shows a failed build script's stderr")]

#[cfg(feature = "serve")]
#[path = "build/page.rs"]
mod page;

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

const FOLDER: &str = "profiles";

/// One file: a built-in service type. The file is called like the type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    name: String,
    /// Its ports, first and last.
    range: (u16, u16),
    /// `single` or `multi`, the default.
    #[serde(default)]
    instance_behavior: Behavior,
    /// What a `single` instance is single in: `type`, the default, or `id`.
    #[serde(default)]
    single_scope: SingleScope,
    /// One line for people.
    description: String,
    /// Types of one category are put near each other; rules name it as in `monitoring-*`.
    category: String,
    /// Ports of the range that are tried first.
    #[serde(default)]
    preferred_ports: Vec<u16>,
    /// Variables for every instance of the type; `{port}` is replaced.
    #[serde(default)]
    env: BTreeMap<String, String>,
    readiness: Option<Readiness>,
    stop_signal: Option<Signal>,
    stop_timeout: Option<String>,
    #[serde(default)]
    tools: Vec<ToolEntry>,
}

/// One server program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolEntry {
    /// What people call it; the id of an instance of a `single` type.
    name: String,
    /// How its command lines begin: the program, and subcommands if it needs one. Default: the name.
    #[serde(default)]
    commands: Vec<String>,
    /// Subcommands that start no server.
    #[serde(default)]
    except: Vec<String>,
    /// How it gets its port.
    port: PortEntry,
    /// Other flags by which a user may have given the port: then nothing is added.
    #[serde(default)]
    aliases: Vec<String>,
    /// Where arguments are added: `last`, the default (before a `--`), or `first`.
    #[serde(default)]
    place: Place,
    /// Flags whose value is the next word, where that word could pass for a subcommand or a port.
    #[serde(default)]
    value_flags: Vec<String>,
    /// The port it has when nobody says anything.
    conventional_port: Option<u16>,
    /// It is certain that it can't bind over a reservation.
    #[serde(default)]
    no_reserve: bool,
    /// Variables for the tool; `{port}` is replaced.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Only where the path is certain; without it, a listener on the port is enough.
    readiness: Option<Readiness>,
    /// Only where TERM is wrong.
    stop_signal: Option<Signal>,
    stop_timeout: Option<String>,
    /// A command line as people type it, for the tests …
    example: String,
    /// … and what becomes of it. Default: the same.
    injected: Option<String>,
}

/// How a tool gets its port.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected `env`, `file`, or a list of arguments with {port}")]
enum PortEntry {
    /// `env`: from `PORT`, or from what stands under `env`. `file`: from a file of its own.
    Way(Way),
    /// From these arguments, in which `{port}` is replaced.
    Arguments(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    Env,
    File,
}

#[derive(Deserialize, Default, Debug)]
#[serde(rename_all = "lowercase")]
enum Behavior {
    Single,
    #[default]
    Multi,
}

#[derive(Deserialize, Default, Debug)]
#[serde(rename_all = "lowercase")]
enum SingleScope {
    #[default]
    Type,
    Id,
}

#[derive(Deserialize, Default, Debug)]
#[serde(rename_all = "lowercase")]
enum Place {
    First,
    #[default]
    Last,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum Signal {
    Hup = 1,
    Int = 2,
    Quit = 3,
    Usr1 = 10,
    Usr2 = 12,
    Term = 15,
}

/// When an instance is ready; what is left out is as for every command.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Readiness {
    /// A path that answers 200 to 399.
    http: Option<String>,
    /// `500ms`, `30s`, `10m`.
    timeout: Option<String>,
    probe_timeout: Option<String>,
}

/// What is wrong with a profile, in words.
type Fault = String;

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed={FOLDER}");
    println!("cargo:rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        link_at_fixed_address();
        if env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|library| library == "gnu")
            && env::var_os("TARGET") == env::var_os("HOST")
            && env::var("PROFILE").is_ok_and(|profile| profile == "release")
        {
            link_c_library_into_it(&folder).expect("OUT_DIR can be written");
        }
    }
    println!("cargo:rustc-env=STYXY_BUILD={}", build());
    #[cfg(feature = "serve")]
    let page = page::compress(&folder);
    #[cfg(not(feature = "serve"))]
    let page = Ok(());
    match page.and_then(|()| checked_tables()) {
        Ok(tables) => {
            fs::write(folder.join("profiles.rs"), tables).expect("OUT_DIR can be written");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

/// A program that may lie anywhere has 8,600 pointers to put right in each process, before it does
/// anything: a tenth of a short run, and 150 kB that no two supervisors share. Stack, heap and libraries
/// still lie where chance puts them.
fn link_at_fixed_address() {
    println!("cargo:rustc-link-arg-bins=-no-pie");
}

/// Finding, mapping and binding three libraries is a fifth of a short run, and their tables are memory that
/// each supervisor has for itself. So the C library goes into the program, where the system has it as an
/// archive; where not, or where another machine's program is built, it stays outside. In a program that is
/// built to be tested too: a test puts a wrong clock before it.
///
/// Cargo has no word for that which spares the programs of the build itself. The linker has: of the
/// directories that it searches for `-lc`, this one comes first, and holds archives alone.
fn link_c_library_into_it(folder: &Path) -> std::io::Result<()> {
    let archives = folder.join("archives");
    fs::create_dir_all(&archives)?;
    let libraries = ["c", "dl", "m", "pthread", "rt", "util"].map(|name| (name, name));
    for (name, stands_for) in libraries.into_iter().chain([("gcc_s", "gcc_eh")]) {
        let Some(archive) = archive_of(stands_for) else { return Ok(()) };
        fs::write(
            archives.join(format!("lib{name}.a")),
            format!("INPUT({})\n", archive.display()),
        )?;
    }
    println!("cargo:rustc-link-arg-bins=-static");
    println!("cargo:rustc-link-arg-bins=-L{}", archives.display());
    Ok(())
}

/// Where the compiler finds a library as an archive; it repeats the mere name of what it doesn't find.
fn archive_of(library: &str) -> Option<PathBuf> {
    let question = format!("-print-file-name=lib{library}.a");
    let answer = Command::new("cc").arg(question).output().ok()?;
    let path = PathBuf::from(String::from_utf8(answer.stdout).ok()?.trim());
    path.is_absolute().then_some(path)
}

/// For `styxy --version`: the target, and the commit where it is known.
fn build() -> String {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    // Else every commit would build all of it anew.
    if env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return format!("{target}, unoptimized");
    }
    match packaged_commit().or_else(checked_out_commit) {
        Some(commit) => format!("{target}, commit {commit}"),
        None => target,
    }
}

/// The commit that `cargo package` wrote down.
fn packaged_commit() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\": \"")?;
    rest.get(..12).map(str::to_owned)
}

/// The commit of this directory's own repository, and whether the sources are still as they are there.
fn checked_out_commit() -> Option<String> {
    let git = |words: &[&str]| {
        let output = Command::new("git").args(words).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim_end().to_owned();
        output.status.success().then_some(text)
    };
    let here = env::current_dir().ok()?.canonicalize().ok()?;
    // Unpacked somewhere in another project's repository, these sources are not that project's.
    if Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()? != here {
        return None;
    }
    for path in ["src".to_owned(), git(&["rev-parse", "--git-path", "logs/HEAD"])?] {
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if changed { format!("{commit} and changes") } else { commit })
}

fn checked_tables() -> Result<String, Fault> {
    let profiles = read()?;
    check(&profiles)?;
    tables(&profiles)
}

/// Every profile, lowest range first.
fn read() -> Result<Vec<ProfileFile>, Fault> {
    let mut profiles = Vec::new();
    for entry in fs::read_dir(FOLDER).map_err(|error| format!("{FOLDER}: {error}"))? {
        let path = entry.map_err(|error| format!("{FOLDER}: {error}"))?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let shown = path.display();
        let text = fs::read_to_string(&path).map_err(|error| format!("{shown}: {error}"))?;
        let profile: ProfileFile =
            toml::from_str(&text).map_err(|error| format!("{shown}: {error}"))?;
        if path.file_stem().is_none_or(|stem| *stem != *profile.name) {
            return Err(format!("{shown}: its name is `{}`, unlike the file's", profile.name));
        }
        profiles.push(profile);
    }
    profiles.sort_by_key(|profile| profile.range);
    Ok(profiles)
}

/// What holds for all profiles together, and in each of them.
fn check(profiles: &[ProfileFile]) -> Result<(), Fault> {
    let (mut tools, mut commands) = (BTreeSet::new(), BTreeSet::new());
    for pair in profiles.windows(2) {
        let (low, high) = (&pair[0], &pair[1]);
        if low.range.1 >= high.range.0 {
            return Err(format!("{FOLDER}: the ranges of {} and {} overlap", low.name, high.name));
        }
    }
    for profile in profiles {
        let fault = |what: &str| Err(format!("{FOLDER}/{}.toml: {what}", profile.name));
        let (first, last) = profile.range;
        if !is_name(&profile.name) || !is_name(&profile.category) {
            return fault("name and category are letters, digits, dots, dashes and underscores");
        }
        if first == 0 || first > last {
            return fault("its range is inverted, or holds port 0");
        }
        if profile.preferred_ports.iter().any(|port| !(first..=last).contains(port)) {
            return fault("a preferred port lies outside its range");
        }
        if profile.description.is_empty() || profile.description.ends_with('.') {
            return fault("the description is a few words without a full stop");
        }
        for tool in &profile.tools {
            check_tool(tool).or_else(|what| fault(&format!("tool `{}`: {what}", tool.name)))?;
            if !tools.insert(&tool.name) {
                return fault(&format!("a second tool is called `{}`", tool.name));
            }
            for command in tool.commands() {
                if !commands.insert(command.clone()) {
                    return fault(&format!("a second tool is known by `{command}`"));
                }
            }
        }
    }
    Ok(())
}

/// What holds in one tool.
fn check_tool(tool: &ToolEntry) -> Result<(), &'static str> {
    let flags = || tool.aliases.iter().chain(&tool.value_flags);
    if !is_name(&tool.name) {
        return Err("its name has letters, digits, dots, dashes and underscores");
    }
    if tool.conventional_port == Some(0) {
        return Err("0 is not a port");
    }
    if tool.value_flags.iter().any(|flag| !flag.starts_with('-')) || flags().any(String::is_empty) {
        return Err("a flag begins with a dash");
    }
    match &tool.port {
        PortEntry::Way(_) if tool.injected.is_some() => {
            Err("nothing is injected without arguments")
        }
        PortEntry::Way(_) if !tool.aliases.is_empty() => Err("aliases of which argument?"),
        PortEntry::Way(_) => Ok(()),
        PortEntry::Arguments(words) if !words.iter().any(|word| word.contains("{port}")) => {
            Err("none of the arguments under `port` has {port} in it")
        }
        PortEntry::Arguments(_) if tool.injected.is_none() => {
            Err("it gets arguments: `injected` shows what becomes of its example")
        }
        PortEntry::Arguments(_) => Ok(()),
    }
}

/// The rule of `src/config/name.rs`.
fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

impl ToolEntry {
    fn commands(&self) -> Vec<String> {
        if self.commands.is_empty() { vec![self.name.clone()] } else { self.commands.clone() }
    }

    /// The flags by which a user may have given the port; none for a port that is given by position.
    fn given(&self, words: &[String]) -> Vec<String> {
        let named = words.iter().filter(|word| word.starts_with('-'));
        let own = named.map(|word| word.split('=').next().unwrap_or(word).to_owned());
        own.chain(self.aliases.iter().cloned()).collect()
    }
}

/// The Rust text that `src/config/profile.rs` includes.
fn tables(profiles: &[ProfileFile]) -> Result<String, Fault> {
    let mut text = String::from("static PROFILES: &[Profile] = &[\n");
    let mut examples = String::from("#[cfg(test)]\npub(crate) static EXAMPLES: &[Example] = &[\n");
    for profile in profiles {
        let fault = |what| format!("{FOLDER}/{}.toml: {what}", profile.name);
        let settings =
            settings(&profile.env, &profile.readiness, profile.stop_signal, &profile.stop_timeout);
        let (first, last) = profile.range;
        text += &format!(
            "Profile {{ name: {:?}, range: Range::known({first}, {last}), \
             behavior: Behavior::{:?}, single_scope: SingleScope::{:?}, description: {:?}, \
             category: {:?}, preferred_ports: &{:?}, settings: {}, tools: &[\n",
            profile.name,
            profile.instance_behavior,
            profile.single_scope,
            profile.description,
            profile.category,
            profile.preferred_ports,
            settings.map_err(fault)?,
        );
        for tool in &profile.tools {
            text += &tool_table(tool, &profile.name).map_err(fault)?;
            examples += &format!(
                "Example {{ tool: {:?}, command: {:?}, injected: {:?} }},\n",
                tool.name,
                tool.example,
                tool.injected.as_ref().unwrap_or(&tool.example),
            );
        }
        text += "] },\n";
    }
    Ok(format!("{text}];\n{examples}];\n"))
}

fn tool_table(tool: &ToolEntry, service_type: &str) -> Result<String, Fault> {
    let commands: Vec<String> = tool
        .commands()
        .iter()
        .map(|command| format!("&{:?}", command.split_whitespace().collect::<Vec<_>>()))
        .collect();
    let place = format!("place: Place::{:?}", tool.place);
    let port = match &tool.port {
        PortEntry::Way(Way::Env) => "PortFrom::Environment".to_owned(),
        PortEntry::Way(Way::File) => "PortFrom::OwnFile".to_owned(),
        PortEntry::Arguments(words) => match tool.given(words) {
            given if given.is_empty() => {
                format!("PortFrom::Position {{ words: &{words:?}, {place} }}")
            }
            given => format!("PortFrom::Flag {{ words: &{words:?}, given: &{given:?}, {place} }}"),
        },
    };
    let conventional = match tool.conventional_port {
        Some(port) => format!("Some(Port::known({port}))"),
        None => "None".to_owned(),
    };
    Ok(format!(
        "    Tool {{ name: {:?}, service_type: {service_type:?}, commands: &[{}], except: &{:?}, \
         port: {port}, value_flags: &{:?}, conventional_port: {conventional}, no_reserve: {}, \
         settings: {} }},\n",
        tool.name,
        commands.join(", "),
        tool.except,
        tool.value_flags,
        tool.no_reserve,
        settings(&tool.env, &tool.readiness, tool.stop_signal, &tool.stop_timeout)
            .map_err(|what| format!("tool `{}`: {what}", tool.name))?,
    ))
}

fn settings(
    env: &BTreeMap<String, String>,
    readiness: &Option<Readiness>,
    stop_signal: Option<Signal>,
    stop_timeout: &Option<String>,
) -> Result<String, Fault> {
    let env: Vec<(&String, &String)> = env.iter().collect();
    let path = readiness.as_ref().and_then(|readiness| readiness.http.as_ref());
    if path.is_some_and(|path| !path.starts_with('/')) {
        return Err("a readiness path begins with a slash".to_owned());
    }
    let timeout = |of: fn(&Readiness) -> &Option<String>| match readiness {
        Some(readiness) => duration(of(readiness)),
        None => duration(&None),
    };
    Ok(format!(
        "BuiltInSettings {{ env: &{env:?}, ready_path: {path:?}, ready_timeout: {}, \
         probe_timeout: {}, stop_signal: {}, stop_timeout: {} }}",
        timeout(|readiness| &readiness.timeout)?,
        timeout(|readiness| &readiness.probe_timeout)?,
        match stop_signal {
            Some(signal) => format!("Some(StopSignal({}))", signal as i32),
            None => "None".to_owned(),
        },
        duration(stop_timeout)?,
    ))
}

/// `500ms`, `30s` or `10m` as Rust text.
fn duration(text: &Option<String>) -> Result<String, Fault> {
    let Some(text) = text else {
        return Ok("None".to_owned());
    };
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text[..text.len() - unit.len()].parse::<u32>();
    let length = match (number, unit) {
        (Ok(number), "ms") => Duration::from_millis(number.into()),
        (Ok(number), "s") => Duration::from_secs(number.into()),
        (Ok(number), "m") => Duration::from_secs(60 * u64::from(number)),
        (Ok(_) | Err(_), _) => return Err(format!("`{text}` is not a duration like 30s or 10m")),
    };
    Ok(format!("Some(Duration::from_millis({}))", length.as_millis()))
}
