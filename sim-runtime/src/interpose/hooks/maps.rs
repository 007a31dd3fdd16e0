//! `mmap` of simulated files, and what is done to such memory; see [`crate::mappings`].
#![expect(unsafe_code, reason = "maps memory where C callers ask for it")]

use std::ffi::{c_int, c_long, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::rc::Rc;

use libc::{off64_t, size_t};

use super::define::hooks;
use super::files::{ask, done, error, wait_for_disk};
use crate::files::{FileCall, FileCalls};
use crate::mappings::MappedRange;
use crate::{Fd, World, world};

/// What `mmap` is asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) at: *mut c_void,
    pub(super) length: size_t,
    pub(super) protection: c_int,
    pub(super) flags: c_int,
    pub(super) offset: off64_t,
}

/// The unit that memory is mapped in.
const PAGE: usize = 4096;

/// Serves `mmap`; `None` where the kernel must: of its own files and of none.
///
/// # Safety
///
/// As for `mmap(2)`: with `MAP_FIXED`, nobody uses what is there.
pub(super) unsafe fn serve_map(fd: c_int, asked: Asked) -> Option<*mut c_void> {
    if !Fd::is_simulated(fd) || asked.flags & libc::MAP_ANONYMOUS != 0 {
        return None;
    }
    let mapped = ask(fd, |world, description| {
        let file = description.as_file().ok_or_else(|| error(libc::ENODEV))?;
        check(file, Fd(fd), asked)?;
        match asked.flags & libc::MAP_TYPE {
            // SAFETY: the caller's promise.
            libc::MAP_PRIVATE => unsafe { map_private(file, Fd(fd), asked) },
            // SAFETY: the caller's promise.
            libc::MAP_SHARED | libc::MAP_SHARED_VALIDATE => unsafe {
                map_shared(world, (file, Fd(fd)), asked)
            },
            _ => Err(error(libc::EINVAL)),
        }
    })?;
    Some(mapped.unwrap_or_else(|error| {
        done(Err(error));
        libc::MAP_FAILED
    }))
}

fn check(file: &dyn FileCalls, fd: Fd, asked: Asked) -> io::Result<()> {
    if asked.length == 0 || asked.offset < 0 || !(asked.offset as usize).is_multiple_of(PAGE) {
        return Err(error(libc::EINVAL));
    }
    if file.status(fd)?.mode & libc::S_IFMT != libc::S_IFREG {
        return Err(error(libc::ENODEV));
    }
    let access = file.flags() & libc::O_ACCMODE;
    let writes = asked.protection & libc::PROT_WRITE != 0;
    let is_shared = asked.flags & libc::MAP_TYPE != libc::MAP_PRIVATE;
    match access == libc::O_WRONLY || (is_shared && writes && access != libc::O_RDWR) {
        true => Err(error(libc::EACCES)),
        false => Ok(()),
    }
}

/// What the kernel gives.
///
/// # Safety
///
/// As for `mmap(2)`.
unsafe fn map_real(asked: Asked, fd: c_int) -> io::Result<*mut c_void> {
    // SAFETY: the caller's promise; the descriptor is none of the simulation's.
    let mapped = unsafe {
        mmap(
            asked.at,
            asked.length,
            asked.protection,
            asked.flags,
            fd,
            asked.offset,
        )
    };
    match mapped == libc::MAP_FAILED {
        true => Err(io::Error::last_os_error()),
        false => Ok(mapped),
    }
}

/// A copy of the file as it is now: nothing of it goes back.
///
/// # Safety
///
/// As for `mmap(2)`.
unsafe fn map_private(file: &dyn FileCalls, fd: Fd, asked: Asked) -> io::Result<*mut c_void> {
    let size = file.status(fd)?.size;
    let left = size.saturating_sub(asked.offset.unsigned_abs());
    let count = usize::try_from(left)
        .unwrap_or(usize::MAX)
        .min(asked.length);
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        let at = asked.offset.unsigned_abs() + filled as u64;
        match file.pread(fd, &mut bytes[filled..], at)? {
            0 => break,
            n => filled += n,
        }
    }
    let memory = memory()?;
    memory.set_len(asked.offset.unsigned_abs() + count as u64)?;
    std::os::unix::fs::FileExt::write_all_at(&memory, &bytes, asked.offset.unsigned_abs())?;
    // SAFETY: the caller's promise. The mapping keeps the memory when its descriptor is closed.
    unsafe { map_real(asked, memory.as_raw_fd()) }
}

/// # Safety
///
/// As for `mmap(2)`.
unsafe fn map_shared(
    world: &Rc<World>,
    (file, fd): (&dyn FileCalls, Fd),
    asked: Asked,
) -> io::Result<*mut c_void> {
    let key = world.mapping_key(file.status(fd)?);
    let is_writable = file.flags() & libc::O_ACCMODE == libc::O_RDWR;
    let memory = match world.mappings.memory(key, is_writable) {
        Some(memory) => memory,
        None => {
            let keeper = world.dup(fd)?;
            let loaded =
                memory().and_then(|new| world.mappings.load(key, (file, keeper), new, is_writable));
            if loaded.is_err() {
                world.close(keeper)?;
            }
            loaded?
        }
    };
    // SAFETY: the caller's promise.
    let at = unsafe { map_real(asked, memory.as_raw_fd()) }?;
    // What was mapped there before is gone.
    let length = asked.length.next_multiple_of(PAGE);
    forget(world, at, length);
    let range = MappedRange { length, file: key };
    world.mappings.add(at as usize, range);
    Ok(at)
}

/// Memory of the machine that can be mapped, without a name.
fn memory() -> io::Result<File> {
    // SAFETY: the name ends in NUL.
    let fd = unsafe { libc::memfd_create(c"simulated".as_ptr(), libc::MFD_CLOEXEC) };
    match fd < 0 {
        true => Err(io::Error::last_os_error()),
        // SAFETY: it was opened just now, and nobody else has it.
        false => Ok(unsafe { File::from_raw_fd(fd) }),
    }
}

/// Forgets ranges; files without one are closed.
fn forget(world: &Rc<World>, at: *mut c_void, length: usize) {
    for keeper in world.mappings.remove(at as usize, length) {
        // The process may be gone, and its descriptors with it.
        drop(world.close(keeper));
    }
}

/// Memory is about to be unmapped: what was stored there goes back to its file.
pub(super) fn unmapping(at: *mut c_void, length: size_t) {
    let unmap = |world: &Rc<World>| {
        if world.mappings.is_empty() {
            return;
        }
        for (_, range) in world.mappings.within(at as usize, length) {
            drop(world.write_back(range.file));
        }
        forget(world, at, length);
    };
    if crate::in_simulation() {
        world::try_with(unmap);
    }
}

/// Serves `msync`; `None` where the kernel must.
pub(super) fn serve_msync(at: *mut c_void, length: size_t, flags: c_int) -> Option<c_long> {
    if !crate::in_simulation() {
        return None;
    }
    let synced = world::try_with(|world| {
        if world.mappings.is_empty() {
            return None;
        }
        let ranges = world.mappings.within(at as usize, length.max(1));
        let files: std::collections::BTreeSet<_> =
            ranges.into_iter().map(|(_, range)| range.file).collect();
        (!files.is_empty()).then_some(files)
    })??;
    let is_sync = flags & libc::MS_SYNC != 0;
    if is_sync {
        wait_for_disk(FileCall::Sync);
    }
    let sync = |world: &Rc<World>| {
        for key in synced {
            world.write_back(key)?;
            let keeper = world.mappings.keeper(key).filter(|_| is_sync);
            let Some(keeper) = keeper else { continue };
            if let Some(file) = world.description(keeper)?.as_file() {
                file.sync(keeper, true)?;
            }
        }
        Ok(())
    };
    world::try_with(|world| done(sync(world)))
}

/// Serves `mremap` of a mapped file; `None` where the kernel must.
///
/// # Safety
///
/// As for `mremap(2)`.
unsafe fn serve_remap(
    (at, length): (*mut c_void, size_t),
    new_length: size_t,
    flags: c_int,
    to: *mut c_void,
) -> Option<*mut c_void> {
    if !crate::in_simulation() {
        return None;
    }
    let range = world::try_with(|world| {
        let within = match world.mappings.is_empty() {
            true => Vec::new(),
            false => world.mappings.within(at as usize, length.max(1)),
        };
        within.first().map(|(_, range)| *range)
    })??;
    let real = MREMAP.get()?;
    // SAFETY: the caller's promise, passed on.
    let moved = unsafe { real(at, length, new_length, flags, to) };
    if moved != libc::MAP_FAILED {
        let note = |world: &Rc<World>| {
            let length = new_length.next_multiple_of(PAGE);
            // The new range first, so that the file is never without one.
            let fresh = MappedRange { length, ..range };
            world.mappings.hold(range.file, || {
                forget(world, at, range.length);
                world.mappings.add(moved as usize, fresh);
            });
        };
        world::try_with(note);
    }
    Some(moved)
}

hooks! {
    mmap = MMAP: (
        at: *mut c_void, length: size_t, protection: c_int, flags: c_int,
        fd: c_int, offset: off64_t
    ) -> *mut c_void {
        serve_map(fd, Asked { at, length, protection, flags, offset })
    }
    mmap64 = MMAP64: (
        at: *mut c_void, length: size_t, protection: c_int, flags: c_int,
        fd: c_int, offset: off64_t
    ) -> *mut c_void {
        serve_map(fd, Asked { at, length, protection, flags, offset })
    }
    msync = MSYNC: (at: *mut c_void, length: size_t, flags: c_int) -> c_int {
        safe serve_msync(at, length, flags)
    }
    mremap = MREMAP: (
        at: *mut c_void, length: size_t, new_length: size_t, flags: c_int, to: *mut c_void
    ) -> *mut c_void {
        serve_remap((at, length), new_length, flags, to)
    }
    munmap = MUNMAP: (at: *mut c_void, length: size_t) -> c_int {
        safe {
            unmapping(at, length);
            None::<c_int>
        }
    }
}
