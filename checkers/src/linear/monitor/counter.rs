//! A counter that goes up by one: increments are alike but for their times.
//!
//! An increment takes effect as late as possible: when it returns, or when a read returns that
//! has seen more than took effect so far; then those that return first are taken. So the count is
//! the least possible at every instant, and a read is right if the count was not beyond its value
//! when it was called.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{NEVER, Spans, Verdict};
use crate::history::OpType;
use crate::linear::partition::Partition;
use crate::value::Value;

pub(super) fn judge(partition: &Partition<'_>) -> Verdict {
    let members = &partition.members;
    let plain = |member: &crate::linear::partition::Member<'_>| {
        let by_one = matches!(member.op.input, Value::Null | Value::Int(1));
        let bare = !member.certain || *member.op.observed() == Value::Null;
        match member.op.op_type {
            OpType::Increment | OpType::Add => by_one && bare,
            OpType::Decrement => false,
            _ => true,
        }
    };
    if !members.iter().all(plain) {
        return Verdict::Unsure;
    }
    let spans = Spans::new(partition);
    let mut events: Vec<(u32, u32)> = Vec::with_capacity(members.len() * 2);
    for index in 0..members.len() {
        events.push((spans.call[index], index as u32));
        if spans.ret[index] != NEVER {
            events.push((spans.ret[index], index as u32));
        }
    }
    events.sort_unstable();
    // Called and without effect so far, by return.
    let mut open: BinaryHeap<Reverse<(u32, u32)>> = BinaryHeap::new();
    let mut done = vec![false; members.len()];
    let mut order: Vec<u32> = Vec::with_capacity(members.len());
    // By count, the reads that have that value and are placed there.
    let mut count_at_call = vec![0_i64; members.len()];
    let mut reads: Vec<(i64, u32)> = Vec::new();
    let mut increments: Vec<u32> = Vec::new();
    for (rank, index) in events {
        let member = index as usize;
        let is_read = members[member].op.op_type.is_read();
        let called = spans.call[member] == rank;
        if called {
            count_at_call[member] = increments.len() as i64;
            if !is_read {
                open.push(Reverse((spans.ret[member], index)));
            }
            continue;
        }
        if !is_read {
            while !done[member] {
                let Some(Reverse((_, next))) = open.pop() else {
                    break;
                };
                done[next as usize] = true;
                increments.push(next);
            }
            continue;
        }
        let value = members[member].op.observed().as_int().unwrap_or(0);
        if value < count_at_call[member] {
            return Verdict::Illegal(too_many(partition, &spans, index, value));
        }
        while (increments.len() as i64) < value {
            let Some(Reverse((_, next))) = open.pop() else {
                return Verdict::Illegal(too_few(partition, &spans, index));
            };
            done[next as usize] = true;
            increments.push(next);
        }
        reads.push((value, index));
    }
    // Reads of one value in any order, between the increments.
    reads.sort_by_key(|(value, index)| (*value, spans.call[*index as usize]));
    let mut reads = reads.into_iter().peekable();
    for (before, increment) in increments.iter().enumerate() {
        while let Some((_, read)) = reads.next_if(|(value, _)| *value <= before as i64) {
            order.push(read);
        }
        order.push(*increment);
    }
    order.extend(reads.map(|(_, read)| read));
    Verdict::Legal(order)
}

/// A read of less than the count at its call, with what made it so: increments that had returned,
/// or other reads as well.
fn too_many(partition: &Partition<'_>, spans: &Spans, read: u32, value: i64) -> Vec<u32> {
    let ended = |at: &u32| spans.ret[*at as usize] < spans.call[read as usize];
    let ended = (0..partition.members.len() as u32).filter(ended);
    let reads = |at: &u32| partition.members[*at as usize].op.op_type.is_read();
    let mut witness: Vec<u32> = ended.clone().filter(|at| !reads(at)).collect();
    if witness.len() as i64 <= value {
        witness = ended.collect();
    }
    witness.push(read);
    witness
}

/// A read of more than was called before it returned, with all of that.
fn too_few(partition: &Partition<'_>, spans: &Spans, read: u32) -> Vec<u32> {
    let called = |at: &u32| spans.call[*at as usize] < spans.ret[read as usize];
    let called = (0..partition.members.len() as u32).filter(called);
    let reads = |at: &u32| partition.members[*at as usize].op.op_type.is_read();
    let mut witness: Vec<u32> = called.filter(|at| !reads(at)).collect();
    witness.push(read);
    witness
}
