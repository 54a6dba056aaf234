//! `config set`, `unset`, `edit`, `validate`, `init`: what is written into which file, and what is not.

use crate::pty::Terminal;
use crate::sandbox::Sandbox;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

const MINE: &str = "\
# Mine.
[autoAllocation]
  gapSize = 3   # small

# Not yet.
# enabled = false

[service_types.web]
range = [14000, 14199] # all of it
";

fn with(text: &str) -> Sandbox {
    Sandbox::with_config(|_| text.to_owned())
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("the sandbox is readable")
}

/// An editor: a script in the sandbox, with its line for `EDITOR`.
fn editor(sandbox: &Sandbox, script: &str) -> String {
    let path = sandbox.root().join("an editor");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("the sandbox is readable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the sandbox is readable");
    format!("'{}' --wait", path.display())
}

/// The lines of the audit log that tell of configuration.
fn settings(sandbox: &Sandbox) -> Vec<Value> {
    let log = fs::read_to_string(sandbox.state().join("audit.jsonl")).unwrap_or_default();
    let lines =
        log.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    lines.filter(|line| line["action"] == "config.set").collect()
}

/// Nothing is left beside the file, nor of an edit in the state directory.
fn nothing_beside(sandbox: &Sandbox) {
    let beside = fs::read_dir(sandbox.config_file().parent().expect("the sandbox is readable"))
        .expect("the sandbox is readable")
        .count();
    let state = fs::read_dir(sandbox.state()).expect("the sandbox is readable");
    let scratch = state.filter(|entry| {
        entry
            .as_ref()
            .expect("the sandbox is readable")
            .file_name()
            .to_string_lossy()
            .starts_with("config-edit")
    });
    assert_eq!((beside, scratch.count()), (1, 0));
}

#[test]
fn a_value_is_set_and_all_else_stays_as_it_was() {
    let sandbox = with(MINE);
    let file = sandbox.config_file();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let shown = file.display();

    sandbox
        .run("config set auto-allocation.gap-size 7")
        .code(0)
        .said(&[&format!("auto_allocation.gap_size = 7 (was 3) in {shown}")]);
    assert_eq!(text(&file), MINE.replace("= 3 ", "= 7 "));
    sandbox.run("config set autoAllocation.minPort 20000").code(0);
    let more = MINE.replace("= 3   # small\n", "= 7   # small\n  min_port = 20000\n");
    assert_eq!(text(&file), more);
    sandbox.run("config get auto_allocation.min_port").code(0).printed("20000\n");
    sandbox.run("config unset auto_allocation.min_port").code(0).said(&["(was 20000)"]);
    assert_eq!(text(&file), MINE.replace("= 3 ", "= 7 "));
    sandbox.run("config unset auto_allocation.min_port").code(0).said(&["nothing is different"]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    nothing_beside(&sandbox);
}

#[test]
fn what_would_be_invalid_is_refused_before_anything_is_written() {
    let sandbox = with(MINE);
    let file = sandbox.config_file();
    let before = fs::metadata(&file).unwrap();
    for (words, reason) in [
        ("auto_allocation.gap_size many", "not `many`"),
        ("auto_allocation.gap_size -1", "not `-1`"),
        ("auto_allocation.min_port 65001", "65001 is above max_port 65000"),
        ("auto_allocation.placement by-team", "no placement is called `by-team`"),
        ("auto_allocation.gap_siz 1", "did you mean 'gap_size'?"),
        ("service_types.other.range 14100-14110", "overlaps range 14000-14199 of 'web'"),
        ("service_types.'a b'.range 1-2", "`a b`"),
        ("services.web.type dev", "names no command"),
        ("auto_allocation true", "is set key by key"),
        ("'' 1", "unknown key ''"),
    ] {
        let ended = sandbox.run(&format!("config set {words}"));
        ended.code(78).said(&[reason]);
    }
    sandbox.run("config set --json auto_allocation.gap_size").code(2);
    let after = fs::metadata(&file).unwrap();
    assert_eq!((before.ino(), before.mtime()), (after.ino(), after.mtime()));
    assert_eq!(text(&file), MINE);
    assert!(settings(&sandbox).is_empty());
}

#[test]
fn all_layers_have_to_make_sense_together_and_a_file_alone_too() {
    let sandbox = with("");
    fs::write(sandbox.file("styxy.toml"), "auto_allocation.min_port = 20000\n").unwrap();

    sandbox
        .run("config set auto_allocation.max_port 19000")
        .code(78)
        .said(&["styxy.toml:1: auto_allocation.min_port: 20000 is above max_port 19000"]);
    // Here the project hides what would be wrong everywhere else.
    fs::write(sandbox.file("styxy.toml"), "auto_allocation.max_port = 65535\n").unwrap();
    sandbox.run("config set auto_allocation.min_port 65100").code(78).said(&["above max_port"]);
    assert_eq!(text(&sandbox.config_file()), "");
    sandbox
        .run("config set auto_allocation.max_port 64000")
        .code(0)
        .said(&["styxy.toml:1 says otherwise of auto_allocation.max_port, and wins"]);
}

#[test]
fn a_flag_chooses_the_file() {
    let sandbox = with("");
    let project = sandbox.file("styxy.toml");
    let folder = sandbox.folder("project/below/it");

    fs::create_dir(sandbox.file(".git")).unwrap();
    let mut command = sandbox.styxy("config set logs.keep 3 --project");
    command.current_dir(&folder);
    sandbox.start_command("set --project", command).wait().code(0);
    assert_eq!(text(&project), "[logs]\nkeep = 3\n");
    sandbox.run("config set audit.keep 4 --file sub/other.toml").code(0);
    assert_eq!(text(&sandbox.file("sub/other.toml")), "[audit]\nkeep = 4\n");
    // By its name it is the project's all the same.
    sandbox.run("config set logs.keep 5 --file styxy.toml").code(0);
    assert_eq!(text(&project), "[logs]\nkeep = 5\n");
    sandbox.run("config set logs.keep 6 --project --file x").code(2);
    assert_eq!(text(&sandbox.config_file()), "");
    sandbox.run("config set logs.keep 7").code(0);
    assert_eq!(text(&sandbox.config_file()), "[logs]\nkeep = 7\n");
    sandbox.run("config get logs.keep").printed("5\n");
    sandbox.run("config set logs.keep 6 --file /dev/null").failed();
}

#[test]
fn a_rule_for_a_pattern_is_one_command() {
    let sandbox = with("");
    let rule = "config set auto-allocation-rule 'monitoring-*' --chunk-size 20";

    sandbox.run(&format!("{rule} --preferred-range 9000 --placement smart")).code(0);
    let expected = "\
[auto_allocation_rules.\"monitoring-*\"]
chunk_size = 20
preferred_range_start = 9000
placement = \"smart\"
";
    assert_eq!(text(&sandbox.config_file()), expected);
    sandbox.run("config set autoAllocationRules db.v1-* --chunk_size 5").code(0);
    sandbox.run("config get auto_allocation_rules.'\"db.v1-*\"'.chunk_size").printed("5\n");
    sandbox.run("config unset 'auto_allocation_rules.\"db.v1-*\"'").code(0);
    assert_eq!(text(&sandbox.config_file()), expected);
    sandbox.run(&format!("{rule} --placement nowhere")).code(78);
    sandbox.run("config set auto-allocation-rule 'a[' --chunk-size 5").code(78).said(&["pattern"]);
    sandbox.run("config set auto-allocation-rule x-*").code(2).said(&["--chunk-size"]);
    sandbox.run("config set logs.keep 1 --chunk-size 5").code(2).said(&["no rule"]);
    assert_eq!(text(&sandbox.config_file()), expected);
}

#[test]
fn a_link_of_ones_own_stays_a_link() {
    let sandbox = with("");
    let (file, real) = (sandbox.config_file(), sandbox.folder("dotfiles").join("styxy"));
    fs::remove_file(&file).unwrap();
    symlink(&real, &file).unwrap();

    sandbox.run("config set logs.keep 3").code(0);
    sandbox.run("config set logs.keep 4").code(0);
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_eq!(text(&real), "[logs]\nkeep = 4\n");
    assert_eq!(fs::read_dir(real.parent().unwrap()).unwrap().count(), 1);
    fs::remove_file(&file).unwrap();
    symlink(&file, &file).unwrap();
    sandbox.run("config set logs.keep 5").code(78);
}

#[test]
fn of_many_at_once_none_is_lost() {
    let sandbox = with(MINE);
    let running: Vec<_> = (0..12)
        .map(|n| sandbox.start(&format!("config set service_types.t{n}.description 'is {n}'")))
        .collect();
    for one in &running {
        one.wait().code(0);
    }
    for n in 0..12 {
        let key = format!("config get service_types.t{n}.description");
        sandbox.run(&key).printed(&format!("is {n}\n"));
    }
    assert!(text(&sandbox.config_file()).starts_with(MINE));
    nothing_beside(&sandbox);
}

#[test]
fn each_change_is_a_numbered_line_of_the_audit_log() {
    let sandbox = with("[logs]\nkeep = 1\n");
    sandbox.run("config set logs.keep 2").code(0);
    sandbox.run("config set logs.keep 2").code(0);
    sandbox.run("config unset logs.keep").code(0);

    let lines = settings(&sandbox);
    let numbers: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2]);
    let side = |value: u64| serde_json::json!({ "file": sandbox.config_file(), "key": "logs.keep", "value": value });
    assert_eq!((&lines[0]["before"], &lines[0]["after"]), (&side(1), &side(2)));
    assert_eq!((&lines[1]["before"], &lines[1]["after"]), (&side(2), &Value::Null));
    assert!(lines[0]["command"].as_str().unwrap().ends_with("config set logs.keep 2"));
    assert_eq!(lines[0]["type"], Value::Null);
}

#[test]
fn an_edit_is_saved_when_it_makes_sense() {
    let sandbox = with(MINE);
    let file = sandbox.config_file();
    let edit = |script: &str| {
        let line = editor(&sandbox, script);
        let mut command = sandbox.styxy("config edit");
        command.env("EDITOR", line);
        sandbox.start_command("config edit", command).wait()
    };

    edit("[ \"$1\" = --wait ] && sed -i 's/gapSize = 3/gap_size = 4/' \"$2\"").code(0);
    assert_eq!(text(&file), MINE.replace("gapSize = 3", "gap_size = 4"));
    assert_eq!(settings(&sandbox)[0]["after"]["value"], 4);
    edit("echo 'nonsense = 1' >>\"$2\"").code(78).said(&["unknown key 'nonsense'"]);
    edit("echo 'no TOML' >>\"$2\"").code(78);
    edit("exit 3").failed().said(&["exit status: 3", "nothing was changed"]);
    edit("rm \"$2\"").failed();
    edit(":").code(0).said(&["nothing is different"]);
    assert_eq!(text(&file), MINE.replace("gapSize = 3", "gap_size = 4"));
    nothing_beside(&sandbox);
    // What is broken can be mended.
    fs::write(&file, "[logs\nkeep = 9\n").unwrap();
    sandbox.run("config set logs.keep 8").code(78).said(&["config.toml:1"]);
    edit("sed -i 's/^.logs$/[logs]/' \"$2\"").code(0);
    assert_eq!(text(&file), "[logs]\nkeep = 9\n");
}

#[test]
fn an_edit_does_not_undo_what_somebody_else_did_meanwhile() {
    let sandbox = with(MINE);
    let line =
        editor(&sandbox, "styxy config set logs.keep 3 && echo '[audit]\nkeep = 2' >>\"$2\"");
    let mut command = sandbox.styxy("config edit");
    command.env("VISUAL", line).env("EDITOR", "false");
    let ended = sandbox.start_command("config edit", command).wait();

    ended.code(2).said(&["was changed by somebody else", "your text is kept in"]);
    assert_eq!(text(&sandbox.config_file()), format!("{MINE}\n[logs]\nkeep = 3\n"));
}

#[test]
fn at_a_terminal_a_person_may_go_on_editing() {
    let sandbox = with(MINE);
    // First nonsense, then sense.
    let line = editor(
        &sandbox,
        "if grep -q nonsense \"$2\"; then sed -i /nonsense/d \"$2\"; echo '[audit]' >>\"$2\"; \
         else echo 'nonsense = 1' >>\"$2\"; fi",
    );
    let mut terminal = Terminal::open(&sandbox);
    terminal.line(&format!("export EDITOR=\"{line}\""));
    terminal.prompt();
    terminal.line("styxy config edit");
    terminal.expect("unknown key 'nonsense'");
    terminal.expect("[Y/n]");
    terminal.line("y");
    terminal.prompt();
    assert_eq!(terminal.code(), 0);
    assert_eq!(text(&sandbox.config_file()), format!("{MINE}[audit]\n"));
    terminal.line("styxy config edit");
    terminal.expect("[Y/n]");
    terminal.line("n");
    terminal.prompt();
    assert_eq!(terminal.code(), 78);
    terminal.close();
    nothing_beside(&sandbox);
}

#[test]
fn init_writes_a_first_file_and_validate_reads_it() {
    let sandbox = with("");
    let file = sandbox.config_file();
    sandbox.run("config init").code(2).said(&["is there already"]);
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
    sandbox.run("config validate").code(0).said(&["none is needed"]);

    sandbox.run("config init").code(0).said(&[&file.display().to_string()]);
    sandbox.run("config init --project").code(0);
    let shown = sandbox.json("config validate");
    assert_eq!(shown["files"], serde_json::json!([file, sandbox.file("styxy.toml")]));
    sandbox.run("config show --origin").code(0);
    let lines = text(&file);
    assert!(lines.lines().all(|line| line.is_empty() || line.starts_with('#')));
    sandbox.run("config set logs.keep 2").code(0);
    assert_eq!(text(&file), format!("{lines}\n[logs]\nkeep = 2\n"));

    fs::write(&file, "[logs]\nkeeep = 2\n").unwrap();
    sandbox.run("config validate").code(78).said(&["config.toml:2", "did you mean 'keep'?"]);
    fs::write(sandbox.file("good.toml"), "[logs]\nkeep = 2\n").unwrap();
    sandbox.run("config validate --file good.toml").code(0).said(&["good.toml is good"]);
    sandbox.run("config validate --file nowhere.toml").code(2).said(&["is not there"]);
}
