//! An engine made of files: its command line does what a test tells it to, at the moment that the test chooses.
//!
//! It has one container, or one project. For what a real engine cannot show on demand, or cannot be installed.

use crate::sandbox::Sandbox;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// Its command line. Files beside it: `asked` (each command line), `id`, `label`, `state`, `code`, `removes`, `log`
/// (what the container wrote and when), `ports`; and a test's wishes: `life` (what a start does), `cut` (kills who
/// follows the log), `deaf` (who asks for the log gets no answer).
const PROGRAM: &str = r##"#!/bin/bash
here=${0%/*}
put() { echo "$2" >"$here/$1.$$" && mv "$here/$1.$$" "$here/$1"; }
state() { cat "$here/state" 2>/dev/null; }
write() { echo "$(date -u +%s%N) $*" >>"$here/log"; }
if [ "$1" = write ]; then write "$2"; exit; fi
echo "${0##*/} $*" >>"$here/asked"
end() { put code "$1"; put state exited; }
await_end() { while [ "$(state)" = running ]; do sleep 0.05; done; }
start() {
    put state running
    [ ! -e "$here/life" ] || . "$here/life"
    if [ -n "$detach" ]; then cat "$here/id"; exit 0; fi
    await_end
    exit "$(cat "$here/code")"
}
case "$1 $2" in
    compose*)
        project=${*:2:2}; shift 3
        [ "$project" = '-p shop' ] || { echo "no such project: $project" >&2; exit 1; }
        case "$*" in
            up*) put ports "$PORT_WEB $PORT_DB"; put id 0123456789ab; [ "$2" != -d ] || detach=1; start ;;
            'ps -a -q') cat "$here/id" 2>/dev/null; exit 0 ;;
            'stop -t '*) end 0 ;;
            down) rm -f "$here/id" "$here/state" ;;
            *) echo "unknown: $*" >&2; exit 1 ;;
        esac
        ;;
    'container start') [ "$3" = --attach ] || detach=1; start ;;
    'container inspect')
        removes=false; [ ! -e "$here/removes" ] || removes=true
        echo "[{\"Id\": \"$(cat "$here/id")\", \"HostConfig\": {\"AutoRemove\": $removes}, \"State\":" \
            "{\"Status\": \"$(state)\", \"ExitCode\": $(cat "$here/code" 2>/dev/null || echo 0)}}]"
        ;;
    run*)
        shift
        while :; do
            case $1 in
                --label=*) put label "${1#*=}" ;;
                --cidfile=*) cidfile=${1#*=} ;;
                --rm) put removes yes ;;
                -d) detach=1 ;;
                *) break ;;
            esac
            shift
        done
        put id "$(printf %064d $$)"
        cat "$here/id" >"$cidfile"
        start
        ;;
    ps*) [ "${*: -1}" != "label=$(cat "$here/label")" ] || cat "$here/id" 2>/dev/null; exit 0 ;;
    logs*)
        shift; since=0; follow=
        while :; do
            case $1 in
                --follow) follow=1 ;;
                --since=*) since=$(date -u -d "${1#*=}" +%s%N) ;;
                *) break ;;
            esac
            shift
        done
        [ ! -e "$here/deaf" ] || exec sleep 600
        seen=0
        while :; do
            was=$(state); line=0
            while read -r at text; do
                line=$((line + 1))
                [ $line -gt $seen ] || continue
                seen=$line
                [ "$at" -lt "$since" ] || echo "$text"
            done <"$here/log"
            [ -n "$follow" ] && [ "$was" = running ] || exit 0
            if [ -e "$here/cut" ]; then rm "$here/cut"; kill -KILL $$; fi
            sleep 0.05
        done
        ;;
    wait*) await_end; cat "$here/code" ;;
    stop* | 'kill '[!-]*) end 137 ;;
    rm*) rm -f "$here/id" "$here/state" ;;
    version*) echo fake ;;
    *) echo "unknown: $*" >&2; exit 1 ;;
esac
"##;

/// A fake engine, in a folder of its sandbox.
pub(crate) struct FakeEngine {
    folder: PathBuf,
    program: PathBuf,
}

impl FakeEngine {
    /// One whose command line is called so.
    pub(crate) fn new(sandbox: &Sandbox, name: &str) -> Self {
        let folder = sandbox.folder("fake");
        let program = folder.join(name);
        fs::write(&program, PROGRAM).expect("the sandbox can be written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("our own file");
        let fake = Self { folder, program };
        fake.put("log", "");
        fake
    }

    /// What starts its command line.
    pub(crate) fn program(&self) -> String {
        self.program.display().to_string()
    }

    /// Writes one of its files.
    pub(crate) fn put(&self, name: &str, text: &str) {
        // Whoever looks meanwhile sees the old one or the new one.
        let new = self.folder.join("new");
        fs::write(&new, text).expect("the sandbox can be written");
        fs::rename(new, self.folder.join(name)).expect("our own file");
    }

    /// One of its files.
    pub(crate) fn get(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// Lets the container write a line.
    pub(crate) fn writes(&self, text: &str) {
        let written = Command::new(&self.program).args(["write", text]).status();
        assert!(written.expect("our own program").success());
    }

    /// Lets the container end.
    pub(crate) fn ends(&self, code: i32) {
        self.put("code", &code.to_string());
        self.put("state", "exited");
    }

    /// The command lines that it was given, of those that begin so.
    pub(crate) fn asked(&self, beginning: &str) -> Vec<String> {
        let asked = self.get("asked");
        let begins = |line: &&str| {
            line.split_once(' ').is_some_and(|(_, words)| words.starts_with(beginning))
        };
        asked.lines().filter(begins).map(str::to_owned).collect()
    }
}
