//! A log and the copies of what was cut off from it, read as one text from a chosen place on.
//!
//! No byte is read twice or left out while the log is cut: the keeper gives a copy its name before it
//! cuts, so what was read of the log counts if no copy has come meanwhile, and is read from the copy
//! else. Waiting for more is left to `follow`.

use super::{identity, marks::length_before, numbered};
use nix::fcntl::OFlag;
use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A file is read backwards in pieces of this size.
const BLOCK_BYTES: usize = 8192;
/// More of a log's end is never held in memory: lines for a message, not a copy.
const TAIL_BYTES_MAX: usize = 256 * 1024;

/// Reads on and on. What was not there yet may be there when it is asked again.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    place: Option<Place>,
}

/// Where it reads.
#[derive(Debug)]
struct Place {
    file: File,
    offset: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A copy, which nobody writes any more.
    Copy,
    /// The log itself, and the youngest copy, held open so that its number is no other file's.
    Log { youngest: Option<File> },
}

/// Where a reader begins: where both say that what follows is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Begin {
    /// So many lines before the end.
    pub lines: usize,
    /// With what was written since, in ms since 1970, and perhaps a little of what came before.
    pub since: Option<i64>,
}

impl Reader {
    /// Begins so many lines before the end; also of a log that is not there yet.
    pub fn of_last_lines(path: &Path, lines: usize) -> io::Result<Self> {
        Self::new(path, Begin { lines, since: None })
    }

    /// Begins there; also of a log that is not there yet.
    pub fn new(path: &Path, Begin { lines, since }: Begin) -> io::Result<Self> {
        let mut reader = Self { path: path.to_owned(), place: None };
        let _lock = reader.lock()?;
        let mut files: Vec<(File, bool)> =
            reader.log()?.map(|log| (log, true)).into_iter().collect();
        files.extend(reader.copies()?.into_iter().map(|copy| (copy, false)));
        let (mut left, mut is_end) = (lines, true);
        let has_log = files.first().is_some_and(|(_, is_log)| *is_log);
        let count = files.len();
        for (index, (file, is_log)) in files.into_iter().enumerate() {
            let end = file.metadata()?.len();
            // All of them: nothing has to be counted.
            let all = lines == usize::MAX;
            let start = if all { None } else { start_of_last(&file, end, &mut left, is_end)? };
            is_end &= end == 0;
            let number = u32::try_from(index + usize::from(!has_log)).unwrap_or(u32::MAX);
            let named = if is_log { path.to_owned() } else { numbered(path, number) };
            let old = since.and_then(|since| length_before(&named, since));
            let start = start.max(old.map(|old| old.min(end)));
            if start.is_some() || index + 1 == count {
                let kind = if is_log { reader.log_kind()? } else { Kind::Copy };
                reader.place = Some(Place { file, offset: start.unwrap_or(0), kind });
                break;
            }
        }
        Ok(reader)
    }

    /// Reads on. Nothing read means that there is no more by now.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(place) = &mut self.place else {
                if self.begin_log()? {
                    continue;
                }
                return Ok(0);
            };
            let length = place.file.read_at(buffer, place.offset)?;
            match &place.kind {
                Kind::Copy if length == 0 => {
                    self.after_copy()?;
                    continue;
                }
                Kind::Copy => {}
                Kind::Log { youngest } => {
                    if !is_same(youngest.as_ref(), open(&numbered(&self.path, 1))?.as_ref())? {
                        self.find_copy()?;
                        continue;
                    }
                    if length == 0 {
                        if place.file.metadata()?.len() < place.offset {
                            // Cut without a copy.
                            place.offset = 0;
                            continue;
                        }
                        if self.is_replaced()? && self.begin_log()? {
                            continue;
                        }
                        return Ok(0);
                    }
                }
            }
            place.offset += u64::try_from(length).unwrap_or(u64::MAX);
            return Ok(length);
        }
    }

    /// The last lines of what is still to be read, or what of them fits into the memory set aside.
    pub fn last_lines(mut self, lines: usize) -> io::Result<Vec<String>> {
        let (mut text, mut block) = (Vec::new(), vec![0; BLOCK_BYTES]);
        loop {
            let length = self.read(&mut block)?;
            text.extend_from_slice(&block[..length]);
            if length == 0 || text.len() > 2 * TAIL_BYTES_MAX {
                let surplus = text.len().saturating_sub(TAIL_BYTES_MAX);
                text.drain(..surplus);
            }
            if length == 0 {
                break;
            }
        }
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        let first = all.len().saturating_sub(lines);
        Ok(all[first..].iter().map(|line| (*line).to_owned()).collect())
    }

    /// The log that is being read, where it is one and not a copy.
    pub(super) fn current_log(&self) -> Option<&File> {
        self.place
            .as_ref()
            .filter(|place| matches!(place.kind, Kind::Log { .. }))
            .map(|it| &it.file)
    }

    /// Holds off who cuts the log, for a moment.
    fn lock(&self) -> io::Result<File> {
        let folder = File::open(self.path.parent().unwrap_or(Path::new(".")))?;
        folder.lock_shared()?;
        Ok(folder)
    }

    fn log(&self) -> io::Result<Option<File>> {
        open(&self.path)
    }

    fn log_kind(&self) -> io::Result<Kind> {
        Ok(Kind::Log { youngest: open(&numbered(&self.path, 1))? })
    }

    /// The copies, the youngest first.
    fn copies(&self) -> io::Result<Vec<File>> {
        (1..).map_while(|number| open(&numbered(&self.path, number)).transpose()).collect()
    }

    /// Begins the log that has the name now.
    fn begin_log(&mut self) -> io::Result<bool> {
        let _lock = self.lock()?;
        let Some(file) = self.log()? else { return Ok(false) };
        let kind = self.log_kind()?;
        self.place = Some(Place { file, offset: 0, kind });
        Ok(true)
    }

    /// Whether another log than the one that is read has its name.
    fn is_replaced(&self) -> io::Result<bool> {
        let named = self.log()?;
        // Gone, it may still be written to by who has it open.
        Ok(named.is_some() && !is_same(self.current_log(), named.as_ref())?)
    }

    /// A copy is read to its end: the next younger one, or the log.
    fn after_copy(&mut self) -> io::Result<()> {
        let _lock = self.lock()?;
        let mut copies = self.copies()?;
        let Some(read) = self.place.take() else { return Ok(()) };
        let found = position(Some(&read.file), &copies)?;
        // What was read of the log beyond what was cut off from it is at the beginning of the next file.
        let offset = read.offset.saturating_sub(read.file.metadata()?.len());
        // It was thrown away meanwhile: what is left begins with the oldest one.
        let next = found.unwrap_or(copies.len()).checked_sub(1);
        self.place = match next {
            Some(next) => Some(Place { file: copies.swap_remove(next), offset, kind: Kind::Copy }),
            None => match self.log()? {
                Some(file) => Some(Place { file, offset, kind: self.log_kind()? }),
                None => None,
            },
        };
        Ok(())
    }

    /// The log was cut: what was not read of it yet is in the copy that came after the youngest of then.
    fn find_copy(&mut self) -> io::Result<()> {
        let _lock = self.lock()?;
        let mut copies = self.copies()?;
        let Some(Place { kind: Kind::Log { youngest }, offset, .. }) = &mut self.place else {
            return Ok(());
        };
        if copies.is_empty() {
            // All copies were thrown away, which is no cut.
            *youngest = None;
            return Ok(());
        }
        let known = position(youngest.as_ref(), &copies)?;
        let is_missed = youngest.is_some() && known.is_none();
        let offset = if is_missed { 0 } else { *offset };
        let next = known.unwrap_or(copies.len()).saturating_sub(1);
        self.place = Some(Place { file: copies.swap_remove(next), offset, kind: Kind::Copy });
        Ok(())
    }
}

/// The file of that name, if there is one. A symbolic link is not followed, a named pipe not waited for.
fn open(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    match File::options().read(true).custom_flags(flags.bits()).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

fn is_same(one: Option<&File>, other: Option<&File>) -> io::Result<bool> {
    Ok(match (one, other) {
        (Some(one), Some(other)) => identity(&one.metadata()?) == identity(&other.metadata()?),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    })
}

fn position(file: Option<&File>, among: &[File]) -> io::Result<Option<usize>> {
    for (index, other) in among.iter().enumerate() {
        if file.is_some() && is_same(file, Some(other))? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// Where the last lines before `end` begin, if it is in this file; else so many fewer are `left`. A line
/// without its newline counts as one; the newline at the very end of the text begins none.
fn start_of_last(file: &File, end: u64, left: &mut usize, is_end: bool) -> io::Result<Option<u64>> {
    if *left == 0 {
        return Ok(Some(end));
    }
    let mut block = [0; BLOCK_BYTES];
    let mut position = end;
    while position > 0 {
        let length = usize::try_from(position).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let part = &mut block[..length];
        position -= u64::try_from(length).unwrap_or(position);
        match file.read_exact_at(part, position) {
            // Cut to nothing meanwhile.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(0)),
            read => read?,
        }
        for (index, _) in part.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = position + u64::try_from(index).unwrap_or(0) + 1;
            if is_end && after == end {
                continue;
            }
            *left -= 1;
            if *left == 0 {
                return Ok(Some(after));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The last lines of a log of these copies, the youngest last.
    fn check(parts: &[&str], lines: usize, expected: &str) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("web.log");
        let (log, copies) = parts.split_last().unwrap();
        fs::write(&path, log).unwrap();
        for (number, text) in (1..).zip(copies.iter().rev()) {
            fs::write(numbered(&path, number), text).unwrap();
        }
        let mut reader = Reader::of_last_lines(&path, lines).unwrap();
        assert_eq!(rest(&mut reader), expected, "{lines} of {parts:?}");
    }

    fn rest(reader: &mut Reader) -> String {
        let (mut text, mut buffer) = (Vec::new(), [0; 7]);
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => return String::from_utf8(text).unwrap(),
                length => text.extend_from_slice(&buffer[..length]),
            }
        }
    }

    #[test]
    fn copies_and_log_are_one_text() {
        let torn = ["one\ntw", "o\nthree\n", "four\nfi", "ve"];
        for (lines, expected) in [
            (0, ""),
            (1, "five"),
            (2, "four\nfive"),
            (3, "three\nfour\nfive"),
            (4, "two\nthree\nfour\nfive"),
            (5, "one\ntwo\nthree\nfour\nfive"),
            (usize::MAX, "one\ntwo\nthree\nfour\nfive"),
        ] {
            check(&torn, lines, expected);
        }
        check(&["one\n", "two\n", ""], 1, "two\n");
        check(&["one\n", "two\n", ""], 2, "one\ntwo\n");
        check(&["one\n", "two\n"], 1, "two\n");
        check(&[""], 3, "");
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        let long = "x".repeat(BLOCK_BYTES * 2);
        let text = format!("first\n{long}\n\nlast");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &text).unwrap();
        let all = ["first", &long, "", "last"];
        for lines in 0..6 {
            let expected = &all[4 - lines.min(4)..];
            let reader = Reader::of_last_lines(file.path(), lines).unwrap();
            assert_eq!(reader.last_lines(lines).unwrap(), expected, "{lines}");
        }
    }

    #[test]
    fn of_an_endless_line_only_the_end_is_held() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(TAIL_BYTES_MAX as u64 * 3).unwrap();
        let reader = Reader::of_last_lines(file.path(), 10).unwrap();
        let lines = reader.last_lines(10).unwrap();
        assert_eq!(lines.iter().map(String::len).sum::<usize>(), TAIL_BYTES_MAX);
    }

    #[test]
    fn what_was_cut_off_before_it_was_read_is_read_from_the_copies() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("web.log");
        fs::write(&path, "one\n").unwrap();
        let mut reader = Reader::of_last_lines(&path, usize::MAX).unwrap();
        assert_eq!(rest(&mut reader), "one\n");
        // Two cuts between two looks, the first amid a line.
        fs::write(numbered(&path, 2), "one\ntw").unwrap();
        fs::write(numbered(&path, 1), "o\nthree\n").unwrap();
        fs::write(&path, "four\n").unwrap();
        assert_eq!(rest(&mut reader), "two\nthree\nfour\n");
        // One more than there were, and the oldest is thrown away.
        fs::rename(numbered(&path, 1), numbered(&path, 2)).unwrap();
        fs::write(numbered(&path, 1), "four\nfive\n").unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(rest(&mut reader), "five\n");
        fs::remove_file(numbered(&path, 2)).unwrap();
        fs::remove_file(numbered(&path, 1)).unwrap();
        fs::write(&path, "six\n").unwrap();
        assert_eq!(rest(&mut reader), "six\n");
    }
}
