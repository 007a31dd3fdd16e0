//! Files with names that nobody has yet: `mkstemp`, `mkdtemp` and kin, by the node's entropy.
#![expect(unsafe_code, reason = "changes the template that the caller gives")]

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::ptr;

use super::define::hooks;
use super::files::{answer, error, wait_for_disk};
use super::places::{self, Placed};
use crate::files::{FileCall, Files, Place};
use crate::{Fd, guest};

/// What stands in a template for what is chosen.
const CHOSEN: &[u8] = b"XXXXXX";
const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// How many names are tried.
const ATTEMPTS: u32 = 10_000;

/// Six letters of the node's entropy.
fn letters() -> [u8; 6] {
    let mut drawn = [0; 6];
    guest::entropy(&mut drawn);
    drawn.map(|byte| LETTERS[usize::from(byte) % LETTERS.len()])
}

/// Makes something by a template's name that is free, and writes the name into the template;
/// `None` where the C library must.
///
/// # Safety
///
/// `template` is null or ends in NUL, and is for the callee to change.
unsafe fn make<T>(
    template: *mut c_char,
    suffix: c_int,
    attempt: impl Fn(&dyn Files, Place<'_>) -> io::Result<T>,
) -> Option<io::Result<T>> {
    // SAFETY: the caller's promise.
    let placed = unsafe { places::of(libc::AT_FDCWD, template, true) }?;
    // SAFETY: not null, or there were no place for it.
    let mut name = unsafe { CStr::from_ptr(template) }.to_bytes().to_vec();
    let files = match placed {
        Ok(Placed { files, .. }) => files,
        Err(error) => return Some(Err(error)),
    };
    let end = usize::try_from(suffix)
        .ok()
        .and_then(|suffix| name.len().checked_sub(suffix));
    let Some(end) = end.filter(|end| name[..*end].ends_with(CHOSEN)) else {
        return Some(Err(error(libc::EINVAL)));
    };
    let start = end - CHOSEN.len();
    for _ in 0..ATTEMPTS {
        name[start..end].copy_from_slice(&letters());
        wait_for_disk(FileCall::Metadata);
        let place = Place {
            from: None,
            path: &name,
        };
        match attempt(&*files, place) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            result => {
                // SAFETY: the template is as long as it was.
                unsafe { ptr::copy_nonoverlapping(name.as_ptr().cast(), template, name.len()) };
                return Some(result);
            }
        }
    }
    Some(Err(error(libc::EEXIST)))
}

/// # Safety
///
/// As for [`make`].
unsafe fn file(template: *mut c_char, suffix: c_int, flags: c_int) -> Option<c_int> {
    let flags = flags & !libc::O_ACCMODE | libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    let open = |files: &dyn Files, at: Place<'_>| files.open(at, flags, 0o600);
    // SAFETY: the caller's promise.
    let opened = unsafe { make(template, suffix, open) }?;
    Some(answer(opened.map(|Fd(number)| number as usize)) as c_int)
}

/// # Safety
///
/// As for [`make`].
unsafe fn directory(template: *mut c_char) -> Option<*mut c_char> {
    let make_dir = |files: &dyn Files, at: Place<'_>| files.make_dir(at, 0o700);
    // SAFETY: the caller's promise.
    let made = unsafe { make(template, 0, make_dir) }?;
    Some(match made {
        Ok(()) => template,
        Err(error) => {
            answer(Err(error));
            ptr::null_mut()
        }
    })
}

hooks! {
    mkstemp = MKSTEMP: (template: *mut c_char) -> c_int { file(template, 0, 0) }
    mkstemp64 = MKSTEMP64: (template: *mut c_char) -> c_int { file(template, 0, 0) }
    mkostemp = MKOSTEMP: (template: *mut c_char, flags: c_int) -> c_int {
        file(template, 0, flags)
    }
    mkostemp64 = MKOSTEMP64: (template: *mut c_char, flags: c_int) -> c_int {
        file(template, 0, flags)
    }
    mkstemps = MKSTEMPS: (template: *mut c_char, suffix: c_int) -> c_int {
        file(template, suffix, 0)
    }
    mkdtemp = MKDTEMP: (template: *mut c_char) -> *mut c_char { directory(template) }
}
