//! What may never have taken effect on a register, and when that would be of use.

use super::Step;
use crate::linear::partition::Partition;

/// What may never have taken effect.
#[derive(Default)]
pub(super) struct Spares {
    /// By member.
    is_spare: Vec<bool>,
    /// By value: the calls of writes that follow none in their process, and how many writes are
    /// linearized.
    writes: Vec<(Vec<u64>, usize)>,
    /// From which value to which there is a cas.
    pairs: Vec<(u32, u32)>,
    /// By value, how many operations that are certain to observe it are not linearized.
    observers: Vec<usize>,
    /// By value, whether it is of use that the register has it now.
    wanted: Vec<bool>,
    /// Whether each value that will be observed can be written as often.
    abound: bool,
}

/// Of more values it is not asked whether they can be written often enough.
const VALUES_MAX: usize = 64;

impl Spares {
    pub(super) fn of(partition: &Partition<'_>, steps: &[Step], values: usize) -> Self {
        let mut spares = Self {
            is_spare: Vec::with_capacity(steps.len()),
            writes: vec![(Vec::new(), 0); values],
            observers: vec![0; values],
            wanted: vec![false; values],
            ..Self::default()
        };
        for (step, member) in steps.iter().zip(&partition.members) {
            spares.is_spare.push(!member.certain);
            match *step {
                // What follows another in its process may have to wait for it.
                Step::Write(value) if !member.certain && member.after().is_none() => {
                    spares.writes[value as usize].0.push(member.op.invoke_ts);
                }
                Step::Cas { from, to } if !member.certain => spares.pairs.push((from, to)),
                Step::Read(value) | Step::Cas { from: value, .. } if member.certain => {
                    spares.observers[value as usize] += 1;
                }
                _ => {}
            }
        }
        spares.pairs.sort_unstable();
        spares.pairs.dedup();
        spares
    }

    /// Takes note that a member is linearized, or is not any more.
    pub(super) fn note(&mut self, member: u32, step: Step, linearized: bool) {
        let change = |count: &mut usize, more: bool| match more {
            true => *count += 1,
            false => *count -= 1,
        };
        match (step, self.is_spare[member as usize]) {
            (Step::Write(value), true) => {
                change(&mut self.writes[value as usize].1, linearized);
            }
            (Step::Read(value) | Step::Cas { from: value, .. }, false) => {
                change(&mut self.observers[value as usize], !linearized);
            }
            _ => {}
        }
    }

    /// Whether each value that will be observed for certain can be written each time.
    fn is_enough(&self, now: u64) -> bool {
        let mut each = self.observers.iter().zip(&self.writes);
        self.writes.len() <= VALUES_MAX
            && each.all(|(count, (calls, used))| {
                let called = calls.partition_point(|call| *call <= now);
                called.saturating_sub(*used) >= *count
            })
    }

    pub(super) fn want_all(&mut self) {
        self.abound = false;
        self.wanted.fill(true);
    }

    /// Takes note of what can be observed next, by members that are open. `now` is the instant by
    /// which what may take effect was called.
    pub(super) fn want(&mut self, steps: &[Step], open: &[u32], now: u64, refuses: bool) {
        self.wanted.fill(false);
        for at in open {
            if let Step::Read(value) | Step::Cas { from: value, .. } = steps[*at as usize] {
                self.wanted[value as usize] = true;
            }
        }
        self.abound = !self.pairs.is_empty() && !refuses && self.is_enough(now);
        if !self.abound {
            self.follow_chains();
        }
    }

    /// Whether it is of use to leave the register with a value now, by a cas or by a write.
    pub(super) fn wants(&self, value: u32, by_cas: bool) -> bool {
        !(by_cas && self.abound) && self.wanted[value as usize]
    }

    /// What leads to a value that is wanted by a chain of cas is wanted.
    fn follow_chains(&mut self) {
        let mut more = true;
        while more {
            more = false;
            for (from, to) in &self.pairs {
                if self.wanted[*to as usize] && !self.wanted[*from as usize] {
                    self.wanted[*from as usize] = true;
                    more = true;
                }
            }
        }
    }
}
