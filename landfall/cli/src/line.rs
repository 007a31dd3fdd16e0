//! The line that runs a seed again: what was asked of this command, narrowed to one test.

use landfall::coordinate::Tier;
use landfall::variables::{self, Variables};

use crate::args::{BudgetName, CargoArgs, HowArgs};
use crate::scenarios::{Found, is_scenario};

/// The line for a seed of `one`, which is among `found`.
pub(crate) fn replay_line(
    one: &Found,
    found: &[Found],
    cargo: &CargoArgs,
    how: &HowArgs,
    tier: Tier,
    seed: u64,
) -> String {
    let mut words: Vec<String> = ["cargo", "landfall", "replay"].map(str::to_owned).to_vec();
    let (name, is_alone) = name_of(one, found);
    words.extend(cargo_words(
        cargo,
        (!is_alone).then_some(one.built.package.as_str()),
    ));
    words.extend(name);
    // Replaying takes the hardening budget's duration unless told otherwise.
    if how.budget.is_some() || tier == Tier::Smoke {
        let budget = match tier {
            Tier::Smoke => BudgetName::Smoke,
            Tier::Harden => BudgetName::Hardening,
        };
        words.push("--budget".to_owned());
        words.push(budget.name().to_owned());
    }
    if let Some(limit) = how.memory_mb {
        words.extend(["--memory-mb".to_owned(), limit.to_string()]);
    }
    words.extend(["--seed".to_owned(), seed.to_string()]);
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let policy = Variables::read()
        .ok()
        .and_then(|variables| variables.policy);
    let policy = policy.map_or_else(String::new, |policy| {
        format!("{}={} ", variables::POLICY, quoted(&policy.to_string()))
    });
    format!("{policy}{}", words.join(" "))
}

/// The shortest selector that selects nothing but this test, and whether there is one without
/// naming its package.
fn name_of(one: &Found, found: &[Found]) -> ([String; 2], bool) {
    if let Some(id) = &one.info.id
        && found
            .iter()
            .filter(|other| is_scenario(&other.info, id))
            .count()
            == 1
    {
        return (["--scenario".to_owned(), id.clone()], true);
    }
    let test = &one.info.test;
    let is_alone = found
        .iter()
        .filter(|other| other.info.test == *test)
        .count()
        == 1;
    (["--test".to_owned(), test.clone()], is_alone)
}

/// Cargo's selectors as they were given; `package` stands for those given when it is some.
fn cargo_words(args: &CargoArgs, package: Option<&str>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut pair = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
    match package {
        Some(package) => pair("-p", package),
        None => args.packages.iter().for_each(|package| pair("-p", package)),
    }
    args.features
        .iter()
        .for_each(|features| pair("--features", features));
    if let Some(path) = &args.manifest_path {
        pair("--manifest-path", &path.to_string_lossy());
    }
    if let Some(profile) = &args.profile {
        pair("--profile", profile);
    }
    if let Some(directory) = &args.target_dir {
        pair("--target-dir", &directory.to_string_lossy());
    }
    for (given, flag) in [
        (args.workspace && package.is_none(), "--workspace"),
        (args.all_features, "--all-features"),
        (args.no_default_features, "--no-default-features"),
        (args.release, "--release"),
        (args.debug, "--debug"),
        (args.offline, "--offline"),
        (args.locked, "--locked"),
        (args.frozen, "--frozen"),
    ] {
        if given {
            words.push(flag.to_owned());
        }
    }
    words
}

/// The word as a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@+=%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use landfall::coordinate::{TestBinary, TestInfo};

    use super::*;
    use crate::cargo::Built;

    fn found(package: &str, test: &str, id: Option<&str>) -> Found {
        let binary = TestBinary {
            exe: "exe".into(),
            cwd: ".".into(),
        };
        let built = Built {
            package: package.to_owned(),
            target: String::new(),
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

    fn line(place: usize, all: &[Found], cargo: &CargoArgs, tier: Tier) -> String {
        replay_line(&all[place], all, cargo, &HowArgs::default(), tier, 17)
    }

    #[test]
    fn the_selectors_are_repeated_as_given() {
        let cargo = CargoArgs {
            packages: vec!["raft-kv".to_owned()],
            features: vec!["bug-stale-read".to_owned()],
            ..CargoArgs::default()
        };
        let all = [
            found("raft-kv", "s1_x", Some("S1")),
            found("raft-kv", "by_hand", None),
        ];
        let prefix = "cargo landfall replay -p raft-kv --features bug-stale-read";
        let said = line(0, &all, &cargo, Tier::Harden);
        assert_eq!(said, format!("{prefix} --scenario S1 --seed 17"));
        let said = line(0, &all, &cargo, Tier::Smoke);
        assert_eq!(
            said,
            format!("{prefix} --scenario S1 --budget smoke --seed 17")
        );
        let said = line(1, &all, &cargo, Tier::Harden);
        assert_eq!(said, format!("{prefix} --test by_hand --seed 17"));
    }

    #[test]
    fn what_is_not_unique_is_narrowed() {
        let cargo = CargoArgs {
            workspace: true,
            ..CargoArgs::default()
        };
        let all = [
            found("a", "plan::s1", Some("S1")),
            found("b", "other::s1", Some("S1")),
        ];
        let said = line(1, &all, &cargo, Tier::Harden);
        assert_eq!(
            said,
            "cargo landfall replay --workspace --test other::s1 --seed 17"
        );
        let all = [found("a", "s1", Some("S1")), found("b", "s1", Some("S1"))];
        let said = line(1, &all, &cargo, Tier::Harden);
        assert_eq!(said, "cargo landfall replay -p b --test s1 --seed 17");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("raft-kv/bug,x"), "raft-kv/bug,x");
        assert_eq!(quoted(""), "''");
    }
}
