//! What tables and lists take, as the budget counts it: the allocator's share and growth included.

use rustc_hash::{FxHashMap, FxHashSet};

/// Entries that may come between two looks at the budget.
pub(super) const MORE: usize = 64;

/// While it grows, what is as large as it was and what is twice as large stand side by side.
const WHILE_GROWING: u64 = 3;

/// What a table takes, without what its entries point to; what it will take if it has to grow now.
pub(super) fn of_map<K, V>(map: &FxHashMap<K, V>) -> u64 {
    of_slots(map.len(), map.capacity(), size_of::<(K, V)>())
}

/// The same of a set.
pub(super) fn of_set<K>(set: &FxHashSet<K>) -> u64 {
    of_slots(set.len(), set.capacity(), size_of::<K>())
}

/// The same of a list.
pub(super) fn of_list<T>(list: &Vec<T>) -> u64 {
    let bytes = (list.capacity() * size_of::<T>()) as u64;
    bytes * factor(list.len(), list.capacity())
}

/// What a piece of so many bytes takes, with the allocator's share.
pub(super) fn of_piece(bytes: usize) -> u64 {
    (bytes + 8).next_multiple_of(16).max(32) as u64
}

/// What a table that grew to this size takes, without what its entries point to.
pub(super) fn of_grown<K, V>(map: &FxHashMap<K, V>) -> u64 {
    match map.capacity() {
        0 => 0,
        capacity => of_piece(16 + slots(capacity) * (size_of::<(K, V)>() + 1)),
    }
}

fn of_slots(len: usize, capacity: usize, entry: usize) -> u64 {
    (slots(capacity) * (entry + 1)) as u64 * factor(len, capacity)
}

/// Of a power of two slots, each with a byte beside it, seven in eight hold an entry at most.
fn slots(capacity: usize) -> usize {
    (capacity * 8).div_ceil(7).next_power_of_two()
}

fn factor(len: usize, capacity: usize) -> u64 {
    if len + MORE > capacity {
        WHILE_GROWING
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashMap;

    use super::{MORE, of_list, of_map, of_piece};

    #[test]
    fn what_will_grow_counts_as_it_was_and_as_it_will_be() {
        let mut list: Vec<u32> = Vec::with_capacity(1_000);
        assert_eq!(of_list(&list), 4_000);
        list.resize(1_000 - MORE, 0);
        assert_eq!(of_list(&list), 4_000);
        list.push(0);
        assert_eq!(of_list(&list), 12_000);
    }

    #[test]
    fn a_table_counts_all_of_its_slots() {
        let mut map: FxHashMap<u64, u64> = FxHashMap::default();
        let mut of_so_many = |len| {
            for key in map.len() as u64..len {
                map.insert(key, key);
            }
            of_map(&map)
        };
        assert_eq!(of_so_many(900), 2_048 * 17);
        assert_eq!(of_so_many(1_790), 3 * 2_048 * 17);
        assert_eq!(of_so_many(1_800), 4_096 * 17);
        assert_eq!([of_piece(1), of_piece(40), of_piece(41)], [32, 48, 64]);
    }
}
