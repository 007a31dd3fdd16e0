//! Orders of hash tables, and whatever else follows addresses.
#![expect(clippy::disallowed_types, reason = "their order is what is looked at")]

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use crate::probe;

fn order<S: BuildHasher + Default>() -> String {
    let map: HashMap<u32, (), S> = (0..24).map(|key| (key, ())).collect();
    format!("{:?}", map.keys().collect::<Vec<_>>())
}

probe!(
    1,
    "std HashMap",
    order::<std::collections::hash_map::RandomState>()
);
probe!(2, "ahash", order::<ahash::RandomState>());
probe!(3, "foldhash", {
    let fast = order::<foldhash::fast::RandomState>();
    format!("{fast} {}", order::<foldhash::quality::RandomState>())
});
probe!(4, "hashbrown", {
    let map: hashbrown::HashMap<u32, ()> = (0..24).map(|key| (key, ())).collect();
    format!("{:?}", map.keys().collect::<Vec<_>>())
});
probe!(5, "pointer order", {
    let boxes: Vec<Box<u64>> = (0..64).map(Box::new).collect();
    // By address, and by a hash of it that has no seed: what a map keyed by pointers does.
    let address = |item: &u64| std::ptr::from_ref(item).addr();
    let hash = |item: &u64| address(item).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7;
    let items = || boxes.iter().map(|item| &**item);
    let by_address: BTreeMap<usize, u64> = items().map(|n| (address(n), *n)).collect();
    let by_hash: BTreeMap<usize, u64> = items().map(|n| (hash(n), *n)).collect();
    format!("{:?} {:?}", by_address.values(), by_hash.values())
});
probe!(6, "pointer addresses", {
    let boxes: Vec<Box<u64>> = (0..8).map(Box::new).collect();
    let local = 0_u8;
    format!(
        "{:?} {:p} {:p}",
        boxes
            .iter()
            .map(|item| format!("{item:p}"))
            .collect::<Vec<_>>(),
        &raw const local,
        order::<ahash::RandomState> as fn() -> String
    )
});
