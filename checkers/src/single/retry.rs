//! Retries: whether each request keeps its policy, and whether all of them are a storm.

use std::collections::{BTreeMap, VecDeque};

use rustc_hash::FxHashMap;

use super::Judged;
use crate::history::{Millis, Operation};
use crate::value::Value;

/// How a client may retry.
pub(super) struct Policy {
    pub(super) attempts_max: u64,
    pub(super) base_ns: u64,
    pub(super) cap_ns: u64,
    pub(super) jitter_percent: u64,
}

/// So many requests must have waited before it is said that their waits are not random.
const WAITS_MIN: usize = 10;

impl Policy {
    /// The shortest and the longest wait before a retry, the first one being 1.
    fn wait(&self, retry: usize) -> (u64, u64) {
        let doubled = u32::try_from(retry - 1)
            .ok()
            .and_then(|by| 1_u64.checked_shl(by));
        let full = doubled.and_then(|by| self.base_ns.checked_mul(by));
        let full = full.unwrap_or(self.cap_ns).min(self.cap_ns);
        let part = |percent: u64| {
            let part = u128::from(full) * u128::from(percent) / 100;
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        let jitter = self.jitter_percent.min(100);
        (part(100 - jitter), part(100 + jitter))
    }
}

/// The attempts of each request, in order.
fn requests<'a>(judged: &mut Judged<'a>) -> Vec<(&'a Value, Vec<&'a Operation>)> {
    let mut ids: FxHashMap<&Value, usize> = FxHashMap::default();
    let mut requests: Vec<(&Value, Vec<&Operation>)> = Vec::new();
    for (_, op) in judged.named(&["attempt"]) {
        let Some(key) = &op.key else {
            judged.lacks(|| format!("key (the request) of attempt #{}", op.op_id));
            continue;
        };
        judged.consume(1);
        let id = *ids.entry(key).or_insert(requests.len());
        if id == requests.len() {
            requests.push((key, Vec::new()));
        }
        requests[id].1.push(op);
    }
    for (_, attempts) in &mut requests {
        attempts.sort_by_key(|op| op.invoke_ts);
    }
    requests
}

pub(super) fn check(judged: &mut Judged<'_>, policy: &Policy) {
    let mut final_errors: Vec<&str> = Vec::new();
    for (_, op) in judged.named(&["policy"]) {
        judged.consume(1);
        if op.key.as_ref().and_then(Value::as_text) == Some("non-retryable") {
            let list = op.input.as_list().unwrap_or(&[]);
            final_errors.extend(list.iter().filter_map(Value::as_text));
        }
    }
    final_errors.sort_unstable();
    let mut waits: BTreeMap<usize, Vec<(u64, &Operation)>> = BTreeMap::new();
    for (key, attempts) in requests(judged) {
        if attempts.len() as u64 > policy.attempts_max {
            judged.find("too-many-attempts", Some(key), &attempts, || {
                let (made, most) = (attempts.len(), policy.attempts_max);
                format!("{key} was attempted {made} times, {most} at most are allowed")
            });
        }
        for (retry, pair) in (1..).zip(attempts.windows(2)) {
            let (before, op) = (pair[0], pair[1]);
            needless(judged, key, before, op, &final_errors);
            let Some(ended_ts) = before.complete_ts else {
                judged.lacks(|| format!("complete_ts of attempt #{}", before.op_id));
                continue;
            };
            if op.invoke_ts < ended_ts {
                judged.find("concurrent-attempts", Some(key), &[before, op], || {
                    let (first, second) = (before.op_id, op.op_id);
                    format!("#{second} began while #{first} was under way")
                });
                continue;
            }
            let wait_ns = op.invoke_ts - ended_ts;
            waits.entry(retry).or_default().push((wait_ns, op));
            let (least, most) = policy.wait(retry);
            if wait_ns < least || wait_ns > most {
                let early = wait_ns < least;
                let anomaly = if early {
                    "retried-too-early"
                } else {
                    "retried-too-late"
                };
                judged.find(anomaly, Some(key), &[before, op], || {
                    let (wait, least, most) = (Millis(wait_ns), Millis(least), Millis(most));
                    format!("retry {retry} waited {wait} ms, not {least} to {most} ms")
                });
            }
        }
    }
    if policy.jitter_percent > 0 {
        unjittered(judged, &waits);
    }
    if final_errors.is_empty() {
        judged.note("no `policy` row says which errors are not retryable".to_owned());
    }
}

/// A retry of what needs none.
fn needless(
    judged: &mut Judged<'_>,
    key: &Value,
    before: &Operation,
    op: &Operation,
    final_errors: &[&str],
) {
    if before.is_acknowledged() {
        judged.find("retried-success", Some(key), &[before, op], || {
            format!(
                "#{} was attempted after #{} had succeeded",
                op.op_id, before.op_id
            )
        });
    } else if let Some(error) = before.error.as_deref()
        && final_errors.binary_search(&error).is_ok()
    {
        judged.find("retried-non-retryable", Some(key), &[before, op], || {
            format!(
                "#{} was attempted after #{} had failed: {error}",
                op.op_id, before.op_id
            )
        });
    }
}

/// Waits that are random by the policy, and all the same.
fn unjittered(judged: &mut Judged<'_>, waits: &BTreeMap<usize, Vec<(u64, &Operation)>>) {
    for (retry, waits) in waits {
        let (wait_ns, first) = waits[0];
        if waits.len() >= WAITS_MIN && waits.iter().all(|(wait, _)| *wait == wait_ns) {
            let last = waits[waits.len() - 1].1;
            judged.find("no-jitter", None, &[first, last], || {
                let (count, wait) = (waits.len(), Millis(wait_ns));
                format!("all {count} retries {retry} waited exactly {wait} ms")
            });
        }
    }
}

/// Fewer attempts than these in a span are no storm.
const STORM_MIN: usize = 20;

pub(super) fn amplification(judged: &mut Judged<'_>, percent_max: u64, window_ns: u64) {
    let requests = requests(judged);
    let attempts: usize = requests.iter().map(|(_, attempts)| attempts.len()).sum();
    let over = |attempts: usize, requests: usize| {
        attempts as u128 * 100 > requests as u128 * u128::from(percent_max)
    };
    judged.note(format!(
        "{attempts} attempts at {} requests",
        requests.len()
    ));
    if over(attempts, requests.len()) {
        let worst = requests.iter().max_by_key(|(_, attempts)| attempts.len());
        let rows = worst.map_or(&[][..], |(_, attempts)| attempts);
        judged.find("amplification", None, rows, || {
            let count = requests.len();
            format!("{attempts} attempts were made at {count} requests; {percent_max} for 100 may")
        });
    }
    let mut all: Vec<(u64, usize, &Operation)> = Vec::with_capacity(attempts);
    for (request, (_, attempts)) in requests.iter().enumerate() {
        all.extend(attempts.iter().map(|op| (op.invoke_ts, request, *op)));
    }
    all.sort_by_key(|(ts, request, op)| (*ts, *request, op.op_id));
    // How many attempts of each request are in the span.
    let mut inside = vec![0_u32; requests.len()];
    let (mut span, mut distinct, mut stormy) = (VecDeque::new(), 0, false);
    for &(ts, request, op) in &all {
        span.push_back((ts, request, op));
        distinct += usize::from(inside[request] == 0);
        inside[request] += 1;
        while let Some(&(old_ts, old, _)) = span.front()
            && ts - old_ts > window_ns
        {
            span.pop_front();
            inside[old] -= 1;
            distinct -= usize::from(inside[old] == 0);
        }
        let storm = span.len() >= STORM_MIN && over(span.len(), distinct);
        if storm && !stormy {
            let rows: Vec<&Operation> = span.iter().map(|(.., op)| *op).collect();
            judged.find("retry-storm", None, &rows, || {
                let (made, window, until) = (span.len(), Millis(window_ns), Millis(ts));
                format!("{made} attempts at {distinct} requests in {window} ms until {until} ms")
            });
        }
        stormy = storm;
    }
}

#[cfg(test)]
mod tests {
    use super::Policy;

    #[test]
    fn waits_double_to_the_cap() {
        let policy = Policy {
            attempts_max: 9,
            base_ns: 100,
            cap_ns: 350,
            jitter_percent: 10,
        };
        let waits: Vec<_> = [1, 2, 3, 70].map(|retry| policy.wait(retry)).into();
        assert_eq!(waits, [(90, 110), (180, 220), (315, 385), (315, 385)]);
    }
}
