//! Clocks, the counter, and sleep.
#![expect(
    clippy::disallowed_types,
    reason = "what a guest sees of the clocks is what is looked at"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::probe;

probe!(30, "Instant", {
    let start = Instant::now();
    let steps = [start.elapsed(), start.elapsed(), start.elapsed()];
    format!("{start:?} {steps:?}")
});
probe!(31, "SystemTime", {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    format!("{:?}", [now(), now()])
});
probe!(
    32,
    "chrono",
    format!("{:?} {:?}", chrono::Utc::now(), chrono::Utc::now())
);
probe!(
    33,
    "jiff",
    format!("{:?} {:?}", jiff::Timestamp::now(), jiff::Timestamp::now())
);
probe!(34, "time", {
    let now = time::OffsetDateTime::now_utc;
    format!("{:?} {:?}", now(), now())
});
probe!(35, "quanta", {
    let clock = quanta::Clock::new();
    let start = clock.now();
    std::thread::sleep(Duration::from_millis(5));
    format!("{start:?} {:?}", start.elapsed())
});
probe!(36, "minstant", {
    let start = minstant::Instant::now();
    std::thread::sleep(Duration::from_millis(5));
    format!("{:?}", start.elapsed())
});
probe!(37, "coarsetime", {
    let start = coarsetime::Instant::now();
    std::thread::sleep(Duration::from_millis(5));
    format!(
        "{start:?} {:?} {:?}",
        start.elapsed(),
        coarsetime::Clock::now_since_epoch()
    )
});
probe!(38, "rdtsc", crate::counter::reads());
probe!(39, "thread::sleep", {
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(5));
    format!("{:?}", start.elapsed())
});
