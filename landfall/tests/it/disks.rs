//! What disks do by themselves, and what guests do with them that asks for trouble, is in the
//! reports of a seed and of a sweep.

use std::io;
use std::time::Duration;

use landfall::disk::{FailMode, disk};
use landfall::render;
use landfall::runtime::{NodeId, spawn, time, with};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sweeps::{pool, reports, sweep_all};

/// Everything that the lints are about.
#[landfall::test(seeds = 3)]
async fn a_careless_guest() -> io::Result<()> {
    fs::write("/new", b"x").await?;
    fs::rename("/new", "/kept").await?;

    let mut hole = File::create("/hole").await?;
    hole.set_len(100).await?;
    hole.sync_all().await?;
    File::open("/hole").await?.read_exact(&mut [0; 10]).await?;

    drop(File::create("/both").await?);
    let writers = [b'a', b'b'].map(|byte| {
        spawn(async move {
            let mut file = OpenOptions::new().write(true).open("/both").await?;
            file.write_all(&[byte; 100]).await?;
            file.flush().await
        })
    });
    for writer in writers {
        writer.await.expect("no panic")?;
    }

    let fault = with(|world| world.ledger().plan("by hand", "disk-error"));
    let fsync = FailMode::Eio {
        reads: false,
        writes: false,
        fsync: true,
    };
    disk()?.fail(fault, NodeId::HARNESS, fsync);
    hole.write_all(b"data").await?;
    let failed = hole.sync_all().await;
    assert!(failed.is_err(), "the disk fails");
    disk()?.heal(fault);
    hole.sync_all().await?;
    time::sleep(Duration::from_secs(40)).await;
    Ok(())
}

/// Nothing that they are about.
#[landfall::test(seeds = 3)]
async fn a_careful_guest() -> io::Result<()> {
    let mut file = File::create("/new").await?;
    file.write_all(b"x").await?;
    file.sync_all().await?;
    fs::rename("/new", "/kept").await?;
    File::open("/").await?.sync_all().await?;
    assert_eq!(fs::read("/kept").await?, b"x");
    time::sleep(Duration::from_secs(40)).await;
    Ok(())
}

#[test]
fn what_a_careless_guest_does_is_in_the_reports() {
    let mut pool = pool(1);
    let name = "disks::a_careless_guest";
    for report in reports(&mut pool, name, 2) {
        assert_eq!(report.failures(), Vec::<String>::new());
        let disks = report.disks.expect("there are disks");
        assert_eq!(
            (&*disks.profile, &*disks.tear),
            ("posix-weak", "atomic-512")
        );
        let kinds: Vec<&str> = disks.lints.iter().map(|lint| &*lint.kind).collect();
        let expected = [
            "overlapping-writes",
            "ignored-sync-error",
            "rename-before-sync",
            "rename-without-dir-sync",
            "read-of-hole",
        ];
        assert_eq!(kinds, expected, "{disks:#?}");
        assert_eq!(disks.lints[2].path, "/kept");
        assert!(disks.syncs >= 2 && disks.written_back > 0, "{disks:#?}");
    }
    let result = sweep_all(&mut pool, name, 2);
    let disks = &result.tally.disks;
    assert_eq!(disks.seeds["posix-weak, atomic-512"], 2);
    assert_eq!(disks.lints["rename-before-sync"].seeds, 2);
    let table = render::table([&result]);
    for part in [
        "    disks   posix-weak, atomic-512: ",
        " operations written back\n",
        "    lint    overlapping-writes in 2/2, 2 times; seed 0: ",
        "    lint    rename-before-sync in 2/2, 2 times; seed 0: ",
        "rename to /kept before its data was synced\n",
    ] {
        assert!(table.contains(part), "{part:?} is not in\n{table}");
    }
}

#[test]
fn what_a_careful_guest_does_is_no_lint() {
    let mut pool = pool(1);
    for report in reports(&mut pool, "disks::a_careful_guest", 2) {
        let disks = report.disks.expect("there are disks");
        assert_eq!(disks.lints, []);
        assert_eq!(disks.written_back, 0, "all of it was synced");
    }
}
