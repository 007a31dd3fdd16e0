//! What the documents must say: every variable, every exit code, every crate.

use crate::{assert_tidy, read};

/// Words that a text lacks.
fn missing(text: &str, document: &str, wanted: &[String]) -> Vec<String> {
    let lacking = wanted.iter().filter(|word| !text.contains(word.as_str()));
    lacking
        .map(|word| format!("{document} does not mention {word}"))
        .collect()
}

/// Every `LANDFALL_...` in a source.
fn variables_in(source: &str) -> Vec<String> {
    let mut found: Vec<String> = source
        .match_indices("LANDFALL_")
        .map(|(start, _)| {
            let rest = &source[start..];
            let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_');
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .filter(|name| name.len() > "LANDFALL_".len())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Every number that an arm of a match gives.
fn codes_in(source: &str) -> Vec<String> {
    let lines = source.lines().map(str::trim);
    let values = lines.filter_map(|line| line.strip_suffix(',')?.rsplit_once("=> "));
    let numbers = values.filter(|(_, value)| value.parse::<u8>().is_ok());
    numbers.map(|(_, value)| format!("| {value} |")).collect()
}

#[test]
fn variables_are_documented() {
    let mut variables = variables_in(&read("landfall/src/variables.rs"));
    variables.extend(variables_in(&read("sim-runtime/src/process/protocol.rs")));
    variables.extend(variables_in(&read("sim-runtime/src/interpose/floor.rs")));
    assert!(variables.len() >= 7, "{variables:?}");
    assert_tidy(&missing(&read("README.md"), "README.md", &variables));
}

#[test]
fn exit_codes_are_documented() {
    let codes = codes_in(&read("landfall/cli/src/exit.rs"));
    assert!(codes.len() >= 10, "{codes:?}");
    assert_tidy(&missing(&read("README.md"), "README.md", &codes));
}

#[test]
fn every_crate_has_its_place_in_the_architecture() {
    let crates = [
        "checkers",
        "sim-runtime",
        "sim-net",
        "sim-disk",
        "sim-tokio",
        "plan-compiler",
        "landfall",
        "landfall/macros",
        "landfall/cli",
        "landfall/floor",
        "landfall/selftest",
        "examples",
    ];
    let crates: Vec<_> = crates.iter().map(|name| format!("`{name}`")).collect();
    let text = read("ARCHITECTURE.md");
    assert_tidy(&missing(&text, "ARCHITECTURE.md", &crates));
    assert!(text.lines().count() <= 120, "ARCHITECTURE.md is one page");
}

#[test]
fn what_is_missing_is_named() {
    let wanted = ["LANDFALL_SEED".to_owned(), "LANDFALL_NEW".to_owned()];
    let complaints = missing("set LANDFALL_SEED", "README.md", &wanted);
    assert_eq!(complaints, ["README.md does not mention LANDFALL_NEW"]);
    assert_eq!(
        variables_in("\"LANDFALL_A\", LANDFALL_B_C; LANDFALL_A"),
        ["LANDFALL_A", "LANDFALL_B_C"]
    );
    assert_eq!(
        codes_in("    Pass => 0,\n    x: 7,\n    Usage => 2,"),
        ["| 0 |", "| 2 |"]
    );
}
