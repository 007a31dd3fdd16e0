//! Trees over ranges: the least of a range, and where nothing is covered.

use crate::linear::monitor::items::Item;

/// Numbers by place, of which the least of a range is found.
pub(in crate::linear::monitor) struct Extremes {
    nodes: Vec<u64>,
    leaves: usize,
}

impl Extremes {
    pub(in crate::linear::monitor) fn new(values: impl ExactSizeIterator<Item = u64>) -> Self {
        let leaves = values.len().next_power_of_two();
        let mut nodes = vec![u64::MAX; leaves * 2];
        for (place, value) in values.enumerate() {
            nodes[leaves + place] = value;
        }
        for node in (1..leaves).rev() {
            nodes[node] = nodes[node * 2].min(nodes[node * 2 + 1]);
        }
        Self { nodes, leaves }
    }

    pub(in crate::linear::monitor) fn get(&self, place: u32) -> u64 {
        self.nodes[self.leaves + place as usize]
    }

    pub(in crate::linear::monitor) fn set(&mut self, place: u32, value: u64) {
        let mut node = self.leaves + place as usize;
        self.nodes[node] = value;
        while node > 1 {
            node /= 2;
            self.nodes[node] = self.nodes[node * 2].min(self.nodes[node * 2 + 1]);
        }
    }

    /// The least number from a place on and before another.
    pub(in crate::linear::monitor) fn minimum(&self, from: u32, to: u32) -> u64 {
        let (mut low, mut high) = (self.leaves + from as usize, self.leaves + to as usize);
        let mut least = u64::MAX;
        while low < high {
            if low % 2 == 1 {
                least = least.min(self.nodes[low]);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                least = least.min(self.nodes[high]);
            }
            low /= 2;
            high /= 2;
        }
        least
    }

    /// The first place of the range whose number is below a bound.
    pub(in crate::linear::monitor) fn first_below(
        &self,
        from: u32,
        to: u32,
        bound: u64,
    ) -> Option<u32> {
        if from >= to {
            return None;
        }
        // Up until a right neighbour has one, then down.
        let mut node = self.leaves + from as usize;
        loop {
            if self.nodes[node] < bound {
                break;
            }
            while node % 2 == 1 {
                node /= 2;
                if node == 0 {
                    return None;
                }
            }
            node += 1;
            if node >= self.nodes.len() {
                return None;
            }
        }
        while node < self.leaves {
            node *= 2;
            if self.nodes[node] >= bound {
                node += 1;
            }
        }
        let place = (node - self.leaves) as u32;
        (place < to).then_some(place)
    }
}

/// By gap between ranks, how many elements are there, of which only zero matters.
pub(super) struct Cover {
    /// The least count below a node, its own additions left out.
    least: Vec<i32>,
    /// What was added to all below a node.
    added: Vec<i32>,
    leaves: usize,
    last: u32,
}

impl Cover {
    pub(super) fn new(seen: &[&Item<'_>], last: u32) -> Self {
        let leaves = (last as usize + 2).next_power_of_two();
        let mut change = vec![0_i32; leaves + 1];
        for item in seen {
            change[item.put_ret as usize] += 1;
            change[item.take_call.min(last + 1) as usize] -= 1;
        }
        let mut cover = Self {
            least: vec![0; leaves * 2],
            added: vec![0; leaves * 2],
            leaves,
            last,
        };
        let mut there = 0;
        for (gap, change) in change.iter().take(leaves).enumerate() {
            there += change;
            cover.least[leaves + gap] = there;
        }
        for node in (1..leaves).rev() {
            cover.least[node] = cover.least[node * 2].min(cover.least[node * 2 + 1]);
        }
        cover
    }

    pub(super) fn remove(&mut self, item: &Item<'_>) {
        let (from, to) = (
            item.put_ret as usize,
            item.take_call.min(self.last + 1) as usize,
        );
        self.subtract(from, to);
    }

    fn subtract(&mut self, from: usize, to: usize) {
        let (mut low, mut high) = (from + self.leaves, to + self.leaves);
        let (left, right) = (low, high - 1);
        while low < high {
            if low % 2 == 1 {
                self.lower(low);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                self.lower(high);
            }
            low /= 2;
            high /= 2;
        }
        for mut node in [left, right] {
            while node > 1 {
                node /= 2;
                let below = self.least[node * 2].min(self.least[node * 2 + 1]);
                self.least[node] = below + self.added[node];
            }
        }
    }

    fn lower(&mut self, node: usize) {
        self.least[node] -= 1;
        self.added[node] -= 1;
    }

    /// The first gap from a rank on in which nothing is; beyond the last when there is none.
    pub(super) fn free_from(&self, rank: u32) -> u32 {
        let mut node = self.leaves + rank as usize;
        // What was added above a node counts for all below it.
        let above = |mut node: usize| {
            let mut sum = 0;
            while node > 1 {
                node /= 2;
                sum += self.added[node];
            }
            sum
        };
        loop {
            if self.least[node] + above(node) == 0 {
                break;
            }
            while node % 2 == 1 {
                node /= 2;
                if node == 0 {
                    return self.last + 2;
                }
            }
            node += 1;
            if node >= self.least.len() {
                return self.last + 2;
            }
        }
        let mut sum = above(node);
        while node < self.leaves {
            sum += self.added[node];
            node *= 2;
            if self.least[node] + sum != 0 {
                node += 1;
            }
        }
        (node - self.leaves) as u32
    }
}
