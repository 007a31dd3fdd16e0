//! The wall clock, for what is told of a sweep and never decides anything in it.

#![expect(
    clippy::disallowed_types,
    reason = "when a sweep ran is told in real time"
)]

use std::time::SystemTime;

/// Milliseconds since 1970; 0 before.
pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
