//! Every policy gives back exactly what it was given.

use std::collections::BTreeSet;
use std::panic::Location;

use proptest::prelude::*;

use super::{Deviation, Policy, Ready, ReadyQueue, Schedule, Site};
use crate::ids::{NodeId, Seed};
use crate::stream::Root;

const POLICIES: [Policy; 4] = [
    Policy::Random,
    Policy::Fifo,
    Policy::Pct {
        depth: 4,
        steps: 100,
    },
    Policy::Urw,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fake {
    slot: u32,
}

impl Ready for Fake {
    fn node(&self) -> NodeId {
        NodeId(self.slot % 3)
    }

    fn slot(&self) -> u32 {
        self.slot
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(u32),
    Pop,
    TakeNode(u32),
    Finish(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..40_u32).prop_map(Step::Push),
        4 => Just(Step::Pop),
        1 => (0..4_u32).prop_map(Step::TakeNode),
        1 => (0..40_u32).prop_map(Step::Finish),
    ]
}

fn site() -> Site {
    Site {
        location: Location::caller(),
        name: None,
    }
}

/// Runs the steps against a set of what is in the queue.
fn agrees(policy: Policy, seed: u64, steps: &[Step]) {
    let root = Root::new(Seed(seed));
    let scripted = Schedule::Scripted(vec![
        Deviation { pick: 0, over: 1 },
        Deviation { pick: 3, over: 9 },
    ]);
    for schedule in [Schedule::Drawn, Schedule::Recorded, scripted] {
        agrees_under(ReadyQueue::new(policy, &root, &schedule), steps);
    }
}

fn agrees_under(mut queue: ReadyQueue<Fake>, steps: &[Step]) {
    let mut spawned = BTreeSet::new();
    let mut ready = BTreeSet::new();
    for step in steps {
        match *step {
            Step::Push(slot) => {
                if spawned.insert(slot) {
                    queue.spawned(slot, site);
                }
                if ready.insert(slot) {
                    queue.push(Fake { slot });
                }
            }
            Step::Pop => match queue.pop() {
                Some(task) => assert!(ready.remove(&task.slot), "{task:?} was not there"),
                None => assert!(ready.is_empty(), "{ready:?} was not found"),
            },
            Step::TakeNode(node) => {
                let taken = queue.take_node(NodeId(node));
                let count = taken.len();
                let taken: BTreeSet<_> = taken.into_iter().map(|task| task.slot).collect();
                assert_eq!(taken.len(), count, "nothing comes twice");
                let (wanted, kept) = ready.iter().partition(|slot| **slot % 3 == node);
                assert_eq!(taken, wanted);
                ready = kept;
            }
            Step::Finish(slot) => {
                if !ready.contains(&slot) && spawned.remove(&slot) {
                    queue.finished(slot);
                }
            }
        }
    }
    while let Some(task) = queue.pop() {
        assert!(ready.remove(&task.slot), "{task:?} was not there");
    }
    assert!(ready.is_empty(), "{ready:?} was lost");
}

proptest! {
    #[test]
    fn every_policy_pops_what_was_pushed(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 0..300),
    ) {
        for policy in POLICIES {
            agrees(policy, seed, &steps);
        }
    }
}
