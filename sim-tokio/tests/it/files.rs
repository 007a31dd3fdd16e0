//! Files on the simulated disk: processes, power, latency.

use std::io;
use std::time::Duration;

use sim_disk::{Disk, DiskConfig, Latency, LatencyRange};
use sim_runtime::{Config, Down, Seed, Simulation, spawn_on, time};
use tokio::fs;
use tokio::io::AsyncWriteExt;

use crate::support::{simulate, simulate_world, start};

/// Writes something that is synced and something that is not; stays, also when started again.
async fn writer() {
    if fs::try_exists("/log").await.unwrap() {
        return std::future::pending().await;
    }
    let mut log = fs::File::create("/log").await.unwrap();
    log.write_all(b"synced").await.unwrap();
    log.sync_all().await.unwrap();
    fs::File::open("/").await.unwrap().sync_all().await.unwrap();
    log.write_all(b" and not").await.unwrap();
    log.flush().await.unwrap();
    std::future::pending().await
}

/// What is in the log after its node went `down` and came back.
fn log_after(seed: u64, down: Down) -> Vec<u8> {
    simulate_world(seed, move |world| async move {
        let node = start(&world, "writer", 1, writer);
        time::sleep(Duration::from_millis(10)).await;
        world.kill_node(node, down);
        time::sleep(Duration::from_millis(10)).await;
        world.restart_node(node);
        let log = spawn_on(node, "reader", fs::read("/log"));
        log.await.unwrap().unwrap()
    })
}

#[test]
fn a_kill_loses_nothing_and_a_power_loss_only_what_was_not_synced() {
    let mut lost = false;
    for seed in 0..20 {
        assert_eq!(log_after(seed, Down::Kill), b"synced and not");
        let log = log_after(seed, Down::PowerLoss);
        assert!(log.starts_with(b"synced"), "{log:?}");
        lost |= log == b"synced";
    }
    assert!(lost);
}

/// How long a write and a sync take on a slow disk, in milliseconds.
#[test]
fn calls_take_the_latency_of_the_disk() {
    let simulation = Simulation::new(Config::new(Seed(1)));
    let exactly = |millis| {
        let time = Duration::from_millis(millis);
        LatencyRange { lo: time, hi: time }
    };
    let latency = Latency {
        write: exactly(3),
        sync: exactly(20),
        ..Latency::default()
    };
    Disk::install(
        simulation.world(),
        DiskConfig {
            latency,
            ..DiskConfig::default()
        },
    );
    let taken = simulation.block_on(async {
        let mut file = fs::File::create("/file").await.unwrap();
        let start = tokio::time::Instant::now();
        file.write_all(b"x").await.unwrap();
        let written = start.elapsed();
        assert_eq!(
            fs::read("/file").await.unwrap(),
            b"",
            "it is written in the background"
        );
        file.sync_data().await.unwrap();
        (written.as_millis(), start.elapsed().as_millis())
    });
    assert_eq!(taken.unwrap(), (0, 23));
    drop(simulation.finish());
}

#[test]
fn a_write_goes_on_when_its_file_is_dropped() {
    simulate(1, || async {
        let mut file = fs::File::create("/file").await.unwrap();
        file.write_all(b"x").await.unwrap();
        drop(file);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(fs::read("/file").await.unwrap(), b"x");
    });
}

#[test]
fn without_a_disk_calls_fail_and_say_so() {
    let simulation = Simulation::new(Config::new(Seed(1)));
    let error = simulation.block_on(fs::read("/file")).unwrap().unwrap_err();
    assert_ne!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.raw_os_error().is_some(), "{error}");
}
