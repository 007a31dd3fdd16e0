//! Every code is documented, and its examples are what they say.

use plan_compiler::{Code, Compiled, compile, compile_bytes};

/// The fields of a scenario that is as it should be.
const FIELDS: [(&str, &str); 11] = [
    ("Falsifies if it FAILs", "C1"),
    ("Closes", "H1"),
    ("Workload", "5 clients, 50% read / 50% write, 30s"),
    ("Faults", "kill -9 the leader at T+10s, restart after 2s"),
    ("Oracle", "linearizability"),
    ("Model under test", "map"),
    ("Operation history", "default schema"),
    ("Checker", "linearizability"),
    ("Landing evidence", "processes killed >= 1"),
    ("Ambiguous outcomes", "timeouts could have succeeded"),
    ("Reduction plan", "bisect"),
];

/// That scenario in a plan, with the example's fields in place of its own.
fn scenario(example: &str) -> String {
    let mut fields: Vec<(String, String)> = FIELDS
        .iter()
        .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
        .collect();
    for line in example.lines() {
        let field = line
            .strip_prefix("- ")
            .expect("an example has a field a line");
        let (label, value) = field.split_once(':').expect("a field has a label");
        fields.retain(|(known, _)| known != label);
        if !value.trim().is_empty() {
            fields.push((label.to_owned(), value.trim().to_owned()));
        }
    }
    let mut text = String::from(
        "# Test Plan: example\n\n## 1b. Claims under test\n\n\
         | ID | Claim | Category |\n|---|---|---|\n\
         | C1 | Reads and writes are linearizable | safety |\n\n\
         ## 4. Failure-mode hypotheses\n\n\
         - H1: a deposed leader serves reads. Could falsify: C1\n\n\
         ## 7. Scenarios\n\n### Scenario S1: example\n\n",
    );
    for (label, value) in fields {
        text.push_str(&format!("- {label}: {value}\n"));
    }
    text
}

/// `\xNN` to bytes.
fn bytes(example: &str) -> Vec<u8> {
    let mut parts = example.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two hexadecimal digits"));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

/// The fenced blocks of an explanation, each with the word after its fence.
fn examples(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut open: Option<(&str, String, String)> = None;
    for line in text.lines() {
        if let Some((fence, word, mut body)) = open.take() {
            if line == fence {
                found.push((word, body));
            } else {
                body.push_str(line);
                body.push('\n');
                open = Some((fence, word, body));
            }
        } else if let Some(fence) = ["```", "~~~~"].into_iter().find(|f| line.starts_with(f)) {
            let word = line.trim_start_matches(['`', '~']).to_owned();
            open = Some((fence, word, String::new()));
        }
    }
    found
}

fn compiled(kind: &str, body: &str) -> Compiled {
    match kind {
        "scenario" => compile(&scenario(body)),
        "plan" => compile(body),
        "bytes" => compile_bytes(&bytes(body)).1,
        other => panic!("no such example: {other}"),
    }
}

fn has(compiled: &Compiled, code: Code) -> bool {
    compiled.diagnostics.iter().any(|found| found.code == code)
}

/// Codes whose examples need more than a plan; other tests have them.
const ELSEWHERE: [Code; 4] = [
    Code::PlanTooLarge,
    Code::TestDrifted,
    Code::TestEdited,
    Code::TestMissing,
];

#[test]
fn every_code_is_explained_by_examples_that_hold() {
    assert!(Code::ALL.len() >= 40);
    let mut bad = Vec::new();
    for code in Code::ALL {
        let text = code.explanation();
        assert!(text.starts_with(&format!("# {code}: ")), "{code}");
        let examples = examples(text);
        if ELSEWHERE.contains(code) {
            continue;
        }
        let [(kind, wrong), (other, right)] = examples.as_slice() else {
            panic!("{code} has {} examples", examples.len());
        };
        let (wrong, right) = (compiled(kind, wrong), compiled(other, right));
        let said = |compiled: &Compiled| -> Vec<String> {
            let each = compiled.diagnostics.iter();
            each.map(|d| format!("{} {}", d.code, d.message)).collect()
        };
        if !has(&wrong, *code) {
            bad.push(format!(
                "{code} is not said of its wrong example: {:?}",
                said(&wrong)
            ));
        }
        if has(&right, *code) || other != "bytes" && right.has_errors() {
            bad.push(format!(
                "{code}'s right example is wrong: {:?}",
                said(&right)
            ));
        }
    }
    assert_eq!(bad, Vec::<String>::new());
}

#[test]
fn a_code_is_found_by_its_number() {
    for code in Code::ALL {
        assert_eq!(Code::from_number(code.number()), Some(*code));
    }
    assert_eq!(Code::from_number("p5"), Some(Code::NoLanding));
    assert_eq!(Code::from_number("P9999"), None);
    assert_eq!(Code::from_number(""), None);
}

#[test]
fn what_is_too_large_is_not_read() {
    let text = "- kill -9 the leader at T+10s\n".repeat(50_000_000 / 30);
    let compiled = compile(&text);
    assert_eq!(compiled.diagnostics.len(), 1);
    assert!(has(&compiled, Code::PlanTooLarge));
}
