//! Orders of hash tables, and whatever else follows addresses.
#![expect(clippy::disallowed_types, reason = "their order is what is looked at")]

use std::collections::HashMap;
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
