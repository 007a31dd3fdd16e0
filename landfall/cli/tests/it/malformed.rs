//! `check`: what is no history is refused with one message, its place and a remedy.

use crate::{answer, command};

/// How it is written, the history, and what is said of it after `error: -:`.
const REFUSED: [(&str, &str, &str); 22] = [
    (
        "jsonl",
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"wri",
        "1:37: truncated line",
    ),
    (
        "jsonl",
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"write\",\"value\":NaN}",
        "1:50:",
    ),
    (
        "jsonl",
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"write\",\"value\":1.5}",
        "1:52: invalid type",
    ),
    (
        "jsonl",
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"write\",\"value\":99999999999999999999}",
        "1:69: invalid type",
    ),
    (
        "jsonl",
        "{\"process\":1,\"type\":\"dance\",\"f\":\"write\"}",
        "1:27: unknown variant",
    ),
    (
        "jsonl",
        "{\"process\":-1,\"type\":\"invoke\",\"f\":\"write\"}",
        "1:13: invalid value",
    ),
    (
        "jsonl",
        "{\"process\":1,\"type\":\"ok\",\"f\":\"write\"}",
        "1:1: process 1 completes",
    ),
    (
        "jsonl",
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"\"}",
        "1:36: an operation type is empty",
    ),
    ("jsonl", "\u{1}\u{2}", "1:1: expected value"),
    ("jsonl", "[1,2]", "1:"),
    (
        "edn",
        "{:process 1 :type :invoke :f :write",
        "1:36: truncated",
    ),
    (
        "edn",
        "[{:process 1 :type :invoke :f :write}\n",
        "2:1: truncated",
    ),
    ("edn", "[] {}", "1:4: something follows the history"),
    (
        "edn",
        "{:process 1 :type :invoke :f :write :value ##NaN}",
        "1:49: ##NaN is no number",
    ),
    (
        "edn",
        "{:process 1 :type :invoke :f :write :value 1.5}",
        "1:1: 1.5 is no integer of 64 bits",
    ),
    (
        "edn",
        "{:process 1 :type :dance :f :write}",
        "1:1: :type is not",
    ),
    (
        "edn",
        "{:process -1 :type :invoke :f :write}",
        "1:1: a process is negative",
    ),
    (
        "edn",
        "{:process 1 :type}",
        "1:18: a map has a key without a value",
    ),
    ("edn", "{:process 1 :f \"a", "1:18: truncated"),
    ("edn", "]", "1:1: `]` closes nothing"),
    ("edn", "42", "1:1: a history is made of maps"),
    (
        "jepsen-log",
        "INFO  jepsen.util - 1\t:invoke\t:cas\t[1\n",
        "1:38: truncated",
    ),
];

#[test]
fn what_is_malformed_is_refused_at_its_place() {
    for (format, history, said) in REFUSED {
        let words = ["check", "-", "--model", "register", "--input", format];
        for stream in [false, true] {
            let all = words.iter().copied().chain(stream.then_some("--stream"));
            let answer = answer(command(&all.collect::<Vec<_>>()), history);
            assert_eq!(
                answer.code, 2,
                "{history}: {}{}",
                answer.stdout, answer.stderr
            );
            let begins = format!("error: -:{said}");
            assert!(
                answer.stderr.starts_with(&begins),
                "{history}: {}",
                answer.stderr
            );
            assert_eq!(
                answer.stderr.trim_end().lines().count(),
                1,
                "{}",
                answer.stderr
            );
            assert!(answer.stdout.is_empty(), "{}", answer.stdout);
        }
    }
}

#[test]
fn a_process_that_calls_twice_is_named_with_both_places() {
    let twice = "{\"process\":1,\"type\":\"invoke\",\"f\":\"write\",\"value\":1}\n".repeat(2);
    let answer = answer(command(&["check", "-", "--model", "register"]), &twice);
    assert_eq!(answer.code, 2);
    let said = "error: -:2:1: process 1 invokes while its operation of line 1 is open";
    assert!(answer.stderr.starts_with(said), "{}", answer.stderr);
    // Nothing said how it is written.
    assert!(answer.stderr.contains("--input"), "{}", answer.stderr);
}

#[test]
fn marks_line_ends_and_bystanders_do_not_matter() {
    let lines = "\u{feff}\
        {\"process\":1,\"type\":\"invoke\",\"f\":\"write\",\"value\":1,\"time\":-5}\r\n\
        {\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"start\",\"value\":{\"a\":1.5}}\r\n\
        {\"process\":1,\"type\":\"ok\",\"f\":\"write\",\"value\":1,\"time\":1.5}\r\n\
        {\"process\":2,\"type\":\"invoke\",\"f\":\"read\",\"value\":null}\r\n\
        {\"process\":2,\"type\":\"ok\",\"f\":\"read\",\"value\":1}\r\n";
    for words in [
        &["check", "-", "--model", "register"][..],
        &["check", "-", "--model", "register", "--stream"],
    ] {
        let answer = answer(command(words), lines);
        assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
        assert!(
            answer.stdout.contains("2 of 2 operations"),
            "{}",
            answer.stdout
        );
    }
}

#[test]
fn logs_of_porcupine_are_read_by_their_names() {
    let log = "INFO  jepsen.util - 1\t:invoke\t:write\t1\nINFO  jepsen.util - 1\t:ok\t:write\t1\n\
        INFO  jepsen.util - 2\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 2\t:fail\t:cas\t[1 2]\n";
    for (input, code) in [("jepsen-log", 0), ("porcupine-etcd", 100)] {
        for stream in [false, true] {
            let words = ["check", "-", "--model", "cas-register", "--input", input];
            let all = words.iter().copied().chain(stream.then_some("--stream"));
            let answer = answer(command(&all.collect::<Vec<_>>()), log);
            assert_eq!(
                answer.code, code,
                "{input}: {}{}",
                answer.stdout, answer.stderr
            );
        }
    }
    let kv = "{:process 1, :type :invoke, :f :append, :key \"0\", :value \"x 1 0 y\"}\n\
        {:process 1, :type :ok, :f :append, :key \"0\", :value \"x 1 0 y\"}\n\
        {:process 2, :type :invoke, :f :get, :key \"0\", :value nil}\n\
        {:process 2, :type :ok, :f :get, :key \"0\", :value \"\"}\n";
    let words = ["check", "-", "--model", "map", "--input", "porcupine-kv"];
    let judged = answer(command(&words), kv);
    assert_eq!(judged.code, 100, "{}{}", judged.stdout, judged.stderr);
}
