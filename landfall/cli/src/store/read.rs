//! What stands in the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use landfall::coordinate::TestInfo;
use landfall::report::SeedOutcome;
use landfall::sweep::{Reruns, Shard};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Ordered;
use crate::sweep::Place;

/// A sweep as it stands in a file.
#[derive(Debug)]
pub(crate) struct Sweep {
    pub(crate) command: String,
    pub(crate) revision: Option<String>,
    pub(crate) shard: Shard,
    pub(crate) is_over: bool,
    pub(crate) tests: Vec<Test>,
}

/// A test of a sweep.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) place: Place,
    pub(crate) info: TestInfo,
    pub(crate) ordered: Ordered,
    /// None until it is over.
    pub(crate) reruns: Option<Reruns>,
    pub(crate) outcomes: BTreeMap<u64, SeedOutcome>,
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Cluster {
    pub(crate) package: String,
    pub(crate) test: String,
    pub(crate) signature: String,
}

/// A sweep beside the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Against {
    /// Kinds of failure that the one before did not have.
    pub(crate) new: Vec<Cluster>,
    /// Those that both have.
    pub(crate) recurring: Vec<Cluster>,
    /// Those that this one no longer has, of tests that it ran.
    pub(crate) gone: Vec<Cluster>,
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            new,
            recurring,
            gone,
        } = self;
        write!(
            f,
            "against the last sweep: {} new, {} recurring, {} gone",
            new.len(),
            recurring.len(),
            gone.len()
        )?;
        for (word, clusters) in [("new", new), ("recurring", recurring), ("gone", gone)] {
            for Cluster {
                test, signature, ..
            } in clusters
            {
                write!(f, "\n  {word}: {signature} of {test}")?;
            }
        }
        Ok(())
    }
}

fn parsed<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

/// Every outcome of a test, by seed.
pub(super) fn outcomes(
    file: &Connection,
    test: i64,
) -> rusqlite::Result<BTreeMap<u64, SeedOutcome>> {
    let mut select = file.prepare("SELECT outcome FROM seeds WHERE test = ?1")?;
    let mut rows = select.query([test])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let outcome: SeedOutcome = parsed(&row.get::<_, String>(0)?)?;
        all.insert(outcome.seed(), outcome);
    }
    Ok(all)
}

/// The last sweep in the file, whole; none where there is none.
pub(crate) fn last(file: &Connection) -> rusqlite::Result<Option<Sweep>> {
    let found = file
        .query_row(
            "SELECT id, command, revision, shard, shards, ended_ms FROM sweeps \
             ORDER BY id DESC LIMIT 1",
            [],
            |row| {
                let sweep = Sweep {
                    command: row.get(1)?,
                    revision: row.get(2)?,
                    shard: Shard {
                        index: row.get(3)?,
                        of: row.get(4)?,
                    },
                    is_over: row.get::<_, Option<i64>>(5)?.is_some(),
                    tests: Vec::new(),
                };
                Ok((row.get::<_, i64>(0)?, sweep))
            },
        )
        .optional()?;
    let Some((id, mut sweep)) = found else {
        return Ok(None);
    };
    let mut select =
        file.prepare("SELECT id, place, info, orders, reruns FROM tests WHERE sweep = ?1")?;
    let mut rows = select.query([id])?;
    while let Some(row) = rows.next()? {
        let reruns: Option<String> = row.get(4)?;
        sweep.tests.push(Test {
            place: parsed(&row.get::<_, String>(1)?)?,
            info: parsed(&row.get::<_, String>(2)?)?,
            ordered: parsed(&row.get::<_, String>(3)?)?,
            reruns: reruns.as_deref().map(parsed).transpose()?,
            outcomes: outcomes(file, row.get(0)?)?,
        });
    }
    Ok(Some(sweep))
}

/// Packages and tests.
type Ran = BTreeSet<(String, String)>;

/// The kinds of failure of a sweep, and the tests that it ran.
fn clusters(file: &Connection, sweep: i64) -> rusqlite::Result<(BTreeSet<Cluster>, Ran)> {
    let mut select = file.prepare(
        "SELECT package, test, signature FROM clusters \
         WHERE sweep = ?1 AND signature IS NOT NULL",
    )?;
    let found = select.query_map([sweep], |row| {
        Ok(Cluster {
            package: row.get(0)?,
            test: row.get(1)?,
            signature: row.get(2)?,
        })
    })?;
    let clusters = found.collect::<Result<_, _>>()?;
    let mut select = file.prepare("SELECT package, test FROM tests WHERE sweep = ?1")?;
    let ran = select.query_map([sweep], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((clusters, ran.collect::<Result<_, _>>()?))
}

/// The sweep beside the last one before it that was finished and shares a test with it.
pub(super) fn against(file: &Connection, sweep: i64) -> rusqlite::Result<Option<Against>> {
    let before: Option<i64> = file
        .query_row(
            "SELECT max(old.sweep) FROM tests AS old \
             JOIN tests AS new ON new.package = old.package AND new.test = old.test \
             JOIN sweeps ON sweeps.id = old.sweep \
             WHERE new.sweep = ?1 AND old.sweep < ?1 AND sweeps.ended_ms IS NOT NULL",
            params![sweep],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    let Some(before) = before else {
        return Ok(None);
    };
    let (old, _) = clusters(file, before)?;
    let (new, ran) = clusters(file, sweep)?;
    let was_run =
        |cluster: &&Cluster| ran.contains(&(cluster.package.clone(), cluster.test.clone()));
    Ok(Some(Against {
        new: new.difference(&old).cloned().collect(),
        recurring: new.intersection(&old).cloned().collect(),
        gone: old.difference(&new).filter(was_run).cloned().collect(),
    }))
}
