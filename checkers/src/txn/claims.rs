//! Anomalies that are no cycles, looked up in the rows: the check of their certificates. It shares
//! nothing with what finds them but the reading of transactions.

use super::anomaly::Kind;
use super::append::elements;
use super::axioms::Selected;
use super::hidden::Place;
use super::predicate::Predicate;
use super::transactions::{Access, Status, Step, Transactions};
use crate::value::Value;

/// Anomalies that are looked up here.
const KINDS: [Kind; 11] = [
    Kind::GarbageRead,
    Kind::DuplicateElements,
    Kind::CyclicVersions,
    Kind::G1a,
    Kind::DirtyUpdate,
    Kind::IncompatibleOrder,
    Kind::G1b,
    Kind::FutureRead,
    Kind::Internal,
    Kind::LostUpdate,
    Kind::PredicateReadMiss,
];

/// The anomaly of a name, if it is one of those that are no cycles and that the rows show.
pub(super) fn named(name: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.name() == name)
}

/// Rows of which something is claimed.
pub(super) struct Claims<'c, 'h> {
    pub(super) all: &'c Transactions<'h>,
    /// Whether objects are lists.
    pub(super) lists: bool,
    /// What every object begins with.
    pub(super) initial: &'c Value,
    /// What is chosen of reads that do not tell what they saw.
    pub(super) selected: &'c Selected,
    /// The object.
    pub(super) key: u32,
}

impl<'h> Claims<'_, 'h> {
    /// Whether some transactions show an anomaly.
    pub(super) fn show(&self, kind: Kind, txns: &[u32]) -> bool {
        match (kind, txns) {
            (Kind::GarbageRead, [reader]) => self.shown(*reader, |_, value| {
                !self.begins(value) && self.writers(value, |_| true).is_empty()
            }),
            (Kind::DuplicateElements, [reader, writer]) => self.twice(*reader, *writer),
            (Kind::CyclicVersions, _) => self.circle(txns),
            (Kind::G1a, [reader, writer]) => self.shown(*reader, |_, value| {
                let writers = self.writers(value, |_| true);
                let aborted = |txn: &u32| self.all.status(*txn) == Status::Aborted;
                writers.contains(writer) && writers.iter().all(aborted)
            }),
            (Kind::DirtyUpdate, [by, writer, reader]) => self.dirty(*by, *writer, *reader),
            (Kind::IncompatibleOrder, _) => self.incompatible(txns),
            (Kind::G1b, [reader, writer]) => self.intermediate(*reader, *writer),
            (Kind::FutureRead, [txn]) => self.shown(*txn, |at, value| {
                let writers = self.writers(value, |txn| self.all.status(txn) != Status::Aborted);
                let steps = self.all.steps(*txn).iter().enumerate();
                let mut own = steps.filter(|(_, step)| self.writes(step) && step.value == value);
                writers == [*txn] && own.all(|(then, _)| then > at)
            }),
            (Kind::Internal, [txn]) => self.contradicts(*txn),
            (Kind::LostUpdate, [first, second]) => self.lost(*first, *second),
            (Kind::PredicateReadMiss, [txn]) => self.missed(*txn),
            _ => false,
        }
    }

    /// Whether an object begins with a value, or an element.
    fn begins(&self, value: &Value) -> bool {
        match self.lists {
            true => elements(self.initial).is_some_and(|all| all.contains(value)),
            false => *value == Value::Null || value == self.initial,
        }
    }

    /// Whether a step changes the object.
    pub(super) fn changes(&self, step: &Step<'_>) -> bool {
        self.writes(step) || self.deletes(step)
    }

    fn writes(&self, step: &Step<'_>) -> bool {
        step.key == self.key && matches!(step.access, Access::Write | Access::Append)
    }

    fn reads(&self, step: &Step<'_>) -> bool {
        step.key == self.key && step.access == Access::Read
    }

    /// What a transaction that committed read of the object: at which step, what.
    pub(super) fn read(&self, txn: u32) -> Vec<(usize, &'h Value)> {
        if self.all.status(txn) != Status::Committed {
            return Vec::new();
        }
        let mut read = Vec::new();
        for (at, step) in self.all.steps(txn).iter().enumerate() {
            if self.reads(step) {
                read.push((at, step.value));
            } else if step.access == Access::Predicate {
                let found = self.all.found[step.key as usize].iter();
                let found = found.filter(|(key, _)| *key == self.key);
                read.extend(found.map(|(_, value)| (at, *value)));
            }
        }
        read
    }

    /// Whether a read of a transaction shows a value, or an element, of which something is true.
    fn shown(&self, txn: u32, is: impl Fn(usize, &'h Value) -> bool) -> bool {
        let mut read = self.read(txn).into_iter();
        read.any(|(at, value)| match self.lists {
            true => elements(value).into_iter().flatten().any(|one| is(at, one)),
            false => is(at, value),
        })
    }

    /// The transactions of a kind that wrote a value, each as often as it did.
    fn writers(&self, value: &Value, of: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut writers = Vec::new();
        for txn in (0..self.all.len()).filter(|txn| of(*txn)) {
            let steps = self.all.steps(txn).iter();
            let wrote = steps.filter(|step| self.writes(step) && step.value == value);
            let many = wrote.count();
            let many = if self.lists { many } else { many.min(1) };
            writers.extend(std::iter::repeat_n(txn, many));
        }
        writers
    }

    /// The one transaction that can have written a value.
    fn writer(&self, value: &Value) -> Option<u32> {
        let writers = self.writers(value, |txn| self.all.status(txn) != Status::Aborted);
        match writers[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    fn twice(&self, reader: u32, writer: u32) -> bool {
        let mut read = self.read(reader).into_iter();
        read.any(|(_, list)| {
            let list = elements(list).unwrap_or(&[]);
            let count = |value: &Value| list.iter().filter(|other| *other == value).count();
            let added = |value: &Value| {
                let known = self.writer(value) == Some(writer);
                known || self.writers(value, |_| true) == [writer]
            };
            list.iter().any(|value| count(value) > 1 && added(value))
        })
    }

    /// A value was read from the next of some transactions by each, which then wrote the object.
    fn circle(&self, txns: &[u32]) -> bool {
        let made = |(txn, from): (&u32, &u32)| {
            self.read(*txn).into_iter().any(|(at, value)| {
                let last = match self.lists {
                    true => elements(value).and_then(<[Value]>::last),
                    false => Some(value),
                };
                let after = &self.all.steps(*txn)[at..];
                let wrote = after.iter().any(|step| self.writes(step));
                let other = txn != from && wrote;
                other && last.is_some_and(|last| self.writer(last) == Some(*from))
            })
        };
        let next = txns.iter().cycle().skip(1);
        !txns.is_empty() && txns.iter().zip(next).all(made)
    }

    fn dirty(&self, by: u32, writer: u32, reader: u32) -> bool {
        let aborted = |value: &Value| {
            let writers = self.writers(value, |_| true);
            let all = writers.iter();
            writers.contains(&by)
                && all
                    .clone()
                    .all(|txn| self.all.status(*txn) == Status::Aborted)
        };
        let dirty = |list: &[Value]| {
            let mut rest = list.iter().skip_while(|value| !aborted(value));
            rest.any(|value| self.writer(value) == Some(writer))
        };
        let mut read = self.read(reader).into_iter();
        let shown = read.any(|(_, list)| elements(list).is_some_and(dirty));
        shown
            || self
                .all
                .given
                .get(&self.key)
                .is_some_and(|list| dirty(list))
    }

    fn incompatible(&self, txns: &[u32]) -> bool {
        let lists = txns.iter().flat_map(|txn| self.read(*txn));
        let lists = lists.filter_map(|(_, list)| elements(list));
        let lists = lists.chain(self.all.given.get(&self.key).copied());
        let lists: Vec<&[Value]> = lists.collect();
        let apart = |a: &&[Value], b: &&[Value]| !a.starts_with(b) && !b.starts_with(a);
        lists.iter().any(|a| lists.iter().any(|b| apart(a, b)))
            || lists
                .iter()
                .any(|list| txns.iter().any(|txn| self.shuffles(list, *txn)))
    }

    /// Whether an element of a transaction stands in a list and an earlier one of it not before it.
    fn shuffles(&self, list: &[Value], txn: u32) -> bool {
        let steps = self.all.steps(txn).iter().filter(|step| self.writes(step));
        let told =
            steps.filter(|step| !self.begins(step.value) && self.writer(step.value) == Some(txn));
        // Where the earlier ones end; nowhere if one of them is missing.
        let mut end = Some(0);
        for step in told {
            let place = list.iter().position(|one| one == step.value);
            if place.is_some_and(|place| end.is_none_or(|end| place < end)) {
                return true;
            }
            end = end.and(place).map(|place| place + 1);
        }
        false
    }

    fn intermediate(&self, reader: u32, writer: u32) -> bool {
        let mut read = self.read(reader).into_iter();
        reader != writer
            && read.any(|(_, value)| {
                let last = match self.lists {
                    true => elements(value).and_then(<[Value]>::last),
                    false => Some(value),
                };
                let mut steps = self.all.steps(writer).iter();
                let final_one = steps.rfind(|step| self.writes(step) || self.deletes(step));
                last.is_some_and(|last| {
                    let overwrote = final_one.is_some_and(|step| step.value != last);
                    self.writer(last) == Some(writer) && overwrote
                })
            })
    }

    fn deletes(&self, step: &Step<'_>) -> bool {
        step.key == self.key && step.access == Access::Delete
    }

    /// Whether a transaction contradicts its own earlier steps.
    fn contradicts(&self, txn: u32) -> bool {
        if self.all.status(txn) != Status::Committed {
            return false;
        }
        // What it knows: all of the object, or what it ends in.
        let (mut whole, mut known): (bool, Vec<&Value>) = (false, Vec::new());
        let mut own = false;
        for step in self.all.steps(txn) {
            if step.access == Access::Predicate {
                let shown = self.found(step);
                let asks = Predicate::parse(step.value);
                let fits = |value: &Value| {
                    *value != Value::Null && asks.is_some_and(|asks| asks.matches(value))
                };
                if shown.is_some_and(|value| !fits(value)) {
                    return true;
                }
                let asks = asks.filter(|_| whole);
                let there = known.first().filter(|value| ***value != Value::Null);
                let there = there.filter(|value| asks.is_some_and(|asks| asks.matches(value)));
                if asks.is_some() && shown != there.copied() && !(own && shown.is_none()) {
                    return true;
                }
                (whole, known) = shown.map_or((whole, known), |shown| (true, vec![shown]));
                continue;
            }
            if step.key != self.key {
                continue;
            }
            let read = match (step.access, self.lists) {
                (Access::Append, _) => {
                    known.push(step.value);
                    continue;
                }
                (Access::Write | Access::Delete, _) => {
                    (whole, known, own) = (true, vec![step.value], true);
                    continue;
                }
                (Access::Read | Access::Predicate, true) => {
                    elements(step.value).unwrap_or(&[]).iter().collect()
                }
                (Access::Read | Access::Predicate, false) => vec![step.value],
            };
            let agrees = match whole {
                true => read == known,
                false => read.ends_with(&known),
            };
            if !agrees {
                return true;
            }
            (whole, known) = (true, read);
        }
        false
    }

    /// What a read by a predicate shows of the object.
    fn found(&self, step: &Step<'_>) -> Option<&'h Value> {
        let mut found = self.all.found[step.key as usize].iter();
        let found = found.find(|(key, _)| *key == self.key);
        found.map(|(_, value)| *value)
    }

    /// Whether both read one version of another and then wrote the object.
    fn lost(&self, first: u32, second: u32) -> bool {
        let replaced = |txn: u32| {
            let steps = self.all.steps(txn);
            let read = self.read(txn).into_iter();
            let before = read.filter(|(at, _)| {
                let mut after = steps[*at..].iter();
                after.any(|step| self.writes(step) || self.deletes(step))
            });
            let last = before.map(|(at, value)| match self.lists {
                true => (at, elements(value).and_then(<[Value]>::last)),
                false => (at, Some(value)),
            });
            let last = last.map(|(at, value)| (at, value.filter(|value| !self.begins(value))));
            // Of the initial version alone, if nothing that was deleted can be what was read.
            let deleted = |at: usize| {
                let own = steps[..at].iter().any(|step| self.deletes(step));
                let others = (0..self.all.len()).filter(|other| *other != txn);
                let mut others = others.filter(|by| self.all.status(*by) != Status::Aborted);
                own || others.any(|by| {
                    let mut steps = self.all.steps(by).iter();
                    let last = steps.rfind(|step| self.changes(step));
                    last.is_some_and(|step| self.deletes(step))
                })
            };
            let last = last.filter(|(at, value)| value.is_some() || !deleted(*at));
            last.map(|(_, value)| value).collect::<Vec<_>>()
        };
        let told = |value: &Option<&Value>| match value {
            Some(value) => {
                let by = self.writer(value);
                by.is_some_and(|by| by != first && by != second)
            }
            None => true,
        };
        let (ours, theirs) = (replaced(first), replaced(second));
        let mut both = ours.iter().filter(|value| theirs.contains(value));
        first != second && both.any(told)
    }

    /// Whether the object was there in the beginning.
    fn exists(&self) -> bool {
        let universe = self.all.universe.map(|universe| self.all.steps(universe));
        universe.is_some_and(|steps| steps.iter().any(|step| self.changes(step)))
    }

    /// Who can have left the object such that something is true of it, but for one transaction;
    /// none for how it begins.
    fn left(&self, but: u32, is: impl Fn(&Value) -> bool) -> Vec<Option<u32>> {
        let first = (!self.exists() && is(self.initial)).then_some(None);
        let others = (0..self.all.len()).filter(|txn| *txn != but);
        let others = others.filter(|txn| self.all.status(*txn) != Status::Aborted);
        let left = others.filter(|txn| {
            let mut steps = self.all.steps(*txn).iter();
            let last = steps.rfind(|step| self.changes(step));
            last.is_some_and(|step| is(step.value))
        });
        first.into_iter().chain(left.map(Some)).collect()
    }

    /// Whose version can have kept the object from a read at a place, but those of its own
    /// transaction: of none, if that had deleted it before.
    pub(super) fn hides(&self, (txn, at, _): Place) -> Vec<Option<u32>> {
        let steps = self.all.steps(txn);
        let step = &steps[at as usize];
        let asks = match step.access {
            Access::Predicate => Predicate::parse(step.value),
            _ => None,
        };
        let deleted = steps[..at as usize].iter().any(|step| self.deletes(step));
        match asks {
            None if deleted => Vec::new(),
            None => self.left(txn, |value| *value == Value::Null || value == self.initial),
            Some(asks) => self.left(txn, |value| *value == Value::Null || !asks.matches(value)),
        }
    }

    /// Whose version it was, where that is told or chosen.
    fn hidden_by(&self, place: Place) -> Option<Option<u32>> {
        let by = self.hides(place);
        match (self.selected.get(&place), &by[..]) {
            (Some(chosen), _) => by.contains(chosen).then_some(*chosen),
            (None, [one]) => Some(*one),
            _ => None,
        }
    }

    /// Whose versions a transaction saw that read the object as nothing.
    pub(super) fn saw_nothing(&self, txn: u32) -> Vec<Option<u32>> {
        let steps = self.all.steps(txn);
        let read = self.read(txn).into_iter();
        let nothing =
            read.filter(|(at, value)| *value == &Value::Null && steps[*at].access == Access::Read);
        let by = nothing.filter_map(|(at, _)| self.hidden_by((txn, at as u32, self.key)));
        by.collect()
    }

    /// Whose versions kept the object from reads by predicates of a transaction that do not show
    /// it: at which step, whose.
    pub(super) fn hid(&self, txn: u32) -> Vec<(usize, Option<u32>)> {
        if self.all.status(txn) != Status::Committed {
            return Vec::new();
        }
        let steps = self.all.steps(txn);
        let own = steps.iter().position(|step| self.changes(step));
        let asked = steps.iter().enumerate().filter(|(at, step)| {
            let asks = step.access == Access::Predicate && own.is_none_or(|own| *at < own);
            asks && self.found(step).is_none()
        });
        let by = asked.filter_map(|(at, _)| {
            let by = self.hidden_by((txn, at as u32, self.key))?;
            Some((at, by))
        });
        by.collect()
    }

    /// Whether a read by a predicate of a transaction does not show the object, which was there
    /// in the beginning, and always of a value that matches.
    fn missed(&self, txn: u32) -> bool {
        let there = self.all.universe.is_some_and(|universe| {
            let mut steps = self.all.steps(universe).iter();
            steps.any(|step| self.writes(step))
        });
        let steps = self.all.steps(txn);
        let own = steps
            .iter()
            .position(|step| self.writes(step) || self.deletes(step));
        there
            && self.all.status(txn) == Status::Committed
            && steps.iter().enumerate().any(|(at, step)| {
                let shown = |found: &[(u32, &Value)]| found.iter().any(|(key, _)| *key == self.key);
                let asks = step.access == Access::Predicate && own.is_none_or(|own| at < own);
                let Some(predicate) = Predicate::parse(step.value).filter(|_| asks) else {
                    return false;
                };
                let others = (0..self.all.len()).filter(|other| *other != txn);
                let others = others.filter(|other| self.all.status(*other) != Status::Aborted);
                let mut changes = others.flat_map(|other| self.all.steps(other));
                let hides = changes.any(|step| {
                    self.deletes(step) || self.writes(step) && !predicate.matches(step.value)
                });
                !shown(&self.all.found[step.key as usize]) && !hides
            })
    }
}
