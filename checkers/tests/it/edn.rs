//! EDN as others write it.

use checkers::edn::{Fails, read, read_log, read_noted, stream, write};
use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, History, OpType, Outcome, Value, check};

fn history(text: &str) -> History {
    read(text.as_bytes(), Fails::DidNotHappen).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn outcome(history: &History, model: ModelKind) -> Outcome {
    check(
        history,
        &CheckerSpec::Linearizability,
        model,
        &Budget::default(),
    )
    .outcome
}

#[test]
fn maps_may_be_bare_tagged_or_in_a_vector() {
    let bare = "{:process 0, :type :invoke, :f :write, :value 1 :time 1.5}
{:process 0, :type :ok, :f :write, :value 1}
{:type :info, :f :start, :process :nemesis, :value {:cut #{\"n1\"}}}
{:process 1 :type :invoke :f :read :value nil} ; a comment
{:process 1 :type :ok :f :read :value 1}";
    let tagged = bare.replace("{:process", "#jepsen.history.Op{:process");
    let wrapped = format!("[{bare}\n]");
    let discarding = format!("#_ {{:process #{{1 [2]}}}} {bare}");
    let expected = history(bare);
    assert_eq!(expected.ops.len(), 2);
    assert_eq!(expected.ops[1].output, Some(Value::Int(1)));
    for text in [tagged, wrapped, discarding] {
        assert_eq!(history(&text), expected, "{text}");
    }
}

/// A lease of 5 ms that another takes 2 ms or 7 ms later.
#[test]
fn leases_run_out_by_the_times_of_the_rows() {
    for (taken_ns, expected) in [(4_000_000, Outcome::Violation), (9_000_000, Outcome::Ok)] {
        let text = format!(
            "{{:process 1 :type :invoke :f :acquire :time 1000000}}
{{:process 1 :type :ok :f :acquire :time 2000000}}
{{:process 2 :type :invoke :f :acquire :time {taken_ns}}}
{{:process 2 :type :ok :f :acquire :time {}}}",
            taken_ns + 500_000
        );
        let model = ModelKind::parse("lease=5ms").expect("a model");
        assert_eq!(outcome(&history(&text), model), expected, "{text}");
    }
}

#[test]
fn independent_keys_are_found_in_the_values() {
    let text = "{:process 0 :type :invoke :f :cas :value [3 [1 2]]}
{:process 0 :type :info :f :cas :value [3 [1 2]] :error :timeout}
{:process 1 :type :invoke :f :read :value [3 nil]}
{:process 1 :type :ok :f :read :value [3 7]}
{:process 2 :type :invoke :f :cas :value [3 4]}";
    let history = history(text);
    assert_eq!(history.ops[0].key, Some(Value::Int(3)));
    assert_eq!(history.ops[0].error.as_deref(), Some("timeout"));
    assert_eq!(history.ops[1].output, Some(Value::Int(7)));
    assert_eq!(history.ops[2].key, None);
}

#[test]
fn a_failed_cas_is_refused_only_when_told_so() {
    let text = "{:process 0 :type :invoke :f :write :value 1}
{:process 0 :type :ok :f :write :value 1}
{:process 0 :type :invoke :f :cas :value [1 2]}
{:process 0 :type :fail :f :cas :value [1 2]}
{:process 0 :type :invoke :f :read}
{:process 0 :type :ok :f :read :value 1}";
    assert_eq!(outcome(&history(text), ModelKind::CasRegister), Outcome::Ok);
    let refused = read(text.as_bytes(), Fails::Refused).expect("a history");
    assert_eq!(
        outcome(&refused, ModelKind::CasRegister),
        Outcome::Violation
    );
}

#[test]
fn a_log_of_a_test_is_read() {
    let log = "INFO  jepsen.core - Setting up\nINFO  jepsen.util - 0\t:invoke\t:write\t4\n\
               2026-01-01 INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n\
               INFO  jepsen.util - 1\t:invoke\t:cas\t[4 5]\n\
               INFO  jepsen.util - 0\t:ok\t:write\t4\n\
               INFO  jepsen.util - 1\t:info\t:cas\t:timed-out\n";
    let history = read_log(log.as_bytes(), Fails::DidNotHappen).expect("a log");
    assert_eq!(history.ops.len(), 2);
    assert_eq!(history.ops[1].op_type, OpType::Cas);
    assert!(history.ops[1].timeout_marker);
}

#[test]
fn values_of_every_kind() {
    let text = r#"{:process 0 :type :invoke :f :enqueue :value "a\n\u0041"}
{:process 1 :type :invoke :f "get" :key :x :value nil}
{:process 1 :type :ok :f "get" :key :x :value (#{2 1} {1 \a} 12N -3 true)}"#;
    let history = history(text);
    assert_eq!(history.ops[0].input, Value::from("a\nA"));
    let told = history.ops[1].observed().to_string();
    assert_eq!(told, r#"[[1,2],[[1,"a"]],12,-3,true]"#);
}

#[test]
fn what_is_wrong_has_a_place() {
    for (text, line, column, what) in [
        ("{:process 0", 1, 12, "truncated"),
        ("\n {:process 0 :type :done :f :read}", 2, 2, ":type"),
        ("{:process 0 :type :odd :f :read}", 1, 1, ":type"),
        (
            "{:process 0 :type :invoke :f :write :value 1.5}",
            1,
            1,
            "1.5",
        ),
        (
            "{:process 0 :type :invoke :f :read :value ]}",
            1,
            43,
            "closes nothing",
        ),
        ("{:process 0 :type}", 1, 18, "without a value"),
        ("[{:process 0 :type :invoke :f :read}", 1, 37, "not closed"),
        ("[] 3", 1, 4, "follows"),
        ("3", 1, 1, "maps"),
        ("{:f \"abc", 1, 9, "not closed"),
    ] {
        let error = read(text.as_bytes(), Fails::DidNotHappen).expect_err(text);
        assert!(error.message.contains(what), "{text}: {error}");
        assert_eq!(
            (error.line, error.column),
            (line, column),
            "{text}: {error}"
        );
    }
    let deep = "[".repeat(100_000);
    assert!(read(format!("{{:value {deep}").as_bytes(), Fails::DidNotHappen).is_err());
}

#[test]
fn what_is_written_is_read_back() {
    for row in super::verdicts::rows() {
        let history = super::verdicts::history(&row.name);
        let mut text = Vec::new();
        write(&history, &mut text).expect("a vector takes it");
        let mut lines = Vec::new();
        checkers::jsonl::write_events(&history, &mut lines).expect("a vector takes it");
        let from_lines = checkers::jsonl::read(lines.as_slice()).expect("events");
        let from_edn = read(text.as_slice(), Fails::DidNotHappen).expect("EDN");
        assert_eq!(from_edn, from_lines, "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn transactions_may_spell_their_names_out() {
    let text = "{:process 0 :type :invoke :f :txn :value [[:write :x 1] [:read :y nil]]}
{:process 0 :type :ok :f :txn :value [[:write :x 1] [:read :y 0]]}
{:process 1 :type :invoke :f :txn :value [[:read :x nil]]}
{:process 1 :type :ok :f :txn :value [[:read :x 1]]}";
    let given = history(text);
    assert_eq!(
        outcome(&given, ModelKind::MultiRegister),
        Outcome::Violation
    );
    let kind = ModelKind::MultiRegister;
    let given = checkers::beginning_with(given, kind, &Value::Int(0)).expect("a value");
    assert_eq!(outcome(&given, kind), Outcome::Ok);
}

#[test]
fn a_map_of_texts_is_put_got_and_appended_to() {
    let told = |read: &str| {
        let text = format!(
            "{{:process 0, :type :invoke, :f :append, :key \"0\", :value \"x\"}}
{{:process 1, :type :invoke, :f :append, :key \"0\", :value \"y\"}}
{{:process 2, :type :invoke, :f :get, :key \"1\", :value nil}}
{{:process 0, :type :ok, :f :append, :key \"0\", :value \"x\"}}
{{:process 2, :type :ok, :f :get, :key \"1\", :value \"\"}}
{{:process 2, :type :invoke, :f :get, :key \"0\", :value nil}}
{{:process 2, :type :ok, :f :get, :key \"0\", :value \"{read}\"}}"
        );
        outcome(&history(&text), ModelKind::Map)
    };
    for read in ["x", "xy", "yx"] {
        assert_eq!(told(read), Outcome::Ok, "{read}");
    }
    for read in ["", "y", "xyx"] {
        assert_eq!(told(read), Outcome::Violation, "{read}");
    }
    let text = "{:process 0 :type :invoke :f :put :key 1 :value 4}
{:process 0 :type :ok :f :put :key 1 :value 4}
{:process 0 :type :invoke :f :get :key 1 :value nil}
{:process 0 :type :ok :f :get :key 1 :value nil}";
    assert_eq!(outcome(&history(text), ModelKind::Map), Outcome::Violation);
}

/// The shapes of Knossos' own cases: lists of maps with comments, a register that begins as zero.
#[test]
fn registers_that_begin_with_a_value() {
    let text = "({:type :invoke, :f :read, :value 0, :process 0}
 {:type :ok, :f :read, :value 0, :process 0}
 ; a write that is never known to have happened
 {:type :invoke, :f :write, :value 1, :process 1}
 {:type :invoke, :f :cas, :value [1 2], :process 2}
 {:type :ok, :f :cas, :value [1 2], :process 2})";
    let given = history(text);
    let kind = ModelKind::CasRegister;
    assert_eq!(outcome(&given, kind), Outcome::Violation);
    let given = checkers::beginning_with(given, kind, &Value::Int(0)).expect("a value");
    assert_eq!(outcome(&given, kind), Outcome::Ok);
    let given = checkers::beginning_with(given, ModelKind::Counter, &Value::Null);
    assert!(given.is_err_and(|why| why.contains("integer")));
}

/// Maps as other tools keep them: without processes and names, or without invocations.
#[test]
fn gaps_in_others_histories_are_read_and_noted() {
    let elle = "{:index 0 :type :invoke :value [[:append 253 1] [:r 253 nil]]}
{:index 1 :type :ok :value [[:append 253 1] [:r 253 [1]]]}
{:index 2 :type :invoke :value [[:r 253 nil]]}
{:index 3 :type :ok :value [[:r 253 [1]]]}";
    let (history, notes) = read_noted(elle.as_bytes(), Fails::DidNotHappen).expect("a history");
    assert_eq!(history.ops.len(), 2);
    assert!(
        history
            .ops
            .iter()
            .all(|op| op.op_type.name() == "txn" && op.is_acknowledged())
    );
    let kinds: Vec<_> = notes.iter().map(|note| note.kind).collect();
    assert_eq!(kinds, ["malformed", "malformed", "untimed"], "{notes:?}");
    assert!(
        notes[0]
            .message
            .contains("4 maps, the first of them map 1, have no :process")
    );
    let ends = "{:process 0 :type :ok :f :write :value 1}
{:process 0 :type :ok :f :read :value 1}
{:process 0 :type :ok :f :read :value 1}
{:process 1 :type :fail :f :write :value 3}
{:process 1 :type :invoke :f :read}
{:process 1 :type :ok :f :read :value 2}";
    let (history, notes) = read_noted(ends.as_bytes(), Fails::DidNotHappen).expect("a history");
    assert_eq!(history.ops.len(), 5);
    assert_eq!(history.ops[1].complete_ts, Some(history.ops[1].invoke_ts));
    assert!(notes[0].message.contains("4 maps"), "{notes:?}");
    assert_eq!(outcome(&history, ModelKind::Register), Outcome::Violation);
    let named = "{:process 0 :type :invoke :value 1}\n{:process 0 :type :ok :value 1}";
    let (history, notes) = read_noted(named.as_bytes(), Fails::DidNotHappen).expect("a history");
    assert!(matches!(
        outcome(&history, ModelKind::Register),
        Outcome::Weak { .. }
    ));
    assert!(notes[0].message.contains("no :f"));
    // What ended is not ended again.
    let twice = "{:process 0 :type :invoke :f :write :value 1}
{:process 0 :type :ok :f :write :value 1}
{:process 0 :type :ok :f :write :value 1}";
    let error = read(twice.as_bytes(), Fails::DidNotHappen).expect_err("twice");
    assert!(error.message.contains("again"), "{error}");
}

#[test]
fn a_stream_of_maps_gives_the_rows_of_the_history() {
    let text = "[{:process 0 :type :invoke :f :write :value 1}
{:process 1 :type :invoke :f :read}
{:process 1 :type :ok :f :read :value 1}
{:process 2 :type :invoke :f :read}
{:process 0 :type :info :f :write :value 1}
{:process 2 :type :ok :f :read :value 1}]";
    let whole = history(text);
    let mut rows = Vec::new();
    let mut held_max = 0;
    let mut take = |row| {
        rows.push(row);
        Ok(())
    };
    stream(text.as_bytes(), Fails::DidNotHappen, 3, &mut take).expect("a stream");
    assert_eq!(rows, whole.ops);
    while stream(text.as_bytes(), Fails::DidNotHappen, held_max, &mut |_| {
        Ok(())
    })
    .is_err()
    {
        held_max += 1;
    }
    assert_eq!(held_max, 3);
    let refused = stream(
        text.as_bytes(),
        Fails::DidNotHappen,
        3,
        &mut |op| match op.op_id {
            1 => Err("no more".to_owned()),
            _ => Ok(()),
        },
    );
    assert!(refused.is_err_and(|error| error.message == "no more"));
}
