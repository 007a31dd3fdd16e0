//! Time: virtual inside a simulation, tokio's outside.
//!
//! [`Instant`] is tokio's own type: it reads the clock through the C library, which is virtual
//! inside a simulation.

mod clock;
pub mod error;
mod interval;
mod sleep;
mod timeout;

pub use clock::{advance, pause, resume};
pub use interval::{Interval, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Timeout, timeout, timeout_at};
#[doc(no_inline)]
pub use tokio_real::time::{Duration, Instant, MissedTickBehavior};
