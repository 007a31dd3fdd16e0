//! When to stop early: the time is over, or somebody asked for what there is.

#![expect(
    clippy::disallowed_types,
    reason = "how long a command may take is real time"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::exit::Error;

/// Says when it is over. The first interrupt ends it; a second one ends the process.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    until: Option<Instant>,
    interrupted: Arc<AtomicBool>,
}

impl Patience {
    /// Patience for so long; without a limit if none is given.
    ///
    /// # Errors
    /// The signals cannot be listened to.
    pub(crate) fn new(limit: Option<Duration>) -> Result<Self, Error> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the second one finds the flag set.
            let second =
                signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted));
            let first = signal_hook::flag::register(signal, Arc::clone(&interrupted));
            second.and(first).map_err(|error| {
                Error::internal(format!("interrupts cannot be listened to: {error}"))
            })?;
        }
        Ok(Self {
            until: limit.map(|limit| Instant::now() + limit),
            interrupted,
        })
    }

    /// Another limit, from now on, and the same interrupts.
    pub(crate) fn for_another(&self, limit: Duration) -> Self {
        Self {
            until: Some(Instant::now() + limit),
            interrupted: Arc::clone(&self.interrupted),
        }
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        self.was_interrupted() || self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Waits, for something elsewhere to go on; then says whether somebody interrupted.
    pub(crate) fn pause(&self, period: Duration) -> bool {
        thread::sleep(period);
        self.was_interrupted()
    }

    /// Whether somebody interrupted.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
