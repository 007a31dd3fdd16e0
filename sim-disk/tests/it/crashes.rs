//! Power loss and process kill, through the world.

use std::collections::BTreeSet;
use std::path::Path;

use sim_disk::{CrashKind, DiskConfig, OpenFlags, Profile, TearUnit};
use sim_runtime::Down;

use crate::conformance::random_calls;
use crate::fs::Ours;
use crate::harness::{Bench, get, put, sync_dir};

const PROFILES: [Profile; 3] = [
    Profile::PosixWeak,
    Profile::Ext4Ordered,
    Profile::Sequential,
];

#[test]
fn a_kill_or_an_exit_keeps_everything() {
    for down in [Down::Kill, Down::Exit] {
        let bench = Bench::new(1, DiskConfig::default());
        bench.on_node(|disk| put(disk, "/f", b"never synced", false));
        let before = bench.disk.pending_summary(bench.node);
        assert!(before.operations > 0);
        bench.down_and_up(down);
        assert_eq!(bench.disk.pending_summary(bench.node), before);
        let found = bench.on_node(|disk| get(disk, "/f"));
        assert_eq!(found.as_deref(), Some(&b"never synced"[..]));
        assert_eq!(bench.disk.stats(bench.node).power_losses, 0);
    }
}

#[test]
fn what_was_synced_survives_every_power_loss() {
    for profile in PROFILES {
        for tear in [TearUnit::Atomic512, TearUnit::Atomic4096, TearUnit::None] {
            for seed in 0..30 {
                let config = DiskConfig {
                    profile,
                    tear,
                    ..DiskConfig::default()
                };
                let bench = Bench::new(seed, config);
                let content = vec![b's'; 10_000];
                bench.on_node(|disk| {
                    put(disk, "/tmp/synced", &content, true);
                    sync_dir(disk, "/tmp");
                    put(disk, "/tmp/other", &content, false);
                });
                bench.down_and_up(Down::PowerLoss);
                let found = bench.on_node(|disk| get(disk, "/tmp/synced"));
                assert_eq!(found.as_ref(), Some(&content));
                assert_eq!(bench.disk.pending_summary(bench.node).operations, 0);
            }
        }
    }
}

#[test]
fn every_kind_of_crash_is_reached_and_every_outcome() {
    let mut kinds = BTreeSet::new();
    let (mut lost, mut torn, mut names) = (0, 0, 0);
    for seed in 0..100 {
        let bench = Bench::new(seed, DiskConfig::default());
        bench.on_node(|disk| {
            put(disk, "/wal", &[b'o'; 2048], true);
            sync_dir(disk, "/");
            let fd = disk.open(
                Path::new("/wal"),
                OpenFlags {
                    write: true,
                    ..OpenFlags::default()
                },
            );
            disk.pwrite(fd.unwrap(), &[b'n'; 2048], 0).unwrap();
            put(disk, "/new", b"new", true);
        });
        bench.down_and_up(Down::PowerLoss);
        let report = bench.disk.last_crash(bench.node).unwrap();
        kinds.insert(report.kind);
        lost += report.writes_lost;
        torn += report.writes_torn;
        names += report.names_lost;
        let wal = bench.on_node(|disk| get(disk, "/wal")).unwrap();
        let runs: Vec<usize> = wal.chunk_by(|a, b| a == b).map(<[u8]>::len).collect();
        assert!(
            runs.iter().all(|run| run % 512 == 0),
            "torn within a sector: {runs:?}"
        );
        assert_eq!(report.writes_torn == 1, runs.len() > 1, "{report:?}");
        let is_old = wal == [b'o'; 2048];
        assert_eq!(report.writes_lost == 1, is_old, "{report:?}");
        let new = bench.on_node(|disk| get(disk, "/new"));
        assert_eq!(report.names_lost == 1, new.is_none(), "{report:?}");
        assert!(new.is_none_or(|new| new == b"new"), "its data was synced");
    }
    use CrashKind::{All, Nothing, Prefix, Subset, Torn};
    assert_eq!(kinds, BTreeSet::from([All, Nothing, Prefix, Subset, Torn]));
    assert!(lost > 0 && torn > 0 && names > 0);
}

#[test]
fn without_an_atomic_unit_a_write_is_cut_anywhere() {
    let mut cuts = BTreeSet::new();
    for seed in 0..60 {
        let config = DiskConfig {
            tear: TearUnit::None,
            ..DiskConfig::default()
        };
        let bench = Bench::new(seed, config);
        bench.on_node(|disk| {
            put(disk, "/f", &[b'o'; 100], true);
            sync_dir(disk, "/");
            let fd = disk.open(
                Path::new("/f"),
                OpenFlags {
                    write: true,
                    ..OpenFlags::default()
                },
            );
            disk.write(fd.unwrap(), &[b'n'; 100]).unwrap();
        });
        bench.down_and_up(Down::PowerLoss);
        let found = bench.on_node(|disk| get(disk, "/f")).unwrap();
        cuts.insert(found.iter().filter(|&&byte| byte == b'n').count());
    }
    assert!(cuts.len() > 5, "{cuts:?}");
    assert!(cuts.contains(&0) && cuts.contains(&100), "{cuts:?}");
}

#[test]
fn a_power_loss_with_nothing_pending_takes_nothing_and_draws_nothing() {
    let bench = Bench::new(1, DiskConfig::default());
    bench.on_node(|disk| {
        put(disk, "/f", b"synced", true);
        sync_dir(disk, "/");
    });
    bench.down_and_up(Down::PowerLoss);
    let report = bench.disk.last_crash(bench.node).unwrap();
    assert_eq!(report.kind, CrashKind::Clean);
    assert_eq!(
        (report.writes_lost, report.writes_torn, report.names_lost),
        (0, 0, 0)
    );
}

#[test]
fn the_volume_is_usable_after_a_power_loss_with_files_open() {
    for seed in 0..40 {
        let bench = Bench::new(seed, DiskConfig::default());
        for round in 0..5u8 {
            let stale = bench.on_node(|disk| {
                let fd = disk
                    .open(Path::new("/open"), OpenFlags::creating())
                    .unwrap();
                disk.write(fd, &[round; 5_000]).unwrap();
                disk.create_dir_all(Path::new("/a/b"), 0o755).unwrap();
                put(disk, "/a/b/f", &[round], round % 2 == 0);
                disk.remove_file(Path::new("/open")).unwrap();
                fd
            });
            bench.down_and_up(Down::PowerLoss);
            bench.on_node(|disk| {
                let error = disk.read(stale, &mut [0]).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EBADF));
            });
        }
        bench.on_node(|disk| {
            for entry in disk.read_dir(Path::new("/")).unwrap() {
                let path = Path::new("/").join(&entry.name);
                let metadata = disk.stat(&path).unwrap();
                assert_eq!(metadata.inode, entry.inode);
                if entry.is_dir() {
                    disk.remove_dir_all(&path).unwrap();
                } else {
                    disk.remove_file(&path).unwrap();
                }
            }
            assert_eq!(disk.stat(Path::new("/")).unwrap().links, 2);
        });
    }
}

#[test]
fn a_dead_process_changes_no_disk() {
    let bench = Bench::new(1, DiskConfig::default());
    bench.on_node(|disk| put(disk, "/f", b"x", false));
    assert!(bench.simulation.world().kill_node(bench.node, Down::Kill));
    bench.on_node(|disk| {
        let error = disk.remove_file(Path::new("/f")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    });
}

/// Whatever was going on, the next boot finds a sound file system, within its bounds.
#[test]
fn random_calls_with_crashes_in_between_leave_a_sound_volume() {
    for profile in PROFILES {
        for seed in 0..12 {
            let config = DiskConfig {
                profile,
                dirty_ops_max: 200,
                ..DiskConfig::default()
            };
            let bench = Bench::new(seed, config);
            for round in 0..6 {
                let log =
                    bench.on_node(|disk| random_calls(&Ours::new(disk), seed * 100 + round, 300));
                assert!(log.len() > 100);
                assert!(bench.disk.pending_summary(bench.node).operations <= 210);
                let down = if round % 3 == 2 {
                    Down::Kill
                } else {
                    Down::PowerLoss
                };
                bench.down_and_up(down);
            }
            bench.on_node(|disk| {
                disk.remove_dir_all(Path::new("/base"))
                    .unwrap_or_else(|error| {
                        assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "lost itself");
                    });
                sync_dir(disk, "/");
                assert_eq!(disk.stat(Path::new("/")).unwrap().links, 3, "/tmp alone");
            });
            bench.down_and_up(Down::PowerLoss);
            let left = bench.on_node(|disk| disk.read_dir(Path::new("/")).unwrap());
            assert_eq!(left.len(), 1, "{left:?}");
        }
    }
}
