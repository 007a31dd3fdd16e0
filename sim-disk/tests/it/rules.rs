//! The twelve rules of the disk's model, each with a test that bears its number. Orders and crash
//! states of small programs are in the table of `crash_table`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use sim_disk::{
    Budget, Chunk, CrashKind, Disk, DiskConfig, FailMode, LatencyRange, LintKind, MediaFault,
    OpKind, Profile, StrikePoint, TearUnit,
};
use sim_runtime::{Down, FaultId, NodeId, SimInstant};

use crate::harness::{Bench, code, count, fault, get, put, row, sync_dir};

const RDWR: i32 = libc::O_RDWR | libc::O_CREAT;

fn synced(disk: &Disk, path: &str, content: &[u8]) {
    put(disk, path, content, true);
    sync_dir(disk, "/");
}

/// The whole of the media: every sector that was written or is read.
const ALL: u32 = 1_000_000;

#[test]
fn rule_1_reads_see_pending_writes_and_media_faults_only_what_is_clean() {
    let bench = Bench::new(1, DiskConfig::default());
    let id = fault(&bench, "rot");
    bench.on_node(|disk| {
        synced(disk, "/f", &[1; 1024]);
        let fd = disk.open_with("/f", RDWR, 0).unwrap();
        disk.pwrite(fd, &[2; 512], 0).unwrap();
        disk.damage(id, bench.node, (MediaFault::Rot, ALL), None);
        let content = get(disk, "/f").unwrap();
        assert_eq!(content[..512], [2; 512], "pending, not from the media");
        let wrong: Vec<&u8> = content[512..].iter().filter(|&&byte| byte != 1).collect();
        assert_eq!(wrong.len(), 1, "one bit of the clean sector: {wrong:?}");
        assert_eq!(wrong[0].count_ones().abs_diff(1), 1);
    });
    let row = row(&bench, id);
    assert_eq!(count(&row.injected, "sectors-rotted"), 1);
    assert!(row.injected_evidence[0].what.contains("/f bytes 512..1024"));
    assert_eq!(count(&row.observed, "damage-read"), 1);
}

#[test]
fn rule_2_writes_split_by_page_and_only_syncs_are_durable() {
    let bench = Bench::new(1, DiskConfig::default());
    bench.on_node(|disk| {
        synced(disk, "/f", &[1; 3 * 4096]);
        let fd = disk.open_with("/f", RDWR | libc::O_DIRECT, 0).unwrap();
        disk.pwrite(fd, &[2; 2 * 4096], 2048).unwrap();
        let write = libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        disk.sync_file_range(fd, 0, 3 * 4096, write).unwrap();
    });
    assert_eq!(
        bench.disk.pending_summary(bench.node).writes,
        3,
        "three pages"
    );
    bench.on_node(|disk| {
        let fd = disk.open_with("/f", libc::O_RDONLY, 0).unwrap();
        disk.fdatasync(fd).unwrap();
    });
    assert_eq!(bench.disk.pending_summary(bench.node).operations, 0);
}

#[test]
fn rule_3_profile_and_tear_unit_say_what_survives() {
    // What each combination allows is held state by state in `crash_table`; here, that drawn
    // crashes keep to it: a rename without fsync may show its name without its data under
    // posix-weak alone.
    for (profile, may_be_empty) in [
        (Profile::PosixWeak, true),
        (Profile::Ext4Ordered, false),
        (Profile::Sequential, false),
    ] {
        let mut seen = BTreeSet::new();
        for seed in 0..150 {
            let config = DiskConfig {
                profile,
                ..DiskConfig::default()
            };
            let bench = Bench::new(seed, config);
            bench.on_node(|disk| {
                synced(disk, "/f", b"old");
                put(disk, "/new", b"new", false);
                disk.rename("/new", "/f").unwrap();
            });
            bench.down_and_up(Down::PowerLoss);
            seen.insert(bench.on_node(|disk| get(disk, "/f")).unwrap());
        }
        let is_torn = seen
            .iter()
            .any(|content| content != b"old" && content != b"new");
        assert_eq!(is_torn, may_be_empty, "{}: {seen:?}", profile.name());
    }
}

#[test]
fn rule_4_a_failed_fsync_gives_up_pages_and_the_next_says_ok() {
    for profile in [Profile::PosixWeak, Profile::Sequential] {
        let config = DiskConfig {
            profile,
            ..DiskConfig::default()
        };
        let bench = Bench::new(1, config);
        let id = fault(&bench, "disk-error");
        let mode = FailMode::Eio {
            reads: false,
            writes: false,
            fsync: true,
        };
        bench.on_node(|disk| {
            synced(disk, "/f", b"old");
            let fd = disk.open_with("/f", RDWR, 0).unwrap();
            disk.pwrite(fd, b"new", 0).unwrap();
            disk.fail(id, bench.node, mode);
            assert_eq!(code(disk.fsync(fd)), libc::EIO);
            disk.heal(id);
            disk.fsync(fd).unwrap();
            let visible: &[u8] = match profile {
                Profile::Sequential => b"old",
                _ => b"new",
            };
            assert_eq!(get(disk, "/f").unwrap(), visible, "{}", profile.name());
        });
        bench.down_and_up(Down::PowerLoss);
        assert_eq!(bench.on_node(|disk| get(disk, "/f")).unwrap(), b"old");
        assert!(row(&bench, id).is_observed());
    }
}

#[test]
fn rule_5_the_kernel_writes_back_by_itself_a_closed_subset() {
    let mut left = BTreeSet::new();
    for seed in 0..20 {
        let range = Duration::from_secs(1);
        let config = DiskConfig {
            write_back: LatencyRange {
                lo: range,
                hi: range * 2,
            },
            ..DiskConfig::default()
        };
        let bench = Bench::new(seed, config);
        bench.on_node(|disk| {
            let fd = disk.open_with("/log", RDWR, 0).unwrap();
            for _ in 0..20 {
                disk.write(fd, &[7; 100]).unwrap();
            }
        });
        let before = bench.disk.pending_summary(bench.node).operations;
        bench.run_for(Duration::from_millis(2_100));
        let after = bench.disk.pending_summary(bench.node).operations;
        assert!(after < before || after == before && before == 41);
        let written_back = bench.disk.stats(bench.node).written_back;
        assert_eq!(written_back, (before - after) as u64);
        left.insert(after);
        bench.run_for(Duration::from_secs(1_000));
        assert_eq!(bench.disk.pending_summary(bench.node).operations, 0);
    }
    assert!(left.len() > 3, "{left:?}");
}

#[test]
fn rule_6_a_power_loss_has_six_outcomes_and_a_kill_none() {
    let mut kinds = BTreeSet::new();
    for seed in 0..200 {
        let config = DiskConfig {
            tear: TearUnit::None,
            ..DiskConfig::default()
        };
        let bench = Bench::new(seed, config);
        bench.on_node(|disk| {
            synced(disk, "/f", &[b'o'; 600]);
            let fd = disk.open_with("/f", RDWR, 0).unwrap();
            disk.pwrite(fd, &[b'n'; 600], 0).unwrap();
            put(disk, "/g", b"g", false);
        });
        bench.down_and_up(Down::Kill);
        assert_eq!(bench.on_node(|disk| get(disk, "/f")).unwrap(), [b'n'; 600]);
        bench.down_and_up(Down::PowerLoss);
        let report = bench.disk.last_crash(bench.node).unwrap();
        kinds.insert(report.kind);
        let content = bench.on_node(|disk| get(disk, "/f")).unwrap();
        let garbage = content.iter().any(|byte| !b"on".contains(byte));
        assert!(!garbage || report.kind == CrashKind::Garbage);
    }
    use CrashKind::{All, Garbage, Nothing, Prefix, Subset, Torn};
    let six = BTreeSet::from([All, Nothing, Prefix, Subset, Torn, Garbage]);
    assert_eq!(kinds, six);
}

#[test]
fn rule_6_disks_are_wiped_swapped_and_put_back() {
    let bench = Bench::new(1, DiskConfig::default());
    let other = bench.another();
    let ids = ["wipe", "swap", "stale"].map(|kind| fault(&bench, kind));
    let world = bench.simulation.world();
    bench.on_node(|disk| synced(disk, "/f", b"first"));
    world.on_node(other, || synced(&bench.disk, "/g", b"of the other"));
    let busy = bench.disk.wipe(ids[0], bench.node, None);
    assert_eq!(code(busy), libc::EBUSY, "it runs");

    let snapshot = bench.disk.snapshot(bench.node);
    bench.on_node(|disk| synced(disk, "/f", b"second"));
    let down_while = |change: &dyn Fn()| {
        for node in [bench.node, other] {
            assert!(world.kill_node(node, Down::PowerLoss));
        }
        change();
        for node in [bench.node, other] {
            world.restart_node(node);
        }
    };
    down_while(&|| {
        bench
            .disk
            .restore(ids[2], bench.node, &snapshot, None)
            .unwrap()
    });
    assert_eq!(bench.on_node(|disk| get(disk, "/f")).unwrap(), b"first");
    assert_eq!(count(&row(&bench, ids[2]).injected, "files-reverted"), 1);
    assert_eq!(count(&row(&bench, ids[2]).observed, "crash-state-read"), 1);

    down_while(&|| bench.disk.swap(ids[1], (bench.node, other), None).unwrap());
    assert_eq!(bench.on_node(|disk| get(disk, "/f")), None);
    assert_eq!(
        bench.on_node(|disk| get(disk, "/g")).unwrap(),
        b"of the other"
    );
    assert!(row(&bench, ids[1]).has_landed());

    down_while(&|| bench.disk.wipe(ids[0], bench.node, None).unwrap());
    assert_eq!(bench.on_node(|disk| get(disk, "/g")), None);
    assert!(row(&bench, ids[0]).has_landed());
}

#[test]
fn rule_6_a_volume_is_remounted_read_only() {
    let bench = Bench::new(1, DiskConfig::default());
    let id = fault(&bench, "read-only");
    bench.on_node(|disk| {
        synced(disk, "/f", b"x");
        let fd = disk.open_with("/f", RDWR, 0).unwrap();
        disk.fail(id, bench.node, FailMode::ReadOnly);
        assert_eq!(code(disk.write(fd, b"y")), libc::EROFS);
        assert_eq!(code(disk.set_len(fd, 0)), libc::EROFS);
        assert_eq!(code(disk.open_with("/f", libc::O_WRONLY, 0)), libc::EROFS);
        assert_eq!(code(disk.open_with("/g", RDWR, 0)), libc::EROFS);
        assert_eq!(code(disk.create_dir("/d", 0o755)), libc::EROFS);
        assert_eq!(code(disk.rename("/f", "/g")), libc::EROFS);
        assert_eq!(code(disk.remove_file("/f")), libc::EROFS);
        assert_eq!(code(disk.chmod("/f", 0o600)), libc::EROFS);
        disk.fsync(fd).unwrap();
        assert_eq!(get(disk, "/f").unwrap(), b"x");
        disk.heal(id);
        disk.remove_file("/f").unwrap();
    });
}

#[test]
fn rule_7_a_latent_error_stays_until_it_is_overwritten_and_spares_what_is_before_it() {
    let bench = Bench::new(1, DiskConfig::default());
    let id = fault(&bench, "latent");
    bench.on_node(|disk| {
        synced(disk, "/f", &[1; 8192]);
        let fd = disk.open_with("/f", RDWR, 0).unwrap();
        disk.damage(id, bench.node, (MediaFault::LatentError, 80_000), None);
        let bad = |disk: &Disk| -> Vec<u64> {
            let mut sector = [0; 512];
            let is_bad = |at: &u64| disk.pread(fd, &mut sector, at * 512).is_err();
            (0..16).filter(is_bad).collect()
        };
        let first = bad(disk);
        assert!((1..8).contains(&first.len()), "{first:?}");
        assert_eq!(bad(disk), first, "retries do not heal");
        disk.heal(id);
        assert_eq!(bad(disk), first, "neither does the end of the window");
        let at = first[0] * 512;
        if at > 0 {
            let before = disk.pread(fd, &mut [0; 8192], 0).unwrap() as u64;
            assert_eq!(before, at, "short, up to the bad sector");
        }
        disk.pwrite(fd, &[2; 512], at).unwrap();
        assert_eq!(bad(disk), first[1..], "what is pending is read");
        disk.fsync(fd).unwrap();
        assert_eq!(bad(disk), first[1..]);
    });
    assert!(row(&bench, id).has_landed());
}

#[test]
fn rule_7_lost_and_misdirected_writes_leave_the_old_data() {
    for kind in [MediaFault::LostWrite, MediaFault::MisdirectedWrite] {
        let bench = Bench::new(4, DiskConfig::default());
        let id = fault(&bench, "lost");
        bench.on_node(|disk| {
            synced(disk, "/other", &[9; 4096]);
            synced(disk, "/f", &[1; 1024]);
            let fd = disk.open_with("/f", RDWR, 0).unwrap();
            disk.damage(id, bench.node, (kind, ALL), None);
            disk.pwrite(fd, &[2; 512], 512).unwrap();
            assert_eq!(get(disk, "/f").unwrap()[512..], [2; 512], "still cached");
            disk.fsync(fd).unwrap();
            disk.heal(id);
            let (found, other) = (get(disk, "/f").unwrap(), get(disk, "/other").unwrap());
            assert_eq!(found[512..], [1; 512], "acknowledged, synced, not there");
            let elsewhere = [&found[..512], &other].concat();
            let hit = elsewhere.iter().filter(|&&byte| byte == 2).count();
            let expected = if kind == MediaFault::LostWrite {
                0
            } else {
                512
            };
            assert_eq!(hit, expected);
        });
        assert!(row(&bench, id).has_landed(), "{kind:?}");
    }
}

#[test]
fn rule_7_misdirected_and_uninitialised_reads_repeat() {
    let bench = Bench::new(4, DiskConfig::default());
    let ids = ["misdirected", "uninitialised"].map(|kind| fault(&bench, kind));
    bench.on_node(|disk| {
        synced(disk, "/other", &[9; 4096]);
        synced(disk, "/f", &[1; 512]);
        let fd = disk.open_with("/hole", RDWR, 0).unwrap();
        disk.set_len(fd, 1024).unwrap();
        disk.fsync(fd).unwrap();
        disk.damage(ids[0], bench.node, (MediaFault::MisdirectedRead, ALL), None);
        let first = get(disk, "/f").unwrap();
        assert_ne!(first, [1; 512]);
        disk.heal(ids[0]);
        assert_eq!(get(disk, "/f").unwrap(), first);
        synced(disk, "/f", &[3; 512]);
        assert_eq!(get(disk, "/f").unwrap(), [3; 512], "overwritten");
        disk.damage(ids[1], bench.node, (MediaFault::Uninitialised, ALL), None);
        let garbage = get(disk, "/hole").unwrap();
        assert_ne!(garbage, [0; 1024]);
        assert_eq!(get(disk, "/hole").unwrap(), garbage);
    });
    bench.down_and_up(Down::PowerLoss);
    bench.on_node(|disk| assert_ne!(get(disk, "/hole").unwrap(), [0; 1024], "sticky"));
    assert!(ids.iter().all(|id| row(&bench, *id).has_landed()));
}

#[test]
fn rule_8_errors_short_counts_and_calls_that_take_long() {
    let bench = Bench::new(1, DiskConfig::default());
    let ids: Vec<FaultId> = (0..5).map(|_| fault(&bench, "disk")).collect();
    let node = bench.node;
    bench.on_node(|disk| {
        let fd = disk.open_with("/f", RDWR, 0).unwrap();
        disk.fail(ids[0], node, FailMode::Emfile);
        assert_eq!(code(disk.open_with("/f", RDWR, 0)), libc::EMFILE);
        disk.heal(ids[0]);

        disk.fail(ids[1], node, FailMode::Short);
        let lens: Vec<usize> = (0..20)
            .map(|_| disk.write(fd, &[1; 100]).unwrap())
            .collect();
        assert!(lens.contains(&100) && lens.iter().any(|&len| len < 100));
        assert!(lens.iter().all(|&len| len > 0));
        disk.heal(ids[1]);

        let by = LatencyRange {
            lo: Duration::from_millis(5),
            hi: Duration::from_millis(9),
        };
        disk.fail(ids[2], node, FailMode::Slow { by });
        assert!((by.lo..=by.hi).contains(&disk.latency(OpKind::Sync)));
        disk.heal(ids[2]);
        let until = Some(SimInstant(7_000_000));
        disk.fail(ids[3], node, FailMode::Stall { until });
        assert_eq!(disk.latency(OpKind::Read), Duration::from_millis(7));
        disk.fail(ids[3], node, FailMode::Stall { until: None });
        assert_eq!(disk.latency(OpKind::Read), Duration::MAX);
        disk.heal(ids[3]);
        assert_eq!(disk.latency(OpKind::Read), Duration::ZERO);

        let crowded = FailMode::Crowded {
            free_bytes_max: 8 * 4096,
        };
        disk.fail(ids[4], node, crowded);
        let full = (0..10u64).filter(|at| disk.pwrite(fd, &[1; 4096], at * 4096).is_err());
        assert!((1..=10).contains(&full.count()));
    });
    assert!(ids.iter().all(|id| row(&bench, *id).has_landed()));
}

#[test]
fn rule_8_about_a_tenth_of_the_call_sites_fail_each_time() {
    let bench = Bench::new(1, DiskConfig::default());
    let id = fault(&bench, "sites");
    bench.on_node(|disk| {
        disk.fail(id, bench.node, FailMode::Sites { ppm: 100_000 });
        let fails = |path: &str| disk.create_dir(path, 0o755).is_err();
        let names: Vec<String> = (0..400u32).map(name_of).collect();
        let failing = names.iter().filter(|name| fails(name)).count();
        assert!((20..60).contains(&failing), "{failing}");
        let site = names
            .iter()
            .find(|name| fails(name) && disk.exists(Path::new(name)).is_err());
        let of = |n: u32| format!("/seg-{n}.log");
        let same: BTreeSet<bool> = (0..50).map(|n| fails(&of(n))).collect();
        assert_eq!(same.len(), 1, "numbers make no new site: {site:?}");
    });
}

/// A name without digits.
fn name_of(mut number: u32) -> String {
    let mut name = String::from("/");
    for _ in 0..4 {
        name.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    name
}

#[test]
fn rule_9_a_budget_spares_the_last_replicas() {
    let bench = Bench::new(1, DiskConfig::default());
    let nodes = [bench.node, bench.another(), bench.another()];
    let id = fault(&bench, "rot");
    let budget = Budget::new(nodes, 1, Chunk::Node);
    let budget = Rc::new(RefCell::new(budget));
    let world = bench.simulation.world();
    for node in nodes {
        world.on_node(node, || {
            synced(&bench.disk, "/f", &[1; 2048]);
            let all = (MediaFault::Rot, ALL);
            bench.disk.damage(id, node, all, Some(&budget));
        });
    }
    let damaged = |node: &NodeId| {
        let content = world.on_node(*node, || get(&bench.disk, "/f")).unwrap();
        content != [1; 2048]
    };
    assert_eq!(nodes.iter().filter(|node| damaged(node)).count(), 1);
    assert!(budget.borrow().withheld() > 0);
    assert!(world.kill_node(nodes[2], Down::PowerLoss));
    let wiped = bench.disk.wipe(id, nodes[2], Some(&budget));
    assert_eq!(code(wiped), libc::EDQUOT);
    bench.disk.wipe(id, nodes[2], None).unwrap();
}

#[test]
fn rule_10_the_power_goes_before_during_and_after_persistence_calls() {
    for point in [StrikePoint::Before, StrikePoint::During, StrikePoint::After] {
        let mut outcomes = BTreeSet::new();
        for seed in 0..40 {
            let bench = Bench::new(seed, DiskConfig::default());
            bench.on_node(|disk| synced(disk, "/f", &[b'o'; 2048]));
            let world = Rc::clone(bench.simulation.world());
            let node = bench.node;
            let power_off = Rc::new(move || {
                assert!(world.kill_node(node, Down::PowerLoss));
            });
            bench.disk.strike_at_sync(node, point, power_off);
            bench.on_node(|disk| {
                let fd = disk.open_with("/f", RDWR, 0).unwrap();
                disk.pwrite(fd, &[b'n'; 2048], 0).unwrap();
                assert_eq!(disk.latency(OpKind::Write), Duration::ZERO);
                let comes_back = disk.latency(OpKind::Sync) != Duration::MAX;
                assert_eq!(comes_back, point == StrikePoint::After);
                if comes_back {
                    disk.fsync(fd).unwrap();
                    assert_eq!(disk.latency(OpKind::Read), Duration::MAX);
                }
            });
            bench.run_for(Duration::from_millis(1));
            bench.simulation.world().restart_node(node);
            let content = bench.on_node(|disk| get(disk, "/f")).unwrap();
            let new = content.iter().filter(|&&byte| byte == b'n').count();
            outcomes.insert(new);
            assert!(point != StrikePoint::After || new == 2048);
        }
        let torn = outcomes.iter().any(|new| *new > 0 && *new < 2048);
        assert_eq!(torn, point != StrikePoint::After, "{point:?} {outcomes:?}");
    }
}

#[test]
fn rule_11_every_crash_state_is_found_once_and_can_be_started_from() {
    let bench = Bench::new(1, DiskConfig::default());
    bench.disk.explore(bench.node, 100);
    bench.on_node(|disk| {
        put(disk, "/f", b"x", true);
        sync_dir(disk, "/");
        let fd = disk.open_with("/f", RDWR, 0).unwrap();
        disk.pwrite(fd, b"y", 0).unwrap();
    });
    let (states, is_complete) = bench.disk.explored();
    drop(bench.finish());
    assert!(is_complete);
    let digests: BTreeSet<u64> = states.iter().map(|state| state.digest).collect();
    assert_eq!(digests.len(), states.len());
    let mut contents = BTreeSet::new();
    for state in &states {
        let fresh = Bench::new(2, DiskConfig::default());
        fresh.disk.load(fresh.node, state);
        contents.insert(fresh.on_node(|disk| get(disk, "/f")));
        drop(fresh.finish());
    }
    let content = |text: &[u8]| Some(text.to_vec());
    let expected = [
        None,
        content(b""),
        content(b"\0"),
        content(b"x"),
        content(b"y"),
    ];
    assert_eq!(contents, BTreeSet::from(expected));

    let bench = Bench::new(1, DiskConfig::default());
    bench.disk.explore(bench.node, 10);
    bench.on_node(|disk| put(disk, "/f", &[1; 40_000], true));
    let (states, is_complete) = bench.disk.explored();
    assert_eq!((states.len(), is_complete), (10, false), "bounded");
}

#[test]
fn rule_12_lints_name_habits_that_lose_data() {
    let config = DiskConfig {
        lints: true,
        ..DiskConfig::default()
    };
    let bench = Bench::new(1, config);
    let id = fault(&bench, "disk-error");
    let node = bench.node;
    bench.on_node(|disk| {
        put(disk, "/new", b"x", false);
        disk.rename("/new", "/f").unwrap();
        put(disk, "/clean", b"x", true);
        disk.rename("/clean", "/fine").unwrap();
        sync_dir(disk, "/");
        put(disk, "/late", b"x", true);
        disk.rename("/late", "/never-synced").unwrap();
        let fd = disk.open_with("/hole", RDWR, 0).unwrap();
        disk.set_len(fd, 100).unwrap();
        disk.read(fd, &mut [0; 10]).unwrap();
        disk.write(fd, b"data").unwrap();
        let fsync = FailMode::Eio {
            reads: false,
            writes: false,
            fsync: true,
        };
        disk.fail(id, node, fsync);
        assert_eq!(code(disk.fsync(fd)), libc::EIO);
        disk.heal(id);
        disk.fsync(fd).unwrap();
    });
    bench.run_for(Duration::from_secs(2));
    let found: Vec<(LintKind, String)> = bench
        .disk
        .lints()
        .into_iter()
        .map(|lint| (lint.kind, lint.path))
        .collect();
    let expected = [
        (LintKind::IgnoredSyncError, "/hole"),
        (LintKind::RenameBeforeSync, "/f"),
        (LintKind::RenameWithoutDirSync, "/never-synced"),
        (LintKind::ReadOfHole, "/hole"),
    ];
    let expected = expected.map(|(kind, path)| (kind, path.to_owned()));
    assert_eq!(found, expected);
}
