//! The table of the surface. That each item of a row is there is checked by rustdoc, which resolves
//! the rows' links; that each item of tokio's has a row, by `sim-tokio-surface --check`.

use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The version of `package` in a lock file.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let (_, entry) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    entry.split('"').next()
}

#[test]
fn the_table_is_of_the_tokio_that_is_locked() {
    let table = read("src/SURFACE.md");
    let version = locked(&read("../Cargo.lock"), "tokio").unwrap().to_owned();
    let title = table.lines().next().unwrap();
    assert_eq!(title, format!("# The surface of tokio {version}"));
}

#[test]
fn nothing_is_refused_without_a_word_why() {
    let table = read("src/SURFACE.md");
    let rows: Vec<_> = table.lines().filter(|line| line.contains(" | ")).collect();
    assert!(rows.len() > 400, "{} rows", rows.len());
    for row in rows {
        let unexplained = row.contains("| refused |  |");
        assert!(!unexplained, "{row}");
    }
}
