//! Makes RESULTS.md of what the examples' two builds printed: `table WITH_SIM WITHOUT_SIM`.

#[path = "examples.rs"]
mod examples;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::{env, fs, io};

/// How many ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    built: usize,
}

/// By module of tokio, in each build.
type Table = BTreeMap<String, [Counts; 2]>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [sim, real] = &arguments[..] else {
        eprintln!("usage: table WITH_SIM WITHOUT_SIM, what `cargo test` printed in each build");
        return ExitCode::from(2);
    };
    match document(sim, real) {
        Ok((text, failed)) => {
            print!("{text}");
            for name in &failed {
                eprintln!("failed: {name}");
            }
            ExitCode::from(u8::from(!failed.is_empty()))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn document(sim: &str, real: &str) -> io::Result<(String, Vec<String>)> {
    let folder = env!("CARGO_MANIFEST_DIR");
    let known = examples::known(&fs::read_to_string(format!("{folder}/known.txt"))?);
    let mut table = Table::new();
    let mut failed = Vec::new();
    for (build, file) in [sim, real].into_iter().enumerate() {
        let said = fs::read_to_string(file)?;
        let seen = count(&said, build, &mut table, &mut failed);
        if seen == 0 {
            return Err(io::Error::other(format!("{file} has no examples")));
        }
    }
    Ok((written(&table, &known), failed))
}

/// Reads libtest's lines `test net_tcp_line_12::runs ... ok`; how many there were.
fn count(said: &str, build: usize, table: &mut Table, failed: &mut Vec<String>) -> usize {
    let mut seen = 0;
    for line in said.lines() {
        let Some((name, end)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once("::runs"))
        else {
            continue;
        };
        let module = name.split('_').next().unwrap_or(name);
        let counts = &mut table.entry(module.to_owned()).or_default()[build];
        match end.rsplit(" ... ").next().unwrap_or_default() {
            "ok" => counts.passed += 1,
            how if how.starts_with("ignored") => counts.built += 1,
            _ => {
                counts.failed += 1;
                failed.push(name.to_owned());
            }
        }
        seen += 1;
    }
    seen
}

fn written(table: &Table, known: &BTreeMap<String, String>) -> String {
    let mut text = String::from(
        "# The examples of tokio's documentation, against the drop-in

Made by `.ci/nightly upstream`. The examples are those in cargo's download of tokio, unmodified,
each a module of one program; `sim`: built with the feature, where each type is the drop-in's own
and finds that it is outside a simulation; `real`: without it, where the drop-in passes on. *built*:
what the documentation marks as to be compiled and not run.

| module | passed, `sim` | failed | built | passed, `real` | failed | built |
|---|--:|--:|--:|--:|--:|--:|
",
    );
    let mut all = [Counts::default(); 2];
    let row = |text: &mut String, name: &str, [sim, real]: [Counts; 2]| {
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} |",
            sim.passed, sim.failed, sim.built, real.passed, real.failed, real.built
        );
    };
    for (name, counts) in table {
        row(&mut text, name, *counts);
        for (sum, counts) in all.iter_mut().zip(counts) {
            sum.passed += counts.passed;
            sum.failed += counts.failed;
            sum.built += counts.built;
        }
    }
    row(&mut text, "all", all);
    text.push_str("\nLeft out:\n\n");
    for (name, why) in known {
        let _ = writeln!(text, "- `{name}`: {why}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_module() {
        let said = "
test net_tcp_line_1::runs ... ok
test net_udp_line_2::runs - should panic ... ok
test time_line_3::runs ... FAILED
test time_line_4::runs ... ignored, it is to be built only
test result: FAILED.
";
        let (mut table, mut failed) = (Table::new(), Vec::new());
        assert_eq!(count(said, 1, &mut table, &mut failed), 4);
        assert_eq!(failed, ["time_line_3"]);
        let time = Counts {
            passed: 0,
            failed: 1,
            built: 1,
        };
        assert_eq!(table["time"][1], time);
        assert_eq!(table["net"][1].passed, 2);
        assert!(written(&table, &BTreeMap::new()).contains("| all | 0 | 0 | 0 | 2 | 1 | 1 |"));
    }
}
