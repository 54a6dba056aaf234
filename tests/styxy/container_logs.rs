//! What containers write when nobody waits for them: all of it is in the log when their end is told, and once.

use crate::containers::run;
use crate::engine::engine;
use crate::fake_engine::FakeEngine;
use crate::patience::until_true;
use crate::sandbox::Sandbox;
use std::fs;

fn detached(fake: &FakeEngine, flags: &str) -> String {
    format!("run -d -t web -i pg --ready none {flags} -- {} run -d img", fake.program())
}

/// The lines that the container wrote, of those in the instance's log.
fn kept(sandbox: &Sandbox) -> Vec<String> {
    let log = sandbox.run("logs pg").stdout;
    log.lines().filter(|line| line.starts_with("line ")).map(str::to_owned).collect()
}

#[test]
fn the_lines_of_one_that_ends_at_once_are_asked_for() {
    let sandbox = Sandbox::new();
    let fake = FakeEngine::new(&sandbox, "docker");
    // The second life is one that ends well.
    fake.put(
        "life",
        "n=$(grep -c ' line ' $here/log); write line $n; write line $n too; end $((n == 0))\n",
    );
    sandbox.run(&detached(&fake, "--restart on-failure"));
    sandbox.run("wait pg --for stopped");
    assert_eq!(kept(&sandbox), ["line 0", "line 0 too", "line 2", "line 2 too"]);
    assert_eq!(fake.asked("run").len() + fake.asked("container start").len(), 2);
    let logs = fake.asked("logs");
    assert!(logs.iter().all(|line| !line.contains("--follow")), "it ran no more: {logs:?}");
    assert!(logs[1].contains("--since="), "what its first life wrote is there: {logs:?}");
}

#[test]
fn who_follows_a_log_has_the_time_to_write_it_all_and_is_replaced_when_killed() {
    let sandbox = Sandbox::new();
    let fake = FakeEngine::new(&sandbox, "docker");
    sandbox.run(&detached(&fake, "")).code(0);
    fake.writes("line 1");
    until_true("the first line", || !kept(&sandbox).is_empty());
    fake.put("cut", "");
    until_true("another one who follows", || fake.asked("logs --follow").len() == 2);
    fake.writes("line 2");
    until_true("the second line", || kept(&sandbox).len() == 2);
    // Who follows has not seen this one when the engine says that the container has ended.
    fake.writes("line 3");
    fake.ends(0);
    sandbox.run("wait pg --for stopped");
    assert_eq!(kept(&sandbox), ["line 1", "line 2", "line 3"]);
    let logs = fake.asked("logs");
    assert!(logs.len() == 2, "all was followed, so nothing was asked for: {logs:?}");
}

/// It hears no TERM, so it is killed while it writes; it is started again in between.
#[test]
fn the_log_of_one_that_never_stops_talking_is_what_its_engine_has() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let words = "sh -c 'n=0; while :; do n=$((n + 1)); echo line $n; sleep 0.01; done'";
    for (id, docker) in [("alone", "-d"), ("attached", "")] {
        let flags = "-d --ready none --stop-timeout 300ms";
        let line = run(flags, &format!("{docker} --name styxy-talks"), words);
        sandbox.run(&line.replace("-i pg", &format!("-i {id}"))).code(0);
        let log = || sandbox.run(&format!("logs {id}")).stdout;
        until_true("its first lines", || log().contains("line 20\n"));
        sandbox.run(&format!("restart {id}")).code(0);
        until_true("its first lines again", || log().matches("line 20\n").count() == 2);
        sandbox.run(&format!("stop {id}")).code(0);
        let lines = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.starts_with("line ")).map(str::to_owned).collect()
        };
        assert_eq!(lines(&log()), lines(&engine.docker(&["logs", "styxy-talks"])), "{id}");
        engine.docker(&["rm", "styxy-talks"]);
    }
}

#[test]
fn an_engine_that_says_nothing_of_a_log_holds_up_no_stop_and_no_end() {
    let sandbox = Sandbox::new();
    let fake = FakeEngine::new(&sandbox, "docker");
    fake.put("deaf", "");
    // Longer than the test: only the log's own patience can end this in time.
    let patient = "--stop-timeout 3600s";
    sandbox.run(&detached(&fake, patient)).code(0);
    until_true("who follows its log", || !fake.asked("logs --follow").is_empty());
    sandbox.run("stop pg").code(0);
    assert_eq!(sandbox.instances().len(), 0);
    fake.put("life", "write line 1; end 7\n");
    sandbox.run(&detached(&fake, patient));
    sandbox.run("wait pg --for stopped");
    assert_eq!(sandbox.instances().len(), 0);
    sandbox.nothing_is_left();
}

#[test]
fn a_users_own_file_for_the_id_does_not_forbid_a_restart() {
    let engine = engine();
    let sandbox = engine.sandbox();
    let (shared, file) = (sandbox.folder("shared"), sandbox.project().join("own.cid"));
    let words = "sh -c 'echo start >> /shared/starts; test $(wc -l < /shared/starts) = 3'";
    let starts = || fs::read_to_string(shared.join("starts")).unwrap_or_default().lines().count();
    let docker = format!("--rm --cidfile own.cid -v {}:/shared", shared.display());
    let flags = "--ready none --restart on-failure";
    sandbox.run(&run(flags, &docker, words)).code(0);
    assert_eq!(starts(), 3);
    let id = fs::read_to_string(&file).expect("a user's own file is left, as docker leaves it");
    assert_eq!(id.len(), 64, "{id}");
    // One that was there before is somebody's, and docker says so: with every start.
    let refused = sandbox.run(&run("--ready none", &docker, words));
    refused.code(125).said(&["own.cid"]);
    assert_eq!((starts(), fs::read_to_string(&file).expect("it is there")), (3, id));
}
