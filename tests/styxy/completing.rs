//! TAB in real shells: commands, flags, and the instances, types and services of the moment.

use crate::pty::Terminal;
use crate::sandbox::Sandbox;
use std::fs;

/// What the definition says could stand at the end of the words.
fn offered(sandbox: &Sandbox, words: &str) -> Vec<String> {
    let ended = sandbox.run(&format!("completions bash -- {words}"));
    ended.code(0).stdout.lines().map(str::to_owned).collect()
}

#[test]
fn names_are_those_of_the_moment() {
    let sandbox = Sandbox::new();
    assert!(offered(&sandbox, "styxy stop web").is_empty());
    sandbox.run("allocate -t web -i alpha").code(0);
    sandbox.run_in(&sandbox.folder("other"), "allocate -t web -i beta").code(0);
    sandbox.run_in(&sandbox.folder("other"), "allocate -t web -i alpha").code(0);
    fs::write(sandbox.file("styxy.toml"), "[services.front]\ncommand = 'true'\n").unwrap();

    assert_eq!(
        offered(&sandbox, "styxy stop web/"),
        ["web/alpha", "web/alpha@other", "web/beta"],
        "the shortest name that means it from here"
    );
    assert_eq!(offered(&sandbox, "styxy run --type so"), ["solo"]);
    assert_eq!(offered(&sandbox, "styxy run --type=so"), ["--type=solo"]);
    assert_eq!(offered(&sandbox, "styxy up fr"), ["front"]);
    assert_eq!(offered(&sandbox, "styxy run fr"), ["front"]);
    // What stands behind the two dashes is the command's.
    assert!(offered(&sandbox, "styxy run -t web -- fr").is_empty());
}

#[test]
fn nobody_waits_and_nobody_complains() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate -t web -i alpha").code(0);
    let lock = fs::File::open(sandbox.state().join("state.lock")).unwrap();
    lock.lock().expect("nobody has it");
    assert_eq!(offered(&sandbox, "styxy stop we"), ["web/alpha"]);
    drop(lock);

    sandbox.write_config("this is no TOML");
    let ended = sandbox.run("completions zsh -- styxy stop ''");
    assert!(ended.code(0).stderr.is_empty(), "{}", ended.story());
    assert!(!ended.stdout.contains("web"), "{}", ended.story());
}

/// A person in that shell types the beginning of a command, TAB, and the rest.
fn completed_in(shell: &str, script: &str) {
    let sandbox = Sandbox::new();
    sandbox.run("allocate -t solo -i alpha").code(0);
    let mut terminal = Terminal::open(&sandbox);
    terminal.line(&format!("exec {shell}"));
    terminal.prompt();
    terminal.line(script);
    terminal.prompt();

    // `solo/al`, and what TAB made of it: only if it is whole does the command succeed.
    terminal.keys("styxy release solo/a\t");
    terminal.expect("lpha");
    terminal.keys("\n");
    terminal.expect("solo/alpha");
    terminal.prompt();
    assert!(sandbox.instances().is_empty());
    // Behind a flag, as a word of its own and behind an equals sign, where readline cuts words.
    for flag in ["--type ", "--type="] {
        terminal.keys(&format!("styxy allocate --id made {flag}so\t"));
        terminal.expect("lo");
        terminal.keys("\n");
        terminal.expect(&sandbox.port(201).to_string());
        terminal.prompt();
        assert!(sandbox.instance("solo", "made").is_some());
        sandbox.run("release solo/made").code(0);
    }
    // Behind the two dashes stand other commands.
    terminal.keys("styxy run -t web -- setsi\t");
    terminal.expect("d");
    terminal.keys(" true\n");
    terminal.prompt();
    terminal.close();
}

#[test]
fn bash_completes() {
    completed_in("bash --noprofile --norc -i", "source <(styxy completions bash)");
}

#[test]
fn zsh_completes() {
    let load = "autoload -U compinit; compinit -u -D; source <(styxy completions zsh)";
    completed_in("zsh -f -i", load);
}

#[test]
fn fish_completes() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate -t solo -i alpha").code(0);
    let complete = |line: &str| {
        let script = format!("styxy completions fish | source; complete -C '{line}'");
        let mut fish = sandbox.command("fish");
        fish.args(["--no-config", "-c", &script]);
        sandbox.start_command(line, fish).wait().code(0).stdout.clone()
    };
    let port = sandbox.port(200);
    assert_eq!(complete("styxy stop "), format!("solo/alpha\tport {port}\n"));
    assert!(complete("styxy run --type so").starts_with("solo"));
    assert!(complete("styxy run --type=so").starts_with("--type=solo"));
    assert!(complete("styxy run -t web -- setsi").starts_with("setsid"));
    assert!(complete("styxy run --if-run").starts_with("--if-running\t"));
}
