//! The far end of every link: faults are judged here, when a packet arrives.

use sim_runtime::{Boot, Down, FaultId, NodeId, SimInstant, World};

use crate::conn::{Holder, Phase, Side};
use crate::flow::{Ack, Hurt};
use crate::packet::{InFlight, Packet, Token};
use crate::state::{NOWHERE, State};

impl State {
    /// An event of the queue.
    pub(crate) fn event(&mut self, world: &World, token: u64) {
        match Token::decode(token) {
            Token::Packet(index) => {
                self.arrive(world, index);
            }
            Token::Syn(conn) => self.syn_timer(world, conn),
            Token::SynAck(conn) => self.synack_timer(world, conn),
            Token::Retransmission(conn, side) => self.retransmission_timer(world, conn, side),
            Token::Ack(conn, side) => self.ack_timer(world, conn, side),
        }
    }

    fn arrive(&mut self, world: &World, index: usize) {
        let flying = self.packets.remove(index);
        let link = self.links.get_mut(flying.link);
        link.stats.offered += 1;
        let cut = !link.cuts.is_empty();
        let up = self
            .hosts
            .get(link.to.0 as usize)
            .map_or(link.to != NOWHERE, |host| host.up);
        let delivered = !cut && up && !link.loses(world, &self.config);
        if delivered {
            link.stats.delivered += 1;
            link.stats.bytes += flying.packet.len();
        } else {
            link.stats.dropped += 1;
        }
        let conn = flying.packet.conn();
        if let Some((conn, _)) = conn {
            self.conns[conn].in_flight -= 1;
        }
        if delivered {
            self.deliver(world, flying);
        } else {
            let faults = self.drop_receipt(world, &flying, cut);
            self.lost(world, &flying, &faults);
        }
        if let Some((conn, _)) = conn {
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
                self.data_arrives(world, conn, from, segment);
            }
            Packet::Gap { conn, from } => self.gap_arrives(world, conn, from.other()),
            Packet::Reset { conn, from, fault } => {
                self.reset_arrives(world, conn, from.other(), fault);
            }
            Packet::Datagram(datagram) => {
                let (from, to, bytes) = *datagram;
                self.datagram_arrives(world, flying.link, (from, to), bytes);
            }
            Packet::Unreachable(ends) => {
                let (from, to) = *ends;
                self.unreachable_arrives(world, flying.link, from, to);
            }
        }
    }

    /// A packet did not arrive: whoever has to notice is set up to.
    fn lost(&mut self, world: &World, flying: &InFlight, faults: &[FaultId]) {
        match flying.packet {
            Packet::Syn { conn } => {
                self.handshake_hurt(conn, faults);
                self.arm_syn(world, conn);
            }
            Packet::SynAck { conn } => {
                self.handshake_hurt(conn, faults);
                self.arm_syn(world, conn);
                self.arm_synack(world, conn);
            }
            Packet::Established { conn } => self.arm_synack(world, conn),
            Packet::Reset { conn, from, .. } => self.reset_lost(world, conn, from),
            Packet::Data {
                conn,
                from,
                segment,
            } => {
                let hurt = &mut self.conns[conn].flows[from].hurt;
                extend_hurt(hurt, faults, (segment.offset, segment.end()), world.now());
                self.segment_lost(world, conn, from, segment.end());
            }
            Packet::Gap { conn, from } => self.arm_retransmission(world, conn, from.other()),
            Packet::Datagram(_) | Packet::Unreachable(_) => {}
        }
    }

    /// An RST came in place of an answer and did not arrive: whoever waits for one tries again.
    fn reset_lost(&mut self, world: &World, conn: usize, from: Side) {
        match from {
            Side::Client => self.arm_synack(world, conn),
            Side::Server => self.arm_syn(world, conn),
        }
        let flow = &self.conns[conn].flows[from.other()];
        if flow.is_outstanding() {
            let upto = flow.next;
            self.segment_lost(world, conn, from.other(), upto);
        }
    }

    fn handshake_hurt(&mut self, conn: usize, faults: &[FaultId]) {
        let hurt = &mut self.conns[conn].hurt;
        for &fault in faults {
            if !hurt.contains(&fault) {
                hurt.push(fault);
            }
        }
    }

    /// A cut swallowed an acknowledgement on its way to `side`.
    pub(crate) fn ack_dropped(&mut self, world: &World, conn: usize, side: Side, ack: Ack) {
        self.ack_receipt(world, conn, side);
        let link = self.conns[conn].links[side.other()];
        let faults = self.links.get(link).cuts.clone();
        let flow = &mut self.conns[conn].flows[side];
        let una = flow.una;
        extend_hurt(&mut flow.hurt_acks, &faults, (una, ack.next), world.now());
        self.segment_lost(world, conn, side, ack.next.max(una + 1));
    }

    /// Opens a cut. Acknowledgements on the way over the links it lies on are judged one by one
    /// from now on, and writers that wait for a window start to probe.
    pub(crate) fn cut(&mut self, world: &World, fault: FaultId, from: &[NodeId], to: &[NodeId]) {
        for (conn, side) in self.each_end() {
            self.settle(world, conn, side); // What has arrived by now is not the cut's.
        }
        self.links.cut(fault, from, to);
        for (conn, side) in self.each_end() {
            self.arm_ack(world, conn, side);
            self.alarm(world, conn, side);
        }
    }

    /// Closes the cuts of a fault. Acknowledgements due by now were its last.
    pub(crate) fn heal(&mut self, world: &World, fault: FaultId) {
        for (conn, side) in self.each_end() {
            self.settle(world, conn, side);
        }
        self.links.heal(fault);
    }

    fn each_end(&self) -> Vec<(usize, Side)> {
        self.conns
            .iter()
            .flat_map(|(index, _)| Side::BOTH.map(|side| (index, side)))
            .collect()
    }

    /// A node's process or machine is gone.
    pub(crate) fn node_down(&mut self, world: &World, node: NodeId, boot: Boot, down: Down) {
        let blame = self.host(node).blame;
        let silent = down == Down::PowerLoss;
        if silent {
            self.host_mut(node).up = false;
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
fn extend_hurt(
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
