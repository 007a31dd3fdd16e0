//! `#[landfall::test]`.

#![expect(
    clippy::disallowed_types,
    reason = "what is simulated is what is tested"
)]

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

use landfall::runtime::{in_simulation, spawn, time};

#[landfall::test]
async fn a_day_passes_at_once() {
    let start = Instant::now();
    time::sleep(Duration::from_secs(86_400)).await;
    assert!(start.elapsed() >= Duration::from_secs(86_400));
    assert!(in_simulation());
}

#[landfall::test(seeds = 3)]
async fn wall_clocks_and_hash_order_are_the_seeds() -> Result<(), std::time::SystemTimeError> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    assert_eq!(since.as_secs() / 86_400, 1_767_225_600 / 86_400);
    // What the order is enters the digest; two runs of a seed are compared.
    let map: HashMap<u64, u64> = (0..100).map(|key| (key, key)).collect();
    let first = *map.keys().next().expect("not empty");
    landfall::runtime::with(|world| world.event(landfall::runtime::EventKind::User, first, 0));
    Ok(())
}

#[landfall::test(seeds = 5)]
async fn tasks_share_the_world() {
    let handles: Vec<_> = (0..10_u64).map(|n| spawn(async move { n })).collect();
    let mut seen = HashSet::new();
    for handle in handles {
        seen.insert(handle.await.expect("no panic"));
    }
    assert_eq!(seen.len(), 10);
}
