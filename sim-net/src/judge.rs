//! What the faults that lie on a link have in store for a packet. Nothing is done here.

use std::rc::Rc;

use sim_runtime::{FaultId, NodeId, SimInstant, Stream, World};

use crate::config::{Chance, NetConfig};
use crate::effect::Effect;
use crate::link::Link;

/// Bytes of headers that a packet takes besides its payload.
const HEADERS: u64 = 40;

/// An effect that lies on a link.
pub(crate) struct Laid {
    pub(crate) fault: FaultId,
    pub(crate) effect: Effect,
    /// Which of the fault's windows this is; a part of the key of its draws.
    pub(crate) window: usize,
    /// It is for frames of this kind alone.
    pub(crate) kind: Option<Rc<str>>,
    draws: Option<Stream>,
    /// Until when packets that passed a narrow link keep it busy.
    busy_until: SimInstant,
}

impl Laid {
    pub(crate) fn new(
        (fault, window): (FaultId, usize),
        effect: Effect,
        kind: Option<Rc<str>>,
    ) -> Self {
        Self {
            fault,
            effect,
            window,
            kind,
            draws: None,
            busy_until: SimInstant(0),
        }
    }

    fn word(&mut self, world: &World, (from, to): (NodeId, NodeId)) -> u64 {
        let (fault, effect, window) = (self.fault, self.effect, self.window);
        let stream = self.draws.get_or_insert_with(|| {
            let name = world.ledger().row(fault, |row| row.name.clone());
            let name = name.unwrap_or_default();
            let entity = format!("{name}/{window}/{}-{}", from.0, to.0);
            world.stream(effect.purpose(), entity.as_str())
        });
        stream.next_u64()
    }
}

/// What sort of packet is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Acknowledgements, and what makes and ends connections.
    Control,
    /// A segment of a stream.
    Segment,
    Datagram,
}

/// A packet, as far as faults tell packets apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) sort: Sort,
    /// Bytes of payload.
    pub(crate) len: u64,
}

/// What the faults on a link want, each for itself.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) dropped: Vec<FaultId>,
    pub(crate) rejected: Vec<FaultId>,
    /// Dropped because a checksum found the damage, or damaged, with a word that says how.
    pub(crate) corrupted: Vec<(FaultId, u64)>,
    pub(crate) held: Vec<FaultId>,
    /// The longest delay, in nanoseconds.
    pub(crate) delay: Option<(FaultId, u64)>,
    /// Whether the longest delay is there for others to overtake.
    pub(crate) overtaken: bool,
    /// Copies, each later than the original by this many nanoseconds.
    pub(crate) copies: Vec<(FaultId, u64)>,
}

impl Judgement {
    /// Does the packet vanish?
    pub(crate) fn vanishes(&self, sort: Sort) -> bool {
        let damaged = sort != Sort::Datagram && !self.corrupted.is_empty();
        damaged || !self.dropped.is_empty() || !self.rejected.is_empty()
    }

    fn delayed(&mut self, fault: FaultId, by: u64, overtaken: bool) {
        if by > 0 && self.delay.is_none_or(|(_, most)| by > most) {
            self.delay = Some((fault, by));
            self.overtaken = overtaken;
        }
    }
}

/// Judges a packet that arrives now, of a kind. One that was judged before and came late is judged
/// `again`: only by what asks nothing of chance.
pub(crate) fn judge(
    link: &mut Link,
    world: &World,
    config: &NetConfig,
    (load, kind): (Load, Option<&str>),
    again: bool,
) -> Judgement {
    let mut found = Judgement::default();
    let pair = (link.from, link.to);
    let now = world.now();
    for laid in &mut link.laid {
        let fault = laid.fault;
        if laid.kind.is_some() && laid.kind.as_deref() != kind {
            continue;
        }
        let hits = |laid: &mut Laid, chance: Chance| {
            chance.num > 0 && chance.hit((laid.word(world, pair) >> 32) as u32)
        };
        match laid.effect {
            Effect::Cut => found.dropped.push(fault),
            Effect::Reject => found.rejected.push(fault),
            Effect::Jam => found.held.push(fault),
            _ if again => {}
            Effect::Loss(chance) => {
                if hits(laid, chance) {
                    found.dropped.push(fault);
                }
            }
            Effect::Delay(latency) => {
                let word = if latency.is_constant() {
                    0
                } else {
                    laid.word(world, pair)
                };
                found.delayed(fault, latency.of(word), false);
            }
            Effect::Reorder { chance, by } => {
                if hits(laid, chance) {
                    let word = laid.word(world, pair);
                    found.delayed(fault, by.of(word), true);
                }
            }
            Effect::Duplicate(chance) => {
                if load.sort != Sort::Control && hits(laid, chance) {
                    let word = laid.word(world, pair);
                    found.copies.push((fault, config.latency.of(word)));
                }
            }
            Effect::Corrupt(chance) => {
                if hits(laid, chance) {
                    let word = laid.word(world, pair);
                    found.corrupted.push((fault, word));
                }
            }
            Effect::Bandwidth {
                bytes_per_second,
                queue,
            } => match passes(laid, now, (bytes_per_second.max(1), queue), load) {
                Some(wait) => found.delayed(fault, wait, false),
                None => found.dropped.push(fault),
            },
        }
    }
    found
}

/// How long a packet takes over a narrow link, in nanoseconds, its wait included; `None` where
/// there is no room for it to wait.
fn passes(laid: &mut Laid, now: SimInstant, (rate, queue): (u64, u64), load: Load) -> Option<u64> {
    let ns = |bytes: u64| (u128::from(bytes) * 1_000_000_000 / u128::from(rate)) as u64;
    let start = laid.busy_until.max(now);
    let waits = start.0 - now.0;
    if load.sort == Sort::Datagram && waits > ns(queue) {
        return None;
    }
    laid.busy_until = SimInstant(start.0.saturating_add(ns(load.len + HEADERS)));
    Some(laid.busy_until.0 - now.0)
}
