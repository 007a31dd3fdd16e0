//! The hatch: real answers inside a simulation, for the length of a closure.

use std::cell::Cell;

use super::{dispatch, floor};

thread_local! {
    /// How many `outside` closures this thread is within.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// How many it was within before its simulation, which answers all the same.
    static BEFORE: Cell<u32> = const { Cell::new(0) };
    /// How many `outside` closures this thread has entered.
    static ENTERED: Cell<u64> = const { Cell::new(0) };
    /// How many bytes strings of real entropy this thread got unasked.
    static REAL_ENTROPY: Cell<u64> = const { Cell::new(0) };
}

/// Runs `f` with interposition suspended on this thread: clocks, entropy and sleep are real.
///
/// What `f` learns there differs from run to run, so it must not reach the simulation. Calls
/// nest, and a panic of `f` ends the suspension too. Each call is counted ([`outside_count`]).
/// Costs two system calls, which on a virtual machine take 12 microseconds: the processor's trap of
/// the time-stamp counter is lifted and set again.
///
/// ```
/// let started = sim_runtime::interpose::outside(std::time::SystemTime::now);
/// assert!(started.duration_since(std::time::UNIX_EPOCH).is_ok());
/// ```
pub fn outside<R>(f: impl FnOnce() -> R) -> R {
    struct Suspended;
    impl Drop for Suspended {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
            if DEPTH.get() == 0 {
                dispatch::trap_counter_again();
            }
        }
    }
    if DEPTH.get() == 0 {
        dispatch::free_counter();
    }
    DEPTH.set(DEPTH.get() + 1);
    ENTERED.set(ENTERED.get() + 1);
    let _suspended = Suspended;
    f()
}

/// Suspends interposition for a whole simulation, if the environment asks for it.
pub(crate) fn enter_simulation() {
    BEFORE.set(DEPTH.replace(u32::from(floor::is_without("symbols"))));
}

/// Ends what [`enter_simulation`] began.
pub(crate) fn leave_simulation() {
    DEPTH.set(BEFORE.take());
}

/// How many times this thread entered [`outside`]. A simulation's own count is the difference
/// between its end and its start, since it stays on one thread.
pub fn outside_count() -> u64 {
    ENTERED.get()
}

/// Whether the hooks of this thread must pass every call through.
#[inline]
pub(crate) fn is_suspended() -> bool {
    DEPTH.get() != 0
}

/// Notes that this thread was given real entropy without having asked for it by [`outside`].
#[inline]
pub(crate) fn note_real_entropy() {
    if !is_suspended() {
        REAL_ENTROPY.set(REAL_ENTROPY.get() + 1);
    }
}

/// How often that happened on this thread.
///
/// Not zero when a simulation starts means that the thread is not fresh: std caches the keys of
/// `HashMap` per thread, and keys drawn before the simulation are real.
pub(crate) fn real_entropy_draws() -> u64 {
    REAL_ENTROPY.get()
}

#[cfg(test)]
mod tests {
    use super::{is_suspended, outside, outside_count};

    #[test]
    fn suspension_nests_and_ends_with_a_panic() {
        let before = outside_count();
        outside(|| outside(|| assert!(is_suspended())));
        assert!(!is_suspended());
        let panicked =
            std::panic::catch_unwind(|| outside(|| std::panic::resume_unwind(Box::new(()))));
        assert!(panicked.is_err());
        assert!(!is_suspended());
        assert_eq!(outside_count() - before, 3);
    }
}
