//! A register each of whose values is set once.
//!
//! A value is there from its write to the next, and so are the reads of it. A cas joins two values
//! to a chain that nothing can come between. Of two chains the first can not come first if some
//! operation of the second returned before some operation of the first was called; there is an
//! order if and only if no two chains can come neither way (Gibbons, Korach: *Testing shared
//! memories*, 1997, whose zones these are).

use rustc_hash::FxHashMap;

use super::{NEVER, Spans, Verdict};
use crate::history::OpType;
use crate::linear::partition::{Member, Partition};
use crate::value::Value;

/// What is done with values, by number; 0 is the initial one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Read(u32),
    Write(u32),
    Cas(u32, u32),
    Refused(u32),
    /// It may have had an effect that nobody saw.
    Nothing,
}

/// By value.
struct Values {
    /// What sets it, `NEVER` for the initial one.
    setter: Vec<u32>,
    /// What replaces it by a cas, `NEVER` for nothing.
    next: Vec<u32>,
    /// Where its reads begin in `reads`; one more at the end.
    begin: Vec<u32>,
    reads: Vec<u32>,
}

pub(super) fn judge(partition: &Partition<'_>) -> Verdict {
    let Some((does, setter)) = number(&partition.members) else {
        return Verdict::Unsure;
    };
    judge_numbered(partition, does, setter)
}

/// Judges by what each member does, and by value what sets it.
pub(super) fn judge_numbered(
    partition: &Partition<'_>,
    mut does: Vec<Does>,
    mut setter: Vec<u32>,
) -> Verdict {
    forget_impossible(&partition.members, &mut does, &mut setter);
    forget_unseen(&partition.members, &mut does, &setter);
    let values = match gather(&does, setter) {
        Ok(values) => values,
        Err(verdict) => return verdict,
    };
    let spans = Spans::new(partition);
    let mut chains = match chains_of(&values, &does, &spans) {
        Ok(chains) => chains,
        Err(verdict) => return verdict,
    };
    if let Some((one, other)) = arrange(&mut chains) {
        let mut members = values.witness(&chains[one], &does, &spans);
        members.extend(values.witness(&chains[other], &does, &spans));
        return Verdict::Illegal(members);
    }
    let mut order = Vec::with_capacity(partition.members.len());
    for chain in &chains {
        values.each(chain.root, &does, |_, members| {
            order.extend_from_slice(members)
        });
    }
    drop(chains);
    if does.iter().any(|does| matches!(does, Does::Refused(_))) {
        return match insert_refused(&order, &does, &spans) {
            Some(order) => Verdict::Legal(order),
            None => Verdict::Unsure,
        };
    }
    Verdict::Legal(order)
}

/// What each member does, and by value what sets it; none when a value is set twice.
fn number(members: &[Member<'_>]) -> Option<(Vec<Does>, Vec<u32>)> {
    let mut ids: FxHashMap<&Value, u32> = FxHashMap::default();
    ids.insert(&Value::Null, 0);
    let mut setter: Vec<u32> = vec![NEVER];
    let mut does = Vec::with_capacity(members.len());
    for (index, member) in members.iter().enumerate() {
        let op = member.op;
        let mut id_of = |value| {
            *ids.entry(value).or_insert_with(|| {
                setter.push(NEVER);
                setter.len() as u32 - 1
            })
        };
        let (what, sets) = match &op.op_type {
            write if write.is_write() => {
                let value = id_of(&op.input);
                (Does::Write(value), Some(value))
            }
            OpType::Cas => {
                let (from, to) = op.input.as_pair()?;
                let (from, to) = (id_of(from), id_of(to));
                if member.certain && op.observed().as_bool() == Some(false) {
                    (Does::Refused(from), None)
                } else if from == to {
                    let seen = if member.certain {
                        Does::Read(from)
                    } else {
                        Does::Nothing
                    };
                    (seen, None)
                } else {
                    (Does::Cas(from, to), Some(to))
                }
            }
            _ => (Does::Read(id_of(op.observed())), None),
        };
        if let Some(value) = sets {
            if value == 0 || setter[value as usize] != NEVER {
                return None;
            }
            setter[value as usize] = index as u32;
        }
        does.push(what);
    }
    Some((does, setter))
}

/// Leaves out each cas that may never have taken effect and can not have, since nothing sets what
/// it replaces.
fn forget_impossible(members: &[Member<'_>], does: &mut [Does], setter: &mut [u32]) {
    let pending = members
        .iter()
        .zip(0_u32..)
        .filter(|(member, _)| !member.certain);
    let mut pending: Vec<u32> = pending.map(|(_, at)| at).collect();
    loop {
        let before = pending.len();
        pending.retain(|at| {
            let Does::Cas(from, to) = does[*at as usize] else {
                return false;
            };
            let impossible = from != 0 && setter[from as usize] == NEVER;
            if impossible {
                does[*at as usize] = Does::Nothing;
                setter[to as usize] = NEVER;
            }
            !impossible
        });
        if pending.len() == before {
            return;
        }
    }
}

/// Leaves out what may never have taken effect and set what nobody is known to have seen.
fn forget_unseen(members: &[Member<'_>], does: &mut [Does], setter: &[u32]) {
    if members.iter().all(|member| member.certain) {
        return;
    }
    let mut needed = vec![false; setter.len()];
    let mut rest = Vec::new();
    for (member, does) in members.iter().zip(does.iter()) {
        match does {
            Does::Read(value) => rest.push(*value),
            Does::Cas(from, _) if member.certain => rest.push(*from),
            _ => {}
        }
    }
    while let Some(value) = rest.pop() {
        if !std::mem::replace(&mut needed[value as usize], true)
            && let Some(Does::Cas(from, _)) = does.get(setter[value as usize] as usize)
        {
            rest.push(*from);
        }
    }
    for (member, does) in members.iter().zip(does) {
        if let Does::Write(value) | Does::Cas(_, value) = does
            && !member.certain
            && !needed[*value as usize]
        {
            *does = Does::Nothing;
        }
    }
}

/// The values with their reads, unless something is seen that is never set, or two replace one.
fn gather(does: &[Does], setter: Vec<u32>) -> Result<Values, Verdict> {
    let mut next = vec![NEVER; setter.len()];
    let mut begin = vec![0_u32; setter.len() + 1];
    for (index, what) in does.iter().enumerate() {
        let seen = match what {
            Does::Read(value) => {
                begin[*value as usize + 1] += 1;
                *value
            }
            Does::Cas(from, _) => *from,
            _ => continue,
        };
        let index = index as u32;
        if seen != 0 && setter[seen as usize] == NEVER {
            return Err(Verdict::Illegal(vec![index]));
        }
        if let Does::Cas(from, _) = what
            && std::mem::replace(&mut next[*from as usize], index) != NEVER
        {
            return Err(Verdict::Unsure);
        }
    }
    for value in 1..begin.len() {
        begin[value] += begin[value - 1];
    }
    let mut free = begin.clone();
    let mut reads = vec![0_u32; begin[setter.len()] as usize];
    for (index, what) in does.iter().enumerate() {
        if let Does::Read(value) = what {
            let place = &mut free[*value as usize];
            reads[*place as usize] = index as u32;
            *place += 1;
        }
    }
    Ok(Values {
        setter,
        next,
        begin,
        reads,
    })
}

/// Values that follow one another by cas.
#[derive(Clone, Copy)]
struct Chain {
    root: u32,
    /// The first return.
    first_ret: u32,
    /// The last call.
    last_call: u32,
    /// Where it comes.
    place: u32,
}

impl Values {
    /// The members of a chain in their order, by stage: what sets a value, then its reads.
    fn each(&self, root: u32, does: &[Does], mut visit: impl FnMut(u32, &[u32])) -> u32 {
        let (mut value, mut visited) = (root, 0);
        loop {
            if self.setter[value as usize] != NEVER {
                visit(value, &[self.setter[value as usize]]);
            }
            let (from, to) = (self.begin[value as usize], self.begin[value as usize + 1]);
            if from < to {
                visit(value, &self.reads[from as usize..to as usize]);
            }
            visited += 1;
            match does.get(self.next[value as usize] as usize) {
                Some(Does::Cas(_, next)) => value = *next,
                _ => return visited,
            }
        }
    }

    /// What proves where a chain begins and ends: all that sets its values, and two more.
    fn witness(&self, chain: &Chain, does: &[Does], spans: &Spans) -> Vec<u32> {
        let mut members = Vec::new();
        self.each(chain.root, does, |value, stage| {
            let setter = self.setter[value as usize];
            let pending = setter != NEVER && spans.ret[setter as usize] == NEVER;
            for (place, member) in stage.iter().enumerate() {
                let at = *member as usize;
                let telling = spans.ret[at] == chain.first_ret || spans.call[at] == chain.last_call;
                // A read of what is pending shows that it took effect.
                let showing = pending && place == 0;
                if telling || showing || setter == *member {
                    members.push(*member);
                }
            }
        });
        members
    }
}

/// Every chain, unless one contradicts time by itself or has no beginning.
fn chains_of(values: &Values, does: &[Does], spans: &Spans) -> Result<Vec<Chain>, Verdict> {
    let count = values.setter.len();
    let mut chains = Vec::new();
    let mut visited = 0;
    for root in 0..count as u32 {
        let setter = values.setter[root as usize];
        let begins = match does.get(setter as usize) {
            Some(Does::Write(_)) => true,
            // Set by a cas, or by what was left out.
            Some(Does::Cas(..)) => continue,
            Some(_) => {
                visited += 1;
                continue;
            }
            None => root == 0,
        };
        if !begins {
            // Only named: by a cas that was refused, or left out.
            visited += 1;
            continue;
        }
        let mut chain = Chain {
            root,
            first_ret: if root == 0 { 0 } else { NEVER },
            last_call: 0,
            place: 0,
        };
        let mut late: Option<(u32, u32)> = None;
        let mut latest = (0, NEVER);
        visited += values.each(root, does, |_, stage| {
            let before = latest;
            for member in stage {
                let (call, ret) = (spans.call[*member as usize], spans.ret[*member as usize]);
                if ret < before.0 {
                    late = late.or(Some((before.1, *member)));
                }
                chain.first_ret = chain.first_ret.min(ret);
                chain.last_call = chain.last_call.max(call);
                latest = latest.max((call, *member));
            }
        });
        if let Some((one, other)) = late {
            let mut members = values.witness(&chain, does, spans);
            members.extend([one, other]);
            return Err(Verdict::Illegal(members));
        }
        chains.push(chain);
    }
    // A ring of cas that replace one another has no beginning.
    if visited as usize != count {
        return Err(Verdict::Unsure);
    }
    Ok(chains)
}

/// Puts the chains in an order, or finds two that can come neither way.
fn arrange(chains: &mut [Chain]) -> Option<(usize, usize)> {
    // Those that return before they are called throughout stand alone in between.
    let solid = |chain: &Chain| chain.first_ret < chain.last_call;
    chains.sort_unstable_by_key(|chain| (!solid(chain), chain.first_ret, chain.root));
    let solids = chains.partition_point(solid);
    for at in 0..solids {
        let chain = chains[at];
        if at > 0 && chain.first_ret < chains[at - 1].last_call {
            return Some((at - 1, at));
        }
        chains[at].place = chain.first_ret;
    }
    for at in solids..chains.len() {
        let chain = chains[at];
        let before = chains[..solids].partition_point(|solid| solid.first_ret < chain.last_call);
        chains[at].place = chain.last_call;
        if before > 0 && chain.last_call < chains[before - 1].last_call {
            if chain.first_ret < chains[before - 1].last_call {
                return Some((before - 1, at));
            }
            chains[at].place = chains[before - 1].last_call;
        }
    }
    chains.sort_by_key(|chain| (chain.place, chain.root != 0));
    None
}

/// Puts each cas that was refused at the first place at which the value is another.
fn insert_refused(order: &[u32], does: &[Does], spans: &Spans) -> Option<Vec<u32>> {
    // By rank: the last place of what returned up to there.
    let mut after = vec![0_u32; spans.last as usize + 1];
    for (place, member) in order.iter().enumerate() {
        let ret = spans.ret[*member as usize];
        if ret != NEVER {
            after[ret as usize] = place as u32 + 1;
        }
    }
    for rank in 1..after.len() {
        after[rank] = after[rank].max(after[rank - 1]);
    }
    // By place, the value before it and where that ends.
    let mut values = vec![0_u32; order.len() + 1];
    for (place, member) in order.iter().enumerate() {
        values[place + 1] = match does[*member as usize] {
            Does::Write(value) | Does::Cas(_, value) => value,
            _ => values[place],
        };
    }
    let mut ends = vec![order.len() + 1; order.len() + 1];
    for place in (0..order.len()).rev() {
        ends[place] = match values[place] == values[place + 1] {
            true => ends[place + 1],
            false => place + 1,
        };
    }
    let mut refused: Vec<(usize, u32, u32)> = Vec::new();
    for (index, what) in does.iter().enumerate() {
        let Does::Refused(from) = what else {
            continue;
        };
        let mut place = after[spans.call[index] as usize] as usize;
        if values[place] == *from {
            place = ends[place];
        }
        if place > order.len() {
            return None;
        }
        refused.push((place, spans.call[index], index as u32));
    }
    refused.sort_unstable();
    let mut refused = refused.into_iter().peekable();
    let mut whole = Vec::with_capacity(order.len() + refused.len());
    for place in 0..=order.len() {
        while let Some((.., member)) = refused.next_if(|(at, ..)| *at <= place) {
            whole.push(member);
        }
        whole.extend(order.get(place));
    }
    Some(whole)
}
