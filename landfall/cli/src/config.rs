//! `.config/landfall.toml`: flags by profile, for the commands that run seeds.
//!
//! ```toml
//! [profile.default]            # always
//! jobs = 2
//!
//! [profile.ci]                 # with --config ci, or LANDFALL_CONFIG=ci
//! check-determinism = "20%"
//! junit = "target/landfall.xml"
//!
//! [profile.ci.sweep]           # of one command
//! seeds = 1000
//!
//! [profile.nightly]
//! inherits = "ci"
//! ```
//!
//! A key is a long flag without its dashes; `true` gives a flag that takes no value, `false` does
//! not, a list gives it once for each. What the command line or a variable says goes before, then
//! the command's own table, then the profile, then what it inherits, then `default`.

mod file;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use self::file::{File, Setting};

/// The commands that have profiles.
const COMMANDS: [&str; 7] = [
    "run", "sweep", "replay", "reduce", "explain", "bisect", "selftest",
];

/// Where the file is, from a directory on the way up to the root.
const PLACE: &str = ".config/landfall.toml";

/// The profile that always holds.
const DEFAULT: &str = "default";

/// Flags that a variable stands for, which goes before a profile.
const VARIABLES: [(&str, &[&str]); 7] = [
    ("seeds", &["LANDFALL_SEEDS", "LANDFALL_SEED"]),
    ("from-seed", &["LANDFALL_SEED"]),
    ("jobs", &["LANDFALL_JOBS"]),
    ("budget", &["LANDFALL_BUDGET"]),
    ("check-determinism", &["LANDFALL_CHECK_DETERMINISM"]),
    ("memory-mb", &["LANDFALL_MEMORY_MB"]),
    ("shard", &["LANDFALL_SHARD"]),
];

/// The words that the file adds to a command line, and where it says so.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) words: Vec<OsString>,
    pub(crate) from: PathBuf,
}

/// What profiles add to a command line that was understood. Nothing where there is no file, or the
/// command has no profiles.
///
/// # Errors
/// The file, or what was asked of it, cannot be used: what is wrong, and where.
pub(crate) fn added(command: &Command, given: &ArgMatches) -> Result<Option<Added>, String> {
    let asked = given.get_one::<String>("config").cloned();
    let asked = asked.or_else(|| variable("LANDFALL_CONFIG"));
    let Some((name, matches)) = given.subcommand() else {
        return Ok(None);
    };
    if !COMMANDS.contains(&name) {
        return Ok(None);
    }
    let Some((path, profile)) = find(asked.as_deref(), matches)? else {
        return Ok(None);
    };
    let file = File::read(&path)?;
    let known = command.get_subcommands();
    let known: Vec<&Command> = known
        .filter(|one| COMMANDS.contains(&one.get_name()))
        .collect();
    file.check(&|table, key| is_flag(&known, table, key))?;
    let one = known.iter().find(|one| one.get_name() == name);
    let flags = one.into_iter().flat_map(|one| flags(one));
    let mut words = Vec::new();
    for arg in flags {
        let flag = arg.get_long().unwrap_or_default();
        if is_said(matches, arg) {
            continue;
        }
        if let Some(setting) = file.setting(profile.as_deref(), DEFAULT, name, flag)? {
            words.extend(setting.words(flag, arg.get_action().takes_values())?);
        }
    }
    let words = words.into_iter().map(OsString::from).collect();
    Ok(Some(Added { words, from: path }))
}

/// The flags of a command that a profile may give.
fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    let named = command.get_arguments();
    named.filter(|arg| {
        let flag = arg.get_long();
        flag.is_some_and(|flag| !["config", "help", "version"].contains(&flag))
    })
}

/// Whether a key is a flag: of this command, or in a profile's own table of any.
fn is_flag(commands: &[&Command], table: Option<&str>, key: &str) -> Result<(), String> {
    let of = commands
        .iter()
        .filter(|one| table.is_none_or(|table| one.get_name() == table));
    let known: BTreeSet<&str> = of
        .flat_map(|one| flags(one).filter_map(Arg::get_long))
        .collect();
    if known.contains(key) {
        return Ok(());
    }
    let whose = table.map_or_else(|| COMMANDS.join(", "), str::to_owned);
    let all: Vec<&str> = known.into_iter().collect();
    Err(format!(
        "`{key}` is no flag of {whose}; there are {}",
        all.join(", ")
    ))
}

/// Whether the command line or a variable says it.
fn is_said(given: &ArgMatches, arg: &Arg) -> bool {
    if given.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine) {
        return true;
    }
    let flag = arg.get_long().unwrap_or_default();
    let mut of = VARIABLES.iter().filter(|(name, _)| *name == flag);
    of.any(|(_, names)| names.iter().any(|name| variable(name).is_some()))
}

/// The file, and the profile of it that was asked for.
fn find(
    asked: Option<&str>,
    given: &ArgMatches,
) -> Result<Option<(PathBuf, Option<String>)>, String> {
    let (file, profile) = match asked {
        None => (None, None),
        Some(text) => match text.split_once('#') {
            Some((file, profile)) => (Some(file), Some(profile.to_owned())),
            None if text.contains('/') || Path::new(text).extension().is_some() => {
                (Some(text), None)
            }
            None => (None, Some(text.to_owned())),
        },
    };
    if let Some(file) = file.filter(|file| !file.is_empty()) {
        return Ok(Some((PathBuf::from(file), profile)));
    }
    let manifest = given.try_get_one::<PathBuf>("manifest_path");
    let from = match manifest.ok().flatten().and_then(|path| path.parent()) {
        Some(directory) if directory != Path::new("") => directory.to_owned(),
        _ => PathBuf::from("."),
    };
    let from = from.canonicalize().unwrap_or(from);
    let mut places = from.ancestors().map(|directory| directory.join(PLACE));
    match (places.find(|place| place.is_file()), profile) {
        (Some(path), profile) => Ok(Some((path, profile))),
        (None, None) => Ok(None),
        (None, Some(profile)) => Err(format!(
            "the profile {profile} is asked for, and there is no {PLACE} in {} or above it",
            from.display()
        )),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this module owns what goes before a profile"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Setting {
    /// The flag as words of a command line.
    fn words(&self, flag: &str, takes_value: bool) -> Result<Vec<String>, String> {
        match (self.values(), takes_value) {
            (Err(is_given), false) => Ok(if is_given {
                vec![format!("--{flag}")]
            } else {
                Vec::new()
            }),
            // A flag whose value may be left out.
            (Err(true), true) => Ok(vec![format!("--{flag}")]),
            (Err(false), true) => Ok(Vec::new()),
            (Ok(values), true) => {
                let word = |value: &String| format!("--{flag}={value}");
                Ok(values.iter().map(word).collect())
            }
            (Ok(_), false) => Err(format!(
                "{}: `{flag}` takes no value: it is true or false",
                self.place()
            )),
        }
    }
}
