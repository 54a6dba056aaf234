//! What else a second run may do: reuse, fail, replace, wait, be another, or be refused.

use crate::processes;
use crate::sandbox::{Sandbox, ask, recorded_pids, server_pid, wait_for_line};
use nix::sys::signal::Signal;
use std::fs;

const RAG: &str = "run -t solo -i rag";

#[test]
fn reuse_prints_the_running_one_and_ends() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve(&format!("{RAG} -- child serve"));

    let answer = sandbox.run(&format!("{RAG} --if-running reuse --json -- child serve"));

    let answer = answer.code(0).json();
    assert_eq!(answer["port"], ready.port);
    assert_eq!(answer["pid"], ready.pid);
    assert_eq!(answer["existing"], true);
    let text = sandbox.run(&format!("{RAG} --if-running reuse -- child serve"));
    text.code(0);
    assert!(text.stdout.contains(&ready.port.to_string()), "{}", text.story());
    first.end(Signal::SIGTERM).code(143);
}

#[test]
fn fail_is_75_and_names_the_holder() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve(&format!("{RAG} -- child serve"));

    let refused = sandbox.run(&format!("{RAG} --if-running fail -- touch started"));

    refused.code(75).said(&["solo/rag", &ready.port.to_string(), &ready.pid.to_string()]);
    assert!(!sandbox.file("started").exists());
    first.end(Signal::SIGTERM).code(143);
}

#[test]
fn fail_starts_when_nothing_runs() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("{RAG} --if-running fail -- sh -c 'exit 4'")).code(4);
}

#[test]
fn replace_stops_the_running_one_and_takes_its_port() {
    let sandbox = Sandbox::new();
    let (first, old) = sandbox.serve(&format!("{RAG} -- child serve"));

    let (second, new) = sandbox.serve(&format!("{RAG} --if-running replace -- child serve"));

    first.wait().code(143);
    assert_eq!(new.port, old.port);
    assert_ne!(new.pid, old.pid);
    assert!(!processes::is_alive(old.pid));
    assert_eq!(server_pid(new.port), new.pid);
    second.end(Signal::SIGTERM).code(143);
}

#[test]
fn nobody_gets_between_the_stop_and_the_start_of_a_replacement() {
    let sandbox = Sandbox::new();
    let stays = format!("{RAG} --stop-timeout 60s -- child record=first stay=go serve");
    let (first, old) = sandbox.serve(&stays);
    let replace = format!("{RAG} --if-running replace -- child serve");
    let second = sandbox.start(&replace);
    wait_for_line(&sandbox.file("first"), "TERM");

    sandbox.run(&replace).code(75);
    sandbox.run(&format!("{RAG} --if-running fail -- touch started")).code(75);
    let standby = sandbox.start(&format!("{RAG} --if-running wait -- touch started"));
    fs::write(sandbox.file("go"), "").unwrap();

    first.wait().code(143);
    let new = second.ready();
    assert_eq!(new.port, old.port);
    assert!(standby.is_running());
    assert!(!sandbox.file("started").exists());
    second.end(Signal::SIGTERM).code(143);
    standby.wait().code(0);
}

#[test]
fn a_standby_starts_when_the_running_one_ends() {
    let sandbox = Sandbox::new();
    let (first, old) = sandbox.serve(&format!("{RAG} -- child record=seen serve"));
    let standby = sandbox.start(&format!("{RAG} --if-running wait -- child record=seen serve"));
    // It says that it waits, and for whom.
    standby.says(&["solo/rag"]);
    assert_eq!(recorded_pids(&sandbox.file("seen"), 1), [old.pid]);

    ask(old.port, "/exit/6");

    first.wait().code(6);
    let new = standby.ready();
    assert_eq!(new.port, old.port);
    assert_eq!(recorded_pids(&sandbox.file("seen"), 2), [old.pid, new.pid]);
    standby.end(Signal::SIGTERM).code(143);
}

#[test]
fn of_many_standbys_one_starts_also_when_the_supervisor_was_killed() {
    let sandbox = Sandbox::new();
    let (first, old) = sandbox.serve(&format!("{RAG} -- child record=seen serve"));
    let words = format!("{RAG} --if-running wait -- child record=seen serve");
    let standbys: Vec<_> = (0..5).map(|_| sandbox.start(&words)).collect();
    for standby in &standbys {
        standby.says(&["solo/rag"]);
    }

    first.end(Signal::SIGKILL);

    recorded_pids(&sandbox.file("seen"), 2);
    sandbox.wait_until_ready("solo", "rag");
    let pids = recorded_pids(&sandbox.file("seen"), 2);
    assert_eq!(pids.len(), 2, "more than one has started: {pids:?}");
    assert_eq!(server_pid(old.port), pids[1]);
    assert!(!processes::is_alive(old.pid));
}

#[test]
fn another_id_of_a_single_type_is_blocked_with_a_way_out() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve(&format!("{RAG} -- child serve"));
    let (port, pid) = (ready.port, ready.pid);

    for words in ["run -t solo -i chat -- touch started", "allocate --type solo --id chat"] {
        sandbox.run(words).code(75).said(&[
            &format!("solo allows a single instance: solo/rag runs on port {port} (pid {pid})"),
            &format!("styxy use --port {port}"),
        ]);
    }
    assert!(!sandbox.file("started").exists());
    let error = sandbox.run("run -t solo -i chat --json -- true").code(75).json()["error"].take();
    assert_eq!((&error["code"], &error["instance"]["port"]), (&75.into(), &port.into()));

    // Single by id is another thing.
    sandbox.run("run -t lamp -i one -- true").code(0);
    let (lamp, _) = sandbox.serve("run -t lamp -i one -- child serve");
    sandbox.run("run -t lamp -i two -- sh -c 'exit 3'").code(3);
    first.end(Signal::SIGTERM).code(143);
    lamp.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_blocked_id_may_queue() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve(&format!("{RAG} -- child serve"));
    let queued = sandbox.start("run -t solo -i chat --if-running wait -- sh -c 'exit 8'");
    queued.says(&["solo/rag"]);

    ask(ready.port, "/exit/0");

    first.wait().code(0);
    queued.wait().code(8);
}

#[test]
fn without_an_id_a_single_types_running_instance_is_meant() {
    let sandbox = Sandbox::new();
    let (first, ready) = sandbox.serve(&format!("{RAG} -- child serve"));

    let reused = sandbox.run("run -t solo --if-running reuse --json -- child serve").code(0).json();
    assert_eq!((&reused["id"], &reused["port"]), (&"rag".into(), &ready.port.into()));
    // It has another command, and nobody said that the same one is meant.
    sandbox.run("run -t solo -- touch started").code(75).said(&["solo/rag"]);
    assert!(!sandbox.file("started").exists());
    first.end(Signal::SIGTERM).code(143);
}

#[test]
fn new_is_another_instance_of_a_multi_type_and_refused_for_a_single_one() {
    let sandbox = Sandbox::new();
    let (first, one) = sandbox.serve("run -t web -i a -- child serve");
    let (second, two) = sandbox.serve("run -t web -i a --new -- child serve");
    assert_ne!((one.port, one.pid), (two.port, two.pid));
    assert_eq!(sandbox.instances().len(), 2);
    second.end(Signal::SIGTERM).code(143);
    first.end(Signal::SIGTERM).code(143);

    let (single, _) = sandbox.serve(&format!("{RAG} -- child serve"));
    sandbox.run(&format!("{RAG} --new -- touch started")).code(75);
    assert!(!sandbox.file("started").exists());
    single.end(Signal::SIGTERM).code(143);
}

#[test]
fn the_same_id_in_another_project_is_another_instance() {
    let sandbox = Sandbox::new();
    let sibling = sandbox.folder("sibling");
    let (here, one) = sandbox.serve("run -t web -i a -- child serve");

    let there = sandbox.start_in(&sibling, "run -t web -i a -- child serve");
    let two = there.ready();

    assert_ne!(one.port, two.port);
    let projects: Vec<_> = sandbox.instances().iter().map(|one| one["project"].clone()).collect();
    assert_eq!(projects.len(), 2);
    assert_ne!(projects[0], projects[1]);
    assert_eq!(sandbox.run("port web/a").code(0).port(), one.port);
    assert_eq!(sandbox.run_in(&sibling, "port web/a").code(0).port(), two.port);
    assert_eq!(sandbox.run("port web/a@sibling").code(0).port(), two.port);
    let elsewhere = sandbox.folder("elsewhere");
    sandbox.run_in(&elsewhere, "port web/a").failed().said(&["web/a@project", "web/a@sibling"]);
    there.end(Signal::SIGTERM).code(143);
    here.end(Signal::SIGTERM).code(143);
}

#[test]
fn the_scope_may_be_the_machine() {
    let sandbox = Sandbox::new();
    let sibling = sandbox.folder("sibling");
    let words = "run -t web -i a --scope machine -- child serve";
    let (here, one) = sandbox.serve(words);

    let there = sandbox.run_in(&sibling, &words.replace(" -- ", " --if-running reuse --json -- "));

    let answer = there.code(0).json();
    assert_eq!((&answer["port"], &answer["project"]), (&one.port.into(), &().into()));
    here.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_derived_id_attaches_only_to_the_same_command() {
    let sandbox = Sandbox::new();
    let (first, one) = sandbox.serve("run -t web -- child serve");
    assert!(one.line.contains("web/project"), "{}", one.line);

    let same = sandbox.start("run -t web -- child serve");
    same.says(&[&one.port.to_string()]);
    let other = sandbox.start("run -t web -- child record=other serve");
    let two = other.ready();

    assert_ne!(two.port, one.port);
    assert!(other.stderr().contains("web/project-2"), "{}", other.story());
    same.end(Signal::SIGTERM).code(143);
    other.end(Signal::SIGTERM).code(143);
    first.end(Signal::SIGTERM).code(143);
}

#[test]
fn a_derived_id_is_the_way_below_the_root_of_the_work_tree() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.file(".git")).unwrap();
    let below = sandbox.folder("project/apps/shop one");

    let ended = sandbox.run_in(&below, "run -t web -- sh -c 'echo $STYXY_ID'");

    ended.code(0).printed("apps-shop-one\n");
    // The same id from the root is the same instance: one project.
    assert_eq!(sandbox.run("run -t web -i apps-shop-one -- echo {port}").port(), sandbox.port(0));
}

#[test]
fn a_data_directory_has_one_instance_of_whatever_type_and_registry() {
    let sandbox = Sandbox::new();
    let data = sandbox.folder("data");
    std::os::unix::fs::symlink(&data, sandbox.root().join("alias")).unwrap();
    let (first, _) = sandbox.serve("run -t web -i a --claim ../data -- child serve");

    sandbox.run("run -t lamp -i b --claim ../alias -- touch started").code(75).said(&["web/a"]);
    let mut elsewhere = sandbox.styxy("run -t web -i a --claim ../data -- touch started");
    elsewhere.env("STYXY_STATE_DIR", sandbox.folder("other-state"));
    let refused = sandbox.start_command("another registry", elsewhere).wait();
    refused.code(75).said(&[data.to_str().unwrap()]);
    let queued =
        sandbox.start("run -t lamp -i b --claim ../data --if-running wait -- touch started");
    queued.says(&["web/a"]);
    assert!(!sandbox.file("started").exists());

    first.end(Signal::SIGTERM).code(143);
    queued.wait().code(0);
    assert!(sandbox.file("started").exists());
}
