//! The table of results, from what a sweep printed: `table < sweep.json > RESULTS.md`.
//!
//! Every test of the sweep has a row, every setting of `rows` a test, and every failure a finding;
//! versions are those of the lock.

mod rows;

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::ExitCode;

use rows::{FINDINGS, SETTINGS, STORMS, Setting, Storm};
use serde_json::Value;

const HEAD: &str = "# Storage crates under landfall

Made by `cargo run --manifest-path storage/Cargo.toml --bin table` from a sweep's JSON; \
[README](README.md) has the commands, [FINDINGS](FINDINGS.md) what failed, why, and whose it is.

Unmodified crates of the registry, which call `std::fs` or C. Each changes five keys and a counter \
in a transaction, one after the other. Eight times a seed the power goes (before, in the middle of \
and after a sync, or at any time) or the process dies, in the lower rows of a crate while its disk \
fails. When it is opened again, the last transaction that it acknowledged is there, no transaction \
that a reader has seen is gone, and what is there is what whole transactions made.

- *equal*: how many seeds were run a second time, in another process, and came to the same digest.
- *landed*: in how many seeds the fault bit, and the store met what it did.
- *lost writes*: nobody promises to survive them. What is looked for is a store that notices.

| crate | commits by | what befalls it | profile | seeds passed | equal | landed | findings |
|---|---|---|---|--:|--:|--:|---|
";

const PLANS_HEAD: &str = "
## Plans

Each crate behind a small server, by a plan of its own: transactions of four clients on other \
hosts, judged by dependency cycles (strict serializability) and by the sum of all accounts, while \
the server loses its power or is killed every 2 to 3 s. The server syncs the directories that a \
crate leaves to its user.

| crate | scenario | disk | verdict | seeds passed | equal | landed |
|---|---|---|---|--:|--:|--:|
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
/// A test without a row, a storm that nobody went through, a crate that is not locked, a failure
/// that no finding explains.
fn table(sweep: &Value, lock: &str) -> Result<String, String> {
    let results = sweep["results"]
        .as_array()
        .ok_or("the sweep has no results")?;
    let mut left: Vec<&Value> = results.iter().collect();
    for result in &left {
        let failed = result["tally"]["failed"].as_u64().unwrap_or(0);
        let seeds = result["tally"]["seeds"].as_u64().unwrap_or(0);
        // A program that lost nothing under one seed's latencies does under others'.
        if is_finding(result) && failed * 2 > seeds {
            return Err(format!(
                "{} is no finding any more: strike it",
                result["test"]
            ));
        }
    }
    left.retain(|result| result["test"] != EXAMPLE && !is_finding(result));
    let (plans, stormy): (Vec<_>, Vec<_>) = left.into_iter().partition(|result| is_plan(result));
    left = stormy;
    let mut text = HEAD.to_owned();
    for setting in SETTINGS {
        for storm in STORMS {
            let test = format!("{}::{}", setting.module, storm.test);
            if let Some(at) = left.iter().position(|result| result["test"] == *test) {
                line(&mut text, (setting, storm), left.remove(at), lock)?;
            }
        }
        if !text.contains(setting.commits) {
            return Err(format!("no test of {} was run", setting.module));
        }
    }
    if let Some(result) = left.first() {
        return Err(format!("{} has no row", result["test"]));
    }
    text.push_str(PLANS_HEAD);
    for setting in SETTINGS.iter().filter(|setting| setting.plan.is_some()) {
        let mut scenarios = 0;
        for result in &plans {
            if result["plan"].as_str() == setting.plan {
                plan_line(&mut text, setting, result, lock)?;
                scenarios += 1;
            }
        }
        if scenarios == 0 {
            return Err(format!("the plan of {} was not run", setting.module));
        }
    }
    Ok(text)
}

/// Whether it is a scenario of a plan.
fn is_plan(result: &Value) -> bool {
    result["plan"].is_string()
}

/// # Errors
/// A scenario without a verdict, or one that did not pass: no finding says why.
fn plan_line(
    text: &mut String,
    setting: &Setting,
    result: &Value,
    lock: &str,
) -> Result<(), String> {
    let package = setting.package;
    let version = version(package, lock).ok_or_else(|| format!("{package} is not locked"))?;
    let word = |key: &str| result[key].as_str().unwrap_or("-");
    let (plan, id, name) = (word("plan"), word("scenario"), word("name"));
    let (verdict, reason) = (word("verdict"), word("reason"));
    let tally = &result["tally"];
    let number = |of: &Value, key: &str| of[key].as_u64().unwrap_or(0);
    let (seeds, failed) = (number(tally, "seeds"), number(tally, "failed"));
    if failed > 0 {
        return Err(format!("{id} of {plan} is {verdict}: {reason}"));
    }
    let equal = number(tally, "compared").saturating_sub(number(tally, "differing"));
    let mut faults = tally["faults"].as_array().into_iter().flatten();
    let landed = faults.next().map_or(0, |fault| number(fault, "landed"));
    let disks = tally["disks"]["seeds"].as_object();
    let disks = disks.and_then(|disks| disks.keys().next());
    let disks = disks.ok_or_else(|| format!("{id} of {plan} names no disk"))?;
    let _ = writeln!(
        text,
        "| {package} {version} | [{id}]({plan}) {} | {disks} | {verdict} | {}/{seeds} | {equal} | \
         {landed} |",
        name.replace('_', " "),
        seeds - failed,
    );
    Ok(())
}

/// Whether a test holds that a crate still does what a finding says.
fn is_finding(result: &Value) -> bool {
    let test = result["test"].as_str();
    test.is_some_and(|test| test.starts_with("findings::"))
}

/// The example that `cargo landfall init` makes.
const EXAMPLE: &str = "a_client_gets_an_answer_although_the_server_is_killed_once";

fn line(
    text: &mut String,
    (setting, storm): (&Setting, &Storm),
    result: &Value,
    lock: &str,
) -> Result<(), String> {
    let Setting {
        module,
        package,
        commits,
        plan: _,
    } = setting;
    let version = version(package, lock).ok_or_else(|| format!("{package} is not locked"))?;
    let tally = &result["tally"];
    let number = |of: &Value, key: &str| of[key].as_u64().unwrap_or(0);
    let (seeds, failed) = (number(tally, "seeds"), number(tally, "failed"));
    let test = format!("{module}::{}", storm.test);
    let known = FINDINGS.iter().find(|(fails, _)| *fails == test);
    let finding = match (failed, known) {
        (0, _) => "",
        (_, Some((_, finding))) => finding,
        (_, None) => return Err(format!("{test} fails {failed} of {seeds} seeds: why?")),
    };
    let equal = number(tally, "compared").saturating_sub(number(tally, "differing"));
    let mut faults = tally["faults"].as_array().into_iter().flatten();
    let fault = faults.find(|fault| fault["name"] == storm.fault);
    let landed = fault.map_or(0, |fault| number(fault, "landed"));
    let (what, profile, passed) = (storm.what, storm.profile, seeds - failed);
    let _ = writeln!(
        text,
        "| {package} {version} | {commits} | {what} | {profile} | {passed}/{seeds} | {equal} | \
         {landed} | {finding} |",
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
    use serde_json::json;

    use super::*;

    const LOCK: &str = r#"
name = "fjall"
version = "3.0.0"
name = "redb"
version = "3.0.0"
name = "rusqlite"
version = "0.1.0"
"#;

    fn swept(test: &str, failed: u64) -> Value {
        json!({"test": test, "tally": {"seeds": 3, "failed": failed, "compared": 3}})
    }

    #[test]
    fn a_test_without_a_row_and_a_setting_without_a_test_are_refused() {
        let sweep = json!({"results": [swept("redb_::no_such", 0)]});
        assert_eq!(
            table(&sweep, LOCK),
            Err("no test of redb_ was run".to_owned())
        );
        let all = SETTINGS.iter();
        let all = all.map(|setting| swept(&format!("{}::power_sequential", setting.module), 0));
        let mut all: Vec<Value> = all.collect();
        let missing = table(&json!({"results": all}), LOCK);
        assert_eq!(missing, Err("the plan of redb_ was not run".to_owned()));
        for plan in SETTINGS.iter().filter_map(|setting| setting.plan) {
            let mut scenario = swept("plan::s1_durable", 0);
            scenario["plan"] = plan.into();
            scenario["tally"]["disks"] = json!({"seeds": {"posix-weak, none": 3}});
            all.push(scenario);
        }
        let text = table(&json!({"results": all}), LOCK).expect("a row each");
        assert_eq!(
            text.lines()
                .filter(|line| line.contains("| 3/3 | 3 | 0 |"))
                .count(),
            7 + 3
        );
        all.push(swept("redb_::no_such", 0));
        let refused = table(&json!({"results": all}), LOCK);
        assert_eq!(refused, Err("\"redb_::no_such\" has no row".to_owned()));
    }

    #[test]
    fn a_failure_that_nobody_has_explained_is_refused() {
        let sweep = json!({"results": [swept("redb_::power_sequential", 1)]});
        let refused = table(&sweep, LOCK);
        let why = "redb_::power_sequential fails 1 of 3 seeds: why?";
        assert_eq!(refused, Err(why.to_owned()));
    }

    #[test]
    fn every_finding_is_of_a_test_and_is_written_down() {
        let written = include_str!("../FINDINGS.md");
        for (test, findings) in FINDINGS {
            let (module, storm) = test.rsplit_once("::").expect("a module");
            assert!(SETTINGS.iter().any(|setting| setting.module == module));
            assert!(STORMS.iter().any(|known| known.test == storm));
            for finding in findings.split(", ") {
                assert!(written.contains(&format!("\n## {finding}: ")), "{finding}");
            }
        }
    }
}
