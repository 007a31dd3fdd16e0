//! Errors a guest may see: always the kernel's number, never an invented text.

use std::io;

/// The error the kernel's `code` stands for.
pub(crate) fn error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

/// A failure with the kernel's `code`.
pub(crate) fn fail<T>(code: i32) -> io::Result<T> {
    Err(error(code))
}

/// What `std` makes of `EAI_NONAME`. `std`'s own kind for it can't be named outside of `std`, so
/// the kind is `Other`; the text is the same.
pub(crate) fn unknown_name() -> io::Error {
    io::Error::other("failed to lookup address information: Name or service not known")
}

/// What `std` makes of `EAI_AGAIN`; the kind tells it from [`unknown_name`].
pub(crate) fn try_again() -> io::Error {
    let text = "failed to lookup address information: Temporary failure in name resolution";
    io::Error::new(io::ErrorKind::TimedOut, text)
}
