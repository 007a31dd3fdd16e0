//! What never goes backwards.

use std::collections::BTreeMap;

use super::Judged;
use crate::history::Operation;
use crate::value::Value;

pub(super) fn check(judged: &mut Judged<'_>) {
    let mut objects: BTreeMap<Option<&Value>, Vec<(Option<i64>, &Operation)>> = BTreeMap::new();
    for (_, op) in judged.named(&["read", "final-read", "inc"]) {
        let value = match op.observed() {
            _ if !op.is_acknowledged() => continue,
            Value::Int(value) => Some(*value),
            Value::Null if op.op_type.is_read() => None,
            Value::Null => continue,
            _ => {
                judged.lacks(|| {
                    format!("output (an integer) of {} #{}", op.op_type.name(), op.op_id)
                });
                continue;
            }
        };
        judged.consume(1);
        let told = objects.entry(op.key.as_ref()).or_default();
        told.push((value, op));
    }
    for (key, by_start) in &mut objects {
        let mut by_end = by_start.clone();
        by_start.sort_by_key(|(_, op)| op.invoke_ts);
        by_end.sort_by_key(|(_, op)| op.complete_ts);
        let mut ended = by_end.into_iter().peekable();
        let mut most: Option<(Option<i64>, &Operation)> = None;
        for &(value, op) in by_start.iter() {
            let before = |(_, earlier): &(_, &Operation)| {
                earlier.complete_ts.is_some_and(|end| end < op.invoke_ts)
            };
            while let Some(next) = ended.next_if(before) {
                if most.is_none_or(|(most, _)| next.0 > most) {
                    most = Some(next);
                }
            }
            if let Some((greatest, earlier)) = most
                && value < greatest
            {
                judged.find("went-backwards", *key, &[earlier, op], || {
                    let (first, second) = (earlier.op_id, op.op_id);
                    let (was, now) = (earlier.observed(), op.observed());
                    format!("#{first} saw {was}, and #{second}, which began later, {now}")
                });
            }
        }
    }
}
