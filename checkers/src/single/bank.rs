//! Transfers between accounts that are read together.

use std::collections::BTreeMap;

use super::Judged;
use crate::history::{Completion, Operation};
use crate::report::Budget;
use crate::value::Value;

/// Balances, or changes of them, by account.
pub(super) type Balances<'a> = BTreeMap<&'a Value, i128>;

/// Changes that belong together.
pub(super) struct Posting<'a> {
    pub(super) op: &'a Operation,
    pub(super) changes: Vec<(&'a Value, i128)>,
}

/// More open transfers than these at a read are not tried in all combinations.
pub(super) const OPEN_MAX: usize = 40;

/// Pairs of account and amount.
pub(super) fn pairs(value: &Value) -> Option<Vec<(&Value, i128)>> {
    let list = match value {
        Value::Null => return Some(Vec::new()),
        value => value.as_list()?,
    };
    let pair = |pair: &'_ Value| {
        pair.as_pair()
            .is_some_and(|(_, sum)| sum.as_int().is_some())
    };
    if !list.iter().all(pair) {
        return None;
    }
    let pairs = list.iter().filter_map(Value::as_pair);
    Some(
        pairs
            .map(|(account, sum)| (account, i128::from(sum.as_int().unwrap_or(0))))
            .collect(),
    )
}

/// Adds changes to balances; what comes to nothing is left out.
pub(super) fn apply<'a>(balances: &mut Balances<'a>, changes: &[(&'a Value, i128)], sign: i128) {
    for (account, change) in changes {
        let balance = balances.entry(account).or_default();
        *balance += change * sign;
        if *balance == 0 {
            balances.remove(account);
        }
    }
}

/// Whether some of the postings sum to the difference; `None` when the steps are spent.
pub(super) fn explains(
    difference: &Balances<'_>,
    open: &[&Posting<'_>],
    steps: &mut u64,
) -> Option<bool> {
    let mut left = difference.clone();
    // Depth first, without recursion: at each depth whether the posting is taken.
    let mut taken: Vec<bool> = Vec::with_capacity(open.len());
    loop {
        *steps = steps.checked_sub(1)?;
        if left.is_empty() {
            return Some(true);
        }
        if taken.len() < open.len() && reachable(&left, &open[taken.len()..]) {
            apply(&mut left, &open[taken.len()].changes, -1);
            taken.push(true);
            continue;
        }
        // Back to the last that was taken, and on without it.
        while taken.last() == Some(&false) {
            taken.pop();
        }
        if taken.pop().is_none() {
            return Some(false);
        }
        apply(&mut left, &open[taken.len()].changes, 1);
        taken.push(false);
    }
}

/// Whether what is left of each account lies between what the postings can take and give.
fn reachable(left: &Balances<'_>, open: &[&Posting<'_>]) -> bool {
    left.iter().all(|(account, sum)| {
        let changes = open.iter().flat_map(|posting| &posting.changes);
        let own = changes.filter(|(of, _)| of == account);
        let (low, high) = own.fold((0, 0), |(low, high), (_, change)| {
            (low + change.min(&0), high + change.max(&0))
        });
        (low..=high).contains(sum)
    })
}

/// The rows of one bank.
#[derive(Default)]
struct Bank<'a> {
    transfers: Vec<Posting<'a>>,
    reads: Vec<(&'a Operation, Vec<(&'a Value, i128)>)>,
}

pub(super) fn check(judged: &mut Judged<'_>, total: Option<i64>, overdraft: bool, budget: &Budget) {
    let mut banks: BTreeMap<Option<&Value>, Bank<'_>> = BTreeMap::new();
    for (_, op) in judged.rows() {
        let reads = op.op_type.is_read() && op.is_acknowledged();
        if !reads && op.op_type.name() != "transfer" {
            continue;
        }
        let bank = banks.entry(op.key.as_ref()).or_default();
        judged.consume(1);
        if reads {
            match pairs(op.observed()) {
                Some(balances) => bank.reads.push((op, balances)),
                None => judged.lacks(|| {
                    let id = op.op_id;
                    format!("output (a list of [account, balance]) of read #{id}")
                }),
            }
        } else if op.completion() != Completion::Failed && !refused(op) {
            match transfer(&op.input) {
                Some(changes) => bank.transfers.push(Posting { op, changes }),
                None => {
                    judged.lacks(|| format!("input ([from, to, amount]) of transfer #{}", op.op_id))
                }
            }
        }
    }
    if !banks.is_empty() && banks.values().all(|bank| bank.reads.is_empty()) {
        judged.lacks(|| "acknowledged reads of the accounts".to_owned());
    }
    let mut steps = budget.steps_max;
    for (key, mut bank) in banks {
        bank.reads.sort_by_key(|(op, _)| op.invoke_ts);
        sums(judged, key, &bank, total, overdraft);
        transfers(judged, key, &bank, &mut steps);
    }
}

/// Whether a transfer was told that it was not done.
fn refused(op: &Operation) -> bool {
    op.is_acknowledged() && *op.observed() == Value::Bool(false)
}

fn transfer(input: &Value) -> Option<Vec<(&Value, i128)>> {
    match input.as_list()? {
        [from, to, amount] => {
            let amount = i128::from(amount.as_int()?);
            Some(vec![(from, -amount), (to, amount)])
        }
        _ => None,
    }
}

/// What each read shows by itself, and beside the first one.
fn sums(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    bank: &Bank<'_>,
    total: Option<i64>,
    overdraft: bool,
) {
    let Some((first, opening)) = bank.reads.first() else {
        return;
    };
    let sum = |balances: &[(&Value, i128)]| balances.iter().map(|(_, sum)| sum).sum::<i128>();
    let wanted = total.map_or_else(|| sum(opening), i128::from);
    let accounts = |balances: &[(&Value, i128)]| {
        let mut accounts: Vec<Value> = balances.iter().map(|(of, _)| (*of).clone()).collect();
        accounts.sort();
        accounts
    };
    let known = accounts(opening);
    for (op, balances) in &bank.reads {
        let found = sum(balances);
        if found != wanted {
            judged.find("wrong-total", key, &[op], || {
                format!("#{} finds {found} in all accounts, not {wanted}", op.op_id)
            });
        }
        let below = balances.iter().find(|(_, sum)| *sum < 0);
        if let Some((account, sum)) = below.filter(|_| !overdraft) {
            judged.find("negative-balance", key, &[op], || {
                format!("#{} finds account {account} at {sum}", op.op_id)
            });
        }
        if accounts(balances) != known {
            judged.find("different-accounts", key, &[first, op], || {
                let (first, op) = (first.op_id, op.op_id);
                format!("#{op} finds other accounts than #{first}")
            });
        }
    }
}

/// Whether each read is the opening balances and some transfers, each whole, with all that had
/// ended and none that had not begun.
fn transfers(judged: &mut Judged<'_>, key: Option<&Value>, bank: &Bank<'_>, steps: &mut u64) {
    let earliest = bank
        .transfers
        .iter()
        .map(|posting| posting.op.invoke_ts)
        .min();
    let Some((opening, balances)) = bank.reads.first() else {
        return;
    };
    if earliest.is_some_and(|ts| opening.complete_ts.is_none_or(|end| end >= ts)) {
        judged.note("no read before the first transfer: reads are judged by their sums".to_owned());
        return;
    }
    let mut now = Balances::new();
    apply(&mut now, balances, 1);
    let mut by_end: Vec<&Posting<'_>> = bank.transfers.iter().collect();
    by_end.retain(|posting| posting.op.is_acknowledged());
    by_end.sort_by_key(|posting| posting.op.complete_ts);
    let mut by_start: Vec<&Posting<'_>> = bank.transfers.iter().collect();
    by_start.sort_by_key(|posting| posting.op.invoke_ts);
    let (mut ended, mut begun) = (
        by_end.into_iter().peekable(),
        by_start.into_iter().peekable(),
    );
    let (mut open, mut crowded): (Vec<&Posting<'_>>, usize) = (Vec::new(), 0);
    // Those of unknown outcome stay open for ever.
    let mut unknown = 0;
    for (op, balances) in &bank.reads {
        let over = |posting: &&Posting<'_>| posting.op.complete_ts < Some(op.invoke_ts);
        while let Some(posting) = ended.next_if(over) {
            apply(&mut now, &posting.changes, 1);
        }
        let end = op.complete_ts.unwrap_or(u64::MAX);
        // What begins after a read's end may have begun before that of a later one.
        while let Some(posting) = begun.next_if(|posting| posting.op.invoke_ts <= end) {
            unknown += usize::from(!posting.op.is_acknowledged());
            open.push(posting);
        }
        if unknown > OPEN_MAX {
            crowded += 1;
            continue;
        }
        open.retain(|posting| !(posting.op.is_acknowledged() && over(posting)));
        let began = |posting: &&&Posting<'_>| posting.op.invoke_ts <= end;
        let may: Vec<&Posting<'_>> = open.iter().filter(began).copied().collect();
        if may.len() > OPEN_MAX {
            crowded += 1;
            continue;
        }
        let mut difference = Balances::new();
        apply(&mut difference, balances, 1);
        let known: Vec<(&Value, i128)> = now.iter().map(|(of, sum)| (*of, *sum)).collect();
        apply(&mut difference, &known, -1);
        match explains(&difference, &may, steps) {
            Some(true) => {}
            None => judged.undecided("the budget of steps is spent".to_owned()),
            Some(false) => {
                let mut rows: Vec<&Operation> = vec![opening, op];
                rows.extend(may.iter().map(|posting| posting.op));
                judged.find("unexplained-balances", key, &rows, || {
                    let count = may.len();
                    format!(
                        "no choice of the {count} transfers open at #{} gives its balances, on \
                         top of all that had ended",
                        op.op_id
                    )
                });
            }
        }
    }
    judged.note_count(
        crowded,
        "reads had too many open transfers, and were judged by their sums",
    );
}
