//! What disks do by themselves, and what guests do with them that asks for trouble, is in the
//! reports of a seed and of a sweep.

use std::io::{self, SeekFrom};
use std::time::Duration;

use landfall::disk::{FailMode, MediaFault, disk};
use landfall::render;
use landfall::runtime::{NodeId, spawn, time, with};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

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

/// A write that is acknowledged, synced and not there; a call that fails.
#[landfall::test(seeds = 3)]
async fn a_guest_on_a_lying_disk() -> io::Result<()> {
    fs::write("/log", [1; 1024]).await?;
    let mut log = OpenOptions::new().write(true).open("/log").await?;
    log.sync_all().await?;
    let plan = |name: &str| with(|world| world.ledger().plan(name, "disk"));
    let (lies, fails) = (plan("lies"), plan("fails"));
    disk()?.damage(
        lies,
        NodeId::HARNESS,
        (MediaFault::LostWrite, 1_000_000),
        None,
    );
    log.seek(SeekFrom::Start(512)).await?;
    log.write_all(&[2; 512]).await?;
    log.sync_all().await?;
    disk()?.heal(lies);
    assert_eq!(fs::read("/log").await?, [1; 1024]);
    let mode = FailMode::Eio {
        reads: true,
        writes: false,
        fsync: false,
    };
    disk()?.fail(fails, NodeId::HARNESS, mode);
    assert!(fs::read("/log").await.is_err());
    disk()?.heal(fails);
    Ok(())
}

#[test]
fn what_faults_of_disks_did_is_in_the_json_of_a_report() {
    let mut pool = pool(1);
    for report in reports(&mut pool, "disks::a_guest_on_a_lying_disk", 2) {
        assert_eq!(report.failures(), Vec::<String>::new());
        let json = serde_json::to_value(&report).expect("plain data has a JSON form");
        let [lies, fails] = &json["ledger"].as_array().expect("rows")[..] else {
            panic!("two faults: {json:#}");
        };
        // How many, of which file and which bytes, and the guest's call that met them.
        assert_eq!(lies["name"], "lies");
        assert_eq!(lies["injected"]["writes-lost"], 1);
        let first = |row: &serde_json::Value, of: &str| {
            let what = row[of][0]["what"].as_str();
            what.unwrap_or_else(|| panic!("no {of}: {row:#}"))
                .to_owned()
        };
        assert_eq!(first(lies, "injected_evidence"), "/log bytes 512..1024");
        assert_eq!(lies["observed"]["damage-read"], 1);
        let met = first(lies, "observed_evidence");
        let head = "/log bytes 512..1024 (writes-lost), met by read on ";
        assert!(met.starts_with(head), "{met}");
        assert_eq!(fails["injected"]["disk-errors"], 1);
        let failed = first(fails, "observed_evidence");
        assert!(failed.starts_with("read of /log failed: "), "{failed}");
    }
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
