//! JSON Lines: what goes in comes out, and bad input has a place.

use std::io::{self, BufReader, Read};

use checkers::spec::ModelKind;
use checkers::{Completion, FaultWindow, History, OpType, Value, jsonl};

use super::random::{drafts, execute, long, runner};

/// The error of an input.
fn error(input: impl AsRef<[u8]>) -> String {
    match jsonl::read(input.as_ref()) {
        Ok(history) => panic!("read {history:?}"),
        Err(error) => error.to_string(),
    }
}

const OPERATION: &str = concat!(
    r#"{"op_id":0,"process_id":1,"invoke_ts":5,"complete_ts":9,"op_type":"write","key":"x","#,
    r#""input":4,"output":null,"error":null,"timeout_marker":false,"node_seen":null,"#,
    r#""fault_epoch":[]}"#
);
const INVOKE: &str = r#"{"index":0,"process":3,"type":"invoke","f":"write","key":0,"value":4}"#;
const OK: &str = r#"{"index":1,"process":3,"type":"ok","f":"write","key":0,"value":4}"#;

#[test]
fn operations_come_back() {
    runner(500)
        .run(&drafts(12), |drafts| {
            let mut history = History {
                ops: execute(&drafts, ModelKind::Map),
                windows: vec![],
            };
            history
                .ops
                .iter_mut()
                .for_each(|op| op.output = op.output.take().filter(not_null));
            history.windows.push(FaultWindow {
                fault: "a".into(),
                start_ts: 1,
                end_ts: Some(2),
            });
            let mut lines = Vec::new();
            jsonl::write(&history, &mut lines).expect("a vector takes it");
            assert_eq!(jsonl::read(lines.as_slice()), Ok(history));
            Ok(())
        })
        .expect("every history comes back");
}

fn not_null(value: &Value) -> bool {
    *value != Value::Null
}

#[test]
fn events_come_back_in_order() {
    let history = History {
        ops: long(200, 4, 6, ModelKind::CasRegister),
        windows: Vec::new(),
    };
    let mut lines = Vec::new();
    jsonl::write_events(&history, &mut lines).expect("a vector takes it");
    let again = jsonl::read(lines.as_slice()).expect("what was written");
    let told = |history: &History| {
        let mut rows: Vec<_> = history
            .ops
            .iter()
            .map(|op| {
                let input = op.input.to_string();
                (
                    op.op_type.clone(),
                    input,
                    op.output.clone().filter(not_null),
                    op.completion(),
                )
            })
            .map(|row| format!("{row:?}"))
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(told(&again), told(&history));
}

#[test]
fn every_field_is_written() {
    let history = jsonl::read(OPERATION.as_bytes()).expect("an operation");
    let mut lines = Vec::new();
    jsonl::write(&history, &mut lines).expect("a vector takes it");
    assert_eq!(String::from_utf8(lines), Ok(format!("{OPERATION}\n")));
}

#[test]
fn events_have_the_times_of_their_lines_in_the_order_of_the_lines() {
    let line = |r#type: &str, time: &str| {
        format!(r#"{{"process":1,"type":"{type}","f":"write","value":5{time}}}"#)
    };
    let lines = [
        line("invoke", ""),
        line("ok", r#","time":7000"#),
        line("invoke", r#","time":7000"#),
        line("ok", r#","time":6000"#),
        line("invoke", r#","time":"12:30""#),
        line("ok", r#","time":{"s":[1,null]}"#),
        line("invoke", r#","time":-3"#),
        line("ok", r#","time":9000"#),
        line("invoke", r#","time":18446744073709551615"#),
        line("info", r#","time":1e9"#),
    ];
    let text = lines.join("\n");
    let (history, notes) = jsonl::read_noted(text.as_bytes()).expect("five operations");
    let spans = history.ops.iter().map(|op| (op.invoke_ts, op.complete_ts));
    let spans: Vec<_> = spans.collect();
    assert_eq!(
        spans,
        [
            (0, Some(7000)),
            (7001, Some(7002)),
            (7003, Some(7004)),
            (7005, Some(9000)),
            (9001, Some(9002)),
        ]
    );
    assert_eq!(notes, []);
    let untimed = [line("invoke", ""), line("ok", r#","time":1.5"#)].join("\n");
    let (history, notes) = jsonl::read_noted(untimed.as_bytes()).expect("one operation");
    assert_eq!(history.ops[0].complete_ts, Some(1));
    assert_eq!(notes[0].kind, "untimed");
}

#[test]
fn times_are_written_and_read_again() {
    let text = r#"{"process":1,"type":"invoke","f":"acquire","time":1000000}
{"process":1,"type":"ok","f":"acquire","time":2000000}
{"process":2,"type":"invoke","f":"acquire","time":9000000}
{"process":2,"type":"ok","f":"acquire","time":9500000}"#;
    let history = jsonl::read(text.as_bytes()).expect("two operations");
    let (mut events, mut edn) = (Vec::new(), Vec::new());
    jsonl::write_events(&history, &mut events).expect("a vector takes it");
    checkers::edn::write(&history, &mut edn).expect("a vector takes it");
    assert_eq!(jsonl::read(events.as_slice()), Ok(history.clone()));
    let fails = checkers::edn::Fails::default();
    assert_eq!(checkers::edn::read(edn.as_slice(), fails), Ok(history));
}

#[test]
fn events_become_operations() {
    let lines = r#"{"process":1,"type":"invoke","f":"cas","key":0,"value":[1,2]}
{"process":2,"type":"invoke","f":"append","key":"l","value":9,"node":"n1"}

{"process":1,"type":"ok","f":"cas","key":0,"value":[1,2],"result":false}
{"process":2,"type":"info","f":"append","value":9,"error":"timeout","time":77}
{"process":1,"type":"invoke","f":"txn","value":[["r",1,null]]}
{"process":1,"type":"ok","f":"txn","value":[["r",1,4]]}
{"process":3,"type":"invoke","f":"read","key":0}
{"process":4,"type":"invoke","f":"write","key":0,"value":5}
{"process":4,"type":"fail","f":"write","key":0,"value":5}"#;
    let ops = jsonl::read(lines.as_bytes()).expect("five operations").ops;
    let completions: Vec<Completion> = ops.iter().map(checkers::Operation::completion).collect();
    use Completion::{Acknowledged, Ambiguous, Failed};
    assert_eq!(
        completions,
        [Acknowledged, Ambiguous, Acknowledged, Ambiguous, Failed]
    );
    assert_eq!((ops[0].invoke_ts, ops[0].complete_ts), (0, Some(2)));
    assert_eq!(ops[0].output, Some(Value::Bool(false)));
    assert_eq!(
        (ops[1].error.as_deref(), ops[1].node_seen.as_deref()),
        (Some("timeout"), Some("n1"))
    );
    assert_eq!(ops[2].op_type, OpType::Other("txn".to_owned()));
    assert_eq!(ops[2].observed().to_string(), r#"[["r",1,4]]"#);
    assert_eq!(
        (ops[3].complete_ts, ops[4].error.as_deref()),
        (None, Some("fail"))
    );
}

#[test]
fn truncated_lines() {
    for cut in [1, 20, 100, OPERATION.len() - 1] {
        let told = error(format!("{OPERATION}\n{}", &OPERATION[..cut]));
        assert!(
            told.starts_with(&format!("line 2, column {cut}: truncated line: EOF")),
            "{told}"
        );
    }
    assert!(error("{").starts_with("line 1, column 1: truncated line"));
}

#[test]
fn unbalanced_events() {
    assert_eq!(
        error(OK),
        "line 1, column 1: process 3 completes an operation that it never invoked"
    );
    let twice = OK.replace("\"index\":1", "\"index\":2");
    assert_eq!(
        error(format!("{INVOKE}\n{OK}\n{twice}")),
        "line 3, column 1: process 3 completes its operation of line 1 again, after line 2"
    );
    let again = INVOKE.replace("\"index\":0", "\"index\":1");
    assert_eq!(
        error(format!("{INVOKE}\n{again}")),
        "line 2, column 1: process 3 invokes while its operation of line 1 is open"
    );
    assert_eq!(
        error(format!("{INVOKE}\n{}", OK.replace("write", "read"))),
        "line 2, column 1: `f` is not that of the invocation on line 1"
    );
    assert_eq!(
        error(format!(
            "{INVOKE}\n{}",
            OK.replace("\"key\":0", "\"key\":1")
        )),
        "line 2, column 1: `key` is not that of the invocation on line 1"
    );
    assert_eq!(
        error(format!(
            "{INVOKE}\n{}",
            OK.replace("\"index\":1", "\"index\":0")
        )),
        "line 2, column 1: index 0 does not follow index 0"
    );
}

#[test]
fn contradictions_and_repetitions() {
    assert_eq!(
        error(format!("{OPERATION}\n\n{OPERATION}")),
        "line 3, column 1: operation 0 is already on line 1"
    );
    assert_eq!(
        error(OPERATION.replace("\"complete_ts\":9", "\"complete_ts\":4")),
        "line 1, column 1: operation 0 completes at 4 ns, before its invocation at 5 ns"
    );
    let both = OPERATION.replace(
        "\"output\":null,\"error\":null",
        "\"output\":1,\"error\":\"e\"",
    );
    assert_eq!(
        error(both),
        "line 1, column 1: operation 0 has both an output and an error"
    );
    assert_eq!(
        error(r#"{"fault_window":{"fault":"cut","start_ts":5,"end_ts":4}}"#),
        "line 1, column 1: the window of cut ends before it starts"
    );
}

#[test]
fn what_is_not_known() {
    let told = error(INVOKE.replace("invoke", "begin"));
    assert!(
        told.starts_with("line 1, column 37: unknown variant `begin`"),
        "{told}"
    );
    let told = error(OPERATION.replace("node_seen", "node"));
    assert!(told.contains("unknown field `node`"), "{told}");
    let told = error(OPERATION.replace("\"node_seen\":null,", ""));
    assert!(told.contains("missing field `node_seen`"), "{told}");
    let told = error(OPERATION.replace("\"op_id\"", "\"op_id\":1,\"op_id\""));
    assert!(told.contains("duplicate field `op_id`"), "{told}");
    let told = error(format!("{OPERATION}\n{INVOKE}"));
    assert!(
        told.starts_with("line 2, column") && told.contains("unknown field `index`"),
        "{told}"
    );
    let told = error(OPERATION.replace("\"write\"", "\"\""));
    assert!(told.contains("an operation type is empty"), "{told}");
    assert!(
        error("[]").starts_with("line 1, column"),
        "a list is no line"
    );
    assert!(error(format!("{OPERATION} x")).contains("trailing characters"));
}

#[test]
fn floats_anywhere() {
    for (from, to) in [
        ("\"input\":4", "\"input\":4.5"),
        ("\"input\":4", "\"input\":[1,[2e3]]"),
        ("\"op_id\":0", "\"op_id\":0.0"),
        ("\"key\":\"x\"", "\"key\":1.5"),
    ] {
        let told = error(OPERATION.replace(from, to));
        assert!(
            told.starts_with("line 1, column") && told.contains("floating point"),
            "{told}"
        );
    }
}

#[test]
fn invalid_utf8_has_its_column() {
    let mut bytes = OPERATION.as_bytes().to_vec();
    bytes[60] = 0xff;
    assert_eq!(error(&bytes), "line 1, column 61: not UTF-8");
}

#[test]
fn deep_lists_are_refused() {
    let lists = format!("\"input\":{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let told = error(OPERATION.replace("\"input\":4", &lists));
    assert!(told.contains("recursion limit exceeded"), "{told}");
}

/// An endless line, which counts how much of it was asked for.
struct Endless<'a>(&'a mut u64);

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(b'[');
        *self.0 += buffer.len() as u64;
        Ok(buffer.len())
    }
}

#[test]
fn an_endless_line_is_not_buffered() {
    let mut asked = 0;
    let error = jsonl::read(BufReader::new(Endless(&mut asked))).expect_err("no history");
    assert_eq!(error.message, "the line is longer than 16777216 bytes");
    assert_eq!((error.line, error.column), (1, 16_777_217));
    assert!(asked < 17 << 20, "{asked} bytes were asked for");
    let short = jsonl::read_limited(OPERATION.as_bytes(), OPERATION.len() - 1);
    assert!(short.is_err_and(|error| error.message.contains("longer than")));
    assert!(jsonl::read_limited(OPERATION.as_bytes(), OPERATION.len()).is_ok());
}

/// An input that breaks.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is on fire"))
    }
}

#[test]
fn a_broken_input_is_an_error() {
    let error = jsonl::read(BufReader::new(Broken)).expect_err("no history");
    assert_eq!(
        error.to_string(),
        "line 1, column 1: the input can not be read: the disk is on fire"
    );
}

#[test]
fn an_input_without_lines_is_an_empty_history() {
    assert_eq!(jsonl::read(&b""[..]), Ok(History::default()));
    assert_eq!(jsonl::read(&b"\n \r\n\n"[..]), Ok(History::default()));
}

#[test]
fn a_value_that_looks_like_a_window_is_a_value() {
    let line = OPERATION.replace("\"input\":4", "\"input\":\"fault_window\"");
    let history = jsonl::read(line.as_bytes()).expect("an operation");
    assert_eq!(history.ops[0].input, Value::from("fault_window"));
}
