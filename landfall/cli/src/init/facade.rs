//! `tokio`: the drop-in's modules under the name and version that the graph asks for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use super::change::{Files, read};
use super::origin::Origin;
use crate::exit::Error;

/// The package's files, to be in `folder`: the drop-in of `origin`, in place of the tokio of this
/// version with these features.
///
/// # Errors
/// Usage when landfall's sources cannot be read.
pub(super) fn files(
    origin: &Origin,
    version: &str,
    features: &BTreeMap<String, Vec<String>>,
    folder: &Path,
) -> Result<Files, Error> {
    let mut files = Files::new();
    copy(
        &origin.root.join("sim-tokio/src"),
        &folder.join("src"),
        &mut files,
    )?;
    let manifest = manifest(origin, version, features, folder)?;
    files.insert(folder.join("Cargo.toml"), manifest.into_bytes());
    Ok(files)
}

/// The oldest tokio that the drop-in is written for, as (major, minor, patch).
///
/// # Errors
/// Usage when landfall's sources cannot be read.
pub(super) fn oldest(origin: &Origin) -> Result<[u64; 3], Error> {
    let doc = parsed(&origin.root.join("sim-tokio/Cargo.toml"))?;
    let version = doc["dependencies"]["tokio-real"]["version"].as_str();
    version
        .and_then(numbers)
        .ok_or_else(|| Error::internal("sim-tokio does not say which tokio it is written for"))
}

/// `1.54` or `=1.54.1` as numbers.
pub(super) fn numbers(version: &str) -> Option<[u64; 3]> {
    let version = version.trim_start_matches(['=', '^', '~', ' ']);
    let mut parts = version.split(['.', '-', '+']);
    let major = parts.next()?.parse().ok()?;
    let mut next = || parts.next().and_then(|part| part.parse().ok()).unwrap_or(0);
    Some([major, next(), next()])
}

fn copy(from: &Path, to: &Path, files: &mut Files) -> Result<(), Error> {
    let failed = |error| Error::usage(format!("landfall's sources: {}: {error}", from.display()));
    for entry in fs::read_dir(from).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let (from, to) = (from.join(&name), to.join(&name));
        if from.is_dir() {
            copy(&from, &to, files)?;
        } else {
            files.insert(to, fs::read(&from).map_err(failed)?);
        }
    }
    Ok(())
}

fn parsed(path: &Path) -> Result<DocumentMut, Error> {
    let text = read(path)?;
    text.parse()
        .map_err(|error| Error::usage(format!("{}: {error}", path.display())))
}

fn manifest(
    origin: &Origin,
    version: &str,
    features: &BTreeMap<String, Vec<String>>,
    folder: &Path,
) -> Result<String, Error> {
    let drop_in = parsed(&origin.root.join("sim-tokio/Cargo.toml"))?;
    let house = parsed(&origin.root.join("Cargo.toml"))?;
    let mut doc = DocumentMut::new();
    let mut package = Table::new();
    package["name"] = value("tokio");
    package["version"] = value(version);
    package["edition"] = house["workspace"]["package"]["edition"].clone();
    package["publish"] = value(false);
    doc["package"] = Item::Table(package);
    doc["features"] = Item::Table(forwarded(features));
    let mut dependencies = Table::new();
    let declared = drop_in["dependencies"].as_table_like();
    let declared = declared.ok_or_else(|| Error::internal("sim-tokio has no dependencies"))?;
    for (name, item) in declared.iter() {
        let dependency = match name {
            "tokio-real" => real(item),
            _ => dependency(name, item, &house, origin, folder)?,
        };
        dependencies[name] = value(dependency);
    }
    doc["dependencies"] = Item::Table(dependencies);
    // These are landfall's lints, not the user's.
    let mut lints = Table::new();
    lints["unused"] = value("allow");
    lints["unfulfilled_lint_expectations"] = value("allow");
    doc["lints"]["rust"] = Item::Table(lints);
    if let Some(table) = doc["lints"].as_table_mut() {
        table.set_implicit(true);
    }
    // A package of its own, whatever workspace it lies in.
    doc["workspace"] = Item::Table(Table::new());
    Ok(format!(
        "# landfall's drop-in in place of tokio {version}. Made by `cargo landfall init`.\n{doc}"
    ))
}

/// Every feature of tokio's, handed on.
fn forwarded(features: &BTreeMap<String, Vec<String>>) -> Table {
    let mut table = Table::new();
    for name in features.keys() {
        let mut list = Array::new();
        list.push(format!("tokio-real/{name}"));
        table[name.as_str()] = value(list);
    }
    if !features.contains_key("default") {
        table["default"] = value(Array::new());
    }
    table
}

/// The real tokio beside the facade. The drop-in needs all of it that it names, whatever the
/// graph asks for.
fn real(item: &Item) -> InlineTable {
    let mut table = InlineTable::new();
    table.insert("path", Value::from("../tokio-real"));
    table.insert("default-features", Value::from(false));
    if let Some(features) = item.get("features").and_then(Item::as_value) {
        table.insert("features", features.clone());
    }
    table
}

fn dependency(
    name: &str,
    item: &Item,
    house: &DocumentMut,
    origin: &Origin,
    folder: &Path,
) -> Result<InlineTable, Error> {
    let inherited = item.get("workspace").is_some();
    let declared = if inherited {
        &house["workspace"]["dependencies"][name]
    } else {
        item
    };
    let mut table = match declared.get("path").and_then(Item::as_str) {
        Some(path) => {
            let package = declared
                .get("package")
                .and_then(Item::as_str)
                .unwrap_or(name);
            origin.dependency(package, path.trim_start_matches("../"), folder)
        }
        None => InlineTable::new(),
    };
    if let Some(version) = declared.as_str() {
        table.insert("version", Value::from(version));
    }
    for key in ["version", "default-features", "features", "optional"] {
        for item in [declared, item] {
            if let Some(given) = item.get(key).and_then(Item::as_value) {
                table.insert(key, given.clone());
            }
        }
    }
    match table.is_empty() {
        true => Err(Error::internal(format!(
            "sim-tokio's dependency {name} is not understood"
        ))),
        false => {
            table.fmt();
            Ok(table)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(numbers("1.54"), Some([1, 54, 0]));
        assert_eq!(numbers("=1.9.10"), Some([1, 9, 10]));
        assert!(numbers("1.54.1") > numbers("1.54") && numbers("1.9.0") < numbers("1.54"));
        assert_eq!(numbers("x"), None);
    }

    #[test]
    fn every_feature_is_handed_on() {
        let features = ["full", "rt"].map(|name| (name.to_owned(), Vec::new()));
        let table = forwarded(&features.into());
        assert_eq!(table["rt"][0].as_str(), Some("tokio-real/rt"));
        assert_eq!(table["default"].as_array().map(Array::len), Some(0));
        assert_eq!(table.len(), 3);
    }
}
