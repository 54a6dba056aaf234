//! A person's editor on a file, in the foreground, until it ends.
//!
//! What is then done with the file is the caller's business.

use signal_hook::{
    consts::{SIGINT, SIGQUIT},
    flag::register_conditional_default,
};
use std::{
    ffi::OsStr,
    io,
    path::Path,
    process::{Command, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Opens the file in the editor, a line of shell as `EDITOR` holds it, and waits until it is closed.
pub fn open(editor: &OsStr, file: &Path) -> io::Result<ExitStatus> {
    // A Ctrl-C is the editor's, which shares our group: a handler, unlike an ignored signal, is not handed
    // on by exec (signal(7)).
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGQUIT] {
        register_conditional_default(signal, Arc::clone(&ended))?;
    }
    // The shell takes `code --wait` apart; the file's name is no part of the line.
    let mut line = editor.to_owned();
    line.push(" \"$@\"");
    let status = Command::new("sh").arg("-c").arg(line).arg("sh").arg(file).status();
    ended.store(true, Ordering::SeqCst);
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_editor_is_a_line_of_shell_and_the_file_is_one_word() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a $(false) 'file'");
        std::fs::write(&file, "old").unwrap();
        let status = open(OsStr::new("printf new >"), &file).unwrap();
        assert!(status.success());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(open(OsStr::new("exit 7;"), &file).unwrap().code(), Some(7));
    }
}
