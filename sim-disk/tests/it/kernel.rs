//! The kernel's calls beyond what std has: links, locks, holes, mounts, descriptors of places.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use sim_disk::{
    At, Disk, DiskConfig, FileKind, LockKind, LockOwner, OpenFlags, RangeLock, SetTime, VolumeId,
};
use sim_runtime::{Down, Fd};

use crate::harness::{Bench, code, get, put, sync_dir};

fn on_node(body: impl FnOnce(&Disk)) {
    let bench = Bench::new(1, DiskConfig::default());
    bench.on_node(body);
    drop(bench.finish());
}

fn open(disk: &Disk, path: &str, bits: i32) -> Fd {
    disk.open_with(path, bits, 0o644).unwrap()
}

#[test]
fn symbolic_links_lead_on_and_stop_where_asked() {
    on_node(|disk| {
        disk.create_dir("/d", 0o755).unwrap();
        put(disk, "/d/f", b"content", false);
        disk.symlink(Path::new("d"), "/to-dir").unwrap();
        disk.symlink(Path::new("../to-dir/f"), "/d/round").unwrap();
        disk.symlink(Path::new("loop"), "/loop").unwrap();
        assert_eq!(get(disk, "/to-dir/round").unwrap(), b"content");
        assert_eq!(
            disk.canonicalize("/to-dir/round").unwrap(),
            Path::new("/d/f")
        );
        assert_eq!(
            disk.symlink_metadata("/to-dir").unwrap().kind,
            FileKind::Symlink
        );
        assert_eq!(
            disk.symlink_metadata("/to-dir/").unwrap().kind,
            FileKind::Dir
        );
        assert_eq!(disk.read_link("/to-dir").unwrap(), Path::new("d"));
        assert_eq!(code(disk.stat("/loop")), libc::ELOOP);
        assert_eq!(
            code(disk.open_with("/to-dir", libc::O_NOFOLLOW, 0)),
            libc::ELOOP
        );
        disk.remove_dir_all(Path::new("/to-dir")).unwrap();
        assert_eq!(
            get(disk, "/d/f").unwrap(),
            b"content",
            "the link alone went"
        );
    });
}

#[test]
fn a_file_without_a_name_gets_one_or_goes() {
    on_node(|disk| {
        let fd = open(disk, "/tmp", libc::O_TMPFILE | libc::O_RDWR);
        disk.write(fd, b"unnamed").unwrap();
        assert_eq!(disk.metadata(fd).unwrap().links, 0);
        disk.link_file(fd, "/named").unwrap();
        assert_eq!(get(disk, "/named").unwrap(), b"unnamed");
        disk.remove_file("/named").unwrap();
        let refused = open(disk, "/tmp", libc::O_TMPFILE | libc::O_RDWR | libc::O_EXCL);
        assert_eq!(code(disk.link_file(refused, "/named")), libc::ENOENT);
    });
}

#[test]
fn exchange_swaps_whatever_the_names_stand_for() {
    on_node(|disk| {
        put(disk, "/f", b"file", false);
        disk.create_dir_all(Path::new("/d/e"), 0o755).unwrap();
        let how = |flags| disk.rename_with("/f", "/d/e", flags);
        assert_eq!(code(how(libc::RENAME_NOREPLACE)), libc::EEXIST);
        how(libc::RENAME_EXCHANGE).unwrap();
        assert_eq!(get(disk, "/d/e").unwrap(), b"file");
        assert!(disk.stat("/f").unwrap().is_dir());
        assert_eq!(
            disk.stat("/d").unwrap().links,
            2,
            "a file took the directory's place"
        );
        assert_eq!(code(how(libc::RENAME_WHITEOUT)), libc::EINVAL);
    });
}

#[test]
fn paths_start_at_open_directories_and_at_the_working_one() {
    on_node(|disk| {
        disk.create_dir_all(Path::new("/a/b"), 0o755).unwrap();
        let a = open(disk, "/a", libc::O_DIRECTORY);
        disk.rename("/a", "/moved").unwrap();
        disk.create_dir(At::of(a, Path::new("b/../c")), 0o755)
            .unwrap();
        assert!(disk.stat("/moved/c").unwrap().is_dir());
        disk.change_dir_to(a).unwrap();
        assert_eq!(disk.current_dir().unwrap(), Path::new("/moved"));
        put(disk, "here", b"x", false);
        assert_eq!(get(disk, "/moved/here").unwrap(), b"x");
        assert_eq!(disk.list(a).unwrap().len(), 3);
        disk.remove_dir_all(Path::new("/moved")).unwrap();
        assert_eq!(code(disk.current_dir()), libc::ENOENT);
        assert_eq!(code(disk.create_dir("late", 0o755)), libc::ENOENT);
    });
}

#[test]
fn space_is_reserved_punched_and_found() {
    let config = DiskConfig {
        capacity_bytes: Some(16 * 4096),
        ..DiskConfig::default()
    };
    let bench = Bench::new(1, config);
    bench.on_node(|disk| {
        let fd = open(disk, "/f", libc::O_RDWR | libc::O_CREAT);
        disk.allocate(fd, libc::FALLOC_FL_KEEP_SIZE, 0, 8 * 4096)
            .unwrap();
        let facts = disk.metadata(fd).unwrap();
        assert_eq!((facts.len, facts.blocks), (0, 64));
        assert_eq!(disk.volume_status("/").unwrap().blocks_free, 8);
        assert_eq!(code(disk.allocate(fd, 0, 0, 17 * 4096)), libc::ENOSPC);
        put(disk, "/fills", &[1; 8 * 4096], false);
        assert_eq!(
            disk.pwrite(fd, &[7; 8 * 4096], 0).unwrap(),
            8 * 4096,
            "set aside"
        );
        let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        disk.allocate(fd, punch, 100, 3 * 4096).unwrap();
        assert_eq!(disk.metadata(fd).unwrap().blocks, 48);
        assert_eq!(disk.seek_space(fd, 0, false).unwrap(), 4096);
        assert_eq!(disk.seek_space(fd, 4096, true).unwrap(), 3 * 4096);
        let mut at_edge = [9; 4];
        disk.pread(fd, &mut at_edge, 98).unwrap();
        assert_eq!(at_edge, [7, 7, 0, 0]);
        disk.fsync(fd).unwrap();
        sync_dir(disk, "/");
    });
    bench.down_and_up(Down::PowerLoss);
    bench.on_node(|disk| {
        let content = get(disk, "/f").unwrap();
        assert_eq!(content.iter().filter(|&&byte| byte == 0).count(), 3 * 4096);
        assert_eq!(disk.stat("/f").unwrap().blocks, 48);
    });
}

#[test]
fn copies_stay_within_the_kernel() {
    on_node(|disk| {
        put(disk, "/from", b"0123456789", false);
        let from = open(disk, "/from", libc::O_RDONLY);
        let to = open(disk, "/to", libc::O_RDWR | libc::O_CREAT);
        assert_eq!(
            disk.copy_file_range((from, Some(4)), (to, None), 100)
                .unwrap(),
            6
        );
        assert_eq!(
            disk.copy_file_range((from, None), (to, None), 2).unwrap(),
            2
        );
        assert_eq!(get(disk, "/to").unwrap(), b"45678901");
        let same = disk.copy_file_range((to, Some(0)), (to, Some(1)), 4);
        assert_eq!(code(same), libc::EINVAL);
    });
}

struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn locks_keep_descriptions_apart_and_wake_who_waits() {
    on_node(|disk| {
        let (a, b) = (open(disk, "/l", 0o102), open(disk, "/l", libc::O_RDWR));
        disk.lock_file(a, LockKind::Exclusive).unwrap();
        assert_eq!(code(disk.lock_file(b, LockKind::Shared)), libc::EWOULDBLOCK);
        let count = Arc::new(Count(AtomicU32::new(0)));
        disk.wait_for_lock(b, &Waker::from(Arc::clone(&count)))
            .unwrap();
        disk.close(a).unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        disk.lock_file(b, LockKind::Shared).unwrap();

        let c = open(disk, "/l", libc::O_RDWR);
        let lock = |kind, start, end| RangeLock { kind, start, end };
        let own = LockOwner::Description;
        disk.lock_range(b, own, lock(LockKind::Exclusive, 0, 100))
            .unwrap();
        disk.lock_range(b, own, lock(LockKind::Unlocked, 40, 60))
            .unwrap();
        disk.lock_range(c, own, lock(LockKind::Exclusive, 40, 60))
            .unwrap();
        let all = lock(LockKind::Shared, 0, u64::MAX);
        assert_eq!(code(disk.lock_range(c, own, all)), libc::EAGAIN);
        let found = disk
            .test_lock(c, own, lock(LockKind::Shared, 61, 62))
            .unwrap();
        assert_eq!(found, Some((own, lock(LockKind::Exclusive, 60, 100))));
        // Locks of the process: never in its own way, gone with any of its descriptors.
        disk.lock_range(b, LockOwner::Process, lock(LockKind::Exclusive, 200, 300))
            .unwrap();
        disk.lock_range(c, LockOwner::Process, lock(LockKind::Exclusive, 250, 300))
            .unwrap();
        let probe = lock(LockKind::Shared, 200, 300);
        assert!(disk.test_lock(b, own, probe).unwrap().is_some());
        disk.close(open(disk, "/l", libc::O_RDONLY)).unwrap();
        assert_eq!(disk.test_lock(b, own, probe).unwrap(), None);
    });
}

#[test]
fn o_sync_is_durable_on_return_o_direct_and_sync_file_range_are_not() {
    let rows = [
        (libc::O_SYNC, 0),
        (libc::O_DSYNC, 0),
        (libc::O_DIRECT, 1),
        (0, 1),
    ];
    for (bits, pending) in rows {
        let bench = Bench::new(1, DiskConfig::default());
        bench.on_node(|disk| {
            put(disk, "/f", &[0; 512], true);
            sync_dir(disk, "/");
            let fd = open(disk, "/f", libc::O_RDWR | bits);
            disk.pwrite(fd, &[1; 512], 0).unwrap();
            if bits == libc::O_DIRECT {
                assert_eq!(code(disk.pwrite(fd, &[1; 100], 0)), libc::EINVAL);
            }
            disk.sync_file_range(fd, 0, 0, libc::SYNC_FILE_RANGE_WRITE)
                .unwrap();
        });
        let summary = bench.disk.pending_summary(bench.node);
        assert_eq!(summary.writes, pending, "{bits:#x}");
        bench.on_node(|disk| {
            let fd = open(disk, "/", libc::O_RDONLY);
            disk.sync_volume(fd).unwrap();
        });
        assert_eq!(bench.disk.pending_summary(bench.node).operations, 0);
    }
}

#[test]
fn volumes_are_apart_and_lose_power_together() {
    let bench = Bench::new(3, DiskConfig::default());
    let (data, at) = (VolumeId::ADDED, Path::new("/mnt/data"));
    bench.disk.mount(bench.node, at, data).unwrap();
    assert_eq!(
        code(bench.disk.mount(bench.node, Path::new("/other"), data)),
        libc::EBUSY
    );
    bench.on_node(|disk| {
        put(disk, "/mnt/data/f", b"on it", true);
        sync_dir(disk, "/mnt/data");
        assert_eq!(disk.stat("/mnt/data/f").unwrap().volume, data);
        assert_eq!(code(disk.rename("/mnt/data/f", "/f")), libc::EXDEV);
        assert_eq!(code(disk.hard_link("/mnt/data/f", "/f")), libc::EXDEV);
        assert_eq!(code(disk.remove_dir("/mnt/data")), libc::EBUSY);
        assert_eq!(code(disk.rename("/mnt/data", "/elsewhere")), libc::EBUSY);
        assert!(disk.stat("/mnt/data/../data/..").unwrap().is_dir());
        disk.change_dir("/mnt/data").unwrap();
        assert_eq!(disk.current_dir().unwrap(), at);
        let up = disk.canonicalize("..").unwrap();
        assert_eq!(up, Path::new("/mnt"));
        put(disk, "/mnt/data/lost", b"not synced", false);
    });
    assert!(bench.disk.pending_summary(bench.node).operations > 0);
    bench.down_and_up(Down::PowerLoss);
    assert_eq!(bench.disk.pending_summary(bench.node).operations, 0);
    let found = bench.on_node(|disk| get(disk, "/mnt/data/f"));
    assert_eq!(found.unwrap(), b"on it");
}

#[test]
fn times_are_set_and_kept() {
    on_node(|disk| {
        put(disk, "/f", b"x", false);
        let fd = open(disk, "/f", libc::O_RDONLY);
        let before = disk.metadata(fd).unwrap();
        disk.set_times(fd, SetTime::At(5), SetTime::Keep).unwrap();
        disk.set_path_times("/f", SetTime::Keep, SetTime::At(7), true)
            .unwrap();
        let after = disk.stat("/f").unwrap();
        assert_eq!((after.accessed_unix_ns, after.modified_unix_ns), (5, 7));
        assert_eq!(after.created_unix_ns, before.created_unix_ns);
        disk.set_times(fd, SetTime::Now, SetTime::Now).unwrap();
        assert!(disk.stat("/f").unwrap().modified_unix_ns >= before.modified_unix_ns);
    });
}

#[test]
fn o_path_descriptors_are_places_without_content() {
    on_node(|disk| {
        put(disk, "/f", b"x", false);
        let fd = open(disk, "/f", libc::O_PATH);
        assert_eq!(code(disk.read(fd, &mut [0])), libc::EBADF);
        assert_eq!(code(disk.fsync(fd)), libc::EBADF);
        assert_eq!(disk.metadata(fd).unwrap().len, 1);
        let flags = OpenFlags {
            append: true,
            ..OpenFlags::default()
        };
        let fd = disk.open("/f", flags).unwrap();
        assert_eq!(disk.flags(fd).unwrap(), libc::O_WRONLY | libc::O_APPEND);
        disk.set_flags(fd, 0).unwrap();
        disk.write(fd, b"y").unwrap();
        assert_eq!(get(disk, "/f").unwrap(), b"y", "not appended any more");
    });
}
