//! A log with offsets, as Kafka's: who sent what where, and who was given it.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Judged;
use crate::history::{Completion, Operation};
use crate::value::Value;

mod rows;

use rows::{Poll, Send, Step};

/// What is known of one value of a partition.
struct Known<'a> {
    value: &'a Value,
    sends: Vec<&'a Operation>,
    /// Where it stands, and which row says so.
    offsets: Vec<(i64, &'a Operation)>,
    /// The first row that was given it.
    polled: Option<&'a Operation>,
}

/// One partition.
#[derive(Default)]
struct Partition<'a> {
    ids: FxHashMap<&'a Value, usize>,
    values: Vec<Known<'a>>,
    /// Which value stands at an offset, and which row says so.
    log: BTreeMap<i64, (&'a Value, &'a Operation)>,
    /// The greatest offset that anybody was given, by the earliest such row.
    greatest: Option<(i64, &'a Operation)>,
}

/// Where a process is in a partition.
#[derive(Clone, Copy, Default)]
struct Position<'a> {
    polled: Option<(i64, &'a Operation)>,
    sent: Option<(i64, &'a Operation)>,
}

pub(super) fn check(judged: &mut Judged<'_>) {
    let mut rows: Vec<(&Operation, Vec<Step<'_>>)> = Vec::new();
    for (_, op) in judged.rows() {
        match rows::steps_of(op) {
            Ok(None) => {}
            Ok(Some(steps)) => {
                judged.consume(1);
                rows.push((op, steps));
            }
            Err(field) => judged.lacks(|| field),
        }
    }
    rows.sort_by_key(|(op, _)| op.invoke_ts);
    let mut partitions: BTreeMap<Option<&Value>, Partition<'_>> = BTreeMap::new();
    for (op, steps) in &rows {
        for step in steps {
            gather(judged, &mut partitions, op, step);
        }
    }
    let polled = partitions
        .values()
        .any(|partition| partition.greatest.is_some());
    if !rows.is_empty() && !polled {
        judged.lacks(|| "acknowledged polls that return something".to_owned());
    }
    positions(judged, &partitions, &rows);
    let mut unseen = 0;
    for (key, partition) in &partitions {
        unseen += values(judged, *key, partition);
    }
    judged.note_count(unseen, "acknowledged sends lie beyond what anybody polled");
}

impl<'a> Partition<'a> {
    fn known(&mut self, value: &'a Value) -> &mut Known<'a> {
        let next = self.values.len();
        let id = *self.ids.entry(value).or_insert(next);
        if id == next {
            self.values.push(Known {
                value,
                sends: Vec::new(),
                offsets: Vec::new(),
                polled: None,
            });
        }
        &mut self.values[id]
    }

    /// Notes where a value stands, and complains when another stands there.
    fn place(
        &mut self,
        judged: &mut Judged<'_>,
        key: Option<&Value>,
        (offset, value): (i64, &'a Value),
        op: &'a Operation,
    ) {
        let (there, by) = *self.log.entry(offset).or_insert((value, op));
        if there != value {
            judged.find("inconsistent-offset", key, &[by, op], || {
                let (first, second) = (by.op_id, op.op_id);
                format!("offset {offset} has {there} by #{first}, and {value} by #{second}")
            });
        }
        let known = self.known(value);
        if !known.offsets.iter().any(|(at, _)| *at == offset) {
            known.offsets.push((offset, op));
        }
    }
}

fn gather<'a>(
    judged: &mut Judged<'_>,
    partitions: &mut BTreeMap<Option<&'a Value>, Partition<'a>>,
    op: &'a Operation,
    step: &Step<'a>,
) {
    match step {
        Step::Send(Send { key, value, offset }) => {
            let partition = partitions.entry(*key).or_default();
            partition.known(value).sends.push(op);
            match offset {
                Some(offset) => partition.place(judged, *key, (*offset, value), op),
                None if op.is_acknowledged() => judged.lacks(|| {
                    format!("output (the offset) of {} #{}", op.op_type.name(), op.op_id)
                }),
                None => {}
            }
        }
        Step::Poll(Poll { key, entries }) => {
            let partition = partitions.entry(*key).or_default();
            for &(offset, value) in entries {
                partition.place(judged, *key, (offset, value), op);
                partition.known(value).polled.get_or_insert(op);
                if partition.greatest.is_none_or(|(most, _)| offset > most) {
                    partition.greatest = Some((offset, op));
                }
            }
        }
        Step::Reset => {}
    }
}

/// What is wrong with single values; returns how many nobody can have been given yet.
fn values(judged: &mut Judged<'_>, key: Option<&Value>, partition: &Partition<'_>) -> usize {
    let mut unseen = 0;
    for known in &partition.values {
        let value = known.value;
        if let [(one, first), (two, second), ..] = known.offsets[..] {
            judged.find("duplicate", key, &[first, second], || {
                format!("{value} stands at offsets {one} and {two}")
            });
        }
        let mut sends = known.sends.iter();
        let Some(poll) = known.polled else {
            if let Some(send) = sends.find(|op| op.is_acknowledged()) {
                let offset = known.offsets.iter().map(|(offset, _)| *offset).min();
                let later = partition
                    .greatest
                    .filter(|(most, _)| offset.is_some_and(|o| o < *most));
                match later {
                    Some((most, by)) => judged.find("lost-write", key, &[send, by], || {
                        let (send, by) = (send.op_id, by.op_id);
                        format!(
                            "{value} was acknowledged by #{send}, nobody was given it, and #{by} \
                             was given offset {most}, which is later"
                        )
                    }),
                    None => unseen += 1,
                }
            }
            continue;
        };
        if known.sends.is_empty() {
            judged.find("phantom-read", key, &[poll], || {
                format!("#{} was given {value}, which nobody sent", poll.op_id)
            });
        } else if sends
            .clone()
            .all(|op| op.completion() == Completion::Failed)
        {
            judged.find("aborted-read", key, &[known.sends[0], poll], || {
                let (send, poll) = (known.sends[0].op_id, poll.op_id);
                format!("#{poll} was given {value}, whose send #{send} failed")
            });
        } else if sends.all(|op| poll.complete_ts.is_some_and(|end| end < op.invoke_ts)) {
            judged.find("future-read", key, &[poll, known.sends[0]], || {
                let (send, poll) = (known.sends[0].op_id, poll.op_id);
                format!("#{poll} was given {value} before #{send} sent it")
            });
        }
    }
    unseen
}

/// What each process was given, and where it sent, in its own order.
fn positions<'a>(
    judged: &mut Judged<'_>,
    partitions: &BTreeMap<Option<&'a Value>, Partition<'a>>,
    rows: &[(&'a Operation, Vec<Step<'a>>)],
) {
    let mut positions: BTreeMap<(u64, Option<&Value>), Position<'_>> = BTreeMap::new();
    for (op, steps) in rows {
        for step in steps {
            match step {
                Step::Reset => {
                    let own = (op.process_id, None)..;
                    let own = positions.range_mut(own);
                    let own = own.take_while(|((process, _), _)| *process == op.process_id);
                    own.for_each(|(_, position)| position.polled = None);
                }
                Step::Send(Send { key, offset, .. }) => {
                    let Some(offset) = *offset else {
                        continue;
                    };
                    let position = positions.entry((op.process_id, *key)).or_default();
                    if let Some((last, before)) = position.sent.filter(|(last, _)| offset <= *last)
                    {
                        let anomaly = anomaly_of(before, op, "nonmonotonic-send");
                        judged.find(&anomaly, *key, &[before, op], || {
                            let id = op.op_id;
                            format!("#{id} is at offset {offset}, after its process had {last}")
                        });
                    }
                    position.sent = Some((offset, op));
                }
                Step::Poll(Poll { key, entries }) => {
                    let position = positions.entry((op.process_id, *key)).or_default();
                    let log = partitions.get(key).map(|partition| &partition.log);
                    for (offset, _) in entries {
                        if let Some(last) = position.polled {
                            follows(judged, *key, last, (*offset, op), log);
                        }
                        position.polled = Some((*offset, op));
                    }
                }
            }
        }
    }
}

/// Within one row an anomaly is called internal.
fn anomaly_of(before: &Operation, op: &Operation, name: &str) -> String {
    let internal = before.op_id == op.op_id;
    format!("{}{name}", if internal { "internal-" } else { "" })
}

/// Whether the next offset given is the next one that is known of.
fn follows<'a>(
    judged: &mut Judged<'_>,
    key: Option<&Value>,
    (last, before): (i64, &'a Operation),
    (offset, op): (i64, &'a Operation),
    log: Option<&BTreeMap<i64, (&Value, &'a Operation)>>,
) {
    if offset <= last {
        let anomaly = anomaly_of(before, op, "nonmonotonic-poll");
        judged.find(&anomaly, key, &[before, op], || {
            format!("#{} was given offset {offset} after {last}", op.op_id)
        });
        return;
    }
    let skipped = log.and_then(|log| log.range(last + 1..offset).next());
    if let Some((missed, (value, by))) = skipped {
        let anomaly = anomaly_of(before, op, "skipped-poll");
        judged.find(&anomaly, key, &[before, by, op], || {
            let id = op.op_id;
            format!("#{id} was given offset {offset} after {last}, not {value} at {missed}")
        });
    }
}
