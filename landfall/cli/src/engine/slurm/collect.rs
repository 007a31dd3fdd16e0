//! The parts until all are over, whoever runs them.

use std::collections::BTreeSet;

use crate::exit::Error;

/// How often a part is submitted before it is given up.
const TRIES: u32 = 3;

/// Who runs parts.
pub(super) trait Queue {
    /// Has these parts run; gives the job's number.
    fn submit(&mut self, indexes: &[u32]) -> Result<String, Error>;

    /// Which parts of these jobs wait or run; none if nobody could be asked just now.
    fn present(&mut self, jobs: &[String]) -> Result<Option<BTreeSet<u32>>, Error>;

    /// Ends these jobs.
    fn cancel(&mut self, jobs: &[String]);

    /// What a part wrote last.
    fn last_words(&self, index: u32) -> String;
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Yes.
    On,
    /// No: somebody interrupted.
    Over,
}

/// Parts on their way.
pub(super) struct Collector<'a, Q> {
    pub(super) queue: &'a mut Q,
    /// Every job that was submitted.
    pub(super) jobs: Vec<String>,
    /// How many parts there are.
    pub(super) count: u32,
}

impl<Q: Queue> Collector<'_, Q> {
    /// Submits what is neither over nor in the queue, until all are over. `is_over` is asked of
    /// parts that nobody runs; `wait` is told how it stands.
    ///
    /// # Errors
    /// The queue refuses, or a part was submitted [`TRIES`] times and is not over.
    pub(super) fn collect(
        mut self,
        is_over: &dyn Fn(u32) -> bool,
        mut wait: impl FnMut(&str) -> Wait,
    ) -> Result<Wait, Error> {
        let mut open: BTreeSet<u32> = (0..self.count).collect();
        let mut tries = vec![0; self.count as usize];
        loop {
            let state = match self.queue.present(&self.jobs)? {
                // Whoever cannot be asked may still run them.
                None => "the queue does not answer".to_owned(),
                Some(present) => {
                    open.retain(|index| present.contains(index) || !is_over(*index));
                    let lost: Vec<u32> = open.difference(&present).copied().collect();
                    self.submit(&lost, &mut tries)?;
                    let over = self.count as usize - open.len();
                    format!("{over} of {} parts are over", self.count)
                }
            };
            if open.is_empty() {
                return Ok(Wait::On);
            }
            if wait(&state) == Wait::Over {
                self.queue.cancel(&self.jobs);
                return Ok(Wait::Over);
            }
        }
    }

    fn submit(&mut self, lost: &[u32], tries: &mut [u32]) -> Result<(), Error> {
        if lost.is_empty() {
            return Ok(());
        }
        if let Some(index) = lost.iter().find(|index| tries[**index as usize] == TRIES) {
            self.queue.cancel(&self.jobs);
            return Err(Error::usage(format!(
                "part {index} of {} was submitted {TRIES} times and did not come to its end: {}",
                self.count,
                self.queue.last_words(*index)
            )));
        }
        lost.iter().for_each(|index| tries[*index as usize] += 1);
        self.jobs.push(self.queue.submit(lost)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A cluster that runs what it is told to: what becomes of a part at each try.
    #[derive(Default)]
    struct Fake {
        running: BTreeSet<u32>,
        submitted: Vec<Vec<u32>>,
        cancelled: bool,
        silent: bool,
    }

    impl Queue for &RefCell<Fake> {
        fn submit(&mut self, indexes: &[u32]) -> Result<String, Error> {
            let mut fake = self.borrow_mut();
            fake.running.extend(indexes);
            fake.submitted.push(indexes.to_vec());
            Ok(fake.submitted.len().to_string())
        }

        fn present(&mut self, _: &[String]) -> Result<Option<BTreeSet<u32>>, Error> {
            let fake = self.borrow();
            Ok((!fake.silent).then(|| fake.running.clone()))
        }

        fn cancel(&mut self, _: &[String]) {
            self.borrow_mut().cancelled = true;
        }

        fn last_words(&self, index: u32) -> String {
            format!("{index} died")
        }
    }

    fn collect(
        fake: &RefCell<Fake>,
        over: &RefCell<BTreeSet<u32>>,
        step: impl FnMut(&str) -> Wait,
    ) -> Result<Wait, Error> {
        let collector = Collector {
            queue: &mut &*fake,
            jobs: Vec::new(),
            count: 4,
        };
        collector.collect(&|index| over.borrow().contains(&index), step)
    }

    #[test]
    fn what_is_lost_is_submitted_again_and_nothing_else() {
        let (fake, over) = (RefCell::new(Fake::default()), RefCell::default());
        let mut steps = 0;
        let collected = collect(&fake, &over, |_| {
            steps += 1;
            match steps {
                // Part 2 is lost; 0 and 1 are over.
                1 => {
                    fake.borrow_mut().running = [3].into();
                    *over.borrow_mut() = [0, 1].into();
                }
                // Silence is no loss.
                2 => fake.borrow_mut().silent = true,
                3 => fake.borrow_mut().silent = false,
                4 => {
                    fake.borrow_mut().running.clear();
                    over.borrow_mut().extend([2, 3]);
                }
                _ => panic!("they are over"),
            }
            Wait::On
        });
        assert_eq!(collected.expect("all end"), Wait::On);
        assert_eq!(fake.borrow().submitted, [vec![0, 1, 2, 3], vec![2]]);
        assert!(!fake.borrow().cancelled);
    }

    #[test]
    fn parts_that_are_over_are_not_run_again() {
        let (fake, over) = (RefCell::new(Fake::default()), RefCell::default());
        *over.borrow_mut() = [0, 1, 2, 3].into();
        let collected = collect(&fake, &over, |_| panic!("there is nothing to wait for"));
        assert_eq!(collected.expect("all are over"), Wait::On);
        assert!(fake.borrow().submitted.is_empty());
    }

    #[test]
    fn a_part_that_never_ends_is_given_up_with_its_last_words() {
        let (fake, over) = (RefCell::new(Fake::default()), RefCell::default());
        let collected = collect(&fake, &over, |_| {
            fake.borrow_mut().running.remove(&3);
            Wait::On
        });
        let said = collected.expect_err("it is given up").message;
        assert!(
            said.contains("part 3 of 4 was submitted 3 times") && said.contains("3 died"),
            "{said}"
        );
        assert!(fake.borrow().cancelled);
    }

    #[test]
    fn an_interrupt_cancels() {
        let (fake, over) = (RefCell::new(Fake::default()), RefCell::default());
        let collected = collect(&fake, &over, |_| Wait::Over);
        assert_eq!(collected.expect("no error"), Wait::Over);
        assert!(fake.borrow().cancelled);
    }
}
