//! The table of situations names tests that exist.

use std::path::Path;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_test_that_the_table_names_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = read(&folder.join("SITUATIONS.md"));
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let mut named = 0;
    for row in rows.skip(1) {
        let tests: Vec<&str> = row.split('`').filter(|part| part.contains("::")).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for test in tests {
            let (module, name) = test.split_once("::").expect("it was looked for");
            let source = read(&folder.join(format!("tests/it/{module}.rs")));
            let is_there = source.contains(&format!("#[test]\nfn {name}()"));
            assert!(is_there, "there is no test {test}: {row}");
            named += 1;
        }
    }
    assert!(named > 25, "{named} tests are named");
}
