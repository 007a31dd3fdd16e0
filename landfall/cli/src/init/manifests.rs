//! What is edited in the manifests that are there already. Comments and order stay.

use std::path::Path;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use super::facade;
use crate::exit::Error;

/// What `init` makes is in this folder.
const FOLDER: &str = "landfall";

fn parse(path: &Path, text: &str) -> Result<DocumentMut, Error> {
    text.parse()
        .map_err(|error| Error::usage(format!("{} cannot be read:\n{error}", path.display())))
}

fn table<'d>(
    document: &'d mut DocumentMut,
    name: &str,
) -> Option<&'d mut dyn toml_edit::TableLike> {
    let fresh = || Item::Table(Table::new());
    document
        .entry(name)
        .or_insert_with(fresh)
        .as_table_like_mut()
}

/// The root's manifest with tokio patched.
///
/// # Errors
/// When it is patched with something else already.
pub(super) fn patch(path: &Path, text: &str) -> Result<String, Error> {
    let mut document = parse(path, text)?;
    let patches = document.entry("patch").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let shape = || Error::usage(format!("{}: `patch` is no table", path.display()));
    let registry = patches
        .as_table_like_mut()
        .ok_or_else(shape)?
        .entry("crates-io")
        .or_insert_with(|| Item::Table(Table::new()));
    let registry = registry.as_table_like_mut().ok_or_else(shape)?;
    let own = |item: &Item| {
        let path = item.as_table_like().and_then(|table| table.get("path"));
        path.and_then(Item::as_str) == Some(facade::FOLDER)
    };
    match registry.get("tokio") {
        Some(item) if own(item) => {}
        Some(_) => {
            return Err(Error::usage(format!(
                "{}: tokio is patched already, and can be patched once\n\
                 help: take `tokio` out of `[patch.crates-io]` first",
                path.display()
            )));
        }
        None => {
            let mut entry = InlineTable::new();
            entry.insert("path", Value::from(facade::FOLDER));
            registry.insert("tokio", Item::Value(Value::InlineTable(entry)));
        }
    }
    exclude(&mut document);
    Ok(document.to_string())
}

/// A workspace whose members are `*` must not take the folder for one of them.
fn exclude(document: &mut DocumentMut) {
    let workspace = document.get_mut("workspace");
    let Some(workspace) = workspace.and_then(Item::as_table_like_mut) else {
        return;
    };
    let fresh = || value(Array::new());
    let list = workspace.entry("exclude").or_insert_with(fresh);
    if let Some(list) = list.as_array_mut()
        && !list.iter().any(|entry| entry.as_str() == Some(FOLDER))
    {
        list.push(FOLDER);
    }
}

/// A member's manifest with the feature `sim` and the dependency that it switches.
///
/// # Errors
/// When it cannot be read, or has another dependency by the name `landfall`.
pub(super) fn member(path: &Path, text: &str, landfall: &str) -> Result<String, Error> {
    let mut document = parse(path, text)?;
    let depends = ["dependencies", "dev-dependencies"].iter().any(|kind| {
        let table = document.get(kind).and_then(Item::as_table_like);
        table.is_some_and(|table| table.contains_key("landfall"))
    });
    let shape = |name: &str| Error::usage(format!("{}: `{name}` is no table", path.display()));
    if !depends {
        let table = table(&mut document, "dev-dependencies");
        let table = table.ok_or_else(|| shape("dev-dependencies"))?;
        let mut entry = InlineTable::new();
        entry.insert("path", Value::from(landfall));
        table.insert("landfall", Item::Value(Value::InlineTable(entry)));
    }
    let features = table(&mut document, "features").ok_or_else(|| shape("features"))?;
    let switch = "landfall/sim";
    match features.get_mut("sim").and_then(Item::as_array_mut) {
        Some(list) if list.iter().any(|entry| entry.as_str() == Some(switch)) => {}
        Some(list) => list.push(switch),
        None => {
            let mut list = Array::new();
            list.push(switch);
            features.insert("sim", value(list));
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "Cargo.toml";

    #[test]
    fn what_is_there_stays_and_the_second_time_nothing_changes() {
        let text = "# mine\n[package]\nname = \"x\" # too\n\n[features]\ndefault = []\n";
        let once = member(Path::new(HERE), text, "../landfall").unwrap();
        assert!(
            once.starts_with("# mine\n[package]\nname = \"x\" # too\n"),
            "{once}"
        );
        assert!(once.contains("sim = [\"landfall/sim\"]"), "{once}");
        assert!(
            once.contains("[dev-dependencies]\nlandfall = { path = \"../landfall\" }"),
            "{once}"
        );
        assert_eq!(member(Path::new(HERE), &once, "elsewhere").unwrap(), once);
        let patched = patch(Path::new(HERE), &once).unwrap();
        assert!(
            patched.contains("[patch.crates-io]\ntokio = { path = \"landfall/tokio\" }"),
            "{patched}"
        );
        assert_eq!(patch(Path::new(HERE), &patched).unwrap(), patched);
    }

    #[test]
    fn a_sim_of_ones_own_is_added_to() {
        let text = "[features]\nsim = [\"other\"]\n\n[dependencies]\nlandfall = \"1\"\n";
        let edited = member(Path::new(HERE), text, "x").unwrap();
        assert!(
            edited.contains("sim = [\"other\", \"landfall/sim\"]"),
            "{edited}"
        );
        assert!(!edited.contains("dev-dependencies"), "{edited}");
    }

    #[test]
    fn patches_of_others_stay_and_one_of_tokio_is_refused() {
        let text = "[patch.crates-io]\nserde = { path = \"s\" }\n";
        let edited = patch(Path::new(HERE), text).unwrap();
        assert!(
            edited.contains("serde = { path = \"s\" }\ntokio = {"),
            "{edited}"
        );
        let whole = patch(Path::new(HERE), "[workspace]\nmembers = [\"*\"]\n").unwrap();
        assert!(whole.contains("exclude = [\"landfall\"]"), "{whole}");
        let taken = "[patch.crates-io]\ntokio = { git = \"https://example.com\" }\n";
        let error = patch(Path::new(HERE), taken).unwrap_err();
        assert!(
            error.message.contains("patched already"),
            "{}",
            error.message
        );
    }
}
