//! Directories as streams: `opendir`, `readdir` and their kin; `getdents64` by number.
//!
//! The C library's own stream begins with its descriptor, and so does ours: whose a stream is, is
//! seen there.
#![expect(unsafe_code, reason = "makes and reads what C callers point to")]

use std::ffi::{c_char, c_int, c_long};
use std::io;
use std::mem;
use std::ptr;

use libc::{DIR, dirent64, size_t};

use super::define::hooks;
use super::files::{answer, close_fd, error, on_file};
use super::paths::on_path;
use crate::files::{FileCall, FileEntry, Listing};
use crate::{Fd, world};

/// A stream of ours.
#[repr(C)]
struct Stream {
    fd: c_int,
    entry: dirent64,
}

/// The descriptor of a stream of ours; `None` where the C library must answer.
///
/// # Safety
///
/// `directory` is null or a stream that is open.
unsafe fn number(directory: *mut DIR) -> Option<c_int> {
    if directory.is_null() {
        return None;
    }
    // SAFETY: a stream begins with its descriptor, the C library's as ours.
    let fd = unsafe { directory.cast::<c_int>().read() };
    Fd::is_simulated(fd).then_some(fd)
}

fn stream(opened: io::Result<c_int>) -> *mut DIR {
    match opened {
        Ok(fd) => {
            let stream = Stream {
                fd,
                // SAFETY: the structure is of numbers, which may all be zero.
                entry: unsafe { mem::zeroed() },
            };
            Box::into_raw(Box::new(stream)).cast()
        }
        Err(error) => {
            answer(Err(error));
            ptr::null_mut()
        }
    }
}

/// # Safety
///
/// `path` is null or ends in NUL.
unsafe fn serve_opendir(path: *const c_char) -> Option<*mut DIR> {
    let place = (libc::AT_FDCWD, path);
    let flags = libc::O_RDONLY | libc::O_DIRECTORY;
    // SAFETY: the caller's promise.
    let opened = unsafe { on_path(place, false, |files, at| files.open(at, flags, 0)) }?;
    Some(stream(opened.map(|Fd(number)| number)))
}

fn serve_fdopendir(fd: c_int) -> Option<*mut DIR> {
    let told = on_file(fd, (FileCall::Metadata, libc::ENOTDIR), |file, fd| {
        match file.status(fd)?.mode & libc::S_IFMT {
            libc::S_IFDIR => Ok(fd.0),
            _ => Err(error(libc::ENOTDIR)),
        }
    })?;
    Some(stream(told))
}

/// The names of a directory: listed when the first is read.
fn list(fd: c_int) -> io::Result<()> {
    if world::with(|world| world.files.listings.borrow().contains_key(&fd)) {
        return Ok(());
    }
    let listed = on_file(fd, (FileCall::Read, libc::ENOTDIR), |file, fd| {
        let own = file.status(fd)?.inode;
        let dots = [&b"."[..], b".."].map(|name| FileEntry {
            name: name.to_vec(),
            inode: own,
            kind: libc::DT_DIR,
        });
        let mut entries = Vec::from(dots);
        entries.extend(file.entries(fd)?);
        Ok(entries)
    });
    let entries = listed.unwrap_or_else(|| Err(error(libc::EBADF)))?;
    world::with(|world| {
        let listing = Listing {
            owner: (world.current_node(), world.current_boot()),
            entries,
            position: 0,
        };
        world.files.listings.borrow_mut().insert(fd, listing);
    });
    Ok(())
}

/// The next name that `take` takes, with the place after it; `None` at the end.
fn next(fd: c_int, take: impl FnOnce(&FileEntry) -> bool) -> Option<(FileEntry, usize)> {
    world::with(|world| {
        let mut listings = world.files.listings.borrow_mut();
        let listing = listings.get_mut(&fd)?;
        let entry = listing.entries.get(listing.position)?.clone();
        if !take(&entry) {
            return None;
        }
        listing.position += 1;
        Some((entry, listing.position))
    })
}

/// Fills in an entry.
fn fill(out: &mut dirent64, (entry, after): (FileEntry, usize)) {
    out.d_ino = entry.inode;
    out.d_off = after as i64;
    out.d_type = entry.kind;
    let room = out.d_name.len() - 1;
    let name = entry.name.iter().take(room);
    let length = name.len();
    for (to, from) in out.d_name.iter_mut().zip(name.chain(&[0])) {
        *to = from.cast_signed();
    }
    out.d_reclen = (mem::offset_of!(dirent64, d_name) + length + 1).next_multiple_of(8) as u16;
}

/// `readdir(3)`: null at the end, which is no error.
///
/// # Safety
///
/// `directory` is null or a stream that is open.
unsafe fn serve_readdir(directory: *mut DIR) -> Option<*mut dirent64> {
    // SAFETY: the caller's promise.
    let fd = unsafe { number(directory) }?;
    if let Err(error) = list(fd) {
        answer(Err(error));
        return Some(ptr::null_mut());
    }
    let Some(entry) = next(fd, |_| true) else {
        return Some(ptr::null_mut());
    };
    // SAFETY: it is ours, and used by one caller at a time.
    let stream = unsafe { &mut *directory.cast::<Stream>() };
    fill(&mut stream.entry, entry);
    Some(&raw mut stream.entry)
}

/// `readdir_r(3)`.
///
/// # Safety
///
/// `directory` is null or a stream that is open; the others are valid for a write.
unsafe fn serve_readdir_r(
    directory: *mut DIR,
    out: *mut dirent64,
    result: *mut *mut dirent64,
) -> Option<c_int> {
    // SAFETY: the caller's promise.
    let fd = unsafe { number(directory) }?;
    if let Err(error) = list(fd) {
        return Some(error.raw_os_error().unwrap_or(libc::EIO));
    }
    let entry = next(fd, |_| true);
    let is_end = entry.is_none();
    if let Some(entry) = entry {
        // SAFETY: the caller's promise; zeroes are a valid entry.
        unsafe { out.write(mem::zeroed()) };
        // SAFETY: the caller's promise.
        fill(unsafe { &mut *out }, entry);
    }
    let given = if is_end { ptr::null_mut() } else { out };
    // SAFETY: the caller's promise.
    unsafe { result.write(given) };
    Some(0)
}

/// # Safety
///
/// `directory` is null or a stream that is open, and is so no more.
unsafe fn serve_closedir(directory: *mut DIR) -> Option<c_long> {
    // SAFETY: the caller's promise.
    let fd = unsafe { number(directory) }?;
    // SAFETY: it is ours: `stream` made it of a box.
    drop(unsafe { Box::from_raw(directory.cast::<Stream>()) });
    close_fd(fd)
}

/// # Safety
///
/// `directory` is null or a stream that is open.
unsafe fn serve_seekdir(directory: *mut DIR, place: c_long) -> Option<()> {
    // SAFETY: the caller's promise.
    let fd = unsafe { number(directory) }?;
    world::try_with(|world| {
        let mut listings = world.files.listings.borrow_mut();
        if let Some(listing) = listings.get_mut(&fd) {
            listing.position = usize::try_from(place).unwrap_or(usize::MAX);
        }
    })
}

/// # Safety
///
/// `directory` is null or a stream that is open.
unsafe fn serve_rewinddir(directory: *mut DIR) -> Option<()> {
    // SAFETY: the caller's promise.
    let fd = unsafe { number(directory) }?;
    world::try_with(|world| {
        world.files.listings.borrow_mut().remove(&fd);
    })
}

/// # Safety
///
/// `directory` is null or a stream that is open.
unsafe fn serve_telldir(directory: *mut DIR) -> Option<c_long> {
    // SAFETY: the caller's promise.
    let fd = unsafe { number(directory) }?;
    let place = world::try_with(|world| {
        let listings = world.files.listings.borrow();
        listings.get(&fd).map_or(0, |listing| listing.position)
    });
    Some(place.unwrap_or(0) as c_long)
}

/// `getdents64(2)`: as many entries as there is room for.
///
/// # Safety
///
/// `out` is valid for a write of `length` bytes.
pub(super) unsafe fn serve_getdents(fd: c_int, out: *mut u8, length: size_t) -> Option<c_long> {
    if !Fd::is_simulated(fd) {
        return None;
    }
    if let Err(error) = list(fd) {
        return Some(answer(Err(error)));
    }
    let head = mem::offset_of!(dirent64, d_name);
    let size = |entry: &FileEntry| (head + entry.name.len() + 1).next_multiple_of(8);
    let mut filled = 0;
    while let Some(entry) = next(fd, |entry| filled + size(entry) <= length) {
        let count = size(&entry.0);
        // SAFETY: the structure is of numbers, which may all be zero.
        let mut whole: dirent64 = unsafe { mem::zeroed() };
        fill(&mut whole, entry);
        let bytes = (&raw const whole).cast::<u8>();
        // SAFETY: an entry is no longer than the structure, and there is room for it.
        unsafe { ptr::copy_nonoverlapping(bytes, out.add(filled), count) };
        filled += count;
    }
    Some(answer(match filled == 0 && has_more(fd) {
        true => Err(error(libc::EINVAL)),
        false => Ok(filled),
    }))
}

fn has_more(fd: c_int) -> bool {
    world::with(|world| {
        let listings = world.files.listings.borrow();
        let listing = listings.get(&fd);
        listing.is_some_and(|listing| listing.position < listing.entries.len())
    })
}

hooks! {
    opendir = OPENDIR: (path: *const c_char) -> *mut DIR { serve_opendir(path) }
    fdopendir = FDOPENDIR: (fd: c_int) -> *mut DIR { safe serve_fdopendir(fd) }
    readdir = READDIR: (directory: *mut DIR) -> *mut dirent64 { serve_readdir(directory) }
    readdir64 = READDIR64: (directory: *mut DIR) -> *mut dirent64 { serve_readdir(directory) }
    readdir_r = READDIR_R: (
        directory: *mut DIR, out: *mut dirent64, result: *mut *mut dirent64
    ) -> c_int {
        serve_readdir_r(directory, out, result)
    }
    readdir64_r = READDIR64_R: (
        directory: *mut DIR, out: *mut dirent64, result: *mut *mut dirent64
    ) -> c_int {
        serve_readdir_r(directory, out, result)
    }
    closedir = CLOSEDIR: (directory: *mut DIR) -> c_int { serve_closedir(directory) }
    dirfd = DIRFD: (directory: *mut DIR) -> c_int { number(directory) }
    telldir = TELLDIR: (directory: *mut DIR) -> c_long { serve_telldir(directory) }
}

/// Functions that give nothing back.
mod silent {
    use std::ffi::c_long;

    use libc::DIR;

    use super::{serve_rewinddir, serve_seekdir};
    use crate::interpose::hooks::real::Real;

    // SAFETY: the type is that of the function's manual page.
    static SEEKDIR: Real<unsafe extern "C" fn(*mut DIR, c_long)> = unsafe { Real::new(c"seekdir") };
    // SAFETY: as above.
    static REWINDDIR: Real<unsafe extern "C" fn(*mut DIR)> = unsafe { Real::new(c"rewinddir") };

    /// `seekdir(3)`.
    ///
    /// # Safety
    ///
    /// As for the C function.
    // SAFETY: the name and type are the C library's, and so is the behaviour on its own streams.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn seekdir(directory: *mut DIR, place: c_long) {
        // SAFETY: the caller's promise.
        let served = unsafe { serve_seekdir(directory, place) };
        if let (None, Some(seekdir)) = (served, SEEKDIR.get()) {
            // SAFETY: the caller's promise, passed on.
            unsafe { seekdir(directory, place) };
        }
    }

    /// `rewinddir(3)`.
    ///
    /// # Safety
    ///
    /// As for the C function.
    // SAFETY: the name and type are the C library's, and so is the behaviour on its own streams.
    #[unsafe(no_mangle)]
    pub(crate) unsafe extern "C" fn rewinddir(directory: *mut DIR) {
        // SAFETY: the caller's promise.
        let served = unsafe { serve_rewinddir(directory) };
        if let (None, Some(rewinddir)) = (served, REWINDDIR.get()) {
            // SAFETY: the caller's promise, passed on.
            unsafe { rewinddir(directory) };
        }
    }
}
