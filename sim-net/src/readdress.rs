//! Hosts that come back under another address.

use std::net::{IpAddr, SocketAddr};

use sim_runtime::{FaultId, NodeId, World};

use crate::conn::{Holder, Phase, Side};
use crate::net::Net;
use crate::packet::{InFlight, Packet};
use crate::state::{NOWHERE, State};

/// An address that a host had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Former {
    pub(crate) node: NodeId,
    pub(crate) ip: IpAddr,
    /// The fault that took it away.
    fault: FaultId,
}

impl Net {
    /// Gives a host that is down another address, for when it starts again. Its name leads there
    /// at once; the address that it had is nobody's: what is sent there, now or later, by whoever
    /// remembers it, vanishes without a word.
    ///
    /// # Panics
    /// When the host is running, or the address is another's.
    pub fn readdress(&self, fault: FaultId, node: NodeId, ip: IpAddr) {
        let moved = self.run(|state, world| state.readdress(world, fault, node, ip));
        moved.expect("the world is there");
    }
}

impl State {
    fn readdress(&mut self, world: &World, fault: FaultId, node: NodeId, ip: IpAddr) {
        let host = world.node(node);
        world.readdress_node(node, ip);
        world.ledger().inject(fault, "hosts-readdressed", 1, || {
            format!("{} moved from {} to {ip}", host.name, host.ip)
        });
        self.former.retain(|former| former.ip != ip);
        self.former.push(Former {
            node,
            ip: host.ip,
            fault,
        });
        for (conn, side) in self.each_end() {
            let end = &mut self.conns[conn].ends[side];
            if end.node == node && end.phase != Phase::Absent {
                end.holder = Holder::Nobody;
                end.blame = Some(fault);
                self.end_dies(world, conn, side, Phase::Gone);
            }
        }
        self.redirect(node);
        for (conn, side) in self.each_end() {
            if self.conns.contains(conn) {
                self.alarm(world, conn, side);
                self.reap(world, conn);
            }
        }
        self.ports.forget_lingering(node);
    }

    /// What goes to the host's old address goes nowhere from now on.
    fn redirect(&mut self, node: NodeId) {
        let links = &mut self.links;
        for (_, conn) in &mut self.conns {
            for side in Side::BOTH {
                let (here, peer) = (conn.ends[side].node, conn.ends[side.other()].node);
                if peer == node && here != node {
                    conn.links[side] = links.between(here, NOWHERE);
                }
            }
        }
        let wire = self.packets.iter_mut().map(|(_, flying)| flying);
        let kept = self.jammed.iter_mut().chain(&mut self.held);
        for flying in wire.chain(kept) {
            let (from, to) = {
                let link = links.get(flying.link);
                (link.from, link.to)
            };
            if to == node && from != node {
                flying.link = links.between(from, NOWHERE);
            }
        }
    }

    /// The fault by which the address that a packet goes to is nobody's.
    pub(crate) fn moved_away(&self, flying: &InFlight) -> Option<FaultId> {
        if self.former.is_empty() || self.links.get(flying.link).to != NOWHERE {
            return None;
        }
        let to: SocketAddr = match &flying.packet {
            Packet::Datagram(datagram) => datagram.to,
            Packet::Unreachable(ends) => ends.0,
            other => {
                let (conn, side) = other.conn()?;
                self.conns[conn].ends[side.other()].addr
            }
        };
        let mut all = self.former.iter();
        all.find(|former| former.ip == to.ip())
            .map(|former| former.fault)
    }
}
