//! What volumes and calls cost, in allocations: nothing that grows with what else is pending,
//! and no memory for what was never written. Instructions are counted in `benches`.

use allocation_counter::{AllocationInfo, measure};
use sim_disk::{Disk, DiskConfig, Profile};
use sim_runtime::{Down, Fd};

use crate::harness::{Bench, get, sync_dir};

const RDWR: i32 = libc::O_RDWR | libc::O_CREAT;
const PAGE: u64 = 4096;
const GIB: u64 = 1 << 30;

fn open(disk: &Disk, path: &str) -> Fd {
    disk.open_with(path, RDWR, 0o644).unwrap()
}

/// Bytes that stay allocated after `f`.
fn kept(f: impl FnOnce()) -> u64 {
    let info = measure(f);
    u64::try_from(info.bytes_current).unwrap_or_default()
}

#[test]
fn a_sparse_gibibyte_costs_what_it_holds() {
    let bench = Bench::new(1, DiskConfig::default());
    bench.on_node(|disk| drop(get(disk, "/nothing")));
    let empty = kept(|| {
        bench.on_node(|disk| {
            let fd = open(disk, "/sparse");
            disk.set_len(fd, GIB).unwrap();
            disk.fsync(fd).unwrap();
            sync_dir(disk, "/");
        });
    });
    assert!(empty < 16 * 1024, "{empty} bytes for a hole");
    let written = 64 * PAGE;
    let full = kept(|| {
        bench.on_node(|disk| {
            let fd = open(disk, "/sparse");
            for at in 0..64 {
                disk.pwrite(fd, &[1; PAGE as usize], at * (GIB / 64))
                    .unwrap();
            }
        });
    });
    // A page is held once by the operation, the cache and the media.
    assert!(
        (written..written * 5 / 4).contains(&full),
        "{full} bytes for {written}"
    );
    let synced = kept(|| {
        bench.on_node(|disk| disk.fsync(open(disk, "/sparse")).unwrap());
    });
    assert!(synced < written / 8, "{synced} bytes more");
    let crashed = kept(|| bench.down_and_up(Down::PowerLoss));
    assert!(crashed < written / 8, "{crashed} bytes more");
    bench.on_node(|disk| {
        assert_eq!(disk.stat("/sparse").unwrap().len, GIB);
        let fd = open(disk, "/sparse");
        let mut page = [0; PAGE as usize];
        disk.pread(fd, &mut page, 63 * (GIB / 64)).unwrap();
        assert_eq!(page, [1; PAGE as usize]);
    });
}

/// A file of so many synced pages, each of them overwritten and not synced, beside as many names
/// that are not synced.
fn crowd(disk: &Disk, pending: u64) {
    disk.create_dir("/crowd", 0o755).unwrap();
    sync_dir(disk, "/");
    let fd = open(disk, "/crowd/file");
    disk.set_len(fd, pending * PAGE).unwrap();
    disk.fsync(fd).unwrap();
    sync_dir(disk, "/crowd");
    for at in 0..pending {
        disk.pwrite(fd, &[2; 512], at * PAGE).unwrap();
    }
}

/// What each of some calls allocates while so many operations of others are pending.
fn costs(profile: Profile, pending: u64) -> Vec<(&'static str, AllocationInfo)> {
    let config = DiskConfig {
        profile,
        ..DiskConfig::default()
    };
    let bench = Bench::new(1, config);
    bench.on_node(|disk| {
        disk.create_dir("/own", 0o755).unwrap();
        let fd = open(disk, "/own/file");
        disk.pwrite(fd, &[1; 16 * PAGE as usize], 0).unwrap();
        disk.sync_everything();
        crowd(disk, pending);
        let page = [3; PAGE as usize];
        let calls: [(&str, &dyn Fn()); 8] = [
            ("overwrite", &|| assert!(disk.pwrite(fd, &page, 0).is_ok())),
            ("read", &|| {
                assert!(disk.pread(fd, &mut [0; 4096], 0).is_ok())
            }),
            ("fsync", &|| disk.fsync(fd).unwrap()),
            ("append", &|| {
                assert!(disk.pwrite(fd, &page, 16 * PAGE).is_ok())
            }),
            ("fdatasync", &|| disk.fdatasync(fd).unwrap()),
            ("open and close", &|| {
                disk.close(open(disk, "/own/file")).unwrap()
            }),
            ("rename", &|| {
                disk.rename("/own/file", "/own/other").unwrap()
            }),
            ("directory sync", &|| sync_dir(disk, "/own")),
        ];
        calls.map(|(name, call)| (name, measure(call))).to_vec()
    })
}

#[test]
fn a_call_does_not_look_at_what_others_left_pending() {
    for profile in [Profile::PosixWeak, Profile::Ext4Ordered] {
        let (few, many) = (costs(profile, 100), costs(profile, 4_000));
        for ((call, few), (_, many)) in few.into_iter().zip(many) {
            let bound = |few: u64, slack: u64| few + few / 4 + slack;
            assert!(
                many.count_total <= bound(few.count_total, 4)
                    && many.bytes_total <= bound(few.bytes_total, 2_048),
                "{} of {call}: {few:?} beside 100, {many:?} beside 4,000",
                profile.name(),
            );
        }
    }
    // Under `sequential` a sync takes along all that is before it: twice costs nothing twice.
    let bench = Bench::new(
        1,
        DiskConfig {
            profile: Profile::Sequential,
            ..DiskConfig::default()
        },
    );
    bench.on_node(|disk| {
        crowd(disk, 4_000);
        let fd = open(disk, "/own");
        disk.fsync(fd).unwrap();
        assert_eq!(bench.disk.pending_summary(bench.node).operations, 0);
        let second = measure(|| disk.fsync(fd).unwrap());
        assert!(second.bytes_total < 1_024, "{second:?}");
    });
}
