//! Who and where a process is: `getpid`, `gethostname`, `sched_getaffinity` and their kin.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::ptr;

use libc::{cpu_set_t, pid_t, size_t, utsname};

use super::real::{self, Real};
use crate::guest;
use crate::interpose::hatch;

type Affinity = unsafe extern "C" fn(pid_t, size_t, *mut cpu_set_t) -> c_int;

// SAFETY: the type is that of the function's manual page.
static GETPID: Real<unsafe extern "C" fn() -> pid_t> = unsafe { Real::new(c"getpid") };
// SAFETY: as above.
static GETPPID: Real<unsafe extern "C" fn() -> pid_t> = unsafe { Real::new(c"getppid") };
// SAFETY: as above.
static GETTID: Real<unsafe extern "C" fn() -> pid_t> = unsafe { Real::new(c"gettid") };
// SAFETY: as above.
static GETHOSTNAME: Real<unsafe extern "C" fn(*mut c_char, size_t) -> c_int> =
    unsafe { Real::new(c"gethostname") };
// SAFETY: as above.
static UNAME: Real<unsafe extern "C" fn(*mut utsname) -> c_int> = unsafe { Real::new(c"uname") };
// SAFETY: as above.
static SCHED_GETAFFINITY: Real<Affinity> = unsafe { Real::new(c"sched_getaffinity") };
// SAFETY: as above.
static SCHED_GETCPU: Real<unsafe extern "C" fn() -> c_int> = unsafe { Real::new(c"sched_getcpu") };
// SAFETY: as above.
static SYSCONF: Real<unsafe extern "C" fn(c_int) -> c_long> = unsafe { Real::new(c"sysconf") };
// SAFETY: as above.
static GET_NPROCS: Real<unsafe extern "C" fn() -> c_int> = unsafe { Real::new(c"get_nprocs") };
// SAFETY: as above.
static GET_NPROCS_CONF: Real<unsafe extern "C" fn() -> c_int> =
    unsafe { Real::new(c"get_nprocs_conf") };
// SAFETY: as above.
static GETAUXVAL: Real<unsafe extern "C" fn(c_ulong) -> c_ulong> =
    unsafe { Real::new(c"getauxval") };

/// A node's processors.
const PROCESSORS: c_int = 4;
/// What `uname` tells as the kernel's release and version.
const RELEASE: &[u8] = b"6.1.0-simulated";
const VERSION: &[u8] = b"#1 SMP";
/// The first user process of a machine. Its parent is init.
const FIRST_PID: pid_t = 100;
const INIT: c_long = 1;

/// Who asks, unless the kernel is to answer.
fn guest() -> Option<guest::Identity> {
    if hatch::is_suspended() {
        return None;
    }
    guest::identity()
}

/// Whether the simulation answers on this thread.
pub(super) fn is_simulated() -> bool {
    guest().is_some()
}

/// The process id: 100 and the number of the boot, so that a restarted process has another.
pub(super) fn pid() -> Option<c_long> {
    let boot = pid_t::try_from(guest()?.boot).ok()?;
    Some(FIRST_PID.saturating_add(boot).into())
}

pub(super) fn parent() -> Option<c_long> {
    guest().map(|_| INIT)
}

/// Serves `gethostname`: the C library's answer, or `None` where the real one must answer.
///
/// # Safety
///
/// `out` is null or valid for a write of `length` bytes.
unsafe fn serve_hostname(out: *mut c_char, length: size_t) -> Option<c_int> {
    if out.is_null() {
        return None;
    }
    let name = guest()?.name;
    let copied = name.len().min(length);
    // SAFETY: not null, and so valid for `length` bytes; no more are written.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr().cast(), out, copied) };
    if copied == length {
        real::set_errno(libc::ENAMETOOLONG);
        return Some(-1);
    }
    // SAFETY: as above; `copied` is less than `length`.
    unsafe { out.add(copied).write(0) };
    Some(0)
}

/// Puts what is simulated into what the kernel told of itself.
///
/// # Safety
///
/// `out` is null or valid, and filled in.
pub(super) unsafe fn amend_uname(out: *mut utsname) {
    let Some(identity) = guest() else {
        return;
    };
    // SAFETY: by the contract.
    let Some(out) = (unsafe { out.as_mut() }) else {
        return;
    };
    let put = |field: &mut [c_char], text: &[u8]| {
        let text = text.iter().copied().take(field.len() - 1);
        field.fill(0);
        for (place, byte) in field.iter_mut().zip(text) {
            *place = byte.cast_signed();
        }
    };
    put(&mut out.nodename, identity.name.as_bytes());
    put(&mut out.release, RELEASE);
    put(&mut out.version, VERSION);
    put(&mut out.domainname, b"(none)");
}

/// Serves `sched_getaffinity`: the bytes written, or `None` where the kernel must answer.
///
/// # Safety
///
/// `out` is null or valid for a write of `size` bytes.
pub(super) unsafe fn serve_affinity(size: size_t, out: *mut c_void) -> Option<c_long> {
    guest()?;
    let bytes = size_of::<u64>();
    if out.is_null() || size < bytes {
        return None;
    }
    // SAFETY: not null, and so valid for `size` bytes.
    unsafe { out.write_bytes(0, size) };
    let mask: u64 = (1 << PROCESSORS) - 1;
    // SAFETY: as above; there is room for a word, aligned or not.
    unsafe { out.cast::<u64>().write_unaligned(mask) };
    Some(bytes as c_long)
}

/// Serves `getcpu`: always the first, and the first memory node.
///
/// # Safety
///
/// Both pointers are null or valid for a write.
pub(super) unsafe fn serve_getcpu(cpu: *mut c_uint, memory: *mut c_uint) -> Option<c_long> {
    guest()?;
    for out in [cpu, memory] {
        if !out.is_null() {
            // SAFETY: not null, and so valid by the contract.
            unsafe { out.write(0) };
        }
    }
    Some(0)
}

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident() -> $type:ty = $served:expr, $real:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// None is needed; the C function has none to ask for either.
        // SAFETY: the name and type are the C library's, and so is the behaviour outside a
        // simulation.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name() -> $type {
            if let Some(answer) = $served {
                return answer as $type;
            }
            match $real.get() {
                // SAFETY: takes nothing.
                Some(real) => unsafe { real() },
                None => super::unavailable() as $type,
            }
        }
    )*};
}

answers! {
    /// `getpid(2)`.
    getpid() -> pid_t = pid(), GETPID;
    /// `getppid(2)`: the node's init.
    getppid() -> pid_t = parent(), GETPPID;
    /// `gettid(2)`: that of the process' first thread.
    gettid() -> pid_t = pid(), GETTID;
    /// `sched_getcpu(3)`: always the first.
    sched_getcpu() -> c_int = guest().map(|_| 0), SCHED_GETCPU;
    /// `get_nprocs(3)`.
    get_nprocs() -> c_int = guest().map(|_| PROCESSORS), GET_NPROCS;
    /// `get_nprocs_conf(3)`.
    get_nprocs_conf() -> c_int = guest().map(|_| PROCESSORS), GET_NPROCS_CONF;
}

/// `gethostname(2)`: the node's name.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write of `length` bytes.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn gethostname(out: *mut c_char, length: size_t) -> c_int {
    // SAFETY: the caller's promise.
    if let Some(answer) = unsafe { serve_hostname(out, length) } {
        return answer;
    }
    match GETHOSTNAME.get() {
        // SAFETY: the caller's promise, passed on.
        Some(gethostname) => unsafe { gethostname(out, length) },
        None => super::unavailable(),
    }
}

/// `uname(2)`: the node's name, a kernel that is the same everywhere, the real machine.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write, or null.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn uname(out: *mut utsname) -> c_int {
    let Some(uname) = UNAME.get() else {
        return super::unavailable();
    };
    // SAFETY: the caller's promise, passed on.
    let answer = unsafe { uname(out) };
    if answer == 0 {
        // SAFETY: the call succeeded, so `out` is valid and filled in.
        unsafe { amend_uname(out) };
    }
    answer
}

/// `sched_getaffinity(2)`.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write of `size` bytes.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sched_getaffinity(
    pid: pid_t,
    size: size_t,
    out: *mut cpu_set_t,
) -> c_int {
    // SAFETY: the caller's promise.
    if unsafe { serve_affinity(size, out.cast()) }.is_some() {
        return 0;
    }
    match SCHED_GETAFFINITY.get() {
        // SAFETY: the caller's promise, passed on.
        Some(real) => unsafe { real(pid, size, out) },
        None => super::unavailable(),
    }
}

/// `sysconf(3)`: a node's number of processors; all else is the machine's.
///
/// # Safety
///
/// None is needed; the C function has none to ask for either.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sysconf(name: c_int) -> c_long {
    let is_count = matches!(
        name,
        libc::_SC_NPROCESSORS_ONLN | libc::_SC_NPROCESSORS_CONF
    );
    if is_count && guest().is_some() {
        return PROCESSORS.into();
    }
    match SYSCONF.get() {
        // SAFETY: takes any number.
        Some(sysconf) => unsafe { sysconf(name) },
        None => super::unavailable().into(),
    }
}

/// `getauxval(3)`: the kernel's 16 random bytes are the node's.
///
/// # Safety
///
/// None is needed; the C function has none to ask for either.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getauxval(name: c_ulong) -> c_ulong {
    if name == libc::AT_RANDOM
        && !hatch::is_suspended()
        && let Some(bytes) = guest::auxiliary_bytes()
    {
        return bytes.expose_provenance() as c_ulong;
    }
    match GETAUXVAL.get() {
        // SAFETY: takes any number.
        Some(getauxval) => unsafe { getauxval(name) },
        None => 0,
    }
}
