//! `merge`: the databases of a sweep's parts become one report, byte for byte that of one sweep.

use std::path::{Path, PathBuf};

use landfall::coordinate::TestInfo;
use landfall::sweep::{Reruns, TestResult, conclude};
use landfall::tally::Tally;

use crate::args::MergeArgs;
use crate::exit::{Error, Exit};
use crate::store::{self, Ordered, Sweep, Test};
use crate::sweep::{Finished, Place, report};

/// Reads, proves that every seed is there once, judges, shows.
pub(crate) fn run(args: &MergeArgs) -> Result<Exit, Error> {
    let (command, merged) = of_files(&args.files)?;
    report(&merged, &args.shown, &args.output, &command)
}

/// The command whose parts stand in these databases, and what came of all of them.
pub(crate) fn of_files(files: &[PathBuf]) -> Result<(String, Vec<Finished>), Error> {
    let mut parts = Vec::new();
    for path in files {
        parts.push((path.display().to_string(), read(path)?));
    }
    merge(parts).map_err(Error::usage)
}

fn read(path: &Path) -> Result<Sweep, Error> {
    let file = store::open(path, false)?;
    let shown = path.display().to_string();
    let last = store::last(&file).map_err(|error| store::trouble(&shown, &error))?;
    last.ok_or_else(|| Error::usage(format!("{shown} has no sweep")))
}

/// The command that was run, and what came of it.
fn merge(mut parts: Vec<(String, Sweep)>) -> Result<(String, Vec<Finished>), String> {
    parts.sort_by_key(|(_, part)| part.shard.index);
    let Some((first_name, first)) = parts.first() else {
        return Err("there is nothing to merge".to_owned());
    };
    let of = first.shard.of;
    let command = first.command.clone();
    for (name, part) in &parts {
        if !part.is_over {
            return Err(format!(
                "{name} is of a sweep that was not finished: go on with it by --db {name} --resume"
            ));
        }
        let alike = (&part.command, &part.revision, part.shard.of);
        if alike != (&first.command, &first.revision, of) {
            return Err(format!(
                "{name} and {first_name} are not of one sweep: {} of {} parts at revision {}, and \
                 {} of {of} at {}",
                part.command,
                part.shard.of,
                part.revision.as_deref().unwrap_or("unknown"),
                first.command,
                first.revision.as_deref().unwrap_or("unknown")
            ));
        }
    }
    let indexes: Vec<u32> = parts.iter().map(|(_, part)| part.shard.index).collect();
    if !indexes.iter().copied().eq(0..of) {
        return Err(format!(
            "of parts 0 to {} there are {indexes:?}: each is needed once",
            of - 1
        ));
    }
    let mut all: Vec<(TestInfo, Place, Ordered, Vec<Test>)> = Vec::new();
    for (name, part) in parts {
        for test in part.tests {
            let same = all.iter_mut().find(|(info, place, ..)| {
                (&info.test, &place.package) == (&test.info.test, &test.place.package)
            });
            match same {
                None => {
                    let (info, place) = (test.info.clone(), test.place.clone());
                    all.push((info, place, test.ordered.clone(), vec![test]));
                }
                Some((info, _, ordered, parts)) => {
                    if *ordered != test.ordered || info.plan_hash != test.info.plan_hash {
                        let test = &test.info.test;
                        return Err(format!("{name}: {test} was run with other seeds or plan"));
                    }
                    parts.push(test);
                }
            }
        }
    }
    let each = all.into_iter();
    let merged = each.map(|(info, place, ordered, parts)| one(&info, place, &ordered, parts));
    Ok((command, merged.collect::<Result<_, _>>()?))
}

/// One test of all parts.
fn one(
    info: &TestInfo,
    place: Place,
    ordered: &Ordered,
    parts: Vec<Test>,
) -> Result<Finished, String> {
    let mut reruns = Reruns::default();
    let mut outcomes = std::collections::BTreeMap::new();
    for part in parts {
        for (seed, outcome) in part.outcomes {
            if outcomes.insert(seed, outcome).is_some() {
                return Err(format!("seed {seed} of {} was run in two parts", info.test));
            }
        }
        let found = part
            .reruns
            .ok_or_else(|| format!("{} was not finished", info.test))?;
        reruns.merge(found);
    }
    let mut tally = Tally::default();
    for seed in ordered.all() {
        let outcome = outcomes
            .remove(&seed)
            .ok_or_else(|| format!("seed {seed} of {} was run in no part", info.test))?;
        tally.add(outcome);
    }
    if let Some(seed) = outcomes.keys().next() {
        return Err(format!("seed {seed} of {} was not ordered", info.test));
    }
    let result: TestResult = conclude(info, ordered.tier, tally, reruns);
    Ok(Finished {
        place,
        result,
        strength: Vec::new(),
    })
}
