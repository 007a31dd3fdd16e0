//! A future with a time limit.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use sim_runtime::{in_simulation, time};
use tokio_real::time::Instant;

use super::error::Elapsed;
use crate::clock;

pin_project! {
    /// A future and its time limit; as `tokio::time::Timeout`.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    #[derive(Debug)]
    pub struct Timeout<T> {
        #[pin]
        repr: Repr<T>,
    }
}

pin_project! {
    #[project = ReprProjection]
    #[derive(Debug)]
    enum Repr<T> {
        Sim { #[pin] value: T, limit: time::Sleep },
        Real { #[pin] timeout: tokio_real::time::Timeout<T> },
    }
}

/// Gives `future` at most `duration`. It is polled before the time is looked at.
///
/// # Panics
/// Outside a simulation, when there is no runtime with a timer.
#[track_caller]
pub fn timeout<F>(duration: Duration, future: F) -> Timeout<F::IntoFuture>
where
    F: IntoFuture,
{
    let repr = if in_simulation() {
        let limit = time::sleep_until(clock::after(duration));
        Repr::Sim {
            value: future.into_future(),
            limit,
        }
    } else {
        Repr::Real {
            timeout: tokio_real::time::timeout(duration, future),
        }
    };
    Timeout { repr }
}

/// Gives `future` until `deadline`. It is polled before the time is looked at.
///
/// # Panics
/// Outside a simulation, when there is no runtime with a timer.
#[track_caller]
pub fn timeout_at<F>(deadline: Instant, future: F) -> Timeout<F::IntoFuture>
where
    F: IntoFuture,
{
    let repr = if in_simulation() {
        let limit = time::sleep_until(clock::to_virtual(deadline));
        Repr::Sim {
            value: future.into_future(),
            limit,
        }
    } else {
        Repr::Real {
            timeout: tokio_real::time::timeout_at(deadline, future),
        }
    };
    Timeout { repr }
}

impl<T> Timeout<T> {
    /// The future.
    pub fn get_ref(&self) -> &T {
        match &self.repr {
            Repr::Sim { value, .. } => value,
            Repr::Real { timeout } => timeout.get_ref(),
        }
    }

    /// The future.
    pub fn get_mut(&mut self) -> &mut T {
        match &mut self.repr {
            Repr::Sim { value, .. } => value,
            Repr::Real { timeout } => timeout.get_mut(),
        }
    }

    /// The future, without its limit.
    pub fn into_inner(self) -> T {
        match self.repr {
            Repr::Sim { value, .. } => value,
            Repr::Real { timeout } => timeout.into_inner(),
        }
    }
}

impl<T> Future for Timeout<T>
where
    T: Future,
{
    type Output = Result<T::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().repr.project() {
            ReprProjection::Sim { value, limit } => {
                if let Poll::Ready(output) = value.poll(cx) {
                    return Poll::Ready(Ok(output));
                }
                Pin::new(limit).poll(cx).map(|()| Err(Elapsed::new()))
            }
            ReprProjection::Real { timeout } => timeout.poll(cx).map_err(|_| Elapsed::new()),
        }
    }
}
