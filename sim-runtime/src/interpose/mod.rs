//! The determinism floor's first three layers: symbols that shadow the C library's, system calls
//! made without it, and the time-stamp counter.
//!
//! *Takes* the calls that std and every crate above it make into libc for the time, for entropy
//! and for sleep. *Gives* the simulation's answer on a thread that is inside a simulation, and
//! the C library's on every other thread.
//!
//! A definition with `#[unsafe(no_mangle)]` in a library that the executable is linked with goes
//! into the executable's dynamic symbol table and comes before the C library's: for the calls of
//! the executable and for those of shared libraries. It suffices that the crate is linked. The
//! definitions are in dev, release, test, thin and fat LTO builds alike.
//!
//! | hook | answers for |
//! |---|---|
//! | `clock_gettime`, `gettimeofday`, `time` | `Instant`, `SystemTime`, chrono, jiff |
//! | `clock_getres`, `timespec_get`, `times`, `sysinfo` | C code |
//! | `getrandom`, `getentropy`, `arc4random` | `HashMap` keys, rand, uuid, getrandom |
//! | `nanosleep`, `clock_nanosleep`, `usleep`, `sleep` | `thread::sleep`, C code |
//! | `getpid`, `gettid`, `gethostname`, `uname`, `getauxval` | who a node is |
//! | `sched_getaffinity`, `sysconf`, `get_nprocs` | `available_parallelism`: 4 |
//! | `open`, `read`, `write`, `stat`, `rename`, `readdir`, `flock` and kin | a node's own files |
//! | the same, of `/dev/urandom`, machine and boot ids | what differs from machine to machine |
//! | `syscall` | the same by number: getrandom 0.2 |
//! | `__libc_start_main` | nothing: it makes a worker of the process (see [`crate::process`]) |
//!
//! # Invariants
//!
//! - No hook panics or unwinds.
//! - No hook answers on a thread outside a simulation or within [`outside`]; the cost there is
//!   two reads of a thread-local that has no destructor.
//! - No hook touches a null pointer: such calls go to the kernel, which knows what to answer. A
//!   pointer that is wrong in another way faults, where the kernel would have said `EFAULT`.
//! - Clock ids that the simulation has no clock for, and CPU clocks, are not answered.
//!
//! # Not covered yet
//!
//! CPU clocks, which are the thread's real ones, in `clock`, `times` and `getrusage` too; files
//! that the C library opens by itself (`fopen`, `scandir`, `mkstemp`).
//! [`floor::report`] names what a run could not rely on.
//!
//! On targets other than Linux with a shared glibc on x86-64 and aarch64 there are no hooks, and
//! the report says so. `build.rs` says which platform has what, and how to build on one what
//! another has.
//!
//! # Map
//!
//! - `hooks::real`: the functions that the hooks shadow, found before `main`.
//! - `hooks::{clock, more_clocks, sleep, entropy, identity}`: the hooks and what each serves;
//!   `hooks::{places, files, data, attributes, status, paths, directories, file_locks, maps}`:
//!   files;
//!   `hooks::{sockets, polls, names}`: the network; `hooks::threads`: fibers;
//!   `hooks::syscall`: by number; `hooks::start`: what runs before `main`.
//! - `dispatch`: layers 2 and 3.
//! - `constructors`: what runs before `main` in a worker.
//! - `hatch`: [`outside`].
//! - [`floor`]: which layers this process has.
//! - `symbols.txt`: every function of the C library that a test binary is known to import, and what
//!   a simulation makes of it; `tests/it/symbols.rs` holds it against the binaries.

#[cfg(floor_symbols)]
pub(crate) mod hooks;
#[cfg(not(floor_symbols))]
#[path = "elsewhere.rs"]
pub(crate) mod hooks;

#[cfg(floor_traps)]
pub(crate) mod dispatch;
#[cfg(not(floor_traps))]
#[path = "no_dispatch.rs"]
pub(crate) mod dispatch;

pub(crate) mod constructors;
mod hatch;

pub mod floor;

pub use dispatch::escapes;
pub use hatch::{outside, outside_count};

/// Puts the floor under this thread, for a simulation that is entered. Some system calls.
pub(crate) fn enter_thread() {
    hatch::enter_simulation();
    dispatch::enter_thread();
}

/// Takes it away again.
pub(crate) fn leave_thread() {
    dispatch::leave_thread();
    hatch::leave_simulation();
}
