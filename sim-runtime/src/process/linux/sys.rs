//! The system calls that the worker, its children and the coordinator make, made safe.
#![expect(
    unsafe_code,
    reason = "makes system calls that std has no functions for"
)]

use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use std::io::{self, Write as _};
use std::mem;
use std::ptr;
use std::time::Duration;

/// Asks a child to print where it is.
pub(super) const WHERE_ARE_YOU: c_int = libc::SIGXCPU;

pub(super) use libc::{POLLERR, POLLIN, SIGABRT as ABORTED, SIGKILL, pid_t, pollfd};

use crate::interpose::hooks::real;

/// Asks for the personality without changing it (personality(2)).
const PERSONALITY_QUERY: c_ulong = 0xffff_ffff;
const NO_RANDOMIZE: c_ulong = libc::ADDR_NO_RANDOMIZE as c_ulong;
/// The stack limit of a worker. The kernel lays out mappings below the stack by it.
const STACK_LIMIT: libc::rlim_t = 8 << 20;

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Nanoseconds of the real monotonic clock.
pub(super) fn now_ns() -> u64 {
    real::monotonic_ns()
}

// Environment and layout.

/// Whether the environment has this variable. Allocates nothing.
pub(super) fn has_variable(name: &CStr) -> bool {
    // SAFETY: the name ends in NUL; nobody changes the environment meanwhile, as the callers are
    // on the only thread.
    !unsafe { libc::getenv(name.as_ptr()) }.is_null()
}

/// Takes a variable out of the environment. Call with one thread only.
pub(super) fn remove_variable(name: &CStr) {
    // SAFETY: the name ends in NUL, and nobody else reads or writes the environment.
    unsafe { libc::unsetenv(name.as_ptr()) };
}

/// Has every thread allocate from one heap: which one a thread gets would depend on how many
/// processors the machine has. It grows by far and never shrinks: a child is over soon, and what
/// it gave back to the kernel it would have to ask for again, page by page.
pub(super) fn share_one_heap() {
    let options = [
        (libc::M_ARENA_MAX, 1),
        (libc::M_TRIM_THRESHOLD, c_int::MAX),
        (libc::M_TOP_PAD, HEAP_STEP),
        (libc::M_MMAP_THRESHOLD, HEAP_STEP),
    ];
    for (option, value) in options {
        // SAFETY: called before there is a second thread.
        unsafe { libc::mallopt(option, value) };
    }
}

/// By how many bytes the heap grows at least; what is larger is mapped by itself.
const HEAP_STEP: c_int = 16 << 20;

fn personality() -> Option<c_ulong> {
    // SAFETY: takes any number; this one changes nothing.
    let flags = unsafe { libc::personality(PERSONALITY_QUERY) };
    u32::try_from(flags).ok().map(c_ulong::from)
}

/// Whether this process was laid out without randomisation, as far as its personality says.
pub(super) fn has_fixed_addresses() -> bool {
    personality().is_some_and(|flags| flags & NO_RANDOMIZE != 0)
}

/// The same, for the floor report.
pub(crate) fn fixed_addresses_state() -> Result<(), String> {
    if has_fixed_addresses() {
        Ok(())
    } else {
        Err("address space layout is randomised".to_owned())
    }
}

/// Fixes the layout that the next `execve` gives: no randomisation, and the stack limit. Returns
/// whether randomisation is off; containers may forbid it. Async-signal-safe.
/// With `randomised` the addresses are left to chance instead.
pub(super) fn fix_layout(randomised: bool) -> bool {
    if let Some(flags) = personality() {
        let random = if randomised { 0 } else { NO_RANDOMIZE };
        // SAFETY: takes any number; affects only what the next execve does.
        unsafe { libc::personality(flags & !NO_RANDOMIZE | random) };
    }
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live rlimit.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) } == 0;
    if known && limit.rlim_max >= STACK_LIMIT {
        limit.rlim_cur = STACK_LIMIT;
        // SAFETY: the pointer is to a live rlimit, and a soft limit under the hard one is allowed.
        unsafe { libc::setrlimit(libc::RLIMIT_STACK, &limit) };
    }
    has_fixed_addresses()
}

/// Has crashes leave no core file: a sweep may crash thousands of times. 1 is the limit that
/// keeps core(5) from running a program, too. Async-signal-safe.
pub(super) fn leave_no_core() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live rlimit.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_CORE, &mut limit) } == 0;
    if known {
        limit.rlim_cur = limit.rlim_max.min(1);
        // SAFETY: the pointer is to a live rlimit, and a soft limit under the hard one is allowed.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) };
    }
}

/// Starts this executable anew with the same arguments and environment and `extra`, a
/// `NAME=value`. Returns only if that fails.
///
/// # Safety
///
/// `argv` and `envp` are lists of C strings that end with null.
pub(super) unsafe fn start_anew(
    argv: *const *mut c_char,
    envp: *const *mut c_char,
    extra: &CStr,
) -> io::Error {
    let mut environment: Vec<*const c_char> = vec![extra.as_ptr()];
    let mut next = envp;
    loop {
        // SAFETY: `next` has not passed the null that ends the list.
        let entry = unsafe { next.read() };
        environment.push(entry);
        if entry.is_null() {
            break;
        }
        // SAFETY: the entry was not the last one.
        next = unsafe { next.add(1) };
    }
    let itself = c"/proc/self/exe".as_ptr();
    // SAFETY: three lists or strings of C, each ended as C wants it.
    unsafe { libc::execve(itself, argv.cast(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Marks every descriptor from `first` on to be closed by the next `execve`, where the kernel
/// can (5.11). Async-signal-safe.
pub(super) fn close_on_exec_from(first: u32) {
    // SAFETY: changes only flags of descriptors; takes any range.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
    }
}

// Descriptors.

/// Moves a descriptor to the first free number from `lowest` on, closed on exec.
pub(super) fn move_descriptor(from: c_int, lowest: c_int) -> io::Result<c_int> {
    // SAFETY: works on numbers; a wrong one is an error.
    let to = check(unsafe { libc::fcntl(from, libc::F_DUPFD_CLOEXEC, lowest) })?;
    close(from);
    Ok(to)
}

/// Makes `to` mean what `from` means, closing what it meant.
pub(super) fn duplicate_onto(from: c_int, to: c_int) -> io::Result<()> {
    // SAFETY: works on numbers; the callers own both.
    check(unsafe { libc::dup2(from, to) }).map(drop)
}

pub(super) fn close(fd: c_int) {
    // SAFETY: works on a number; the callers own it.
    unsafe { libc::close(fd) };
}

pub(super) fn open_null() -> io::Result<c_int> {
    // SAFETY: the path ends in NUL.
    check(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) })
}

/// Nanoseconds that a thread of a process was ready and waited for a processor; 0 where the kernel
/// does not tell. Allocates nothing.
pub(super) fn starved_ns(process: pid_t, thread: pid_t) -> u64 {
    let mut path = [0_u8; 64];
    // There is room for any two numbers.
    let _ = write!(&mut path[..], "/proc/{process}/task/{thread}/schedstat");
    let Ok(file) = CStr::from_bytes_until_nul(&path) else {
        return 0;
    };
    // SAFETY: the path ends in NUL.
    let Ok(fd) = check(unsafe { libc::open(file.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) })
    else {
        return 0;
    };
    let mut told = [0; 96];
    let length = read_some(fd, &mut told).unwrap_or(0);
    close(fd);
    second_number(&told[..length])
}

/// The second number of a line; 0 if there is none.
fn second_number(line: &[u8]) -> u64 {
    let mut words = line.split(u8::is_ascii_whitespace);
    let word = words.nth(1).and_then(|word| str::from_utf8(word).ok());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// An anonymous file.
pub(super) fn memory_file(name: &CStr) -> io::Result<c_int> {
    // SAFETY: the name ends in NUL.
    check(unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) })
}

/// Empties a file and goes to its start.
pub(super) fn rewind(fd: c_int) {
    // SAFETY: works on a number; the callers own it.
    unsafe { libc::ftruncate(fd, 0) };
    // SAFETY: as above.
    unsafe { libc::lseek(fd, 0, libc::SEEK_SET) };
}

/// Reads the end of a file into `out`, as much as fits; returns the number of bytes.
pub(super) fn read_tail(fd: c_int, out: &mut [u8]) -> usize {
    // SAFETY: works on a number; a wrong one is an error.
    let end = usize::try_from(unsafe { libc::lseek(fd, 0, libc::SEEK_END) }).unwrap_or(0);
    let want = end.min(out.len());
    let mut done = 0;
    while done < want {
        let rest = &mut out[done..want];
        let offset = (end - want + done).cast_signed() as libc::off_t;
        // SAFETY: the pointer and length are those of a live slice.
        let got = unsafe { libc::pread(fd, rest.as_mut_ptr().cast(), rest.len(), offset) };
        match usize::try_from(got) {
            Ok(got) if got > 0 => done += got,
            _ => break,
        }
    }
    done
}

/// Reads until `out` is full; false at the end of the file.
pub(super) fn read_all(fd: c_int, out: &mut [u8]) -> io::Result<bool> {
    let mut done = 0;
    while done < out.len() {
        let got = read_some(fd, &mut out[done..])?;
        if got == 0 {
            return Ok(false);
        }
        done += got;
    }
    Ok(true)
}

/// Reads what there is; 0 at the end of the file.
pub(super) fn read_some(fd: c_int, out: &mut [u8]) -> io::Result<usize> {
    retry(|| {
        // SAFETY: the pointer and length are those of a live slice.
        let got = unsafe { libc::read(fd, out.as_mut_ptr().cast::<c_void>(), out.len()) };
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    })
}

/// Writes all of `bytes`.
pub(super) fn write_all(fd: c_int, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = retry(|| {
            // SAFETY: the pointer and length are those of a live slice.
            let written = unsafe { libc::write(fd, rest.as_ptr().cast::<c_void>(), rest.len()) };
            usize::try_from(written).map_err(|_| io::Error::last_os_error())
        })?;
        rest = &rest[written..];
    }
    Ok(())
}

pub(super) fn set_nonblocking(fd: c_int) -> io::Result<()> {
    // SAFETY: works on a number; a wrong one is an error.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

/// Waits for one of `fds`, at most `timeout` (`None`: for ever), through interruptions.
pub(super) fn poll(fds: &mut [pollfd], timeout: Option<Duration>) -> io::Result<bool> {
    let deadline = timeout.map(|timeout| {
        now_ns().saturating_add(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX))
    });
    loop {
        let timeout_ms = deadline.map_or(-1, |deadline| {
            let left_ms = deadline.saturating_sub(now_ns()).div_ceil(1_000_000);
            c_int::try_from(left_ms).unwrap_or(c_int::MAX)
        });
        let count = fds.len() as libc::nfds_t;
        // SAFETY: the pointer and length are those of a live slice.
        match check(unsafe { libc::poll(fds.as_mut_ptr(), count, timeout_ms) }) {
            Ok(ready) => return Ok(ready > 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

// Processes.

pub(super) fn pid() -> pid_t {
    // SAFETY: always succeeds.
    unsafe { libc::getpid() }
}

/// Forks; `None` in the child.
///
/// # Safety
///
/// The process has one thread.
pub(super) unsafe fn fork() -> io::Result<Option<pid_t>> {
    // SAFETY: with one thread the child may do whatever the parent may.
    let child = check(unsafe { libc::fork() })?;
    Ok((child != 0).then_some(child))
}

/// Has the kernel kill this process when its parent dies; false if that has died already.
pub(super) fn die_with(parent: pid_t) -> bool {
    // SAFETY: sets an attribute of this process; the arguments are of the widths prctl reads.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, SIGKILL as c_ulong) };
    // SAFETY: always succeeds.
    unsafe { libc::getppid() == parent }
}

/// Makes a process the leader of a group of its own; 0 is the caller.
pub(super) fn lead_group(pid: pid_t) {
    // SAFETY: works on a number. Fails only if the process has done so and gone on.
    unsafe { libc::setpgid(pid, 0) };
}

/// Kills a whole process group.
pub(super) fn kill_group(leader: pid_t) {
    // SAFETY: sends a signal; the callers made the group and have not yet reaped its leader.
    unsafe { libc::kill(-leader, SIGKILL) };
}

/// A descriptor that polls readable when `pid` has died, where the kernel has one (5.3).
pub(super) fn process_descriptor(pid: pid_t) -> Option<c_int> {
    // SAFETY: works on numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    c_int::try_from(fd).ok().filter(|fd| *fd >= 0)
}

/// A dead child.
pub(super) struct Reaped {
    pub(super) wait_status: c_int,
    pub(super) user_us: u64,
    pub(super) system_us: u64,
}

/// Waits until a child is dead.
pub(super) fn reap(child: pid_t) -> Reaped {
    let mut wait_status = 0;
    // SAFETY: an rusage is integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live values.
        let reaped = check(unsafe { libc::wait4(child, &mut wait_status, 0, &mut usage) });
        if !matches!(reaped, Err(error) if error.kind() == io::ErrorKind::Interrupted) {
            break;
        }
    }
    let us = |time: libc::timeval| {
        time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_usec.cast_unsigned()
    };
    Reaped {
        wait_status,
        user_us: us(usage.ru_utime),
        system_us: us(usage.ru_stime),
    }
}

/// The number of this kernel thread.
pub(super) fn thread_id() -> u32 {
    // SAFETY: always succeeds.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// Sends [`WHERE_ARE_YOU`] to a thread of a child that is not reaped yet.
pub(super) fn ask(child: pid_t, thread: pid_t) {
    // SAFETY: sends a signal; a wrong number is an error.
    unsafe { libc::syscall(libc::SYS_tgkill, child, thread, WHERE_ARE_YOU) };
}

/// Gives a signal its default action. Async-signal-safe.
pub(super) fn reset_signal(signal: c_int) {
    // SAFETY: SIG_DFL is a valid disposition for it.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Sends a signal to this thread. Async-signal-safe.
pub(super) fn raise(signal: c_int) {
    // SAFETY: sends a signal to this thread.
    unsafe { libc::raise(signal) };
}

/// Sets the C library's error of this thread.
pub(super) fn set_errno(errno: c_int) {
    // SAFETY: always succeeds.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: this thread's own.
    unsafe { place.write(errno) };
}

/// Limits the private memory that this process may map, in MiB. From there on allocations fail.
pub(super) fn limit_memory(mib: u32) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live rlimit.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_DATA, &mut limit) } == 0;
    let bytes = libc::rlim_t::from(mib) << 20;
    if known && bytes < limit.rlim_cur {
        limit.rlim_cur = bytes;
        // SAFETY: the pointer is to a live rlimit, and lowering a limit is allowed.
        unsafe { libc::setrlimit(libc::RLIMIT_DATA, &limit) };
    }
}

/// Maps zeroed memory, private or shared; null if there is none.
pub(super) fn map(bytes: usize, sharing: c_int) -> *mut c_void {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = sharing | libc::MAP_ANONYMOUS;
    // SAFETY: asks for new memory at no particular place.
    let place = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if place == libc::MAP_FAILED {
        ptr::null_mut()
    } else {
        place
    }
}

/// Copies from an address of this process that may not be one, through the file `scratch`, which
/// is emptied; returns how many bytes there were.
pub(super) fn copy_from(address: u64, scratch: c_int, out: &mut [u8]) -> usize {
    rewind(scratch);
    let from = ptr::without_provenance::<c_void>(address as usize);
    // SAFETY: the kernel reads, and says EFAULT where nothing is.
    let written = unsafe { libc::write(scratch, from, out.len()) };
    let written = usize::try_from(written).unwrap_or(0);
    read_tail(scratch, &mut out[..written])
}

/// Lets writes to a broken pipe fail instead of killing the process.
pub(super) fn ignore_broken_pipes() {
    // SAFETY: SIG_IGN is a valid disposition for it.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Writes out what C code has buffered.
pub(super) fn flush_c_streams() {
    // SAFETY: null means all streams.
    unsafe { libc::fflush(ptr::null_mut()) };
}

/// Ends the process at once: no destructors, no exit handlers.
pub(super) fn exit_now(code: c_int) -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::{pid, second_number, starved_ns, thread_id};

    #[test]
    fn the_kernel_tells_how_long_a_thread_was_ready() {
        assert_eq!(second_number(b"224194778 4362397031 364\n"), 4_362_397_031);
        assert_eq!(second_number(b"1"), 0);
        assert_eq!(second_number(b""), 0);
        let here = || starved_ns(pid(), thread_id().cast_signed());
        let before = here();
        assert!(before <= here());
        assert_eq!(starved_ns(pid(), 0), 0);
    }
}
