//! Small programs, and what a power loss may leave when they have done: the states that the
//! exhaustive mode finds are those that each profile allows, written down by hand in
//! `testdata/crashes.txt`. `testdata/crashes.md` shows them, made with `UPDATE_EXPECT=1`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use expect_test::expect_file;
use sim_disk::{Disk, DiskConfig, FileKind, Profile, TearUnit};

use crate::cases::simulated::Simulated;
use crate::cases::{run, shown};
use crate::harness::Bench;

const PROFILES: [Profile; 3] = [
    Profile::PosixWeak,
    Profile::Ext4Ordered,
    Profile::Sequential,
];

/// More than any of the programs has.
const STATES_MAX: usize = 1_000;

#[derive(Default)]
struct Program {
    name: String,
    setup: String,
    calls: String,
    tear: TearUnit,
    /// By name of the profile.
    allowed: BTreeMap<String, BTreeSet<String>>,
}

fn programs(text: &str) -> Vec<Program> {
    let text = text.lines().filter(|line| !line.starts_with('#'));
    let text = text.collect::<Vec<_>>().join("\n");
    text.split("\n\n")
        .filter(|block| !block.trim().is_empty())
        .map(program)
        .collect()
}

fn program(block: &str) -> Program {
    let mut lines = block.trim().lines();
    let mut program = Program {
        name: lines.next().unwrap().to_owned(),
        ..Program::default()
    };
    for line in lines {
        let (key, value) = line.split_once(':').unwrap();
        let value = value.trim();
        let states = || {
            value
                .split('|')
                .map(|state| state.trim().to_owned())
                .collect()
        };
        match key {
            "setup" => program.setup = value.to_owned(),
            "program" => program.calls = value.to_owned(),
            "tear" => {
                program.tear = match value {
                    "none" => TearUnit::None,
                    _ => TearUnit::Atomic4096,
                }
            }
            "all" => {
                let all = PROFILES.map(|profile| (profile.name().to_owned(), states()));
                program.allowed.extend(all);
            }
            profile => {
                program.allowed.insert(profile.to_owned(), states());
            }
        }
    }
    assert_eq!(program.allowed.len(), 3, "{}", program.name);
    program
}

/// Names, kinds and contents below a directory, in order.
fn describe(disk: &Disk, dir: &str, all: &mut Vec<String>) {
    let mut entries = disk.read_dir(dir).unwrap();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in entries {
        let path = format!("{dir}/{}", entry.name.to_str().unwrap());
        let short = path.trim_start_matches("/base/").to_owned();
        match entry.kind {
            FileKind::Dir => {
                all.push(short + "/");
                describe(disk, &path, all);
            }
            FileKind::Symlink => {
                let target = disk.read_link(&path).unwrap();
                all.push(format!("{short}->{}", target.display()));
            }
            FileKind::File => {
                let content = crate::harness::get(disk, &path).unwrap();
                all.push(format!("{short}={}", shown(&content).trim_matches('"')));
            }
        }
    }
}

/// The states that a power loss may leave when the program has done.
fn states(program: &Program, profile: Profile) -> BTreeSet<String> {
    let config = DiskConfig {
        profile,
        tear: program.tear,
        ..DiskConfig::default()
    };
    let bench = Bench::new(1, config);
    let (states, complete) = bench.on_node(|disk| {
        let fine = |said: Vec<String>| {
            let failed = said.iter().find(|said| said.starts_with('E'));
            assert_eq!(failed, None, "{}", program.name);
        };
        let mut kernel = Simulated::new(disk, "/base");
        if !program.setup.is_empty() {
            fine(run(&mut kernel, &program.setup));
        }
        disk.sync_everything();
        fine(run(&mut kernel, &program.calls));
        disk.explore(bench.node, STATES_MAX);
        disk.explored()
    });
    assert!(complete);
    let mut found = BTreeSet::new();
    for state in &states {
        bench.disk.load(bench.node, state);
        let mut all = Vec::new();
        bench.on_node(|disk| describe(disk, "/base", &mut all));
        let state = if all.is_empty() {
            "-".to_owned()
        } else {
            all.join(" ")
        };
        assert!(found.insert(state), "each state is found once");
    }
    drop(bench.finish());
    found
}

#[test]
fn observed_crash_states_are_those_that_each_profile_allows() {
    let file = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata")
            .join(name)
    };
    let programs = programs(&fs::read_to_string(file("crashes.txt")).unwrap());
    assert!(programs.len() >= 30);
    let mut table = String::from(HEAD);
    for program in &programs {
        for profile in PROFILES {
            let observed = states(program, profile);
            let allowed = &program.allowed[profile.name()];
            assert_eq!(&observed, allowed, "{}, {}", program.name, profile.name());
        }
        let mut by_states: BTreeMap<&BTreeSet<String>, Vec<&str>> = BTreeMap::new();
        for profile in PROFILES {
            let states = &program.allowed[profile.name()];
            by_states.entry(states).or_default().push(profile.name());
        }
        let mut rows: Vec<_> = by_states.into_iter().collect();
        rows.sort_by_key(|(_, profiles)| PROFILES.iter().position(|p| p.name() == profiles[0]));
        for (states, profiles) in rows {
            let states: Vec<String> = states.iter().map(|state| format!("`{state}`")).collect();
            let profiles = match profiles.len() {
                3 => "all".to_owned(),
                _ => profiles.join(", "),
            };
            let (name, calls) = (&program.name, &program.calls);
            let states = states.join(", ");
            writeln!(table, "| {name} | `{calls}` | {profiles} | {states} |").unwrap();
        }
    }
    expect_file!["../../testdata/crashes.md"].assert_eq(&table);
}

const HEAD: &str = "\
# What a power loss may leave

Made by `sim-disk/tests/it/crash_table.rs` from `crashes.txt`; `UPDATE_EXPECT=1` makes it again.
The states are those of the exhaustive mode when the program has done, and equal what is written
by hand. `.` is a zero byte, `o*512` so many of a letter, `-` nothing.

| program | calls | profile | states |
|---|---|---|---|
";
