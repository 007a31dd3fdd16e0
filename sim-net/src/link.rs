//! Links: one a direction a pair of nodes, made at first use, with their weather, cuts and counts.

use std::collections::BTreeMap;

use sim_runtime::{FaultId, NodeId, SimInstant, Stream, World};

use crate::config::{NetConfig, nanos};

/// What went over one direction between two nodes.
///
/// Pure acknowledgements are counted only when they are dropped (as offered and dropped): those
/// that arrive are not packets of their own here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkStats {
    /// Packets that came to the far end, and were delivered or dropped there.
    pub offered: u64,
    /// Packets that arrived.
    pub delivered: u64,
    /// Packets that did not: cut, lost, or the machine at the far end was down.
    pub dropped: u64,
    /// Packets dropped by fault. A packet on which several faults lie counts for each.
    pub dropped_by: BTreeMap<FaultId, u64>,
    /// Bytes of payload that arrived.
    pub bytes: u64,
}

/// One direction between two nodes.
pub(crate) struct Link {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    /// Open cuts that lie on it.
    pub(crate) cuts: Vec<FaultId>,
    pub(crate) stats: LinkStats,
    latency: Option<Stream>,
    loss: Option<Stream>,
    partial: Option<Stream>,
    /// The other half of the last draw for partial I/O.
    spare_roll: Option<u32>,
}

impl Link {
    fn new(from: NodeId, to: NodeId) -> Self {
        let stats = LinkStats::default();
        Self {
            from,
            to,
            cuts: Vec::new(),
            stats,
            latency: None,
            loss: None,
            partial: None,
            spare_roll: None,
        }
    }

    /// Is it within one node? Then it is no part of the network: never cut, never lossy.
    pub(crate) fn is_loopback(&self) -> bool {
        self.from == self.to
    }

    /// Draws when a packet sent now arrives.
    #[inline]
    pub(crate) fn arrival(&mut self, world: &World, config: &NetConfig) -> SimInstant {
        let now = world.now();
        if self.is_loopback() {
            return SimInstant(now.0 + nanos(config.loopback));
        }
        if config.latency.is_constant() {
            return SimInstant(now.0 + config.latency.min_ns);
        }
        let pair = (self.from, self.to);
        let stream = self
            .latency
            .get_or_insert_with(|| world.stream("net.latency", pair));
        SimInstant(now.0.saturating_add(config.latency.of(stream.next_u64())))
    }

    /// Draws whether the weather loses a packet.
    pub(crate) fn loses(&mut self, world: &World, config: &NetConfig) -> bool {
        if config.loss.num == 0 || self.is_loopback() {
            return false;
        }
        let pair = (self.from, self.to);
        let stream = self
            .loss
            .get_or_insert_with(|| world.stream("net.loss", pair));
        stream.chance(u64::from(config.loss.num), u64::from(config.loss.den))
    }

    /// Draws how many of `most` bytes a read or write on this link moves: at least one.
    #[inline]
    pub(crate) fn partial(&mut self, world: &World, config: &NetConfig, most: usize) -> usize {
        if config.partial_io.num == 0 || most < 2 {
            return most;
        }
        let pair = (self.from, self.to);
        let stream = self
            .partial
            .get_or_insert_with(|| world.stream("net.partial-io", pair));
        let roll = match self.spare_roll.take() {
            Some(roll) => roll,
            None => {
                let word = stream.next_u64();
                self.spare_roll = Some((word >> 32) as u32);
                word as u32
            }
        };
        if !config.partial_io.hit(roll) {
            return most;
        }
        1 + crate::config::scale(stream.next_u64() as u32, most as u64) as usize
    }
}

/// An open cut: packets from any of `from` to any of `to` are dropped.
struct Cut {
    from: Vec<NodeId>,
    to: Vec<NodeId>,
}

impl Cut {
    fn covers(&self, from: NodeId, to: NodeId) -> bool {
        from != to && self.from.contains(&from) && self.to.contains(&to)
    }
}

/// All links, and the cuts that links made later will inherit.
#[derive(Default)]
pub(crate) struct Links {
    by_pair: BTreeMap<(NodeId, NodeId), usize>,
    all: Vec<Link>,
    cuts: BTreeMap<FaultId, Vec<Cut>>,
}

impl Links {
    /// The link from one node to another, made if this is the first use.
    pub(crate) fn between(&mut self, from: NodeId, to: NodeId) -> usize {
        if let Some(&index) = self.by_pair.get(&(from, to)) {
            return index;
        }
        let mut link = Link::new(from, to);
        link.cuts = self.covering(from, to);
        self.all.push(link);
        self.by_pair.insert((from, to), self.all.len() - 1);
        self.all.len() - 1
    }

    fn covering(&self, from: NodeId, to: NodeId) -> Vec<FaultId> {
        let covers = |cuts: &Vec<Cut>| cuts.iter().any(|cut| cut.covers(from, to));
        self.cuts
            .iter()
            .filter(|(_, cuts)| covers(cuts))
            .map(|(fault, _)| *fault)
            .collect()
    }

    pub(crate) fn get(&self, index: usize) -> &Link {
        &self.all[index]
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> &mut Link {
        &mut self.all[index]
    }

    /// Opens a cut in one direction.
    pub(crate) fn cut(&mut self, fault: FaultId, from: &[NodeId], to: &[NodeId]) {
        let cut = Cut {
            from: from.to_vec(),
            to: to.to_vec(),
        };
        self.cuts.entry(fault).or_default().push(cut);
        self.refresh();
    }

    /// Closes every cut of a fault.
    pub(crate) fn heal(&mut self, fault: FaultId) {
        self.cuts.remove(&fault);
        self.refresh();
    }

    fn refresh(&mut self) {
        for index in 0..self.all.len() {
            let (from, to) = (self.all[index].from, self.all[index].to);
            self.all[index].cuts = self.covering(from, to);
        }
    }

    /// Counts of the link, all zero where it was never used.
    pub(crate) fn stats(&self, from: NodeId, to: NodeId) -> LinkStats {
        self.by_pair
            .get(&(from, to))
            .map(|&at| self.all[at].stats.clone())
            .unwrap_or_default()
    }

    /// Every link used so far, in order of (from, to).
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.by_pair.values().map(|&index| &self.all[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    #[test]
    fn cuts_compose_and_links_made_later_inherit_them() {
        let mut links = Links::default();
        let before = links.between(A, B);
        links.cut(FaultId(1), &[A], &[B]);
        links.cut(FaultId(2), &[A, B], &[A, B]);
        assert_eq!(links.get(before).cuts, [FaultId(1), FaultId(2)]);
        let later = links.between(B, A);
        assert_eq!(links.get(later).cuts, [FaultId(2)]);
        let inner = links.between(A, A);
        assert!(
            links.get(inner).cuts.is_empty(),
            "loopback is not the network"
        );
        links.heal(FaultId(2));
        assert_eq!(links.get(before).cuts, [FaultId(1)]);
        assert!(links.get(later).cuts.is_empty());
    }
}
