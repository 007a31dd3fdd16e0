//! The corpus of clauses: what each compiles to, in words.
//!
//! `testdata/clauses.txt` has `field | clause | meaning; meaning` a line. A meaning is what
//! `explain` says, or `error P0001 <marked words>`.

use std::path::Path;

use expect_test::expect_file;
use plan_compiler::plan::FieldKind;
use plan_compiler::{Severity, compile};

/// A plan whose only interesting part is the clause.
fn plan(field: &str, clause: &str) -> String {
    let mut fields = vec![
        ("Falsifies", "C1"),
        ("Workload", "3 clients, 60s"),
        ("Faults", "none"),
        ("Oracle", "linearizability"),
        (
            "Model",
            match clause {
                _ if clause.contains("append") => "log",
                _ if clause.contains("queue") => "queue",
                _ if clause.contains("lock") => "lock",
                _ if clause.contains("increment") => "counter",
                _ if clause.contains("% add") => "set",
                _ if clause.contains("join") => "membership",
                _ => "map",
            },
        ),
        ("Checker", "linearizability"),
        ("Landing", "packets dropped > 0"),
    ];
    let replaced = |name: &str| match field {
        "Model" => name == "Model",
        "Oracle" => name == "Oracle" || name == "Checker",
        _ => name == field,
    };
    fields.retain(|(name, _)| !replaced(name));
    let mut text = String::from(
        "## 1b. Claims under test\n\n| ID | Claim | Category |\n|--|--|--|\n\
         | C1 | it works | safety |\n| C2 | it lives | liveness |\n\
         | C3 | it lasts | durability |\n\n\
         ## 7. Scenarios\n\n### Scenario S1: clause\n",
    );
    for (name, value) in fields {
        text.push_str(&format!("- {name}: {value}\n"));
    }
    text.push_str(&format!("- {field}: {clause}\n"));
    text
}

/// What the clause became: explanations and errors, in the plan's order.
fn meaning(field: &str, clause: &str) -> String {
    let text = plan(field, clause);
    let compiled = compile(&text);
    let line = text.lines().count();
    let explained = compiled.explain.iter().filter(|row| {
        !row.default && row.line as usize >= line && row.field != FieldKind::Observability
    });
    let mut said: Vec<(usize, String)> = explained
        .map(|row| (row.span.start, row.compiled.clone()))
        .collect();
    for found in &compiled.diagnostics {
        if found.severity == Severity::Error && found.line as usize >= line {
            let words = &text[found.span.clone()];
            said.push((found.span.start, format!("error {} `{words}`", found.code)));
        }
    }
    said.sort_by_key(|(at, _)| *at);
    let said: Vec<String> = said.into_iter().map(|(_, words)| words).collect();
    said.join("; ")
}

#[test]
fn every_clause_means_what_the_corpus_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/clauses.txt");
    let corpus = std::fs::read_to_string(&path).expect("the corpus is readable");
    let mut clauses = 0;
    let mut out = String::new();
    for line in corpus.lines() {
        let mut cells = line.splitn(3, " | ");
        match (cells.next(), cells.next()) {
            (Some(field), Some(clause)) => {
                clauses += 1;
                out.push_str(&format!(
                    "{field} | {clause} | {}\n",
                    meaning(field, clause)
                ));
            }
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    assert!(clauses >= 100, "only {clauses} clauses");
    expect_file![path].assert_eq(&out);
}

#[test]
fn the_clauses_that_agents_are_given_compile() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/AGENTS.md");
    let page = std::fs::read_to_string(path).expect("the page is readable");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line
            .strip_prefix("| ")?
            .strip_suffix(" |")?
            .splitn(2, " | ");
        let (field, clause) = (cells.next()?, cells.next()?);
        let clause = clause.strip_prefix('`')?.strip_suffix('`')?;
        Some((field.to_owned(), clause.to_owned()))
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() >= 15, "{rows:?}");
    for (field, clause) in rows {
        let meaning = meaning(&field, &clause);
        assert!(
            !meaning.is_empty() && !meaning.contains("error "),
            "{clause}: {meaning}"
        );
    }
}
