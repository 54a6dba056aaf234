//! Many at once: one instance stays one, and no port is given twice.

use crate::sandbox::{Sandbox, ask, recorded_pids};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::process::Stdio;

#[test]
fn of_forty_runs_of_a_single_instance_one_starts_its_child() {
    let sandbox = Sandbox::new();
    let words = "run -t solo -i rag -- child record=seen serve";
    let runs: Vec<_> = (0..40).map(|_| sandbox.start(words)).collect();
    let port = sandbox.port(200).to_string();
    for run in &runs {
        run.says(&["solo/rag", &port]);
    }

    assert_eq!(recorded_pids(&sandbox.file("seen"), 1).len(), 1);
    assert_eq!(sandbox.instances().len(), 1);
    ask(sandbox.port(200), "/exit/3");
    for run in &runs {
        run.wait().code(3);
    }
    assert_eq!(recorded_pids(&sandbox.file("seen"), 1).len(), 1);
}

#[test]
fn sixty_four_ids_get_sixty_four_ports() {
    let sandbox = Sandbox::new();
    let runs: Vec<_> = (0..64)
        .map(|number| sandbox.start(&format!("run -t web -i w{number} -- child serve")))
        .collect();

    let ports: BTreeSet<u16> = runs.iter().map(|run| run.ready().port).collect();

    assert_eq!(ports.len(), 64);
    assert!(ports.iter().all(|port| (sandbox.port(0)..=sandbox.port(199)).contains(port)));
    assert_eq!(sandbox.instances().len(), 64);
    for run in &runs {
        run.signal(Signal::SIGTERM);
    }
    for run in &runs {
        run.wait().code(143);
    }
    assert!(sandbox.instances().is_empty());
}

#[test]
fn two_hundred_allocations_at_once_are_two_hundred_ports() {
    let sandbox = Sandbox::new();
    let children: Vec<_> = (0..200)
        .map(|number| {
            let mut command = sandbox.styxy(&format!("allocate --type web --id w{number}"));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();

    let mut ports = BTreeSet::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        ports.insert(String::from_utf8_lossy(&output.stdout).trim_end().parse::<u16>().unwrap());
    }

    // 200 ports are all that the type has.
    assert_eq!(ports, (sandbox.port(0)..=sandbox.port(199)).collect());
    sandbox.run("allocate --type web --id one-too-many").code(69);
}

#[test]
fn registries_that_know_nothing_of_each_other_share_the_ports_of_the_machine() {
    let sandbox = Sandbox::new();
    let runs: Vec<_> = (0..16)
        .map(|number| {
            let words = format!("run -t web -i w{number} -- child serve");
            let mut command = sandbox.styxy(&words);
            command.env("STYXY_STATE_DIR", sandbox.folder(&format!("state-{number}")));
            sandbox.start_command(&words, command)
        })
        .collect();

    let ports: BTreeSet<u16> = runs.iter().map(|run| run.ready().port).collect();

    assert_eq!(ports.len(), 16);
}

#[test]
fn unknown_types_at_once_get_ranges_with_exact_gaps() {
    let sandbox = Sandbox::with_config(|ports| {
        format!("[auto_allocation]\nmin_port = {}\nmax_port = {}\n", ports.port(0), ports.port(239))
    });
    let runs: Vec<_> = (0..12)
        .map(|number| sandbox.start(&format!("allocate --type kind-{number} --id main --json")))
        .collect();

    let mut firsts: Vec<u64> = runs
        .iter()
        .map(|run| {
            let answer = run.wait().code(0).json();
            let range = &answer["newRange"];
            assert_eq!(answer["autoAllocated"], true);
            assert_eq!(range[1].as_u64().unwrap(), range[0].as_u64().unwrap() + 9);
            range[0].as_u64().unwrap()
        })
        .collect();
    firsts.sort_unstable();

    let expected: Vec<u64> = (0..12).map(|place| u64::from(sandbox.port(place * 20))).collect();
    assert_eq!(firsts, expected);
}

#[test]
fn a_storm_of_runs_and_ends_leaves_nothing() {
    let sandbox = Sandbox::new();
    let runs: Vec<_> = (0..60)
        .map(|number| {
            let id = number % 20;
            let kind = if number % 3 == 0 { "--if-running wait" } else { "--if-running attach" };
            sandbox.start(&format!("run -t web -i w{id} {kind} --ready none -- sh -c 'exit 5'"))
        })
        .collect();

    for run in &runs {
        run.wait().code(5);
    }
    assert!(sandbox.instances().is_empty());
    sandbox.nothing_is_left();
}
