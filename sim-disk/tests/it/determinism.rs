//! A seed fixes everything; a fault that never opens changes nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use sim_disk::{DiskConfig, FailMode, Latency, LatencyRange, OpKind};
use sim_runtime::{Digest, Down};

use crate::harness::{Bench, get, put, sync_dir};

fn run(seed: u64, extra: impl Fn(&Bench)) -> Digest {
    let bench = Bench::new(seed, DiskConfig::default());
    extra(&bench);
    for round in 0..6u8 {
        bench.on_node(|disk| {
            disk.create_dir_all(Path::new("/d/e"), 0o755).unwrap();
            put(disk, "/d/a", &vec![round; 9_000], round % 2 == 0);
            put(disk, "/d/b", &[round; 100], false);
            disk.rename(Path::new("/d/b"), Path::new("/d/e/b")).unwrap();
            if round % 3 == 0 {
                sync_dir(disk, "/d");
            }
        });
        bench.down_and_up(Down::PowerLoss);
        bench.on_node(|disk| {
            let found = (get(disk, "/d/a"), get(disk, "/d/e/b"));
            put(disk, "/found", format!("{found:?}").as_bytes(), true);
        });
    }
    bench.digest()
}

#[test]
fn the_same_seed_twice_gives_the_same_digest() {
    let digests: Vec<Digest> = (0..20).map(|seed| run(seed, |_| ())).collect();
    let again: Vec<Digest> = (0..20).map(|seed| run(seed, |_| ())).collect();
    assert_eq!(digests, again);
    let distinct: BTreeSet<String> = digests.iter().map(Digest::to_string).collect();
    assert_eq!(distinct.len(), 20);
}

#[test]
fn a_fault_on_another_node_changes_no_event() {
    let with_fault = run(7, |bench| {
        let fault = bench
            .simulation
            .world()
            .ledger()
            .plan("unused", "disk-error");
        let other = sim_runtime::NodeId(99);
        bench.disk.fail(fault, other, FailMode::Enospc);
        bench.disk.blame_down(other, fault);
    });
    assert_eq!(with_fault, run(7, |_| ()));
}

#[test]
fn the_content_of_a_write_enters_the_digest() {
    let write = |content: &[u8]| {
        let bench = Bench::new(1, DiskConfig::default());
        bench.on_node(|disk| put(disk, "/f", content, false));
        bench.digest()
    };
    assert_eq!(write(b"same"), write(b"same"));
    assert_ne!(write(b"same"), write(b"sane"));
}

#[test]
fn latency_is_drawn_only_where_it_is_configured() {
    let range = LatencyRange {
        lo: Duration::from_micros(10),
        hi: Duration::from_micros(90),
    };
    let latency = Latency {
        sync: range,
        ..Latency::default()
    };
    let bench = Bench::new(
        1,
        DiskConfig {
            latency,
            ..DiskConfig::default()
        },
    );
    bench.on_node(|disk| {
        assert_eq!(disk.latency(OpKind::Write), Duration::ZERO);
        let drawn: BTreeSet<Duration> = (0..50).map(|_| disk.latency(OpKind::Sync)).collect();
        assert!(drawn.len() > 20);
        assert!(drawn.iter().all(|&it| range.lo <= it && it <= range.hi));
    });
}

#[test]
fn the_order_of_a_directory_depends_on_the_seed_alone() {
    let list = |seed| {
        let bench = Bench::new(seed, DiskConfig::default());
        bench.on_node(|disk| {
            for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                put(disk, &format!("/tmp/{name}"), b"", false);
            }
            let entries = disk.read_dir(Path::new("/tmp")).unwrap().into_iter();
            entries.map(|entry| entry.name).collect::<Vec<_>>()
        })
    };
    assert_eq!(list(1), list(1));
    let orders: BTreeSet<_> = (0..10).map(list).collect();
    assert!(orders.len() > 5);
}
