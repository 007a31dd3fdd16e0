//! What a body sees on the real tokio, its clock standing, and in simulations of several seeds:
//! the same, to the millisecond.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until, timeout};

use crate::support::simulate;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Runs `body` on both and wants what it says to be the same.
fn agree<F>(body: fn() -> F)
where
    F: Future<Output = Vec<String>> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    // A body is a task in both.
    let set = LocalSet::new();
    let task = set.spawn_local(async move { body().await });
    let real = runtime.block_on(set.run_until(task)).unwrap();
    assert!(!real.is_empty());
    for seed in 0..8 {
        assert_eq!(simulate(seed, body), real, "seed {seed}");
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Says so when it is dropped, and what task that was in.
    fn at_drop(&self, name: &'static str) -> AtDrop {
        AtDrop(self.clone(), name)
    }
}

struct AtDrop(Said, &'static str);

impl Drop for AtDrop {
    fn drop(&mut self) {
        let place = match tokio::task::try_id() {
            Some(_) => "in a task",
            None => "outside",
        };
        self.0.say(format!("{} dropped {place}", self.1));
    }
}

#[test]
fn missed_ticks() {
    async fn ticks(behavior: MissedTickBehavior) -> Vec<String> {
        let start = Instant::now() + ms(10);
        let mut interval = interval_at(start, ms(100));
        interval.set_missed_tick_behavior(behavior);
        let mut due = Vec::new();
        for late in [0, 320, 0, 0, 30, 250, 0, 0] {
            sleep(ms(late)).await;
            let tick = interval.tick().await;
            // A sleep of tokio's ends with the millisecond that it is due in.
            due.push(format!("{}", (tick - start).as_millis() / 10));
        }
        due
    }
    agree(|| ticks(MissedTickBehavior::Burst));
    agree(|| ticks(MissedTickBehavior::Delay));
    agree(|| ticks(MissedTickBehavior::Skip));
}

#[test]
fn a_tick_that_was_given_up_is_not_lost() {
    agree(|| async {
        let start = Instant::now();
        let mut interval = tokio::time::interval(ms(100));
        interval.tick().await;
        let mut said = Vec::new();
        for limit in [30, 30, 30, 30, 30] {
            let tick = timeout(ms(limit), interval.tick()).await;
            said.push(format!("{:?}", tick.is_ok()));
        }
        said.push(format!("{}", start.elapsed().as_millis() / 10));
        said
    });
}

#[test]
fn messages_survive_a_wait_that_was_given_up() {
    agree(|| async {
        let (to, mut from) = mpsc::channel(1);
        tokio::spawn(async move {
            for number in 0..5 {
                sleep(ms(10)).await;
                to.send(number).await.unwrap();
            }
        });
        let mut said = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = sleep(ms(7)) => said.push("waited".to_owned()),
                message = from.recv() => match message {
                    Some(number) => said.push(number.to_string()),
                    None => break,
                },
            }
        }
        said
    });
}

#[test]
fn an_aborted_task_is_dropped_in_a_task_before_it_is_joined() {
    agree(|| async {
        let said = Said::default();
        let guards = (said.at_drop("first"), said.at_drop("second"));
        let task = tokio::spawn(async move {
            let _first = guards.0;
            let _second = guards.1;
            pending::<()>().await;
        });
        sleep(ms(1)).await;
        task.abort();
        said.say(format!("finished {}", task.is_finished()));
        let joined = task.await;
        said.say(format!("joined {}", joined.unwrap_err().is_cancelled()));
        // One that never ran, and one that was done before.
        let guard = said.at_drop("never ran");
        let task = tokio::spawn(async move { drop(guard) });
        task.abort();
        said.say(format!("{:?}", task.await.map_err(|e| e.is_cancelled())));
        let task = tokio::spawn(async { 5 });
        sleep(ms(1)).await;
        task.abort();
        said.say(format!("{:?}", task.await.map_err(|e| e.is_cancelled())));
        said.all()
    });
}

#[test]
fn an_output_is_dropped_with_the_handle_that_did_not_take_it() {
    agree(|| async {
        let said = Said::default();
        let output = said.at_drop("output");
        let task = tokio::spawn(async move { output });
        sleep(ms(1)).await;
        said.say("done");
        drop(task);
        said.say("handle gone");
        let future = said.at_drop("future");
        let task = tokio::spawn(async move {
            sleep(ms(1)).await;
            drop(future);
        });
        drop(task);
        sleep(ms(5)).await;
        said.say("detached");
        said.all()
    });
}

#[test]
fn panics_are_caught_where_tokio_catches_them() {
    fn quiet() -> ! {
        std::panic::resume_unwind(Box::new("quiet"))
    }
    struct PanicsAtDrop;
    impl Drop for PanicsAtDrop {
        fn drop(&mut self) {
            quiet();
        }
    }
    /// What a join gave.
    fn told<T>(joined: Result<T, tokio::task::JoinError>) -> String {
        match joined {
            Ok(_) => "fine".to_owned(),
            Err(error) if error.is_cancelled() => "cancelled".to_owned(),
            Err(error) => format!("{:?}", error.into_panic().downcast_ref::<&str>()),
        }
    }
    agree(|| async {
        let mut said = Vec::new();
        said.push(told(tokio::spawn(async { quiet() }).await));
        let task = tokio::spawn(async {
            tokio::task::yield_now().await;
            quiet()
        });
        said.push(told(task.await));
        said.push(told(tokio::task::spawn_blocking(|| quiet()).await));
        let mut set = JoinSet::new();
        set.spawn(async { quiet() });
        said.push(told(set.join_next().await.unwrap()));
        let local = LocalSet::new();
        let task = local.spawn_local(async { quiet() });
        said.push(told(local.run_until(task).await));
        // A future that panics as it is dropped for an abort.
        let guard = PanicsAtDrop;
        let task = tokio::spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        sleep(ms(1)).await;
        task.abort();
        said.push(told(task.await));
        said
    });
}

#[test]
fn join_sets_join_in_the_order_of_finishing_and_abort_what_is_left() {
    agree(|| async {
        let said = Said::default();
        let mut set = JoinSet::new();
        for (name, millis) in [("c", 30), ("a", 10), ("b", 20), ("never", 10_000)] {
            let guard = said.at_drop(name);
            set.spawn(async move {
                let _guard = guard;
                sleep(ms(millis)).await;
                name
            });
        }
        for _ in 0..3 {
            let name = set.join_next().await.unwrap().unwrap();
            said.say(format!("joined {name}, {} left", set.len()));
        }
        set.shutdown().await;
        said.say(format!("shut down, {} left", set.len()));
        said.all()
    });
}

#[test]
fn losers_of_a_select_are_dropped_before_the_handler_runs() {
    agree(|| async {
        let said = Said::default();
        let (one, two) = (said.at_drop("one"), said.at_drop("two"));
        tokio::select! {
            biased;
            () = async { let _one = one; pending::<()>().await } => {}
            () = async { let _two = two; pending::<()>().await } => {}
            () = sleep(ms(1)) => said.say("handler"),
        }
        said.all()
    });
}

#[test]
fn a_timeout_polls_its_future_first_and_keeps_its_deadline() {
    agree(|| async {
        let mut said = Vec::new();
        let past = Instant::now();
        sleep(ms(5)).await;
        said.push(format!(
            "{:?}",
            tokio::time::timeout_at(past, async { 1 }).await.is_ok()
        ));
        let (done, wait) = oneshot::channel::<u8>();
        let limited = timeout(ms(10), wait);
        let mut limited = pin!(limited);
        sleep(ms(20)).await;
        done.send(3).unwrap();
        // Its time is over, but so is the future.
        said.push(format!("{:?}", limited.as_mut().await.is_ok()));
        let sleeping = sleep(ms(50));
        let mut sleeping = pin!(sleeping);
        let deadline = sleeping.deadline();
        poll_fn(|cx| {
            assert!(sleeping.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        sleeping.as_mut().reset(deadline + ms(50));
        sleep_until(deadline + ms(10)).await;
        said.push(format!("elapsed {}", sleeping.is_elapsed()));
        sleeping.as_mut().await;
        said.push(format!("late {}", deadline.elapsed() >= ms(50)));
        said
    });
}

#[test]
fn local_tasks_run_in_the_order_in_which_they_were_spawned_or_the_seeds() {
    // Within one task order is the program's own, wherever it runs.
    agree(|| async {
        let set = LocalSet::new();
        let said = Rc::new(RefCell::new(Vec::new()));
        let inner = Rc::clone(&said);
        set.spawn_local(async move {
            for step in 0..3 {
                inner.borrow_mut().push(format!("step {step}"));
                let nested = tokio::task::spawn_local(async move { step * 10 });
                let tens = nested.await.unwrap();
                inner.borrow_mut().push(format!("nested {tens}"));
            }
        });
        set.await;
        said.take()
    });
}
