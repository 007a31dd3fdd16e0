//! Errors as the kernel gives them.

use std::io;

/// The error with this errno.
pub(crate) fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}
