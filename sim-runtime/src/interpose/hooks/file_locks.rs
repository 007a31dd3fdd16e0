//! Locks of files: `flock`, `lockf` and those of `fcntl`. Who waits for one waits as a fiber.
#![expect(unsafe_code, reason = "reads and writes what C callers point to")]

use std::ffi::{c_int, c_long, c_short};
use std::io;

use libc::{flock as Range, off64_t};

use super::data::offset_of;
use super::define::hooks;
use super::files::{done, error, on_file};
use crate::files::{FileCall, FileCalls, FileLock, LockKind, LockOwner};
use crate::{Fd, fiber};

/// What `fcntl` is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Get(LockOwner),
    Set(LockOwner),
    SetAndWait(LockOwner),
}

impl Asked {
    /// `None`: the command is about something else.
    pub(super) fn of(command: c_int) -> Option<Asked> {
        Some(match command {
            libc::F_GETLK => Asked::Get(LockOwner::Process),
            libc::F_SETLK => Asked::Set(LockOwner::Process),
            libc::F_SETLKW => Asked::SetAndWait(LockOwner::Process),
            libc::F_OFD_GETLK => Asked::Get(LockOwner::Description),
            libc::F_OFD_SETLK => Asked::Set(LockOwner::Description),
            libc::F_OFD_SETLKW => Asked::SetAndWait(LockOwner::Description),
            _ => return None,
        })
    }

    const fn owner(self) -> LockOwner {
        match self {
            Asked::Get(owner) | Asked::Set(owner) | Asked::SetAndWait(owner) => owner,
        }
    }
}

/// The commands of `lockf`.
const F_ULOCK: c_int = 0;
const F_LOCK: c_int = 1;
const F_TLOCK: c_int = 2;
const F_TEST: c_int = 3;

/// Every call here is about names, in how long it takes; what is no file has no locks.
const CALL: (FileCall, c_int) = (FileCall::Metadata, libc::EINVAL);

fn kind_of(number: c_int) -> io::Result<LockKind> {
    match number {
        libc::F_RDLCK => Ok(LockKind::Shared),
        libc::F_WRLCK => Ok(LockKind::Exclusive),
        libc::F_UNLCK => Ok(LockKind::Unlock),
        _ => Err(error(libc::EINVAL)),
    }
}

/// The bytes that a range means, by where it starts from.
fn lock_of(file: &dyn FileCalls, fd: Fd, range: &Range, owner: LockOwner) -> io::Result<FileLock> {
    let invalid = || error(libc::EINVAL);
    let from = match c_int::from(range.l_whence) {
        libc::SEEK_SET => 0,
        libc::SEEK_CUR => file.seek(fd, 0, libc::SEEK_CUR)?.cast_signed(),
        libc::SEEK_END => file.status(fd)?.size.cast_signed(),
        _ => return Err(invalid()),
    };
    let too_far = || error(libc::EOVERFLOW);
    let first = from.checked_add(range.l_start).ok_or_else(too_far)?;
    let (start, end) = match range.l_len {
        0 => (first, None),
        length => {
            let other = first.checked_add(length).ok_or_else(too_far)?;
            (first.min(other), Some(first.max(other)))
        }
    };
    Ok(FileLock {
        kind: kind_of(range.l_type.into())?,
        owner,
        start: offset_of(start)?,
        end: end.map_or(Ok(u64::MAX), offset_of)?,
    })
}

/// A lock of a range is for who may read, or write, what it covers.
fn check_access(file: &dyn FileCalls, kind: LockKind) -> io::Result<()> {
    let access = file.flags() & libc::O_ACCMODE;
    match (kind, access) {
        (LockKind::Shared, libc::O_WRONLY) | (LockKind::Exclusive, libc::O_RDONLY) => {
            Err(error(libc::EBADF))
        }
        _ => Ok(()),
    }
}

/// Takes a lock or gives it back.
fn take(fd: c_int, lock: FileLock, waits: bool) -> Option<io::Result<()>> {
    let attempt = || {
        let asked = on_file(fd, CALL, |file, fd| file.lock(fd, lock));
        asked.unwrap_or_else(|| Err(error(libc::EBADF)))
    };
    if !Fd::is_simulated(fd) {
        return None;
    }
    let first = attempt();
    let code = |result: &io::Result<()>| result.as_ref().err()?.raw_os_error();
    let is_held = |result: &io::Result<()>| code(result) == Some(libc::EAGAIN);
    if !waits || !is_held(&first) {
        return Some(first);
    }
    let last = std::cell::RefCell::new(first);
    fiber::wait_for(None, |waker| {
        let result = attempt();
        let again = is_held(&result);
        *last.borrow_mut() = result;
        if again {
            // A file that is gone says so at the next try.
            let waiting = on_file(fd, CALL, |file, fd| file.lock_wait(fd, waker));
            drop(waiting);
        }
        !again
    });
    Some(last.into_inner())
}

/// `fcntl(2)` for locks.
///
/// # Safety
///
/// `range` is null or valid for a read and a write.
pub(super) unsafe fn serve_range(fd: c_int, asked: Asked, range: *mut Range) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    if range.is_null() {
        return Some(done(Err(error(libc::EFAULT))));
    }
    // SAFETY: not null, and so valid by the contract.
    let wanted = unsafe { range.read() };
    if asked.owner() == LockOwner::Description && wanted.l_pid != 0 {
        return Some(done(Err(error(libc::EINVAL))));
    }
    let lock = on_file(fd, CALL, |file, fd| {
        lock_of(file, fd, &wanted, asked.owner())
    })?;
    let lock = match lock {
        Ok(lock) => lock,
        Err(error) => return Some(done(Err(error))),
    };
    if matches!(asked, Asked::Get(_)) {
        let told = on_file(fd, CALL, |file, fd| match lock.kind {
            LockKind::Unlock => Err(error(libc::EINVAL)),
            _ => file.lock_holder(fd, lock),
        })?;
        return Some(done(told.map(|holder| {
            // SAFETY: not null, and so valid by the contract.
            unsafe { range.write(described(wanted, holder)) };
        })));
    }
    let checked = on_file(fd, CALL, |file, _| check_access(file, lock.kind))?;
    if let Err(error) = checked {
        return Some(done(Err(error)));
    }
    take(fd, lock, matches!(asked, Asked::SetAndWait(_))).map(done)
}

/// What `F_GETLK` gives back: who is in the way, or that nobody is.
fn described(mut range: Range, holder: Option<FileLock>) -> Range {
    let Some(holder) = holder else {
        range.l_type = libc::F_UNLCK as c_short;
        return range;
    };
    range.l_type = match holder.kind {
        LockKind::Shared => libc::F_RDLCK as c_short,
        _ => libc::F_WRLCK as c_short,
    };
    range.l_whence = libc::SEEK_SET as c_short;
    range.l_start = holder.start.cast_signed();
    range.l_len = match holder.end {
        u64::MAX => 0,
        end => (end - holder.start).cast_signed(),
    };
    range.l_pid = match holder.owner {
        LockOwner::Process => std::process::id().cast_signed(),
        LockOwner::Whole | LockOwner::Description => -1,
    };
    range
}

/// `flock(2)`.
pub(super) fn serve_flock(fd: c_int, operation: c_int) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    let kind = match operation & !libc::LOCK_NB {
        libc::LOCK_SH => LockKind::Shared,
        libc::LOCK_EX => LockKind::Exclusive,
        libc::LOCK_UN => LockKind::Unlock,
        _ => return Some(done(Err(error(libc::EINVAL)))),
    };
    let lock = FileLock {
        kind,
        owner: LockOwner::Whole,
        start: 0,
        end: u64::MAX,
    };
    take(fd, lock, operation & libc::LOCK_NB == 0).map(done)
}

/// `lockf(3)`: a lock of the process, from the file's position on.
fn serve_lockf(fd: c_int, command: c_int, length: off64_t) -> Option<c_long> {
    let kind = match command {
        F_ULOCK => libc::F_UNLCK,
        _ => libc::F_WRLCK,
    };
    let mut range = Range {
        l_type: kind as c_short,
        l_whence: libc::SEEK_CUR as c_short,
        l_start: 0,
        l_len: length,
        l_pid: 0,
    };
    let asked = match command {
        F_ULOCK | F_TLOCK => Asked::Set(LockOwner::Process),
        F_LOCK => Asked::SetAndWait(LockOwner::Process),
        F_TEST => Asked::Get(LockOwner::Process),
        _ if Fd::is_simulated(fd) => return Some(done(Err(error(libc::EINVAL)))),
        _ => return None,
    };
    // SAFETY: the range lives until the call returns.
    let served = unsafe { serve_range(fd, asked, &raw mut range) }?;
    let is_held = command == F_TEST && range.l_type != libc::F_UNLCK as c_short;
    match served == 0 && is_held {
        true => Some(done(Err(error(libc::EACCES)))),
        false => Some(served),
    }
}

hooks! {
    flock = FLOCK: (fd: c_int, operation: c_int) -> c_int { safe serve_flock(fd, operation) }
    lockf = LOCKF: (fd: c_int, command: c_int, length: off64_t) -> c_int {
        safe serve_lockf(fd, command, length)
    }
    lockf64 = LOCKF64: (fd: c_int, command: c_int, length: off64_t) -> c_int {
        safe serve_lockf(fd, command, length)
    }
}
