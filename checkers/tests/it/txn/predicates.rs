//! Reads by predicates: what they must have selected, and what follows from it.

use checkers::txn::{Analysis, Level, Verdict, Workload, analyze};
use checkers::{Budget, History, jsonl};

/// A history of transactions that overlap, but for the first, which is over before the others.
fn history(txns: &[&str]) -> History {
    let mut lines = Vec::new();
    let row = |process: usize, kind: &str, value: &str| {
        let name = if value.starts_with("[[\"") {
            "txn"
        } else {
            "init"
        };
        format!(r#"{{"process":{process},"type":"{kind}","f":"{name}","value":{value}}}"#)
    };
    let first = usize::from(txns[0].starts_with("[[0") || txns[0].starts_with("[[1"));
    for (process, value) in txns.iter().enumerate().take(first) {
        lines.push(row(process, "invoke", value));
        lines.push(row(process, "ok", value));
    }
    for kind in ["invoke", "ok"] {
        for (process, value) in txns.iter().enumerate().skip(first) {
            lines.push(row(process, kind, value));
        }
    }
    jsonl::read(lines.join("\n").as_bytes()).expect("a history")
}

fn judged(txns: &[&str]) -> Analysis {
    analyze(&history(txns), Workload::RwRegister, &Budget::default()).expect("transactions")
}

/// The anomalies, and the weakest levels that fail.
fn check(txns: &[&str], anomalies: &str, fails: &str) {
    let told = judged(txns);
    let names: Vec<&str> = told.counts.keys().map(String::as_str).collect();
    let levels: Vec<String> = told.fails.iter().map(ToString::to_string).collect();
    assert_eq!(
        (names.join(" "), levels.join(" ")),
        (anomalies.to_owned(), fails.to_owned())
    );
    for (level, verdict) in &told.levels {
        let expected = told.fails.iter().any(|fails| level.implies(*fails));
        assert_eq!(
            matches!(verdict, Verdict::Fails { .. }),
            expected,
            "{level}"
        );
        assert!(!matches!(verdict, Verdict::Unknown { .. }), "{level}");
    }
}

#[test]
fn each_finds_what_the_other_writes() {
    let txns = [
        r#"[["w",0,1],["rp","true",[[1,2]]]]"#,
        r#"[["w",1,2],["rp","true",[[0,1]]]]"#,
    ];
    check(&txns, "G1c", "read-committed");
}

#[test]
fn neither_finds_what_the_other_writes() {
    // What was not found was not there yet: both are phantoms to each other.
    let txns = [
        r#"[["w",0,1],["rp","true",[]]]"#,
        r#"[["w",1,2],["rp","true",[]]]"#,
    ];
    check(&txns, "G-update G2 write-skew", "update-serializable");
    let serial = [
        r#"[["w",0,1],["rp","true",[]]]"#,
        r#"[["w",1,2],["rp","true",[[0,1]]]]"#,
    ];
    check(&serial, "", "");
}

#[test]
fn what_is_not_found_was_deleted() {
    let txns = [
        "[[0,0],[1,0]]",
        r#"[["delete",0],["rp","true",[]]]"#,
        r#"[["delete",1],["rp","true",[]]]"#,
    ];
    check(&txns, "G1c", "read-committed");
    let serial = [
        "[[0,0],[1,0]]",
        r#"[["delete",0],["rp","true",[[1,0]]]]"#,
        r#"[["delete",1],["rp","true",[]]]"#,
    ];
    check(&serial, "", "");
}

#[test]
fn what_is_not_found_has_another_value() {
    let both = [
        "[[0,0],[1,0]]",
        r#"[["rp",["=",0],[[0,0]]],["w",0,1]]"#,
        r#"[["rp",["=",0],[[1,0]]],["w",1,1]]"#,
    ];
    check(&both, "G1c", "read-committed");
    let neither = [
        "[[0,0],[1,0]]",
        r#"[["rp",["=",1],[]],["w",0,1]]"#,
        r#"[["rp",["=",1],[]],["w",1,1]]"#,
    ];
    check(&neither, "G-update G2 write-skew", "update-serializable");
}

#[test]
fn a_deletion_is_read_as_nothing() {
    let txns = [
        "[[0,0],[2,0]]",
        r#"[["r",2,3],["delete",0]]"#,
        r#"[["r",0,null],["insert",1,2]]"#,
        r#"[["r",1,2],["w",2,3]]"#,
    ];
    check(&txns, "G1c", "read-committed");
}

#[test]
fn an_object_that_was_there_is_missed() {
    let missed = ["[[5,3]]", r#"[["rp",["mod",2,1],[]],["rp",["=",3],[]]]"#];
    check(&missed, "predicate-read-miss", "serializable");
    let shown = [
        "[[5,3]]",
        r#"[["rp",["mod",2,1],[[5,3]]],["rp",["=",4],[]]]"#,
    ];
    check(&shown, "", "");
}

#[test]
fn several_versions_are_held_against_nobody() {
    let txns = [
        "[[0,0]]",
        r#"[["w",0,1]]"#,
        r#"[["w",0,3]]"#,
        r#"[["rp",["=",0],[]]]"#,
    ];
    let told = judged(&txns);
    assert_eq!(told.holds, [Level::STRICT_SERIALIZABLE]);
    assert_eq!(told.assumptions.len(), 1, "{:?}", told.assumptions);
}

#[test]
fn transactions_of_unknown_outcome_may_have_hidden_it() {
    let lines = r#"{"process":0,"type":"invoke","f":"init","value":[[0,0]]}
{"process":0,"type":"ok","f":"init","value":[[0,0]]}
{"process":1,"type":"invoke","f":"txn","value":[["delete",0]]}
{"process":1,"type":"info","f":"txn","value":[["delete",0]]}
{"process":2,"type":"invoke","f":"txn","value":[["rp","true",[]]]}
{"process":2,"type":"ok","f":"txn","value":[["rp","true",[]]]}"#;
    let history = jsonl::read(lines.as_bytes()).expect("a history");
    let told = analyze(&history, Workload::RwRegister, &Budget::default()).expect("transactions");
    assert_eq!(told.holds, [Level::STRICT_SERIALIZABLE]);
}

#[test]
fn a_dirty_predicate_read_is_one() {
    let lines = r#"{"process":0,"type":"invoke","f":"txn","value":[["w",0,1]]}
{"process":1,"type":"invoke","f":"txn","value":[["rp","true",null]]}
{"process":1,"type":"ok","f":"txn","value":[["rp","true",[[0,1]]]]}
{"process":0,"type":"fail","f":"txn","value":[["w",0,1]]}"#;
    let history = jsonl::read(lines.as_bytes()).expect("a history");
    let told = analyze(&history, Workload::RwRegister, &Budget::default()).expect("transactions");
    assert_eq!(told.counts.keys().collect::<Vec<_>>(), ["G1a"]);
}
