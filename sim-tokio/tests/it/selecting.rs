//! `select!`: syntax, rules, fairness.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::{pending, ready};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::support::{in_both_worlds, simulate};

in_both_worlds! {
    syntax
    sixteen_branches
    control_flow_in_handlers
    patterns_and_else
    disabled_branches
    nested
    cancellation_safety
    losers_are_dropped_first_to_last_before_the_handler
    borrowed_state
    patterns_that_bind_in_every_way
}

async fn syntax() {
    let one = tokio::select! { number = ready(1) => number };
    let two = tokio::select! {
        biased;
        _ = pending::<()>() => 0,
        number = async { 2 }, if true => { number }
    };
    let three = tokio::select! {
        biased;
        () = ready(()), if false => { 0 }
        (a, b) = async { (1, 2) } => { a + b },
        else => 0,
    };
    let four = tokio::select! {
        _ = pending::<()>() => {
            0
        }
        Some(number) = ready(Some(4)) => number,
        else => { 0 }
    };
    assert_eq!((one, two, three, four), (1, 2, 3, 4));
    // A future by reference, and something that is only `IntoFuture`.
    let mut sleeping = std::pin::pin!(sleep(Duration::ZERO));
    tokio::select! {
        () = &mut sleeping => {}
        () = pending() => {}
    }
}

async fn sixteen_branches() {
    macro_rules! chosen {
        ($($number:literal)*) => {
            tokio::select! {
                $(number = async { if $number == 15 { $number } else { pending().await } } => {
                    number
                })*
            }
        };
    }
    let chosen: i32 = chosen!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    assert_eq!(chosen, 15);
}

async fn control_flow_in_handlers() {
    async fn question(input: Result<u8, String>) -> Result<u8, String> {
        let value = tokio::select! {
            value = ready(input) => value?,
            () = pending() => return Ok(0),
        };
        Ok(value + 1)
    }
    assert_eq!(question(Ok(1)).await, Ok(2));
    assert_eq!(question(Err("no".to_owned())).await, Err("no".to_owned()));
    async fn returning() -> u8 {
        let mut left = 3;
        loop {
            tokio::select! {
                () = ready(()), if left == 0 => return 9,
                () = ready(()), if left > 0 => left -= 1,
            }
        }
    }
    assert_eq!(returning().await, 9);
    let (sender, mut numbers) = mpsc::unbounded_channel();
    (1..=5).for_each(|number| sender.send(number).unwrap());
    let mut sum = 0;
    loop {
        tokio::select! {
            Some(number) = numbers.recv() => {
                if number == 2 {
                    continue;
                }
                if number == 5 {
                    break;
                }
                sum += ready(number).await;
            }
            else => panic!("the sender is here"),
        }
    }
    assert_eq!(sum, 1 + 3 + 4);
    drop(sender);
}

async fn patterns_and_else() {
    let mut given = Vec::new();
    for input in [Some(1), None] {
        let output = tokio::select! {
            Some(number @ 1..=3) = ready(input) => number,
            Ok(number) = ready(Err::<u8, ()>(())) => number,
            else => 0,
        };
        given.push(output);
    }
    assert_eq!(given, [1, 0]);
    let either = tokio::select! {
        Ok(n) | Err(n) = ready(Err::<u8, u8>(3)) => n,
    };
    assert_eq!(either, 3);
    let nothing_left = tokio::spawn(async {
        tokio::select! {
            Some(()) = ready(None) => {}
        }
    });
    let error = nothing_left.await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("all branches are disabled and there is no else branch")
    );
}

async fn disabled_branches() {
    let mut evaluated = Vec::new();
    let mut polled = false;
    tokio::select! {
        () = { evaluated.push(1); async { polled = true } }, if false => panic!("disabled"),
        () = { evaluated.push(2); ready(()) } => {}
    }
    assert!(!polled);
    // The expression of a disabled branch is evaluated, its future is not polled.
    assert_eq!(evaluated, [1, 2]);
}

async fn nested() {
    let number = tokio::select! {
        inner = async {
            tokio::select! {
                biased;
                () = pending() => 1,
                () = tokio::task::yield_now() => 2,
            }
        } => inner * 10,
        () = pending() => 0,
    };
    assert_eq!(number, 20);
}

async fn cancellation_safety() {
    let (sender, mut numbers) = mpsc::channel(1);
    let sending = tokio::spawn(async move {
        for number in 0..100_u32 {
            sender.send(number).await.unwrap();
            if number % 7 == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let mut received = Vec::new();
    loop {
        tokio::select! {
            number = numbers.recv() => match number {
                Some(number) => received.push(number),
                None => break,
            },
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(received, (0..100).collect::<Vec<_>>());
    sending.await.unwrap();
}

struct Noted(&'static str, Rc<RefCell<Vec<&'static str>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

async fn losers_are_dropped_first_to_last_before_the_handler() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let lost = |name| {
        let noted = Noted(name, Rc::clone(&log));
        async move {
            let _noted = noted;
            pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = lost("first") => {}
        () = lost("second") => {}
        () = ready(()) => log.borrow_mut().push("handler"),
    }
    assert_eq!(*log.borrow(), ["first", "second", "handler"]);
}

async fn borrowed_state() {
    struct Actor {
        inbox: mpsc::Receiver<u32>,
        stop: oneshot::Receiver<()>,
        sum: u32,
    }
    impl Actor {
        async fn run(&mut self) -> u32 {
            loop {
                tokio::select! {
                    biased;
                    Some(number) = self.inbox.recv() => self.sum += number,
                    _ = &mut self.stop => return self.sum,
                }
            }
        }
    }
    let (sender, inbox) = mpsc::channel(8);
    let (stop_in, stop) = oneshot::channel();
    for number in 1..=3 {
        sender.send(number).await.unwrap();
    }
    stop_in.send(()).unwrap();
    assert_eq!(
        Actor {
            inbox,
            stop,
            sum: 0
        }
        .run()
        .await,
        6
    );
}

async fn patterns_that_bind_in_every_way() {
    struct Pair {
        left: String,
        right: Option<Box<u8>>,
    }
    let pair = || {
        ready(Pair {
            left: "l".to_owned(),
            right: Some(Box::new(1)),
        })
    };
    let moved = tokio::select! {
        Pair { left, right: Some(boxed) } = pair() => format!("{left}{boxed}"),
        else => String::new(),
    };
    let mutable = tokio::select! {
        Pair { mut left, .. } = pair() => { left.push('!'); left }
    };
    let whole = tokio::select! {
        ref pair @ Pair { .. } = pair() => pair.left.len(),
    };
    let reference = &7_u8;
    let copied = tokio::select! {
        Some(&number) = ready(Some(reference)) => number,
        else => 0,
    };
    assert_eq!(
        (moved.as_str(), mutable.as_str(), whole, copied),
        ("l1", "l!", 1, 7)
    );
}

/// Which of three ready branches is taken.
async fn first_of_three() -> u8 {
    tokio::select! {
        () = ready(()) => 0,
        () = ready(()) => 1,
        () = ready(()) => 2,
    }
}

#[test]
fn every_branch_is_first_for_some_seed() {
    let firsts: BTreeSet<u8> = (0..40).map(|seed| simulate(seed, first_of_three)).collect();
    assert_eq!(firsts.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn within_a_seed_every_branch_is_first_about_as_often() {
    let counts = simulate(1, || async {
        let mut counts = [0_u32; 3];
        for _ in 0..3_000 {
            counts[usize::from(first_of_three().await)] += 1;
        }
        counts
    });
    assert!(
        counts.iter().all(|count| (850..1_150).contains(count)),
        "{counts:?}"
    );
}

#[tokio::test]
async fn outside_every_branch_is_first_sometimes() {
    let mut firsts = BTreeSet::new();
    // The chance that one of three never comes in 1,000 draws is below 1e-170.
    for _ in 0..1_000 {
        firsts.insert(first_of_three().await);
    }
    assert_eq!(firsts.len(), 3);
}

#[test]
fn biased_takes_the_first_that_is_ready() {
    for seed in 0..40 {
        let first = simulate(seed, || async {
            tokio::select! {
                biased;
                () = pending() => 0,
                () = ready(()) => 1,
                () = ready(()) => 2,
            }
        });
        assert_eq!(first, 1);
    }
}
