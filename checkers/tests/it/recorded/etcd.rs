//! Recorded logs of etcd, put back into the form of Jepsen's log.

use std::fmt::Write as _;

const ETCD: &str = include_str!("../../../testdata/recorded/etcd.txt");

/// Every log: its name, whether it is published as legal, its text.
pub(crate) fn logs() -> Vec<(&'static str, bool, String)> {
    let log = |(head, marks): (Vec<&'static str>, &str)| {
        let [name, verdict] = head[..] else {
            panic!("{head:?}");
        };
        (name, verdict == "legal", log_of(marks))
    };
    cases(ETCD).map(log).collect()
}

/// Cases of a file: a name, what is said of it, and lines.
pub(crate) fn cases(text: &'static str) -> impl Iterator<Item = (Vec<&'static str>, &'static str)> {
    let cases = text.split("\n\n").map(str::trim_start);
    let cases = cases.filter(|case| !case.starts_with('#') && !case.is_empty());
    cases.map(|case| {
        let (head, rest) = case.split_once('\n').expect("a case has lines");
        (head.split_whitespace().collect(), rest)
    })
}

/// Every mark of a log of etcd as a line of Jepsen's log.
pub(crate) fn log_of(marks: &str) -> String {
    let mut log = String::new();
    // By process, what it does.
    let mut open: Vec<(&str, &str)> = Vec::new();
    for mark in marks.split_whitespace() {
        let place = mark.find(|letter: char| !letter.is_ascii_digit());
        let (process, what) = mark.split_at(place.expect("a mark has a letter"));
        let known = open.iter().position(|(other, _)| *other == process);
        let value = |what: &str| match what.as_bytes() {
            [b'r'] => "nil".to_owned(),
            [b'c', from, to] => format!("[{} {}]", *from as char, *to as char),
            _ => what[1..].to_owned(),
        };
        let name = |what: &str| match &what[..1] {
            "r" => "read",
            "w" => "write",
            _ => "cas",
        };
        let (r#type, name, value) = match (&what[..1], known.map(|at| open.remove(at).1)) {
            ("r" | "w" | "c", None) => {
                open.push((process, what));
                ("invoke", name(what), value(what))
            }
            ("=", Some(_)) => ("ok", "read", what[1..].replace('n', "nil")),
            ("+", Some(asked)) => ("ok", name(asked), value(asked)),
            ("-", Some("r")) => ("fail", "read", ":timed-out".to_owned()),
            ("-", Some(asked)) => ("fail", name(asked), value(asked)),
            ("?", Some(asked)) => ("info", name(asked), ":timed-out".to_owned()),
            _ => panic!("{mark} is out of order"),
        };
        let _ = writeln!(
            log,
            "INFO  jepsen.util - {process}\t:{type}\t:{name}\t{value}"
        );
    }
    log
}
