//! Sleeping.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use sim_runtime::{in_simulation, time};
use tokio_real::time::Instant;

use crate::clock;
use crate::task::coop;

pin_project! {
    /// Completes at a deadline; as `tokio::time::Sleep`.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Sleep {
        #[pin]
        repr: Repr,
    }
}

pin_project! {
    #[project = ReprProjection]
    enum Repr {
        Sim { sleep: time::Sleep },
        Real { #[pin] sleep: tokio_real::time::Sleep },
    }
}

/// Completes when `duration` has passed. One too long to represent is about 30 years.
///
/// # Panics
/// Outside a simulation, when there is no runtime with a timer.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let repr = if in_simulation() {
        Repr::Sim {
            sleep: time::sleep_until(clock::after(duration)),
        }
    } else {
        Repr::Real {
            sleep: tokio_real::time::sleep(duration),
        }
    };
    Sleep { repr }
}

/// Completes at `deadline`.
///
/// # Panics
/// Outside a simulation, when there is no runtime with a timer.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    let repr = if in_simulation() {
        Repr::Sim {
            sleep: time::sleep_until(clock::to_virtual(deadline)),
        }
    } else {
        Repr::Real {
            sleep: tokio_real::time::sleep_until(deadline),
        }
    };
    Sleep { repr }
}

impl Sleep {
    /// When it completes.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        match &self.repr {
            Repr::Sim { sleep } => clock::to_instant(sleep.deadline()),
            Repr::Real { sleep } => sleep.deadline(),
        }
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        match &self.repr {
            Repr::Sim { sleep } => sleep.is_elapsed(),
            Repr::Real { sleep } => sleep.is_elapsed(),
        }
    }

    /// Moves the deadline. Whoever waits must poll it again.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        match self.project().repr.project() {
            ReprProjection::Sim { sleep } => sleep.reset(clock::to_virtual(deadline)),
            ReprProjection::Real { sleep } => sleep.reset(deadline),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project().repr.project() {
            ReprProjection::Sim { sleep } => coop::spend(cx, |cx| Pin::new(sleep).poll(cx)),
            ReprProjection::Real { sleep } => sleep.poll(cx),
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repr {
            Repr::Sim { sleep } => sleep.fmt(f),
            Repr::Real { sleep } => sleep.fmt(f),
        }
    }
}
