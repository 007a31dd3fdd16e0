//! The table of results, from what a sweep printed: `table < sweep.json > RESULTS.md`.
//!
//! Every test of the sweep has a row in `rows`, and every row a test; versions are those of the
//! lock.

mod rows;

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::ExitCode;

use rows::{EXAMPLE, ROWS, Row};
use serde_json::Value;

const HEAD: &str = "# Crates of others under landfall

Made by `cargo run --manifest-path ecosystem/Cargo.toml --bin table` from a sweep's JSON; \
[README](README.md) has the commands. Unmodified crates of the registry, two hosts each or more: \
24 operations by the client, each again until it succeeds, while the network between the hosts is \
cut for 400 ms, connections are reset, and the server is killed and started again.

- *equal*: how many seeds were run a second time, in another process, and came to the same digest.
- *landed*: in how many seeds the fault bit, and the host that it bit saw it by a connection. \
Where datagrams were lost no connection tells: *bit* counts those, and the test itself holds that \
its client had to ask again.

| crates | what ran | seeds passed | equal | cut landed | reset landed | not covered |
|---|---|--:|--:|--:|--:|---|
";

fn main() -> ExitCode {
    let mut text = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut text) {
        return refuse(&format!("the sweep cannot be read: {error}"));
    }
    let sweep: Value = match serde_json::from_str(&text) {
        Ok(sweep) => sweep,
        Err(error) => return refuse(&format!("the sweep is no JSON: {error}")),
    };
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock");
    let lock = match std::fs::read_to_string(lock) {
        Ok(lock) => lock,
        Err(error) => return refuse(&format!("{lock}: {error}")),
    };
    match table(&sweep, &lock) {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(why) => refuse(&why),
    }
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}

/// # Errors
/// A test without a row, a row without a test, a crate that is not locked.
fn table(sweep: &Value, lock: &str) -> Result<String, String> {
    let results = sweep["results"]
        .as_array()
        .ok_or("the sweep has no results")?;
    let name = |result: &Value| result["test"].as_str().unwrap_or_default().to_owned();
    for result in results {
        let test = name(result);
        if test != EXAMPLE && !ROWS.iter().any(|row| row.test == test) {
            return Err(format!("{test} has no row"));
        }
    }
    let mut text = HEAD.to_owned();
    for row in ROWS {
        let result = results.iter().find(|result| name(result) == row.test);
        let result = result.ok_or_else(|| format!("{} was not run", row.test))?;
        line(&mut text, row, result, lock)?;
    }
    Ok(text)
}

fn line(text: &mut String, row: &Row, result: &Value, lock: &str) -> Result<(), String> {
    let mut crates = Vec::new();
    for name in row.crates {
        let version = version(name, lock).ok_or_else(|| format!("{name} is not locked"))?;
        crates.push(format!("{name} {version}"));
    }
    let tally = &result["tally"];
    let number = |key: &str| tally[key].as_u64().unwrap_or(0);
    let (seeds, failed) = (number("seeds"), number("failed"));
    let equal = number("compared").saturating_sub(number("differing"));
    let landed = |kind: &str| {
        let faults = tally["faults"].as_array();
        let fault = faults
            .into_iter()
            .flatten()
            .find(|fault| fault["name"] == kind);
        fault.map_or("-".to_owned(), |fault| {
            let number = |key: &str| fault[key].as_u64().unwrap_or(0);
            match (number("landed"), number("injected")) {
                (0, injected @ 1..) => format!("bit {injected}"),
                (landed, _) => landed.to_string(),
            }
        })
    };
    let _ = writeln!(
        text,
        "| {} | {} | {}/{seeds} | {equal} | {} | {} | {} |",
        crates.join(", "),
        row.ran,
        seeds - failed,
        landed("cut"),
        landed("reset"),
        row.not_covered,
    );
    Ok(())
}

/// The highest version of a package in a lock.
fn version<'l>(name: &str, lock: &'l str) -> Option<&'l str> {
    let head = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.rsplit_once(&head)?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_without_a_row_and_a_row_without_a_test_are_refused() {
        let sweep = serde_json::json!({"results": [{"test": "no::such"}]});
        assert_eq!(table(&sweep, ""), Err("no::such has no row".to_owned()));
        let sweep = serde_json::json!({"results": []});
        assert!(table(&sweep, "").is_err_and(|why| why.ends_with("was not run")));
    }

    #[test]
    fn versions_are_the_locks() {
        let lock = "name = \"a\"\nversion = \"0.1.0\"\n\nname = \"a\"\nversion = \"1.2.0\"\n";
        assert_eq!(version("a", lock), Some("1.2.0"));
        assert_eq!(version("b", lock), None);
    }
}
