//! `floor`: what the README says of the determinism floor is what this machine shows.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{answer, command, root};

/// What a row is compared by. Whether a source is reproducible within one process is left out: it
/// may depend on the C library's allocator.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    across_processes: bool,
    layer: String,
}

/// The rows of a table as `cargo landfall floor` prints it, by name.
fn rows_of(table: &str) -> BTreeMap<String, Row> {
    let lines = table.lines().filter(|line| line.starts_with("| "));
    let rows = lines.skip(1).map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, across, _within, layer] = cells[..] else {
            panic!("a row has four cells: {line}");
        };
        let row = Row {
            across_processes: across == "yes",
            layer: layer.to_owned(),
        };
        (name.to_owned(), row)
    });
    rows.collect()
}

/// The same of the JSON form, whose rows have these four keys and no others.
fn rows_in(report: &Value) -> BTreeMap<String, Row> {
    let sources = report["sources"].as_array().expect("a list of sources");
    let rows = sources.iter().map(|source| {
        let keys: Vec<_> = source.as_object().expect("an object").keys().collect();
        assert_eq!(
            keys,
            ["across_processes", "layer", "name", "within_process"]
        );
        assert!(source["within_process"].is_boolean(), "{source}");
        let row = Row {
            across_processes: source["across_processes"].as_bool().expect("a boolean"),
            layer: source["layer"].as_str().expect("a text").to_owned(),
        };
        (source["name"].as_str().expect("a text").to_owned(), row)
    });
    rows.collect()
}

/// The layers that the report says are missing.
fn missing_layers(report: &Value) -> Vec<String> {
    let layers = report["layers"].as_array().expect("a list of layers");
    let layers = layers.iter().map(|layer| layer.as_str().expect("a text"));
    let missing = layers.filter(|layer| !layer.ends_with(": active"));
    missing
        .filter_map(|layer| Some(layer.split_once(':')?.0.to_owned()))
        .collect()
}

fn readme_table() -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("it is there");
    let after = readme.split("<!-- floor: begin -->\n").nth(1);
    let table = after.and_then(|rest| rest.split("<!-- floor: end -->").next());
    table.expect("both markers").to_owned()
}

/// Takes the rows out that this machine cannot show, and says which.
fn covered(
    rows: &BTreeMap<String, Row>,
    readme: &BTreeMap<String, Row>,
    missing: &[String],
) -> BTreeMap<String, Row> {
    // A machine with as many processors as a node tells the same by itself.
    let processors = std::thread::available_parallelism().expect("it is known");
    let is_alike = |name: &str| name == "available_parallelism" && processors.get() == 4;
    let mut rows = rows.clone();
    rows.retain(|name, _| {
        let layer = readme.get(name).map_or("", |row| row.layer.as_str());
        let shown = !missing.iter().any(|gone| gone == layer) && !is_alike(name);
        if !shown {
            eprintln!("not compared: {name}, whose layer ({layer}) tells nothing here");
        }
        shown
    });
    rows
}

#[test]
fn the_readme_shows_what_this_machine_shows() {
    let mut command = command(&["floor", "--format", "json"]);
    command.env_remove("LANDFALL_FLOOR_WITHOUT");
    let answer = answer(command, "");
    let report = answer.json();
    let missing = missing_layers(&report);
    let (shown, written) = (rows_in(&report), rows_of(&readme_table()));
    assert!(written.len() >= 37, "{written:?}");
    assert_eq!(
        covered(&shown, &written, &missing),
        covered(&written, &written, &missing),
        "put the table that `cargo landfall floor` prints into README.md"
    );
    assert_eq!(report["exit_code"], answer.code);
    if missing.is_empty() {
        assert_eq!(answer.code, 0, "{}", report["trouble"]);
        assert_eq!(report["trouble"], serde_json::json!({}));
    }
    // What a seed decides is not constant.
    let follow_seed = report["follow_seed"].as_array().expect("a list");
    for name in ["std HashMap", "rand 0.9", "ring SystemRandom", "uuid v4"] {
        assert!(
            follow_seed.contains(&name.into()),
            "{name}: {follow_seed:?}"
        );
    }
}

#[test]
fn a_layer_that_is_off_is_named_and_what_it_serves_is_not_reproducible() {
    let mut command = command(&["floor"]);
    command.env("LANDFALL_FLOOR_WITHOUT", "inline-syscalls");
    let answer = answer(command, "");
    assert_eq!(answer.code, 111, "{}", answer.stdout);
    let rows = rows_of(&answer.stdout);
    let rustix = &rows["rustix getrandom"];
    assert!(!rustix.across_processes, "{rustix:?}");
    assert_eq!(rustix.layer, "not served");
    assert!(rows["std HashMap"].across_processes);
    assert!(
        answer
            .stdout
            .contains("\ninline-syscalls: missing (switched off); uncovered: "),
        "{}",
        answer.stdout
    );
    assert!(answer.stdout.contains("\nrustix getrandom: "));
}
