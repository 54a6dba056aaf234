//! The table of types and ranges in a document of the user's: rewritten between two markers, all else kept.
//!
//! What stands in the table is handed in. The file is replaced as a whole by a rename, with the rights it had.

use super::error::StoreError;
use crate::os::clock;
use rustix::fs::{Mode, OFlags};
use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

/// With this a line begins that opens the table; people may change the rest of the line.
const BEGIN: &str = "<!-- styxy:begin";
/// How that line is written.
const BEGIN_LINE: &str = "<!-- styxy:begin (styxy rewrites this table; what stands outside these two lines is yours) -->";
/// With this the line begins that closes it.
const END: &str = "<!-- styxy:end -->";
/// What a new document begins with.
const TITLE: &str = "# Ports\n\n";
/// No document for people is larger; what is, was never meant to be one.
const SIZE_MAX: u64 = 16 << 20;
/// The rights of a group.
const GROUP_RIGHTS: u32 = 0o070;

/// What the document shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortTable {
    /// The document.
    pub path: PathBuf,
    /// The table, without the markers.
    pub text: String,
}

impl PortTable {
    /// Writes it into the document, which is made where it is missing.
    pub(super) fn write(&self, state: &Path) -> Result<(), StoreError> {
        // A link of the user's own is followed, but none in the state directory: others may write there.
        let own = (!self.path.starts_with(state)).then(|| self.path.canonicalize().ok()).flatten();
        let path = own.unwrap_or_else(|| self.path.clone());
        let before = read(&path).map_err(|error| StoreError::at("read", &path, error))?;
        let (old, metadata) = match before {
            Some((old, metadata)) => (Some(old), Some(metadata)),
            None => (None, None),
        };
        let new = with_table(old.as_deref(), &self.text);
        if old.as_ref() == Some(&new) {
            return Ok(());
        }
        replace(&path, &new, metadata.as_ref())
            .map_err(|error| StoreError::at("write", &path, error))
    }
}

/// The document with this table in the place of the one that it has; at its end where it has none.
fn with_table(document: Option<&[u8]>, table: &str) -> Vec<u8> {
    let block = format!("{BEGIN_LINE}\n{}\n{END}", table.trim_end());
    let Some(text) = document.filter(|text| !text.is_empty()) else {
        return format!("{TITLE}{block}\n").into_bytes();
    };
    let mut new = Vec::with_capacity(text.len() + block.len() + 2);
    match place(text) {
        Some((begin, end)) => {
            new.extend_from_slice(&text[..begin]);
            new.extend_from_slice(block.as_bytes());
            new.extend_from_slice(&text[end..]);
        }
        None => {
            new.extend_from_slice(text);
            new.extend_from_slice(if text.ends_with(b"\n") { b"\n" } else { b"\n\n" });
            new.extend_from_slice(block.as_bytes());
            new.push(b'\n');
        }
    }
    new
}

/// From the first byte of the opening marker to behind the closing one. Of an opening marker without its
/// closing one nobody knows what belongs to it, so it is left alone.
fn place(text: &[u8]) -> Option<(usize, usize)> {
    let mut begin = None;
    let mut start = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(BEGIN.as_bytes()) {
            begin = Some(start);
        } else if let Some(begin) = begin
            && line.starts_with(END.as_bytes())
        {
            return Some((begin, start + END.len()));
        }
        start += line.len();
    }
    None
}

/// The document and its rights, if it is there.
fn read(path: &Path) -> io::Result<Option<(Vec<u8>, Metadata)>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        opened => File::from(opened?),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > SIZE_MAX {
        let why = format!("it is no file of at most {} MiB", SIZE_MAX >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let mut text = Vec::new();
    file.take(SIZE_MAX).read_to_end(&mut text)?;
    Ok(Some((text, metadata)))
}

/// Replaces a file by one that has reached the disk: what the user wrote survives a power cut.
fn replace(path: &Path, text: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
    let new = path.with_file_name(format!(".{name}.styxy-{:08x}", clock::dice()));
    // Nobody sees what may be private before the rights are as they were.
    let mode = Mode::from_raw_mode(if old.is_some() { 0o600 } else { 0o666 });
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let create = || rustix::fs::open(&new, flags, mode);
    let file = match (create(), path.parent()) {
        (Err(rustix::io::Errno::NOENT), Some(parent)) => {
            fs::create_dir_all(parent)?;
            create()
        }
        (created, _) => created,
    };
    let mut file = File::from(file?);
    let written = file
        .write_all(text)
        .and_then(|()| old.map_or(Ok(()), |old| keep_rights(&file, old)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What is left says nothing that the error does not.
        let _ = fs::remove_file(&new);
    }
    written
}

/// Gives a file the owner, the group and the mode of another, as far as this user may.
fn keep_rights(file: &File, old: &Metadata) -> io::Result<()> {
    let both = fchown(file, Some(old.uid()), Some(old.gid()));
    let kept = both.or_else(|_| fchown(file, None, Some(old.gid())));
    let mode = old.permissions().mode() & 0o7777;
    // Rights of one group are not another's.
    let mode = if kept.is_ok() { mode } else { mode & !GROUP_RIGHTS };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::symlink;

    fn text(document: Option<&str>, table: &str) -> String {
        String::from_utf8(with_table(document.map(str::as_bytes), table)).unwrap()
    }

    fn block(table: &str) -> String {
        format!("{BEGIN_LINE}\n{table}\n{END}")
    }

    #[test]
    fn a_new_document_has_a_title_and_the_table() {
        for document in [None, Some("")] {
            assert_eq!(text(document, "| a |\n"), format!("# Ports\n\n{}\n", block("| a |")));
        }
    }

    #[test]
    fn the_table_takes_the_place_of_the_one_before() {
        let marked = format!("mine\n{BEGIN} as I like it -->\nold\n{END} and\r\nmine too");
        assert_eq!(text(Some(&marked), "new"), format!("mine\n{} and\r\nmine too", block("new")));
    }

    #[test]
    fn a_document_without_a_table_gets_one_at_its_end() {
        for (before, between) in [("mine", "\n\n"), ("mine\n", "\n")] {
            assert_eq!(text(Some(before), "t"), format!("{before}{between}{}\n", block("t")));
        }
    }

    #[test]
    fn a_marker_without_its_other_half_costs_nothing_of_the_users() {
        let half = format!("{BEGIN} -->\nmine\n");
        let first = text(Some(&half), "one");
        assert_eq!(first, format!("{half}\n{}\n", block("one")));
        assert_eq!(text(Some(&first), "two"), format!("{half}\n{}\n", block("two")));
        let stray = format!("{END}\nmine\nnot at a line's start: {BEGIN} -->\n");
        assert_eq!(text(Some(&stray), "one"), format!("{stray}\n{}\n", block("one")));
    }

    #[test]
    fn the_rights_of_the_document_are_kept_and_nothing_is_left_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("docs/CORE/PORTS.md");
        let table = |text: &str| PortTable { path: path.clone(), text: text.to_owned() };
        table("one").write(Path::new("/state")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        table("two").write(Path::new("/state")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        assert!(fs::read_to_string(&path).unwrap().contains("\ntwo\n"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let inode = fs::metadata(&path).unwrap().ino();
        table("two").write(Path::new("/state")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "the same again writes nothing");
    }

    #[test]
    fn a_link_is_followed_where_it_can_only_be_the_users_own() {
        let place = tempfile::tempdir().unwrap();
        let (state, docs) = (place.path().join("state"), place.path().join("docs"));
        fs::create_dir_all(&state).unwrap();
        fs::create_dir_all(&docs).unwrap();
        let target = place.path().join("target.md");
        for (folder, is_followed) in [(&docs, true), (&state, false)] {
            fs::write(&target, "private\n").unwrap();
            let path = folder.join("PORTS.md");
            symlink(&target, &path).unwrap();
            let written = PortTable { path: path.clone(), text: "t".to_owned() }.write(&state);
            assert_eq!(written.is_ok(), is_followed);
            assert!(path.is_symlink());
            assert_eq!(fs::read_to_string(&target).unwrap().contains(END), is_followed);
        }
    }

    #[test]
    fn what_is_no_file_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let table = PortTable { path: place.path().to_owned(), text: "t".to_owned() };
        assert!(table.write(Path::new("/state")).is_err());
    }

    proptest! {
        #[test]
        fn all_that_is_not_the_table_is_kept_byte_by_byte(
            before: Vec<u8>, after: Vec<u8>, marked: bool,
        ) {
            let mut document = before.clone();
            if marked {
                // Markers begin lines.
                document.extend_from_slice(b"\n");
                document.extend_from_slice(block("old").as_bytes());
                document.extend_from_slice(&after);
            }
            let once = with_table(Some(&document), "new");
            let again = with_table(Some(&once), "newer");
            if marked {
                let expected = [&before[..], b"\n", block("newer").as_bytes(), &after].concat();
                prop_assert_eq!(again, expected);
            } else {
                prop_assert!(before.is_empty() || again.starts_with(&before));
            }
        }
    }
}
