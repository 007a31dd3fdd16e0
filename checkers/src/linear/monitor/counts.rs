//! A collection whose values do not say who put them: how many there are of each.
//!
//! In whatever order elements leave, none does that was not put. So of each value no more can have
//! left by some instant than may have been put by then, counted from where nothing was left; and
//! where nothing is left, no more can have been put than may have left. These are two reasons of
//! many, so that nothing is ever called legal.

use rustc_hash::FxHashMap;

use super::{NEVER, Spans, Verdict};
use crate::linear::defect::{Defect, planted};
use crate::linear::partition::Partition;
use crate::models;
use crate::value::Value;

/// An operation by its ranks.
#[derive(Clone, Copy)]
struct One {
    call: u32,
    ret: u32,
    member: u32,
    value: u32,
}

/// So many takes that found nothing are looked at from one on.
const EMPTIES_AHEAD: usize = 3;

/// Looks at operations, at most, and so many more for each one.
const LOOKS_MAX: usize = 1 << 22;
const LOOKS_A_MEMBER: usize = 64;

struct Counts {
    /// By their calls, and by their returns.
    puts: Vec<One>,
    takes: Vec<One>,
    takes_by_ret: Vec<One>,
    puts_by_ret: Vec<One>,
    /// Takes of unknown outcome, by their calls.
    wild: Vec<u32>,
    /// Takes that found nothing, and of these, with the beginning, such as no other lies within.
    nothing: Vec<One>,
    empties: Vec<One>,
    values: usize,
    looks: usize,
}

/// Calls illegal what took, or left, more than there was.
pub(super) fn judge(partition: &Partition<'_>) -> Verdict {
    let Some(mut counts) = Counts::of(partition) else {
        return Verdict::Unsure;
    };
    for from in 0..counts.empties.len() {
        let found = counts.overtaken(from).or_else(|| counts.left_over(from));
        if let Some(witness) = found {
            return Verdict::Illegal(witness);
        }
        if counts.looks > LOOKS_MAX.max(LOOKS_A_MEMBER * partition.members.len()) {
            break;
        }
    }
    Verdict::Unsure
}

impl Counts {
    fn of(partition: &Partition<'_>) -> Option<Self> {
        let spans = Spans::new(partition);
        let mut values: FxHashMap<&Value, u32> = FxHashMap::default();
        let (mut puts, mut takes, mut wild) = (Vec::new(), Vec::new(), Vec::new());
        let mut empties = vec![One {
            call: 0,
            ret: 0,
            member: NEVER,
            value: 0,
        }];
        for (at, member) in partition.members.iter().enumerate() {
            let is_taking = models::is_taking(member.op);
            let value = match is_taking {
                true => member.op.observed(),
                false => &member.op.input,
            };
            let (call, ret) = (spans.call[at], spans.ret[at]);
            if is_taking && !member.certain {
                wild.push(call);
                continue;
            }
            let next = values.len() as u32;
            let number = *values.entry(value).or_insert(next);
            let one = One {
                call,
                ret,
                member: at as u32,
                value: number,
            };
            match (is_taking, *value == Value::Null) {
                // A null that is taken looks like nothing at all.
                (false, true) => return None,
                (false, false) => puts.push(one),
                (true, false) => takes.push(one),
                (true, true) => empties.push(one),
            }
        }
        let by_ret = |ones: &[One]| {
            let mut ones = ones.to_vec();
            ones.sort_unstable_by_key(|one| one.ret);
            ones
        };
        wild.sort_unstable();
        puts.sort_unstable_by_key(|one| one.call);
        takes.sort_unstable_by_key(|one| one.call);
        Some(Self {
            takes_by_ret: by_ret(&takes),
            puts_by_ret: by_ret(&puts),
            puts,
            takes,
            wild,
            nothing: empties[1..].to_vec(),
            empties: innermost(empties),
            values: values.len(),
            looks: 0,
        })
    }

    /// The rank from which on what happens is left to later ones.
    fn end(&self, from: usize) -> u32 {
        let after = self.empties[from + 1..].iter();
        let mut after = after.filter(|one| one.call > self.empties[from].ret);
        after.nth(EMPTIES_AHEAD - 1).map_or(NEVER, |one| one.ret)
    }

    /// Takes of one value after nothing was left, of more than may have been put since.
    fn overtaken(&mut self, from: usize) -> Option<Vec<u32>> {
        let (start, end) = (self.empties[from], self.end(from));
        let mut more = vec![0_i64; self.values];
        let later = |one: &&One| match planted(Defect::CountsForgetWhatIsPut) {
            true => one.call > start.ret,
            false => one.ret > start.call,
        };
        let mut puts = self.puts.iter().filter(later).peekable();
        let begin = self
            .takes_by_ret
            .partition_point(|one| one.ret <= start.ret);
        let takes = self.takes_by_ret[begin..].iter();
        let takes = takes.take_while(|one| one.ret <= end);
        for take in takes.filter(|one| one.call > start.ret) {
            while let Some(put) = puts.next_if(|put| put.call < take.ret) {
                more[put.value as usize] += 1;
            }
            self.looks += 1;
            let left = &mut more[take.value as usize];
            *left -= 1;
            if *left < 0 {
                let (value, by) = (take.value, take.ret);
                let takes = self.takes_by_ret[begin..].iter();
                let takes = takes.filter(|one| one.call > start.ret && one.ret <= by);
                let puts = self.puts.iter();
                let puts = puts.filter(|one| one.ret <= start.call && one.call < by);
                let of_value = takes.chain(puts).filter(|one| one.value == value);
                return Some(witness([start], of_value));
            }
        }
        self.looks += self.puts.len();
        None
    }

    /// Puts after nothing was left, of more than may have been taken when nothing is left again.
    fn left_over(&mut self, from: usize) -> Option<Vec<u32>> {
        let start = self.empties[from];
        let mut more = vec![0_i64; self.values];
        // How many are more than were taken, of all values.
        let mut over = 0;
        let mut takes = self
            .takes
            .iter()
            .filter(|one| one.ret > start.call)
            .peekable();
        let begin = self.puts_by_ret.partition_point(|one| one.ret <= start.ret);
        let puts = self.puts_by_ret[begin..].iter();
        let mut puts = puts.filter(|one| one.call > start.ret).peekable();
        let later = self.empties[from + 1..].iter();
        let later = later.filter(|one| one.call > start.ret);
        for end in later.take(EMPTIES_AHEAD) {
            while let Some(put) = puts.next_if(|put| put.ret < end.call) {
                more[put.value as usize] += 1;
                over += i64::from(more[put.value as usize] > 0);
                self.looks += 1;
            }
            while let Some(take) = takes.next_if(|take| take.call < end.ret) {
                over -= i64::from(more[take.value as usize] > 0);
                more[take.value as usize] -= 1;
                self.looks += 1;
            }
            let wild = self.wild.partition_point(|call| *call < end.ret) as i64;
            if over > wild {
                let puts = self.puts_by_ret[begin..].iter();
                let puts = puts.filter(|one| {
                    let within = one.call > start.ret && one.ret < end.call;
                    within && more[one.value as usize] > 0
                });
                // Of what is not known about a take, it may have taken them.
                let takes = self.takes.iter().chain(&self.nothing);
                let takes = takes.filter(|one| one.call < end.ret);
                return Some(witness([start, *end], puts.chain(takes)));
            }
        }
        self.looks += self.takes.len();
        None
    }
}

/// The members of operations, and of some that found nothing.
fn witness<'c, const N: usize>(empties: [One; N], ones: impl Iterator<Item = &'c One>) -> Vec<u32> {
    let all = empties.into_iter().chain(ones.copied());
    let members = all.map(|one| one.member);
    members.filter(|member| *member != NEVER).collect()
}

/// Those that no other lies within, by their calls and their returns.
fn innermost(mut ones: Vec<One>) -> Vec<One> {
    ones.sort_unstable_by_key(|one| std::cmp::Reverse(one.call));
    let mut soonest = NEVER;
    ones.retain(|one| {
        let inner = one.ret < soonest;
        soonest = soonest.min(one.ret);
        inner
    });
    ones.reverse();
    ones
}
