//! Where media damage is: by place and content, whatever else happens (rule 7); and what reads
//! past the page cache meet (rule 1).

use std::collections::BTreeSet;

use sim_disk::{Disk, DiskConfig, MediaFault};

use crate::harness::{Bench, code, fault, put, row};

const RDWR: i32 = libc::O_RDWR | libc::O_CREAT;

/// The bad sectors of 64, read in an order, after something else was done or not.
fn bad(order: &[u64], before: impl Fn(&Bench, &Disk)) -> BTreeSet<u64> {
    let bench = Bench::new(3, DiskConfig::default());
    let id = fault(&bench, "latent");
    let found = bench.on_node(|disk| {
        put(disk, "/f", &[1; 64 * 512], true);
        before(&bench, disk);
        disk.damage(id, bench.node, (MediaFault::LatentError, 100_000), None);
        let fd = disk.open_with("/f", RDWR, 0).unwrap();
        let is_bad = |at: &&u64| disk.pread(fd, &mut [0; 512], **at * 512).is_err();
        order.iter().filter(is_bad).copied().collect()
    });
    drop(bench.finish());
    found
}

#[test]
fn rule_7_damage_is_where_place_and_content_say() {
    let forth: Vec<u64> = (0..64).collect();
    let back: Vec<u64> = (0..64).rev().collect();
    let first = bad(&forth, |_, _| ());
    assert!((2..16).contains(&first.len()), "{first:?}");
    assert_eq!(bad(&back, |_, _| ()), first, "in another order");
    let busy = bad(&forth, |_, disk| {
        for at in 0..10 {
            put(disk, &format!("/other-{at}"), &[2; 5_000], true);
        }
    });
    assert_eq!(busy, first, "with other files");
    let another = bad(&forth, |_, disk| put(disk, "/f", &[3; 64 * 512], true));
    assert_ne!(another, first, "with other content");
}

#[test]
fn rule_1_a_direct_read_meets_the_media_below_what_is_dirty() {
    let bench = Bench::new(1, DiskConfig::default());
    let id = fault(&bench, "latent");
    bench.on_node(|disk| {
        put(disk, "/f", &[1; 512], true);
        disk.damage(id, bench.node, (MediaFault::LatentError, 1_000_000), None);
        let fd = disk.open_with("/f", RDWR, 0).unwrap();
        assert_eq!(code(disk.pread(fd, &mut [0; 512], 0)), libc::EIO);
        disk.pwrite(fd, &[2; 512], 0).unwrap();
        let direct = disk.open_with("/f", libc::O_RDWR | libc::O_DIRECT, 0);
        let direct = direct.unwrap();
        let mut sector = [0; 512];
        assert_eq!(disk.pread(fd, &mut sector, 0).unwrap(), 512);
        assert_eq!(sector, [2; 512], "from the cache");
        assert_eq!(code(disk.pread(direct, &mut sector, 0)), libc::EIO);
        disk.heal(id);
        disk.fsync(fd).unwrap();
        assert_eq!(disk.pread(direct, &mut sector, 0).unwrap(), 512);
        assert_eq!(sector, [2; 512], "written again");
    });
    assert!(row(&bench, id).has_landed());
}
