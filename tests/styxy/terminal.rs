//! At a terminal, in a real pty under bash: keys, Ctrl-C, Ctrl-Z and `fg`, and what is left of it.

use crate::patience::until_true;
use crate::processes;
use crate::pty::{CTRL_C, CTRL_Z, Terminal};
use crate::sandbox::{Sandbox, recorded_pids, wait_for_line};
use nix::sys::signal::Signal;

/// A child that reads lines, in the terminal.
const LINES: &str = "styxy run -t web -i a --quiet --ready none -- child record=seen lines";

#[test]
fn what_is_typed_reaches_the_child_and_its_exit_code_the_shell() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    terminal.line(LINES);
    terminal.expect("child is up");
    terminal.line("a word");
    terminal.expect("heard <a word>");
    terminal.line("exit 7");
    terminal.prompt();

    assert_eq!(terminal.code(), 7);
    terminal.close();
}

#[test]
fn ctrl_c_reaches_the_child_exactly_once() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    terminal.line(LINES);
    terminal.expect("child is up");
    terminal.keys(CTRL_C);
    terminal.expect("INT number 1");
    terminal.line("ints");
    terminal.expect("INTs so far: 1");
    terminal.keys(CTRL_C);
    terminal.expect("INT number 2");
    terminal.line("ints");
    terminal.expect("INTs so far: 2");
    terminal.line("exit 0");
    terminal.prompt();

    assert_eq!(terminal.code(), 0);
    terminal.close();
}

#[test]
fn ctrl_c_ends_a_server_and_gives_its_port_back() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    terminal.line("styxy run -t web -i a -- child serve");
    terminal.expect("pid ");
    terminal.keys(CTRL_C);
    terminal.prompt();

    assert_eq!(terminal.code(), 130);
    assert!(sandbox.instances().is_empty());
    terminal.close();
}

#[test]
fn ctrl_c_leaves_nothing_of_a_tree_whose_leader_ends() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    // The deaf one outlives Ctrl-C and TERM: only the end of the ladder takes it along.
    terminal.line(
        "styxy run -t web -i a --stop-timeout 1s -- child daemon=record=deaf,deaf,sleep serve",
    );
    terminal.expect("pid ");
    let deaf = recorded_pids(&sandbox.file("deaf"), 1)[0];
    terminal.keys(CTRL_C);
    terminal.prompt();

    assert!(!processes::is_alive(deaf), "the deaf grandchild lives on\n{}", terminal.story());
    terminal.close();
}

#[test]
fn ctrl_z_stops_and_fg_goes_on() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    terminal.line(LINES);
    terminal.expect("child is up");
    let child = recorded_pids(&sandbox.file("seen"), 1)[0];
    for word in ["once", "twice"] {
        terminal.keys(CTRL_Z);
        terminal.expect("Stopped");
        terminal.prompt();
        assert!(processes::is_stopped(child));
        assert!(terminal.is_cooked());
        terminal.line("fg");
        // The shell names the job that it brings back.
        terminal.expect("styxy run");
        terminal.line(word);
        terminal.expect(&format!("heard <{word}>"));
    }
    terminal.line("exit 3");
    terminal.prompt();

    assert_eq!(terminal.code(), 3);
    terminal.close();
}

#[test]
fn a_stopped_job_goes_on_in_the_background_and_can_be_ended_there() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    terminal.line("styxy run -t web -i a -- child record=seen serve");
    terminal.expect("pid ");
    let child = recorded_pids(&sandbox.file("seen"), 1)[0];
    terminal.keys(CTRL_Z);
    terminal.expect("Stopped");
    terminal.prompt();
    terminal.line("bg");
    terminal.prompt();
    until_true("the child to go on", || !processes::is_stopped(child));
    terminal.line("kill %1; wait %1; echo ended=$?=");
    terminal.expect("ended=143=");
    terminal.prompt();

    assert!(!processes::is_alive(child));
    terminal.close();
}

#[test]
fn a_raw_terminal_is_put_back_after_its_child_was_killed() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);
    assert!(terminal.is_cooked());

    terminal.line(
        "styxy run -t web -i a --quiet --ready none -- child record=seen raw say=raw-now sleep",
    );
    terminal.expect("raw-now\n");
    assert!(!terminal.is_cooked());
    processes::signal(recorded_pids(&sandbox.file("seen"), 1)[0], Signal::SIGKILL);
    terminal.prompt();

    assert!(terminal.is_cooked(), "{}", terminal.story());
    assert_eq!(terminal.code(), 137);
    terminal.close();
}

#[test]
fn the_child_sees_the_terminals_size_and_its_changes() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    terminal.line("styxy run -t web -i a --quiet --ready none -- stty size");
    terminal.expect("31 97");
    terminal.prompt();
    terminal.line(LINES);
    terminal.expect("child is up");
    terminal.resize(40, 120);
    wait_for_line(&sandbox.file("seen"), "WINCH");
    terminal.line("exit 0");
    terminal.prompt();

    terminal.close();
}

#[test]
fn a_run_in_a_pipeline_reads_its_pipe_and_leaves_the_terminal_alone() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    terminal.line("echo through | styxy run -t web -i a --quiet --ready none -- cat | tr a-z A-Z");
    terminal.expect("THROUGH");
    terminal.prompt();
    assert!(terminal.is_cooked());

    terminal.close();
}

#[test]
fn a_watched_list_is_drawn_over_itself_and_ends_at_ctrl_c() {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox);

    terminal.line("styxy list --watch");
    terminal.expect("nothing runs");
    let (running, ready) = sandbox.serve("run -t web -i a -- child serve");
    // As wide as the terminal is, the address has no place.
    let row = terminal.expect(&format!("web/a@project  {}", ready.port));
    terminal.expect("ready");
    // Replaced line by line: a screen that is cleared first would flicker.
    assert!(row.contains("\u{1b}[H") && !row.contains("\u{1b}[2J"), "{row:?}");
    running.end(Signal::SIGTERM).code(143);
    terminal.expect("nothing runs");
    terminal.keys(CTRL_C);
    terminal.prompt();

    assert_eq!(terminal.code(), 130);
    assert!(terminal.is_cooked());
    terminal.close();
}

#[test]
fn an_attached_run_detaches_at_ctrl_c_and_leaves_the_server_running() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve("run -t web -i a -- child serve");
    let mut terminal = Terminal::open(&sandbox);

    terminal.line("styxy run -t web -i a -- child serve");
    terminal.expect(&format!(":{}", ready.port));
    terminal.keys(CTRL_C);
    terminal.prompt();

    assert_eq!(terminal.code(), 130);
    assert!(first.is_running());
    terminal.close();
}
