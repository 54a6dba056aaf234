//! The page of `styxy serve` in a real browser: every page and action, hostile text, other origins.
//!
//! Screenshots are kept in `target/page`.

use crate::patience::until_true;
use crate::processes::signal;
use crate::sandbox::Sandbox;
use crate::serve::{served, served_by};
use crate::stopping::Armoured;
use crate::team::{ANNA, BERT, Team};
use nix::sys::signal::Signal;
use serde_json::json;
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Does one job of `tests/browser/page.mjs`, which says what it has seen.
fn browse(url: &str, job: &str, other: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in a folder");
    let shots = target.join("page");
    fs::create_dir_all(&shots).expect("the target can be written");
    let mut command = Command::new("node");
    command.arg(root.join("tests/browser/page.mjs")).arg(target.join("test-node")).arg(url);
    let output = command.arg(shots).args([job, other]).output().expect("tests/setup installs it");
    let (said, failed) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{failed}");
    said.into_owned()
}

#[test]
fn every_page_and_every_action_works_in_a_browser() {
    let sandbox = Sandbox::new();
    let said = "say='<img src=x onerror=alert(1)></div><script>alert(2)</script>'";
    sandbox.run(&format!("run -d -t web -i hostile -- child {said} serve")).code(0);
    sandbox.run("run -d -t solo -i other -- child serve").code(0);
    sandbox.run("allocate -t web -i kept").code(0);
    let served = served(&sandbox);
    let seen = browse(&served.url, "tour", "");
    assert_eq!(seen.lines().count(), 7, "{seen}");
    let saved = fs::read_to_string(sandbox.config_file()).expect("a configuration");
    assert!(saved.contains("default_chunk_size = 20"), "{saved}");
    assert!(!saved.contains("from-the-page"), "{saved}");
    sandbox.run("stop --all").code(0);
}

#[test]
fn how_checks_went_is_shown_and_nobody_is_asked_in_vain() {
    let sandbox = Sandbox::new();
    let (status, ill) = (sandbox.file("status"), sandbox.file("status.ill"));
    fs::write(&status, "200").expect("our own project");
    fs::write(&ill, "500").expect("our own project");
    let often = "--ready http:/ --health-interval 20ms --health-retries 2";
    sandbox.run(&format!("run -d -t web -i well {often} -- child status=status serve")).code(0);
    sandbox.run("run -d -t web -i unchecked -- child serve").code(0);
    let served = served(&sandbox);
    let told = json!({ "status": status, "shots": "instance-unhealthy" });
    browse(&served.url, "health", &told.to_string());
    sandbox.run("stop --all").code(0);
}

#[test]
fn keys_words_times_and_addresses_are_as_the_design_has_them() {
    let sandbox = Sandbox::new();
    let said = "say='\u{1b}[38;5;31mplain\u{1b}[31m\u{1b}[1mred\u{1b}[0m'";
    sandbox.run(&format!("run -d -t solo -i alone -- child {said} serve")).code(0);
    sandbox.run("run -d -t web -i several --ports a,b,c -- child serve").code(0);
    let status = sandbox.file("status");
    let often = "--ready http:/ --health-interval 20ms --health-retries 2";
    fs::write(&status, "200").expect("our own project");
    sandbox.run(&format!("run -d -t web -i ill {often} -- child status=status serve")).code(0);
    fs::write(&status, "500").expect("our own project");
    until_true("it is ill", || sandbox.run("list").stdout.contains("unhealthy"));
    let served = served(&sandbox);
    let seen =
        browse(&served.url, "design", &json!({ "server": served.running.pid() }).to_string());
    assert_eq!(seen.lines().count(), 9, "{seen}");
    sandbox.run("stop --all").code(0);
}

/// A drawer is closed to where it was opened, the past is shown as it was, and nothing is dropped by a save.
#[test]
fn ways_back_the_past_and_what_is_kept() {
    let sandbox = Sandbox::with_config(|ports| {
        format!(
            "[service_types.web]\nrange = {}\n[auto_allocation]\nmin_port = {}\nmax_port = {}\n\
             default_chunk_size = 2\n[auto_allocation_rules.'graf*']\nplacement = 'after'\n",
            ports.range(0, 99),
            ports.port(100),
            ports.port(199)
        )
    });
    sandbox.run("allocate -t web -i one").code(0);
    for id in ["one", "two", "three"] {
        sandbox.run(&format!("allocate -t grafana -i {id}")).code(0);
    }
    let types = sandbox.json("types");
    let grafana = types["types"].as_array().into_iter().flatten();
    let grafana =
        grafana.into_iter().find(|known| known["name"] == "grafana").expect("it is there");
    let served = served(&sandbox);
    let seen = browse(&served.url, "ways", &grafana["ranges"].to_string());
    assert_eq!(seen.lines().count(), 5, "{seen}");
    sandbox.run("stop --all").code(0);
}

#[test]
fn a_stop_says_what_it_does_how_long_it_takes_and_who_survives() {
    let armoured = Armoured::new();
    let Armoured { sandbox, survivor, running } = &armoured;
    let stop = "--stop-signal INT --stop-timeout 30s --ready none";
    let deaf = format!("run -d -t web -i deaf {stop} -- sh -c 'trap \"\" INT; exec sleep 1000'");
    armoured.start(&deaf).wait().code(0);
    let served = served_by(sandbox, |words| armoured.start(words));
    let told = json!({ "survivor": survivor, "port": sandbox.port(220) });
    browse(&served.url, "stops", &told.to_string());

    armoured.start("stop --kill web/deaf").wait().code(0);
    signal(*survivor, Signal::SIGKILL);
    running.wait().code(137);
}

#[test]
fn what_a_project_names_is_started_from_the_page() {
    let sandbox = Sandbox::new();
    let services = "[services.front]\ntype = 'web'\ncommand = 'child serve'\n\
                    [services.broken]\ntype = 'web'\ncommand = 'child exit=3'\n";
    fs::write(sandbox.file("styxy.toml"), services).expect("our project");
    let served = served(&sandbox);
    browse(&served.url, "start", "");
    sandbox.run("stop --all").code(0);
}

#[test]
fn whose_an_instance_is_is_said_and_a_stop_is_not_offered_in_vain() {
    let team = Team::new();
    team.run(ANNA, "run -d -t web -i anna -- child serve").code(0);
    team.run(BERT, "run -d -t web -i bert -- child serve").code(0);
    let served = served_by(&team.sandbox, |words| team.start(BERT, words));
    browse(&served.url, "foreign", &ANNA.to_string());

    let owner = |name: &str| {
        let one = served.get(&format!("/instances/web%2f{name}"));
        (one["uid"].clone(), one["user"].clone())
    };
    assert_eq!(owner("anna"), (json!(ANNA), json!(ANNA.to_string())));
    assert_eq!(owner("bert"), (json!(BERT), json!(BERT.to_string())));
    let refused = served.ask("POST /instances/web%2fanna/stop", &json!({}));
    assert_eq!((refused.status, &refused.json()["instance"]["uid"]), (403, &json!(ANNA)));
    for (user, name) in [(ANNA, "anna"), (BERT, "bert")] {
        team.run(user, &format!("stop web/{name}")).code(0);
    }
}

#[test]
fn the_map_is_a_grid_whose_cells_are_heard_and_reached_by_keys() {
    // A hundred that is whole, and a port of the next one, in which no range is.
    let hundred = Cell::new(0);
    let sandbox = Sandbox::with_config(|ports| {
        hundred.set((100 - ports.port(0) % 100) % 100);
        let (web, solo) = (hundred.get(), hundred.get() + 20);
        format!(
            "[service_types.web]\nrange = {}\n[service_types.solo]\nrange = {}\n",
            ports.range(web, web + 19),
            ports.range(solo, solo + 9)
        )
    });
    let hundred = hundred.get();
    let far = sandbox.port(hundred + 149);
    sandbox.run("run -d -t web -i front -- child serve").code(0);
    sandbox.run(&format!("run -d -t web -i far -p {far} -- child serve")).code(0);
    sandbox.run("allocate -t solo -i kept").code(0);
    // The first port of auth's range is drawn on the line of another hundred.
    for name in ["kept-a", "kept-b", "kept-c"] {
        sandbox.run(&format!("allocate -t auth -i {name}")).code(0);
    }
    let served = served(&sandbox);
    let (front, kept) = (sandbox.port(hundred), sandbox.port(hundred + 20));
    let told = json!({ "front": front, "kept": kept, "far": far });
    browse(&served.url, "map", &told.to_string());
    sandbox.run("stop --all").code(0);
}

#[test]
fn who_holds_the_state_lock_is_said_while_something_waits_for_it() {
    let sandbox = Sandbox::new();
    sandbox.run("run -d -t web -i a -- child serve").code(0);
    let served = served(&sandbox);
    let lock = sandbox.state().join("state.lock");
    let mut holder = sandbox.command("flock");
    holder.args(["--no-fork".as_ref(), lock.as_os_str()]).args(["sleep", "1000"]);
    let holder = sandbox.start_command("flock", holder);
    let is_held = || fs::File::open(&lock).expect("it stays").try_lock().is_err();
    until_true("the lock to be held", is_held);
    browse(&served.url, "locked", &holder.pid().to_string());
    holder.wait();
    sandbox.run("stop --all");
}

#[test]
fn a_lease_of_a_terminal_appears_by_itself() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    let command = sandbox.styxy("allocate -t web -i");
    let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    let told = json!({
        "program": text(command.get_program()),
        "words": command.get_args().map(text).collect::<Vec<_>>(),
        "env": command
            .get_envs()
            .filter_map(|(name, value)| Some((text(name), text(value?))))
            .collect::<std::collections::BTreeMap<_, _>>(),
        "cwd": command.get_current_dir(),
    });
    browse(&served.url, "told", &told.to_string());
}

#[test]
fn a_page_of_another_origin_changes_nothing() {
    let sandbox = Sandbox::new();
    let (_stranger, ready) = sandbox.serve("run -t web -i a-stranger -- child serve");
    let served = served(&sandbox);
    browse(&served.url, "stranger", &format!("http://127.0.0.1:{}/", ready.port));
    assert_eq!(sandbox.instance("web", "stranger"), None);
}

#[test]
fn a_thousand_leases_are_shown() {
    let sandbox =
        Sandbox::with_config(|_| "[service_types.many]\nrange = [61000, 62099]\n".to_owned());
    let served = served(&sandbox);
    for number in 0..1000 {
        let body = json!({ "service_type": "many", "service_name": format!("n{number}") });
        assert_eq!(served.ask("POST /allocate", &body).status, 200);
    }
    browse(&served.url, "thousand", &served.token);
}

#[test]
fn nothing_in_the_band_moves_while_the_page_loads() {
    let sandbox = Sandbox::new();
    let served = served(&sandbox);
    browse(&served.url, "still", &served.token);
}

#[test]
fn nothing_is_cut_off_at_twice_the_size_or_on_paper() {
    let sandbox = Sandbox::new();
    sandbox.run("run -d -t web -i one -- child say=hello serve").code(0);
    sandbox.run("allocate -t web -i a-name-that-is-rather-long-for-what-it-is").code(0);
    sandbox.run("allocate -t grafana -i pictures").code(0);
    // They will be gone, and no entry says so before the next change.
    for number in 0..9 {
        sandbox.run(&format!("allocate -t web -i brief-{number} --ttl 3s")).code(0);
    }
    let served = served(&sandbox);
    until_true("they are gone", || !sandbox.run("list").stdout.contains("brief"));
    browse(&served.url, "sheets", "");
    sandbox.run("stop --all").code(0);
}

/// What is opened stays so, news is news once, and today begins where one is.
#[test]
fn the_audit_page_follows_what_happens() {
    let sandbox = Sandbox::new();
    sandbox.run("run -t web -i ended -- false").code(1);
    sandbox.run("allocate -t web -i yesterday").code(0);
    sandbox.run("allocate -t web -i today").code(0);
    // The second before midnight where it is 14 h later, and the one after it.
    let log = sandbox.state().join("audit.jsonl");
    let mut entries: Vec<serde_json::Value> = fs::read_to_string(&log)
        .expect("a log")
        .lines()
        .map(|line| serde_json::from_str(line).expect("an entry"))
        .collect();
    for (entry, time) in entries.iter_mut().zip(["09:59:50", "09:59:51", "09:59:59", "10:00:00"]) {
        entry["time"] = json!(format!("2026-03-01T{time}.000Z"));
    }
    let lines: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    fs::write(&log, lines).expect("our own log");
    let served = served(&sandbox);
    let seen = browse(&served.url, "audit", &served.token);
    assert_eq!(seen.lines().count(), 4, "{seen}");
}

/// The contrasts that the design promises, computed from the tokens themselves.
#[test]
fn every_tone_can_be_told_from_its_ground() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/ui/tokens.css"));
    let text = text.expect("the tokens");
    let token = |name: &str, place: usize| {
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{name}:")));
        let line = line.unwrap_or_else(|| panic!("no token {name}"));
        let colours: Vec<&str> = line.split('#').skip(1).map(|rest| &rest[..6]).collect();
        luminance(colours[place.min(colours.len() - 1)])
    };
    for place in [0, 1] {
        for ground in ["--page", "--surface", "--raised", "--sunken"] {
            for (tone, least) in [
                ("--ink", 4.5),
                ("--ink-2", 4.5),
                ("--ink-3", 4.5),
                ("--link", 4.5),
                ("--obol", 4.5),
                ("--ready", 4.5),
                ("--unhealthy", 4.5),
                ("--backoff", 4.5),
                ("--quiet", 4.5),
                ("--control", 3.0),
            ] {
                let found = contrast(token(tone, place), token(ground, place));
                assert!(found >= least, "{tone} on {ground}: {found:.2}, theme {place}");
            }
        }
        for (ground, tone, least) in [
            ("--basin", "--ink", 4.5),
            ("--basin", "--ink-2", 4.5),
            ("--basin", "--ready", 3.0),
            ("--basin", "--unhealthy", 3.0),
            ("--basin", "--backoff", 3.0),
            ("--basin", "--quiet", 3.0),
            ("--ready-wash", "--ready", 4.5),
            ("--unhealthy-wash", "--unhealthy", 4.5),
            ("--backoff-wash", "--backoff", 4.5),
            ("--quiet-wash", "--quiet", 4.5),
            ("--unhealthy-wash", "--ink", 4.5),
            ("--backoff-wash", "--ink", 4.5),
            ("--unhealthy", "--page", 4.5),
            ("--backoff", "--page", 4.5),
            ("--quiet", "--page", 4.5),
            ("--river-top", "--river-ink", 4.5),
            ("--river-top", "--river-ink-2", 4.5),
            ("--river-top", "--river-ink-3", 4.5),
            ("--river-basin", "--light-ready", 3.0),
            ("--river-basin", "--light-unhealthy", 3.0),
            ("--river-basin", "--light-backoff", 3.0),
            ("--river-basin", "--light-quiet", 3.0),
        ] {
            let found = contrast(token(tone, place), token(ground, place));
            assert!(found >= least, "{tone} on {ground}: {found:.2}, theme {place}");
        }
    }
}

/// What is apart by a length of its own looks a little wrong everywhere. Up to 2 px are lines, not spaces.
#[test]
fn every_space_and_every_radius_is_of_the_scale() {
    const SPACES: [u32; 7] = [4, 8, 12, 16, 24, 32, 48];
    // The last is a pill.
    const RADII: [u32; 4] = [3, 6, 10, 99];
    let lengths = |value: &str| -> Vec<u32> {
        let words = value.split([' ', '-', ';', '(', ')', ',']);
        words.filter_map(|word| word.strip_suffix("px")?.parse().ok()).collect()
    };
    let mut seen = 0;
    for (file, text) in styles() {
        for line in text.lines() {
            let Some((property, value)) = line.trim().split_once(": ") else { continue };
            let is_space = ["gap", "padding", "margin"].iter().any(|one| property.contains(one));
            let is_radius = property == "border-radius";
            for length in lengths(value).into_iter().filter(|length| *length > 2) {
                seen += usize::from(is_space || is_radius);
                let of_scale = (!is_space || SPACES.contains(&length))
                    && (!is_radius || RADII.contains(&length));
                assert!(of_scale, "{}: {line}", file.display());
            }
        }
    }
    assert!(seen > 100, "{seen} lengths");
}

/// The page's styles, but for the tokens.
fn styles() -> Vec<(PathBuf, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/ui");
    let files = fs::read_dir(folder).expect("the page").map(|entry| entry.expect("a file").path());
    let styles = files.filter(|file| {
        file.extension().is_some_and(|ending| ending == "css") && !file.ends_with("tokens.css")
    });
    styles.map(|file| (file.clone(), fs::read_to_string(file).expect("a style"))).collect()
}

/// A colour that is no token follows no theme, and nobody computes its contrast.
#[test]
fn every_colour_is_a_token() {
    for (file, text) in styles() {
        // Selectors of ids begin their line.
        let colour = |line: &&str| {
            line.contains(':') && !line.trim_start().starts_with(['#', '.']) && line.contains('#')
        };
        let found: Vec<&str> = text.lines().filter(colour).collect();
        assert!(found.is_empty(), "{}: {found:?}", file.display());
    }
}

/// WCAG 2.2, relative luminance.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = u8::from_str_radix(&colour[at..at + 2], 16).expect("a colour");
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

fn contrast(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}
