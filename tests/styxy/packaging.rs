//! The Debian package: made, installed below a folder of its own, used, and removed without a trace.

use crate::sandbox::Sandbox;
use std::fs;
use std::path::{Path, PathBuf};

/// What `cargo deb` makes of the program that is tested here.
fn package(sandbox: &Sandbox) -> PathBuf {
    let package = sandbox.root().join("styxy.deb");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in a folder");
    let mut make = sandbox.command(&target.join("test-tools/bin/cargo-deb").to_string_lossy());
    make.args(["--no-build", "--strip", "--fast", "--quiet", "--profile", "dev", "--output"]);
    make.arg(&package).current_dir(env!("CARGO_MANIFEST_DIR"));
    // Where the program lies, and where cargo does: this test was started by it.
    make.env("CARGO_TARGET_DIR", target).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    make.env("CARGO", env!("CARGO")).envs(std::env::var_os("HOME").map(|home| ("HOME", home)));
    sandbox.start_command("cargo deb", make).wait().code(0);
    package
}

/// Runs dpkg on a system that is nothing but a folder.
fn dpkg(sandbox: &Sandbox, system: &Path, words: &str) {
    let log = system.join("log").display().to_string();
    let system = system.display();
    let may = "--force-not-root --force-depends --force-script-chrootless --path-include=*";
    let line = format!("dpkg --root={system} {may} --log={log} {words} && rm -f {log}");
    sandbox.sh(&line).code(0);
}

/// Every file below a folder, without what dpkg keeps for itself.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() && !path.ends_with("var/lib/dpkg") {
            files(&path, found);
        } else if !path.is_dir() {
            found.push(path);
        }
    }
}

#[test]
fn the_package_is_installed_used_and_removed_without_a_trace() {
    let sandbox = Sandbox::new();
    let package = package(&sandbox);
    let system = sandbox.folder("system");
    fs::create_dir_all(system.join("var/lib/dpkg/updates")).unwrap();
    fs::create_dir_all(system.join("var/lib/dpkg/info")).unwrap();
    fs::write(system.join("var/lib/dpkg/status"), "").unwrap();

    dpkg(&sandbox, &system, &format!("-i {}", package.display()));

    let version = concat!("styxy ", env!("CARGO_PKG_VERSION"));
    let mut installed = sandbox.command(&system.join("usr/bin/styxy").to_string_lossy());
    installed.arg("--version");
    let ended = sandbox.start_command("the installed styxy", installed).wait();
    assert!(ended.code(0).stdout.starts_with(version), "{}", ended.story());
    let share = system.join("usr/share");
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("man")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let section = name.rsplit('.').next().unwrap();
        assert!(share.join(format!("man/man{section}/{name}.gz")).exists(), "no {name}");
    }
    let pages = share.join("man").display().to_string();
    let page = sandbox.sh(&format!("MANPATH={pages} MANPAGER=cat man styxy-run"));
    assert!(page.code(0).stdout.contains("--if-running"), "{}", page.story());
    for (shell, file) in [
        ("bash", "bash-completion/completions/styxy"),
        ("zsh", "zsh/vendor-completions/_styxy"),
        ("fish", "fish/vendor_completions.d/styxy.fish"),
    ] {
        let script = sandbox.run(&format!("completions {shell}")).code(0).stdout.clone();
        assert_eq!(fs::read_to_string(share.join(file)).unwrap(), script);
    }
    let unit = fs::read_to_string(system.join("usr/lib/systemd/user/styxy.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/styxy"), "{unit}");
    let copyright = fs::read_to_string(share.join("doc/styxy/copyright")).unwrap();
    assert!(copyright.contains("MIT"), "{copyright}");

    dpkg(&sandbox, &system, "--purge styxy");

    let mut left = Vec::new();
    files(&system, &mut left);
    assert!(left.is_empty(), "{left:?}");
}
