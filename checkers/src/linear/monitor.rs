//! Near-linear answers where values say which operation belongs to which.
//!
//! A monitor answers from the order of calls and returns alone. It is trusted with little: an
//! order that it gives is played back, and what it calls illegal is a small part of the history
//! that the search judges again. Where it can not tell, the search decides.

use super::partition::Partition;
use crate::spec::ModelKind;

mod bag;
mod counter;
mod items;
mod priority;
mod queue;
mod register;
mod set;
mod stack;

/// The return of an operation that has none.
pub(super) const NEVER: u32 = u32::MAX;

/// What a monitor says, in members.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Legal in this order.
    Legal(Vec<u32>),
    /// These can not be ordered, whatever the others are.
    Illegal(Vec<u32>),
    /// The values do not say enough.
    Unsure,
}

/// Calls and returns by rank, from 1, no two alike.
pub(super) struct Spans {
    pub(super) call: Vec<u32>,
    /// [`NEVER`] for a member that is not certain.
    pub(super) ret: Vec<u32>,
    /// The highest rank.
    pub(super) last: u32,
}

impl Spans {
    /// At one instant calls go first, since the operations overlap, but for the call that follows
    /// the one return of its own process. Where several return at one instant, program order is
    /// left out, so that more orders look possible than are.
    pub(super) fn new(partition: &Partition<'_>) -> Self {
        let members = &partition.members;
        let mut moments: Vec<(u64, u32)> = Vec::with_capacity(members.len() * 2);
        const RETURN: u32 = 1 << 31;
        for (index, member) in members.iter().enumerate() {
            let index = index as u32;
            moments.push((member.op.invoke_ts, index));
            if let (true, Some(complete_ts)) = (member.certain, member.op.complete_ts) {
                moments.push((complete_ts, index | RETURN));
            }
        }
        moments.sort_unstable();
        let mut spans = Self {
            call: vec![0; members.len()],
            ret: vec![NEVER; members.len()],
            last: 0,
        };
        let mut rest = moments.as_mut_slice();
        while let Some((first, _)) = rest.first() {
            let now = *first;
            let (instant, later) =
                rest.split_at_mut(rest.partition_point(|(time, _)| *time == now));
            let returns = instant.iter().filter(|(_, what)| what & RETURN != 0);
            if returns.count() == 1 {
                let after = |what: u32| members[(what & !RETURN) as usize].after.is_some();
                instant.sort_by_key(|(_, what)| (what & RETURN == 0) && after(*what));
            }
            for (_, what) in instant {
                spans.last += 1;
                let member = (*what & !RETURN) as usize;
                if *what & RETURN == 0 {
                    spans.call[member] = spans.last;
                } else {
                    spans.ret[member] = spans.last;
                }
            }
            rest = later;
        }
        spans
    }
}

/// Asks the monitor of a model, if there is one, and says its name.
pub(super) fn ask(partition: &Partition<'_>, kind: ModelKind) -> Option<(&'static str, Verdict)> {
    // Ranks and marks have to fit.
    if partition.members.len() >= 1 << 29 {
        return None;
    }
    Some(match kind {
        ModelKind::Register | ModelKind::CasRegister | ModelKind::Map => {
            ("register-monitor", register::judge(partition))
        }
        ModelKind::Queue => ("queue-monitor", items::judge(partition, &queue::Queue)),
        ModelKind::Stack => ("stack-monitor", items::judge(partition, &stack::Stack)),
        ModelKind::Bag => ("bag-monitor", items::judge(partition, &bag::Bag)),
        ModelKind::PriorityQueue => (
            "priority-queue-monitor",
            items::judge(partition, &priority::Priority),
        ),
        ModelKind::Counter => ("counter-monitor", counter::judge(partition)),
        ModelKind::Set => ("set-monitor", set::judge(partition)),
        _ => return None,
    })
}
