//! The table of rules names tests that exist.

use std::path::{Path, PathBuf};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where a module of the table is.
fn source(folder: &Path, module: &str) -> PathBuf {
    match module.split_once('/') {
        None => folder.join(format!("tests/it/{module}.rs")),
        Some(("landfall", "storage")) => folder.join("../landfall/src/storage.rs"),
        Some(("landfall", module)) => folder.join(format!("../landfall/tests/it/{module}.rs")),
        Some(("sim-tokio", module)) => folder.join(format!("../sim-tokio/tests/it/{module}.rs")),
        Some(_) => folder.join(format!("src/{module}.rs")),
    }
}

#[test]
fn every_test_that_the_table_names_exists_and_every_rule_is_in_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = read(&folder.join("RULES.md"));
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let mut named = 0;
    for row in rows.clone().skip(1) {
        let tests: Vec<&str> = row.split('`').filter(|part| part.contains("::")).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for test in tests {
            let (module, name) = test.split_once("::").expect("it was looked for");
            let source = read(&source(folder, module));
            let is_there = source.contains(&format!("#[test]\nfn {name}()"))
                || source.contains(&format!("    #[test]\n    fn {name}()"));
            assert!(is_there, "there is no test {test}: {row}");
            named += 1;
        }
    }
    assert!(named > 60, "{named} tests are named");
    for rule in 1..=12 {
        let row = format!("| {rule} ");
        assert!(
            rows.clone().any(|line| line.starts_with(&row)),
            "rule {rule}"
        );
    }
}
