//! Versions of keys, and transactions on them. Nothing here waits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::isolation::Isolation;

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(i64),
    /// A list, in the order of the appends.
    List(Vec<i64>),
}

impl fmt::Display for Value {
    /// `4`, `[1,2]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::List(elements) => {
                let elements: Vec<String> = elements.iter().map(i64::to_string).collect();
                write!(f, "[{}]", elements.join(","))
            }
        }
    }
}

/// A change of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Set(i64),
    Append(i64),
}

impl Change {
    /// The value after it. An append makes a list of what is none.
    fn apply(self, value: Option<Value>) -> Value {
        match (self, value) {
            (Change::Set(number), _) => Value::Number(number),
            (Change::Append(element), Some(Value::List(mut list))) => {
                list.push(element);
                Value::List(list)
            }
            (Change::Append(element), _) => Value::List(vec![element]),
        }
    }
}

/// An open transaction.
#[derive(Debug)]
pub(crate) struct Transaction {
    isolation: Isolation,
    /// How many commits it sees.
    begun: u64,
    reads: BTreeSet<String>,
    changes: Vec<(String, Change)>,
    /// Keys that it read after it had changed them, and how many commits there were.
    shown: BTreeMap<String, u64>,
}

impl Transaction {
    pub(crate) fn change(&mut self, key: &str, change: Change) {
        self.changes.push((key.to_owned(), change));
    }

    pub(crate) fn changes_nothing(&self) -> bool {
        self.changes.is_empty()
    }

    fn own(&self, key: &str, value: Option<Value>) -> Option<Value> {
        let own = self.changes.iter().filter(|(of, _)| of == key);
        own.fold(value, |value, (_, change)| Some(change.apply(value)))
    }
}

/// The new values of a commit.
pub(crate) type Outcome = Vec<(String, Value)>;

/// Every key's versions, oldest first, each with the number of the commit that made it.
#[derive(Debug, Default)]
pub(crate) struct Store {
    versions: BTreeMap<String, Vec<(u64, Value)>>,
    commits: u64,
    /// Snapshots in use, and by how many transactions.
    open: BTreeMap<u64, u32>,
}

impl Store {
    /// How many commits there were.
    pub(crate) fn commits(&self) -> u64 {
        self.commits
    }

    /// Begins a transaction that sees so many commits.
    pub(crate) fn begin(&mut self, isolation: Isolation, begun: u64) -> Transaction {
        *self.open.entry(begun).or_insert(0) += 1;
        Transaction {
            isolation,
            begun,
            reads: BTreeSet::new(),
            changes: Vec::new(),
            shown: BTreeMap::new(),
        }
    }

    /// Its snapshot is not needed any more.
    pub(crate) fn end(&mut self, transaction: &Transaction) {
        if let Some(users) = self.open.get_mut(&transaction.begun) {
            *users -= 1;
            if *users == 0 {
                self.open.remove(&transaction.begun);
            }
        }
    }

    /// What a transaction reads, its own changes included.
    pub(crate) fn read(&self, transaction: &mut Transaction, key: &str) -> Option<Value> {
        transaction.reads.insert(key.to_owned());
        let value = self.at(key, self.sees(transaction));
        if transaction.changes.iter().any(|(of, _)| of == key) {
            let first = transaction.shown.entry(key.to_owned());
            first.or_insert(self.commits);
        }
        transaction.own(key, value)
    }

    /// Whether a transaction must not commit, since somebody changed what it rests on.
    pub(crate) fn conflicts(&self, transaction: &Transaction) -> bool {
        let changed = |key: &String| self.last_change(key) > transaction.begun;
        let written = || transaction.changes.iter().any(|(key, _)| changed(key));
        let read = || transaction.reads.iter().any(changed);
        match transaction.isolation {
            // What it showed would not be what it makes.
            Isolation::ReadCommitted => {
                let mut shown = transaction.shown.iter();
                shown.any(|(key, commits)| self.last_change(key) > *commits)
            }
            Isolation::Snapshot if cfg!(feature = "bug-lost-update") => false,
            Isolation::Snapshot => written(),
            Isolation::Serializable if cfg!(feature = "bug-write-skew") => written(),
            Isolation::Serializable => written() || read(),
        }
    }

    /// What the keys hold that a transaction changes, once it commits.
    pub(crate) fn outcome(&self, transaction: &Transaction) -> Outcome {
        let keys: BTreeSet<&String> = transaction.changes.iter().map(|(key, _)| key).collect();
        let sees = self.sees(transaction);
        let new = |key: &String| transaction.own(key, self.at(key, sees));
        let pairs = keys.into_iter().map(|key| Some((key.clone(), new(key)?)));
        pairs.flatten().collect()
    }

    /// Begins a commit; gives its number.
    pub(crate) fn next_commit(&mut self) -> u64 {
        self.commits += 1;
        self.commits
    }

    /// Makes values of a commit visible.
    pub(crate) fn install(&mut self, commit: u64, outcome: &[(String, Value)]) {
        let oldest = self.open.keys().next().copied().unwrap_or(self.commits);
        for (key, value) in outcome {
            let versions = self.versions.entry(key.clone()).or_default();
            versions.push((commit, value.clone()));
            let seen = versions.partition_point(|(of, _)| *of <= oldest);
            versions.drain(..seen.saturating_sub(1));
        }
    }

    /// Takes a commit back.
    pub(crate) fn remove(&mut self, commit: u64) {
        for versions in self.versions.values_mut() {
            versions.retain(|(of, _)| *of != commit);
        }
    }

    fn sees(&self, transaction: &Transaction) -> u64 {
        match transaction.isolation {
            Isolation::ReadCommitted => self.commits,
            _ => transaction.begun,
        }
    }

    fn at(&self, key: &str, commits: u64) -> Option<Value> {
        let versions = self.versions.get(key)?;
        let count = versions.partition_point(|(of, _)| *of <= commits);
        count.checked_sub(1).map(|last| versions[last].1.clone())
    }

    fn last_change(&self, key: &str) -> u64 {
        let versions = self.versions.get(key);
        versions
            .and_then(|versions| versions.last())
            .map_or(0, |(commit, _)| *commit)
    }
}

#[cfg(all(
    test,
    not(any(feature = "bug-lost-update", feature = "bug-write-skew"))
))]
mod tests {
    use super::*;

    fn commit(store: &mut Store, transaction: &Transaction) -> bool {
        store.end(transaction);
        if store.conflicts(transaction) {
            return false;
        }
        let outcome = store.outcome(transaction);
        let number = store.next_commit();
        store.install(number, &outcome);
        true
    }

    fn begin(store: &mut Store, isolation: Isolation) -> Transaction {
        let begun = store.commits();
        store.begin(isolation, begun)
    }

    #[test]
    fn a_snapshot_stays_as_it_was() {
        for isolation in Isolation::ALL {
            let mut store = Store::default();
            let mut reader = begin(&mut store, isolation);
            let mut writer = begin(&mut store, isolation);
            writer.change("x", Change::Set(1));
            assert!(commit(&mut store, &writer));
            let expected = match isolation {
                Isolation::ReadCommitted => Some(Value::Number(1)),
                _ => None,
            };
            assert_eq!(store.read(&mut reader, "x"), expected, "{isolation}");
        }
    }

    #[test]
    fn an_update_is_lost_at_read_committed_alone() {
        for isolation in Isolation::ALL {
            let mut store = Store::default();
            let mut both = [0, 1].map(|_| begin(&mut store, isolation));
            for (number, transaction) in (1..).zip(&mut both) {
                assert_eq!(store.read(transaction, "x"), None);
                transaction.change("x", Change::Set(number));
            }
            assert!(commit(&mut store, &both[0]));
            let second = commit(&mut store, &both[1]);
            assert_eq!(second, isolation == Isolation::ReadCommitted, "{isolation}");
        }
    }

    #[test]
    fn writes_are_skewed_below_serializable_alone() {
        for isolation in Isolation::ALL {
            let mut store = Store::default();
            let mut both = [0, 1].map(|_| begin(&mut store, isolation));
            for (transaction, key) in both.iter_mut().zip(["x", "y"]) {
                store.read(transaction, "x");
                store.read(transaction, "y");
                transaction.change(key, Change::Append(1));
            }
            assert!(commit(&mut store, &both[0]));
            let second = commit(&mut store, &both[1]);
            assert_eq!(second, isolation != Isolation::Serializable, "{isolation}");
        }
    }

    #[test]
    fn versions_that_nobody_can_read_are_dropped() {
        let mut store = Store::default();
        let reader = begin(&mut store, Isolation::Snapshot);
        for number in 0..10 {
            let mut writer = begin(&mut store, Isolation::ReadCommitted);
            writer.change("x", Change::Set(number));
            assert!(commit(&mut store, &writer));
        }
        assert_eq!(store.versions["x"].len(), 10);
        store.end(&reader);
        let mut writer = begin(&mut store, Isolation::ReadCommitted);
        writer.change("x", Change::Set(10));
        assert!(commit(&mut store, &writer));
        assert!(store.versions["x"].len() <= 2);
    }
}
