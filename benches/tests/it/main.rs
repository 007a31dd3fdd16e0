//! The operations do what they are measured for.
#![cfg(feature = "sim")]

use landfall_benches::heap;
use landfall_benches::idle::{Held, bytes_each};
use landfall_benches::operation::{Body, OPERATIONS};
use landfall_benches::reference::Kind;

#[global_allocator]
static HEAP: heap::Counted = heap::Counted;

/// What a connection of 10,000 may hold, both ends together.
const IDLE_MAX: i64 = 4_096;

#[test]
fn an_idle_connection_holds_at_most_four_kibibytes() {
    let kernels = bytes_each(Held::ByOneTask, 10_000);
    assert!((500..=IDLE_MAX).contains(&kernels), "{kernels} bytes each");
    assert_eq!(kernels, bytes_each(Held::ByOneTask, 10_000));
}

#[test]
fn an_operation_is_the_same_run_each_time() {
    for operation in OPERATIONS {
        if let Body::Simulated(body) = operation.body {
            assert_eq!(body(200).digest, body(200).digest, "{}", operation.name());
        }
    }
}

#[test]
fn each_operation_takes_the_polls_and_timers_it_must() {
    for operation in OPERATIONS {
        let Body::Simulated(body) = operation.body else {
            continue;
        };
        let (once, twice) = (body(1_000), body(2_000));
        let polls = twice.polls - once.polls;
        let events = twice.events - once.events;
        let (polls_least, events_least) = match operation.kind {
            // A poll; a poll and a timer; a poll and the event of spawning; two deliveries, each
            // with a poll. The main task itself is woken a few times more or less.
            Kind::Yield => (900, 900),
            Kind::Sleep | Kind::Spawn => (900, 1_900),
            // A delivery; nobody waits for one letter.
            Kind::Message => (0, 900),
            // Nothing is waited for.
            Kind::Select | Kind::Timeout => {
                assert_eq!((polls, events), (0, 0), "{}", operation.name());
                continue;
            }
            Kind::RoundTrip | Kind::RoundTripOfTen | Kind::RoundTripOfThousand => (2_000, 4_000),
            // Each call is an event, and none is waited for.
            Kind::PageWrite | Kind::PageRead | Kind::Open => (0, 1_000),
            Kind::PageSync => (0, 2_000),
        };
        let name = operation.name();
        assert!(polls >= polls_least, "{name}: {polls} polls");
        assert!(events >= events_least, "{name}: {events} events");
    }
}

#[test]
#[should_panic(expected = "a multiple of the number of tasks")]
fn a_count_that_cannot_be_shared_out_is_refused() {
    OPERATIONS[0].run(150);
}

#[test]
fn tokio_runs_them_too() {
    for operation in OPERATIONS {
        if let Body::Real(body) = operation.body {
            body(200);
        }
    }
}
