//! Datagrams: each arrives once or not at all, in any order, and nobody is told.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};

use sim_runtime::{EventKind, FaultId, NodeId, World};

use crate::effect::Harm;
use crate::errno::fail;
use crate::packet::{Datagram, InFlight, Packet};
use crate::ports::Protocol;
use crate::ready::{BothWaiters, Ready};
use crate::state::{Kind, NOWHERE, Sock, State};

/// The largest payload of a datagram over IPv4.
const DATAGRAM_MAX: usize = 65_507;

/// What the kernel adds to a datagram when it counts it against the buffer.
const OVERHEAD: usize = 512;

/// How many datagrams that faults took a socket remembers, to tell a retry.
const REMEMBERED: usize = 32;

/// A UDP socket.
#[derive(Debug, Default)]
pub(crate) struct Udp {
    pub(crate) bound: Option<SocketAddr>,
    pub(crate) peer: Option<SocketAddr>,
    queue: VecDeque<Box<Datagram>>,
    queued: usize,
    pub(crate) error: Option<i32>,
    /// The fault that the error is due to.
    pub(crate) error_by: Option<FaultId>,
    /// What it sent and faults took, the latest last: whom to, a hash of the bytes, which fault.
    taken: VecDeque<(SocketAddr, u64, FaultId)>,
    /// Faults that took what it was to receive, until its reader asks for more.
    missed: Vec<(FaultId, SocketAddr)>,
    /// `shutdown(2)`: nothing more is received, nothing more is sent.
    pub(crate) shut: (bool, bool),
    pub(crate) waiters: BothWaiters,
}

impl Udp {
    /// Bytes that are charged against the buffer.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Reads the pending error and clears it.
    pub(crate) fn take_error(&mut self, world: &World) -> Option<i32> {
        let code = self.error.take()?;
        if let Some(fault) = self.error_by.take() {
            let peer = self.peer;
            world.ledger().observe(fault, "io-errors", || {
                let error = io::Error::from_raw_os_error(code);
                let peer = peer.map_or_else(String::new, |peer| peer.to_string());
                format!("a datagram to {peer} failed: {error}")
            });
        }
        Some(code)
    }

    pub(crate) fn ready(&self) -> Ready {
        Ready {
            readable: !self.queue.is_empty() || self.error.is_some(),
            writable: true,
            error: self.error.is_some(),
            ..Ready::default()
        }
    }
}

impl Udp {
    /// Its guest sends a datagram: did it send the very same before, and faults took it?
    fn sent_again(&mut self, world: &World, bytes: &[u8], to: SocketAddr) {
        let hash = hash(bytes);
        self.taken.retain(|&(before, of, fault)| {
            let is_same = (before, of) == (to, hash);
            if is_same {
                world.ledger().observe(fault, "datagrams-sent-again", || {
                    format!("sent {} bytes to {to} again", bytes.len())
                });
            }
            !is_same
        });
    }

    /// Its reader asks for what comes, or waits for it, and does not get what faults took.
    fn miss(&mut self, world: &World) {
        for (fault, from) in self.missed.drain(..) {
            world.ledger().observe(fault, "datagrams-missed", || {
                format!("a reader did not get a datagram of {from}")
            });
        }
    }
}

/// For telling datagrams apart (FNV-1a).
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// The reader of a datagram sees what faults did to it.
fn marks_seen(world: &World, datagram: &Datagram) {
    for mark in &datagram.marks {
        world.ledger().observe(mark.fault, mark.counter(), || {
            let (from, to, bytes) = (datagram.from, datagram.to, datagram.bytes.len());
            let (verb, after) = (mark.harm.verb(), world.now().since(mark.since));
            format!("read {from} -> {to} {bytes} bytes, {verb}, {after:?} after its time")
        });
    }
}

impl State {
    pub(crate) fn udp(&mut self, sock: usize) -> io::Result<&mut Udp> {
        match self.socks.get_mut(sock).map(|sock| &mut sock.kind) {
            Some(Kind::Udp(udp)) => Ok(udp),
            Some(_) => fail(libc::EINVAL),
            None => fail(libc::EBADF),
        }
    }

    /// `bind(2)` on a UDP socket.
    pub(crate) fn udp_bind(
        &mut self,
        world: &World,
        sock: usize,
        addr: SocketAddr,
    ) -> io::Result<SocketAddr> {
        if self.udp(sock)?.bound.is_some() {
            return fail(libc::EINVAL);
        }
        let addr = self.bind_port(world, Protocol::Udp, addr, sock)?;
        self.udp(sock)?.bound = Some(addr);
        Ok(addr)
    }

    fn udp_bound(&mut self, world: &World, sock: usize) -> io::Result<SocketAddr> {
        match self.udp(sock)?.bound {
            Some(addr) => Ok(addr),
            None => self.udp_bind(world, sock, (Ipv4Addr::UNSPECIFIED, 0).into()),
        }
    }

    /// `connect(2)` on a UDP socket: fixes the peer, and its own address with it.
    pub(crate) fn udp_connect(
        &mut self,
        world: &World,
        sock: usize,
        mut to: SocketAddr,
    ) -> io::Result<()> {
        let mut bound = self.udp_bound(world, sock)?;
        let (_, source) = self.route(world, self.socks[sock].node, &mut to);
        if bound.ip().is_unspecified() {
            bound.set_ip(source);
        }
        let udp = self.udp(sock)?;
        udp.peer = Some(to);
        udp.bound = Some(bound);
        Ok(())
    }

    /// `shutdown(2)`, of a socket that has a peer.
    pub(crate) fn udp_shutdown(&mut self, sock: usize, how: Shutdown) -> io::Result<()> {
        let udp = self.udp(sock)?;
        if udp.peer.is_none() {
            return fail(libc::ENOTCONN);
        }
        udp.shut.0 |= how != Shutdown::Write;
        udp.shut.1 |= how != Shutdown::Read;
        let waiters = udp.waiters.take();
        self.woken_by(waiters);
        Ok(())
    }

    /// `sendto(2)`. Never blocks: what does not fit on the way is lost there.
    pub(crate) fn udp_send(
        &mut self,
        world: &World,
        sock: usize,
        bytes: &[u8],
        to: Option<SocketAddr>,
    ) -> io::Result<usize> {
        let udp = self.udp(sock)?;
        if let Some(code) = udp.take_error(world) {
            return fail(code);
        }
        if udp.shut.1 {
            return fail(libc::EPIPE);
        }
        let Some(mut to) = to.or(udp.peer) else {
            return fail(libc::EDESTADDRREQ);
        };
        if bytes.len() > DATAGRAM_MAX {
            return fail(libc::EMSGSIZE);
        }
        if to.port() == 0 {
            return fail(libc::EINVAL);
        }
        if !udp.taken.is_empty() {
            udp.sent_again(world, bytes, to);
        }
        let mut from = self.udp_bound(world, sock)?;
        let node = self.socks[sock].node;
        let (peer, source) = self.route(world, node, &mut to);
        if from.ip().is_unspecified() {
            from.set_ip(source);
        }
        let link = self.links.between(node, peer);
        let wire = self.links.get_mut(link);
        let at = wire.draw_arrival(world, &self.config, bytes.len() as u64);
        wire.datagrams_sent += 1;
        let datagram = Datagram {
            from,
            to,
            bytes: bytes.into(),
            ordinal: wire.datagrams_sent,
            marks: Vec::new(),
        };
        let order = self.put(world, at, (link, 0), Packet::Datagram(Box::new(datagram)));
        if let Some(capacity) = self.config.path_capacity {
            let wire = self.links.get_mut(link);
            if let Some(victim) = wire.crowds(world, capacity, order) {
                self.discard_one(world, victim);
            }
        }
        Ok(bytes.len())
    }

    /// `recvfrom(2)` on a non-blocking socket: what does not fit into `into` is cut off.
    pub(crate) fn udp_recv(
        &mut self,
        world: &World,
        sock: usize,
        into: &mut [u8],
        peek: bool,
    ) -> io::Result<(usize, SocketAddr)> {
        let udp = self.udp(sock)?;
        if let Some(code) = udp.take_error(world) {
            return fail(code);
        }
        if !udp.missed.is_empty() {
            udp.miss(world);
        }
        let Some(datagram) = udp.queue.front() else {
            return fail(libc::EAGAIN);
        };
        let bytes = &datagram.bytes;
        let (from, count) = (datagram.from, bytes.len().min(into.len()));
        into[..count].copy_from_slice(&bytes[..count]);
        if !peek {
            udp.queued -= bytes.len() + OVERHEAD;
            if let Some(datagram) = udp.queue.pop_front() {
                marks_seen(world, &datagram);
            }
        }
        Ok((count, from))
    }

    /// A datagram arrives at a machine that is up.
    pub(crate) fn datagram_arrives(
        &mut self,
        world: &World,
        link: usize,
        mut datagram: Box<Datagram>,
    ) {
        let node = self.links.get(link).to;
        self.in_order(world, link, &mut datagram);
        let (from, to, len) = (datagram.from, datagram.to, datagram.bytes.len());
        let ports = u64::from(from.port()) << 16 | u64::from(to.port());
        world.event(
            EventKind::Net,
            9 << 48 | u64::from(node.0),
            ports << 32 | len as u64,
        );
        let room = self.config.datagram_buffer;
        let sock = self.udp_at(world, node, (to, from));
        let udp = sock.and_then(|sock| match &mut self.socks[sock].kind {
            Kind::Udp(udp) => Some(udp),
            _ => None,
        });
        let Some(udp) = udp else {
            let back = self.links.between(node, self.links.get(link).from);
            let at = self
                .links
                .get_mut(back)
                .draw_arrival(world, &self.config, 0);
            let unreachable = Packet::Unreachable(Box::new((from, to)));
            self.put(world, at, (back, 0), unreachable);
            return;
        };
        if udp.queued + len + OVERHEAD > room {
            return; // As a kernel does: the reader is too slow.
        }
        udp.queued += len + OVERHEAD;
        udp.queue.push_back(datagram);
        udp.waiters.read.wake_into(&mut self.woken);
    }

    /// The socket that a datagram is for, or that it came from: who has just this peer, or else who
    /// has none; of several, the last that was bound, or one that is drawn where they share the
    /// port.
    fn udp_at(
        &self,
        world: &World,
        node: NodeId,
        (at, peer): (SocketAddr, SocketAddr),
    ) -> Option<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut is_connected = false;
        for sock in self.ports.sockets_at(node, Protocol::Udp, at) {
            let Kind::Udp(udp) = &self.socks[sock].kind else {
                continue;
            };
            match udp.peer {
                Some(of) if of != peer => continue,
                Some(_) if !is_connected => {
                    is_connected = true;
                    found.clear();
                }
                None if is_connected => continue,
                _ => {}
            }
            found.push(sock);
        }
        match found[..] {
            [_, _, ..] if self.ports.is_shared(node, Protocol::Udp, at.port()) => {
                Some(found[self.share(world, (at, peer), found.len())])
            }
            _ => found.last().copied(),
        }
    }

    /// The socket at an address that has just this peer.
    pub(crate) fn udp_of(&self, node: NodeId, at: SocketAddr, peer: SocketAddr) -> Option<usize> {
        let has_peer = |sock: &usize| match &self.socks[*sock].kind {
            Kind::Udp(udp) => udp.peer == Some(peer),
            _ => false,
        };
        let mut all = self.ports.sockets_at(node, Protocol::Udp, at);
        all.find(has_peer)
    }

    /// Faults took a datagram: its sender may send it again, and its reader misses it.
    pub(crate) fn datagram_lost(&mut self, world: &World, flying: &InFlight, faults: &[FaultId]) {
        let Packet::Datagram(datagram) = &flying.packet else {
            return;
        };
        let link = self.links.get(flying.link);
        let (from, to) = (datagram.from, datagram.to);
        let (sender, reader) = (link.from, link.to);
        let any = self.ports.sockets_at(sender, Protocol::Udp, from).next();
        let sender = self.udp_at(world, sender, (from, to)).or(any);
        let reader = self.udp_at(world, reader, (to, from));
        if let Some(Kind::Udp(udp)) = sender.map(|sock| &mut self.socks[sock].kind) {
            let hash = hash(&datagram.bytes);
            for &fault in faults {
                udp.taken.push_back((to, hash, fault));
            }
            let more = udp.taken.len().saturating_sub(REMEMBERED);
            udp.taken.drain(..more);
        }
        if let Some(Kind::Udp(udp)) = reader.map(|sock| &mut self.socks[sock].kind)
            && !udp.shut.0
        {
            udp.missed.extend(faults.iter().map(|&fault| (fault, from)));
            // Who waits for it goes on waiting.
            if !udp.waiters.read.is_empty() {
                udp.miss(world);
            }
        }
    }

    /// Was a datagram that was made late to be overtaken, overtaken?
    fn in_order(&mut self, world: &World, link: usize, datagram: &mut Datagram) {
        let wire = self.links.get_mut(link);
        let overtaken = datagram.ordinal < wire.newest_datagram;
        wire.newest_datagram = wire.newest_datagram.max(datagram.ordinal);
        let path = (datagram.from, datagram.to);
        for mark in &mut datagram.marks {
            if mark.harm == Harm::Reordered && overtaken {
                let bytes = datagram.bytes.len() as u64;
                self.reorder_receipt(world, mark.fault, path, bytes);
            } else if mark.harm == Harm::Reordered {
                mark.harm = Harm::Delayed;
            }
        }
    }

    /// "Port unreachable" comes back: a connected socket reports it, any other never learns.
    pub(crate) fn unreachable_arrives(
        &mut self,
        world: &World,
        link: usize,
        from: SocketAddr,
        to: SocketAddr,
    ) {
        let node = self.links.get(link).to;
        let Some(sock) = self.udp_of(node, from, to) else {
            return;
        };
        let Kind::Udp(udp) = &mut self.socks[sock].kind else {
            return;
        };
        udp.error = Some(libc::ECONNREFUSED);
        udp.waiters.wake_into(&mut self.woken);
        world.event(
            EventKind::Net,
            10 << 48 | u64::from(node.0),
            u64::from(to.port()),
        );
    }

    /// The address a UDP socket has as far as the guest can tell.
    pub(crate) fn udp_local(&self, udp: &Udp) -> SocketAddr {
        udp.bound.unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into())
    }

    /// Undoes what opening and binding a socket did. The wakers of whoever waits are collected.
    pub(crate) fn close_socket(&mut self, world: &World, sock: usize, guest: bool, silent: bool) {
        let Some(Sock { node, kind, .. }) = self.socks.get_mut(sock) else {
            return;
        };
        let node = *node;
        debug_assert_ne!(node, NOWHERE);
        let bound = match kind {
            Kind::Fresh { bound } => bound.map(|addr| (Protocol::Tcp, addr)),
            Kind::Listener(listener) => {
                let addr = listener.addr;
                listener.waiters.wake_into(&mut self.woken);
                self.close_listener(world, sock, silent);
                Some((Protocol::Tcp, addr))
            }
            Kind::Stream {
                conn, side, bound, ..
            } => {
                let (conn, side, bound) = (*conn, *side, *bound);
                self.stream_close(world, conn, side, guest);
                bound.map(|addr| (Protocol::Tcp, addr))
            }
            Kind::Udp(udp) => {
                udp.waiters.wake_into(&mut self.woken);
                udp.bound.map(|addr| (Protocol::Udp, addr))
            }
        };
        if let Some((protocol, addr)) = bound {
            self.ports.unbind(node, protocol, addr, sock);
        }
        self.socks.remove(sock);
    }
}
