//! What there is to run in the binaries that were built, and which of it is asked for.

use std::collections::BTreeSet;
use std::fs;

use landfall::coordinate::{CoordinateError, Pool, TestInfo};
use landfall::runtime::process::{VARIABLE, WorkerError};
use landfall::variables::CHECK_DETERMINISM;

use crate::args::SelectArgs;
use crate::cargo::Built;
use crate::exit::{Error, Exit};
use crate::output;

/// A test of one of the binaries.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The binary.
    pub(crate) built: Built,
    /// The test.
    pub(crate) info: TestInfo,
}

/// Lists what the binaries have, and what is wrong with their plans. Those that are not linked
/// with landfall have nothing.
///
/// # Errors
/// Internal when a worker breaks.
pub(crate) fn list(binaries: &[Built]) -> Result<(Vec<Found>, BTreeSet<String>), Error> {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for built in binaries {
        if !is_worker(built)? {
            continue;
        }
        let listing = match Pool::start(&built.binary, 1) {
            Ok(mut pool) => pool.list(),
            Err(CoordinateError::Worker(WorkerError::NotAWorker(..))) => continue,
            Err(error) => Err(error),
        };
        let listing = listing.map_err(|error| {
            let exe = built.binary.exe.display();
            Error::internal(format!("{exe} does not say what it has to run: {error}"))
        })?;
        errors.extend(
            listing
                .plans
                .iter()
                .flat_map(|plan| plan.errors.iter().cloned()),
        );
        let found_here = listing.tests.into_iter().map(|info| Found {
            built: built.clone(),
            info,
        });
        found.extend(found_here);
    }
    // One plan may be compiled into several binaries.
    Ok((found, errors.into_iter().collect()))
}

/// Refuses plans that cannot run as written, where anything of them is asked for: a scenario of
/// another plan can be run by its name meanwhile.
///
/// # Errors
/// A plan error.
pub(crate) fn refuse_broken(
    errors: &BTreeSet<String>,
    args: &SelectArgs,
    selected: &[Found],
) -> Result<(), Error> {
    let everything = args.scenarios.is_empty() && args.tests.is_empty();
    let is_broken = |one: &Found| one.info.plan.is_some() && one.info.scenario.is_none();
    if errors.is_empty() || !(everything || selected.iter().any(is_broken)) {
        return Ok(());
    }
    for error in errors {
        output::say(error);
    }
    let message = format!(
        "{} in the plans; nothing was run",
        plural(errors.len(), "error")
    );
    Err(Error {
        exit: Exit::PlanError,
        message,
    })
}

fn plural(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Whether the executable is a worker with landfall in it, by what it carries: the worker
/// variable's name as a C string, and the name of a variable that only landfall reads. Without
/// the first it would take being started as an order to run its tests; without the second it is
/// linked with the simulator alone and has no scenario.
fn is_worker(built: &Built) -> Result<bool, Error> {
    let exe = &built.binary.exe;
    let bytes = fs::read(exe).map_err(|error| {
        Error::internal(format!(
            "{} was built and cannot be read: {error}",
            exe.display()
        ))
    })?;
    Ok(carries_markers(&bytes))
}

fn carries_markers(bytes: &[u8]) -> bool {
    let worker = format!("{VARIABLE}\0");
    [worker.as_str(), CHECK_DETERMINISM]
        .iter()
        .all(|marker| contains(bytes, marker.as_bytes()))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// What is asked for, in the order of the binaries; everything when nothing is named.
///
/// # Errors
/// Nothing selected: a name fits nothing, or there is nothing at all.
pub(crate) fn select(found: &[Found], args: &SelectArgs) -> Result<Vec<Found>, Error> {
    if found.is_empty() {
        let message = "the selected packages have no scenario: no `landfall::plan!` and no \
                       `#[landfall::test]` in their tests";
        return Err(nothing(message.to_owned()));
    }
    if args.scenarios.is_empty() && args.tests.is_empty() {
        return Ok(found.to_vec());
    }
    let mut chosen = vec![false; found.len()];
    for name in &args.scenarios {
        let fits = |one: &Found| is_scenario(&one.info, name);
        choose(found, &mut chosen, &fits).ok_or_else(|| unknown("scenario", name, found))?;
    }
    for name in &args.tests {
        let fits = |one: &Found| one.info.test == *name;
        let ends = |one: &Found| one.info.test.ends_with(&format!("::{name}"));
        choose(found, &mut chosen, &fits)
            .or_else(|| choose(found, &mut chosen, &ends))
            .ok_or_else(|| unknown("test", name, found))?;
    }
    let selected = found.iter().zip(chosen).filter(|(_, chosen)| *chosen);
    Ok(selected.map(|(one, _)| one.clone()).collect())
}

/// Whether a scenario goes by this id or name.
pub(crate) fn is_scenario(info: &TestInfo, name: &str) -> bool {
    info.id.as_deref() == Some(name) || info.scenario.as_ref().is_some_and(|s| s.name == name)
}

/// Marks what fits; none when nothing does.
fn choose(found: &[Found], chosen: &mut [bool], fits: &dyn Fn(&Found) -> bool) -> Option<()> {
    let mut any = None;
    for (one, chosen) in found.iter().zip(chosen) {
        if fits(one) {
            *chosen = true;
            any = Some(());
        }
    }
    any
}

fn nothing(message: String) -> Error {
    Error {
        exit: Exit::NothingSelected,
        message,
    }
}

fn unknown(what: &str, name: &str, found: &[Found]) -> Error {
    let mut message = format!("there is no {what} `{name}`");
    let names = found.iter().flat_map(|one| names_of(&one.info, what));
    let near = names
        .map(|candidate| {
            (
                distance(&name.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .min();
    if let Some((_, near)) = near {
        message.push_str(&format!("; did you mean `{near}`?"));
    }
    message.push_str("\nthere are:");
    for one in found {
        let names = names_of(&one.info, "scenario").join(" ");
        let names = if names.is_empty() {
            "written by hand".to_owned()
        } else {
            names
        };
        let package = &one.built.package;
        message.push_str(&format!(
            "\n  {names}  (--test {}, in {package})",
            one.info.test
        ));
    }
    nothing(message)
}

/// The names that a selection can use.
fn names_of(info: &TestInfo, what: &str) -> Vec<String> {
    if what == "test" {
        let last = info.test.rsplit("::").next().unwrap_or_default();
        return vec![info.test.clone(), last.to_owned()];
    }
    let name = info.scenario.as_ref().map(|scenario| scenario.name.clone());
    info.id.iter().cloned().chain(name).collect()
}

/// Insertions, deletions and replacements from one text to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use landfall::coordinate::TestBinary;

    use super::*;

    fn found(test: &str, id: Option<&str>) -> Found {
        let binary = TestBinary {
            exe: "exe".into(),
            cwd: ".".into(),
        };
        let built = Built {
            package: "kv".to_owned(),
            target: "test it".to_owned(),
            binary,
        };
        let id = id.map(str::to_owned);
        let info = TestInfo {
            test: test.to_owned(),
            plan: None,
            plan_hash: None,
            id,
            scenario: None,
            seeds: None,
        };
        Found { built, info }
    }

    fn selected(scenarios: &[&str], tests: &[&str]) -> Result<Vec<String>, Error> {
        let all = [
            found("plan::s1_a", Some("S1")),
            found("plan::s2_b", Some("S2")),
            found("c", None),
        ];
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let args = SelectArgs {
            scenarios: owned(scenarios),
            tests: owned(tests),
        };
        select(&all, &args).map(|chosen| chosen.into_iter().map(|one| one.info.test).collect())
    }

    #[test]
    fn without_a_name_everything_is_selected() {
        assert_eq!(selected(&[], &[]).unwrap().len(), 3);
    }

    #[test]
    fn names_select_in_the_order_of_the_binaries() {
        assert_eq!(
            selected(&["S2", "S1"], &[]).unwrap(),
            ["plan::s1_a", "plan::s2_b"]
        );
        assert_eq!(selected(&["S2"], &["c"]).unwrap(), ["plan::s2_b", "c"]);
        assert_eq!(selected(&[], &["s1_a"]).unwrap(), ["plan::s1_a"]);
    }

    #[test]
    fn an_unknown_name_is_told_what_there_is() {
        let error = selected(&["S1", "s3"], &[]).unwrap_err();
        assert_eq!(error.exit, Exit::NothingSelected);
        assert!(
            error
                .message
                .starts_with("there is no scenario `s3`; did you mean `S1`?")
        );
        assert!(
            error.message.contains("--test plan::s2_b, in kv"),
            "{}",
            error.message
        );
        let error = selected(&[], &["s2_bb"]).unwrap_err();
        assert!(
            error.message.contains("did you mean `s2_b`?"),
            "{}",
            error.message
        );
    }

    #[test]
    fn both_markers_are_needed() {
        let worker = b"\x7fELF..LANDFALL_WORKER\0..".as_slice();
        let landfall = b"..LANDFALL_CHECK_DETERMINISM..".as_slice();
        assert!(carries_markers(&[worker, landfall].concat()));
        assert!(!carries_markers(worker));
        assert!(!carries_markers(landfall));
        assert!(!carries_markers(
            &[b"the variable LANDFALL_WORKER is", landfall].concat()
        ));
        assert!(!carries_markers(b""));
    }

    #[test]
    fn distances_count_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
