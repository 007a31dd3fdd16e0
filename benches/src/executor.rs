//! The executor's operations, over sim-runtime itself.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use sim_runtime::{Summary, spawn, time};

use crate::lab::{self, TASKS, nap, rounds};

/// Pending once, with the task woken.
struct Yield {
    done: bool,
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.done {
            return Poll::Ready(());
        }
        self.done = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn join_all<F: Future<Output = ()> + 'static>(task: impl Fn(u64) -> F) {
    let tasks: Vec<_> = (0..TASKS).map(|number| spawn(task(number))).collect();
    for task in tasks {
        task.await.expect("a task comes to its end");
    }
}

/// One poll of a task that is woken at once.
pub(crate) fn yields(count: u64) -> Summary {
    let rounds = rounds(count);
    lab::run(join_all(move |_| async move {
        for _ in 0..rounds {
            Yield { done: false }.await;
        }
    }))
}

/// A timer armed, waited for and fired.
pub(crate) fn sleeps(count: u64) -> Summary {
    let rounds = rounds(count);
    lab::run(join_all(move |task| async move {
        for round in 0..rounds {
            time::sleep(nap(task, round)).await;
        }
    }))
}

/// A task that is spawned, runs and is joined.
pub(crate) fn spawns(count: u64) -> Summary {
    let rounds = rounds(count);
    lab::run(join_all(move |_| async move {
        for _ in 0..rounds {
            spawn(async {}).await.expect("a task comes to its end");
        }
    }))
}
