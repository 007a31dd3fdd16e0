//! Rules over one source file.

/// A file to be looked at.
pub(crate) struct Source<'a> {
    /// From the workspace's root.
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("_tests.rs")
    }

    /// The file without its unit tests, which stand at the end.
    fn product(&self) -> &str {
        self.text
            .split("\n#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default()
    }
}

const FILE_LINES_MAX: usize = 600;
const LINE_COLUMNS_MAX: usize = 100;

/// Where unsafe code may be expected.
const UNSAFE_PLACES: [&str; 16] = [
    "sim-runtime/src/fiber/",
    "sim-runtime/src/heap.rs",
    "sim-runtime/src/interpose/",
    "sim-runtime/src/process/",
    "sim-runtime/src/task.rs",
    "sim-runtime/src/typed.rs",
    "sim-tokio/src/fd.rs",
    "landfall/floor/src/counter.rs",
    "sim-runtime/tests/it/",
    "sim-net/tests/it/conformance/",
    "sim-disk/src/content_hash.rs",
    "sim-disk/tests/it/c_calls.rs",
    "sim-disk/tests/it/c_files.rs",
    "sim-disk/tests/it/c_streams.rs",
    "sim-tokio/tests/it/three.rs",
    "benches/",
];

/// Where a guest's sleep is what is looked at.
const SLEEPS_AS_A_GUEST: [&str; 2] = [
    "landfall/floor/src/clocks.rs",
    "landfall/floor/src/threads.rs",
];

/// Where something elsewhere is waited for.
const WAITS: [&str; 1] = ["landfall/cli/src/patience.rs"];

/// What each rule complains about, one line a complaint.
pub(crate) fn all(source: &Source<'_>) -> Vec<String> {
    let rules = [
        size,
        columns,
        no_allow,
        no_stub,
        unsafe_in_its_place,
        no_ignored,
        module_docs,
    ];
    rules.iter().flat_map(|rule| rule(source)).collect()
}

fn size(source: &Source<'_>) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX && !source.is_test() {
        return vec![format!(
            "{}: {lines} lines, at most {FILE_LINES_MAX}",
            source.path
        )];
    }
    Vec::new()
}

fn columns(source: &Source<'_>) -> Vec<String> {
    lines_that(source, source.text, "is wider than 100 columns", |line| {
        line.chars().count() > LINE_COLUMNS_MAX
    })
}

fn no_allow(source: &Source<'_>) -> Vec<String> {
    // Written in two parts, so that this file passes its own rule.
    let attribute = concat!("[allow", "(");
    lines_that(
        source,
        source.text,
        "allows a lint: expect it, with a reason",
        |line| line.contains(attribute),
    )
}

fn no_stub(source: &Source<'_>) -> Vec<String> {
    let stubs = [concat!("todo", "!("), concat!("unimplemented", "!(")];
    lines_that(source, source.text, "is a stub", |line| {
        stubs.iter().any(|stub| line.contains(stub)) && !line.trim_start().starts_with("//")
    })
}

fn unsafe_in_its_place(source: &Source<'_>) -> Vec<String> {
    let keyword = concat!("unsafe", " {");
    if UNSAFE_PLACES
        .iter()
        .any(|place| source.path.starts_with(place))
    {
        return undocumented_unsafe(source, keyword);
    }
    lines_that(
        source,
        source.text,
        "is unsafe outside the places for it",
        |line| line.contains(keyword) && !line.trim_start().starts_with("//"),
    )
}

/// A block of unsafe code has `// SAFETY:` above it, within the comment that ends there.
fn undocumented_unsafe(source: &Source<'_>, keyword: &str) -> Vec<String> {
    let lines: Vec<_> = source.text.lines().collect();
    let mut complaints = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        if !line.contains(keyword) || line.trim_start().starts_with("//") {
            continue;
        }
        let above = &lines[place.saturating_sub(8)..=place];
        if !above.iter().any(|line| line.contains("SAFETY:")) {
            complaints.push(format!(
                "{}:{}: unsafe without SAFETY",
                source.path,
                place + 1
            ));
        }
    }
    complaints
}

fn no_ignored(source: &Source<'_>) -> Vec<String> {
    let ignored = concat!("#[ig", "nore");
    let slept = concat!("thread::sl", "eep(");
    let mut complaints = lines_that(source, source.text, "ignores a test", |line| {
        line.trim_start().starts_with(ignored)
    });
    complaints.extend(lines_that(
        source,
        source.product(),
        "sleeps in real time",
        |line| {
            let sleeps = line.contains(slept) && !line.trim_start().starts_with("//");
            let owns = SLEEPS_AS_A_GUEST.contains(&source.path) || WAITS.contains(&source.path);
            sleeps && !source.is_test() && !owns
        },
    ));
    complaints
}

fn module_docs(source: &Source<'_>) -> Vec<String> {
    if source.text.starts_with("//!") || source.text.starts_with("#!") {
        return Vec::new();
    }
    vec![format!(
        "{}: does not open with what it is (//!)",
        source.path
    )]
}

fn lines_that(
    source: &Source<'_>,
    text: &str,
    what: &str,
    is_bad: impl Fn(&str) -> bool,
) -> Vec<String> {
    let numbered = (1..).zip(text.lines());
    numbered
        .filter(|(_, line)| is_bad(line))
        .map(|(number, _)| format!("{}:{number}: {what}", source.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        all(&Source { path, text })
    }

    #[track_caller]
    fn one(path: &str, text: &str, says: &str) {
        let found = complaints(path, text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(says), "{found:?}");
    }

    #[test]
    fn a_good_file_passes() {
        assert_eq!(
            complaints("a/src/b.rs", "//! What it is.\n\nfn f() {}\n"),
            [""; 0]
        );
    }

    #[test]
    fn each_rule_catches_its_bad_sample() {
        let with = |line: &str| format!("//! What it is.\n{line}\n");
        one(
            "a/src/b.rs",
            &with(&"fn f() {}\n".repeat(600)),
            "at most 600",
        );
        one("a/src/b.rs", &with(&"x".repeat(101)), "100 columns");
        one(
            "a/src/b.rs",
            &with(concat!("#[allow", "(dead_code)]")),
            "expect it",
        );
        one("a/src/b.rs", &with(concat!("    todo", "!()")), "stub");
        one(
            "a/src/b.rs",
            &with(concat!("    unsafe", " { f() }")),
            "outside the places",
        );
        one(
            "sim-runtime/src/task.rs",
            &with(concat!("unsafe", " { f() }")),
            "without SAFETY",
        );
        one("a/src/b.rs", &with(concat!("#[ig", "nore]")), "ignores");
        one(
            "a/src/b.rs",
            &with(concat!("std::thread::sl", "eep(x);")),
            "real time",
        );
        one("a/src/b.rs", "fn f() {}\n", "//!");
    }

    #[test]
    fn proven_unsafe_and_long_tests_pass() {
        let text = concat!("//! What.\n// SAFETY: it is.\nunsafe", " { f() }\n");
        assert_eq!(complaints("sim-runtime/src/task.rs", text), [""; 0]);
        let long = format!("//! What.\n{}", "// x\n".repeat(700));
        assert_eq!(complaints("a/tests/it/b.rs", &long), [""; 0]);
    }
}
