//! Entropy: `getrandom`, `getentropy`, `arc4random`.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{c_int, c_uint, c_void};
use std::slice;

use libc::{size_t, ssize_t};

use super::real::{self, Real};
use crate::guest;
use crate::interpose::{constructors, hatch};

// SAFETY: the type is that of the function's manual page.
static ARC4RANDOM: Real<unsafe extern "C" fn() -> u32> = unsafe { Real::new(c"arc4random") };
// SAFETY: as above.
static ARC4RANDOM_BUF: Real<unsafe extern "C" fn(*mut c_void, size_t)> =
    unsafe { Real::new(c"arc4random_buf") };
// SAFETY: as above.
static ARC4RANDOM_UNIFORM: Real<unsafe extern "C" fn(u32) -> u32> =
    unsafe { Real::new(c"arc4random_uniform") };

/// What `getrandom(2)` gives at most in one call.
const GETRANDOM_MAX: usize = (1 << 25) - 1;
/// What `getentropy(3)` gives at most in one call.
const GETENTROPY_MAX: usize = 256;

/// Fills `out` from the simulation; false where the kernel must.
///
/// # Safety
///
/// `out` is null or valid for a write of `len` bytes.
unsafe fn fill(out: *mut c_void, len: usize) -> bool {
    let answered = crate::in_simulation() || constructors::are_running();
    if out.is_null() || hatch::is_suspended() || !answered {
        return false;
    }
    // The caller's buffer may be uninitialised, and a `&mut [u8]` must not be.
    // SAFETY: not null, and so valid for `len` bytes by the contract.
    unsafe { out.write_bytes(0, len) };
    // SAFETY: as above; initialised now, and nobody else's for the length of this call.
    let bytes = unsafe { slice::from_raw_parts_mut(out.cast::<u8>(), len) };
    guest::entropy(bytes)
}

/// Serves `getrandom`: the number of bytes given, or `None` where the kernel must answer
/// (outside a simulation, null, flags that it refuses).
///
/// # Safety
///
/// `out` is null or valid for a write of `len` bytes.
pub(super) unsafe fn serve(out: *mut c_void, len: usize, flags: c_uint) -> Option<ssize_t> {
    const SOURCES: c_uint = libc::GRND_RANDOM | libc::GRND_INSECURE;
    if flags & !(SOURCES | libc::GRND_NONBLOCK) != 0 || flags & SOURCES == SOURCES {
        return None;
    }
    let len = len.min(GETRANDOM_MAX);
    // SAFETY: the caller's promise, for no more bytes than it was made for.
    unsafe { fill(out, len) }.then_some(len.cast_signed())
}

/// `getrandom(2)`.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write of `len` bytes, or null.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getrandom(out: *mut c_void, len: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: the caller's promise.
    if let Some(given) = unsafe { serve(out, len, flags) } {
        return given;
    }
    hatch::note_real_entropy();
    match real::GETRANDOM.get() {
        // SAFETY: the caller's promise, passed on.
        Some(getrandom) => unsafe { getrandom(out, len, flags) },
        None => super::unavailable() as ssize_t,
    }
}

/// `getentropy(3)`.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write of `len` bytes.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getentropy(out: *mut c_void, len: size_t) -> c_int {
    // SAFETY: the caller's promise.
    if len <= GETENTROPY_MAX && unsafe { fill(out, len) } {
        return 0;
    }
    hatch::note_real_entropy();
    match real::GETENTROPY.get() {
        // SAFETY: the caller's promise, passed on.
        Some(getentropy) => unsafe { getentropy(out, len) },
        None => super::unavailable(),
    }
}

/// Four bytes of the node's; `None` where the C library must answer.
fn word() -> Option<u32> {
    let mut bytes = [0; 4];
    // SAFETY: the pointer and length are those of a live array.
    let filled = unsafe { fill(bytes.as_mut_ptr().cast(), bytes.len()) };
    filled.then(|| u32::from_ne_bytes(bytes))
}

/// `arc4random(3)`. The C library has it draw from the kernel where no trap sees it.
///
/// # Safety
///
/// None is needed; the C function has none to ask for either.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn arc4random() -> u32 {
    if let Some(word) = word() {
        return word;
    }
    hatch::note_real_entropy();
    match ARC4RANDOM.get() {
        // SAFETY: takes nothing.
        Some(arc4random) => unsafe { arc4random() },
        None => no_entropy(),
    }
}

/// `arc4random_buf(3)`.
///
/// # Safety
///
/// As for the C function: `out` is valid for a write of `len` bytes.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn arc4random_buf(out: *mut c_void, len: size_t) {
    // SAFETY: the caller's promise.
    if unsafe { fill(out, len) } {
        return;
    }
    hatch::note_real_entropy();
    match ARC4RANDOM_BUF.get() {
        // SAFETY: the caller's promise, passed on.
        Some(arc4random_buf) => unsafe { arc4random_buf(out, len) },
        None => no_entropy(),
    }
}

/// `arc4random_uniform(3)`: below the bound, each as often as the others.
///
/// # Safety
///
/// None is needed; the C function has none to ask for either.
// SAFETY: the name and type are the C library's, and so is the behaviour outside a simulation.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn arc4random_uniform(bound: u32) -> u32 {
    let below = |word: u32| u64::from(word) * u64::from(bound);
    // Lemire's way: of the products, those whose low half is too small are drawn again.
    let again = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
    while let Some(product) = word().map(below) {
        if product as u32 >= again {
            return (product >> 32) as u32;
        }
    }
    hatch::note_real_entropy();
    match ARC4RANDOM_UNIFORM.get() {
        // SAFETY: takes any number.
        Some(arc4random_uniform) => unsafe { arc4random_uniform(bound) },
        None => no_entropy(),
    }
}

/// Where these functions have no way to say that they failed: nobody may go on without entropy.
#[cold]
fn no_entropy() -> ! {
    // SAFETY: takes nothing and does not return.
    unsafe { libc::abort() }
}
