//! `.config/landfall.toml`, by what it adds: a part of a sweep that cannot be used is refused
//! before anything is built.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Answer, answer, command, scratch};

/// A directory with this file.
fn with(name: &str, text: &str) -> PathBuf {
    let directory = scratch(name);
    let folder = directory.join(".config");
    fs::create_dir_all(&folder).expect("the directory is ours");
    fs::write(folder.join("landfall.toml"), text).expect("the directory is ours");
    directory
}

fn landfall(directory: &Path, words: &[&str], variables: &[(&str, &str)]) -> Answer {
    let mut command = command(words);
    command.current_dir(directory);
    command.envs(variables.iter().copied());
    answer(command, "")
}

/// What was refused, by its first line.
fn refused(answer: &Answer) -> &str {
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert_eq!(answer.stdout, "");
    answer.stderr.lines().next().expect("it says something")
}

const PROFILES: &str = "\
[profile.default]
shard = \"9/1\"

[profile.ci]
shard = \"9/2\"

[profile.ci.sweep]
shard = \"9/3\"

[profile.night]
inherits = \"ci\"
fail-fast = true

[profile.calm]
fail-fast = false
jobs = 2
";

#[test]
fn what_is_nearer_goes_before() {
    let directory = with("config-order", PROFILES);
    let part = |words: &[&str], variables: &[(&str, &str)]| {
        let answer = landfall(&directory, words, variables);
        let said = refused(&answer);
        let part = said.strip_prefix("error: ").expect("an error");
        part.split(" cannot").next().expect("a part").to_owned()
    };
    assert_eq!(part(&["sweep"], &[]), "--shard 9/1");
    assert_eq!(part(&["run", "--config", "ci"], &[]), "--shard 9/2");
    assert_eq!(part(&["--config", "ci", "sweep"], &[]), "--shard 9/3");
    assert_eq!(
        part(&["sweep"], &[("LANDFALL_CONFIG", "ci")]),
        "--shard 9/3"
    );
    assert_eq!(part(&["run", "--config=night"], &[]), "--shard 9/2");
    assert_eq!(part(&["run", "--config=calm"], &[]), "--shard 9/1");
    let flag = ["sweep", "--config", "ci", "--shard", "9/4"];
    assert_eq!(part(&flag, &[]), "--shard 9/4");
    let variable = [("LANDFALL_SHARD", "9/5")];
    assert_eq!(part(&["sweep"], &variable), "LANDFALL_SHARD=9/5");
    // From below, and by the file's name.
    let below = directory.join("a/b");
    fs::create_dir_all(&below).expect("the directory is ours");
    let answer = landfall(&below, &["sweep"], &[]);
    assert!(
        refused(&answer).contains("--shard 9/1"),
        "{}",
        answer.stderr
    );
    let file = directory.join(".config/landfall.toml");
    let named = format!("{}#ci", file.display());
    assert_eq!(part(&["run", "--config", &named], &[]), "--shard 9/2");
}

#[test]
fn what_cannot_be_used_is_named_with_its_place() {
    let cases = [
        (
            "[profile.ci]\nshart = \"0/1\"\n",
            ".config/landfall.toml:2:9: `shart` is no flag of run, sweep, ",
        ),
        (
            "[profile.ci.reduce]\nshard = \"0/1\"\n",
            ".config/landfall.toml:2:9: `shard` is no flag of reduce; there are ",
        ),
        (
            "[profile.ci.merge]\nformat = \"json\"\n",
            "`merge` is no command; there are run, sweep, ",
        ),
        ("jobs = 3\n", ".config/landfall.toml:1:8: `jobs` is unknown"),
        (
            "[profile.default]\njobs = 1.5\n",
            ".config/landfall.toml:2:8: `jobs` takes a text, a whole number",
        ),
        (
            "[profile.default]\nfail-fast = \"yes\"\n",
            ".config/landfall.toml:2:13: `fail-fast` takes no value",
        ),
        (
            "[profile.ci]\ninherits = \"cd\"\n",
            "the profile cd is inherited, and is not there; there are ci",
        ),
        ("[profile.ci\n", "TOML parse error at line 1"),
    ];
    for (place, (text, expected)) in cases.iter().enumerate() {
        let directory = with(&format!("config-bad-{place}"), text);
        let answer = landfall(&directory, &["sweep"], &[]);
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(
            answer.stderr.contains(expected),
            "{text}: {}",
            answer.stderr
        );
    }
    let directory = with("config-value", "[profile.default]\nseeds = \"5..3\"\n");
    let answer = landfall(&directory, &["sweep"], &[]);
    let said = refused(&answer);
    assert!(said.contains("'5..3' for '--seeds"), "{said}");
    let adds = ".config/landfall.toml adds: --seeds=5..3";
    assert!(answer.stderr.contains(adds), "{}", answer.stderr);
    let round = "[profile.a]\ninherits = \"b\"\n[profile.b]\ninherits = \"a\"\n";
    let directory = with("config-round", round);
    let answer = landfall(&directory, &["sweep", "--config", "a"], &[]);
    let said = refused(&answer);
    assert!(
        said.ends_with("inherit from each other without end"),
        "{said}"
    );
}

#[test]
fn a_profile_that_is_not_there_is_refused() {
    let directory = with("config-missing", PROFILES);
    let answer = landfall(&directory, &["sweep", "--config", "cj"], &[]);
    let known = "the profile cj is asked for, and is not there; there are default, ci, night, calm";
    assert!(refused(&answer).ends_with(known), "{}", answer.stderr);
    // Commands that run no seed take nothing from it.
    let answer = landfall(&directory, &["plan", "explain-code", "P0005"], &[]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
}
