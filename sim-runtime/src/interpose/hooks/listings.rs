//! Listings that the C library makes by itself, where no symbol is passed: `scandir`, `glob`.
#![expect(
    unsafe_code,
    reason = "calls back, and gives memory, as C callers want it"
)]

use std::ffi::{c_char, c_int, c_void};
use std::{mem, ptr};

use libc::{dirent64, glob_t};

use super::define::hooks;
use super::directories::{closedir, opendir, readdir64};
use super::places;
use super::real;
use super::status::{lstat64, stat64};

type Filter = Option<unsafe extern "C" fn(*const dirent64) -> c_int>;
type Order = Option<unsafe extern "C" fn(*mut *const dirent64, *mut *const dirent64) -> c_int>;

/// A copy of an entry in memory that the caller frees.
///
/// # Safety
///
/// `entry` is valid for a read.
unsafe fn copied(entry: *const dirent64) -> Option<*mut dirent64> {
    // SAFETY: takes any size.
    let copy = unsafe { libc::malloc(mem::size_of::<dirent64>()) }.cast::<dirent64>();
    if copy.is_null() {
        return None;
    }
    // SAFETY: both are valid for an entry.
    unsafe { ptr::copy_nonoverlapping(entry, copy, 1) };
    Some(copy)
}

/// `scandir(3)`: the names that `filter` takes, in `order`. `None` where the C library must answer.
///
/// # Safety
///
/// `path` is null or ends in NUL; `out` is valid for a write; the functions take entries.
unsafe fn serve_scandir(
    path: *const c_char,
    out: *mut *mut *mut dirent64,
    filter: Filter,
    order: Order,
) -> Option<c_int> {
    // SAFETY: the caller's promise.
    drop(unsafe { places::of(libc::AT_FDCWD, path, false) }?);
    // SAFETY: the caller's promise.
    let directory = unsafe { opendir(path) };
    if directory.is_null() {
        return Some(-1);
    }
    let mut found: Vec<*mut dirent64> = Vec::new();
    loop {
        real::set_errno(0);
        // SAFETY: it is open.
        let entry = unsafe { readdir64(directory) };
        if entry.is_null() {
            break;
        }
        // SAFETY: the caller's promise; the entry lives until the next is read.
        let is_taken = filter.is_none_or(|filter| unsafe { filter(entry) } != 0);
        // SAFETY: as above.
        let copy = is_taken.then(|| unsafe { copied(entry) });
        found.extend(copy.flatten());
    }
    let failed = real::errno();
    // SAFETY: it is open, and nobody reads on.
    unsafe { closedir(directory) };
    // SAFETY: takes any size.
    let list = unsafe { libc::calloc(found.len().max(1), mem::size_of::<*mut dirent64>()) };
    let list = list.cast::<*mut dirent64>();
    if failed != 0 || list.is_null() {
        for entry in found {
            // SAFETY: made above, and given to nobody.
            unsafe { libc::free(entry.cast()) };
        }
        // SAFETY: as above.
        unsafe { libc::free(list.cast()) };
        real::set_errno(if failed == 0 { libc::ENOMEM } else { failed });
        return Some(-1);
    }
    if let Some(order) = order {
        found.sort_by(|one, other| {
            let (mut one, mut other) = (one.cast_const(), other.cast_const());
            // SAFETY: the caller's promise.
            unsafe { order(&raw mut one, &raw mut other) }.cmp(&0)
        });
    }
    // SAFETY: the list has room for as many.
    unsafe { ptr::copy_nonoverlapping(found.as_ptr(), list, found.len()) };
    // SAFETY: the caller's promise.
    unsafe { out.write(list) };
    Some(found.len() as c_int)
}

/// `glob(3)` has a way to be told by which functions it looks, and is told ours.
///
/// # Safety
///
/// `pattern` ends in NUL; `out` is valid for a read and a write.
unsafe fn serve_glob(
    pattern: *const c_char,
    flags: c_int,
    on_error: *mut c_void,
    out: *mut glob_t,
) -> Option<c_int> {
    // A pattern is placed as a path is: what is special in it never comes first.
    // SAFETY: the caller's promise.
    drop(unsafe { places::of(libc::AT_FDCWD, pattern, false) }?);
    if flags & libc::GLOB_ALTDIRFUNC != 0 || out.is_null() {
        return None;
    }
    let ways = [
        closedir as *const () as usize,
        readdir64 as *const () as usize,
        opendir as *const () as usize,
        lstat64 as *const () as usize,
        stat64 as *const () as usize,
    ];
    /// Where `glob_t` has them: after the count, the list, the offset and the flags.
    const FIRST: usize = 4;
    let words = out.cast::<usize>();
    for (at, way) in ways.into_iter().enumerate() {
        // SAFETY: within the structure.
        unsafe { words.add(FIRST + at).write(way) };
    }
    let glob = GLOB.get()?;
    // SAFETY: the caller's promise; the functions are those of the C library, by type.
    Some(unsafe { glob(pattern, flags | libc::GLOB_ALTDIRFUNC, on_error, out) })
}

hooks! {
    scandir = SCANDIR: (
        path: *const c_char, out: *mut *mut *mut dirent64, filter: Filter, order: Order
    ) -> c_int {
        serve_scandir(path, out, filter, order)
    }
    scandir64 = SCANDIR64: (
        path: *const c_char, out: *mut *mut *mut dirent64, filter: Filter, order: Order
    ) -> c_int {
        serve_scandir(path, out, filter, order)
    }
    glob = GLOB: (
        pattern: *const c_char, flags: c_int, on_error: *mut c_void, out: *mut glob_t
    ) -> c_int {
        serve_glob(pattern, flags, on_error, out)
    }
    glob64 = GLOB64: (
        pattern: *const c_char, flags: c_int, on_error: *mut c_void, out: *mut glob_t
    ) -> c_int {
        serve_glob(pattern, flags, on_error, out)
    }
}
