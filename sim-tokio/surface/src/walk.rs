//! Every public item of a crate, by the path that its users write.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::document::{Documents, Item, Target};
use crate::signature::Speller;

/// One public item.
#[derive(Debug)]
pub(crate) struct Entry {
    /// `struct`, `method`, `impl`, ...
    pub(crate) kind: String,
    /// The crate that defines it.
    pub(crate) origin: String,
    /// Comparable text; empty where there is nothing to compare.
    pub(crate) signature: String,
}

/// Public items by path. Of methods: `task::JoinHandle::abort`; of traits:
/// `task::JoinHandle: Future`.
pub(crate) type Surface = BTreeMap<String, Entry>;

/// Bookkeeping traits that nobody can name or ask for.
const NOBODYS: [&str; 4] = [
    "std::Freeze",
    "std::UnsafeUnpin",
    "std::StructuralPartialEq",
    "std::Drop",
];

/// Everything public in the crate `name`.
pub(crate) fn surface(documents: &Documents, name: &str) -> Surface {
    let mut walk = Walk {
        documents,
        surface: Surface::new(),
        inside: Vec::new(),
    };
    walk.module("", documents.root(name));
    walk.surface
}

struct Walk<'a> {
    documents: &'a Documents,
    surface: Surface,
    /// Modules that are being walked, by crate and number.
    inside: Vec<(String, String)>,
}

impl<'a> Walk<'a> {
    fn add(&mut self, path: &str, kind: &str, origin: &str, signature: String) {
        self.surface.entry(path.to_owned()).or_insert(Entry {
            kind: kind.to_owned(),
            origin: origin.to_owned(),
            signature,
        });
    }

    fn module(&mut self, prefix: &str, module: Item<'a>) {
        let place = (module.document.name().to_owned(), module.id().to_string());
        if self.inside.contains(&place) {
            return;
        }
        self.inside.push(place);
        let (_, inner) = module.kind();
        // What is named goes before what a glob brings.
        let (globs, named): (Vec<_>, Vec<_>) = module
            .items(&inner["items"])
            .partition(|item| item.kind().1["is_glob"] == true);
        for item in named.into_iter().chain(globs) {
            if item.is_public() && !item.is_hidden() {
                self.member(prefix, item);
            }
        }
        self.inside.pop();
    }

    fn member(&mut self, prefix: &str, item: Item<'a>) {
        let (kind, inner) = item.kind();
        if kind != "use" {
            self.item(&join(prefix, item.name()), item);
            return;
        }
        let target = self.documents.target(item.document, &inner["id"]);
        let name = inner["name"].as_str().unwrap_or_default();
        match target {
            Some(Target::Item(target)) if inner["is_glob"] == true => self.module(prefix, target),
            Some(Target::Item(target)) => self.item(&join(prefix, name), target),
            Some(Target::Elsewhere(path)) => {
                let origin = path.split("::").next().unwrap_or_default();
                self.add(&join(prefix, name), "re-export", origin, path.clone());
            }
            // rustdoc has stripped it: its module is hidden, though it is not.
            None if !name.is_empty() && inner["is_glob"] == false => {
                let origin = item.document.name();
                self.add(&join(prefix, name), "re-export", origin, String::new());
            }
            None => {}
        }
    }

    fn item(&mut self, path: &str, item: Item<'a>) {
        let (kind, inner) = item.kind();
        if self.surface.contains_key(path) {
            return;
        }
        match kind {
            "module" => {
                self.add(path, "module", item.document.name(), String::new());
                return self.module(path, item);
            }
            "impl" => return,
            "use" => return self.member(path.rsplit_once("::").map_or("", |at| at.0), item),
            _ => {}
        }
        let origin = item.document.name();
        self.add(path, kind, origin, spell(item, path).of(kind, inner));
        for variant in item.items(&inner["variants"]) {
            let path = join(path, variant.name());
            self.add(&path, "variant", origin, String::new());
        }
        if kind == "trait" {
            for member in item.items(&inner["items"]) {
                let (kind, inner) = member.kind();
                let signature = spell(member, path).of(kind, inner);
                let path = join(path, member.name());
                self.add(&path, "method", origin, signature);
            }
        }
        for block in item.items(&inner["impls"]) {
            self.block(path, block);
        }
    }

    /// An `impl` of a type.
    fn block(&mut self, path: &str, block: Item<'a>) {
        let (_, inner) = block.kind();
        let origin = block.document.name();
        let of_trait = &inner["trait"];
        if of_trait.is_null() {
            for member in block.items(&inner["items"]) {
                if member.is_public() && !member.is_hidden() {
                    let (kind, inner) = member.kind();
                    let signature = spell(member, path).of(kind, inner);
                    let path = join(path, member.name());
                    self.add(&path, "method", origin, signature);
                }
            }
            return;
        }
        if inner["blanket_impl"] != Value::Null {
            return;
        }
        let name = spell(block, path).of_trait(of_trait);
        if NOBODYS.contains(&name.as_str()) {
            return;
        }
        let not = if inner["is_negative"] == true {
            "!"
        } else {
            ""
        };
        self.add(
            &format!("{path}: {not}{name}"),
            "impl",
            origin,
            String::new(),
        );
    }
}

fn spell<'a>(item: Item<'a>, path: &'a str) -> Speller<'a> {
    Speller {
        document: item.document,
        owner: path.rsplit("::").next().unwrap_or_default(),
    }
}

fn join(prefix: &str, name: &str) -> String {
    match prefix {
        "" => name.to_owned(),
        _ => format!("{prefix}::{name}"),
    }
}
