//! The table of situations has every one of the design, and names tests that exist.

use std::path::Path;

/// The situations of the design, word for word, and what it has beside its table.
const DESIGN: [&str; 39] = [
    "no listener, host up",
    "host down, black hole, partition",
    "backlog full, accept paused",
    "process killed, kernel alive",
    "OS crash, power loss",
    "pause (SIGSTOP)",
    "partition, drop",
    "partition, reject",
    "partition, jam",
    "loss on a link",
    "reset",
    "half-close",
    "drop with unread data",
    "partial I/O",
    "datagram",
    "address in use, ephemeral ports, TIME_WAIT",
    "latency: constant, uniform, exponential, heavy tail",
    "slow pairs, bandwidth",
    "names of nodes",
    "Unix sockets, pipes",
    "loopback is not the network",
    "fault clauses: cut, jam, reject, slow, reset, loss, dup, reorder, corrupt, bandwidth",
    "fault clauses: dns, readdress, filter",
    "fault clauses: clog in, out or both ways",
    "partition shape: isolate one, isolate the leader",
    "partition shape: halves",
    "partition shape: majority, minority, minority third",
    "partition shape: majorities ring",
    "partition shape: bridge",
    "partition shape: partial (k links)",
    "partition shape: client side only",
    "partition shape: swizzle",
    "sockets of one's own: std in threads, std in a pool for blocking calls, `socket2`",
    "sockets of one's own: `quinn`, by `sendmsg` and `recvmsg`",
    "overlap: drop over jam over the largest delay",
    "inspection",
    "frames of one kind",
    "receipts",
    "receipts of any traffic under any fault, and under several",
];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Each row: its situation, and the tests that it names.
fn rows(table: &str) -> Vec<(&str, Vec<&str>)> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.skip(1).filter_map(|row| row.split_once(" | "));
    cells
        .map(|(situation, tests)| {
            let tests = tests.split('`').filter(|part| part.contains("::"));
            (situation, tests.collect())
        })
        .collect()
}

/// Is there such a test? `landfall::` and `ecosystem::` go before those of other folders.
fn exists(folder: &Path, test: &str) -> bool {
    let others = ["landfall", "ecosystem"].into_iter();
    let mut elsewhere = others.filter_map(|other| {
        let test = test.strip_prefix(other)?.strip_prefix("::")?;
        Some((folder.join("..").join(other), test))
    });
    let (folder, test) = elsewhere.next().unwrap_or((folder.to_owned(), test));
    let (module, name) = test.split_once("::").expect("a module and a name");
    let source = read(&folder.join(format!("tests/it/{module}.rs")));
    let marks = ["#[test]\nfn ", "#[landfall::test(seeds = 10)]\nasync fn "];
    marks
        .iter()
        .any(|mark| source.contains(&format!("{mark}{name}()")))
}

#[test]
fn every_test_that_the_table_names_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = read(&folder.join("SITUATIONS.md"));
    let mut named = 0;
    for (situation, tests) in rows(&table) {
        assert!(!tests.is_empty(), "no test: {situation}");
        for test in tests {
            assert!(exists(folder, test), "there is no test {test}: {situation}");
            named += 1;
        }
    }
    assert!(named > 70, "{named} tests are named");
}

#[test]
fn the_table_has_every_situation_of_the_design() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = read(&folder.join("SITUATIONS.md"));
    let rows = rows(&table);
    for situation in DESIGN {
        let found = rows.iter().filter(|(of, _)| *of == situation).count();
        assert_eq!(found, 1, "rows for {situation:?}");
    }
}
