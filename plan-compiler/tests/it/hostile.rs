//! Plans that nobody would write: nothing panics, nothing points outside, nothing is dropped.

use std::fmt::Write as _;
use std::ops::Range;

use plan_compiler::plan::{Field, FieldKind};
use plan_compiler::{Compiled, compile, render};

const PLANS: [&str; 3] = [
    include_str!("../../testdata/s3-verbatim.md"),
    include_str!("../../testdata/key-value.md"),
    include_str!("../../testdata/broken.md"),
];

/// What is inserted into plans.
const NASTY: [&str; 24] = [
    "\0",
    "```",
    "~~~\n",
    "|",
    "| | |\n",
    "\n\n",
    "\r\n",
    "\u{feff}",
    "é—“",
    "🦀",
    "#",
    "### ",
    "\t",
    "### Scenario S",
    "7.M ",
    ":",
    ";",
    "- ",
    "        ",
    "<!--",
    "-->",
    "\"",
    "**",
    "> ",
];

/// A small generator (splitmix64), so that a failure is the same one tomorrow.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound as u64 + 1)).expect("below a usize")
    }

    fn range(&mut self, text: &str) -> Range<usize> {
        let start = text.floor_char_boundary(self.below(text.len()));
        let end = text.floor_char_boundary((start + self.below(200)).min(text.len()));
        start..end.max(start)
    }
}

fn mutate(text: &mut String, draw: &mut Draw) {
    let range = draw.range(text);
    match draw.below(5) {
        0 => text.replace_range(range, ""),
        1 => {
            let piece = text[range.clone()].to_owned();
            text.insert_str(range.start, &piece);
        }
        2 => text.truncate(range.start),
        3 => {
            let piece = text[range].to_owned();
            let at = draw.range(text).start;
            text.insert_str(at, &piece);
        }
        _ => text.insert_str(range.start, NASTY[draw.below(NASTY.len() - 1)]),
    }
}

/// Everything that must hold of any text.
fn sound(text: &str) -> Compiled {
    let compiled = compile(text);
    let inside = |span: &Range<usize>| {
        assert!(
            text.get(span.clone()).is_some(),
            "{span:?} is no part of {text:?}"
        );
    };
    for found in &compiled.diagnostics {
        inside(&found.span);
        assert!(found.line >= 1 && found.column >= 1);
        assert!(render(found, "plan.md", text).contains(found.code.number()));
    }
    compiled.explain.iter().for_each(|row| inside(&row.span));
    compiled
        .not_runnable
        .iter()
        .for_each(|row| inside(&row.span));
    for scenario in &compiled.plan.scenarios {
        inside(&scenario.heading);
        for field in &scenario.fields {
            inside(&field.label);
            field.parts.iter().flatten().for_each(inside);
        }
    }
    compiled
        .plan
        .sections
        .iter()
        .for_each(|section| inside(&section.span));
    let judged = compiled.scenarios.len() + compiled.not_runnable.len();
    let written = compiled.plan.scenarios.iter();
    let arms: usize = written.map(|scenario| scenario.arms.len().max(1)).sum();
    assert_eq!(judged, arms, "a scenario is lost in {text:?}");
    for scenario in &compiled.not_runnable {
        assert!(
            !scenario.codes.is_empty(),
            "{} is refused without a reason",
            scenario.id
        );
    }
    compiled
}

#[test]
fn mutated_plans_are_sound() {
    for seed in 0..300 {
        let mut draw = Draw(seed);
        let mut text = PLANS[draw.below(PLANS.len() - 1)].to_owned();
        for _ in 0..=draw.below(12) {
            mutate(&mut text, &mut draw);
        }
        sound(&text);
    }
}

#[test]
fn every_prefix_of_a_plan_is_sound() {
    for (end, _) in PLANS[1].char_indices().step_by(13) {
        sound(&PLANS[1][..end]);
    }
}

#[test]
fn odd_texts_are_sound() {
    let odd = [
        "",
        "\0",
        "\n",
        "#",
        "```",
        "### Scenario",
        "### Scenario S1",
        "### Scenario S1:\n- :\n",
        "## 7. Scenarios\n### S1\n- Faults:\n",
        "| a |\n|--|\n| b | c | d |\n",
        "\u{feff}# é\n",
        "## 1b\n| ID | Claim |\n|--|--|\n| C1 |\n|\n",
        "### Scenario S1: x\n- Workload: 9999999999%",
        "### Scenario S1: x\n- Faults: kill -9 n99999999999999999999 at T+1s every every 0s\n",
        "## 7c\n",
        "### Scenario é1: ü\n- Faults: ✂ at T+1s\n",
        "Scenario S1\n---\nFaults: x\n---\n",
        "### Scenario S1: x\n- Workload: 18446744073709551615h\n- Faults: kill at T+18446744073s\n",
    ];
    for text in odd {
        sound(text);
    }
}

#[test]
fn huge_plans_are_sound() {
    let mut text = String::from("## 7. Scenarios\n");
    for at in 0..30 {
        write!(text, "### Scenario S{at}: s\n- Faults: ").expect("a String takes all");
        for _ in 0..20 {
            text.push_str("gremlins at T+1s; ");
        }
        text.push('\n');
    }
    assert_eq!(sound(&text).not_runnable.len(), 30);
    sound(&">".repeat(5_000));
    sound(&"- ".repeat(2_000));
    sound(&format!(
        "### Scenario S1: x\n- Faults: {}\n",
        "kill and ".repeat(1_000)
    ));
    sound(&format!(
        "### Scenario S1: x\n- Oracle: {}\n",
        "x".repeat(1_000_000)
    ));
}

/// Fields whose every word matters.
fn is_compiled(field: &Field) -> bool {
    matches!(
        field.kind,
        FieldKind::Workload
            | FieldKind::Faults
            | FieldKind::Oracle
            | FieldKind::Checker
            | FieldKind::Model
            | FieldKind::Landing
            | FieldKind::Ambiguity
            | FieldKind::History
            | FieldKind::Budgets
            | FieldKind::ExitCriteria
    )
}

/// Where a word could be put into a field, outside quotation marks and inside no other word.
fn gaps(text: &str, line: &Range<usize>) -> Vec<usize> {
    let mut quoted = false;
    let mut found = vec![line.start];
    for (at, c) in text[line.clone()].char_indices() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => found.push(line.start + at),
            _ => {}
        }
    }
    found
}

#[test]
fn no_word_is_ever_dropped() {
    let mut tried = 0;
    for text in &PLANS[..2] {
        let whole = compile(text);
        assert_eq!(whole.not_runnable, []);
        for scenario in &whole.plan.scenarios {
            for field in scenario.fields.iter().filter(|field| is_compiled(field)) {
                for at in field
                    .parts
                    .iter()
                    .flatten()
                    .flat_map(|line| gaps(text, line))
                {
                    let word = [" gremlins ", " not "][tried % 2];
                    let mut with = (*text).to_owned();
                    with.insert_str(at, word);
                    let compiled = sound(&with);
                    let refused = compiled.not_runnable.iter().any(|s| s.id == scenario.id);
                    let from = with[..at].rfind('\n').map_or(0, |at| at + 1);
                    let line = with[from..].lines().next().unwrap_or("");
                    assert!(refused, "{word}is dropped from {:?}: {line}", field.kind);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 300, "only {tried} places");
}
