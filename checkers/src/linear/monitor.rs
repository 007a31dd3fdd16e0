//! Near-linear answers where values say which operation belongs to which.
//!
//! A monitor answers from the order of calls and returns alone. It is trusted with little: an
//! order that it gives is played back, and what it calls illegal is a small part of the history
//! that the search judges again. Where it can not tell, the search decides.

use super::defect;
use super::partition::Partition;
use crate::spec::ModelKind;

mod bag;
mod counter;
mod counts;
mod items;
mod overwritten;
mod priority;
mod queue;
mod register;
mod set;
mod stack;
pub(super) mod text;

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
        // Members are in the order of their calls.
        let certain = (0..members.len() as u32).filter(|at| members[*at as usize].certain);
        let mut returns: Vec<u32> = certain.collect();
        let end = |at: &u32| members[*at as usize].op.complete_ts.unwrap_or(u64::MAX);
        returns.sort_unstable_by_key(|at| (end(at), *at));
        let mut spans = Self {
            call: vec![0; members.len()],
            ret: vec![NEVER; members.len()],
            last: 0,
        };
        let (mut called, mut returned) = (0, 0);
        while called < members.len() || returned < returns.len() {
            let call = members.get(called).map(|member| member.op.invoke_ts);
            let now = call.into_iter().chain(returns.get(returned).map(end)).min();
            let now = now.expect("one of them is left");
            let calls = members[called..].iter();
            let calls = called..called + calls.take_while(|at| at.op.invoke_ts == now).count();
            let rets = returns[returned..].iter().take_while(|at| end(at) == now);
            let rets = returned..returned + rets.count();
            (called, returned) = (calls.end, rets.end);
            let only = returns[rets.clone()].first().filter(|_| rets.len() == 1);
            let follows = |at: &usize| only.is_some() && members[*at].after() == only.copied();
            for at in calls.clone().filter(|at| !follows(at)) {
                spans.last += 1;
                spans.call[at] = spans.last;
            }
            for at in rets.clone() {
                spans.last += 1;
                spans.ret[returns[at] as usize] = spans.last;
            }
            for at in calls.filter(follows) {
                spans.last += 1;
                spans.call[at] = spans.last;
            }
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
    let (name, verdict) = match kind {
        ModelKind::Register | ModelKind::CasRegister | ModelKind::Map => {
            let verdict = register::judge(partition);
            let verdict = or_else(verdict, || overwritten::judge(partition));
            ("register-monitor", verdict)
        }
        ModelKind::Queue => ("queue-monitor", of_items(partition, &queue::Queue)),
        ModelKind::Stack => ("stack-monitor", of_items(partition, &stack::Stack)),
        ModelKind::Bag => ("bag-monitor", of_items(partition, &bag::Bag)),
        ModelKind::PriorityQueue => (
            "priority-queue-monitor",
            items::judge(partition, &priority::Priority),
        ),
        ModelKind::Counter => ("counter-monitor", counter::judge(partition)),
        ModelKind::Text | ModelKind::Log => ("text-monitor", text::judge(partition)),
        ModelKind::Set => ("set-monitor", set::judge(partition)),
        _ => return None,
    };
    Some((name, defect::spoil(name, verdict, partition)))
}

fn of_items(partition: &Partition<'_>, discipline: &impl items::Discipline) -> Verdict {
    let verdict = items::judge(partition, discipline);
    or_else(verdict, || counts::judge(partition))
}

/// What another says where the values do not say enough.
fn or_else(verdict: Verdict, other: impl FnOnce() -> Verdict) -> Verdict {
    match verdict {
        Verdict::Unsure => other(),
        sure => sure,
    }
}
