//! `check`: histories judged.

use crate::{answer, command, landfall};

const GOOD: &str = r#"{"index":0,"process":1,"type":"invoke","f":"write","key":0,"value":4}
{"index":1,"process":1,"type":"ok","f":"write","key":0,"value":4}
{"index":2,"process":2,"type":"invoke","f":"read","key":0,"value":null}
{"index":3,"process":2,"type":"ok","f":"read","key":0,"value":4}
"#;

fn check(words: &[&str], history: &str) -> crate::Answer {
    let mut all = vec!["check", "-"];
    all.extend(words);
    answer(command(&all), history)
}

#[test]
fn a_good_history_passes() {
    let answer = check(&["--model", "map"], GOOD);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(
        answer
            .stdout
            .starts_with("linearizability: ok (2 of 2 operations")
    );
}

#[test]
fn a_bad_history_is_a_failed_claim_with_its_operations() {
    let stale = GOOD.replace(
        "\"read\",\"key\":0,\"value\":4",
        "\"read\",\"key\":0,\"value\":null",
    );
    let answer = check(&["--model", "map"], &stale);
    assert_eq!(answer.code, 100, "{}", answer.stderr);
    assert!(
        answer.stdout.starts_with("linearizability: violation"),
        "{}",
        answer.stdout
    );
    assert!(answer.stdout.contains("#1 p2"), "{}", answer.stdout);
}

#[test]
fn a_file_is_read_as_well() {
    let path = "checkers/testdata/cas-lost-update.jsonl";
    let answer = landfall(&["check", path, "--model", "cas-register"]);
    assert_eq!(answer.code, 100, "{}", answer.stderr);
}

#[test]
fn a_truncated_history_is_refused_at_its_place() {
    let truncated = &GOOD[..GOOD.len() - 20];
    let answer = check(&["--model", "map"], truncated);
    assert_eq!(answer.code, 2);
    assert!(
        answer.stderr.starts_with("error: -:4:"),
        "{}",
        answer.stderr
    );
    assert!(
        answer.stderr.contains("truncated line"),
        "{}",
        answer.stderr
    );
    assert_eq!(answer.stdout, "");
}

#[test]
fn a_history_that_is_not_there_is_refused() {
    let answer = landfall(&["check", "no/such.jsonl", "--model", "map"]);
    assert_eq!(answer.code, 2);
    assert!(
        answer.stderr.contains("no/such.jsonl cannot be read"),
        "{}",
        answer.stderr
    );
}

#[test]
fn what_cannot_be_judged_is_inconclusive() {
    for (words, history) in [
        (["--model", "map"].as_slice(), ""),
        (&["--model", "map", "--checker", "no-lost-ack"], GOOD),
        (&["--checker", "progress=5s"], GOOD),
        (
            &["--model", "map", "--checker", "linearizability,no-lost-ack"],
            GOOD,
        ),
    ] {
        let answer = check(words, history);
        assert_eq!(
            answer.code, 112,
            "{words:?}: {}{}",
            answer.stdout, answer.stderr
        );
    }
}

#[test]
fn a_violation_wins_over_what_is_undecided() {
    let stale = GOOD.replace(
        "\"read\",\"key\":0,\"value\":4",
        "\"read\",\"key\":0,\"value\":null",
    );
    let answer = check(
        &["--model", "map", "--checker", "progress=5s,linearizability"],
        &stale,
    );
    assert_eq!(answer.code, 100, "{}", answer.stdout);
}

#[test]
fn json_is_one_object_with_the_exit_code() {
    let json = check(&["--model", "map", "--format", "json"], GOOD).json();
    assert_eq!(json["exit_code"], 0);
    assert_eq!(json["operations"], 2);
    assert_eq!(json["reports"][0]["checker"], "linearizability");
    assert_eq!(json["reports"][0]["consumed"], 2);
    let refused = check(&["--model", "map", "--format", "json"], "{");
    assert_eq!(refused.json()["exit_code"], 2);
    assert!(
        refused.json()["error"]
            .as_str()
            .is_some_and(|error| error.starts_with("-:1:"))
    );
}

#[test]
fn a_checker_that_needs_a_model_asks_for_it() {
    let answer = check(&[], GOOD);
    assert_eq!(answer.code, 2);
    assert!(
        answer.stderr.contains("linearizability needs --model"),
        "{}",
        answer.stderr
    );
}

const EDN: &str = "{:process 0, :type :invoke, :f :enqueue, :value 1}
{:process 0, :type :ok, :f :enqueue, :value 1}
{:process 1, :type :invoke, :f :dequeue, :value nil}
{:process 1, :type :ok, :f :dequeue, :value 1}
";

#[test]
fn edn_is_known_by_its_looks() {
    let answer = check(&["--model", "queue", "--format", "json"], EDN);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let json = answer.json();
    assert_eq!(json["valid"], true);
    assert_eq!(json["engine"], "queue-monitor");
    assert_eq!(json["consumed"], 2);
    let twice = format!(
        "{EDN}{}",
        &EDN[EDN.find("{:process 1").expect("a dequeue")..]
    );
    let answer = check(&["--model", "queue", "--format", "json"], &twice);
    assert_eq!(answer.code, 100, "{}", answer.stderr);
    assert_eq!(answer.json()["valid"], false);
    assert_eq!(answer.json()["findings"][0]["anomaly"], "not-linearizable");
}

#[test]
fn histories_are_converted_and_stay_what_they_are() {
    let lines = answer(command(&["convert", "-"]), EDN);
    assert_eq!(lines.code, 0, "{}", lines.stderr);
    let back = answer(command(&["convert", "-", "--to", "edn"]), &lines.stdout);
    let again = answer(command(&["convert", "-"]), &back.stdout);
    assert_eq!(again.stdout, lines.stdout);
    let broken = answer(command(&["convert", "-", "--input", "edn"]), "{:process");
    assert_eq!(broken.code, 2);
    assert!(
        broken.stderr.starts_with("error: -:1:10:"),
        "{}",
        broken.stderr
    );
}

#[test]
fn a_search_that_may_not_take_its_steps_does_not_know() {
    let words = [
        "--model",
        "cas-register",
        "--steps",
        "0",
        "--format",
        "json",
    ];
    let history = GOOD.replace("\"value\":4", "\"value\":null");
    let answer = check(&words, &history);
    assert_eq!(answer.code, 112, "{}", answer.stdout);
    assert_eq!(answer.json()["valid"], "unknown");
}

#[test]
fn what_is_only_written_is_legal() {
    let written: String = GOOD
        .lines()
        .take(2)
        .map(|line| format!("{line}\n"))
        .collect();
    let answer = check(&["--model", "map", "--format", "json"], &written);
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    assert_eq!(answer.json()["valid"], true);
}

#[test]
fn objects_begin_as_told() {
    let history = GOOD.replace(
        "\"read\",\"key\":0,\"value\":4",
        "\"read\",\"key\":0,\"value\":0",
    );
    let read: String = history
        .lines()
        .skip(2)
        .map(|line| format!("{line}\n"))
        .collect();
    let answer = check(&["--model", "map"], &read);
    assert_eq!(answer.code, 100, "{}", answer.stdout);
    let answer = check(&["--model", "map", "--initial", "0"], &read);
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    let answer = check(&["--model", "mutex", "--initial", "0"], &read);
    assert_eq!(answer.code, 2, "{}", answer.stdout);
}

/// Each reads that the other's list is empty, and adds to its own.
const SKEW: &str = r#"{:process 0, :type :invoke, :f :txn, :value [[:append :x 1] [:r :y nil]]}
{:process 1, :type :invoke, :f :txn, :value [[:append :y 1] [:r :x nil]]}
{:process 0, :type :ok, :f :txn, :value [[:append :x 1] [:r :y []]]}
{:process 1, :type :ok, :f :txn, :value [[:append :y 1] [:r :x []]]}
"#;

#[test]
fn transactions_are_judged_at_a_level() {
    let holds = check(
        &["--model", "list-append", "--level", "snapshot-isolation"],
        SKEW,
    );
    assert_eq!(holds.code, 0, "{}{}", holds.stdout, holds.stderr);
    let fails = check(&["--model", "list-append", "--format", "json"], SKEW);
    assert_eq!(fails.code, 100, "{}", fails.stderr);
    let told: serde_json::Value = serde_json::from_str(&fails.stdout).expect("JSON");
    assert_eq!(told["valid"], false);
    assert_eq!(
        told["fails"],
        serde_json::json!(["repeatable-read", "update-serializable"])
    );
    let holds = serde_json::json!(["strong-snapshot-isolation"]);
    assert_eq!(told["holds"], holds);
    assert_eq!(told["anomalies"][0]["name"], "G-update");
    let wrong = check(&["--model", "list-append", "--level", "firm"], SKEW);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.stderr.contains("the levels are read-uncommitted"),
        "{}",
        wrong.stderr
    );
    let alone = check(&["--model", "map", "--level", "serializable"], GOOD);
    assert_eq!(alone.code, 2);
}

#[test]
fn a_violation_is_drawn() {
    let folder = std::env::temp_dir().join(format!("landfall-picture-{}", std::process::id()));
    let path = "checkers/testdata/register-stale-read.jsonl";
    let to = folder.to_str().expect("a path");
    let words = ["check", path, "--model", "register", "--picture", to];
    assert_eq!(landfall(&words).code, 100);
    let svg = std::fs::read_to_string(&folder).expect("a picture");
    std::fs::remove_file(&folder).expect("it was there");
    assert!(
        svg.starts_with("<svg") && svg.contains("returned 1"),
        "{svg}"
    );
    let words = [
        "check",
        path,
        "--model",
        "register",
        "--picture",
        "no/such/file",
    ];
    assert_eq!(landfall(&words).code, 2);
}

#[test]
fn transactions_may_begin_with_a_value() {
    let read = r#"{"process":1,"type":"invoke","f":"txn","value":[["r","x",null],["w","x",4]]}
{"process":1,"type":"ok","f":"txn","value":[["r","x",0],["w","x",4]]}
"#;
    let nobody = check(&["--model", "rw-register"], read);
    assert_eq!(nobody.code, 100, "{}", nobody.stdout);
    assert!(nobody.stdout.contains("garbage-read"), "{}", nobody.stdout);
    let given = check(&["--model", "rw-register", "--initial", "0"], read);
    assert_eq!(given.code, 0, "{}", given.stdout);
}

/// A folder of one test, gone at its end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is in a folder for what is temporary.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_stream_is_judged_and_a_broken_file_read_again() {
    let good = check(&["--model", "map", "--stream", "--format", "json"], GOOD);
    assert_eq!(good.code, 0, "{}", good.stderr);
    let json = good.json();
    assert_eq!(
        (&json["valid"], &json["engine"]),
        (&true.into(), &"frontier".into())
    );
    assert_eq!(
        (&json["consumed"], &json["operations"]),
        (&2.into(), &2.into())
    );
    let stale = GOOD.replace(
        "\"read\",\"key\":0,\"value\":4",
        "\"read\",\"key\":0,\"value\":7",
    );
    let piped = check(&["--model", "map", "--stream"], &stale);
    assert_eq!(piped.code, 100, "{}", piped.stderr);
    assert!(piped.stdout.contains("#1 p2"), "{}", piped.stdout);
    let folder = Folder::new("landfall-stream");
    let path = folder.write("stale.jsonl", &stale);
    let whole = landfall(&["check", &path, "--model", "map", "--format", "json"]).json();
    let again = landfall(&[
        "check", &path, "--model", "map", "--stream", "--format", "json",
    ]);
    assert_eq!(again.code, 100, "{}", again.stderr);
    assert_eq!(again.json()["findings"], whole["findings"]);
    for words in [
        ["--model", "bank", "--stream"].as_slice(),
        &["--model", "map", "--stream", "--input", "bincode"],
        &["--model", "map", "--stream", "--initial", "0"],
    ] {
        assert_eq!(check(words, GOOD).code, 2, "{words:?}");
    }
}

#[test]
fn the_strength_of_a_checker_is_told() {
    let words = ["--model", "map", "--mutations", "7", "--format", "json"];
    let answer = check(&words, GOOD);
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    let score = &answer.json()["mutations"][0];
    assert_eq!(score["checker"], "linearizability");
    assert!(score["mutants"].as_u64() > Some(0), "{score}");
    assert_eq!(score["mutants"], score["caught"]);
    let answer = check(&["--model", "map", "--mutations"], GOOD);
    assert!(
        answer.stdout.contains("mutants caught"),
        "{}",
        answer.stdout
    );
}

#[test]
fn what_is_odd_in_edn_is_told() {
    let odd = "{:type :ok :f :write :value 1}\n{:type :ok :f :read :value 1}";
    let answer = check(
        &["--model", "register", "--input", "edn", "--format", "json"],
        odd,
    );
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    let notes = answer.json()["preflight"].clone();
    assert_eq!(notes[0]["kind"], "malformed", "{notes}");
}

/// By model, a response that is right and one that is not, both after an operation.
const RESPONSES: [(&str, &str, &str, &str, &str); 20] = [
    ("register", "write", "1", "read", "1 2"),
    ("cas-register", "write", "1", "read", "1 2"),
    ("map", "write", "1", "read", "1 2"),
    ("log", "append", "1", "read", "[1] [2]"),
    ("text", "append", "\"a\"", "read", "\"a\" \"b\""),
    ("counter", "inc", "1", "read", "1 2"),
    ("set", "add", "1", "read", "[1] [2]"),
    ("bag", "add", "1", "remove", "1 2"),
    ("queue", "enqueue", "1", "dequeue", "1 2"),
    ("stack", "push", "1", "pop", "1 2"),
    ("priority-queue", "insert", "1", "delete-min", "1 2"),
    ("offsets", "append", "1", "read", "[1] [2]"),
    ("mutex", "acquire", "null", "acquire", "false true"),
    ("owned-mutex", "acquire", "null", "acquire", "false true"),
    (
        "reentrant-mutex",
        "acquire",
        "null",
        "acquire",
        "false true",
    ),
    (
        "read-write-lock",
        "acquire",
        "\"write\"",
        "acquire",
        "false true",
    ),
    ("semaphore=1", "acquire", "null", "acquire", "false true"),
    ("lease=10s", "acquire", "null", "acquire", "false true"),
    ("membership", "join", "null", "read", "[1] [2]"),
    (
        "multi-register",
        "txn",
        "[[\"w\",0,1]]",
        "txn",
        "[[\"r\",0,1]] [[\"r\",0,2]]",
    ),
];

#[test]
fn every_model_ends_with_each_exit_code() {
    for (model, put, input, take, told) in RESPONSES {
        let (right, wrong) = told.split_once(' ').expect("two responses");
        let asked = match model {
            "read-write-lock" => "\"write\"",
            "multi-register" => "[[\"r\",0,null]]",
            _ => "null",
        };
        let history = |told: &str| {
            let result = match take {
                "acquire" => format!("\"value\":{asked},\"result\":{told}"),
                _ => format!("\"value\":{told}"),
            };
            let row = |process, how, f, rest: &str| {
                format!(
                    "{{\"process\":{process},\"type\":\"{how}\",\"f\":\"{f}\",\
                     \"key\":0,{rest}}}\n"
                )
            };
            [
                row(1, "invoke", put, &format!("\"value\":{input}")),
                row(1, "ok", put, &format!("\"value\":{input}")),
                row(2, "invoke", take, &format!("\"value\":{asked}")),
                row(2, "ok", take, &result),
            ]
            .concat()
        };
        let unknown = "{\"process\":1,\"type\":\"invoke\",\"f\":\"dance\",\"key\":0}\n".to_owned();
        for (text, code) in [(history(right), 0), (history(wrong), 100), (unknown, 112)] {
            for stream in [&["--model", model][..], &["--model", model, "--stream"]] {
                let answer = check(stream, &text);
                let (out, err) = (&answer.stdout, &answer.stderr);
                assert_eq!(answer.code, code, "{stream:?}\n{text}{out}{err}");
            }
        }
    }
}
