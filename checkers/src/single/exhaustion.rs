//! Resources, by the gauges that measure them: connections, files, memory, entries of a queue.

use std::collections::BTreeMap;

use super::Judged;
use crate::history::Operation;
use crate::value::Value;

/// A resource of a node.
type Gauge<'a> = (Option<&'a Value>, Option<&'a str>);

pub(super) fn check(judged: &mut Judged<'_>, limit: i64) {
    let mut gauges: BTreeMap<Gauge<'_>, Vec<(i64, &Operation)>> = BTreeMap::new();
    let mut work_until_ts = None;
    for (_, op) in judged.rows() {
        if op.op_type.name() != "gauge" {
            let end = Some(op.complete_ts.unwrap_or(op.invoke_ts));
            work_until_ts = work_until_ts.max(end);
            continue;
        }
        if !op.is_acknowledged() {
            continue;
        }
        let Some(level) = op.observed().as_int() else {
            judged.lacks(|| format!("output (the level) of gauge #{}", op.op_id));
            continue;
        };
        judged.consume(1);
        let gauge = (op.key.as_ref(), op.node_seen.as_deref());
        gauges.entry(gauge).or_default().push((level, op));
    }
    for ((key, node), mut levels) in gauges {
        levels.sort_by_key(|(_, op)| op.complete_ts);
        let name = key.map_or("null".to_owned(), ToString::to_string);
        let place = node.map_or(String::new(), |node| format!(" of {node}"));
        let above = levels.iter().find(|(level, _)| *level > limit);
        if let Some((level, op)) = above {
            judged.find("over-limit", key, &[op], || {
                format!(
                    "{name}{place} is at {level} by #{}, {limit} may be",
                    op.op_id
                )
            });
        }
        let ((before, first), (after, last)) = (levels[0], levels[levels.len() - 1]);
        if Some(last.invoke_ts) <= work_until_ts {
            judged.lacks(|| format!("a gauge of {name}{place} after the last operation"));
        } else if after > before {
            judged.find("not-given-back", key, &[first, last], || {
                format!("{name}{place} began at {before}, and is at {after} after all work")
            });
        }
    }
}
