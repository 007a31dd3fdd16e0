//! The cooperative budget: how much a task does in one turn before it lets others run.
//!
//! Inside a simulation whatever is simulated spends it: sockets, sleeps and join handles, each poll
//! that gives an output. tokio lets nobody set the budget that its own channels and locks look at,
//! so there they never yield.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use sim_runtime::in_simulation;

/// What a task has for each turn: as much as in tokio.
const BUDGET: u64 = 128;

/// What is noted of a turn that has no limit.
const UNLIMITED: u64 = u64::MAX;

/// What is left of this turn's; [`UNLIMITED`] outside a simulation, too.
#[inline]
fn noted() -> u64 {
    sim_runtime::turn_note_or(BUDGET).unwrap_or(UNLIMITED)
}

/// What is left of this turn's; `None` where there is no limit, and outside a simulation.
#[inline]
fn left() -> Option<u64> {
    Some(noted()).filter(|left| *left != UNLIMITED)
}

#[inline]
fn set(left: Option<u64>) {
    sim_runtime::note_turn(left.unwrap_or(UNLIMITED));
}

/// Whether the running task may go on without yielding.
#[must_use]
pub fn has_budget_remaining() -> bool {
    if in_simulation() {
        return left().is_none_or(|left| left > 0);
    }
    tokio_real::task::coop::has_budget_remaining()
}

/// Gives back what was taken of the budget when it is dropped, unless progress was made; as
/// `tokio::task::coop::RestoreOnPending`.
#[derive(Debug)]
#[must_use]
pub struct RestoreOnPending(Taken, PhantomData<*mut ()>);

#[derive(Debug)]
enum Taken {
    /// What to go back to, and whether to.
    Sim(Option<u64>, Cell<bool>),
    Real(tokio_real::task::coop::RestoreOnPending),
}

impl RestoreOnPending {
    /// Says that what was taken was used.
    pub fn made_progress(&self) {
        match &self.0 {
            Taken::Sim(_, back) => back.set(false),
            Taken::Real(real) => real.made_progress(),
        }
    }
}

impl Drop for RestoreOnPending {
    fn drop(&mut self) {
        if let Taken::Sim(before, back) = &self.0
            && back.get()
        {
            set(*before);
        }
    }
}

/// Takes one unit of the budget; wakes the task and is pending when none is left.
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<RestoreOnPending> {
    if !in_simulation() {
        let taken = tokio_real::task::coop::poll_proceed(cx);
        return taken.map(|real| RestoreOnPending(Taken::Real(real), PhantomData));
    }
    let before = left();
    match before {
        Some(0) => {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Some(some) => set(Some(some - 1)),
        None => {}
    }
    let taken = Taken::Sim(before, Cell::new(before.is_some()));
    Poll::Ready(RestoreOnPending(taken, PhantomData))
}

/// Polls what is simulated for one unit of the budget, which is taken when there is an output. When
/// none is left it is not polled: the task is woken, and others run first.
#[inline]
pub(crate) fn spend<T>(
    cx: &mut Context<'_>,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let before = noted();
    if before == 0 {
        return yield_first(cx);
    }
    // What spends within it spends the same unit.
    let polled = poll(cx);
    if polled.is_ready() && before != UNLIMITED {
        sim_runtime::note_turn(before - 1);
    }
    polled
}

#[cold]
#[inline(never)]
fn yield_first<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Takes one unit of the budget, and yields first when none is left.
pub async fn consume_budget() {
    poll_fn(|cx| poll_proceed(cx).map(|taken| taken.made_progress())).await;
}

pin_project! {
    /// A future that takes one unit of the budget for each poll that gives an output; as
    /// `tokio::task::coop::Coop`.
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct Coop<F: Future> {
        #[pin]
        future: F,
    }
}

/// Has a future spend the budget.
pub const fn cooperative<F: Future>(fut: F) -> Coop<F> {
    Coop { future: fut }
}

impl<F: Future> Future for Coop<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let taken = ready!(poll_proceed(cx));
        let polled = self.project().future.poll(cx);
        if polled.is_ready() {
            taken.made_progress();
        }
        polled
    }
}

pin_project! {
    /// A future without a budget; as `tokio::task::coop::Unconstrained`.
    #[must_use = "Unconstrained does nothing unless polled"]
    pub struct Unconstrained<F> {
        #[pin]
        repr: Repr<F>,
    }
}

pin_project! {
    #[project = ReprProjection]
    enum Repr<F> {
        Sim { #[pin] future: F },
        Real { #[pin] real: tokio_real::task::coop::Unconstrained<F> },
    }
}

/// Frees a future of the budget.
pub fn unconstrained<F>(inner: F) -> Unconstrained<F> {
    let repr = match in_simulation() {
        true => Repr::Sim { future: inner },
        false => Repr::Real {
            real: tokio_real::task::coop::unconstrained(inner),
        },
    };
    Unconstrained { repr }
}

/// Puts the budget back.
struct Back(Option<u64>);

impl Drop for Back {
    fn drop(&mut self) {
        set(self.0);
    }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().repr.project() {
            ReprProjection::Sim { future } => {
                let _back = Back(left());
                set(None);
                future.poll(cx)
            }
            ReprProjection::Real { real } => real.poll(cx),
        }
    }
}
