//! What belongs to one is not seen by another.
//!
//! A key is `[actor, object]`, or `[actor, owner, object]` where somebody tries what is not its
//! own: a negative control.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::Judged;
use crate::history::{Completion, Operation};
use crate::value::{Brief, Value};

/// Who does something to whose object.
#[derive(Clone, Copy)]
struct Access<'a> {
    actor: &'a Value,
    owner: &'a Value,
}

fn access(key: Option<&Value>) -> Option<Access<'_>> {
    match key?.as_list()? {
        [actor, _] => Some(Access {
            actor,
            owner: actor,
        }),
        [actor, owner, _] => Some(Access { actor, owner }),
        _ => None,
    }
}

/// Names that a reader, or a careless comparison, takes for one another fold to the same.
fn folded(name: &Value) -> String {
    let text = name
        .as_text()
        .map_or_else(|| name.to_string(), str::to_owned);
    let folded = text
        .chars()
        .flat_map(char::to_lowercase)
        .filter_map(|letter| match letter {
            'l' | 'i' | '|' | 'ı' | 'і' => Some('1'),
            'o' | 'о' | 'ο' => Some('0'),
            'а' | 'α' => Some('a'),
            'е' => Some('e'),
            'с' => Some('c'),
            'р' => Some('p'),
            'х' => Some('x'),
            '-' | '_' | '.' | '\u{200b}'..='\u{200f}' | '\u{feff}' => None,
            letter if letter.is_whitespace() || letter.is_control() => None,
            letter => Some(letter),
        });
    folded.collect()
}

pub(super) fn check(judged: &mut Judged<'_>) {
    // Who wrote a value, with one of the rows by owner.
    let mut owners: FxHashMap<&Value, Vec<(&Value, &Operation)>> = FxHashMap::default();
    let mut rows: Vec<(Access<'_>, &Operation)> = Vec::new();
    let mut names: BTreeMap<String, BTreeSet<&Value>> = BTreeMap::new();
    for (_, op) in judged.rows() {
        if !op.is_client() {
            continue;
        }
        let Some(access) = access(op.key.as_ref()) else {
            judged.lacks(|| {
                format!(
                    "key ([actor, object] or [actor, owner, object]) of #{}",
                    op.op_id
                )
            });
            continue;
        };
        judged.consume(1);
        rows.push((access, op));
        names
            .entry(folded(access.owner))
            .or_default()
            .insert(access.owner);
        let foreign = access.actor != access.owner;
        if op.input != Value::Null && !op.op_type.is_read() && !foreign {
            let owners = owners.entry(&op.input).or_default();
            if owners.iter().all(|(owner, _)| *owner != access.owner) {
                owners.push((access.owner, op));
            }
        }
    }
    let mut controls: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for &(access, op) in &rows {
        let (positive, negative) = controls.entry(op.op_type.name()).or_default();
        if access.actor == access.owner {
            let served = op.is_acknowledged();
            let shown = !op.op_type.is_read() || *op.observed() != Value::Null;
            *positive += usize::from(served && shown);
        } else {
            *negative += 1;
            foreign(judged, access, op);
        }
        seen(judged, access, op, &owners);
    }
    for (surface, (positive, negative)) in controls {
        if negative > 0 && positive == 0 {
            judged.lacks(|| format!("a positive control: no {surface} of one's own succeeds"));
        }
    }
    let alike = names.values().filter(|alike| alike.len() > 1).count();
    judged.note(format!("{alike} groups of owners with confusable names"));
}

/// A negative control that was served.
fn foreign(judged: &mut Judged<'_>, access: Access<'_>, op: &Operation) {
    let empty = match op.observed() {
        Value::Null | Value::Bool(false) => true,
        Value::List(list) => list.is_empty(),
        _ => false,
    };
    if op.completion() != Completion::Acknowledged || (empty && op.op_type.is_read()) {
        return;
    }
    if *op.observed() == Value::Bool(false) {
        return;
    }
    let anomaly = if op.op_type.is_read() {
        "foreign-read"
    } else {
        "foreign-effect"
    };
    judged.find(anomaly, op.key.as_ref(), &[op], || {
        let (actor, owner, name) = (access.actor, access.owner, op.op_type.name());
        format!(
            "{actor} was served #{}, a {name} of what {owner} owns",
            op.op_id
        )
    });
}

/// A value that only others wrote.
fn seen(
    judged: &mut Judged<'_>,
    access: Access<'_>,
    op: &Operation,
    owners: &FxHashMap<&Value, Vec<(&Value, &Operation)>>,
) {
    if !op.is_acknowledged() {
        return;
    }
    let single = std::slice::from_ref(op.observed());
    let values = op.observed().as_list().unwrap_or(single);
    for value in values.iter().chain(single) {
        let Some(known) = owners.get(value) else {
            continue;
        };
        if known.iter().all(|(owner, _)| *owner != access.actor) {
            let (owner, write) = known[0];
            judged.find("leak", op.key.as_ref(), &[write, op], || {
                let (actor, value) = (access.actor, Brief(value));
                format!(
                    "{actor} saw {value} by #{}, which {owner} alone wrote",
                    op.op_id
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::folded;
    use crate::value::Value;

    #[test]
    fn names_that_look_alike() {
        let same = |one: &str, two: &str| folded(&Value::from(one)) == folded(&Value::from(two));
        assert!(same("Acme", "acme "));
        assert!(same("tenant-l", "tenant_1"));
        assert!(same("aсme", "acme"));
        assert!(!same("tenant-1", "tenant-2"));
    }
}
