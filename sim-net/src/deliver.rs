//! The far end of every link: faults are judged here, when a packet arrives.

use sim_runtime::{Boot, Down, FaultId, NodeId, SimInstant, World};

use crate::conn::{Holder, Phase, Side};
use crate::effect::Harm;
use crate::flow::{Ack, Hurt};
use crate::judge::Judgement;
use crate::packet::{Hand, InFlight, Packet, Token};
use crate::state::{NOWHERE, State};

impl State {
    /// An event of the queue.
    pub(crate) fn event(&mut self, world: &World, token: u64) {
        let packet = Token::packet(token);
        if packet.is_some_and(|index| self.express_arrive(world, index)) {
            return;
        }
        self.late_event(world, token);
    }

    #[inline(never)]
    fn late_event(&mut self, world: &World, token: u64) {
        match Token::decode(token) {
            Token::Packet(index) => self.arrive(world, index),
            Token::Syn(conn) => self.syn_timer(world, conn),
            Token::SynAck(conn) => self.synack_timer(world, conn),
            Token::Retransmission(conn, side) => self.retransmission_timer(world, conn, side),
            Token::Ack(conn, side) => self.ack_timer(world, conn, side),
            Token::Keepalive(conn, side) => self.keepalive_timer(world, conn, side),
        }
    }

    fn arrive(&mut self, world: &World, index: usize) {
        let mut flying = self.packets.remove(index);
        if self.config.path_capacity.is_some() {
            self.links.get_mut(flying.link).leaves(flying.order);
        }
        if flying.hand != Hand::Off {
            match self.handle(world, flying) {
                Some(free) => flying = free,
                None => return,
            }
        }
        let ends = flying.packet.conn();
        let link = self.links.get_mut(flying.link);
        // What the weather takes is not the faults': it would be gone without them.
        let taken = !flying.judged && link.loses(world, &self.config);
        let ill = !link.laid.is_empty();
        let behind = ends.is_some_and(|(conn, side)| self.conns[conn].flows[side].detained > 0);
        if (ill || behind) && !taken {
            match self.face_faults(world, flying) {
                Some(passed) => flying = passed,
                None => return,
            }
        }
        let link = self.links.get_mut(flying.link);
        link.stats.offered += 1;
        let up = self
            .hosts
            .get(link.to.0 as usize)
            .map_or(link.to != NOWHERE, |host| host.up);
        let delivered = up && !taken;
        if delivered {
            link.stats.delivered += 1;
            link.stats.bytes += flying.packet.len();
        } else {
            link.stats.dropped += 1;
        }
        if let Some((conn, _)) = ends {
            self.conns[conn].in_flight -= 1;
        }
        if delivered {
            self.deliver(world, flying);
        } else {
            let faults = self.loss_receipt(world, &flying);
            if !faults.is_empty() {
                self.datagram_lost(world, &flying, &faults);
            }
            self.lost(world, &flying, &faults);
        }
        if let Some((conn, _)) = ends {
            self.reap(world, conn);
        }
    }

    fn deliver(&mut self, world: &World, flying: InFlight) {
        match flying.packet {
            Packet::Syn { conn } => self.syn_arrives(world, conn),
            Packet::SynAck { conn } => self.synack_arrives(world, conn),
            Packet::Established { conn } => match self.conns[conn].ends[Side::Server].phase {
                Phase::Gone => self.reset_peer(world, conn, Side::Server),
                _ => {
                    self.establish(world, conn);
                }
            },
            Packet::Data {
                conn,
                from,
                segment,
            } => {
                self.data_arrives(world, (conn, from), segment, flying.word);
            }
            Packet::Gap { conn, from } => self.gap_arrives(world, conn, from.other()),
            Packet::Reset { conn, from, fault } => {
                self.reset_arrives(world, conn, from.other(), fault);
            }
            Packet::Datagram(datagram) => {
                self.datagram_arrives(world, flying.link, datagram);
            }
            Packet::Unreachable(ends) => {
                let (from, to) = *ends;
                self.unreachable_arrives(world, flying.link, from, to);
            }
        }
    }

    /// A packet did not arrive: whoever has to notice is set up to.
    pub(crate) fn lost(&mut self, world: &World, flying: &InFlight, faults: &[FaultId]) {
        self.hurt(world, &flying.packet, faults);
        match flying.packet {
            Packet::Syn { conn } => self.arm_syn(world, conn),
            Packet::SynAck { conn } => {
                self.arm_syn(world, conn);
                self.arm_synack(world, conn);
            }
            Packet::Established { conn } => self.arm_synack(world, conn),
            Packet::Reset { conn, from, .. } => self.reset_lost(world, conn, from),
            Packet::Data {
                conn,
                from,
                segment,
            } => self.segment_lost(world, conn, from, segment.end()),
            Packet::Gap { conn, from } => self.arm_retransmission(world, conn, from.other()),
            Packet::Datagram(_) | Packet::Unreachable(_) => {}
        }
    }

    /// Remembers what faults did to a packet until the guest notices.
    pub(crate) fn hurt(&mut self, world: &World, packet: &Packet, faults: &[FaultId]) {
        match *packet {
            Packet::Syn { conn } | Packet::SynAck { conn } => self.handshake_hurt(conn, faults),
            Packet::Data {
                conn,
                from,
                segment,
            } => {
                let care = self.conns[conn].ends[from].care.as_mut();
                if let (0, false, Some(care)) = (segment.len, segment.fin, care) {
                    return care.probe_lost(faults);
                }
                let hurt = &mut self.conns[conn].flows[from].hurt;
                extend_hurt(hurt, faults, (segment.offset, segment.end()), world.now());
                self.waiting_writer_stalls(world, conn, from);
            }
            _ => {}
        }
    }

    /// An RST came in place of an answer and did not arrive: whoever waits for one tries again.
    fn reset_lost(&mut self, world: &World, conn: usize, from: Side) {
        match from {
            Side::Client => self.arm_synack(world, conn),
            Side::Server => self.arm_syn(world, conn),
        }
        self.settle(world, conn, from.other());
        let flow = &self.conns[conn].flows[from.other()];
        if flow.is_outstanding() {
            let upto = flow.next;
            self.segment_lost(world, conn, from.other(), upto);
        }
    }

    pub(crate) fn handshake_hurt(&mut self, conn: usize, faults: &[FaultId]) {
        if self.conns[conn].ends[Side::Client].phase != Phase::SynSent {
            return; // A repetition: whoever connects has its answer.
        }
        let hurt = &mut self.conns[conn].hurt;
        for &fault in faults {
            if !hurt.contains(&fault) {
                hurt.push(fault);
            }
        }
    }

    /// Faults swallowed an acknowledgement on its way to `side`.
    pub(crate) fn ack_dropped(
        &mut self,
        world: &World,
        (conn, side): (usize, Side),
        ack: Ack,
        found: &Judgement,
    ) {
        let mut faults = found.dropped.clone();
        faults.extend(&found.rejected);
        faults.extend(found.corrupted.iter().map(|(fault, _)| *fault));
        let link = self.conns[conn].links[side.other()];
        let stats = &mut self.links.get_mut(link).stats;
        stats.offered += 1;
        stats.dropped += 1;
        for &fault in &faults {
            self.ack_receipt(world, (conn, side), fault, Harm::Dropped);
        }
        for &fault in &found.rejected {
            self.ack_receipt(world, (conn, side), fault, Harm::Rejected);
        }
        self.count_dropped(link, &faults);
        let flow = &mut self.conns[conn].flows[side];
        let una = flow.una;
        extend_hurt(&mut flow.hurt_acks, &faults, (una, ack.next), world.now());
        self.segment_lost(world, conn, side, ack.next.max(una + 1));
    }

    /// A node's process or machine is gone.
    pub(crate) fn node_down(&mut self, world: &World, node: NodeId, boot: Boot, down: Down) {
        let blame = self.host(node).blame;
        let silent = down == Down::PowerLoss;
        if silent {
            self.host_mut(node).up = false;
            self.ports.forget_lingering(node);
        }
        for (conn, side) in self.each_end() {
            let end = &mut self.conns[conn].ends[side];
            if end.node != node || end.phase == Phase::Absent {
                continue;
            }
            if (end.boot == boot || silent) && end.holder != Holder::Nobody {
                end.blame = blame;
            }
            if silent {
                self.end_dies(world, conn, side, Phase::Gone);
            }
        }
        if silent {
            for (conn, side) in self.each_end() {
                if self.conns.contains(conn) {
                    self.alarm(world, conn, side);
                    self.reap(world, conn);
                }
            }
        }
    }
}

/// Adds a lost range to what each fault did to a direction.
pub(crate) fn extend_hurt(
    hurt: &mut Vec<Hurt>,
    faults: &[FaultId],
    (from, upto): (u64, u64),
    since: SimInstant,
) {
    for &fault in faults {
        match hurt.iter_mut().find(|hurt| hurt.fault == fault) {
            Some(known) => {
                known.from = known.from.min(from);
                known.upto = known.upto.max(upto);
            }
            None => hurt.push(Hurt {
                fault,
                since,
                from,
                upto,
            }),
        }
    }
}
