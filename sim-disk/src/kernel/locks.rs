//! Advisory locks: flock(2) of whole files, fcntl(2) of ranges, by process or by description.
//! No call here waits: who may, waits with [`Disk::wait_for_lock`] and tries again.

use std::collections::BTreeMap;
use std::io;
use std::task::Waker;

use sim_runtime::{Boot, Fd, NodeId, with};

use super::device::Disk;
use super::open_file::OpenFile;
use crate::errno::errno;
use crate::state::walk::Point;

/// What a lock allows to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockKind {
    /// `LOCK_SH`, `F_RDLCK`: other shared locks.
    Shared,
    /// `LOCK_EX`, `F_WRLCK`: none.
    Exclusive,
    /// `LOCK_UN`, `F_UNLCK`: no lock.
    Unlocked,
}

/// A lock of bytes `start..end`; `u64::MAX` is the end of the file, however it grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RangeLock {
    /// What it allows.
    pub kind: LockKind,
    /// First byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
}

/// Who holds a lock of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockOwner {
    /// `F_SETLK`: the process; gone when it closes any descriptor of the file.
    Process,
    /// `F_OFD_SETLK`: the open file description.
    Description,
}

/// Who holds a lock, told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Holder {
    Process(NodeId, Boot),
    Description(u64),
}

/// The locks of one file.
#[derive(Default)]
struct FileLocks {
    /// By number of the description.
    whole: BTreeMap<u64, LockKind>,
    ranges: Vec<(Holder, RangeLock)>,
    waiting: Vec<Waker>,
}

/// All locks.
#[derive(Default)]
pub(crate) struct Locks(BTreeMap<Point, FileLocks>);

fn conflicts(a: LockKind, b: LockKind) -> bool {
    a == LockKind::Exclusive || b == LockKind::Exclusive
}

impl FileLocks {
    fn blocker(&self, holder: Holder, lock: RangeLock) -> Option<(Holder, RangeLock)> {
        let blocks = |(by, held): &&(Holder, RangeLock)| {
            *by != holder
                && held.start < lock.end
                && lock.start < held.end
                && conflicts(held.kind, lock.kind)
        };
        self.ranges.iter().find(blocks).copied()
    }

    /// Takes a range out of what `holder` has, then adds `lock`.
    fn replace(&mut self, holder: Holder, lock: RangeLock) {
        let mut kept = Vec::with_capacity(self.ranges.len() + 1);
        for (by, held) in self.ranges.drain(..) {
            if by != holder || held.end <= lock.start || lock.end <= held.start {
                kept.push((by, held));
                continue;
            }
            let before = held.start..held.end.min(lock.start);
            let after = held.start.max(lock.end)..held.end;
            for rest in [before, after] {
                if rest.start < rest.end {
                    let (start, end) = (rest.start, rest.end);
                    kept.push((by, RangeLock { start, end, ..held }));
                }
            }
        }
        if lock.kind != LockKind::Unlocked {
            kept.push((holder, lock));
        }
        self.ranges = kept;
    }

    fn is_idle(&self) -> bool {
        self.whole.is_empty() && self.ranges.is_empty() && self.waiting.is_empty()
    }
}

impl Disk {
    /// flock(2) with `LOCK_NB`. Another kind of lock than the one held first gives up that one.
    ///
    /// # Errors
    /// `EWOULDBLOCK`, `EBADF`.
    pub fn lock_file(&self, fd: Fd, kind: LockKind) -> io::Result<()> {
        let (wakers, result) = with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            file.check_content()?;
            let locks = &mut self.state.borrow_mut().locks;
            let held = locks.0.entry(file.point()).or_default();
            if held.whole.get(&file.id) == Some(&kind) {
                return Ok((Vec::new(), Ok(())));
            }
            held.whole.remove(&file.id);
            let wakers = std::mem::take(&mut held.waiting);
            let is_free = kind == LockKind::Unlocked
                || !held.whole.values().any(|other| conflicts(*other, kind));
            if is_free && kind != LockKind::Unlocked {
                held.whole.insert(file.id, kind);
            }
            locks.tidy(file.point());
            let blocked = || errno(libc::EWOULDBLOCK);
            io::Result::Ok((wakers, is_free.then_some(()).ok_or_else(blocked)))
        })?;
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    /// fcntl(2) with `F_SETLK` or `F_OFD_SETLK`.
    ///
    /// # Errors
    /// `EAGAIN`; `EBADF` also when the descriptor is not open for what the lock is for; `EINVAL`
    /// for an empty range.
    pub fn lock_range(&self, fd: Fd, owner: LockOwner, lock: RangeLock) -> io::Result<()> {
        let wakers = with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            file.check_content()?;
            match lock.kind {
                LockKind::Shared => file.check_readable()?,
                LockKind::Exclusive => file.check_writable()?,
                LockKind::Unlocked => {}
            }
            if lock.start >= lock.end {
                return Err(errno(libc::EINVAL));
            }
            let holder = holder(&file, owner);
            let locks = &mut self.state.borrow_mut().locks;
            let held = locks.0.entry(file.point()).or_default();
            if lock.kind != LockKind::Unlocked && held.blocker(holder, lock).is_some() {
                return Err(errno(libc::EAGAIN));
            }
            held.replace(holder, lock);
            let wakers = std::mem::take(&mut held.waiting);
            locks.tidy(file.point());
            Ok(wakers)
        })?;
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// fcntl(2) with `F_GETLK` or `F_OFD_GETLK`: a lock in the way, and whether a process holds
    /// it; None when it could be had.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn test_lock(
        &self,
        fd: Fd,
        owner: LockOwner,
        lock: RangeLock,
    ) -> io::Result<Option<(LockOwner, RangeLock)>> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            let locks = &self.state.borrow().locks;
            let held = locks.0.get(&file.point());
            let blocker = held.and_then(|held| held.blocker(holder(&file, owner), lock));
            Ok(blocker.map(|(by, lock)| match by {
                Holder::Process(..) => (LockOwner::Process, lock),
                Holder::Description(_) => (LockOwner::Description, lock),
            }))
        })
    }

    /// Wakes `waker` once, when a lock of the file may have become free.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn wait_for_lock(&self, fd: Fd, waker: &Waker) -> io::Result<()> {
        with(|world| {
            let file = world.description_as::<OpenFile>(fd)?;
            let mut state = self.state.borrow_mut();
            let held = state.locks.0.entry(file.point()).or_default();
            held.waiting.push(waker.clone());
            Ok(())
        })
    }

    /// The process closes one of its descriptors of a file: its own locks of ranges go. To be
    /// called before the world's `close` by whoever closes for a guest.
    pub fn closing(&self, fd: Fd) {
        if self.state.borrow().locks.0.is_empty() {
            return;
        }
        let wakers = with(|world| {
            let file = world.description_as::<OpenFile>(fd).ok()?;
            let holder = holder(&file, LockOwner::Process);
            Some(
                self.state
                    .borrow_mut()
                    .locks
                    .drop_of(file.point(), |by| by == holder, None),
            )
        });
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// The description is gone, with all that it locked.
    pub(crate) fn unlock_all(&self, file: &OpenFile) {
        let mut state = self.state.borrow_mut();
        if state.locks.0.is_empty() {
            return;
        }
        let (own, process) = (
            Holder::Description(file.id),
            holder(file, LockOwner::Process),
        );
        let is_own = |by| by == own || by == process;
        let wakers = state.locks.drop_of(file.point(), is_own, Some(file.id));
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

fn holder(file: &OpenFile, owner: LockOwner) -> Holder {
    match owner {
        LockOwner::Process => Holder::Process(file.process.0, file.process.1),
        LockOwner::Description => Holder::Description(file.id),
    }
}

impl Locks {
    fn drop_of(
        &mut self,
        at: Point,
        is_dropped: impl Fn(Holder) -> bool,
        description: Option<u64>,
    ) -> Vec<Waker> {
        let Some(held) = self.0.get_mut(&at) else {
            return Vec::new();
        };
        held.ranges.retain(|(by, _)| !is_dropped(*by));
        if let Some(id) = description {
            held.whole.remove(&id);
        }
        let wakers = std::mem::take(&mut held.waiting);
        self.tidy(at);
        wakers
    }

    fn tidy(&mut self, at: Point) {
        if self.0.get(&at).is_some_and(FileLocks::is_idle) {
            self.0.remove(&at);
        }
    }

    /// The machine lost its memory; gives back who waited, to be dropped outside.
    pub(crate) fn forget(&mut self, is_gone: impl Fn(Point) -> bool) -> Vec<Waker> {
        let gone = self.0.extract_if(.., |at, _| is_gone(*at));
        gone.flat_map(|(_, held)| held.waiting).collect()
    }
}
