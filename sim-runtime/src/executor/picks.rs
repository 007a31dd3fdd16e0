//! Picks that `fifo` would not have made, as data.

use super::{Executor, TaskMeta};
use crate::policy::{Deviation, Overtaking};

impl Executor {
    /// The picks so far that `fifo` would not have made, where they are recorded.
    pub(crate) fn take_deviations(&self) -> Vec<Deviation> {
        self.ready.borrow_mut().take_deviations()
    }

    /// What a script's picks did.
    pub(crate) fn take_overtakings(&self) -> Vec<Overtaking> {
        self.overtakings.take()
    }

    /// Notes what the pick of a task that now runs passed over, if a script asked for it.
    #[cold]
    pub(super) fn note_overtaking(&self, ran: &TaskMeta, at_ns: u64) {
        let Some((pick, slot)) = self.ready.borrow_mut().overtaken() else {
            return;
        };
        let tasks = self.tasks.borrow();
        // A task that is over may still be in the queue, to be dropped.
        let task = |slot: u32| {
            let record = tasks.get(slot as usize)?;
            Some((record.node, record.describe()))
        };
        if let (Some(ran), Some(passed)) = (task(ran.slot), task(slot)) {
            self.overtakings.borrow_mut().push(Overtaking {
                pick,
                at_ns,
                ran,
                passed,
            });
        }
    }
}
