//! Cases of one body for the real kernel, on tmpfs, and for ours: what each call answers, errno
//! for errno, and the whole tree at the end. The cases are in `testdata/cases.txt`, what both say
//! in `testdata/conformance.md`, made by this test with `UPDATE_EXPECT=1`; so are the differences,
//! each with its reason.

mod real;
pub(crate) mod simulated;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sim_disk::DiskConfig;

use crate::harness::Bench;
use real::Real;
use simulated::Simulated;

/// What a call answers, or the number of its error.
pub(crate) type Answer = Result<String, i32>;

/// A kernel with a directory of the test's own.
pub(crate) trait Kernel {
    /// Makes a call; None: there is none of that name.
    fn call(&mut self, words: &[&str]) -> Option<Answer>;
}

/// Where ours says something else, and why.
const DIFFERENCES: [(&str, &str); 0] = [];

/// Handles that a script has open at once.
pub(crate) type Handles<T> = std::collections::BTreeMap<String, T>;

/// The bytes of a word: `~` is nothing, `@7` seven letters.
pub(crate) fn text(word: &str) -> String {
    match word.strip_prefix('@') {
        Some(len) => "n".repeat(len.parse().unwrap()),
        None if word == "~" => String::new(),
        None => word.to_owned(),
    }
}

/// Bytes of no pattern, from an offset on.
pub(crate) fn filling(offset: u64, len: usize) -> Vec<u8> {
    let byte = |at: u64| b'a' + (at * 7 % 26) as u8;
    (offset..offset + len as u64).map(byte).collect()
}

/// Bytes as a word: zeroes as `.`, runs of more than nine shortened.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let letter = |byte: u8| if byte == 0 { '.' } else { char::from(byte) };
    let mut shown = String::from("\"");
    for run in bytes.chunk_by(|a, b| a == b) {
        if run.len() > 9 {
            write!(shown, "{}*{}", letter(run[0]), run.len()).unwrap();
        } else {
            shown.extend(run.iter().map(|&byte| letter(byte)));
        }
    }
    shown + "\""
}

/// The flags of open(2) by letter.
pub(crate) fn open_bits(letters: &str) -> i32 {
    let reads = letters.contains('r');
    let access = match (reads, letters.contains('w') || letters.contains('a')) {
        (true, true) => libc::O_RDWR,
        (false, true) => libc::O_WRONLY,
        (true, false) => libc::O_RDONLY,
        (false, false) => libc::O_ACCMODE,
    };
    let flag = |letter| match letter {
        'a' => libc::O_APPEND,
        'c' => libc::O_CREAT,
        'x' => libc::O_EXCL,
        't' => libc::O_TRUNC,
        'd' => libc::O_DIRECTORY,
        'n' => libc::O_NOFOLLOW,
        'p' => libc::O_PATH,
        'T' => libc::O_TMPFILE,
        's' => libc::O_SYNC,
        'D' => libc::O_DIRECT,
        _ => 0,
    };
    letters
        .chars()
        .map(flag)
        .fold(access, |bits, flag| bits | flag)
}

/// Flags as letters, of what both kernels tell.
pub(crate) fn flag_letters(bits: i32) -> String {
    let mut letters = match bits & libc::O_ACCMODE {
        libc::O_RDWR => String::from("rw"),
        libc::O_WRONLY => String::from("w"),
        _ => String::from("r"),
    };
    for (flag, letter) in [
        (libc::O_APPEND, 'a'),
        (libc::O_SYNC, 's'),
        (libc::O_PATH, 'p'),
    ] {
        if bits & flag == flag {
            letters.push(letter);
        }
    }
    letters
}

/// The mode of fallocate(2) by word.
pub(crate) fn allocate_mode(word: &str) -> i32 {
    match word {
        "keep" => libc::FALLOC_FL_KEEP_SIZE,
        "punch" => libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE,
        "punchgrow" => libc::FALLOC_FL_PUNCH_HOLE,
        "collapse" => libc::FALLOC_FL_COLLAPSE_RANGE,
        _ => 0,
    }
}

/// Runs a script; a line for each call.
pub(crate) fn run(kernel: &mut dyn Kernel, script: &str) -> Vec<String> {
    let calls = script.split(';').map(str::trim);
    let said = |call: &str| {
        let words: Vec<&str> = call.split_whitespace().collect();
        let answer = kernel.call(&words);
        match answer.unwrap_or_else(|| panic!("no such call: {call}")) {
            Ok(said) => said,
            Err(code) => name_of(code),
        }
    };
    calls.map(said).collect()
}

/// `ENOENT` for 2.
fn name_of(code: i32) -> String {
    let names = [
        (libc::EPERM, "EPERM"),
        (libc::ENOENT, "ENOENT"),
        (libc::ENXIO, "ENXIO"),
        (libc::EBADF, "EBADF"),
        (libc::EAGAIN, "EAGAIN"),
        (libc::EACCES, "EACCES"),
        (libc::EBUSY, "EBUSY"),
        (libc::EEXIST, "EEXIST"),
        (libc::EXDEV, "EXDEV"),
        (libc::ENODEV, "ENODEV"),
        (libc::ENOTDIR, "ENOTDIR"),
        (libc::EISDIR, "EISDIR"),
        (libc::EINVAL, "EINVAL"),
        (libc::EFBIG, "EFBIG"),
        (libc::ENOSPC, "ENOSPC"),
        (libc::ESPIPE, "ESPIPE"),
        (libc::ENAMETOOLONG, "ENAMETOOLONG"),
        (libc::ENOTEMPTY, "ENOTEMPTY"),
        (libc::ELOOP, "ELOOP"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
    ];
    let found = names.iter().find(|(number, _)| *number == code);
    found.map_or_else(|| format!("errno {code}"), |(_, name)| (*name).to_owned())
}

/// A directory of a test's own on the memory's file system.
fn scratch(name: &str) -> PathBuf {
    let shared = Path::new("/dev/shm");
    let base = if shared.is_dir() {
        shared.join(format!("sim-disk-{}", std::process::id()))
    } else {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
    };
    base.join(name)
}

/// What both kernels say to each script.
fn both(name: &str, scripts: &[&str]) -> Vec<(Vec<String>, Vec<String>)> {
    let real: Vec<Vec<String>> = scripts
        .iter()
        .map(|script| run(&mut Real::new(&scratch(name)), script))
        .collect();
    let bench = Bench::new(1, DiskConfig::default());
    let ours: Vec<Vec<String>> = bench.on_node(|disk| {
        let kernel = |at: usize| Simulated::new(disk, &format!("/base-{at}"));
        let numbered = scripts.iter().enumerate();
        numbered
            .map(|(at, script)| run(&mut kernel(at), script))
            .collect()
    });
    drop(bench.finish());
    real.into_iter().zip(ours).collect()
}

#[test]
fn every_case_says_the_same_on_both_or_has_a_reason() {
    let file = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata")
            .join(name)
    };
    let cases = fs::read_to_string(file("cases.txt")).unwrap();
    let lines = cases.lines().filter(|line| !line.starts_with('#'));
    let cases: Vec<(&str, &str)> = lines.map(|line| line.split_once(": ").unwrap()).collect();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    let scripts: Vec<&str> = cases.iter().map(|(_, script)| *script).collect();
    let answers = both("cases", &scripts);
    let mut table = String::from(HEAD);
    let mut differing = String::new();
    for ((name, script), (real, ours)) in cases.iter().zip(&answers) {
        let reason = DIFFERENCES.iter().find(|(of, _)| of == name);
        if real == ours {
            assert!(reason.is_none(), "{name} says the same on both by now");
            let calls = script.split(';').map(str::trim);
            let said = calls
                .zip(real)
                .map(|(call, said)| format!("{call} **{said}**"));
            writeln!(
                table,
                "| {name} | {} |",
                said.collect::<Vec<_>>().join("; ")
            )
            .unwrap();
            continue;
        }
        let Some((_, reason)) = reason else {
            panic!("{name}: {script}\n real {real:?}\n ours {ours:?}");
        };
        let (real, ours) = (real.join("; "), ours.join("; "));
        writeln!(
            differing,
            "| {name} | `{script}` | {real} | {ours} | {reason} |"
        )
        .unwrap();
    }
    if !differing.is_empty() {
        table += DIFFERING_HEAD;
        table += &differing;
    }
    expect_file!["../../testdata/conformance.md"].assert_eq(&table);
}

const HEAD: &str = "\
# What the real kernel's file system and the simulated one say

Made by `sim-disk/tests/it/cases.rs` from `cases.txt`, on tmpfs; `UPDATE_EXPECT=1` makes it again.
Calls are followed by what both answer.

| case | calls and answers |
|---|---|
";

const DIFFERING_HEAD: &str = "
## Differences

| case | calls | tmpfs | simulated | why |
|---|---|---|---|---|
";

fn path() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c"), Just("l"), Just("..")];
    let names = proptest::collection::vec(name, 1..4);
    // Never above the test's own directory.
    (names, any::<bool>()).prop_map(|(names, slash)| {
        let mut path = String::from("x");
        for name in names {
            path = format!("{path}/{name}");
        }
        let depth = path.matches("..").count();
        let path = if depth > 1 { "x/a".to_owned() } else { path };
        if slash { path + "/" } else { path }
    })
}

/// A call with arguments that make sense often enough.
fn call() -> impl Strategy<Value = String> {
    let handle = || prop_oneof![Just("A"), Just("B"), Just("C")];
    let letters = prop_oneof![
        Just("rwc"),
        Just("r"),
        Just("rwac"),
        Just("wct"),
        Just("wcx"),
        Just("rd"),
        Just("pn"),
        Just("rwT"),
        Just("rn")
    ];
    let offset = || prop_oneof![0u64..30, 4080u64..4110, 0u64..20_000];
    let length = || prop_oneof![0u64..20, 4090u64..4100, 0u64..9_000];
    let one = prop_oneof![
        Just("mkdir"),
        Just("rmdir"),
        Just("unlink"),
        Just("stat"),
        Just("lstat"),
        Just("list"),
        Just("readlink")
    ];
    let two = prop_oneof![
        Just("rename"),
        Just("noreplace"),
        Just("exchange"),
        Just("link"),
        Just("linkfollow")
    ];
    let mode = prop_oneof![Just("0"), Just("keep"), Just("punch")];
    prop_oneof![
        3 => (handle(), path(), letters).prop_map(|(h, p, how)| format!("open {h} {p} {how}")),
        4 => (one, path()).prop_map(|(call, p)| format!("{call} {p}")),
        4 => (two, path(), path()).prop_map(|(call, p, q)| format!("{call} {p} {q}")),
        2 => (prop_oneof![Just("a"), Just("../x/b"), Just("l"), Just("a/c")], path())
            .prop_map(|(to, p)| format!("symlink {to} {p}")),
        2 => (handle(), offset(), length()).prop_map(|(h, at, n)| format!("fill {h} {at} {n}")),
        2 => (handle(), length(), offset()).prop_map(|(h, n, at)| format!("pread {h} {n} {at}")),
        2 => (handle(), length()).prop_map(|(h, n)| format!("trunc {h} {n}")),
        2 => (handle(), mode, offset(), length())
            .prop_map(|(h, how, at, n)| format!("falloc {h} {how} {at} {n}")),
        1 => (handle(), offset(), handle(), offset(), length())
            .prop_map(|(h, at, g, to, n)| format!("copy {h} {at} {g} {to} {n}")),
        // Data and holes are sought in the table alone: what was set aside twice is data on tmpfs.
        1 => (handle(), offset()).prop_map(|(h, at)| format!("seek {h} {at} cur")),
        1 => (handle(), length()).prop_map(|(h, n)| format!("read {h} {n}")),
        1 => handle().prop_map(|h| format!("write {h} words")),
        1 => handle().prop_map(|h| format!("fstat {h}")),
        1 => handle().prop_map(|h| format!("blocks {h}")),
        1 => (handle(), path()).prop_map(|(h, p)| format!("linkfd {h} {p}")),
        1 => handle().prop_map(|h| format!("close {h}")),
        1 => (handle(), path()).prop_map(|(h, p)| format!("openat {h} A {p} rwc")),
    ]
}

#[test]
fn random_scripts_leave_the_same_tree() {
    let config = Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let scripts = proptest::collection::vec(call(), 1..120);
    let tested = runner.run(&scripts, |calls| {
        let script = format!("mkdir x; mkdir x/a; {}; tree .", calls.join("; "));
        let said = both("random", &[&script]);
        let (real, ours) = &said[0];
        let calls = script.split("; ");
        for (call, (real, ours)) in calls.zip(real.iter().zip(ours)) {
            prop_assert_eq!(real, ours, "{}", call);
        }
        Ok(())
    });
    tested.unwrap();
}
