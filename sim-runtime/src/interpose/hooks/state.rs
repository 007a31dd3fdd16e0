//! Whether calls reach the hooks, asked of the dynamic linker.

use std::ffi::{CStr, c_void};

use super::{clock, entropy, real, sleep, syscall};

/// The symbols layer: an error names the functions that calls from shared libraries, or those of
/// the executable, would find elsewhere.
pub(crate) fn state() -> Result<(), String> {
    // On the left what a call from here is linked to, if the hook is in this crate's own object;
    // on the right what the dynamic linker gives to everybody else.
    let hooks: [(&CStr, *const c_void); 10] = [
        (c"clock_gettime", clock::clock_gettime as *const c_void),
        (c"gettimeofday", clock::gettimeofday as *const c_void),
        (c"time", clock::time as *const c_void),
        (c"getrandom", entropy::getrandom as *const c_void),
        (c"getentropy", entropy::getentropy as *const c_void),
        (c"nanosleep", sleep::nanosleep as *const c_void),
        (c"clock_nanosleep", sleep::clock_nanosleep as *const c_void),
        (c"usleep", sleep::usleep as *const c_void),
        (c"sleep", sleep::sleep as *const c_void),
        (c"syscall", syscall::syscall as *const c_void),
    ];
    let strangers: Vec<_> = hooks
        .iter()
        .filter(|(name, hook)| real::first(name).cast_const() != *hook)
        .map(|(name, _)| name.to_string_lossy())
        .collect();
    if strangers.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "calls find another definition of {}",
            strangers.join(", ")
        ))
    }
}
