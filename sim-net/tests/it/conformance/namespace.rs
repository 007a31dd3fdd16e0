//! A thread's own network namespace.

use std::io;

/// Gives the calling thread, and the programs it starts, a network namespace of its own.
///
/// # Errors
/// `EPERM` for who may not do everything.
#[expect(unsafe_code, reason = "unshare has no safe form in std")]
pub(crate) fn enter() -> io::Result<()> {
    // SAFETY: it takes a number and changes what this thread alone sees of the network.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The number of the calling thread, by which others name its namespace.
pub(crate) fn thread_id() -> String {
    let itself = std::fs::read_link("/proc/thread-self").expect("/proc is there");
    let id = itself.file_name().expect("it ends in a number");
    id.to_string_lossy().into_owned()
}
