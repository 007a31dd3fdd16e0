//! What faults do to a packet that arrives: it vanishes, is refused, waits, or comes twice.

use std::mem;

use sim_runtime::{FaultId, NodeId, World};

use crate::conn::{Holder, Phase, Side};
use crate::deliver::extend_hurt;
use crate::effect::{Harm, Mark};
use crate::flow::Ack;
use crate::judge::{Judgement, Load, Sort, judge};
use crate::packet::{Datagram, InFlight, Packet};
use crate::state::{Kind, State};

impl State {
    /// Holds a packet against the faults on its link; gives it back where it may go on now.
    pub(crate) fn face_faults(&mut self, world: &World, mut flying: InFlight) -> Option<InFlight> {
        let ends = flying.packet.conn();
        let was_detained = mem::replace(&mut flying.detained, false);
        if let (true, Some((conn, side))) = (was_detained, ends) {
            self.conns[conn].flows[side].detained -= 1;
        }
        let load = flying.packet.load();
        let is_kind_asked = self
            .links
            .get(flying.link)
            .laid
            .iter()
            .any(|l| l.kind.is_some());
        let kind = is_kind_asked
            .then(|| self.kind_of(&flying.packet))
            .flatten();
        let link = self.links.get_mut(flying.link);
        let load_of = (load, kind.as_deref());
        let found = judge(link, world, &self.config, load_of, flying.judged);
        flying.judged = true;
        if found.vanishes(load.sort) {
            self.vanish(world, &flying, &found);
            return None;
        }
        self.damage(world, &mut flying, &found.corrupted);
        for &(fault, after) in &found.copies {
            self.copy(world, &flying, fault, after);
        }
        if found.held.is_empty() {
            return self.slow_down(world, flying, &found, was_detained);
        }
        for &fault in &found.held {
            self.book(world, fault, Harm::Held, &flying);
        }
        self.lost(world, &flying, &found.held);
        self.links.get_mut(flying.link).stats.delayed += 1;
        match (&mut flying.packet, ends) {
            (Packet::Datagram(datagram), _) => mark(world, datagram, &found.held, Harm::Held),
            (_, Some((conn, side))) => {
                flying.detained = true;
                self.conns[conn].flows[side].detained += 1;
            }
            _ => {}
        }
        self.jammed.push(flying);
        None
    }

    /// Has a packet wait for as long as faults say, and for those it must not overtake.
    fn slow_down(
        &mut self,
        world: &World,
        mut flying: InFlight,
        found: &Judgement,
        was_detained: bool,
    ) -> Option<InFlight> {
        let now = world.now();
        let mut until = now;
        if let Some((fault, by)) = found.delay {
            until.0 = now.0.saturating_add(by);
            self.book(world, fault, Harm::Delayed, &flying);
            self.links.get_mut(flying.link).stats.delayed += 1;
            self.hurt(world, &flying.packet, &[fault]);
            if let Packet::Datagram(datagram) = &mut flying.packet {
                let overtaken = found.overtaken;
                let harm = if overtaken {
                    Harm::Reordered
                } else {
                    Harm::Delayed
                };
                mark(world, datagram, &[fault], harm);
            }
        }
        if let Some((conn, side)) = flying.packet.conn() {
            let flow = &mut self.conns[conn].flows[side];
            let behind = flow.detained > 0 && !was_detained;
            if behind {
                until = until.max(flow.detained_until);
            }
            if !behind && until == now {
                return Some(flying);
            }
            flow.detained += 1;
            flow.detained_until = flow.detained_until.max(until);
            flow.last_arrival = flow.last_arrival.max(until);
            flying.detained = true;
        } else if until == now {
            return Some(flying);
        }
        self.arrives_at(world, until, flying);
        None
    }

    /// A fault swallows a packet; whoever has to notice is set up to.
    fn vanish(&mut self, world: &World, flying: &InFlight, found: &Judgement) {
        let sort = flying.packet.load().sort;
        let mut faults = found.dropped.clone();
        faults.extend(&found.rejected);
        if sort != Sort::Datagram {
            faults.extend(found.corrupted.iter().map(|(fault, _)| *fault));
            for &(fault, _) in &found.corrupted {
                self.book(world, fault, Harm::Corrupted, flying);
            }
        }
        for &fault in &found.rejected {
            self.book(world, fault, Harm::Rejected, flying);
        }
        self.drop_receipt(world, flying, &faults);
        let stats = &mut self.links.get_mut(flying.link).stats;
        stats.offered += 1;
        stats.dropped += 1;
        let ends = flying.packet.conn();
        if let Some((conn, _)) = ends {
            self.conns[conn].in_flight -= 1;
        }
        self.datagram_lost(world, flying, &faults);
        self.lost(world, flying, &faults);
        // Who is not reached by the packet is not reached by a refusal of it either.
        if found.dropped.is_empty() && !found.rejected.is_empty() {
            match (&flying.packet, ends) {
                (Packet::Datagram(datagram), _) => {
                    let node = self.links.get(flying.link).from;
                    self.datagram_refused(node, datagram, found.rejected[0]);
                }
                (_, Some((conn, side))) => self.refuse(world, conn, side, &found.rejected),
                _ => {}
            }
        }
        if let Some((conn, _)) = ends {
            self.reap(world, conn);
        }
    }

    /// The sender of a packet is told that it can't pass.
    fn refuse(&mut self, world: &World, conn: usize, side: Side, faults: &[FaultId]) {
        match self.conns[conn].ends[side].phase {
            Phase::SynSent => {
                self.handshake_hurt(conn, faults);
                self.end_breaks(world, conn, side, libc::EHOSTUNREACH);
            }
            Phase::Open => self.break_off(world, conn, side, faults),
            Phase::SynReceived => {
                self.conns[conn].ends[side].holder = Holder::Nobody;
                self.end_dies(world, conn, side, Phase::Gone);
            }
            Phase::Absent | Phase::TimeWait | Phase::Gone => {}
        }
    }

    /// Faults reset an end.
    pub(crate) fn break_off(&mut self, world: &World, conn: usize, side: Side, by: &[FaultId]) {
        let flow = &mut self.conns[conn].flows[side];
        let stuck = (flow.una, u64::MAX);
        extend_hurt(&mut flow.hurt, by, stuck, world.now());
        self.end_breaks(world, conn, side, libc::ECONNRESET);
    }

    fn datagram_refused(&mut self, node: NodeId, datagram: &Datagram, fault: FaultId) {
        let sock = self.udp_of(node, datagram.from, datagram.to);
        if let Some(Kind::Udp(udp)) = sock.map(|sock| &mut self.socks[sock].kind) {
            udp.error = Some(libc::EHOSTUNREACH);
            udp.error_by = Some(fault);
            udp.waiters.wake_into(&mut self.woken);
        }
    }

    /// Changes a byte for each fault that hit.
    fn damage(&mut self, world: &World, flying: &mut InFlight, by: &[(FaultId, u64)]) {
        for &(fault, word) in by {
            if flying.packet.len() == 0 {
                continue;
            }
            self.book(world, fault, Harm::Corrupted, flying);
            if let Packet::Datagram(datagram) = &mut flying.packet {
                let place = word as usize % datagram.bytes.len();
                datagram.bytes[place] ^= 1 + ((word >> 32) % 255) as u8;
                mark(world, datagram, &[fault], Harm::Corrupted);
            }
        }
    }

    /// Puts a second copy on the wire, which comes later by so many nanoseconds.
    fn copy(&mut self, world: &World, flying: &InFlight, fault: FaultId, after: u64) {
        self.book(world, fault, Harm::Duplicated, flying);
        self.links.get_mut(flying.link).stats.duplicated += 1;
        let mut packet = flying.packet.clone();
        match &mut packet {
            Packet::Datagram(datagram) => mark(world, datagram, &[fault], Harm::Duplicated),
            other => {
                let (conn, _) = other.conn().expect("segments are of connections");
                self.conns[conn].in_flight += 1;
            }
        }
        let copy = InFlight { packet, ..*flying };
        let mut at = world.now();
        at.0 = at.0.saturating_add(after);
        self.arrives_at(world, at, copy);
    }

    /// Holds the next acknowledgement to `side` against the faults on its link. False where it
    /// vanished, or has to wait.
    pub(crate) fn ack_passes(&mut self, world: &World, conn: usize, side: Side, ack: Ack) -> bool {
        let index = self.conns[conn].links[side.other()];
        let load = Load {
            sort: Sort::Control,
            len: 0,
        };
        let link = self.links.get_mut(index);
        let found = judge(link, world, &self.config, (load, None), ack.judged);
        if found.vanishes(load.sort) {
            self.conns[conn].flows[side].acks.pop_front();
            self.ack_dropped(world, (conn, side), ack, &found);
            if found.dropped.is_empty() && !found.rejected.is_empty() {
                self.refuse(world, conn, side.other(), &found.rejected);
            }
            return false;
        }
        let now = world.now();
        let mut at = ack.at;
        let (by, harm) = match found.delay {
            _ if !found.held.is_empty() => {
                at = Ack::HELD;
                (&found.held[..], Harm::Held)
            }
            Some((ref fault, by)) => {
                at.0 = at.0.saturating_add(by).max(now.0);
                (std::slice::from_ref(fault), Harm::Delayed)
            }
            None => (&[][..], Harm::Delayed),
        };
        for &fault in by {
            self.ack_receipt(world, (conn, side), fault, harm);
        }
        let flow = &mut self.conns[conn].flows[side];
        if let Some(front) = flow.acks.front_mut() {
            front.at = at;
            front.judged = true;
        }
        if !by.is_empty() {
            self.links.get_mut(index).stats.delayed += 1;
            let una = flow.una;
            extend_hurt(&mut flow.hurt_acks, by, (una, ack.next), now);
            self.waiting_writer_stalls(world, conn, side);
        }
        at <= now
    }

    /// Lets what was jammed go on where no fault holds it any more, in the order it was sent.
    pub(crate) fn release(&mut self, world: &World) {
        let jammed = mem::take(&mut self.jammed);
        let jammed = jammed.into_iter();
        let (held, mut free): (Vec<_>, Vec<_>) =
            jammed.partition(|flying| self.links.is_jammed(flying.link));
        self.jammed = held;
        free.sort_by_key(|flying| flying.order);
        for flying in free {
            let mut at = world.now();
            if let Some((conn, side)) = flying.packet.conn() {
                let flow = &mut self.conns[conn].flows[side];
                at = at.max(flow.detained_until);
                flow.detained_until = at;
            }
            self.arrives_at(world, at, flying);
        }
        for (conn, side) in self.each_end() {
            let back = self.conns[conn].links[side.other()];
            let flow = &mut self.conns[conn].flows[side];
            if let Some(front) = flow.acks.front_mut()
                && front.at == Ack::HELD
                && !self.links.is_jammed(back)
            {
                front.at = world.now();
                self.arm_ack(world, conn, side);
            }
        }
    }
}

fn mark(world: &World, datagram: &mut Datagram, faults: &[FaultId], harm: Harm) {
    let since = world.now();
    let marks = faults.iter().map(|&fault| Mark { fault, harm, since });
    datagram.marks.extend(marks);
}
