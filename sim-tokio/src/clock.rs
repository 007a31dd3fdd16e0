//! Between the guest's `Instant`s and what its node's monotonic clock shows to the simulation.
//!
//! Both clocks are read at the same moment and deadlines are carried over as differences, so no
//! assumption is made about where the guest's clock starts.

use std::time::Duration;

use sim_runtime::SimInstant;
use tokio_real::time::Instant;

/// What tokio puts in the place of an instant too far to represent: 30 years from now.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Both clocks, read before the read itself has cost time.
fn read() -> (SimInstant, Instant) {
    let virtual_now = sim_runtime::time::now();
    (virtual_now, Instant::now())
}

/// A deadline of the guest's in virtual time; one that has passed is due now.
pub(crate) fn to_virtual(deadline: Instant) -> SimInstant {
    let (virtual_now, now) = read();
    virtual_now + deadline.saturating_duration_since(now)
}

/// A virtual instant as the guest's clock would show it.
pub(crate) fn to_instant(at: SimInstant) -> Instant {
    let (virtual_now, now) = read();
    let shown = if at >= virtual_now {
        now.checked_add(at.since(virtual_now))
    } else {
        now.checked_sub(virtual_now.since(at))
    };
    shown.unwrap_or(now + FAR_FUTURE)
}

/// `duration` from now, in virtual time; about 30 years when that cannot be represented.
pub(crate) fn after(duration: Duration) -> SimInstant {
    let now = sim_runtime::time::now();
    let fits = u64::try_from(duration.as_nanos())
        .ok()
        .and_then(|nanos| now.0.checked_add(nanos));
    fits.map_or_else(|| now + FAR_FUTURE, SimInstant)
}
