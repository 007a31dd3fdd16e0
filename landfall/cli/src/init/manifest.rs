//! The user's manifests: what is added to them, and taken out again.

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml_edit::{Array, Document, DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

use crate::exit::Error;

/// The feature that puts a package under simulation.
const SIM: &str = "sim";
/// What it turns on.
const SIM_OF_LANDFALL: &str = "landfall/sim";

/// Something that a manifest has only because of `init`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Added {
    /// A key, by its path from the root of the file.
    Key(Vec<String>),
    /// An element of the array at that path.
    Element(Vec<String>, String),
}

/// A manifest being edited.
#[derive(Debug)]
pub(super) struct Manifest {
    /// Where it is, for messages.
    name: String,
    text: String,
    doc: DocumentMut,
    /// What was added.
    pub(super) added: Vec<Added>,
    /// The same in words, with the reason.
    pub(super) why: Vec<String>,
}

impl Manifest {
    /// # Errors
    /// Usage, with the place, when it is no TOML.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let doc = text
            .parse()
            .map_err(|error| Error::usage(format!("{name} is no TOML: {error}")))?;
        let (name, text) = (name.to_owned(), text.to_owned());
        Ok(Self {
            name,
            text,
            doc,
            added: Vec::new(),
            why: Vec::new(),
        })
    }

    /// The text as it is to be; the very same where nothing was added.
    pub(super) fn text(&self) -> String {
        match self.added.is_empty() {
            true => self.text.clone(),
            false => self.doc.to_string(),
        }
    }

    /// Puts the package in `folder` in place of tokio, for the whole graph.
    ///
    /// # Errors
    /// Usage, with the place, when something else is in its place already.
    pub(super) fn patch(&mut self, folder: &str) -> Result<(), Error> {
        for registry in ["crates-io", "https://github.com/rust-lang/crates.io-index"] {
            let path = ["patch", registry, "tokio"];
            let Some(there) = self.at(&path) else {
                continue;
            };
            if there.get("path").and_then(Item::as_str) == Some(folder) {
                return Ok(());
            }
            return Err(Error::usage(format!(
                "{}: tokio is patched already; a graph has one tokio only. Take that patch out \
                 while you simulate, or keep it and do without `init`",
                self.place(&path)
            )));
        }
        let mut table = InlineTable::new();
        table.insert("path", Value::from(folder));
        self.set(&["patch", "crates-io"], "tokio", value(table))?;
        self.why
            .push("[patch.crates-io] tokio: every crate of the graph gets the drop-in".into());
        Ok(())
    }

    /// Keeps a folder from being taken for members, where the patterns of `members` name it or
    /// `always`.
    ///
    /// # Errors
    /// Usage, with the place, when `exclude` is no array.
    pub(super) fn exclude(&mut self, folder: &str, always: bool) -> Result<(), Error> {
        let Some(workspace) = self.doc.get("workspace") else {
            return Ok(());
        };
        let top = folder.split('/').next().unwrap_or_default();
        let members = workspace.get("members").and_then(Item::as_array);
        let is_taken = members
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|pattern| {
                let first = pattern.split('/').next().unwrap_or_default();
                first == top || first.contains(['*', '?', '['])
            });
        if !is_taken && !always {
            return Ok(());
        }
        if self.push(&["workspace"], "exclude", folder)? {
            self.why.push(format!(
                "workspace.exclude {folder}: it holds no members of yours"
            ));
        }
        Ok(())
    }

    /// Lets members inherit landfall, where they inherit tokio. Returns whether they do.
    ///
    /// # Errors
    /// Usage, with the place, when a table is none.
    pub(super) fn inherit(&mut self, landfall: &InlineTable) -> Result<bool, Error> {
        if self.at(&["workspace", "dependencies", "tokio"]).is_none() {
            return Ok(false);
        }
        if self
            .at(&["workspace", "dependencies", "landfall"])
            .is_none()
        {
            self.set(
                &["workspace", "dependencies"],
                "landfall",
                value(landfall.clone()),
            )?;
            self.why
                .push("[workspace.dependencies] landfall: beside tokio, for members".into());
        }
        Ok(true)
    }

    /// Gives a member the feature `sim`, and landfall for its tests unless it `has_landfall`.
    ///
    /// # Errors
    /// Usage, with the place, when a `sim` is there that is something else.
    pub(super) fn member(
        &mut self,
        has_landfall: bool,
        landfall: &InlineTable,
    ) -> Result<(), Error> {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let path = [section, SIM];
            if self.at(&path).is_some() {
                return Err(Error::usage(format!(
                    "{}: a dependency is called `{SIM}`, as landfall's feature must be; rename it \
                     (`package = \"{SIM}\"`)",
                    self.place(&path)
                )));
            }
        }
        if self.push(&["features"], SIM, SIM_OF_LANDFALL)? {
            self.why.push(format!(
                "feature {SIM} = [\"{SIM_OF_LANDFALL}\"]: the one switch"
            ));
        }
        if !has_landfall {
            self.set(&["dev-dependencies"], "landfall", value(landfall.clone()))?;
            self.why
                .push("dev-dependency landfall: what tests are written with".into());
        }
        Ok(())
    }

    /// Takes out what was added, and tables that this leaves empty.
    pub(super) fn take_out(&mut self, added: &[Added]) -> String {
        for added in added {
            match added {
                Added::Key(path) => remove(self.doc.as_table_mut(), path),
                Added::Element(path, element) => {
                    let keys: Vec<_> = path.iter().map(String::as_str).collect();
                    let Some(Value::Array(array)) =
                        find_mut(self.doc.as_table_mut(), &keys).and_then(Item::as_value_mut)
                    else {
                        continue;
                    };
                    array.retain(|value| value.as_str() != Some(element));
                    if array.is_empty() {
                        remove(self.doc.as_table_mut(), path);
                    }
                }
            }
        }
        self.doc.to_string()
    }

    fn at(&self, path: &[&str]) -> Option<&Item> {
        let first = self.doc.get(path.first()?)?;
        path[1..].iter().try_fold(first, |item, key| item.get(key))
    }

    /// The file and line of a key.
    fn place(&self, path: &[&str]) -> String {
        let line = Document::parse(self.text.as_str()).ok().and_then(|doc| {
            let first = doc.get(path.first()?)?;
            let item = path[1..]
                .iter()
                .try_fold(first, |item, key| item.get(key))?;
            Some(self.text[..item.span()?.start].lines().count().max(1))
        });
        match line {
            Some(line) => format!("{}:{line}", self.name),
            None => self.name.clone(),
        }
    }

    fn table(&mut self, path: &[&str]) -> Result<&mut dyn TableLike, Error> {
        let place = self.place(path);
        let mut table: &mut dyn TableLike = self.doc.as_table_mut();
        for (depth, key) in path.iter().enumerate() {
            let item = table.entry(key).or_insert_with(|| {
                let mut made = Table::new();
                made.set_implicit(depth + 1 < path.len());
                Item::Table(made)
            });
            let wrong = || Error::usage(format!("{place}: `{key}` is no table"));
            table = item.as_table_like_mut().ok_or_else(wrong)?;
        }
        Ok(table)
    }

    fn set(&mut self, path: &[&str], key: &str, item: Item) -> Result<(), Error> {
        self.table(path)?.insert(key, item);
        self.added.push(Added::Key(joined(path, key)));
        Ok(())
    }

    /// Adds an element to an array, unless it is there. Returns whether it was not.
    fn push(&mut self, path: &[&str], key: &str, element: &str) -> Result<bool, Error> {
        let place = self.place(&[path, &[key]].concat());
        let table = self.table(path)?;
        let is_new = table.get(key).is_none();
        let item = table.entry(key).or_insert_with(|| value(Array::new()));
        let array = item
            .as_array_mut()
            .ok_or_else(|| Error::usage(format!("{place}: `{key}` is no array")))?;
        if array.iter().any(|value| value.as_str() == Some(element)) {
            return Ok(false);
        }
        array.push(element);
        self.added.push(match is_new {
            true => Added::Key(joined(path, key)),
            false => Added::Element(joined(path, key), element.to_owned()),
        });
        Ok(true)
    }
}

/// `landfall = { workspace = true }`.
pub(super) fn inherited() -> InlineTable {
    let mut table = InlineTable::new();
    table.insert("workspace", Value::from(true));
    table
}

/// Gives tokio of this version back, in a lock file that is used without the patch, the source
/// and checksum that it had. Cargo prunes the rest itself.
pub(super) fn unpatch_lock(lock: &str, before: &str) -> Option<String> {
    let mut doc: DocumentMut = lock.parse().ok()?;
    let before: DocumentMut = before.parse().ok()?;
    let is_tokio = |table: &&Table| table.get("name").and_then(Item::as_str) == Some("tokio");
    for package in doc.get_mut("package")?.as_array_of_tables_mut()?.iter_mut() {
        if !is_tokio(&&*package) || package.contains_key("source") {
            continue;
        }
        let version = package.get("version").and_then(Item::as_str);
        let mut all = before
            .get("package")?
            .as_array_of_tables()?
            .iter()
            .filter(is_tokio);
        let old = all.find(|old| old.get("version").and_then(Item::as_str) == version)?;
        package.insert("source", old.get("source")?.clone());
        package.insert("checksum", old.get("checksum")?.clone());
        package.insert("dependencies", old.get("dependencies")?.clone());
        package.sort_values_by(|a, _, b, _| lock_order(a.get()).cmp(&lock_order(b.get())));
    }
    Some(doc.to_string())
}

fn lock_order(key: &str) -> usize {
    let order = ["name", "version", "source", "checksum", "dependencies"];
    order
        .iter()
        .position(|known| *known == key)
        .unwrap_or(order.len())
}

fn joined(path: &[&str], key: &str) -> Vec<String> {
    path.iter()
        .chain([&key])
        .map(|&key| key.to_owned())
        .collect()
}

fn find_mut<'a>(table: &'a mut Table, path: &[&str]) -> Option<&'a mut Item> {
    let first = table.get_mut(path.first()?)?;
    path[1..]
        .iter()
        .try_fold(first, |item, key| item.get_mut(key))
}

fn remove(root: &mut Table, path: &[String]) {
    let keys: Vec<_> = path.iter().map(String::as_str).collect();
    for depth in (1..=keys.len()).rev() {
        let (key, above) = keys[..depth].split_last().expect("depth is at least one");
        let table: Option<&mut dyn TableLike> = match above.is_empty() {
            true => Some(root),
            false => find_mut(root, above).and_then(Item::as_table_like_mut),
        };
        let Some(table) = table else { return };
        let is_leaf = depth == keys.len();
        let is_empty = table
            .get(key)
            .and_then(Item::as_table_like)
            .is_some_and(|t| t.is_empty());
        if !is_leaf && !is_empty {
            return;
        }
        table.remove(key);
    }
}

/// Whether a path is below another, and how, with slashes.
pub(super) fn below(root: &Path, path: &Path) -> Option<String> {
    let rest = path.strip_prefix(root).ok()?;
    (!rest.as_os_str().is_empty()).then(|| rest.display().to_string())
}
