//! `CHECKERS.md` is what the code says of models and checkers, and every test that it names exists.
//!
//! `UPDATE_EXPECT=1 cargo test -p landfall-checkers --test it catalogue::` writes it.

use std::fmt::Write as _;

use checkers::name_of;
use checkers::single::{Row, Single};
use checkers::spec::{CheckerSpec, ModelKind};
use checkers::weak::Weak;
use expect_test::expect_file;

const COLUMNS_MAX: usize = 100;

/// A test in which checkers have planted defects, what these are, and the sources that it is in.
struct Planted {
    test: &'static str,
    what: &'static str,
    source: &'static str,
}

const MODELS: Planted = Planted {
    test: "a_defect_in_a_model_is_found",
    what: "takes a wrong response for right; forgets what was done",
    source: include_str!("../../src/linear/defect/tests/models.rs"),
};
const MONITORS: Planted = Planted {
    test: "a_defect_in_a_monitor_is_found",
    what: "calls legal what is not; calls illegal what is legal; turns its order; loses a witness",
    source: include_str!("../../src/linear/defect/tests.rs"),
};
const ENGINES: Planted = Planted {
    test: "a_defect_in_the_search_the_frontier_or_the_reader_is_found",
    what: "looks past returns; takes or leaves what it may not; forgets states, chains, returns, \
           time-outs or program order; believes reads",
    source: include_str!("../../src/linear/defect/tests.rs"),
};
const ITEMS: Planted = Planted {
    test: "a_defect_in_the_search_of_a_queue_a_stack_or_a_bag_is_found",
    what: "takes the last first, or nothing that may have happened; forgets what was taken",
    source: include_str!("../../src/linear/defect/tests.rs"),
};
const PROOFS: Planted = Planted {
    test: "a_defect_in_proofs_or_their_verifiers_is_found",
    what: "sees nothing missing; has no time; hears no response; takes one twice; asks for more or \
           less; stops early or goes too far",
    source: include_str!("../../src/linear/defect/tests.rs"),
};
const RULES: Planted = Planted {
    test: "a_checker_that_forgets_a_rule_is_caught",
    what: "forgets each of its anomalies",
    source: include_str!("single.rs"),
};
const OUTCOMES: Planted = Planted {
    test: "a_checker_that_confuses_outcomes_is_caught",
    what: "takes time-outs for successes or failures, failures for successes",
    source: include_str!("single.rs"),
};
const WEAK_RULES: Planted = Planted {
    test: "a_checker_that_forgets_a_rule_is_caught",
    what: "forgets each of its anomalies",
    source: include_str!("weak.rs"),
};
const BASIC: Planted = Planted {
    test: "a_checker_that_says_one_thing_is_caught",
    what: "always passes; always accuses; confuses time-outs, failures and successes",
    source: include_str!("verdicts.rs"),
};
const CYCLES: Planted = Planted {
    test: "every_anomaly_is_shown_by_a_case",
    what: "forgets any anomaly",
    source: include_str!("txn/textbook.rs"),
};

/// A checker that is neither of one claim nor weak: its name, claim, needs, blindness, defects.
type Other = (
    CheckerSpec,
    &'static str,
    &'static str,
    &'static str,
    Vec<Planted>,
);

fn others() -> Vec<Other> {
    let named = |name: &str| CheckerSpec::parse(name).expect("a checker");
    vec![
        (
            CheckerSpec::Linearizability,
            "each operation took effect at one instant between its call and its return",
            "a model, and responses that depend on its state",
            "what the model cannot see: the table above",
            vec![ENGINES, ITEMS, PROOFS],
        ),
        (
            CheckerSpec::NoLostAck,
            "every acknowledged write is in the final state, or was overwritten; every element of \
             a log is there once",
            "`final-read`s, and a model: register, cas-register, map or log",
            "what was wrong before the final state",
            vec![BASIC],
        ),
        (
            CheckerSpec::SingleLeader,
            "no two nodes lead in one term",
            "`lead` rows with the term as key and the node as output",
            "leaders that nobody observed",
            vec![BASIC],
        ),
        (
            named("progress=5s"),
            "after each heal an operation succeeds in time",
            "fault windows with an end, and operations after it",
            "operations that fail beside one that succeeds",
            vec![BASIC],
        ),
        (
            named("list-append"),
            "transactions that append to lists and read them satisfy an isolation level",
            "`txn` rows of [\"append\", key, element] and [\"r\", key, list]",
            "dependencies that no read shows",
            vec![CYCLES],
        ),
        (
            named("rw-register"),
            "transactions that write registers and read them satisfy an isolation level",
            "`txn` rows of [\"w\", key, value] and [\"r\", key, value], values written once",
            "dependencies that no read shows, and the order of versions that nothing gives",
            vec![CYCLES],
        ),
        (
            named("txn-sets"),
            "transactions that add to sets and read them satisfy an isolation level",
            "`txn` rows that add elements, each once, and read sets",
            "dependencies that no read shows",
            vec![CYCLES],
        ),
        (
            named("txn-counters"),
            "transactions that add to counters or move money, and read totals, satisfy a level",
            "`txn` rows of [\"inc\", key, amount] and [\"r\", key, total], or transfers and reads",
            "which changes a total counts, where several come to it",
            vec![CYCLES],
        ),
    ]
}

/// Breaks a text into lines; all but the first are moved to the right.
fn wrapped(text: &str) -> String {
    let (mut all, mut line) = (String::new(), String::new());
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > COLUMNS_MAX {
            let _ = writeln!(all, "{line}");
            line = format!("  {word}");
        } else {
            let space = if line.is_empty() { "" } else { " " };
            let _ = write!(line, "{space}{word}");
        }
    }
    all + &line
}

fn section(text: &mut String, name: &str, lines: &[(&str, String)]) {
    let _ = writeln!(text, "\n### {name}\n");
    for (title, line) in lines.iter().filter(|(_, line)| !line.is_empty()) {
        let _ = writeln!(text, "{}", wrapped(&format!("- *{title}*: {line}")));
    }
}

/// What a table says of planted defects.
fn planted(all: &[&Planted]) -> String {
    let told = all
        .iter()
        .map(|one| format!("{} (`{}`)", one.what, one.test));
    told.collect::<Vec<_>>().join("; ")
}

fn of_row(text: &mut String, row: &Row, defects: &[&Planted]) {
    let anomalies = row.anomalies.iter().map(|name| format!("`{name}`"));
    let takes = match row.takes {
        "" => String::new(),
        takes => format!("`{takes}`"),
    };
    let lines = [
        ("bounds", takes),
        ("claims", row.claim.to_owned()),
        ("needs", row.needs.to_owned()),
        ("reports", anomalies.collect::<Vec<_>>().join(", ")),
        ("cannot see", row.blind.to_owned()),
        ("planted defects", planted(defects)),
    ];
    section(text, row.name, &lines);
}

const HEAD: &str = "\
# Models and checkers

`cargo landfall check --model NAME FILE` judges a history by a model or a checker; `--checker` takes
several. A history without what a checker *needs* is too weak for it, and the answer says which
field is missing. *Planted defects* are those with which the checker itself was built in a test, and
what its tests say then; the test is named. The code holds this table (`ModelKind::row`,
`Single::row`, `Weak::row`), and a test holds that this page says the same.

## Models of linearizability

Each is judged by a monitor, if one is named and the values say which operation belongs to which;
else by the search; and row by row (`--stream`), or where the search spends its budget, by the
frontier. Where they do not, the monitor of a register still names who read what had been
overwritten, and that of a queue, a stack or a bag more takes of a value than puts, or fewer where
nothing is left.

The `minimal` operations of a violation have no order whatever the others did: these count as
`info`, so that what they put there does not come from nowhere. With any one of the minimal ones
`info`, too, the history has an order.
";

fn page() -> String {
    let mut text = HEAD.to_owned();
    for kind in ModelKind::ALL {
        let row = kind.row();
        assert_eq!(row.name, kind.name());
        let takes = match row.takes {
            "" => String::new(),
            takes => format!("`{takes}`"),
        };
        let defects: &[&Planted] = match row.monitors {
            "" => &[&MODELS],
            _ => &[&MODELS, &MONITORS],
        };
        let lines = [
            ("bounds", takes),
            ("knows", row.operations.to_owned()),
            ("monitors", row.monitors.to_owned()),
            ("cannot see", row.blind.to_owned()),
            ("planted defects", planted(defects)),
        ];
        section(&mut text, kind.name(), &lines);
    }
    text.push_str("\n## Checkers of whole histories\n");
    for (spec, claim, needs, blind, defects) in others() {
        let lines = [
            ("claims", claim.to_owned()),
            ("needs", needs.to_owned()),
            ("cannot see", blind.to_owned()),
            (
                "planted defects",
                planted(&defects.iter().collect::<Vec<_>>()),
            ),
        ];
        section(&mut text, name_of(&spec), &lines);
    }
    text.push_str("\n## Checkers of one claim\n");
    text.push_str(ROWS);
    for single in Single::ALL {
        of_row(&mut text, single.row(), &[&RULES, &OUTCOMES]);
    }
    text.push_str("\n## Models weaker than linearizability\n");
    for weak in Weak::ALL {
        of_row(&mut text, weak.row(), &[&WEAK_RULES]);
    }
    text
}

/// What the rows of a finding are.
const ROWS: &str = "
The rows of a finding (`ops`) are those that its sentence speaks of. Its `minimal` rows are refused
for the same by the checker when they are all that it is given, with the fault windows, and without
any one of them they are not; so it is for `no-lost-ack`, `single-leader` and `progress`, too. They
are looked for among the rows of the finding. Where something has to be there for something to be
missing (the effects or the final read by which a checker knows what happened, the last `gauge`, a
saga's steps), where others are compared with (replicas, groups of `fairness`, reads that agree on
an order), and where a row says what is allowed (`policy`, `relation`), the rows of the finding are
not refused alone, and the whole history is looked through, in halves at first. A finding for which
524,288 rows were judged again in vain has no `minimal` rows.
";

#[test]
fn the_page_says_what_the_code_does() {
    expect_file!["../../CHECKERS.md"].assert_eq(&page());
}

#[test]
fn every_test_that_the_page_names_exists() {
    let more = others().into_iter().flat_map(|(.., defects)| defects);
    let all = [MODELS, MONITORS, RULES, OUTCOMES, WEAK_RULES];
    for planted in all.into_iter().chain(more) {
        let test = format!("#[test]\nfn {}()", planted.test);
        assert!(planted.source.contains(&test), "{}", planted.test);
    }
}

#[test]
fn every_checker_and_model_is_on_the_page() {
    let page = page();
    let models = ModelKind::ALL.iter().map(|kind| kind.name());
    let checkers = CheckerSpec::names().into_iter();
    for name in models.chain(checkers) {
        let name = name.split('=').next().unwrap_or(name);
        let heads = page.matches(&format!("\n### {name}\n")).count();
        assert_eq!(heads, 1, "{name}");
    }
}
