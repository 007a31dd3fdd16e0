//! rustdoc's JSON of several crates.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// The crates, by the names of their libraries.
pub(crate) struct Documents(BTreeMap<String, Document>);

/// One crate.
pub(crate) struct Document {
    name: String,
    value: Value,
    /// Own items by path and kind.
    by_path: BTreeMap<(String, String), String>,
}

/// An item and the crate that defines it.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) document: &'a Document,
    pub(crate) value: &'a Value,
}

/// What a re-export leads to.
pub(crate) enum Target<'a> {
    Item(Item<'a>),
    /// In a crate that was not described: its path.
    Elsewhere(String),
}

impl Documents {
    pub(crate) fn read(folder: &Path, packages: &[&str]) -> Result<Self, String> {
        let mut documents = BTreeMap::new();
        for package in packages {
            let name = package.replace('-', "_");
            let path = folder.join(format!("{name}.json"));
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let value = serde_json::from_str(&text)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            documents.insert(name.clone(), Document::new(name, value));
        }
        Ok(Self(documents))
    }

    pub(crate) fn root(&self, name: &str) -> Item<'_> {
        let document = &self.0[name];
        let root = document.value["root"].to_string();
        document.item(&root).expect("a crate has a root")
    }

    pub(crate) fn version(&self, name: &str) -> &str {
        let version = &self.0[name].value["crate_version"];
        version.as_str().unwrap_or_default()
    }

    /// What the item of this number is, looked for in the other crates, too.
    pub(crate) fn target<'a>(&'a self, from: &'a Document, id: &Value) -> Option<Target<'a>> {
        if let Some(item) = from.item(&id.to_string()) {
            return Some(Target::Item(item));
        }
        let (path, kind) = from.path(id)?;
        let library = path.split("::").next().unwrap_or_default();
        let other = self.0.get(library);
        let found = other.and_then(|other| {
            let id = other.by_path.get(&(path.clone(), kind))?;
            other.item(id)
        });
        Some(found.map_or(Target::Elsewhere(path), Target::Item))
    }
}

impl Document {
    fn new(name: String, value: Value) -> Self {
        let mut document = Self {
            name,
            value,
            by_path: BTreeMap::new(),
        };
        let paths = document.value["paths"].as_object();
        let own = paths.into_iter().flatten();
        let own = own.filter(|(_, entry)| entry["crate_id"] == 0);
        document.by_path = own
            .map(|(id, entry)| (path_and_kind(entry), id.clone()))
            .collect();
        document
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn item(&self, id: &str) -> Option<Item<'_>> {
        let value = self.value["index"].get(id)?;
        Some(Item {
            document: self,
            value,
        })
    }

    pub(crate) fn path(&self, id: &Value) -> Option<(String, String)> {
        let entry = self.value["paths"].get(id.to_string())?;
        Some(path_and_kind(entry))
    }
}

fn path_and_kind(entry: &Value) -> (String, String) {
    let path = entry["path"].as_array().into_iter().flatten();
    let path: Vec<_> = path.filter_map(Value::as_str).collect();
    let kind = entry["kind"].as_str().unwrap_or_default();
    (path.join("::"), kind.to_owned())
}

impl<'a> Item<'a> {
    /// `struct`, `function`, ..., and what is known of it.
    pub(crate) fn kind(self) -> (&'a str, &'a Value) {
        let inner = self.value["inner"].as_object();
        let entry = inner.and_then(|inner| inner.iter().next());
        entry.map_or(("", &Value::Null), |(kind, value)| (kind, value))
    }

    pub(crate) fn name(self) -> &'a str {
        self.value["name"].as_str().unwrap_or_default()
    }

    pub(crate) fn id(self) -> &'a Value {
        &self.value["id"]
    }

    pub(crate) fn is_public(self) -> bool {
        matches!(
            self.value["visibility"].as_str(),
            Some("public" | "default")
        )
    }

    pub(crate) fn is_hidden(self) -> bool {
        let attributes = self.value["attrs"].to_string();
        attributes.contains("doc(hidden)") || attributes.contains("doc(hidden")
    }

    /// The items of these numbers that are described.
    pub(crate) fn items(self, ids: &'a Value) -> impl Iterator<Item = Self> {
        let ids = ids.as_array().into_iter().flatten();
        ids.filter_map(move |id| self.document.item(&id.to_string()))
    }
}
