//! What the ledger has of a fault of a disk: operations lost, torn, failed, misdirected, with
//! files and offsets, and the call of the guest that met them.

use sim_disk::{DiskConfig, FailMode, MediaFault, TearUnit};
use sim_runtime::{Down, LedgerRow};

use crate::harness::{Bench, code, count, fault, get, put, row, sync_dir};

const RDWR: i32 = libc::O_RDWR | libc::O_CREAT;
const ALL: u32 = 1_000_000;

fn injected(row: &LedgerRow) -> &str {
    &row.injected_evidence[0].what
}

fn observed(row: &LedgerRow) -> &str {
    &row.observed_evidence[0].what
}

/// A node with a synced file of four sectors, and what media did to it when it was overwritten,
/// synced and read again.
fn overwritten(kind: MediaFault) -> LedgerRow {
    let bench = Bench::new(4, DiskConfig::default());
    let id = fault(&bench, "media");
    bench.on_node(|disk| {
        put(disk, "/other", &[9; 4096], true);
        put(disk, "/f", &[1; 2048], true);
        sync_dir(disk, "/");
        let fd = disk.open_with("/f", RDWR, 0).unwrap();
        disk.damage(id, bench.node, (kind, ALL), None);
        disk.pwrite(fd, &[2; 512], 512).unwrap();
        disk.fsync(fd).unwrap();
        disk.heal(id);
        assert_ne!(get(disk, "/f").unwrap()[512..1024], [2; 512]);
    });
    row(&bench, id)
}

#[test]
fn a_lost_write_has_its_place_and_who_read_the_old_data() {
    let row = overwritten(MediaFault::LostWrite);
    assert_eq!(count(&row.injected, "writes-lost"), 1);
    assert_eq!(injected(&row), "/f bytes 512..1024");
    assert_eq!(count(&row.observed, "damage-read"), 1);
    assert_eq!(
        observed(&row),
        "/f bytes 512..1024 (writes-lost), met by read on one"
    );
}

#[test]
fn a_misdirected_write_has_both_places() {
    let row = overwritten(MediaFault::MisdirectedWrite);
    assert_eq!(count(&row.injected, "writes-misdirected"), 1);
    let what = injected(&row);
    assert!(
        what.starts_with("/f bytes 512..1024 written to /"),
        "{what}"
    );
    assert!(what.matches(" bytes ").count() == 2, "{what}");
    assert!(observed(&row).ends_with(", met by read on one"));
}

#[test]
fn a_misdirected_read_has_both_places() {
    let bench = Bench::new(4, DiskConfig::default());
    let id = fault(&bench, "media");
    bench.on_node(|disk| {
        put(disk, "/other", &[9; 4096], true);
        put(disk, "/f", &[1; 512], true);
        disk.damage(id, bench.node, (MediaFault::MisdirectedRead, ALL), None);
        assert_ne!(get(disk, "/f").unwrap(), [1; 512]);
    });
    let row = row(&bench, id);
    assert_eq!(count(&row.injected, "reads-misdirected"), 1);
    assert_eq!(injected(&row), "/f bytes 0..512");
    let what = observed(&row);
    assert!(what.starts_with("/f bytes 0..512 read from /"), "{what}");
    assert!(what.ends_with(", met by read on one"), "{what}");
}

#[test]
fn a_failed_call_has_its_name_file_and_error() {
    let bench = Bench::new(1, DiskConfig::default());
    let (id, latent) = (fault(&bench, "disk-error"), fault(&bench, "latent"));
    let mode = FailMode::Eio {
        reads: false,
        writes: true,
        fsync: false,
    };
    bench.on_node(|disk| {
        put(disk, "/f", &[1; 1024], true);
        let fd = disk.open_with("/f", RDWR, 0).unwrap();
        disk.fail(id, bench.node, mode);
        assert_eq!(code(disk.write(fd, b"x")), libc::EIO);
        disk.heal(id);
        disk.damage(latent, bench.node, (MediaFault::LatentError, ALL), None);
        assert_eq!(code(disk.pread(fd, &mut [0; 512], 512)), libc::EIO);
    });
    let failed = row(&bench, id);
    assert_eq!(count(&failed.injected, "disk-errors"), 1);
    assert_eq!(count(&failed.observed, "errors-returned"), 1);
    assert!(injected(&failed).starts_with("write of /f failed: "));
    assert_eq!(injected(&failed), observed(&failed));
    let latent = row(&bench, latent);
    assert_eq!(count(&latent.injected, "latent-errors"), 1);
    assert_eq!(injected(&latent), "/f bytes 512..1024");
    assert_eq!(
        observed(&latent),
        "read of /f bytes 512..1024 failed, met by read on one"
    );
}

/// What a power loss took of an overwrite, and the call after the restart that met it; with the
/// first seed in which the overwrite was torn, or lost.
fn crashed(torn: bool) -> LedgerRow {
    for seed in 0..200 {
        let config = DiskConfig {
            tear: TearUnit::Atomic512,
            ..DiskConfig::default()
        };
        let bench = Bench::new(seed, config);
        let id = fault(&bench, "power-loss");
        bench.on_node(|disk| {
            put(disk, "/f", &[1; 4096], true);
            sync_dir(disk, "/");
            let fd = disk.open_with("/f", RDWR, 0).unwrap();
            disk.pwrite(fd, &[2; 1024], 1024).unwrap();
        });
        bench.disk.blame_down(bench.node, id);
        bench.down_and_up(Down::PowerLoss);
        let counter = if torn { "writes-torn" } else { "writes-lost" };
        if count(&row(&bench, id).injected, counter) == 0 {
            continue;
        }
        bench.on_node(|disk| get(disk, "/f"));
        return row(&bench, id);
    }
    panic!("no seed of 200 has it");
}

#[test]
fn a_power_loss_has_what_it_lost_and_tore_and_the_first_call_that_met_it() {
    for (torn, how) in [(false, "lost"), (true, "torn")] {
        let row = crashed(torn);
        assert_eq!(count(&row.observed, "crash-state-read"), 1);
        let place = format!("/f bytes 1024..2048 {how}");
        assert_eq!(injected(&row), place);
        assert_eq!(observed(&row), format!("{place}, met by read on one"));
        assert!(row.observed_evidence[0].at >= row.injected_evidence[0].at);
    }
}

#[test]
fn a_lost_name_is_met_by_whatever_looks_for_it() {
    for seed in 0..50 {
        let bench = Bench::new(seed, DiskConfig::default());
        let id = fault(&bench, "power-loss");
        bench.on_node(|disk| put(disk, "/new", b"x", true));
        bench.disk.blame_down(bench.node, id);
        bench.down_and_up(Down::PowerLoss);
        if count(&row(&bench, id).injected, "names-lost") == 0 {
            continue;
        }
        assert!(bench.on_node(|disk| disk.stat("/new")).is_err());
        let row = row(&bench, id);
        assert_eq!(injected(&row), "change of /new lost");
        assert_eq!(observed(&row), "change of /new lost, met by stat on one");
        return;
    }
    panic!("no seed of 50 lost it");
}
