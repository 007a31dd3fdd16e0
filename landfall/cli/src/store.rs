//! The results database: an SQLite file that sweeps write and any tool opens.
//!
//! One process writes it, the coordinator; each seed is a transaction of its own, so what has run
//! stands there whatever becomes of the process. `schema.sql` says what the tables hold.

mod read;

use std::collections::BTreeMap;
use std::path::Path;

use landfall::coordinate::{TestInfo, Tier};
use landfall::report::SeedOutcome;
use landfall::sweep::{Order, Reruns, Shard, TestResult};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

pub(crate) use self::read::{Sweep, Test, last};
use crate::clock;
use crate::exit::Error;
use crate::sweep::Place;

/// The version of the tables.
const SCHEMA_VERSION: i64 = 2;
const SCHEMA: &str = include_str!("store/schema.sql");

/// The file, open for a sweep.
#[derive(Debug)]
pub(crate) struct Store {
    file: Connection,
    shown: String,
    sweep: i64,
}

/// Which seeds of a test a sweep is to run: what must be the same for one to be gone on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ordered {
    pub(crate) seeds: Vec<(u64, u64)>,
    pub(crate) tier: Tier,
    pub(crate) double_percent: u8,
}

impl Ordered {
    pub(crate) fn of(order: &Order) -> Self {
        // Runs of neighbours, first and last: ten million seeds are one pair.
        let mut seeds: Vec<(u64, u64)> = Vec::new();
        for seed in &order.seeds {
            match seeds.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(*seed) => *last = *seed,
                _ => seeds.push((*seed, *seed)),
            }
        }
        Self {
            seeds,
            tier: order.tier,
            double_percent: order.double_percent,
        }
    }

    /// Every seed, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = u64> {
        self.seeds.iter().flat_map(|(first, last)| *first..=*last)
    }
}

/// What a sweep begins with.
pub(crate) struct Beginning<'a> {
    pub(crate) command: &'a str,
    pub(crate) revision: Option<&'a str>,
    pub(crate) shard: Shard,
    pub(crate) resume: bool,
}

impl Store {
    /// Opens the file, makes it if there is none, and begins a sweep in it or goes on with the
    /// last one that was not finished.
    ///
    /// # Errors
    /// The file cannot be used, or there is nothing to go on with.
    pub(crate) fn begin(path: &Path, beginning: &Beginning<'_>) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let file = open(path, true)?;
        let sweep = if beginning.resume {
            interrupted(&file, &shown, beginning)?
        } else {
            begin_sweep(&file, beginning).map_err(|error| trouble(&shown, &error))?
        };
        Ok(Self { file, shown, sweep })
    }

    /// Enters a test, or finds it again with the outcomes that are there.
    ///
    /// # Errors
    /// The file cannot be used, or the test is to be run otherwise than before.
    pub(crate) fn test(
        &mut self,
        place: &Place,
        info: &TestInfo,
        order: &Order,
    ) -> Result<(i64, BTreeMap<u64, SeedOutcome>), Error> {
        let ordered = json(&Ordered::of(order));
        let old: Option<(i64, String, Option<String>)> = self
            .file
            .query_row(
                "SELECT id, orders, plan_hash FROM tests \
                 WHERE sweep = ?1 AND package = ?2 AND test = ?3",
                params![self.sweep, place.package, info.test],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
            .map_err(|error| self.trouble(&error))?;
        let Some((id, before, hash)) = old else {
            let values = params![
                self.sweep,
                place.package,
                json(place),
                info.test,
                info.id,
                info.plan,
                info.plan_hash,
                json(info),
                ordered
            ];
            let insert = "INSERT INTO tests \
                (sweep, package, place, test, scenario, plan, plan_hash, info, orders) \
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            self.file
                .execute(insert, values)
                .map_err(|error| self.trouble(&error))?;
            return Ok((self.file.last_insert_rowid(), BTreeMap::new()));
        };
        if before != ordered || hash != info.plan_hash {
            return Err(Error::usage(format!(
                "{} of the sweep in {} was begun with other seeds, another budget or another \
                 plan: give the same, or leave --resume out",
                info.test, self.shown
            )));
        }
        let known = read::outcomes(&self.file, id).map_err(|error| self.trouble(&error))?;
        Ok((id, known))
    }

    /// Enters a seed's outcome, at once.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn seed(&mut self, test: i64, outcome: &SeedOutcome) -> Result<(), Error> {
        let kept = slim(outcome);
        let entered = enter(&mut self.file, test, &kept);
        entered.map_err(|error| self.trouble(&error))
    }

    /// Enters what came of a test.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn conclude(
        &mut self,
        test: i64,
        result: &TestResult,
        reruns: &Reruns,
    ) -> Result<(), Error> {
        let values = params![
            result.judgement.verdict.name(),
            result.judgement.reason,
            json(reruns),
            test
        ];
        let update = "UPDATE tests SET verdict = ?1, reason = ?2, reruns = ?3 WHERE id = ?4";
        let done = self.file.execute(update, values);
        done.map(drop).map_err(|error| self.trouble(&error))
    }

    /// Says that the sweep is over; gives what is new in it, and what is gone, against the last
    /// one before it of the same tests.
    ///
    /// # Errors
    /// The file cannot be used.
    pub(crate) fn end(&mut self) -> Result<Option<read::Against>, Error> {
        let update = "UPDATE sweeps SET ended_ms = ?1 WHERE id = ?2";
        let done = self
            .file
            .execute(update, params![clock::unix_ms(), self.sweep]);
        done.map_err(|error| self.trouble(&error))?;
        read::against(&self.file, self.sweep).map_err(|error| self.trouble(&error))
    }

    fn trouble(&self, error: &rusqlite::Error) -> Error {
        trouble(&self.shown, error)
    }
}

/// Enters a new sweep; gives back its row.
fn begin_sweep(file: &Connection, beginning: &Beginning<'_>) -> rusqlite::Result<i64> {
    let values = params![
        beginning.command,
        env!("CARGO_PKG_VERSION"),
        beginning.revision,
        beginning.shard.index,
        beginning.shard.of,
        clock::unix_ms()
    ];
    file.execute(
        "INSERT INTO sweeps (command, landfall, revision, shard, shards, started_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        values,
    )?;
    Ok(file.last_insert_rowid())
}

/// The row of the last sweep of the command that did not end: of this shard and revision.
fn interrupted(file: &Connection, shown: &str, beginning: &Beginning<'_>) -> Result<i64, Error> {
    let Beginning {
        command,
        revision,
        shard,
        ..
    } = beginning;
    let last: Option<(i64, u32, u32, Option<String>)> = file
        .query_row(
            "SELECT id, shard, shards, revision FROM sweeps \
             WHERE ended_ms IS NULL AND command = ?1 ORDER BY id DESC LIMIT 1",
            [command],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()
        .map_err(|error| trouble(shown, &error))?;
    let Some((id, index, of, old)) = last else {
        return Err(Error::usage(format!(
            "{shown} has no {command} that was interrupted: leave --resume out"
        )));
    };
    if (Shard { index, of }) != *shard {
        return Err(Error::usage(format!(
            "the {command} in {shown} is shard {index}/{of}: give --shard {index}/{of}"
        )));
    }
    if old.as_deref() != *revision {
        return Err(Error::usage(format!(
            "the {command} in {shown} was begun at revision {} and this is {}: its seeds \
             would be of two programs; check the first out, or leave --resume out",
            old.as_deref().unwrap_or("unknown"),
            revision.unwrap_or("unknown")
        )));
    }
    Ok(id)
}

/// Opens a file of this schema; makes it where that is wanted.
pub(crate) fn open(path: &Path, make: bool) -> Result<Connection, Error> {
    let shown = path.display().to_string();
    let said = |error| trouble(&shown, &error);
    if !make && !path.exists() {
        return Err(Error::usage(format!("there is no {shown}")));
    }
    let mut file = Connection::open(path).map_err(said)?;
    // What has been written survives this process; a power loss may take the last seeds.
    file.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        .map_err(said)?;
    let version: i64 = file
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(said)?;
    let tables: i64 = file
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .map_err(said)?;
    match (version, tables) {
        (SCHEMA_VERSION, _) => {}
        (0, 0) if make => {
            let all = file.transaction().map_err(said)?;
            all.execute_batch(SCHEMA).map_err(said)?;
            all.commit().map_err(said)?;
        }
        (0, _) => {
            return Err(Error::usage(format!(
                "{shown} is a database, but not one of landfall's: name another file"
            )));
        }
        (other, _) => {
            return Err(Error::usage(format!(
                "{shown} is of version {other} of the tables and this landfall uses version \
                 {SCHEMA_VERSION}: name another file, or use the release that wrote it"
            )));
        }
    }
    Ok(file)
}

pub(crate) fn trouble(shown: &str, error: &rusqlite::Error) -> Error {
    Error::usage(format!("{shown} cannot be used: {error}"))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data has a JSON form")
}

/// Seeds are 64 bits without a sign, and SQLite's numbers have one.
pub(crate) const fn signed(seed: u64) -> i64 {
    seed.cast_signed()
}

/// Without what no verdict rests on. Of passing seeds there are many.
fn slim(outcome: &SeedOutcome) -> SeedOutcome {
    let mut kept = outcome.clone();
    if let SeedOutcome::Ran(report) = &mut kept {
        report.trace = Vec::new();
        report.history = None;
        report.recording = None;
        if !report.failed() {
            report.checkpoints = Vec::new();
            report.log_tail = Vec::new();
        }
    }
    kept
}

fn enter(file: &mut Connection, test: i64, outcome: &SeedOutcome) -> rusqlite::Result<()> {
    let all = file.transaction()?;
    let seed = signed(outcome.seed());
    let report = outcome.report();
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let insert = "INSERT OR REPLACE INTO seeds (test, seed, failed, landed, signature, digest, \
        events, polls, virtual_ns, policy, ok, no_effect, unknown, outcome, swarm) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    all.prepare_cached(insert)?.execute(params![
        test,
        seed,
        outcome.failed(),
        report.is_some_and(landfall::report::SeedReport::landed),
        outcome.signature(),
        outcome.digest().map(|digest| digest.to_string()),
        report.map(|report| number(report.events)),
        report.map(|report| number(report.polls)),
        report.map(|report| number(report.virtual_ns)),
        report.map(|report| report.policy.to_string()),
        report.map(|report| number(report.operations.ok)),
        report.map(|report| number(report.operations.failed)),
        report.map(|report| number(report.operations.unknown)),
        json(outcome),
        report.and_then(|report| report.swarm.as_ref().map(json)),
    ])?;
    for row in report.iter().flat_map(|report| &report.ledger) {
        let insert = "INSERT OR REPLACE INTO ledger \
            (test, seed, fault, kind, target, armed, standing, injected, observed) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        all.prepare_cached(insert)?.execute(params![
            test,
            seed,
            row.name,
            row.kind,
            row.target,
            number(row.armed.len() as u64),
            report.map(|report| report.standing(row)),
            json(&row.injected),
            json(&row.observed),
        ])?;
    }
    for site in report.iter().flat_map(|report| &report.probes) {
        let insert = "INSERT OR REPLACE INTO probes (test, seed, name, place, reached, held) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        all.prepare_cached(insert)?.execute(params![
            test,
            seed,
            site.name,
            site.place,
            number(site.reached),
            number(site.held),
        ])?;
    }
    all.commit()
}
