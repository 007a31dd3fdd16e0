//! Text of signatures that is the same for the same promise. Types are named by their last
//! segment, generics by their place, so that names and paths chosen otherwise do not differ.

use serde_json::Value;

use crate::document::Document;

/// Spells what stands in a crate, in the methods of a type.
pub(crate) struct Speller<'a> {
    pub(crate) document: &'a Document,
    /// What `Self` is.
    pub(crate) owner: &'a str,
}

impl Speller<'_> {
    /// The text of a function's signature; empty for anything else.
    pub(crate) fn of(&self, kind: &str, inner: &Value) -> String {
        if kind != "function" {
            return String::new();
        }
        let header = &inner["header"];
        let mut text = String::new();
        for (flag, word) in [("is_async", "async "), ("is_unsafe", "unsafe ")] {
            if header[flag] == true {
                text.push_str(word);
            }
        }
        text.push_str("fn(");
        let inputs = inner["sig"]["inputs"].as_array().into_iter().flatten();
        let inputs: Vec<_> = inputs.map(|input| self.of_type(&input[1])).collect();
        text.push_str(&inputs.join(", "));
        text.push(')');
        let output = &inner["sig"]["output"];
        if !output.is_null() {
            text.push_str(" -> ");
            text.push_str(&self.of_type(output));
        }
        text.push_str(&self.bounds(&inner["generics"]));
        text
    }

    /// A trait with its arguments.
    pub(crate) fn of_trait(&self, path: &Value) -> String {
        // The name it has where it is defined, not an alias.
        let defined = self.document.path(&path["id"]).map(|(path, _)| path);
        let written = path["path"].as_str().unwrap_or_default();
        let name = defined.as_deref().unwrap_or(written);
        let root = name.split("::").next().unwrap_or_default();
        let mark = match root {
            // A type of this crate in the place of one of std's is not the same promise.
            "std" | "core" | "alloc" => "std::",
            _ => "",
        };
        let name = name.rsplit("::").next().unwrap_or_default();
        let arguments = self.arguments(&path["args"]);
        match (name, arguments.strip_suffix(", std::Error>")) {
            // `io::Result`, written out.
            ("Result", Some(output)) => format!("Result{output}>"),
            ("Result", None) => format!("Result{arguments}"),
            _ => format!("{mark}{name}{arguments}"),
        }
    }

    /// What is asked of type parameters, sorted.
    fn bounds(&self, generics: &Value) -> String {
        let mut all = Vec::new();
        for parameter in generics["params"].as_array().into_iter().flatten() {
            let kind = &parameter["kind"]["type"];
            // `impl Trait` among the arguments stands there already.
            if kind["is_synthetic"] == true {
                continue;
            }
            let name = parameter["name"].as_str().unwrap_or_default();
            let asked = kind["bounds"].as_array().into_iter().flatten();
            all.extend(asked.map(|bound| format!("{name}: {}", self.of_bound(bound))));
        }
        for clause in generics["where_predicates"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let clause = &clause["bound_predicate"];
            if clause.is_null() {
                continue;
            }
            let name = self.of_type(&clause["type"]);
            let asked = clause["bounds"].as_array().into_iter().flatten();
            all.extend(asked.map(|bound| format!("{name}: {}", self.of_bound(bound))));
        }
        all.sort();
        match all.is_empty() {
            true => String::new(),
            false => format!(" where {}", all.join(", ")),
        }
    }

    fn of_bound(&self, bound: &Value) -> String {
        let of_a_trait = &bound["trait_bound"];
        if !of_a_trait.is_null() {
            let maybe = match of_a_trait["modifier"].as_str() {
                Some("maybe") => "?",
                _ => "",
            };
            return format!("{maybe}{}", self.of_trait(&of_a_trait["trait"]));
        }
        bound["outlives"].as_str().unwrap_or("use<..>").to_owned()
    }

    fn all_bounds(&self, bounds: &Value) -> String {
        let bounds = bounds.as_array().into_iter().flatten();
        let mut all: Vec<_> = bounds.map(|one| self.of_bound(one)).collect();
        all.sort();
        all.join(" + ")
    }

    /// The arguments of a path; lifetimes are left out, as they may be elided.
    fn arguments(&self, args: &Value) -> String {
        let in_brackets = &args["angle_bracketed"];
        if !in_brackets.is_null() {
            let args = in_brackets["args"].as_array().into_iter().flatten();
            let mut all: Vec<_> = args
                .filter(|arg| !arg["type"].is_null())
                .map(|arg| self.of_type(&arg["type"]))
                .collect();
            for constraint in in_brackets["constraints"].as_array().into_iter().flatten() {
                let name = constraint["name"].as_str().unwrap_or_default();
                let equality = &constraint["binding"]["equality"]["type"];
                all.push(format!("{name} = {}", self.of_type(equality)));
            }
            return match all.is_empty() {
                true => String::new(),
                false => format!("<{}>", all.join(", ")),
            };
        }
        let parenthesized = &args["parenthesized"];
        if parenthesized.is_null() {
            return String::new();
        }
        let inputs = parenthesized["inputs"].as_array().into_iter().flatten();
        let inputs: Vec<_> = inputs.map(|one| self.of_type(one)).collect();
        let output = &parenthesized["output"];
        let output = match output.is_null() {
            true => String::new(),
            false => format!(" -> {}", self.of_type(output)),
        };
        format!("({}){output}", inputs.join(", "))
    }

    fn of_type(&self, value: &Value) -> String {
        let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
            return value.as_str().unwrap_or_default().to_owned();
        };
        let list = |types: &Value| {
            let types = types.as_array().into_iter().flatten();
            types
                .map(|one| self.of_type(one))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match kind.as_str() {
            "resolved_path" => self.of_trait(inner),
            "generic" if inner == "Self" => self.owner.to_owned(),
            "generic" | "primitive" => inner.as_str().unwrap_or_default().to_owned(),
            "borrowed_ref" => {
                let mutable = if inner["is_mutable"] == true {
                    "mut "
                } else {
                    ""
                };
                format!("&{mutable}{}", self.of_type(&inner["type"]))
            }
            "raw_pointer" => format!("*{}", self.of_type(&inner["type"])),
            "tuple" => format!("({})", list(inner)),
            "slice" => format!("[{}]", self.of_type(inner)),
            "array" => format!("[{}; {}]", self.of_type(&inner["type"]), inner["len"]),
            "impl_trait" => format!("impl {}", self.all_bounds(inner)),
            "dyn_trait" => {
                let traits = inner["traits"].as_array().into_iter().flatten();
                let traits: Vec<_> = traits.map(|one| self.of_trait(&one["trait"])).collect();
                format!("dyn {}", traits.join(" + "))
            }
            "qualified_path" => format!(
                "{}::{}",
                self.of_type(&inner["self_type"]),
                inner["name"].as_str().unwrap_or_default()
            ),
            other => other.to_owned(),
        }
    }
}
