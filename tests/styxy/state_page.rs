//! styxy-state(7) names every file that styxy keeps.

use crate::sandbox::Sandbox;
use std::fs;
use std::path::Path;

/// The page as text: without the marks of roff.
fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/styxy-state.7");
    let text = fs::read_to_string(file).expect("there is the page");
    text.replace(" .", ".").replace("/ ", "/").replace(" / ", "/").replace('\\', "")
}

/// All files below the folder, by their path in it.
fn files(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("it can be read") {
        let entry = entry.expect("it can be read");
        if entry.file_type().expect("it has one").is_dir() {
            files(root, &entry.path(), found);
        } else {
            let path = entry.path();
            found.push(path.strip_prefix(root).expect("it is below").display().to_string());
        }
    }
}

#[test]
fn every_file_of_a_busy_state_directory_is_in_the_page() {
    let sandbox = Sandbox::new();
    sandbox.run("allocate -t web -i early").code(0);
    fs::write(sandbox.state().join("state.json"), "torn").unwrap();
    sandbox.run("allocate -t grafana -i main").code(0);
    sandbox.run("run -d -t web -i a -- child say=hello serve").code(0);
    let lock_id = sandbox.instance("web", "a").unwrap()["lockId"].as_str().unwrap().to_owned();

    let mut found = Vec::new();
    files(&sandbox.state(), &sandbox.state(), &mut found);

    let page = page();
    assert!(found.iter().any(|name| name.starts_with("state.json.broken")), "{found:?}");
    for name in found {
        let told = if name.starts_with("logs/") {
            let ending = if name.ends_with(".times") { ".log.times" } else { ".log" };
            page.contains(ending)
        } else {
            page.contains(&name.replace(&lock_id, "LOCKID"))
        };
        assert!(told, "styxy-state(7) has no {name}");
    }
    sandbox.run("stop --all").code(0);
}
