//! Injected errors, and the errors of the disk itself.

use std::path::Path;
use std::time::Duration;

use sim_disk::{DiskConfig, FailMode, OpKind, OpenFlags, Throughput};
use sim_runtime::Down;

use crate::harness::{Bench, code, count, fault, get, put, row, sync_dir};

#[test]
fn eio_hits_the_calls_that_it_names_until_it_heals() {
    let bench = Bench::new(1, DiskConfig::default());
    let id = fault(&bench, "disk-error");
    bench.on_node(|disk| {
        put(disk, "/f", b"content", true);
        let flags = OpenFlags {
            read: true,
            write: true,
            ..OpenFlags::default()
        };
        let fd = disk.open(Path::new("/f"), flags).unwrap();
        disk.fail(
            id,
            bench.node,
            FailMode::Eio {
                reads: true,
                writes: false,
                fsync: false,
            },
        );
        assert_eq!(code(disk.read(fd, &mut [0; 4])), libc::EIO);
        assert_eq!(code(disk.read_dir(Path::new("/"))), libc::EIO);
        assert_eq!(disk.write(fd, b"C").unwrap(), 1);
        disk.fail(
            id,
            bench.node,
            FailMode::Eio {
                reads: false,
                writes: true,
                fsync: false,
            },
        );
        assert_eq!(code(disk.write(fd, b"C")), libc::EIO);
        assert_eq!(code(disk.set_len(fd, 0)), libc::EIO);
        disk.heal(id);
        assert_eq!(disk.write(fd, b"O").unwrap(), 1);
        assert_eq!(disk.pread(fd, &mut [0; 7], 0).unwrap(), 7);
    });
    let row = row(&bench, id);
    assert_eq!(count(&row.injected, "disk-errors"), 4);
    assert_eq!(count(&row.observed, "errors-returned"), 4);
    assert_eq!(bench.disk.stats(bench.node).errors_injected, 4);
}

#[test]
fn a_fault_on_one_node_leaves_the_others_alone() {
    let bench = Bench::new(1, DiskConfig::default());
    let id = fault(&bench, "disk-error");
    let mode = FailMode::Eio {
        reads: true,
        writes: true,
        fsync: true,
    };
    bench.disk.fail(id, bench.node, mode);
    put(&bench.disk, "/of-the-harness", b"fine", true);
    assert!(!row(&bench, id).is_injected());
}

#[test]
fn after_a_failed_fsync_the_next_says_ok_and_a_power_loss_takes_the_data() {
    let bench = Bench::new(1, DiskConfig::default());
    let id = fault(&bench, "disk-error");
    bench.on_node(|disk| {
        let fd = disk.open(Path::new("/f"), OpenFlags::creating()).unwrap();
        sync_dir(disk, "/");
        disk.write(fd, b"doomed").unwrap();
        disk.fail(
            id,
            bench.node,
            FailMode::Eio {
                reads: false,
                writes: false,
                fsync: true,
            },
        );
        assert_eq!(code(disk.fsync(fd)), libc::EIO);
        disk.heal(id);
        disk.fsync(fd).unwrap();
        assert_eq!(get(disk, "/f").unwrap(), b"doomed");
    });
    assert_eq!(bench.disk.pending_summary(bench.node).operations, 0);
    bench.down_and_up(Down::PowerLoss);
    assert_eq!(count(&row(&bench, id).injected, "writes-lost"), 1);
    assert_eq!(count(&row(&bench, id).observed, "crash-state-read"), 0);
    assert_eq!(bench.on_node(|disk| get(disk, "/f")).unwrap(), [0; 6]);
    assert_eq!(count(&row(&bench, id).observed, "crash-state-read"), 1);
}

#[test]
fn enospc_hits_only_what_needs_space() {
    let bench = Bench::new(1, DiskConfig::default());
    let id = fault(&bench, "disk-full");
    bench.on_node(|disk| {
        put(disk, "/f", &[1; 4096], true);
        let flags = OpenFlags {
            read: true,
            write: true,
            ..OpenFlags::default()
        };
        let fd = disk.open(Path::new("/f"), flags).unwrap();
        disk.fail(id, bench.node, FailMode::Enospc);
        assert_eq!(disk.pwrite(fd, b"over", 0).unwrap(), 4);
        assert_eq!(code(disk.pwrite(fd, b"new page", 4096)), libc::ENOSPC);
        assert_eq!(
            code(disk.open(Path::new("/g"), OpenFlags::creating())),
            libc::ENOSPC
        );
        assert_eq!(code(disk.create_dir(Path::new("/d"), 0o755)), libc::ENOSPC);
        assert_eq!(
            code(disk.hard_link(Path::new("/f"), Path::new("/g"))),
            libc::ENOSPC
        );
        assert_eq!(
            code(disk.create_dir(Path::new("/tmp"), 0o755)),
            libc::EEXIST
        );
        let fd = disk.open(Path::new("/f"), OpenFlags::creating()).unwrap();
        assert_eq!(code(disk.write(fd, b"x")), libc::ENOSPC);
        disk.remove_file(Path::new("/f")).unwrap();
        disk.heal(id);
        put(disk, "/g", b"fits", true);
    });
    assert_eq!(count(&row(&bench, id).injected, "disk-errors"), 5);
    assert!(row(&bench, id).has_landed());
}

#[test]
fn capacity_ends_with_a_short_write_then_enospc_and_comes_back() {
    let config = DiskConfig {
        capacity_bytes: Some(4 * 4096),
        ..DiskConfig::default()
    };
    let bench = Bench::new(1, config);
    bench.on_node(|disk| {
        let fd = disk.open(Path::new("/f"), OpenFlags::creating()).unwrap();
        assert_eq!(disk.write(fd, &[1; 5 * 4096]).unwrap(), 4 * 4096);
        assert_eq!(code(disk.write(fd, &[1])), libc::ENOSPC);
        assert_eq!(disk.pwrite(fd, b"overwriting needs none", 0).unwrap(), 22);
        disk.set_len(fd, 4096).unwrap();
        put(disk, "/g", &[2; 3 * 4096], false);
        disk.remove_file(Path::new("/g")).unwrap();
        assert_eq!(disk.write(fd, &[3; 4096]).unwrap(), 4096);
    });
}

#[test]
fn descriptors_say_what_they_are_for() {
    let bench = Bench::new(1, DiskConfig::default());
    bench.on_node(|disk| {
        put(disk, "/f", b"x", false);
        let fd = disk.open(Path::new("/f"), OpenFlags::reading()).unwrap();
        assert_eq!(code(disk.write(fd, b"x")), libc::EBADF);
        assert_eq!(code(disk.set_len(fd, 0)), libc::EINVAL);
        disk.close(fd).unwrap();
        assert_eq!(code(disk.read(fd, &mut [0])), libc::EBADF);
        assert_eq!(code(disk.close(fd)), libc::EBADF);
    });
}

#[test]
fn permissions_and_times_are_remembered() {
    let bench = Bench::new(1, DiskConfig::default());
    bench.on_node(|disk| {
        let flags = OpenFlags {
            mode: 0o600,
            ..OpenFlags::creating()
        };
        let fd = disk.open(Path::new("/f"), flags).unwrap();
        assert_eq!(disk.metadata(fd).unwrap().mode, 0o600);
        disk.chmod(Path::new("/f"), 0o4755).unwrap();
        assert_eq!(disk.stat(Path::new("/f")).unwrap().mode, 0o4755);
        assert_eq!(disk.copy(Path::new("/f"), Path::new("/g")).unwrap(), 0);
        assert_eq!(disk.stat(Path::new("/g")).unwrap().mode, 0o4755);
        assert_eq!(disk.stat(Path::new("/tmp")).unwrap().mode, 0o1777);
    });
}

#[test]
fn a_device_does_one_thing_after_the_other_and_less_while_it_is_throttled() {
    let throughput = Some(Throughput {
        operations: 1_000,
        bytes: 4_096_000,
    });
    let config = DiskConfig {
        throughput,
        ..DiskConfig::default()
    };
    let bench = Bench::new(1, config);
    let id = fault(&bench, "throttle");
    let millis = Duration::from_millis;
    bench.on_node(|disk| {
        let fd = disk
            .open_with("/f", libc::O_RDWR | libc::O_CREAT, 0o644)
            .unwrap();
        disk.write(fd, &[1; 3 * 4096]).unwrap();
        assert_eq!(
            disk.latency(OpKind::Sync),
            millis(0),
            "writes are in memory"
        );
        disk.fsync(fd).unwrap();
        assert_eq!(
            disk.latency(OpKind::Read),
            millis(3),
            "three pages of a thousand a second"
        );
        assert_eq!(disk.latency(OpKind::Write), millis(0));
        disk.fsync(fd).unwrap();
        assert_eq!(
            disk.latency(OpKind::Sync),
            millis(4),
            "a sync of nothing is an operation"
        );
        let to = Throughput {
            operations: 10,
            bytes: 0,
        };
        disk.fail(id, bench.node, FailMode::Throttle { to });
        assert_eq!(disk.pread(fd, &mut [0; 4096], 0).unwrap(), 4096);
        assert_eq!(
            disk.latency(OpKind::Read),
            millis(105),
            "a tenth of a second, and its own"
        );
        disk.heal(id);
        assert_eq!(disk.latency(OpKind::Read), millis(5));
    });
    let row = row(&bench, id);
    assert_eq!(count(&row.injected, "calls-delayed"), 1);
    assert_eq!(row.injected_evidence[0].what, "read takes 100ms longer");
    assert_eq!(count(&row.observed, "waits"), 1);
}
