//! The time-stamp counter, read by its own instructions.

/// Both instructions, the second of which tells the processor's number, too.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the instructions have no safe form")]
pub(crate) fn reads() -> String {
    use std::arch::x86_64::{__rdtscp, _rdtsc};
    let mut processor = 0;
    // SAFETY: every x86-64 processor has it.
    let first = unsafe { _rdtsc() };
    // SAFETY: those of the last fifteen years have it, and the number is a live one.
    let second = unsafe { __rdtscp(&raw mut processor) };
    format!("{first} {second} on {processor}")
}

/// No other architecture has the counter.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn reads() -> String {
    "there is none".to_owned()
}
