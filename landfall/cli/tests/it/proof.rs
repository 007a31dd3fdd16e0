//! Seeds that differ and seeds that die, from the command line: landfall's own planted ones.

use crate::{landfall, on_landfall};

#[test]
fn a_difference_is_placed_and_has_an_exit_code_of_its_own() {
    let test = "determinism::a_file_that_is_not_simulated";
    let answer = on_landfall("sweep", test, &["--seeds", "3"]);
    assert_eq!(answer.code, 111, "{}", answer.stderr);
    let shown = &answer.stdout;
    assert!(
        shown.contains("two runs of seed 0 agree up to event "),
        "{shown}"
    );
    for run in ["first run: event ", "second run: event "] {
        let line = shown.lines().find(|line| line.contains(run));
        let line = line.unwrap_or_else(|| panic!("{shown}"));
        assert!(line.contains(" a timer for "), "{line}");
        assert!(
            line.contains("task culprit (landfall/tests/it/determinism.rs:"),
            "{line}"
        );
    }
}

#[test]
fn every_seed_is_compared_on_request() {
    let test = "determinism::one::s1_short";
    let answer = on_landfall("sweep", test, &["--seeds", "6", "--twice"]);
    let line = "    twice   6 seeds run again in another worker, 0 differ\n";
    assert!(answer.stdout.contains(line), "{}", answer.stdout);
    let answer = on_landfall("sweep", "", &["--check-determinism=120%"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
}

#[test]
fn a_death_is_told_and_the_line_that_replays_it() {
    let test = "misbehaviour::each_seed_dies_its_own_death";
    let answer = on_landfall("sweep", test, &["--seeds", "1"]);
    assert_eq!(answer.code, 100, "{}", answer.stderr);
    let shown = &answer.stdout;
    assert!(
        shown.contains("\nseed 0: the process died of SIGABRT after "),
        "{shown}"
    );
    let line = format!("replay -p landfall --debug --offline --test {test} --seed 0\n");
    assert!(shown.contains(&line), "{shown}");
}

#[test]
fn what_is_planted_is_found_and_nothing_else() {
    let answer = landfall(&["selftest", "--jobs", "2", "--format", "json"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let told = answer.json();
    let cases = told["cases"].as_array().expect("one row a case");
    let planted = cases.iter().filter(|case| case["planted"] != "");
    let seeds: Vec<_> = planted.map(|case| case["seed"].as_u64()).collect();
    assert_eq!(seeds.len(), 9);
    assert!(seeds.iter().all(Option::is_some), "{told:#}");
}
