//! Simulated files in memory: what `mmap(2)` gives to a guest.
//!
//! A file that is mapped shared has a copy in memory of the machine (`memfd_create(2)`), which all
//! its mappings of a process show, so that they are coherent among each other. What the guest
//! stores there reaches the simulated file when the guest syncs it or unmaps it, when somebody
//! reads or writes the file by a call, and when the process goes down: as the kernel's page cache
//! may write it back at any time. What is written by calls of std or C is copied to the mappings;
//! `tokio::fs` does not know of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;

use crate::files::{FileCalls, FileStatus};
use crate::ids::{Boot, Fd, NodeId};
use crate::world::World;

/// What is compared and written back at once.
const PAGE: usize = 4096;

/// A process's file: node, boot, volume, inode.
pub(crate) type Key = (NodeId, Boot, u64, u64);

/// A file that is mapped shared.
pub(crate) struct MappedFile {
    /// Its copy in memory of the machine.
    pub(crate) memory: Rc<File>,
    /// What the simulated file holds, as far as the copy knows.
    shadow: Vec<u8>,
    /// A descriptor of our own: the guest may close its own and keep the mapping.
    pub(crate) keeper: Fd,
    is_writable: bool,
    /// Mappings of it.
    pub(crate) uses: usize,
}

/// A piece of the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MappedRange {
    pub(crate) length: usize,
    pub(crate) file: Key,
}

/// All mappings of simulated files.
#[derive(Default)]
pub(crate) struct Mappings {
    /// How many ranges there are: the one look that everybody else pays.
    count: Cell<usize>,
    files: RefCell<BTreeMap<Key, MappedFile>>,
    ranges: RefCell<BTreeMap<usize, MappedRange>>,
}

impl Mappings {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.get() == 0
    }

    /// Notes a range, which counts as a use of its file.
    pub(crate) fn add(&self, at: usize, range: MappedRange) {
        if let Some(file) = self.files.borrow_mut().get_mut(&range.file) {
            file.uses += 1;
        }
        self.ranges.borrow_mut().insert(at, range);
        self.count.set(self.count.get() + 1);
    }

    /// The ranges that overlap with `at..at + length`.
    pub(crate) fn within(&self, at: usize, length: usize) -> Vec<(usize, MappedRange)> {
        let end = at.saturating_add(length);
        let ranges = self.ranges.borrow();
        let overlapping = ranges.range(..end);
        overlapping
            .filter(|(start, range)| **start + range.length > at)
            .map(|(start, range)| (*start, *range))
            .collect()
    }

    /// Forgets `at..at + length`; what of a range is left on either side stays. Gives back the
    /// descriptors of files that have no range any more.
    pub(crate) fn remove(&self, at: usize, length: usize) -> Vec<Fd> {
        let end = at.saturating_add(length);
        let mut closed = Vec::new();
        for (start, range) in self.within(at, length) {
            self.ranges.borrow_mut().remove(&start);
            self.count.set(self.count.get() - 1);
            let last = start + range.length;
            let left = [(start, at.min(last)), (end.max(start), last)];
            for (from, to) in left.into_iter().filter(|(from, to)| from < to) {
                let length = to - from;
                self.add(from, MappedRange { length, ..range });
            }
            let mut files = self.files.borrow_mut();
            if let Some(file) = files.get_mut(&range.file) {
                file.uses -= 1;
                if file.uses == 0 {
                    closed.push(file.keeper);
                    files.remove(&range.file);
                }
            }
        }
        closed
    }

    /// The memory of a file that is mapped already.
    pub(crate) fn memory(&self, key: Key, is_writable: bool) -> Option<Rc<File>> {
        let mut files = self.files.borrow_mut();
        let file = files.get_mut(&key)?;
        file.is_writable |= is_writable;
        Some(Rc::clone(&file.memory))
    }

    /// A file is mapped for the first time: fills its memory.
    pub(crate) fn load(
        &self,
        key: Key,
        (file, keeper): (&dyn FileCalls, Fd),
        memory: File,
        is_writable: bool,
    ) -> io::Result<Rc<File>> {
        let shadow = content(file, keeper)?;
        memory.set_len(shadow.len() as u64)?;
        memory.write_all_at(&shadow, 0)?;
        let memory = Rc::new(memory);
        let mapped = MappedFile {
            memory: Rc::clone(&memory),
            shadow,
            keeper,
            is_writable,
            uses: 0,
        };
        self.files.borrow_mut().insert(key, mapped);
        Ok(memory)
    }

    /// The descriptor that keeps a file open.
    pub(crate) fn keeper(&self, key: Key) -> Option<Fd> {
        self.files.borrow().get(&key).map(|file| file.keeper)
    }

    /// Runs what may leave a file without a range for a moment.
    pub(crate) fn hold(&self, key: Key, run: impl FnOnce()) {
        let count = |by: isize| {
            if let Some(file) = self.files.borrow_mut().get_mut(&key) {
                file.uses = file.uses.saturating_add_signed(by);
            }
        };
        count(1);
        run();
        count(-1);
    }

    fn keys_of(&self, node: NodeId, boot: Boot) -> Vec<Key> {
        let files = self.files.borrow();
        let of = |key: &&Key| (key.0, key.1) == (node, boot);
        files.keys().filter(of).copied().collect()
    }
}

/// All that a simulated file holds.
fn content(file: &dyn FileCalls, fd: Fd) -> io::Result<Vec<u8>> {
    let size = usize::try_from(file.status(fd)?.size).map_err(|_| no_memory())?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| no_memory())?;
    bytes.resize(size, 0);
    let mut filled = 0;
    while filled < size {
        match file.pread(fd, &mut bytes[filled..], filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(bytes)
}

fn no_memory() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOMEM)
}

impl World {
    /// The name of a file for its mappings, in the running process.
    pub(crate) fn mapping_key(&self, status: FileStatus) -> Key {
        let (node, boot) = (self.current_node(), self.current_boot());
        (node, boot, status.volume, status.inode)
    }

    /// Writes back what the guest stored in a file's mappings.
    ///
    /// # Errors
    /// Those of pwrite(2): what could not be written is tried again the next time.
    pub(crate) fn write_back(&self, key: Key) -> io::Result<()> {
        let result = self.with_mapped(key, |mapped, file| match mapped.is_writable {
            true => mapped.write_back(file),
            false => Ok(()),
        });
        result.unwrap_or(Ok(()))
    }

    /// Works on a mapped file, with nothing borrowed: what the disk does may end the process.
    fn with_mapped(
        &self,
        key: Key,
        run: impl FnOnce(&mut MappedFile, &dyn FileCalls) -> io::Result<()>,
    ) -> Option<io::Result<()>> {
        let mut mapped = self.mappings.files.borrow_mut().remove(&key)?;
        let result = match self.description(mapped.keeper) {
            Ok(description) => match description.as_file() {
                Some(file) => run(&mut mapped, file),
                None => Ok(()),
            },
            Err(error) => Err(error),
        };
        self.mappings.files.borrow_mut().insert(key, mapped);
        Some(result)
    }

    /// Runs a call that reads a file: it finds what was stored in the file's mappings.
    #[inline]
    pub(crate) fn before_reading(&self, file: &dyn FileCalls, fd: Fd) -> io::Result<()> {
        match self.mappings.is_empty() {
            true => Ok(()),
            false => self.write_back(self.mapping_key(file.status(fd)?)),
        }
    }

    /// Runs a call that changes a file: the file's mappings show it afterwards.
    #[inline]
    pub(crate) fn while_writing<T>(
        &self,
        (file, fd): (&dyn FileCalls, Fd),
        run: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        if self.mappings.is_empty() {
            return run();
        }
        let key = self.mapping_key(file.status(fd)?);
        self.write_back(key)?;
        let result = run();
        match self.with_mapped(key, MappedFile::reload) {
            Some(Err(error)) => Err(error),
            _ => result,
        }
    }

    /// A process goes down: what it stored in mappings is in the page cache, and no more can be.
    pub(crate) fn end_mappings(&self, node: NodeId, boot: Boot) {
        if self.mappings.is_empty() {
            return;
        }
        for key in self.mappings.keys_of(node, boot) {
            // A disk that fails loses what it fails to write.
            drop(self.write_back(key));
            self.mappings.files.borrow_mut().remove(&key);
        }
    }
}

impl MappedFile {
    fn write_back(&mut self, file: &dyn FileCalls) -> io::Result<()> {
        let flags = file.flags();
        // pwrite(2) appends to such a file, wherever it is told to write.
        file.set_flags(flags & !libc::O_APPEND);
        let written = self.write_pages(file);
        file.set_flags(flags);
        written
    }

    fn write_pages(&mut self, file: &dyn FileCalls) -> io::Result<()> {
        let mut page = [0; PAGE];
        for (index, known) in self.shadow.chunks_mut(PAGE).enumerate() {
            let at = (index * PAGE) as u64;
            let page = &mut page[..known.len()];
            self.memory.read_exact_at(page, at)?;
            let differs = |pair: (&u8, &u8)| pair.0 != pair.1;
            let Some(first) = page.iter().zip(&*known).position(differs) else {
                continue;
            };
            let last = page.iter().zip(&*known).rposition(differs).unwrap_or(first);
            let changed = &page[first..=last];
            let mut done = 0;
            while done < changed.len() {
                let to = at + (first + done) as u64;
                done += file.pwrite(self.keeper, &changed[done..], to)?;
            }
            known[first..=last].copy_from_slice(changed);
        }
        Ok(())
    }

    fn reload(&mut self, file: &dyn FileCalls) -> io::Result<()> {
        let now = content(file, self.keeper)?;
        if now.len() != self.shadow.len() {
            self.memory.set_len(now.len() as u64)?;
        }
        self.memory.write_all_at(&now, 0)?;
        self.shadow = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, MappedRange, Mappings};
    use crate::ids::{Boot, NodeId};

    const FILE: Key = (NodeId(1), Boot(1), 1, 2);

    #[test]
    fn what_is_unmapped_in_the_middle_leaves_both_ends() {
        let mappings = Mappings::default();
        let range = |length| MappedRange { length, file: FILE };
        mappings.add(0x10_000, range(0x4000));
        assert_eq!(mappings.within(0x13_fff, 1), [(0x10_000, range(0x4000))]);
        assert_eq!(mappings.within(0x14_000, 1), []);
        mappings.remove(0x11_000, 0x1000);
        let left = [(0x10_000, range(0x1000)), (0x12_000, range(0x2000))];
        assert_eq!(mappings.within(0, usize::MAX), left);
        mappings.remove(0, usize::MAX);
        assert!(mappings.is_empty());
    }
}
