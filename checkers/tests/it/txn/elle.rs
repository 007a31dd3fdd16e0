//! Cases with what others say of them: Elle's own suite, Hermitage, the literature. What is
//! expected was entered from there, and is not what came out here.

use std::path::Path;

use checkers::txn::{
    Assumption, Level, Options, Verdict, Workload, analyze, analyze_with, pictures,
};
use checkers::{Budget, History, OpType, Operation, Value};

use super::levels;
use super::notation::{history, parse};

/// A case: its name, its transactions, what is said of it.
#[derive(Default)]
struct Case {
    name: String,
    lines: Vec<String>,
    versions: Vec<(String, Vec<i64>)>,
    assumptions: Vec<Assumption>,
    shows: Vec<String>,
    hides: Vec<String>,
    not: Vec<Level>,
    valid: Vec<Level>,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn cases(file: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/txn");
    let text = std::fs::read_to_string(folder.join(file)).expect("the cases");
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("= ") {
            cases.push(Case {
                name: format!("{file}: {name}"),
                ..Case::default()
            });
            continue;
        }
        let case = cases.last_mut().expect("a name first");
        if let Some(order) = line.strip_prefix("versions ") {
            let mut order = order.split_whitespace();
            let key = order.next().expect("a key").to_owned();
            let values = order.map(|value| value.parse().expect("a value"));
            case.versions.push((key, values.collect()));
            continue;
        }
        match line.split_once('>') {
            Some(("shows", names)) => case.shows = words(names),
            Some(("hides", names)) => case.hides = words(names),
            Some(("not", names)) => case.not = levels(names),
            Some(("valid", names)) => case.valid = levels(names),
            Some(("assume", names)) => {
                let named = |name: &str| Assumption::named(name).expect("an assumption");
                case.assumptions = names.split_whitespace().map(named).collect();
            }
            _ => case.lines.push(line.to_owned()),
        }
    }
    cases
}

/// A row that tells the order of the versions of an object.
fn versions(op_id: u64, key: &str, values: &[i64]) -> Operation {
    let values = values.iter().map(|value| Value::Int(*value)).collect();
    Operation {
        op_id,
        process_id: 1_000,
        invoke_ts: 0,
        complete_ts: Some(1),
        op_type: OpType::Other("versions".to_owned()),
        key: Some(key.into()),
        input: Value::List(values),
        output: Some(Value::Null),
        error: None,
        timeout_marker: false,
        node_seen: None,
        fault_epoch: Vec::new(),
    }
}

fn history_of(case: &Case) -> History {
    let lines = case.lines.iter().zip(0..);
    let txs: Vec<_> = lines.map(|(line, place)| parse(line, place)).collect();
    let mut history = history(&txs);
    for (key, values) in &case.versions {
        let row = versions(history.ops.len() as u64, key, values);
        history.ops.push(row);
    }
    history
}

/// What is not as it is said, if anything.
fn wrong(case: &Case, workload: Workload) -> Vec<String> {
    let options = Options {
        initial: Value::Null,
        assumptions: case.assumptions.clone(),
    };
    let history = history_of(case);
    let told = analyze_with(&history, workload, &options, &Budget::default());
    let told = told.unwrap_or_else(|why| panic!("{}: {why}", case.name));
    super::small::consistent(&told);
    let mut wrong = Vec::new();
    let all: Vec<&String> = told.counts.keys().collect();
    for name in case.shows.iter().filter(|name| !all.contains(name)) {
        wrong.push(format!("{}: no {name} among {all:?}", case.name));
    }
    for name in case.hides.iter().filter(|name| all.contains(name)) {
        wrong.push(format!("{}: {name}", case.name));
    }
    for level in &case.not {
        if !matches!(told.verdict(*level), Verdict::Fails { .. }) {
            wrong.push(format!("{}: {level} does not fail; {all:?}", case.name));
        }
    }
    for level in &case.valid {
        if *told.verdict(*level) != Verdict::Holds {
            let verdict = told.verdict(*level);
            wrong.push(format!("{}: {level} {verdict:?}; {all:?}", case.name));
        }
    }
    wrong
}

fn check(file: &str, workload: Workload, least: usize) {
    let cases = cases(file);
    let wrong: Vec<String> = cases
        .iter()
        .flat_map(|case| wrong(case, workload))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= least, "{}", cases.len());
}

#[test]
fn lists_of_elles_suite_are_judged_as_it_says() {
    check("elle-lists.txt", Workload::ListAppend, 49);
}

#[test]
fn registers_of_elles_suite_are_judged_as_it_says() {
    check("elle-registers.txt", Workload::RwRegister, 20);
}

#[test]
fn hermitage_and_the_literature_are_judged_as_they_say() {
    check("hermitage.txt", Workload::RwRegister, 28);
}

#[test]
fn sessions_and_real_time_have_variants_of_their_own() {
    check("variants.txt", Workload::ListAppend, 8);
}

/// Every anomaly has a history that shows it and one that does not, with sessions and real time
/// where it can come of them. (Those of predicates are in `predicates`.)
#[test]
fn every_anomaly_is_found_and_is_not_found_where_there_is_none() {
    check("anomalies-lists.txt", Workload::ListAppend, 96);
    check("anomalies-registers.txt", Workload::RwRegister, 26);
    let files = ["anomalies-lists.txt", "anomalies-registers.txt"];
    let cases: Vec<Case> = files.iter().flat_map(|file| cases(file)).collect();
    let ordered = [
        "G0",
        "G1c",
        "G-single",
        "G-nonadjacent",
        "G2-item",
        "G-cursor",
        "G-monotonic",
        "G-MSR",
        "G-update",
        "lost-update",
        "write-skew",
        "fractured-read",
        "long-fork",
    ];
    let alone = [
        "G1a",
        "G1b",
        "G-SIa",
        "G-SIb",
        "internal",
        "future-read",
        "dirty-update",
        "garbage-read",
        "duplicate-elements",
        "incompatible-order",
        "cyclic-versions",
    ];
    let suffixes = ["", "-process", "-realtime"];
    let ordered = ordered
        .iter()
        .flat_map(|name| suffixes.map(|suffix| format!("{name}{suffix}")));
    for name in ordered.chain(alone.iter().map(|name| (*name).to_owned())) {
        assert!(
            cases.iter().any(|case| case.shows == [name.clone()]),
            "{name}"
        );
        assert!(
            cases.iter().any(|case| case.hides == [name.clone()]),
            "no {name}"
        );
    }
}

#[test]
fn a_given_order_that_lacks_a_version_is_refused() {
    let txs: Vec<_> = ["wx1", "wx2"]
        .iter()
        .zip(0..)
        .map(|(line, at)| parse(line, at))
        .collect();
    let mut history = history(&txs);
    history.ops.push(versions(2, "x", &[1]));
    let told = analyze(&history, Workload::RwRegister, &Budget::default());
    assert_eq!(told, Err("versions of \"x\" (they lack 2)".to_owned()));
}

/// A row of steps, all of which took part.
fn row(op_id: usize, process_id: u64, steps: Vec<Value>) -> Operation {
    Operation {
        process_id,
        op_type: OpType::Other("txn".to_owned()),
        key: None,
        input: Value::List(steps.clone()),
        output: Some(Value::List(steps)),
        invoke_ts: op_id as u64 * 10,
        complete_ts: Some(op_id as u64 * 10 + 1),
        ..versions(op_id as u64, "", &[])
    }
}

/// As Elle's suite has it: one cycle with one anti-dependency, the length of a ring, among many
/// that have two. Elle's search for it times out.
#[test]
fn a_long_cycle_among_many_short_ones_is_found() {
    const RING: i64 = 300;
    let step =
        |name: &str, key: &str, value: Value| Value::List(vec![name.into(), key.into(), value]);
    let list = |to: i64| Value::List((0..to).map(Value::Int).collect());
    let mut rows: Vec<(u64, Vec<Value>)> = Vec::new();
    for at in 0..RING {
        let other = match at {
            0 => step("append", "anti", Value::Int(-1)),
            _ if at == RING - 1 => step("r", "anti", Value::List(Vec::new())),
            _ => step("append", &format!("k{at}"), Value::Int(0)),
        };
        rows.push((0, vec![step("append", "ring", Value::Int(at)), other]));
    }
    rows.push((1, vec![step("r", "ring", list(RING))]));
    for at in 1..RING - 1 {
        let (key, anti) = (format!("k{at}"), format!("anti-{at}"));
        for place in 1..8 {
            rows.push((2, vec![step("append", &key, Value::Int(place))]));
        }
        let nothing = || Value::List(Vec::new());
        rows.push((
            2,
            vec![step("r", &key, list(8)), step("r", &anti, nothing())],
        ));
        let last = step("append", &anti, Value::Int(0));
        rows.push((2, vec![last, step("r", "ring", nothing())]));
    }
    let ops = rows.into_iter().enumerate();
    let ops = ops.map(|(op_id, (process, steps))| row(op_id, process, steps));
    let history = History {
        ops: ops.collect(),
        windows: Vec::new(),
    };
    let told = analyze(&history, Workload::ListAppend, &Budget::default()).expect("transactions");
    assert!(told.counts.contains_key("G-single"), "{:?}", told.counts);
    assert!(told.counts.contains_key("G2-item"), "{:?}", told.counts);
    let si = Level::named("snapshot-isolation").expect("a level");
    let Verdict::Fails { anomaly } = told.verdict(si) else {
        panic!("{:?}", told.verdict(si));
    };
    assert_eq!(told.anomalies[*anomaly].cycle.len(), RING as usize);
}

/// Adds to sets, and reads of them: which adds a read sees is all that there is.
#[test]
fn sets_are_judged_at_every_level() {
    let add = |element: i64| Value::List(vec!["add".into(), "s".into(), Value::Int(element)]);
    let read = |elements: &[i64]| {
        let elements = elements.iter().map(|element| Value::Int(*element));
        Value::List(vec![
            "r".into(),
            "s".into(),
            Value::List(elements.collect()),
        ])
    };
    let judged = |rows: Vec<Vec<Value>>| {
        let ops = rows
            .into_iter()
            .enumerate()
            .map(|(op_id, steps)| Operation {
                invoke_ts: 0,
                complete_ts: Some(100),
                ..row(op_id, op_id as u64, steps)
            });
        let history = History {
            ops: ops.collect(),
            windows: Vec::new(),
        };
        let told = analyze(&history, Workload::Sets, &Budget::default()).expect("transactions");
        let names: Vec<String> = told.counts.keys().cloned().collect();
        let fails: Vec<String> = told.fails.iter().map(ToString::to_string).collect();
        (names.join(" "), fails.join(" "))
    };
    let expected = |names: &str, fails: &str| (names.to_owned(), fails.to_owned());
    let good = vec![
        vec![add(1)],
        vec![add(2)],
        vec![read(&[2])],
        vec![read(&[2, 1])],
    ];
    assert_eq!(judged(good), expected("", ""));
    let fork = vec![
        vec![add(1)],
        vec![add(2)],
        vec![read(&[2])],
        vec![read(&[1])],
    ];
    let (names, fails) = judged(fork);
    assert!(names.contains("long-fork"), "{names}");
    assert_eq!(fails, "prefix repeatable-read");
    let fractured = vec![vec![add(1), add(2)], vec![read(&[2])]];
    let (names, fails) = judged(fractured);
    assert!(names.contains("fractured-read"), "{names}");
    assert_eq!(fails, "read-atomic consistent-view repeatable-read");
    let skew = vec![vec![read(&[]), add(1)], vec![read(&[]), add(2)]];
    let (names, _) = judged(skew);
    assert!(names.contains("write-skew"), "{names}");
    let own = vec![vec![add(1), read(&[])]];
    assert_eq!(judged(own), expected("internal", "read-atomic"));
    let garbage = vec![vec![read(&[7])]];
    assert_eq!(
        judged(garbage),
        expected("garbage-read", "read-uncommitted")
    );
}

#[test]
fn cycles_are_drawn_and_listed_up_to_a_size() {
    let lines = ["ax1 ry", "ay1 rx", "az1 ru", "au1 rz"];
    let txs: Vec<_> = lines
        .iter()
        .zip(0..)
        .map(|(line, at)| parse(line, at))
        .collect();
    let history = history(&txs);
    let told = analyze(&history, Workload::ListAppend, &Budget::default()).expect("transactions");
    let files = pictures(&history, &told, 1 << 20);
    assert_eq!(files[0].0, "index.html");
    assert_eq!(files.len(), 1 + told.anomalies.len());
    for (name, picture) in &files[1..] {
        assert!(files[0].1.contains(name.as_str()), "{name}");
        assert!(
            picture.starts_with("<svg") && picture.ends_with("</svg>\n"),
            "{picture}"
        );
        assert!(picture.contains("T2 &lt; T1, because T2 read"), "{picture}");
        assert!(picture.len() < 1 << 16, "{}", picture.len());
    }
    let small = &pictures(&history, &told, 900)[0].1;
    assert!(
        small.len() <= 900 && small.contains("more are not listed"),
        "{small}"
    );
}
