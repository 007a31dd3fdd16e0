//! The order of operations that an order of elements stands for.

use super::side::One;
use super::{Fifo, Node};
use crate::linear::line::Line;
use crate::linear::monitor::NEVER;

/// The enqueues and the dequeues, each in their order. What found nothing stands in both; what
/// stays has no dequeue.
struct Chains {
    puts: Vec<One>,
    takes: Vec<One>,
    nothing: Vec<bool>,
}

/// The members, one that no other has to precede after the other. With `whole` they are followed
/// by the enqueues of what stays.
pub(super) fn interleave(fifo: &Fifo, nodes: &[Node], whole: bool) -> Vec<u32> {
    let chains = chains(fifo, nodes, whole);
    let (puts, takes) = (&chains.puts, &chains.takes);
    // All returns, and where those of the enqueues and of the dequeues are among them.
    let mut rets: Vec<(u32, bool, u32)> = Vec::with_capacity(puts.len() + takes.len());
    rets.extend((0..).zip(puts).map(|(at, op)| (op.ret, true, at)));
    rets.extend((0..).zip(takes).map(|(at, op)| (op.ret, false, at)));
    rets.sort_unstable();
    let mut line = Line::of(rets.iter().map(|(ret, ..)| u64::from(*ret)).collect());
    let mut places = [vec![0_u32; puts.len()], vec![0_u32; takes.len()]];
    for (place, (_, is_put, at)) in (0..).zip(&rets) {
        places[usize::from(!is_put)][*at as usize] = place;
    }
    let mut order = Vec::with_capacity(rets.len());
    let (mut put, mut taken) = (0, 0);
    while put < puts.len() || taken < takes.len() {
        let due = line.next(None).unwrap_or(u64::MAX);
        let may = |op: Option<&One>| op.filter(|op| u64::from(op.call) < due).copied();
        let empty = chains.nothing.get(put) == Some(&true);
        if taken < put
            && let Some(op) = may(takes.get(taken))
        {
            line.put(places[1][taken]);
            order.push(op.member);
            taken += 1;
        } else if empty && taken == put {
            line.put(places[0][put]);
            line.put(places[1][taken]);
            order.push(puts[put].member);
            (put, taken) = (put + 1, taken + 1);
        } else if let Some(op) = may(puts.get(put)).filter(|_| !empty) {
            line.put(places[0][put]);
            order.push(op.member);
            put += 1;
        } else {
            // It is no order; who plays it back will say so.
            break;
        }
    }
    order
}

fn chains(fifo: &Fifo, nodes: &[Node], whole: bool) -> Chains {
    let mut chains = Chains {
        puts: Vec::with_capacity(nodes.len()),
        takes: Vec::with_capacity(nodes.len()),
        nothing: Vec::with_capacity(nodes.len()),
    };
    let mut spares = vec![0; fifo.spares.len()];
    let mut wild = 0;
    let unknown = |(call, member): (u32, u32), value: u32| One {
        call,
        ret: NEVER,
        member,
        value,
    };
    for node in nodes {
        let (put, take) = match node {
            Node::Nothing(at) => {
                let op = fifo.empties.get(*at);
                (op, op)
            }
            Node::Element { put, take, value } => {
                let place = *value as usize;
                let put = put.map(|at| fifo.puts.get(at)).unwrap_or_else(|| {
                    spares[place] += 1;
                    unknown(fifo.spares[place][spares[place] - 1], *value)
                });
                let take = take.map(|at| fifo.takes.get(at)).unwrap_or_else(|| {
                    wild += 1;
                    unknown(fifo.wild[wild - 1], *value)
                });
                (put, take)
            }
        };
        chains.puts.push(put);
        chains.takes.push(take);
        chains.nothing.push(matches!(node, Node::Nothing(_)));
    }
    if whole {
        let mut stays: Vec<One> = fifo.puts.left().collect();
        stays.sort_unstable_by_key(|op| op.ret);
        chains.puts.extend(stays);
    }
    chains
}
