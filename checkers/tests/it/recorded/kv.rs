//! Recorded logs of a key-value store, put back into EDN.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::etcd::cases;

const KV: &str = include_str!("../../../testdata/recorded/kv.txt");

/// Every log: its name, whether it is published as legal, its text.
pub(crate) fn logs() -> Vec<(&'static str, bool, String)> {
    let log = |(head, marks): (Vec<&'static str>, &str)| {
        let [name, verdict] = head[..] else {
            panic!("{head:?}");
        };
        (name, verdict == "legal", log_of(marks))
    };
    cases(KV).map(log).collect()
}

/// Every mark of a log as a map of EDN, a line each.
fn log_of(marks: &str) -> String {
    let mut log = String::new();
    // By process, what it does: a name, a key, and what it puts there.
    let mut open: BTreeMap<&str, (&str, &str, String)> = BTreeMap::new();
    // By key, what its last get returned.
    let mut last: BTreeMap<&str, String> = BTreeMap::new();
    for mark in marks.split_whitespace() {
        let (process, what) = mark.split_at(1);
        let put = |log: &mut String, r#type, (name, key, value): &(&str, &str, String)| {
            let _ = writeln!(
                log,
                r#"{{:process {process}, :type :{type}, :f :{name}, :key "{key}", :value {value}}}"#
            );
        };
        let (letter, rest) = what.split_at(1);
        match letter {
            "g" | "a" | "p" => {
                let asked = match rest.split_once(':') {
                    None => ("get", rest, "nil".to_owned()),
                    Some((key, number)) => {
                        let name = if letter == "a" { "append" } else { "put" };
                        (name, key, format!("\"x {process} {number} y\""))
                    }
                };
                put(&mut log, "invoke", &asked);
                assert!(open.insert(process, asked).is_none(), "{mark}: busy");
            }
            "+" => put(&mut log, "ok", &open.remove(process).expect(mark)),
            _ => {
                let (name, key, _) = open.remove(process).expect(mark);
                let before = last.get(key).cloned().unwrap_or_default();
                let texts = rest.split(',').map(|piece| match piece.split_once('.') {
                    Some((writer, number)) => format!("x {writer} {number} y"),
                    None if piece == "^" => before.clone(),
                    None => String::new(),
                });
                let text: String = texts.collect();
                put(&mut log, "ok", &(name, key, format!("\"{text}\"")));
                last.insert(key, text);
            }
        }
    }
    log
}
