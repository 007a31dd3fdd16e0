//! Time as tasks have it, by their node's monotonic clock: now, and sleeping.
//!
//! That is virtual time, unless the node's clock is skewed. For virtual time whatever a node's
//! clock says, as harnesses and recorders want it, ask [`World::now`](crate::World::now).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::ids::SimInstant;
use crate::report::Waits;
use crate::task;
use crate::timers::TimerKey;
use crate::world::{try_with, with};

/// What the running node's monotonic clock shows, counted from the start of the simulation.
///
/// # Panics
/// Outside a simulation.
#[must_use]
#[inline]
pub fn now() -> SimInstant {
    task::here()
        .expect("this is only possible inside a simulation")
        .clock()
}

/// Completes when `duration` has passed.
///
/// # Panics
/// Outside a simulation.
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(now() + duration)
}

/// Completes at `deadline`, on the clock of the node that polls it.
pub const fn sleep_until(deadline: SimInstant) -> Sleep {
    Sleep {
        deadline,
        timer: None,
    }
}

/// A timer as a future. Armed at its first poll, taken back when it is dropped.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    deadline: SimInstant,
    timer: Option<TimerKey>,
}

impl Sleep {
    /// When it completes.
    #[must_use]
    pub const fn deadline(&self) -> SimInstant {
        self.deadline
    }

    /// Whether its deadline has passed.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        try_with(|world| world.clock() >= self.deadline).unwrap_or(true)
    }

    /// Moves the deadline. Whoever waits for it must poll it again.
    pub fn reset(&mut self, deadline: SimInstant) {
        self.disarm();
        self.deadline = deadline;
    }

    #[inline(never)]
    fn disarm(&mut self) {
        if let Some(timer) = self.timer.take()
            && let Some(here) = task::here()
            && here.is_armed(timer)
        {
            with(|world| world.cancel_timer(timer));
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        if now() >= deadline {
            if self.timer.is_some() {
                self.disarm();
            }
            return Poll::Ready(());
        }
        let timer = self.timer;
        self.timer = with(|world| {
            world.waiting(Waits::Until(deadline));
            match timer {
                Some(timer) if world.update_timer_waker(timer, cx.waker()) => Some(timer),
                _ => Some(world.wake_at(deadline, cx.waker().clone())),
            }
        });
        Poll::Pending
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if self.timer.is_some() {
            self.disarm();
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .finish()
    }
}
