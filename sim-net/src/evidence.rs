//! Receipts: what a fault did to the traffic, and where the guest noticed.
//!
//! Injected: each packet that a fault touched, by `packets-dropped`, `-rejected`, `-held` (in a
//! jam), `-delayed`, `-reordered` (a datagram that others overtook), `-duplicated`, `-corrupted`,
//! and their payload by `bytes-dropped` and so on; `connections-reset`. Observed:
//!
//! | counter | the guest noticed because |
//! |---|---|
//! | `connects-late` | a connect succeeded after a packet of its handshake was dropped |
//! | `connects-failed` | a connect was refused or timed out |
//! | `reads-late` | it read data that had been dropped before and was retransmitted |
//! | `writes-stalled` | a write found the send buffer full of data that can't get through |
//! | `io-errors` | an operation failed on a connection that lost packets |
//! | `connections-abandoned` | it closed a connection on which data or a handshake was stuck |
//! | `peers-disconnected` | it read the end or a reset of a connection whose peer's node died |
//! | `datagrams-late` | it read a datagram that came late |
//! | `datagrams-read-out-of-order`, `-read-twice`, `-read-corrupt` | it read one of those |
//! | `datagrams-missed` | a reader asked or waited for what came, and one had been dropped |
//! | `datagrams-sent-again` | it sent the very datagram again that had been dropped |
//! | `lookups-failed`, `-late`, `-misled` | a name led nowhere, late, or elsewhere |

use std::fmt;
use std::net::SocketAddr;

use sim_runtime::{EventKind, FaultId, World};

use crate::conn::{Conn, Holder, Phase, Side};
use crate::effect::Harm;
use crate::inbox::Late;
use crate::packet::{InFlight, Packet};
use crate::state::State;

/// One direction of a connection, for reports.
pub(crate) struct Path(SocketAddr, SocketAddr);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.0, self.1)
    }
}

impl Conn {
    fn path(&self, from: Side) -> Path {
        Path(self.ends[from].addr, self.ends[from.other()].addr)
    }
}

impl State {
    pub(crate) fn path_of(&self, packet: &Packet) -> Path {
        match packet {
            Packet::Datagram(datagram) => Path(datagram.from, datagram.to),
            Packet::Unreachable(ends) => Path(ends.1, ends.0),
            _ => {
                let (conn, side) = packet.conn().expect("all other packets are of connections");
                self.conns[conn].path(side)
            }
        }
    }

    /// Books a packet that the weather lost, or that came to a machine that is down; returns the
    /// fault that is to blame for that.
    pub(crate) fn loss_receipt(&mut self, world: &World, flying: &InFlight) -> Vec<FaultId> {
        self.note_loss(world, flying);
        let host = self.host(self.links.get(flying.link).to);
        let blame = host.blame.filter(|_| !host.up);
        blame
            .or_else(|| self.moved_away(flying))
            .into_iter()
            .collect()
    }

    /// Books a packet that faults dropped.
    pub(crate) fn drop_receipt(&mut self, world: &World, flying: &InFlight, faults: &[FaultId]) {
        self.note_loss(world, flying);
        for &fault in faults {
            self.book(world, fault, Harm::Dropped, flying);
        }
        self.count_dropped(flying.link, faults);
    }

    pub(crate) fn note_loss(&self, world: &World, flying: &InFlight) {
        let link = self.links.get(flying.link);
        let ends = u64::from(link.from.0) << 32 | u64::from(link.to.0);
        world.event(EventKind::Net, 8 << 48 | flying.packet.len(), ends);
    }

    /// Books what a fault did to a packet.
    pub(crate) fn book(&self, world: &World, fault: FaultId, harm: Harm, flying: &InFlight) {
        let (packets, octets) = harm.counters();
        let path = self.path_of(&flying.packet);
        let (name, bytes) = (flying.packet.name(), flying.packet.len());
        world.ledger().inject(fault, packets, 1, || {
            let link = self.links.get(flying.link);
            let (from, to) = (world.node(link.from).name, world.node(link.to).name);
            let (sent, verb) = (flying.sent, harm.verb());
            format!("{from} to {to}: {path} {name} {bytes} bytes, sent {sent}, {verb}")
        });
        if bytes > 0 {
            world.ledger().inject_more(fault, octets, bytes);
        }
    }

    /// Books what a fault did to an acknowledgement to `side`.
    pub(crate) fn ack_receipt(
        &self,
        world: &World,
        (conn, side): (usize, Side),
        fault: FaultId,
        harm: Harm,
    ) {
        let link = self.links.get(self.conns[conn].links[side.other()]);
        let path = self.conns[conn].path(side.other());
        world.ledger().inject(fault, harm.counters().0, 1, || {
            let (from, to) = (world.node(link.from).name, world.node(link.to).name);
            format!("{from} to {to}: {path} ACK 0 bytes, {}", harm.verb())
        });
    }

    /// Books a datagram that others overtook.
    pub(crate) fn reorder_receipt(
        &self,
        world: &World,
        fault: FaultId,
        (from, to): (SocketAddr, SocketAddr),
        bytes: u64,
    ) {
        let (packets, octets) = Harm::Reordered.counters();
        let what = || format!("{} datagram {bytes} bytes, overtaken", Path(from, to));
        world.ledger().inject(fault, packets, 1, what);
        if bytes > 0 {
            world.ledger().inject_more(fault, octets, bytes);
        }
    }

    /// Books a connection that a fault reset.
    pub(crate) fn reset_receipt(&self, world: &World, conn: usize, fault: FaultId, sides: &[Side]) {
        let path = self.conns[conn].path(Side::Client);
        world.ledger().inject(fault, "connections-reset", 1, || {
            let at = match sides {
                [Side::Client] => "at the first",
                [Side::Server] => "at the second",
                _ => "at both ends",
            };
            format!("{path} reset {at}")
        });
    }

    pub(crate) fn count_dropped(&mut self, link: usize, faults: &[FaultId]) {
        let stats = &mut self.links.get_mut(link).stats;
        for &fault in faults {
            *stats.dropped_by.entry(fault).or_default() += 1;
        }
    }

    /// `connect` succeeded: late, if packets of the handshake were dropped.
    pub(crate) fn connected_late(&mut self, world: &World, conn: usize) {
        let c = &mut self.conns[conn];
        let faults = std::mem::take(&mut c.hurt);
        let (path, took) = (c.path(Side::Client), world.now().since(c.syn.since));
        for fault in faults {
            world.ledger().observe(fault, "connects-late", || {
                format!("connect {path} took {took:?} with its handshake dropped before")
            });
        }
    }

    /// Data that was lost has arrived after all; its reader has not seen it yet.
    pub(crate) fn data_late(&mut self, world: &World, conn: usize, from: Side) {
        let c = &mut self.conns[conn];
        let inbox = &mut c.ends[from.other()].inbox;
        let arrived = world.now();
        c.flows[from].hurt.retain(|hurt| {
            let there = hurt.upto <= inbox.next;
            if there {
                let (fault, since, from) = (hurt.fault, hurt.since, hurt.from);
                inbox.late.push(Late {
                    fault,
                    since,
                    arrived,
                    from,
                });
            }
            !there
        });
    }

    /// The reader takes bytes, or the end of the stream, some of which came late.
    pub(crate) fn read_late(&mut self, world: &World, conn: usize, side: Side) {
        let c = &mut self.conns[conn];
        let path = c.path(side.other());
        let inbox = &mut c.ends[side].inbox;
        let (position, drained) = (inbox.position(), inbox.len() == 0);
        inbox.late.retain(|late| {
            let seen = position > late.from || drained;
            if seen {
                let delay = late.arrived.since(late.since);
                world.ledger().observe(late.fault, "reads-late", || {
                    format!(
                        "read {path} at offset {} was delayed by {delay:?}",
                        late.from
                    )
                });
            }
            !seen
        });
    }

    /// The reader sees the end of the stream.
    pub(crate) fn peer_left(&mut self, world: &World, conn: usize, side: Side) {
        if !self.conns[conn].ends[side].inbox.late.is_empty() {
            self.read_late(world, conn, side);
        }
        let c = &mut self.conns[conn];
        let path = c.path(side.other());
        if let Some(fault) = c.ends[side.other()].blame.take() {
            world.ledger().observe(fault, "peers-disconnected", || {
                format!("read {path} reached the end: the peer's node is down")
            });
        }
    }

    /// Faults hold up what a writer waits for, if one does.
    pub(crate) fn waiting_writer_stalls(&mut self, world: &World, conn: usize, side: Side) {
        let c = &self.conns[conn];
        if !c.flows[side].is_writable() && !c.ends[side].waiters.write.is_empty() {
            self.writer_stalls(world, conn, side);
        }
    }

    /// A write found no room.
    pub(crate) fn writer_stalls(&mut self, world: &World, conn: usize, side: Side) {
        let c = &mut self.conns[conn];
        let path = c.path(side);
        let flow = &mut c.flows[side];
        if flow.hurt.is_empty() && flow.hurt_acks.is_empty() {
            flow.stall_seen = false;
            return;
        }
        if std::mem::replace(&mut flow.stall_seen, true) {
            return;
        }
        let stuck = flow.unacknowledged();
        for fault in faults_of(
            flow.hurt
                .iter()
                .chain(&flow.hurt_acks)
                .map(|hurt| hurt.fault),
        ) {
            world.ledger().observe(fault, "writes-stalled", || {
                format!("write {path} waits behind {stuck} bytes that are not acknowledged")
            });
        }
    }

    /// The guest was told of a failure.
    pub(crate) fn failure_seen(&mut self, world: &World, conn: usize, side: Side, code: i32) {
        let c = &mut self.conns[conn];
        let path = c.path(side);
        let connecting = c.ends[side.other()].phase == Phase::Absent || !c.hurt.is_empty();
        let reset_by = c.ends[side].reset_by.take();
        let counter = if connecting {
            "connects-failed"
        } else {
            "io-errors"
        };
        let error = std::io::Error::from_raw_os_error(code);
        let mut faults = take_faults(c);
        for side in Side::BOTH {
            faults.extend(c.flows[side].hurt_acks.drain(..).map(|hurt| hurt.fault));
        }
        if let Some(care) = &mut c.ends[side].care {
            faults.append(&mut care.hurt);
        }
        for fault in faults_of(faults.into_iter()) {
            world
                .ledger()
                .observe(fault, counter, || format!("{path} failed: {error}"));
        }
        let counter = if connecting {
            "connects-failed"
        } else {
            "peers-disconnected"
        };
        if let Some(fault) = reset_by {
            world.ledger().observe(fault, counter, || {
                format!("{path} failed: {error}, the peer's node went down")
            });
        }
    }

    /// The guest closes a connection: it gives up on what is stuck in it.
    pub(crate) fn abandoned(&mut self, world: &World, conn: usize, side: Side) {
        let c = &mut self.conns[conn];
        if !matches!(c.ends[side].holder, Holder::Socket(_)) {
            return;
        }
        let path = c.path(side);
        let connecting = c.ends[side].phase == Phase::SynSent;
        for fault in take_faults(c) {
            world.ledger().observe(fault, "connections-abandoned", || {
                let stuck = if connecting { "connect" } else { "data" };
                format!("closed {path} with {stuck} still stuck")
            });
        }
    }
}

/// The faults that keep a connection from moving, each once; they are noticed now.
fn take_faults(conn: &mut Conn) -> Vec<FaultId> {
    let mut all = std::mem::take(&mut conn.hurt);
    for side in Side::BOTH {
        all.extend(conn.flows[side].hurt.drain(..).map(|hurt| hurt.fault));
    }
    faults_of(all.into_iter())
}

fn faults_of(faults: impl Iterator<Item = FaultId>) -> Vec<FaultId> {
    let mut all: Vec<FaultId> = faults.collect();
    all.sort_unstable();
    all.dedup();
    all
}
