//! Links: one a direction a pair of nodes, made at first use, with weather, faults and counts.

use std::collections::BTreeMap;
use std::rc::Rc;

use sim_runtime::{FaultId, NodeId, SimInstant, Stream, World};

use crate::config::{NetConfig, nanos};
use crate::effect::Effect;
use crate::judge::Laid;

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
    /// Packets that a fault made late, those it held back included.
    pub delayed: u64,
    /// Copies that a fault made.
    pub duplicated: u64,
    /// Bytes of payload that arrived.
    pub bytes: u64,
}

/// One direction between two nodes.
pub(crate) struct Link {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    /// The faults that lie on it.
    pub(crate) laid: Vec<Laid>,
    pub(crate) stats: LinkStats,
    pub(crate) datagrams_sent: u64,
    /// The last of the datagrams that have arrived, as they were sent.
    pub(crate) newest_datagram: u64,
    /// The datagrams under way, as packets are numbered, where their number has a limit.
    crowd: Vec<u64>,
    /// See [`Link::distance`]; drawn at first contact.
    distance: Option<u64>,
    /// Until when packets sent before keep a narrow link busy.
    busy_until: SimInstant,
    latency: Option<Stream>,
    /// What the next latencies are made of, and of how many it still is.
    words: u64,
    words_left: u8,
    loss: Option<Stream>,
    partial: Option<Stream>,
    victims: Option<Stream>,
    /// What is left of the last draw for partial I/O, 16 bits a roll, and how many rolls.
    rolls: u64,
    rolls_left: u8,
}

impl Link {
    fn new(from: NodeId, to: NodeId) -> Self {
        let stats = LinkStats::default();
        Self {
            from,
            to,
            laid: Vec::new(),
            stats,
            datagrams_sent: 0,
            newest_datagram: 0,
            crowd: Vec::new(),
            distance: None,
            busy_until: SimInstant(0),
            latency: None,
            words: 0,
            words_left: 0,
            loss: None,
            partial: None,
            victims: None,
            rolls: 0,
            rolls_left: 0,
        }
    }

    /// Is it within one node? Then it is no part of the network: never cut, never lossy.
    pub(crate) fn is_loopback(&self) -> bool {
        self.from == self.to
    }

    /// The word that a packet's latency is made of: one of eight that are made of a drawn one,
    /// unless nothing depends on it.
    #[inline(always)]
    pub(crate) fn word(&mut self, world: &World, config: &NetConfig) -> u64 {
        if self.is_loopback() || config.latency.is_constant() {
            return 0;
        }
        if self.words_left == 0 {
            self.draw_words(world);
        }
        self.words_left -= 1;
        self.words = self.words.wrapping_add(0x9e37_79b9_7f4a_7c15);
        spread(self.words)
    }

    /// Draws what the next eight words are made of.
    #[inline(never)]
    fn draw_words(&mut self, world: &World) {
        let pair = (self.from, self.to);
        let stream = self
            .latency
            .get_or_insert_with(|| world.stream("net.latency", pair));
        self.words = stream.next_u64();
        self.words_left = 8;
    }

    /// When a packet of so many bytes of payload arrives that is sent now, by its word.
    #[inline(always)]
    pub(crate) fn arrival(
        &mut self,
        world: &World,
        config: &NetConfig,
        (len, word): (u64, u64),
    ) -> SimInstant {
        let now = world.now();
        if self.is_loopback() {
            return SimInstant(now.0 + nanos(config.loopback));
        }
        let mut latency = config.latency.of(word);
        if config.far_pair.num > 0 {
            latency = latency.saturating_mul(self.distance(world, config));
        }
        let start = match config.bandwidth {
            None => now,
            Some(rate) => self.passed(now, rate, len),
        };
        SimInstant(start.0.saturating_add(latency))
    }

    /// [`Link::arrival`] by a word that is drawn now.
    pub(crate) fn draw_arrival(
        &mut self,
        world: &World,
        config: &NetConfig,
        len: u64,
    ) -> SimInstant {
        let word = self.word(world, config);
        self.arrival(world, config, (len, word))
    }

    /// How many times farther than others its ends are apart: the same both ways, for good.
    fn distance(&mut self, world: &World, config: &NetConfig) -> u64 {
        let pair = (self.from.min(self.to), self.from.max(self.to));
        let draw = || {
            let roll = world.stream("net.far", pair).next_u64();
            match config.far_pair.hit((roll >> 32) as u32) {
                true => u64::from(config.far_factor),
                false => 1,
            }
        };
        *self.distance.get_or_insert_with(draw)
    }

    /// When a packet that is sent now has left, behind those that were sent before.
    fn passed(&mut self, now: SimInstant, rate: u64, len: u64) -> SimInstant {
        const HEADERS: u64 = 40;
        let start = self.busy_until.max(now);
        let takes = u128::from(len + HEADERS) * 1_000_000_000 / u128::from(rate.max(1));
        self.busy_until = SimInstant(start.0.saturating_add(takes as u64));
        self.busy_until
    }

    /// A datagram sets out on a path that holds so many. Which one is lost by that, if one is.
    pub(crate) fn crowds(&mut self, world: &World, capacity: u32, order: u64) -> Option<u64> {
        if self.is_loopback() {
            return None;
        }
        self.crowd.push(order);
        if self.crowd.len() <= capacity as usize {
            return None;
        }
        let pair = (self.from, self.to);
        let stream = self
            .victims
            .get_or_insert_with(|| world.stream("net.capacity", pair));
        let victim = stream.index(self.crowd.len());
        Some(self.crowd.remove(victim))
    }

    /// A datagram has come to the end of a path that holds so many.
    pub(crate) fn leaves(&mut self, order: u64) {
        self.crowd.retain(|other| *other != order);
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
    #[inline(always)]
    pub(crate) fn partial(&mut self, world: &World, config: &NetConfig, most: usize) -> usize {
        if config.partial_io.num == 0 || most < 2 {
            return most;
        }
        if self.rolls_left == 0 {
            self.rolls = self.part(world);
            self.rolls_left = 4;
        }
        let roll = self.rolls as u16;
        self.rolls >>= 16;
        self.rolls_left -= 1;
        if !config.partial_io.hit_by(roll) {
            return most;
        }
        1 + crate::config::scale(self.part(world) as u32, most as u64) as usize
    }

    /// Draws for partial I/O.
    #[inline(never)]
    fn part(&mut self, world: &World) -> u64 {
        let pair = (self.from, self.to);
        let stream = self
            .partial
            .get_or_insert_with(|| world.stream("net.partial-io", pair));
        stream.next_u64()
    }
}

/// The words made of a drawn one and its successors: a bijection in which each bit moves about half
/// of the others (SplitMix64, Steele et al., OOPSLA 2014).
#[inline]
const fn spread(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A fault that is on: it lies on every link from any of `from` to any of `to`.
struct Wide {
    fault: FaultId,
    effect: Effect,
    window: usize,
    kind: Option<Rc<str>>,
    from: Vec<NodeId>,
    to: Vec<NodeId>,
}

impl Wide {
    fn covers(&self, link: &Link) -> bool {
        !link.is_loopback() && self.from.contains(&link.from) && self.to.contains(&link.to)
    }

    /// Lays it on a link, once: both ways named by one fault are not two faults.
    fn lay(&self, link: &mut Link) {
        let same = |laid: &Laid| {
            (laid.fault, laid.effect, &laid.kind) == (self.fault, self.effect, &self.kind)
        };
        if self.covers(link) && !link.laid.iter().any(same) {
            let laid = Laid::new((self.fault, self.window), self.effect, self.kind.clone());
            let place = link.laid.partition_point(|laid| laid.fault <= self.fault);
            link.laid.insert(place, laid);
        }
    }
}

/// All links, and the faults that links made later will inherit.
#[derive(Default)]
pub(crate) struct Links {
    by_pair: BTreeMap<(NodeId, NodeId), usize>,
    all: Vec<Link>,
    open: Vec<Wide>,
}

impl Links {
    /// The link from one node to another, made if this is the first use.
    pub(crate) fn between(&mut self, from: NodeId, to: NodeId) -> usize {
        if let Some(&index) = self.by_pair.get(&(from, to)) {
            return index;
        }
        let mut link = Link::new(from, to);
        for wide in &self.open {
            wide.lay(&mut link);
        }
        self.all.push(link);
        self.by_pair.insert((from, to), self.all.len() - 1);
        self.all.len() - 1
    }

    pub(crate) fn get(&self, index: usize) -> &Link {
        &self.all[index]
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> &mut Link {
        &mut self.all[index]
    }

    /// Lays an effect on every link in one direction. `window` numbers the fault's windows.
    pub(crate) fn lay(
        &mut self,
        (fault, window): (FaultId, usize),
        (effect, kind): (Effect, Option<Rc<str>>),
        (from, to): (&[NodeId], &[NodeId]),
    ) {
        let wide = Wide {
            fault,
            effect,
            window,
            kind,
            from: from.to_vec(),
            to: to.to_vec(),
        };
        for link in &mut self.all {
            wide.lay(link);
        }
        self.open.push(wide);
    }

    /// Ends every effect of a fault.
    pub(crate) fn heal(&mut self, fault: FaultId) {
        self.open.retain(|wide| wide.fault != fault);
        for link in &mut self.all {
            link.laid.retain(|laid| laid.fault != fault);
        }
    }

    /// Does a fault hold all packets of a link back? Those of a kind are judged one by one.
    pub(crate) fn is_jammed(&self, index: usize) -> bool {
        let jams = |laid: &Laid| laid.effect == Effect::Jam && laid.kind.is_none();
        self.all[index].laid.iter().any(jams)
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

    fn faults(links: &Links, index: usize) -> Vec<FaultId> {
        links
            .get(index)
            .laid
            .iter()
            .map(|laid| laid.fault)
            .collect()
    }

    #[test]
    fn faults_compose_and_links_made_later_inherit_them() {
        let mut links = Links::default();
        let before = links.between(A, B);
        links.lay((FaultId(2), 1), (Effect::Cut, None), (&[A, B], &[A, B]));
        links.lay((FaultId(1), 1), (Effect::Jam, None), (&[A], &[B]));
        links.lay((FaultId(2), 1), (Effect::Cut, None), (&[B, A], &[A, B]));
        assert_eq!(
            faults(&links, before),
            [FaultId(1), FaultId(2)],
            "each once"
        );
        assert!(links.is_jammed(before));
        let later = links.between(B, A);
        assert_eq!(faults(&links, later), [FaultId(2)]);
        let inner = links.between(A, A);
        assert_eq!(faults(&links, inner), [], "loopback is not the network");
        links.heal(FaultId(2));
        assert_eq!(faults(&links, before), [FaultId(1)]);
        assert_eq!(faults(&links, later), []);
    }
}
