//! A file system in memory whose power can be cut: what was not synced is lost, cut, torn or zeroed, and of
//! the names that changed, any may have reached the disk.
//!
//! Only for the self-test; one process uses it. Harsher than any journal: each change of names is kept or lost
//! by itself, whatever came before it. One rename is never half done.

use super::{
    error::StoreError,
    lock::{StateLock, Waiting},
    storage::{Access, Storage, Stored},
};
use rustix::io::Errno;
use std::{
    cell::RefCell, collections::BTreeMap, io, os::unix::net::UnixListener, path::Path, rc::Rc,
};

/// Into so many pieces a file is cut, to choose where a loss begins.
const PIECES: usize = 4;

/// Chooses one of so many ways.
pub type Choose<'a> = dyn FnMut(usize) -> usize + 'a;

/// Names, and the files that have them.
type Names = BTreeMap<String, usize>;

/// A directory of such a file system.
#[derive(Debug, Clone)]
pub struct Memory {
    machine: Rc<RefCell<Machine>>,
    /// Where it is: empty, or with a slash at its end.
    folder: String,
}

/// The file system, and its power.
#[derive(Debug, Clone, Default)]
struct Machine {
    files: Vec<Content>,
    names: Names,
    synced_names: Names,
    /// What changed since then: one element for each operation, with the names that it gave and took.
    changes: Vec<Vec<(String, Option<usize>)>>,
    /// So many operations are still done before the power is cut; none: it never is.
    left: Option<u32>,
    /// It was cut.
    off: bool,
}

/// What is in a file.
#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::from(Machine::default())
    }
}

impl From<Machine> for Memory {
    fn from(machine: Machine) -> Self {
        Self { machine: Rc::new(RefCell::new(machine)), folder: String::new() }
    }
}

impl Memory {
    /// Cuts the power at the operation after so many: from then on, all of them fail.
    pub fn cut_after(&self, operations: u32) {
        self.machine.borrow_mut().left = Some(operations);
    }

    /// The power was never gone, only a process: all that it did is there.
    pub fn restart(&self) {
        let mut machine = self.machine.borrow_mut();
        (machine.left, machine.off) = (None, false);
    }

    /// Whether the power is cut.
    pub fn is_off(&self) -> bool {
        self.machine.borrow().off
    }

    /// The machine when its power comes back: one of the states in which its disk may be.
    #[must_use]
    pub fn after_power_cut(&self, choose: &mut Choose<'_>) -> Self {
        let machine = self.machine.borrow();
        let mut names = machine.synced_names.clone();
        for change in &machine.changes {
            if choose(2) == 1 {
                apply(change, &mut names);
            }
        }
        let mut files = machine.files.clone();
        for file in names.values() {
            let content = &mut files[*file];
            content.now = content.after_power_cut(choose);
            content.synced.clone_from(&content.now);
        }
        Self::from(Machine { files, synced_names: names.clone(), names, ..Machine::default() })
    }

    /// One operation that changes something, if there is power for it.
    fn spend(&self) -> Result<(), Errno> {
        let machine = &mut *self.machine.borrow_mut();
        match &mut machine.left {
            Some(0) => machine.off = true,
            Some(left) => *left -= 1,
            None => {}
        }
        if machine.off { Err(Errno::IO) } else { Ok(()) }
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }

    fn file(&self, name: &str) -> Result<usize, Errno> {
        self.machine.borrow().names.get(&self.path(name)).copied().ok_or(Errno::NOENT)
    }

    fn change(&self, change: Vec<(String, Option<usize>)>) -> Result<(), Errno> {
        self.spend()?;
        let mut machine = self.machine.borrow_mut();
        apply(&change, &mut machine.names);
        machine.changes.push(change);
        Ok(())
    }
}

fn apply(change: &[(String, Option<usize>)], names: &mut Names) {
    for (name, file) in change {
        match file {
            Some(file) => names.insert(name.clone(), *file),
            None => names.remove(name),
        };
    }
}

impl Content {
    fn after_power_cut(&self, choose: &mut Choose<'_>) -> Vec<u8> {
        if self.now == self.synced {
            return self.now.clone();
        }
        let way = choose(5);
        if way < 2 {
            return if way == 0 { self.synced.clone() } else { self.now.clone() };
        }
        let place = self.now.len() * choose(PIECES) / PIECES;
        match way {
            2 => self.now[..place].to_vec(),
            // The length has reached the disk, and not all of what was written.
            3 => {
                let mut zeroed = self.now[..place].to_vec();
                zeroed.resize(self.now.len(), 0);
                zeroed
            }
            // The pages have not reached it in their order.
            _ => {
                let mut torn = self.synced.clone();
                torn.resize(self.now.len(), 0);
                torn[place..].copy_from_slice(&self.now[place..]);
                torn
            }
        }
    }
}

/// A file of it, open.
#[derive(Debug)]
pub struct MemoryFile {
    memory: Memory,
    file: usize,
}

impl MemoryFile {
    fn with<T>(&self, deed: impl FnOnce(&mut Content) -> T) -> T {
        deed(&mut self.memory.machine.borrow_mut().files[self.file])
    }
}

impl Storage for Memory {
    type File = MemoryFile;

    fn open(&self, name: &str, access: Access) -> Result<MemoryFile, Errno> {
        let file = match (self.file(name), access) {
            (Ok(_), Access::New) => return Err(Errno::EXIST),
            (Ok(file), _) => file,
            (Err(_), Access::Write | Access::Append | Access::New) => {
                let file = self.machine.borrow().files.len();
                self.change(vec![(self.path(name), Some(file))])?;
                self.machine.borrow_mut().files.push(Content::default());
                file
            }
            (Err(errno), Access::Read | Access::Update) => return Err(errno),
        };
        Ok(MemoryFile { memory: self.clone(), file })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        let file = self.file(from)?;
        self.change(vec![(self.path(from), None), (self.path(to), Some(file))])
    }

    fn exchange(&self, one: &str, other: &str) -> Result<(), Errno> {
        let (left, right) = (self.file(one)?, self.file(other)?);
        self.change(vec![(self.path(one), Some(right)), (self.path(other), Some(left))])
    }

    fn unlink(&self, name: &str) -> Result<(), Errno> {
        self.file(name)?;
        self.change(vec![(self.path(name), None)])
    }

    fn has(&self, name: &str) -> bool {
        self.file(name).is_ok()
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let machine = self.machine.borrow();
        let names = machine.names.keys().filter_map(|name| name.strip_prefix(&self.folder));
        Ok(names.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }

    fn sync(&self) -> Result<(), Errno> {
        self.spend()?;
        let machine = &mut *self.machine.borrow_mut();
        let is_here = |change: &Vec<(String, Option<usize>)>| {
            change.iter().all(|(name, _)| name.contains('/') != self.folder.is_empty())
        };
        for change in machine.changes.extract_if(.., |change| is_here(change)) {
            apply(&change, &mut machine.synced_names);
        }
        Ok(())
    }

    fn below(&self, name: &str) -> io::Result<Self> {
        Ok(Self { machine: Rc::clone(&self.machine), folder: format!("{name}/") })
    }

    fn is_below(&self, above: &Self, name: &str) -> bool {
        self.folder == above.path(&format!("{name}/"))
    }

    fn lock(&self, _: &Path, _: &Waiting<'_>) -> Result<StateLock, StoreError> {
        Ok(StateLock::unshared())
    }

    fn share_lock(&self, _: &Path) -> Result<StateLock, StoreError> {
        Ok(StateLock::unshared())
    }

    fn listen(&self, _: &str) -> io::Result<UnixListener> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Stored for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.with(|content| content.now.len()) as u64)
    }

    fn read(&self, most: u64) -> io::Result<Vec<u8>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(self.with(|content| content.now[..most.min(content.now.len())].to_vec()))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let range = place(offset, buffer.len())?;
        self.with(|content| match content.now.get(range) {
            Some(text) => {
                buffer.copy_from_slice(text);
                Ok(())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        })
    }

    fn write_at(&self, text: &[u8], offset: u64) -> io::Result<()> {
        let range = place(offset, text.len())?;
        if self.memory.is_off() {
            return Err(Errno::IO.into());
        }
        // A half of it, when the power goes.
        let powered = self.memory.spend();
        let text = if powered.is_ok() { text } else { &text[..text.len() / 2] };
        let range = range.start..range.start + text.len();
        self.with(|content| {
            if content.now.len() < range.end {
                content.now.resize(range.end, 0);
            }
            content.now[range].copy_from_slice(text);
        });
        Ok(powered?)
    }

    fn append(&self, text: &[u8]) -> io::Result<()> {
        self.write_at(text, self.length()?)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.memory.spend()?;
        let length = place(length, 0)?.start;
        self.with(|content| content.now.resize(length, 0));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.memory.spend()?;
        self.with(|content| content.synced.clone_from(&content.now));
        Ok(())
    }

    fn hold(&self) -> io::Result<()> {
        Ok(())
    }

    fn is_held(&self) -> io::Result<bool> {
        Ok(false)
    }

    fn has_name(&self) -> bool {
        self.memory.machine.borrow().names.values().any(|file| *file == self.file)
    }
}

fn place(offset: u64, length: usize) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
    Ok(start..start + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that a file may be after the power was cut.
    fn states(memory: &Memory, name: &str) -> std::collections::BTreeSet<Option<Vec<u8>>> {
        let mut found = std::collections::BTreeSet::new();
        for seed in 0..4096 {
            let mut dice = seed;
            let after = memory.after_power_cut(&mut |ways| {
                let chosen = dice % ways;
                dice /= ways;
                chosen
            });
            let file = Storage::open(&after, name, Access::Read);
            found.insert(file.ok().map(|file| Stored::read(&file, 99).unwrap()));
        }
        found
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_may_be_lost_cut_torn_or_zeroed() {
        let memory = Memory::default();
        let file = Storage::open(&memory, "a", Access::Write).unwrap();
        file.write_at(b"old!", 0).unwrap();
        Stored::sync(&file).unwrap();
        assert_eq!(states(&memory, "a"), [None, Some(b"old!".to_vec())].into());
        Storage::sync(&memory).unwrap();
        assert_eq!(states(&memory, "a"), [Some(b"old!".to_vec())].into());
        file.write_at(b"new?", 0).unwrap();
        let found = states(&memory, "a");
        for state in ["old!", "new?", "", "ne", "ne\0\0", "olw?"] {
            assert!(found.contains(&Some(state.as_bytes().to_vec())), "{state}: {found:?}");
        }
        assert!(!found.contains(&None));
    }

    #[test]
    fn names_reach_the_disk_in_any_order_but_never_by_halves() {
        let memory = Memory::default();
        for name in ["a", "b"] {
            let file = Storage::open(&memory, name, Access::Write).unwrap();
            file.append(name.as_bytes()).unwrap();
            Stored::sync(&file).unwrap();
        }
        Storage::sync(&memory).unwrap();
        memory.exchange("a", "b").unwrap();
        assert_eq!(states(&memory, "a"), [Some(b"a".to_vec()), Some(b"b".to_vec())].into());
        memory.rename("a", "c").unwrap();
        assert_eq!(states(&memory, "c"), [None, Some(b"b".to_vec())].into());
    }

    #[test]
    fn without_power_nothing_is_done() {
        let memory = Memory::default();
        memory.cut_after(1);
        let file = Storage::open(&memory, "a", Access::Write).unwrap();
        assert!(!memory.is_off());
        assert!(file.append(b"four").is_err());
        assert!(memory.is_off());
        assert!(memory.unlink("a").is_err());
        assert_eq!(Stored::read(&file, 9).unwrap(), b"fo");
    }
}
