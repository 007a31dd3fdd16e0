//! Plain data as YAML, in blocks: texts are quoted as JSON quotes them, which YAML reads alike.

use std::fmt::Write as _;

use serde_json::Value;

/// The document.
pub(super) fn write(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (place, (name, value)) in fields.iter().enumerate() {
                if place > 0 || depth > 0 && out.ends_with('\n') {
                    indent(out, depth);
                }
                let _ = write!(out, "{name}:");
                below(out, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (place, item) in items.iter().enumerate() {
                if place > 0 || depth > 0 && out.ends_with('\n') {
                    indent(out, depth);
                }
                out.push_str("- ");
                block(out, item, depth + 1);
            }
        }
        plain => {
            let _ = writeln!(out, "{plain}");
        }
    }
}

/// What follows a name: blocks on lines of their own, everything else on this one.
fn below(out: &mut String, value: &Value, depth: usize) {
    let is_block = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    match is_block {
        true => {
            out.push('\n');
            block(out, value, depth + 1);
        }
        false => {
            out.push(' ');
            block(out, value, depth);
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    (0..depth).for_each(|_| out.push_str("  "));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_becomes_blocks() {
        let value = json!({
            "a": 1,
            "b": [{"c": "x: y", "d": [true]}, "two\nlines", []],
            "e": {"f": {}},
        });
        let expected = "a: 1\nb:\n  - c: \"x: y\"\n    d:\n      - true\n  - \"two\\nlines\"\n  \
                        - []\ne:\n  f: {}\n";
        assert_eq!(write(&value), expected);
    }
}
