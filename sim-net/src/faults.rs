//! The nemesis's calls: effects laid on links, connections reset, nodes to blame.

use std::collections::BTreeMap;
use std::rc::Rc;

use sim_runtime::{FaultId, NodeId, Stream, World};

use crate::conn::{Phase, Side};
use crate::effect::Effect;
use crate::net::Net;
use crate::state::State;

impl Net {
    /// Lays an effect on every link from any of `from` to any of `to`, for packets that arrive
    /// from now on, those in flight included. Loopback is never touched. Several effects of a
    /// fault compose, as those of several faults do; the same one twice on a link counts once.
    /// Costs a look at every open connection.
    pub fn disturb(&self, fault: FaultId, effect: Effect, from: &[NodeId], to: &[NodeId]) {
        let _ = self.run(|state, world| state.lay(world, fault, (effect, None), (from, to)));
    }

    /// [`Effect::Cut`]: packets are dropped at their arrival.
    pub fn cut(&self, fault: FaultId, from: &[NodeId], to: &[NodeId]) {
        self.disturb(fault, Effect::Cut, from, to);
    }

    /// Ends every effect of a fault. What was dropped is retransmitted when timers say so; what
    /// was held arrives now.
    pub fn heal(&self, fault: FaultId) {
        let _ = self.run(|state, world| state.heal(world, fault));
    }

    /// Resets every connection between `from` and `to`, whoever opened it: at either end or at
    /// both, as drawn by seed. Three of ten ends learn at once, the others with their next
    /// operation or the next packet. Says how many connections it reset.
    pub fn reset(&self, fault: FaultId, from: &[NodeId], to: &[NodeId]) -> u64 {
        self.run(|state, world| state.reset_between(world, fault, from, to))
            .unwrap_or(0)
    }

    /// Names the fault that is about to take a node down: what its peers notice of it is booked
    /// there. Forgotten when the node starts again.
    pub fn blame_down(&self, node: NodeId, fault: FaultId) {
        let _ = self.run(|state, _| state.host_mut(node).blame = Some(fault));
    }
}

/// Which of its windows a fault is in.
fn window(world: &World, fault: FaultId) -> usize {
    let opened = world.ledger().row(fault, |row| row.armed.len());
    opened.unwrap_or(0)
}

impl State {
    pub(crate) fn lay(
        &mut self,
        world: &World,
        fault: FaultId,
        effect: (Effect, Option<Rc<str>>),
        lanes: (&[NodeId], &[NodeId]),
    ) {
        for (conn, side) in self.each_end() {
            self.settle(world, conn, side); // What has arrived by now is not the fault's.
        }
        let window = window(world, fault);
        self.links.lay((fault, window), effect, lanes);
        for (conn, side) in self.each_end() {
            self.arm_ack(world, conn, side);
            self.alarm(world, conn, side);
        }
    }

    /// Acknowledgements due by now are the fault's last.
    fn heal(&mut self, world: &World, fault: FaultId) {
        for (conn, side) in self.each_end() {
            self.settle(world, conn, side);
        }
        self.links.heal(fault);
        self.misled.retain(|misled| misled.fault != fault);
        self.release(world);
    }

    /// Every end of every connection.
    pub(crate) fn each_end(&self) -> Vec<(usize, Side)> {
        let all = self.conns.iter();
        all.flat_map(|(index, _)| Side::BOTH.map(|side| (index, side)))
            .collect()
    }

    fn reset_between(
        &mut self,
        world: &World,
        fault: FaultId,
        from: &[NodeId],
        to: &[NodeId],
    ) -> u64 {
        let name = world.ledger().row(fault, |row| row.name.clone());
        let name = format!("{}/{}", name.unwrap_or_default(), window(world, fault));
        let mut draws: BTreeMap<(NodeId, NodeId), Stream> = BTreeMap::new();
        let mut count = 0;
        let all: Vec<usize> = self.conns.iter().map(|(index, _)| index).collect();
        for conn in all {
            let [one, other] = Side::BOTH.map(|side| self.conns[conn].ends[side].node);
            let covers = |a: NodeId, b: NodeId| from.contains(&a) && to.contains(&b);
            if one == other || !(covers(one, other) || covers(other, one)) {
                continue;
            }
            let draw = draws.entry((one, other)).or_insert_with(|| {
                let entity = format!("{name}/{}-{}", one.0, other.0);
                world.stream("net.fault.reset", entity.as_str())
            });
            let sides = [&[Side::Client][..], &[Side::Server], &Side::BOTH][draw.below(3) as usize];
            let at_once = sides.iter().map(|_| draw.chance(3, 10));
            let at_once: Vec<bool> = at_once.collect();
            count += u64::from(self.reset_ends(world, conn, fault, (sides, &at_once)));
        }
        count
    }

    fn reset_ends(
        &mut self,
        world: &World,
        conn: usize,
        fault: FaultId,
        (sides, at_once): (&[Side], &[bool]),
    ) -> bool {
        let open = |side: &Side| self.conns[conn].ends[*side].phase == Phase::Open;
        if !sides.iter().any(open) {
            return false;
        }
        self.reset_receipt(world, conn, fault, sides);
        for (&side, &at_once) in sides.iter().zip(at_once) {
            if self.conns[conn].ends[side].phase == Phase::Open {
                self.conns[conn].ends[side].doomed = Some(fault);
                if at_once {
                    self.doom(world, conn, side);
                }
            }
        }
        self.reap(world, conn);
        true
    }

    /// An end that a fault has reset learns of it.
    #[inline]
    pub(crate) fn doom(&mut self, world: &World, conn: usize, side: Side) {
        if let Some(fault) = self.conns[conn].ends[side].doomed.take() {
            self.break_off(world, conn, side, &[fault]);
        }
    }
}
