//! What background instances wrote: kept small while they write, and read as one text all the same.

use crate::sandbox::Sandbox;
use std::fs;

/// A sandbox whose logs are cut at 64 KiB.
fn sandbox(keep: u32) -> Sandbox {
    Sandbox::with_config(|ports| {
        let web = ports.range(0, 199);
        format!("[service_types.web]\nrange = {web}\n\n[logs]\nsize = \"64KiB\"\nkeep = {keep}\n")
    })
}

/// A command that writes so many numbered lines as fast as it can, once `go` is there.
fn writer(lines: u32) -> String {
    let lines = format!("seq -f \"line %.0f of a server that has much to say\" 1 {lines}");
    format!("child await=go exit=0; stdbuf -oL {lines}; exec child serve")
}

fn expected(lines: u32) -> String {
    (1..=lines).map(|line| format!("line {line} of a server that has much to say\n")).collect()
}

/// Whether the file system can remove the beginning of a file: else a line may be lost with each cut.
fn cuts_without_loss(sandbox: &Sandbox) -> bool {
    let try_it = "head -c 9000 /dev/zero > try && fallocate -c -o 0 -l 4096 try; echo $?";
    sandbox.sh(try_it).stdout.trim() == "0"
}

/// The log and what was cut off from it.
fn files(sandbox: &Sandbox) -> Vec<String> {
    let files = fs::read_dir(sandbox.state().join("logs/web")).expect("there are logs");
    let names = files
        .map(|file| file.expect("they can be read").file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.ends_with(".times")).collect()
}

#[test]
fn a_log_is_kept_small_under_a_fast_writer_and_followed_all_the_while() {
    let sandbox = sandbox(99);
    let run = format!("run -d -t web -i a --ready none -- sh -c '{}'", writer(40_000));
    sandbox.run(&run).code(0);
    let follow = sandbox.start("logs -f web/a");

    fs::write(sandbox.file("go"), "").unwrap();

    follow.prints(&["line 40000 of"]);
    sandbox.run("stop web/a").code(0);
    let followed = follow.wait();
    let shown = sandbox.run("logs web/a");
    let both = followed.stdout.lines().zip(shown.stdout.lines());
    let differ = both.enumerate().find(|(_, (followed, shown))| followed != shown);
    assert!(followed.stdout == shown.stdout, "{differ:?}");
    if cuts_without_loss(&sandbox) {
        assert!(shown.stdout == expected(40_000), "{} bytes", shown.stdout.len());
    }
    let files = files(&sandbox);
    assert!(files.len() > 3, "{files:?}");
}

#[test]
fn of_the_older_ones_so_many_are_kept() {
    let sandbox = sandbox(2);
    fs::write(sandbox.file("go"), "").unwrap();
    sandbox.run(&format!("run -d -t web -i a -- sh -c '{}'", writer(40_000))).code(0);
    sandbox.run("stop web/a").code(0);

    let files = files(&sandbox);
    assert!(files.len() <= 3, "{files:?}");
    let last = sandbox.run("logs web/a -n 3").code(0).stdout.clone();
    assert!(expected(40_000).ends_with(&last) && last.lines().count() == 3, "{last}");
}

#[test]
fn the_last_lines_of_a_failed_start_are_its_own() {
    let sandbox = sandbox(2);
    let run =
        |child: &str| sandbox.run(&format!("run -d -t web -i a --no-reserve -- child {child}"));
    run("say=the-first exit=3").code(3).said(&["the-first"]);

    let second = run("say=the-second exit=4");

    second.code(4).said(&["the-second"]);
    assert!(!second.stderr.contains("the-first"), "{}", second.story());
    sandbox.run("logs web/a").code(0).printed("the-first\nthe-second\n");
}

#[test]
fn what_was_written_since_a_moment_is_shown() {
    let sandbox = sandbox(2);
    let run = |text: &str| {
        let words = format!("run -d -t web -i a --no-reserve -- child say={text} exit=3");
        sandbox.run(&words).code(3);
    };
    run("long-ago");
    // The moment is to the second, so it lies a second after the first line.
    let moment = sandbox.sh("sleep 1.1; date --utc +%Y-%m-%dT%H:%M:%SZ").stdout.trim().to_owned();
    run("just-now");

    sandbox.run(&format!("logs web/a --since {moment}")).code(0).printed("just-now\n");
    sandbox.run("logs web/a --since 1h").code(0).printed("long-ago\njust-now\n");
    sandbox.run("logs web/a --since 1h -n 1").code(0).printed("just-now\n");
    sandbox.run("logs web/a --since 0ms").code(0).printed("");
    sandbox.run("logs web/a --since yesterday").code(2);
    let json = sandbox.run("logs web/a --json").code(0).stdout.clone();
    assert_eq!(json, "{\"line\":\"long-ago\"}\n{\"line\":\"just-now\"}\n");
}
