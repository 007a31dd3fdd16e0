//! Which paths are on the volume of the running node, and which the machine's.
//!
//! A node sees its own file system from `/` on. Of the machine it sees what the C library and std
//! need to find there ([`MACHINE`]), the executable that runs, and what a test has allowed. The
//! machine's folders are for reading: who would change them gets `EROFS`.
#![expect(unsafe_code, reason = "reads the paths that C callers point to")]

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::rc::Rc;
use std::sync::OnceLock;

use super::files::error;
use crate::files::{Files, Place, is_below};
use crate::interpose::hatch;
use crate::{Fd, world};

/// What is the machine's, of every node.
const MACHINE: [&[u8]; 12] = [
    b"/bin", b"/dev", b"/etc", b"/lib", b"/lib32", b"/lib64", b"/libx32", b"/nix", b"/proc",
    b"/sbin", b"/sys", b"/usr",
];

/// Of these, what may be opened for writing: `/dev/null`, `/proc/self/...`.
const WRITABLE: [&[u8]; 3] = [b"/dev", b"/proc", b"/sys"];

/// A path on a volume, and who has it.
pub(super) struct Placed<'p> {
    pub(super) files: Rc<dyn Files>,
    pub(super) place: Place<'p>,
}

/// Where a path leads, from the directory `at` on; `None` where the kernel must answer.
///
/// # Safety
///
/// `path` is null or ends in NUL, and lives as long as what is given back.
pub(super) unsafe fn of<'p>(
    at: c_int,
    path: *const c_char,
    changes: bool,
) -> Option<io::Result<Placed<'p>>> {
    if path.is_null() || hatch::is_suspended() || !crate::in_simulation() {
        return None;
    }
    // SAFETY: not null, and so a C string by the contract.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    place(at, path, changes)
}

/// The same, of bytes, inside a simulation.
fn place(at: c_int, path: &[u8], changes: bool) -> Option<io::Result<Placed<'_>>> {
    let files = world::try_with(|world| world.files.device())??;
    // The kernel refuses the empty path, and so does the disk.
    let from = match at {
        _ if path.is_empty() || path.starts_with(b"/") => None,
        libc::AT_FDCWD => None,
        at if Fd::is_simulated(at) => Some(Fd(at)),
        _ => return None,
    };
    let below = |roots: &[&[u8]]| roots.iter().any(|root| is_below(path, root));
    let is_machine = below(&MACHINE) || executable().is_some_and(|known| is_below(path, known));
    if is_machine {
        return match changes && !below(&WRITABLE) {
            true => Some(Err(error(libc::EROFS))),
            false => None,
        };
    }
    if world::try_with(|world| world.files.is_allowed(path)) == Some(true) {
        return None;
    }
    let place = Place { from, path };
    Some(Ok(Placed { files, place }))
}

/// The directory of the executable that runs, which backtraces read.
fn executable() -> Option<&'static [u8]> {
    static DIRECTORY: OnceLock<Option<Box<Path>>> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let path = std::env::current_exe().ok()?;
        Some(path.parent()?.into())
    });
    let directory = directory.as_deref()?.as_os_str().as_bytes();
    // Not everything, where the executable is at the top.
    (directory.len() > 1).then_some(directory)
}

/// How many missing files are explained in a process.
const NOTES: u32 = 4;

/// Says so when a guest misses a file that the machine has: nobody finds out otherwise.
pub(super) fn note_missing(path: &[u8]) {
    thread_local! {
        static NOTED: Cell<u32> = const { Cell::new(0) };
    }
    let looked = NOTED.get();
    let name: Cow<'_, OsStr> = OsStr::from_bytes(path).into();
    // A file of the machine's root belongs to the machine's system.
    if looked >= NOTES || path.starts_with(b"/tmp/") {
        return;
    }
    if crate::interpose::outside(|| Path::new(&name).exists()) {
        NOTED.set(looked + 1);
        eprintln!(
            "landfall: {} is on this machine, and not on the node's volume; \
             `World::allow_real_files` lets guests see it",
            name.display()
        );
    }
}
