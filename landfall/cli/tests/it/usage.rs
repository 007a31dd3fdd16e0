//! What the command line and the environment may not be.

use crate::{answer, command, landfall, scratch};

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for words in [
        [].as_slice(),
        &["swep"],
        &["sweep", "--seeds", "0"],
        &["sweep", "--seeds", "5..5"],
        &["sweep", "--seeds", "1..3", "--from-seed", "2"],
        &["sweep", "--jobs", "0"],
        &["sweep", "--until-flat", "0"],
        &["sweep", "--for", "0"],
        &["explain", "x.capsule", "--for", "0"],
        &["sweep", "--release", "--profile", "dev"],
        &["replay", "--scenario", "S1"],
        &["replay", "--seed", "1"],
        &["replay", "--seed", "one", "--scenario", "S1"],
        &["check", "-", "--model", "heap"],
        &["check", "-", "--model", "map", "--checker", "progress"],
        &["plan", "check"],
    ] {
        let answer = landfall(words);
        assert_eq!(answer.code, 2, "{words:?}: {}", answer.stderr);
        assert_eq!(answer.stdout, "", "{words:?}");
        assert_ne!(answer.stderr, "", "{words:?}");
    }
}

#[test]
fn help_documents_exit_codes_and_variables() {
    let answer = landfall(&["--help"]);
    assert_eq!(answer.code, 0);
    assert!(
        answer.stdout.contains("110  fault not proven or vacuous"),
        "{}",
        answer.stdout
    );
    for (name, _) in landfall::variables::ALL {
        assert!(answer.stdout.contains(name), "{name} is not documented");
    }
    assert_eq!(landfall(&["sweep", "--help"]).code, 0);
    assert_eq!(landfall(&["--version"]).code, 0);
}

#[test]
fn cargo_repeats_the_name_of_its_subcommand() {
    let answer = landfall(&["landfall", "plan", "check", "examples/raft-kv/plan.md"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
}

#[test]
fn variables_that_cannot_be_used_are_named() {
    for (name, _) in landfall::variables::ALL {
        let mut command = command(&["sweep", "-p", "raft-kv"]);
        command.env(name, "maybe");
        let answer = answer(command, "");
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(
            answer
                .stderr
                .starts_with(&format!("error: {name}=maybe cannot be used"))
        );
    }
}

#[test]
fn packages_that_cannot_be_simulated_are_refused_before_anything_is_built() {
    let answer = landfall(&["sweep", "--offline", "-p", "landfall-checkers"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(
        answer
            .stderr
            .contains("neither depends on landfall nor has a feature `sim`")
    );
    let answer = landfall(&["sweep", "--offline", "-p", "raft-kw"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(
        answer
            .stderr
            .contains("the workspace has no package raft-kw; it has ")
    );
}

#[test]
fn a_workspace_that_is_not_there_is_a_usage_error() {
    let answer = landfall(&["sweep", "--manifest-path", "no/such/Cargo.toml"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("no/such/Cargo.toml"),
        "{}",
        answer.stderr
    );
}

#[test]
fn errors_are_json_where_json_is_asked_for() {
    let answer = landfall(&["replay", "--scenario", "S1", "--format", "json"]);
    assert_eq!(answer.code, 2);
    assert_eq!(answer.json()["error"], "replay needs --seed, or a capsule");
    assert_eq!(answer.json()["exit_code"], 2);
}

#[test]
fn shells_and_man_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let answer = landfall(&["completions", shell]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        for word in ["sweep", "explain-code", "check-determinism", "completions"] {
            assert!(answer.stdout.contains(word), "{shell} lacks {word}");
        }
    }
    assert_eq!(landfall(&["completions", "cmd"]).code, 2);
    let page = landfall(&["man"]);
    assert_eq!(page.code, 0, "{}", page.stderr);
    assert!(
        page.stdout.contains(".TH cargo-landfall 1"),
        "{}",
        page.stdout
    );
    assert!(page.stdout.contains("LANDFALL_SHARD"), "{}", page.stdout);
    let directory = scratch("man");
    let place = directory.display().to_string();
    assert_eq!(landfall(&["man", "--out", &place]).code, 0);
    for name in ["", "-sweep", "-plan-explain-code", "-man"] {
        let path = directory.join(format!("cargo-landfall{name}.1"));
        let page = std::fs::read_to_string(&path).expect("the page is there");
        assert!(
            page.contains(&format!(".TH cargo-landfall{name} 1")),
            "{page}"
        );
    }
    assert!(!directory.join("cargo-landfall-help.1").exists());
}
