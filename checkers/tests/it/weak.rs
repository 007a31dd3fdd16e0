//! Weaker models: textbook histories, and agreement with trying every order.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::weak::Weak;
use checkers::{
    Budget, CheckReport, History, OpType, Operation, Outcome, Value, check, mutation_score,
};

use super::single::{anomalies, row};

fn judge(history: &History, weak: Weak) -> CheckReport {
    let spec = CheckerSpec::Weak(weak);
    check(history, &spec, ModelKind::Register, &Budget::default())
}

/// A history and, by model, what is found: `ok` or the anomaly.
struct Case {
    name: String,
    history: History,
    expected: Vec<(Weak, String)>,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../testdata/weak/histories.txt");
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            cases.push(Case {
                name: name.to_owned(),
                history: History::default(),
                expected: Vec::new(),
            });
            continue;
        }
        let case = cases.last_mut().expect("a name first");
        if let Some((names, expected)) = line.split_once(": ") {
            for name in names.split(' ') {
                let weak = Weak::parse(name).unwrap_or_else(|| panic!("{name}"));
                case.expected.push((weak, expected.to_owned()));
            }
        } else {
            let op_id = case.history.ops.len() as u64;
            case.history.ops.push(row(line, op_id));
        }
    }
    cases
}

#[test]
fn textbook_histories_are_judged_as_they_say() {
    let mut wrong = Vec::new();
    for case in cases() {
        for (weak, expected) in &case.expected {
            let report = judge(&case.history, *weak);
            let found = match &report.outcome {
                Outcome::Ok => "ok".to_owned(),
                Outcome::Violation => anomalies(&report).join(", "),
                other => other.to_string(),
            };
            if !found.starts_with(expected) {
                let name = weak.name();
                wrong.push(format!(
                    "{}, {name}: {expected}, not {found}\n{report}",
                    case.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_mutant_of_a_passing_history_is_caught() {
    for weak in Weak::ALL {
        let mut mutants = 0;
        for case in cases() {
            if !case.expected.contains(&(weak, "ok".to_owned())) {
                continue;
            }
            let spec = CheckerSpec::Weak(weak);
            let budget = Budget::default();
            let score = mutation_score(&case.history, &spec, ModelKind::Register, &budget, 5);
            let score = score.expect("it passes");
            mutants += score.mutants;
            assert_eq!(score.caught, score.mutants, "{}: {score:?}", case.name);
        }
        assert!(mutants > 0, "no mutants for {}", weak.name());
    }
}

#[test]
fn a_checker_that_forgets_a_rule_is_caught() {
    for weak in Weak::ALL {
        for forgotten in weak.row().anomalies {
            let caught = cases().iter().any(|case| {
                let mut report = judge(&case.history, weak);
                let expected = case.expected.iter().find(|(of, _)| *of == weak);
                report.findings.retain(|found| found.anomaly != *forgotten);
                let told = match anomalies(&report).join(", ") {
                    told if told.is_empty() => "ok".to_owned(),
                    told => told,
                };
                expected.is_some_and(|(_, expected)| {
                    report.outcome == Outcome::Violation && !told.starts_with(expected)
                })
            });
            assert!(caught, "{} without {forgotten} passes", weak.name());
        }
    }
}

#[test]
fn every_anomaly_has_its_history() {
    for weak in Weak::ALL {
        for anomaly in weak.row().anomalies {
            let has = cases().iter().any(|case| {
                let expected = (weak, (*anomaly).to_owned());
                case.expected.contains(&expected)
            });
            assert!(has, "no history shows {anomaly} of {}", weak.name());
        }
    }
}

/// A small operation: session, key, whether it writes, its value; whether its outcome is known.
#[derive(Clone, Copy, Debug)]
struct Small {
    session: u64,
    key: i64,
    /// The value written, or read (zero for none).
    value: i64,
    writes: bool,
    unknown: bool,
}

fn history(small: &[Small]) -> History {
    let ops = (0_u64..).zip(small).map(|(op_id, op)| Operation {
        op_id,
        process_id: op.session,
        invoke_ts: op_id,
        complete_ts: (!op.unknown).then_some(1_000 + op_id),
        op_type: if op.writes {
            OpType::Write
        } else {
            OpType::Read
        },
        key: Some(Value::Int(op.key)),
        input: if op.writes {
            Value::Int(op.value)
        } else {
            Value::Null
        },
        output: (!op.writes && op.value > 0).then_some(Value::Int(op.value)),
        error: None,
        timeout_marker: op.unknown,
        node_seen: None,
        fault_epoch: Vec::new(),
    });
    History {
        ops: ops.collect(),
        windows: Vec::new(),
    }
}

/// A relation over few operations.
type Relation = Vec<Vec<bool>>;

struct Reference<'a> {
    ops: &'a [Small],
}

impl Reference<'_> {
    fn source(&self, read: usize) -> Option<usize> {
        let op = self.ops[read];
        let wrote = |at: &usize| {
            let w = self.ops[*at];
            w.writes && w.key == op.key && w.value == op.value
        };
        (0..self.ops.len()).find(wrote)
    }

    /// The pairs of a session that a test accepts; a write of unknown outcome is before nothing.
    fn of_sessions(&self, accept: impl Fn(usize, usize) -> bool) -> Relation {
        let count = self.ops.len();
        let pair = |a: usize, b: usize| {
            let same = self.ops[a].session == self.ops[b].session;
            a < b && same && !self.ops[a].unknown && accept(a, b)
        };
        (0..count)
            .map(|a| (0..count).map(|b| pair(a, b)).collect())
            .collect()
    }

    fn with_reads(&self, mut relation: Relation) -> Relation {
        for read in (0..self.ops.len()).filter(|at| !self.ops[*at].writes) {
            if let Some(write) = self.source(read) {
                relation[write][read] = true;
            }
        }
        relation
    }

    fn closed(&self, mut relation: Relation) -> Relation {
        let count = self.ops.len();
        for (via, a, b) in (0..count)
            .flat_map(|via| (0..count).flat_map(move |a| (0..count).map(move |b| (via, a, b))))
        {
            relation[a][b] |= relation[a][via] && relation[via][b];
        }
        relation
    }

    /// Whether some order of `domain` keeps the relation and passes the test.
    fn ordered(
        &self,
        domain: &[usize],
        relation: &Relation,
        order: &mut Vec<usize>,
        fits: &dyn Fn(&[usize]) -> bool,
    ) -> bool {
        if order.len() == domain.len() {
            return true;
        }
        for next in domain {
            let early = |other: &usize| !order.contains(other) && relation[*other][*next];
            if order.contains(next) || domain.iter().any(early) {
                continue;
            }
            order.push(*next);
            if fits(order) && self.ordered(domain, relation, order, fits) {
                return true;
            }
            order.pop();
        }
        false
    }

    /// Whether the last of an order, if it reads, returns the last write of its key before it.
    fn last_write(&self, order: &[usize]) -> bool {
        let (last, before) = order.split_last().expect("not empty");
        let op = self.ops[*last];
        let writes = before.iter().rev();
        let mut writes = writes.filter(|at| self.ops[**at].writes && self.ops[**at].key == op.key);
        op.writes || writes.next().map_or(0, |at| self.ops[*at].value) == op.value
    }

    /// Whether each session has an order of all writes and its reads.
    fn views(&self, relation: impl Fn(u64) -> Relation) -> bool {
        let sessions: std::collections::BTreeSet<u64> =
            self.ops.iter().map(|op| op.session).collect();
        sessions.into_iter().all(|session| {
            let own = |at: &usize| self.ops[*at].writes || self.ops[*at].session == session;
            let domain: Vec<usize> = (0..self.ops.len()).filter(own).collect();
            let relation = relation(session);
            self.ordered(&domain, &relation, &mut Vec::new(), &|order| {
                self.last_write(order)
            })
        })
    }

    fn holds(&self, weak: Weak) -> bool {
        let ops = self.ops;
        let all: Vec<usize> = (0..ops.len()).collect();
        let any = |_: &[usize]| true;
        let causes = self.closed(self.with_reads(self.of_sessions(|_, _| true)));
        match weak {
            Weak::Pram => self.views(|_| self.of_sessions(|_, _| true)),
            Weak::Causal => self.views(|_| causes.clone()),
            Weak::MonotonicReads => {
                self.views(|_| self.of_sessions(|a, b| !ops[a].writes && !ops[b].writes))
            }
            Weak::ReadYourWrites => self.views(|session| {
                self.of_sessions(|a, _| ops[a].writes && ops[a].session == session)
            }),
            Weak::MonotonicWrites => {
                self.views(|_| self.of_sessions(|a, b| ops[a].writes == ops[b].writes))
            }
            Weak::WritesFollowReads => self.views(|_| {
                let reads = self.of_sessions(|a, _| !ops[a].writes);
                self.closed(self.with_reads(reads))
            }),
            Weak::Sequential => {
                let order = self.of_sessions(|_, _| true);
                self.ordered(&all, &order, &mut Vec::new(), &|order| {
                    self.last_write(order)
                })
            }
            Weak::ReadCommitted => self.ordered(&all, &causes, &mut Vec::new(), &any),
            Weak::ReadAtomic => self.agreed(&causes, &self.of_sessions(|_, _| true)),
            Weak::CausalConvergence => self.agreed(&causes, &causes),
            Weak::Convergence => true,
        }
    }

    /// Whether one order keeps causes, and puts every write of the key that `seen` has before a
    /// read before what it read.
    fn agreed(&self, causes: &Relation, seen: &Relation) -> bool {
        let ops = self.ops;
        let all: Vec<usize> = (0..ops.len()).collect();
        let mut relation = causes.clone();
        for read in all.iter().filter(|at| !ops[**at].writes) {
            let source = self.source(*read);
            for write in all.iter().filter(|at| ops[**at].writes) {
                if ops[*write].key == ops[*read].key && seen[*write][*read] {
                    match source {
                        None => return false,
                        Some(source) if source != *write => relation[*write][source] = true,
                        Some(_) => {}
                    }
                }
            }
        }
        self.ordered(&all, &relation, &mut Vec::new(), &|_| true)
    }
}

/// Compares every model on a history; returns how many hold.
fn compare(small: &[Small]) -> usize {
    let history = history(small);
    let reference = Reference { ops: small };
    let mut holding = Vec::new();
    for weak in Weak::ALL {
        if weak == Weak::Convergence {
            continue;
        }
        let report = judge(&history, weak);
        let holds = reference.holds(weak);
        let expected = if holds {
            Outcome::Ok
        } else {
            Outcome::Violation
        };
        assert_eq!(
            report.outcome,
            expected,
            "{}: {small:?}\n{report}",
            weak.name()
        );
        if holds {
            holding.push(weak);
        }
        for finding in &report.findings {
            assert!(
                !finding.minimal.is_empty(),
                "{}: {small:?}\n{report}",
                weak.name()
            );
            minimal(&history, weak, &finding.minimal);
        }
    }
    for (strong, weaker) in [
        (Weak::Sequential, Weak::Causal),
        (Weak::Sequential, Weak::CausalConvergence),
        (Weak::Causal, Weak::Pram),
        (Weak::Causal, Weak::WritesFollowReads),
        (Weak::Pram, Weak::MonotonicReads),
        (Weak::Pram, Weak::MonotonicWrites),
        (Weak::Pram, Weak::ReadYourWrites),
        (Weak::CausalConvergence, Weak::ReadAtomic),
        (Weak::ReadAtomic, Weak::ReadCommitted),
    ] {
        let both = !holding.contains(&strong) || holding.contains(&weaker);
        assert!(
            both,
            "{} and not {}: {small:?}",
            strong.name(),
            weaker.name()
        );
    }
    holding.len()
}

/// The operations of a finding break the model by themselves, and without any one that no other
/// one reads they do not.
fn minimal(history: &History, weak: Weak, ids: &[u64]) {
    let sub = |without: Option<u64>| {
        let ops = history.ops.iter();
        let kept = |op: &&Operation| ids.contains(&op.op_id) && Some(op.op_id) != without;
        History {
            ops: ops.filter(kept).cloned().collect(),
            windows: Vec::new(),
        }
    };
    assert_eq!(judge(&sub(None), weak).outcome, Outcome::Violation);
    for op in &sub(None).ops {
        let read = sub(None).ops.iter().any(|read| {
            read.op_type == OpType::Read && read.key == op.key && *read.observed() == op.input
        });
        if op.op_type == OpType::Read || !read {
            let report = judge(&sub(Some(op.op_id)), weak);
            assert_ne!(
                report.outcome,
                Outcome::Violation,
                "{ids:?} without {}",
                op.op_id
            );
        }
    }
}

/// Every history of three operations, and of four of two sessions on one key.
#[test]
fn all_small_histories_are_judged_as_by_trying_every_order() {
    let (mut judged, mut holding) = (0, 0);
    for (count, sessions, keys) in [(3_u32, 3_u64, 2_i64), (4, 2, 1)] {
        // What an operation may be: a session, a key, and a write, or a read of one of the values
        // (numbered by the place of their writes), or of nothing.
        let kinds = sessions * keys as u64 * (2 + u64::from(count));
        for number in 0..kinds.pow(count) {
            let mut rest = number;
            let mut small = Vec::new();
            for place in 0..i64::from(count) {
                let kind = rest % kinds;
                rest /= kinds;
                let (session, kind) = (kind % sessions, kind / sessions);
                let (key, kind) = ((kind % keys as u64) as i64, (kind / keys as u64) as i64);
                small.push(Small {
                    session,
                    key,
                    value: if kind == 0 { place + 1 } else { kind - 1 },
                    writes: kind == 0,
                    unknown: false,
                });
            }
            if is_possible(&small) {
                judged += 1;
                holding += compare(&small);
            }
        }
    }
    assert!(
        judged > 1_000 && holding > judged * 5,
        "{judged} judged, {holding} hold"
    );
}

/// Whether every value read was written to that key; sessions and keys come in order.
fn is_possible(small: &[Small]) -> bool {
    let reads = small.iter().filter(|op| !op.writes);
    let mut sources = reads.clone().map(|read| {
        read.value == 0
            || small
                .iter()
                .any(|w| w.writes && w.key == read.key && w.value == read.value)
    });
    let in_order = |of: &dyn Fn(&Small) -> u64| {
        let mut next = 0;
        small.iter().all(|op| {
            let fits = of(op) <= next;
            next = next.max(of(op) + 1);
            fits
        })
    };
    reads.clone().count() > 0
        && sources.all(|has| has)
        && in_order(&|op| op.session)
        && in_order(&|op| op.key as u64)
}

/// A generator of numbers.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn random(numbers: &mut Numbers, count: usize) -> Vec<Small> {
    let (sessions, keys) = (2 + numbers.below(2), 1 + numbers.below(2));
    let mut small: Vec<Small> = (0..count)
        .map(|place| Small {
            session: numbers.below(sessions),
            key: numbers.below(keys) as i64,
            value: place as i64 + 1,
            writes: numbers.below(2) == 0,
            unknown: false,
        })
        .collect();
    for place in 0..count {
        let key = small[place].key;
        if !small[place].writes {
            let writes = small.iter().filter(|w| w.writes && w.key == key);
            let values: Vec<i64> = writes.map(|w| w.value).chain([0]).collect();
            small[place].value = values[numbers.below(values.len() as u64) as usize];
        }
    }
    for place in 0..count {
        let Small {
            key, value, writes, ..
        } = small[place];
        let read = small
            .iter()
            .any(|r| !r.writes && r.key == key && r.value == value);
        small[place].unknown = writes && read && numbers.below(5) == 0;
    }
    small
}

#[test]
fn random_histories_are_judged_as_by_trying_every_order() {
    let mut numbers = Numbers(7);
    let (mut judged, mut holding) = (0, 0);
    for round in 0..1_500 {
        let small = random(&mut numbers, 5 + round % 3);
        if small.iter().any(|op| !op.writes) {
            judged += 1;
            holding += compare(&small);
        }
    }
    assert!(
        holding > judged && holding < judged * 9,
        "{judged} judged, {holding} hold"
    );
}

#[test]
fn a_spent_budget_is_not_an_answer() {
    let mut numbers = Numbers(3);
    let small = random(&mut numbers, 60);
    let history = history(&small);
    for weak in [
        Weak::Causal,
        Weak::Sequential,
        Weak::CausalConvergence,
        Weak::Pram,
    ] {
        let spec = CheckerSpec::Weak(weak);
        let budget = Budget {
            steps_max: 0,
            ..Budget::default()
        };
        let report = check(&history, &spec, ModelKind::Register, &budget);
        let spent = matches!(report.outcome, Outcome::Unknown { .. } | Outcome::Violation);
        assert!(spent, "{report}");
    }
}
