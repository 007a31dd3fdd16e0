//! The table of the surface. That each item of a row is there is checked by rustdoc, which resolves
//! the rows' links; that each item of tokio's has a row, by `sim-tokio-surface --check`. And the
//! table of the semantics, which names tests that exist.

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

/// Whether a module's source has a test by this name, of its own or in both worlds.
fn has_test(source: &str, name: &str) -> bool {
    let of_its_own = source.contains(&format!("#[test]\nfn {name}()"));
    let in_both = source.contains(&format!("\n    {name}\n"))
        && source.contains(&format!("\nasync fn {name}()"));
    of_its_own || in_both
}

#[test]
fn every_test_that_the_table_of_semantics_names_exists() {
    let table = read("src/SEMANTICS.md");
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let mut named = 0;
    for row in rows.skip(1) {
        let tests: Vec<&str> = row.split('`').filter(|part| part.contains("::")).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for test in tests {
            let (module, name) = test.split_once("::").unwrap();
            let source = read(&format!("tests/it/{module}.rs"));
            assert!(has_test(&source, name), "there is no test {test}: {row}");
            named += 1;
        }
    }
    assert!(named > 60, "{named} tests are named");
}
