//! The functions that the hooks shadow: the next definition of each symbol after our own.
#![expect(
    unsafe_code,
    reason = "finds functions of the C library by name and calls them"
)]

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::marker::PhantomData;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{clockid_t, pthread_attr_t, pthread_t, size_t, ssize_t, time_t, timespec, timeval};

/// A shadowed function of type `F`, a function pointer.
pub(crate) struct Real<F> {
    name: &'static CStr,
    /// Of several definitions by that name, which; `None`: there is but one.
    version: Option<&'static CStr>,
    address: AtomicPtr<c_void>,
    signature: PhantomData<F>,
}

impl<F: Copy> Real<F> {
    /// # Safety
    ///
    /// `F` is a function pointer type, and what the C library defines by `name` has that type.
    pub(crate) const unsafe fn new(name: &'static CStr) -> Self {
        Self {
            name,
            version: None,
            address: AtomicPtr::new(ptr::null_mut()),
            signature: PhantomData,
        }
    }

    /// One of several versions of a function; any, where the C library has no such version.
    ///
    /// # Safety
    ///
    /// As for `new`.
    #[cfg(floor_traps)]
    pub(crate) const unsafe fn versioned(name: &'static CStr, version: &'static CStr) -> Self {
        Self {
            name,
            version: Some(version),
            address: AtomicPtr::new(ptr::null_mut()),
            signature: PhantomData,
        }
    }

    /// The function, looked up if no constructor has done so yet. `None` only where no loaded
    /// library defines it.
    #[inline]
    pub(crate) fn get(&self) -> Option<F> {
        let mut address = self.address.load(Ordering::Relaxed);
        if address.is_null() {
            address = self.resolve();
        }
        if address.is_null() {
            return None;
        }
        // SAFETY: `new` was promised that `F` is a pointer to a function of this symbol's type,
        // and the address is that symbol's and not null.
        Some(unsafe { mem::transmute_copy::<*mut c_void, F>(&address) })
    }

    #[cold]
    fn resolve(&self) -> *mut c_void {
        let exact = self.version.map(|version| next_version(self.name, version));
        let address = match exact {
            Some(address) if !address.is_null() => address,
            _ => next(self.name),
        };
        self.address.store(address, Ordering::Relaxed);
        address
    }
}

/// The definition of `name` that comes after the executable's; null if there is none.
fn next(name: &CStr) -> *mut c_void {
    // SAFETY: `name` ends in NUL, and RTLD_NEXT asks for no handle to be valid.
    unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }
}

/// The same, of one version.
#[cfg(floor_traps)]
fn next_version(name: &CStr, version: &CStr) -> *mut c_void {
    // SAFETY: both end in NUL, and RTLD_NEXT asks for no handle to be valid.
    unsafe { libc::dlvsym(libc::RTLD_NEXT, name.as_ptr(), version.as_ptr()) }
}

/// Nobody asks for a version.
#[cfg(not(floor_traps))]
fn next_version(_name: &CStr, _version: &CStr) -> *mut c_void {
    ptr::null_mut()
}

/// The definition of `name` that calls reach; null if there is none.
pub(crate) fn first(name: &CStr) -> *mut c_void {
    // SAFETY: `name` ends in NUL, and RTLD_DEFAULT asks for no handle to be valid.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// Sets this thread's errno.
#[inline]
pub(crate) fn set_errno(errno: c_int) {
    // SAFETY: the C library gives each thread a valid place for as long as the thread lives.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above; no other thread reads or writes it.
    unsafe { place.write(errno) };
}

/// This thread's errno.
#[inline]
pub(crate) fn errno() -> c_int {
    // SAFETY: as in `set_errno`.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as in `set_errno`.
    unsafe { place.read() }
}

/// `main` as the C library calls it.
pub(crate) type Main = unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) -> c_int;
/// `syscall`, declared with all its registers.
pub(crate) type Syscall =
    unsafe extern "C" fn(c_long, usize, usize, usize, usize, usize, usize) -> c_long;
/// `__libc_start_main`.
pub(crate) type StartMain = unsafe extern "C" fn(
    Main,
    c_int,
    *mut *mut c_char,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
) -> c_int;
/// What a thread of C runs.
pub(crate) type ThreadStart = extern "C" fn(*mut c_void) -> *mut c_void;
type ThreadCreate =
    unsafe extern "C" fn(*mut pthread_t, *const pthread_attr_t, ThreadStart, *mut c_void) -> c_int;
type ThreadJoin = unsafe extern "C" fn(pthread_t, *mut *mut c_void) -> c_int;
type ClockNanosleep =
    unsafe extern "C" fn(clockid_t, c_int, *const timespec, *mut timespec) -> c_int;

macro_rules! shadowed {
    ($($constant:ident = $name:literal: $signature:ty;)*) => {
        $(
            #[doc = concat!("The C library's `", stringify!($constant), "`.")]
            // SAFETY: the type is that of the function's manual page.
            pub(crate) static $constant: Real<$signature> = unsafe { Real::new($name) };
        )*

        /// Looks all of them up, so that no hook has to in the middle of something.
        pub(super) fn resolve_all() {
            $($constant.resolve();)*
        }
    };
}

shadowed! {
    CLOCK_GETTIME = c"clock_gettime": unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;
    GETTIMEOFDAY = c"gettimeofday": unsafe extern "C" fn(*mut timeval, *mut c_void) -> c_int;
    TIME = c"time": unsafe extern "C" fn(*mut time_t) -> time_t;
    GETRANDOM = c"getrandom": unsafe extern "C" fn(*mut c_void, size_t, c_uint) -> ssize_t;
    GETENTROPY = c"getentropy": unsafe extern "C" fn(*mut c_void, size_t) -> c_int;
    NANOSLEEP = c"nanosleep": unsafe extern "C" fn(*const timespec, *mut timespec) -> c_int;
    CLOCK_NANOSLEEP = c"clock_nanosleep": ClockNanosleep;
    USLEEP = c"usleep": unsafe extern "C" fn(c_uint) -> c_int;
    SLEEP = c"sleep": unsafe extern "C" fn(c_uint) -> c_uint;
    SYSCALL = c"syscall": Syscall;
    LIBC_START_MAIN = c"__libc_start_main": StartMain;
    PTHREAD_CREATE = c"pthread_create": ThreadCreate;
    PTHREAD_JOIN = c"pthread_join": ThreadJoin;
}

/// Nanoseconds of the real `CLOCK_MONOTONIC`, inside a simulation too.
pub(crate) fn monotonic_ns() -> u64 {
    let Some(clock_gettime) = CLOCK_GETTIME.get() else {
        return 0;
    };
    let mut now = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a live timespec.
    let failed = unsafe { clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    debug_assert_eq!(failed, 0, "CLOCK_MONOTONIC is always there");
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// The answer of a hook whose real function does not exist: -1 and `ENOSYS`.
#[cold]
pub(crate) fn unavailable() -> c_int {
    set_errno(libc::ENOSYS);
    -1
}
