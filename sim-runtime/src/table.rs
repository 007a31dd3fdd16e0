//! The descriptor table: simulated file descriptors, shared by every front end.
//!
//! A number is never used twice in a run, so a descriptor held by code that outlived its process
//! is stale, never somebody else's.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use slab::Slab;

use crate::device::Description;
use crate::ids::{Boot, FaultId, Fd, NodeId};
use crate::nodes::Down;
use crate::report::describe_descriptor;
use crate::typed::Typed;
use crate::world::World;

/// Errors with the numbers of Linux.
pub(crate) mod errno {
    pub(crate) const BAD_DESCRIPTOR: i32 = libc::EBADF;
    pub(crate) const TOO_MANY: i32 = libc::EMFILE;
    pub(crate) const NO_PROCESS: i32 = libc::ESRCH;
    pub(crate) const INVALID: i32 = libc::EINVAL;
}

struct Entry {
    node: NodeId,
    boot: Boot,
    description: Typed,
}

/// How many descriptors a node may have open.
const NODE_DESCRIPTORS_MAX: usize = 65_536;

/// The place of a descriptor that is closed.
const CLOSED: u32 = u32::MAX;

/// How many numbers a page has.
const PAGE: usize = 256;

struct Page {
    /// How many of its numbers are not closed yet.
    left: usize,
    /// [`CLOSED`] once it is.
    places: [u32; PAGE],
}

#[derive(Default)]
pub(crate) struct Table {
    entries: Slab<Entry>,
    /// Where the entry of each number is, from [`Fd::BASE`] on. A page whose numbers are all used
    /// and closed is gone: only those of open descriptors take memory.
    pages: Vec<Option<Box<Page>>>,
    /// How many numbers were given out.
    opened: usize,
    /// Descriptors per description, by address; an entry only while there are two or more.
    shared: FxHashMap<usize, u32>,
    /// Each process's descriptors, in order of opening.
    owned: BTreeMap<(NodeId, Boot), BTreeSet<i32>>,
    /// How many descriptors processes of a node may have, by the faults that say so.
    limits: Vec<(FaultId, NodeId, usize)>,
}

impl Table {
    /// The fault by which a process may open no more.
    fn refusing(&self, node: NodeId, boot: Boot) -> Option<FaultId> {
        if self.limits.is_empty() {
            return None;
        }
        let open = self.owned.get(&(node, boot)).map_or(0, BTreeSet::len);
        let mut limits = self.limits.iter();
        let found = limits.find(|(_, of, most)| *of == node && open >= *most);
        found.map(|(fault, ..)| *fault)
    }

    fn insert(&mut self, node: NodeId, boot: Boot, d: Rc<dyn Description>) -> io::Result<Fd> {
        let owned = self.owned.entry((node, boot)).or_default();
        if owned.len() >= NODE_DESCRIPTORS_MAX {
            return Err(os(errno::TOO_MANY));
        }
        let opened = i32::try_from(self.opened).expect("fewer than 2^30 opened in a run");
        let number = Fd::BASE + opened;
        owned.insert(number);
        let place = self.entries.insert(Entry {
            node,
            boot,
            description: Typed::new(d),
        });
        let place = u32::try_from(place).expect("fewer than 2^32 open at a time");
        let (page, index) = (self.opened / PAGE, self.opened % PAGE);
        self.opened += 1;
        if self.pages.len() <= page {
            self.pages.push(Some(Box::new(Page {
                left: PAGE,
                places: [CLOSED; PAGE],
            })));
        }
        let page = self.pages[page]
            .as_mut()
            .expect("a page whose numbers are not used up is there");
        page.places[index] = place;
        Ok(Fd(number))
    }

    #[inline]
    fn get(&self, number: i32) -> Option<&Entry> {
        let index = index(number);
        let page = self.pages.get(index / PAGE)?.as_ref()?;
        self.entries.get(page.places[index % PAGE] as usize)
    }

    /// Opens a number that was closed once more; false when it was never open.
    fn reopen(&mut self, (node, boot): (NodeId, Boot), fd: Fd, d: Rc<dyn Description>) -> bool {
        let index = index(fd.0);
        if index >= self.opened {
            return false;
        }
        let place = self.entries.insert(Entry {
            node,
            boot,
            description: Typed::new(d),
        });
        let page = self.pages[index / PAGE].get_or_insert_with(|| {
            Box::new(Page {
                left: 0,
                places: [CLOSED; PAGE],
            })
        });
        page.left += 1;
        page.places[index % PAGE] = u32::try_from(place).expect("fewer than 2^32 open at a time");
        self.owned.entry((node, boot)).or_default().insert(fd.0);
        true
    }

    fn replace(&mut self, fd: Fd, description: Rc<dyn Description>) {
        let index = index(fd.0);
        let page = self.pages.get(index / PAGE).and_then(Option::as_ref);
        let entry = page.and_then(|page| self.entries.get_mut(page.places[index % PAGE] as usize));
        if let Some(entry) = entry {
            entry.description = Typed::new(description);
        }
    }

    fn take(&mut self, number: i32) -> Option<Entry> {
        let index = index(number);
        let slot = self.pages.get_mut(index / PAGE)?;
        let page = slot.as_mut()?;
        let place = std::mem::replace(&mut page.places[index % PAGE], CLOSED);
        let entry = self.entries.try_remove(place as usize)?;
        page.left -= 1;
        if page.left == 0 {
            *slot = None;
        }
        Some(entry)
    }

    fn remove(&mut self, fd: Fd) -> Option<Entry> {
        let entry = self.take(fd.0)?;
        let key = (entry.node, entry.boot);
        if let Some(owned) = self.owned.get_mut(&key) {
            owned.remove(&fd.0);
            if owned.is_empty() {
                self.owned.remove(&key);
            }
        }
        Some(entry)
    }

    fn take_process(&mut self, node: NodeId, boot: Boot) -> Vec<Rc<dyn Description>> {
        let numbers = self.owned.remove(&(node, boot)).unwrap_or_default();
        numbers
            .into_iter()
            .filter_map(|number| self.take(number))
            .map(|entry| entry.description.into_inner())
            .collect()
    }

    /// One descriptor less. True: it was the last.
    fn release(&mut self, description: &Rc<dyn Description>) -> bool {
        let address = address(description);
        match self.shared.get_mut(&address) {
            None => true,
            Some(2) => {
                self.shared.remove(&address);
                false
            }
            Some(count) => {
                *count -= 1;
                false
            }
        }
    }

    /// What is still open, in words, in order.
    pub(crate) fn describe(&self) -> Vec<(NodeId, String)> {
        let numbers = self
            .owned
            .iter()
            .flat_map(|(key, set)| set.iter().map(move |n| (key.0, n)));
        numbers
            .filter_map(|(node, number)| {
                let entry = self.get(*number)?;
                let what = entry.description.get().describe();
                Some((node, describe_descriptor(Fd(*number), &what)))
            })
            .collect()
    }

    pub(crate) fn processes(&self) -> Vec<(NodeId, Boot)> {
        self.owned.keys().copied().collect()
    }
}

/// Numbers below the range, which are not ours, come out far beyond it.
#[expect(
    clippy::cast_sign_loss,
    reason = "negative becomes too large, as it should"
)]
#[inline]
const fn index(number: i32) -> usize {
    number.wrapping_sub(Fd::BASE) as usize
}

fn address(description: &Rc<dyn Description>) -> usize {
    Rc::as_ptr(description).cast::<()>() as usize
}

fn os(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

impl World {
    /// Opens a descriptor in the running process.
    ///
    /// # Errors
    /// `EMFILE` at the node's limit; `ESRCH` when the process is dead (code that runs while its
    /// node is being torn down).
    pub fn open(&self, description: Rc<dyn Description>) -> io::Result<Fd> {
        self.open_for(self.current_node(), self.current_boot(), description)
    }

    /// Opens a descriptor in another process.
    ///
    /// # Errors
    /// As [`World::open`].
    pub fn open_for(
        &self,
        node: NodeId,
        boot: Boot,
        description: Rc<dyn Description>,
    ) -> io::Result<Fd> {
        if !self.is_alive(node, boot) {
            return Err(os(errno::NO_PROCESS));
        }
        let refusing = self.table.borrow().refusing(node, boot);
        if let Some(fault) = refusing {
            let what = || format!("{} has no descriptor left", self.node(node).name);
            self.ledger().inject(fault, "descriptors-refused", 1, what);
            self.ledger().observe(fault, "descriptors-refused", what);
            return Err(os(errno::TOO_MANY));
        }
        self.table.borrow_mut().insert(node, boot, description)
    }

    /// From now on the processes of a node may have so many descriptors more than the present one
    /// has, as by `setrlimit`; to open another fails with `EMFILE`, be it a file, a connection or
    /// one that was accepted. Of several faults the narrowest holds.
    pub fn limit_descriptors(&self, fault: FaultId, node: NodeId, spare: usize) {
        let boot = self.boot_of(node);
        let mut table = self.table.borrow_mut();
        let open = table.owned.get(&(node, boot)).map_or(0, BTreeSet::len);
        table.limits.push((fault, node, open + spare));
    }

    /// Ends the limits of a fault.
    pub fn end_descriptor_limits(&self, fault: FaultId) {
        let mut table = self.table.borrow_mut();
        table.limits.retain(|(of, ..)| *of != fault);
    }

    /// What a descriptor refers to.
    ///
    /// # Errors
    /// `EBADF` when it is closed or its process is gone.
    pub fn description(&self, fd: Fd) -> io::Result<Rc<dyn Description>> {
        let table = self.table.borrow();
        let entry = table.get(fd.0).ok_or_else(|| os(errno::BAD_DESCRIPTOR))?;
        Ok(Rc::clone(entry.description.get()))
    }

    /// What a descriptor refers to, as the type its device made it of.
    ///
    /// # Errors
    /// `EBADF` as [`World::description`]; `EINVAL` when it is something else.
    pub fn description_as<T: Description>(&self, fd: Fd) -> io::Result<Rc<T>> {
        let any: Rc<dyn Any> = self.description(fd)?;
        any.downcast().map_err(|_| os(errno::INVALID))
    }

    /// Reads what a descriptor refers to, in place: nothing is cloned. `None`: its device made it
    /// of another type. `read` must not open or close descriptors.
    ///
    /// # Errors
    /// `EBADF` as [`World::description`].
    #[inline]
    pub fn read_description<T: Description, R>(
        &self,
        fd: Fd,
        read: impl FnOnce(&T) -> R,
    ) -> io::Result<Option<R>> {
        let table = self.table.borrow();
        let entry = table.get(fd.0).ok_or_else(|| os(errno::BAD_DESCRIPTOR))?;
        Ok(entry.description.as_one().map(read))
    }

    /// A second descriptor for the same description, in the running process.
    ///
    /// # Errors
    /// `EBADF`, and as [`World::open`].
    pub fn dup(&self, fd: Fd) -> io::Result<Fd> {
        let description = self.description(fd)?;
        let address = address(&description);
        let duplicate = self.open(description)?;
        *self.table.borrow_mut().shared.entry(address).or_insert(1) += 1;
        Ok(duplicate)
    }

    /// `dup2(2)`: another descriptor of the running process becomes one for the same description;
    /// a number that was closed is open again.
    ///
    /// # Errors
    /// `EBADF` when the first is closed or the second was never open.
    pub(crate) fn dup_onto(self: &Rc<Self>, from: Fd, onto: Fd) -> io::Result<()> {
        let description = self.description(from)?;
        let Ok(replaced) = self.description(onto) else {
            let mut table = self.table.borrow_mut();
            let address = address(&description);
            let process = (self.current_node(), self.current_boot());
            if !table.reopen(process, onto, description) {
                return Err(os(errno::BAD_DESCRIPTOR));
            }
            *table.shared.entry(address).or_insert(1) += 1;
            return Ok(());
        };
        if from == onto {
            return Ok(());
        }
        let was_last = {
            let mut table = self.table.borrow_mut();
            *table.shared.entry(address(&description)).or_insert(1) += 1;
            table.replace(onto, description);
            table.release(&replaced)
        };
        self.files.listings.borrow_mut().remove(&onto.0);
        if was_last {
            replaced.close(self);
        }
        Ok(())
    }

    /// Is it the only descriptor of what it refers to? Also where it refers to nothing.
    pub(crate) fn is_last_of(&self, fd: Fd) -> bool {
        let table = self.table.borrow();
        let entry = table.get(fd.0);
        entry.is_none_or(|entry| !table.shared.contains_key(&address(entry.description.get())))
    }

    /// Closes a descriptor; the description's `close` runs when it was the last one.
    ///
    /// # Errors
    /// `EBADF` when it was closed before or its process is gone.
    pub fn close(self: &Rc<Self>, fd: Fd) -> io::Result<()> {
        let entry = self.table.borrow_mut().remove(fd);
        self.files.listings.borrow_mut().remove(&fd.0);
        let entry = entry.ok_or_else(|| os(errno::BAD_DESCRIPTOR))?;
        if self.table.borrow_mut().release(entry.description.get()) {
            entry.description.get().close(self);
        }
        Ok(())
    }

    /// The process is gone: its descriptors go with it.
    pub(crate) fn abandon_descriptors(self: &Rc<Self>, node: NodeId, boot: Boot, down: Down) {
        let descriptions = self.table.borrow_mut().take_process(node, boot);
        self.files.forget(node, boot);
        for description in descriptions {
            if self.table.borrow_mut().release(&description) {
                description.abandoned(self, down);
            }
        }
    }
}
