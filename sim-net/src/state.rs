//! Everything the network knows, in one place, and how packets and timers get onto the event queue.
//!
//! The methods of [`State`] are spread over the modules by what they do. None of them wakes
//! anybody: wakers are collected in `woken` and woken by [`crate::Net`] once nothing is borrowed.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Waker;

use sim_runtime::{Boot, DeviceId, EventKind, FaultId, NodeId, SimInstant, World};
use slab::Slab;

use crate::config::NetConfig;
use crate::conn::{Conn, Holder, Phase, Side};
use crate::dns::Misled;
use crate::errno::{error, fail};
use crate::frames::Classifier;
use crate::link::Links;
use crate::options::SocketOptions;
use crate::packet::{Hand, InFlight, Packet, Token};
use crate::ports::Ports;
use crate::readdress::Former;
use crate::ready::{BothWaiters, Interest, Ready, Waiters, Woken};
use crate::udp::Udp;
use crate::wire::Wire;

/// A node that is nowhere: packets to addresses that nobody has go there and vanish.
pub(crate) const NOWHERE: NodeId = NodeId(u32::MAX);

/// The note that a segment arrived.
pub(crate) const NOTE_DATA: u64 = 6;

/// A machine, as far as the network is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host {
    /// Is its kernel running? Only a power loss ends that.
    pub(crate) up: bool,
    /// The fault that took its process or machine last, until it starts again.
    pub(crate) blame: Option<FaultId>,
}

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) addr: SocketAddr,
    pub(crate) backlog: u32,
    /// Connections to be accepted, in order.
    pub(crate) queue: VecDeque<usize>,
    pub(crate) waiters: Waiters,
}

/// What a socket is at the moment.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A TCP socket that neither listens nor connects.
    Fresh {
        bound: Option<SocketAddr>,
    },
    Listener(Listener),
    Stream {
        conn: usize,
        side: Side,
        bound: Option<SocketAddr>,
        connected: bool,
    },
    Udp(Udp),
}

/// A socket of the guest.
#[derive(Debug)]
pub(crate) struct Sock {
    pub(crate) node: NodeId,
    pub(crate) boot: Boot,
    pub(crate) options: SocketOptions,
    pub(crate) kind: Kind,
}

/// The whole state of the device.
pub(crate) struct State {
    pub(crate) device: DeviceId,
    pub(crate) config: NetConfig,
    pub(crate) links: Links,
    pub(crate) ports: Ports,
    pub(crate) conns: Slab<Conn>,
    pub(crate) socks: Slab<Sock>,
    pub(crate) packets: Wire,
    /// Packets that arrived at a jam, in order of arrival.
    pub(crate) jammed: Vec<InFlight>,
    /// Packets that arrived and that a test holds.
    pub(crate) held: Vec<InFlight>,
    /// Who names frames.
    pub(crate) classifier: Option<Rc<Classifier>>,
    /// Addresses that hosts had, the latest last.
    pub(crate) former: Vec<Former>,
    /// Faults on look-ups of names.
    pub(crate) misled: Vec<Misled>,
    pub(crate) woken: Woken,
    pub(crate) hosts: Vec<Host>,
    serial: u64,
    /// How many packets were sent.
    order: u64,
    /// Nothing takes the short way ([`crate::express`]).
    #[cfg(test)]
    pub(crate) long_way: bool,
}

impl State {
    pub(crate) fn new(device: DeviceId, config: NetConfig) -> Self {
        Self {
            device,
            config,
            links: Links::default(),
            ports: Ports::default(),
            conns: Slab::new(),
            socks: Slab::new(),
            packets: Wire::default(),
            jammed: Vec::new(),
            held: Vec::new(),
            classifier: None,
            former: Vec::new(),
            misled: Vec::new(),
            woken: Woken::default(),
            hosts: Vec::new(),
            serial: 0,
            order: 0,
            #[cfg(test)]
            long_way: false,
        }
    }

    /// The machine of a node; up until something else was said.
    pub(crate) fn host(&self, node: NodeId) -> Host {
        let unknown = Host {
            up: node != NOWHERE,
            blame: None,
        };
        self.hosts.get(node.0 as usize).copied().unwrap_or(unknown)
    }

    pub(crate) fn host_mut(&mut self, node: NodeId) -> &mut Host {
        let index = node.0 as usize;
        if self.hosts.len() <= index {
            self.hosts.resize(
                index + 1,
                Host {
                    up: true,
                    blame: None,
                },
            );
        }
        &mut self.hosts[index]
    }

    /// The number of the next connection.
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Puts a packet of a connection on the wire, behind those that `side` sent before.
    pub(crate) fn transmit(&mut self, world: &World, conn: usize, side: Side, packet: Packet) {
        let c = &mut self.conns[conn];
        let link = c.links[side];
        let len = packet.len();
        let wire = self.links.get_mut(link);
        let word = wire.word(world, &self.config);
        let drawn = wire.arrival(world, &self.config, (len, word));
        let flow = &mut c.flows[side];
        flow.last_arrival = flow.last_arrival.max(drawn);
        flow.last_sent = world.now();
        c.in_flight += 1;
        let at = flow.last_arrival;
        self.put(world, at, (link, word), packet);
    }

    /// Puts a packet on the wire; gives back its number.
    #[inline(always)]
    pub(crate) fn put(
        &mut self,
        world: &World,
        at: SimInstant,
        (link, word): (usize, u64),
        packet: Packet,
    ) -> u64 {
        self.order += 1;
        let flying = InFlight {
            link,
            sent: world.now(),
            order: self.order,
            word,
            packet,
            judged: false,
            hand: Hand::Off,
            detained: false,
        };
        self.arrives_at(world, at, flying);
        self.order
    }

    /// Has a packet arrive at an instant.
    #[inline(always)]
    pub(crate) fn arrives_at(&mut self, world: &World, at: SimInstant, flying: InFlight) {
        let index = self.packets.insert(flying);
        world.device_event_at(at, self.device, Token::Packet(index).encode());
    }

    /// Enters something a guest could notice into the digest.
    pub(crate) fn note(&self, world: &World, code: u64, conn: usize, value: u64) {
        world.event(
            EventKind::Net,
            (code << 48) | self.conns[conn].serial,
            value,
        );
    }

    /// Wakes everybody who waits for an end.
    pub(crate) fn wake_end(&mut self, conn: usize, side: Side) {
        self.conns[conn].ends[side]
            .waiters
            .wake_into(&mut self.woken);
    }

    /// Wakes those who wait to read from an end.
    pub(crate) fn wake_reader(&mut self, conn: usize, side: Side) {
        self.conns[conn].ends[side]
            .waiters
            .read
            .wake_into(&mut self.woken);
    }

    /// Stops every timer that works for an end.
    pub(crate) fn cancel_timers(&mut self, world: &World, conn: usize, side: Side) {
        let c = &mut self.conns[conn];
        let retry = match side {
            Side::Client => &mut c.syn.timer,
            Side::Server => &mut c.synack.timer,
        };
        let timers = [
            retry.take(),
            c.flows[side].retransmission.take(),
            c.flows[side].ack_timer.take(),
            c.ends[side]
                .care
                .as_mut()
                .and_then(|care| care.timer.take()),
        ];
        for key in timers.into_iter().flatten() {
            world.cancel_timer(key);
        }
    }

    /// An end's kernel forgets the connection. Says nothing to the peer.
    pub(crate) fn end_dies(&mut self, world: &World, conn: usize, side: Side, phase: Phase) {
        self.cancel_timers(world, conn, side);
        let c = &mut self.conns[conn];
        c.ends[side].phase = phase;
        c.flows[side].dead = true;
        c.flows[side].acks.clear();
    }

    /// Forgets a connection that is over.
    #[inline]
    pub(crate) fn reap(&mut self, world: &World, conn: usize) {
        if self.conns.get(conn).is_some_and(Conn::is_over) {
            self.forget(world, conn);
        }
    }

    fn forget(&mut self, world: &World, conn: usize) {
        for side in Side::BOTH {
            self.cancel_timers(world, conn, side);
        }
        let mut conn = self.conns.remove(conn);
        for side in Side::BOTH {
            conn.ends[side].waiters.wake_into(&mut self.woken);
            let (end, peer) = (&conn.ends[side], conn.ends[side.other()].addr);
            if let (Phase::TimeWait, Some(reuses)) = (end.phase, end.left_first) {
                let until = world.now() + self.config.time_wait;
                self.ports
                    .lingers(end.node, (end.addr.port(), peer), (until, reuses));
            }
            if side == Side::Client || end.phase != Phase::Absent {
                self.ports.disconnected(end.node, end.addr.port());
            }
        }
    }

    /// Collects wakers that were taken out of something.
    pub(crate) fn woken_by(&mut self, mut waiters: BothWaiters) {
        waiters.wake_into(&mut self.woken);
    }

    /// `getpeername(2)`.
    pub(crate) fn peer_of(&self, sock: usize) -> io::Result<SocketAddr> {
        let peer = match &self.socks[sock].kind {
            Kind::Udp(udp) => udp.peer,
            Kind::Stream { conn, side, .. } => {
                let ends = &self.conns[*conn].ends;
                let connected = ends[*side].phase == Phase::Open;
                connected.then(|| ends[side.other()].addr)
            }
            _ => None,
        };
        peer.ok_or_else(|| error(libc::ENOTCONN))
    }

    /// `writev(2)` on a socket.
    #[inline]
    pub(crate) fn socket_send(
        &mut self,
        world: &World,
        sock: usize,
        pieces: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let Some(socket) = self.socks.get(sock) else {
            return fail(libc::EBADF);
        };
        match socket.kind {
            Kind::Stream { conn, side, .. } => self.stream_send(world, (conn, side), pieces),
            Kind::Udp(_) => match pieces {
                [one] => self.udp_send(world, sock, one, None),
                _ => {
                    let all: Vec<u8> = pieces
                        .iter()
                        .flat_map(|piece| piece.iter().copied())
                        .collect();
                    self.udp_send(world, sock, &all, None)
                }
            },
            _ => fail(libc::EPIPE),
        }
    }

    /// `recv(2)` on a socket.
    #[inline]
    pub(crate) fn socket_recv(
        &mut self,
        world: &World,
        sock: usize,
        into: &mut [u8],
        peek: bool,
    ) -> io::Result<usize> {
        let Some(socket) = self.socks.get(sock) else {
            return fail(libc::EBADF);
        };
        match socket.kind {
            Kind::Stream { conn, side, .. } => self.stream_recv(world, (conn, side), into, peek),
            Kind::Udp(_) => self
                .udp_recv(world, sock, into, peek)
                .map(|(count, _)| count),
            _ => fail(libc::ENOTCONN),
        }
    }

    /// What `epoll` says about a socket.
    pub(crate) fn socket_ready(&mut self, world: &World, sock: usize) -> Ready {
        match &self.socks[sock].kind {
            Kind::Stream { conn, side, .. } => {
                let (conn, side) = (*conn, *side);
                self.stream_ready(world, conn, side)
            }
            Kind::Udp(udp) => udp.ready(),
            Kind::Listener(l) => Ready {
                readable: !l.queue.is_empty(),
                ..Ready::default()
            },
            Kind::Fresh { .. } => Ready {
                writable: true,
                read_closed: true,
                write_closed: true,
                ..Ready::default()
            },
        }
    }

    /// Registers a task that waits for a socket.
    pub(crate) fn socket_waits(
        &mut self,
        world: &World,
        sock: usize,
        interest: Interest,
        waker: &Waker,
    ) {
        match &mut self.socks[sock].kind {
            Kind::Stream { conn, side, .. } => {
                let (conn, side) = (*conn, *side);
                self.conns[conn].ends[side].waiters.add(interest, waker);
                if interest.is_writable() {
                    self.arm_ack(world, conn, side);
                }
            }
            Kind::Udp(udp) => udp.waiters.add(interest, waker),
            Kind::Listener(listener) => listener.waiters.add(waker),
            Kind::Fresh { .. } => {}
        }
    }

    /// The socket that holds an end, if any.
    pub(crate) fn options_of(&self, conn: usize, side: Side) -> Option<SocketOptions> {
        match self.conns[conn].ends[side].holder {
            Holder::Socket(sock) => self.socks.get(sock).map(|sock| sock.options),
            _ => None,
        }
    }
}
