//! The three-way handshake: connect, listen, accept, and the retries of both sides.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sim_runtime::{Boot, NodeId, World};

use crate::config::{back_off, nanos};
use crate::conn::{Conn, End, Holder, Pair, Phase, Retry, Side};
use crate::errno::fail;
use crate::flow::Flow;
use crate::inbox::Inbox;
use crate::packet::{Packet, Token};
use crate::ports::{Protocol, Sharing};
use crate::ready::Waiters;
use crate::state::{Kind, Listener, NOWHERE, Sock, State};

/// The loopback address of the family of `ip`.
fn loopback(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

impl State {
    /// The node that an address leads to from `node`, and the address a socket on `node` that
    /// talks to it has. The unspecified address means this host, as on Linux.
    pub(crate) fn route(
        &self,
        world: &World,
        node: NodeId,
        to: &mut SocketAddr,
    ) -> (NodeId, IpAddr) {
        if to.ip().is_unspecified() {
            to.set_ip(loopback(to.ip()));
        }
        if to.ip().is_loopback() {
            return (node, loopback(to.ip()));
        }
        let here = world.node(node).ip;
        if here == to.ip() {
            return (node, here);
        }
        (world.node_by_ip(to.ip()).unwrap_or(NOWHERE), here)
    }

    /// `connect(2)` on a non-blocking TCP socket.
    pub(crate) fn tcp_connect(
        &mut self,
        world: &World,
        sock: usize,
        to: SocketAddr,
    ) -> io::Result<()> {
        let bound = match &mut self.socks[sock].kind {
            Kind::Fresh { bound } => *bound,
            Kind::Stream {
                conn,
                side,
                bound,
                connected,
            } => match self.conns[*conn].ends[*side].phase {
                Phase::SynSent => return fail(libc::EALREADY),
                Phase::Gone if !*connected => {
                    let (old, bound) = (*conn, *bound);
                    return self.connect_has_failed(world, (sock, old), bound);
                }
                Phase::Open if !*connected => {
                    *connected = true;
                    return Ok(());
                }
                _ => return fail(libc::EISCONN),
            },
            Kind::Listener(_) => return fail(libc::EISCONN),
            Kind::Udp(_) => return fail(libc::EINVAL),
        };
        self.start_connecting(world, sock, bound, to)?;
        fail(libc::EINPROGRESS)
    }

    /// Who asks again after a connect that failed is told why, or `ECONNABORTED` where `SO_ERROR`
    /// has said so before; the socket is as new then (`inet_stream_connect`).
    fn connect_has_failed(
        &mut self,
        world: &World,
        (sock, conn): (usize, usize),
        bound: Option<SocketAddr>,
    ) -> io::Result<()> {
        let told = match self.conns[conn].ends[Side::Client].error {
            Some(_) => self.take_failure(world, conn, Side::Client),
            None => fail(libc::ECONNABORTED),
        };
        self.socks[sock].kind = Kind::Fresh { bound };
        self.let_go(world, conn, Side::Client);
        told
    }

    fn start_connecting(
        &mut self,
        world: &World,
        sock: usize,
        bound: Option<SocketAddr>,
        mut to: SocketAddr,
    ) -> io::Result<()> {
        let Sock {
            node,
            boot,
            options,
            ..
        } = self.socks[sock];
        if to.port() == 0 {
            return fail(libc::ECONNREFUSED);
        }
        let (peer, source) = self.route(world, node, &mut to);
        let ip = bound
            .map(|addr| addr.ip())
            .filter(|ip| !ip.is_unspecified())
            .unwrap_or(source);
        let port = match bound {
            Some(addr) => {
                let here = SocketAddr::new(ip, addr.port());
                if self.are_connected(node, (here, to)) {
                    return fail(libc::EADDRNOTAVAIL);
                }
                addr.port()
            }
            None => {
                // Within a host such ports are taken again (`tcp_tw_reuse`).
                let to = (peer != node).then_some((to, world.now()));
                match self.ports.ephemeral(node, Protocol::Tcp, to) {
                    Some(port) => port,
                    None => return fail(libc::EADDRNOTAVAIL),
                }
            }
        };
        self.ports.connected(node, port);
        let (theirs, ours) = (self.config.receive_buffer, options.receive_buffer);
        let here = SocketAddr::new(ip, port);
        let serial = self.next_serial();
        let conn = self.conns.insert(Conn {
            serial,
            ends: Pair([
                End::new(node, boot, here, ours).held(Phase::SynSent, Holder::Socket(sock)),
                End::new(peer, Boot(0), to, theirs),
            ]),
            flows: Pair([
                Flow::new(options.send_buffer, theirs),
                Flow::new(self.config.send_buffer, ours),
            ]),
            links: Pair([
                self.links.between(node, peer),
                self.links.between(peer, node),
            ]),
            in_flight: 0,
            syn: Retry {
                since: world.now(),
                ..Retry::default()
            },
            synack: Retry::default(),
            hurt: Vec::new(),
        });
        self.socks[sock].kind = Kind::Stream {
            conn,
            side: Side::Client,
            bound,
            connected: false,
        };
        self.note(
            world,
            1,
            conn,
            u64::from(peer.0) << 16 | u64::from(to.port()),
        );
        self.transmit(world, conn, Side::Client, Packet::Syn { conn });
        Ok(())
    }

    /// Does a node have a connection between these two addresses, the first its own?
    /// O(1) where nothing is connected from the port, else O(connections).
    fn are_connected(&self, node: NodeId, (here, there): (SocketAddr, SocketAddr)) -> bool {
        if !self.ports.is_connected(node, here.port()) {
            return false;
        }
        let mut ends = self.conns.iter().flat_map(|(_, conn)| {
            let sides = Side::BOTH.into_iter();
            sides.map(|side| (&conn.ends[side], &conn.ends[side.other()]))
        });
        ends.any(|(end, peer)| {
            let alive = !matches!(end.phase, Phase::Absent | Phase::Gone | Phase::TimeWait);
            alive && (end.node, end.addr, peer.addr) == (node, here, there)
        })
    }

    /// A SYN arrives at a machine that is up.
    pub(crate) fn syn_arrives(&mut self, world: &World, conn: usize) {
        let end = &self.conns[conn].ends[Side::Server];
        let (node, addr) = (end.node, end.addr);
        match end.phase {
            Phase::Absent => {}
            Phase::SynReceived => {
                return self.transmit(world, conn, Side::Server, Packet::SynAck { conn });
            }
            Phase::Gone => return self.reset_peer(world, conn, Side::Server),
            _ => return,
        }
        let caller = self.conns[conn].ends[Side::Client].addr;
        let Some(sock) = self.listener_at(world, node, addr, caller) else {
            return self.reset_peer(world, conn, Side::Server);
        };
        let Kind::Listener(Listener { queue, backlog, .. }) = &self.socks[sock].kind else {
            unreachable!("it was looked for");
        };
        let (queued, backlog) = (queue.len(), *backlog);
        if queued > backlog as usize {
            return self.arm_syn(world, conn); // The kernel drops it; the client tries again.
        }
        let Sock { boot, options, .. } = self.socks[sock];
        let c = &mut self.conns[conn];
        let end = &mut c.ends[Side::Server];
        end.boot = boot;
        end.phase = Phase::SynReceived;
        end.holder = Holder::Listener(sock);
        end.inbox = Inbox::new(options.receive_buffer);
        c.flows[Side::Server].set_capacity(options.send_buffer);
        c.flows[Side::Client].edge = options.receive_buffer as u64;
        c.synack = Retry {
            since: world.now(),
            ..Retry::default()
        };
        self.ports.connected(node, addr.port());
        self.transmit(world, conn, Side::Server, Packet::SynAck { conn });
    }

    /// Who listens at an address, for a caller: of several that share it, one that is drawn.
    fn listener_at(
        &self,
        world: &World,
        node: NodeId,
        addr: SocketAddr,
        caller: SocketAddr,
    ) -> Option<usize> {
        let listens = |sock: &usize| matches!(self.socks[*sock].kind, Kind::Listener(_));
        let mut all = self.ports.sockets_at(node, Protocol::Tcp, addr);
        let first = all.find(listens)?;
        let others: Vec<usize> = all.filter(listens).collect();
        if others.is_empty() {
            return Some(first);
        }
        let picked = self.share(world, (addr, caller), others.len() + 1);
        Some(picked.checked_sub(1).map_or(first, |other| others[other]))
    }

    /// Which of so many sockets that share a port what comes from an address is for: as the kernel
    /// has it, the same for all of it.
    pub(crate) fn share(
        &self,
        world: &World,
        (to, from): (SocketAddr, SocketAddr),
        among: usize,
    ) -> usize {
        let between = format!("{from} -> {to}");
        world
            .stream("net.shared-port", between.as_str())
            .index(among)
    }

    /// A SYN-ACK arrives: `connect` has succeeded.
    pub(crate) fn synack_arrives(&mut self, world: &World, conn: usize) {
        match self.conns[conn].ends[Side::Client].phase {
            Phase::SynSent => {}
            Phase::Open => {
                return self.transmit(world, conn, Side::Client, Packet::Established { conn });
            }
            Phase::TimeWait => return,
            _ => return self.reset_peer(world, conn, Side::Client),
        }
        if let Some(timer) = self.conns[conn].syn.timer.take() {
            world.cancel_timer(timer);
        }
        self.conns[conn].ends[Side::Client].phase = Phase::Open;
        self.take_care(world, (conn, Side::Client), true);
        self.note(world, 2, conn, 0);
        self.connected_late(world, conn);
        self.transmit(world, conn, Side::Client, Packet::Established { conn });
        self.wake_end(conn, Side::Client);
    }

    /// The third packet of the handshake, or data that says as much, arrives. False when the
    /// listener has no room: then the packet counts as lost.
    pub(crate) fn establish(&mut self, world: &World, conn: usize) -> bool {
        let end = &self.conns[conn].ends[Side::Server];
        let (Phase::SynReceived, Holder::Listener(sock)) = (end.phase, end.holder) else {
            return true;
        };
        let Kind::Listener(listener) = &mut self.socks[sock].kind else {
            return false;
        };
        if listener.queue.len() > listener.backlog as usize {
            self.arm_synack(world, conn);
            return false;
        }
        listener.queue.push_back(conn);
        listener.waiters.wake_into(&mut self.woken);
        self.conns[conn].ends[Side::Server].phase = Phase::Open;
        if let Some(timer) = self.conns[conn].synack.timer.take() {
            world.cancel_timer(timer);
        }
        true
    }

    /// Lets the client try its SYN again when its wait is over.
    pub(crate) fn arm_syn(&mut self, world: &World, conn: usize) {
        let c = &mut self.conns[conn];
        if c.ends[Side::Client].phase != Phase::SynSent || c.syn.timer.is_some() {
            return;
        }
        let wait = back_off(
            self.config.syn_timeout,
            c.syn.tries,
            std::time::Duration::MAX,
        );
        let at = (c.flows[Side::Client].last_sent + wait).max(world.now());
        let at = self.syn_limit(conn).map_or(at, |limit| at.min(limit));
        let token = Token::Syn(conn).encode();
        let c = &mut self.conns[conn];
        c.syn.timer = Some(world.device_event_at(at, self.device, token));
    }

    /// The client's wait is over.
    pub(crate) fn syn_timer(&mut self, world: &World, conn: usize) {
        let c = &mut self.conns[conn];
        c.syn.timer = None;
        if c.ends[Side::Client].phase != Phase::SynSent {
            return;
        }
        c.syn.tries += 1;
        let is_late = self.syn_limit(conn).is_some_and(|at| at <= world.now());
        let c = &mut self.conns[conn];
        if c.syn.tries > self.config.syn_retries || is_late {
            let waited = world.now().since(c.syn.since);
            self.note(world, 3, conn, nanos(waited));
            return self.end_fails(world, conn, Side::Client, libc::ETIMEDOUT);
        }
        self.transmit(world, conn, Side::Client, Packet::Syn { conn });
    }

    /// Lets the server try its SYN-ACK again when its wait is over.
    pub(crate) fn arm_synack(&mut self, world: &World, conn: usize) {
        let c = &mut self.conns[conn];
        if c.ends[Side::Server].phase != Phase::SynReceived || c.synack.timer.is_some() {
            return;
        }
        let wait = back_off(
            self.config.syn_timeout,
            c.synack.tries,
            std::time::Duration::MAX,
        );
        let at = (c.flows[Side::Server].last_sent + wait).max(world.now());
        let token = Token::SynAck(conn).encode();
        c.synack.timer = Some(world.device_event_at(at, self.device, token));
    }

    /// The server's wait is over. After the last retry it forgets the connection without a word.
    pub(crate) fn synack_timer(&mut self, world: &World, conn: usize) {
        let c = &mut self.conns[conn];
        c.synack.timer = None;
        if c.ends[Side::Server].phase != Phase::SynReceived {
            return;
        }
        c.synack.tries += 1;
        if c.synack.tries > self.config.synack_retries {
            c.ends[Side::Server].holder = Holder::Nobody;
            self.end_dies(world, conn, Side::Server, Phase::Gone);
            return self.reap(world, conn);
        }
        self.transmit(world, conn, Side::Server, Packet::SynAck { conn });
    }

    /// `bind(2)` on a TCP socket.
    pub(crate) fn tcp_bind(
        &mut self,
        world: &World,
        sock: usize,
        addr: SocketAddr,
    ) -> io::Result<()> {
        if !matches!(self.socks[sock].kind, Kind::Fresh { bound: None }) {
            return fail(libc::EINVAL);
        }
        let addr = self.bind_port(world, Protocol::Tcp, addr, sock)?;
        self.socks[sock].kind = Kind::Fresh { bound: Some(addr) };
        Ok(())
    }

    /// Takes a port for a socket, after checking that the address is this node's.
    pub(crate) fn bind_port(
        &mut self,
        world: &World,
        protocol: Protocol,
        addr: SocketAddr,
        sock: usize,
    ) -> io::Result<SocketAddr> {
        let Sock { node, options, .. } = self.socks[sock];
        let sharing = Sharing {
            address: options.reuse_address,
            port: options.reuse_port,
        };
        let ip = addr.ip();
        if !ip.is_unspecified() && !ip.is_loopback() && world.node(node).ip != ip {
            return fail(libc::EADDRNOTAVAIL);
        }
        match self
            .ports
            .bind(node, protocol, addr, (sock, sharing), world.now())
        {
            Some(addr) => Ok(addr),
            None => fail(libc::EADDRINUSE),
        }
    }

    /// `listen(2)`.
    pub(crate) fn tcp_listen(
        &mut self,
        world: &World,
        sock: usize,
        backlog: u32,
    ) -> io::Result<()> {
        let backlog = backlog.min(self.config.backlog_max);
        if let Kind::Fresh { bound: None } = self.socks[sock].kind {
            self.tcp_bind(world, sock, (Ipv4Addr::UNSPECIFIED, 0).into())?;
        }
        let node = self.socks[sock].node;
        match &mut self.socks[sock].kind {
            Kind::Fresh { bound: Some(addr) } => {
                let addr = *addr;
                if !self.ports.listens(node, addr, sock) {
                    return fail(libc::EADDRINUSE);
                }
                let (queue, waiters) = (VecDeque::new(), Waiters::default());
                let listener = Listener {
                    addr,
                    backlog,
                    queue,
                    waiters,
                };
                self.socks[sock].kind = Kind::Listener(listener);
                Ok(())
            }
            Kind::Listener(listener) => {
                listener.backlog = backlog;
                Ok(())
            }
            Kind::Udp(_) => fail(libc::EOPNOTSUPP),
            _ => fail(libc::EINVAL),
        }
    }

    /// `accept(2)` on a non-blocking socket: the new socket and the peer's address.
    pub(crate) fn tcp_accept(
        &mut self,
        world: &World,
        sock: usize,
    ) -> io::Result<(usize, SocketAddr)> {
        let Sock {
            node,
            boot,
            mut options,
            ..
        } = self.socks[sock];
        let conn = match &mut self.socks[sock].kind {
            Kind::Listener(listener) => listener.queue.pop_front(),
            Kind::Udp(_) => return fail(libc::EOPNOTSUPP),
            _ => return fail(libc::EINVAL),
        };
        let Some(conn) = conn else {
            return fail(libc::EAGAIN);
        };
        options.linger = None;
        let kind = Kind::Stream {
            conn,
            side: Side::Server,
            bound: None,
            connected: true,
        };
        let new = self.socks.insert(Sock {
            node,
            boot,
            options,
            kind,
        });
        self.conns[conn].ends[Side::Server].holder = Holder::Socket(new);
        self.take_care(world, (conn, Side::Server), true);
        self.note(world, 4, conn, 0);
        Ok((new, self.conns[conn].ends[Side::Client].addr))
    }

    /// A listener is closed: connections in its queue and half-made ones are reset.
    pub(crate) fn close_listener(&mut self, world: &World, sock: usize, down: bool) {
        let held = Holder::Listener(sock);
        let orphans: Vec<usize> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.ends[Side::Server].holder == held)
            .map(|(index, _)| index)
            .collect();
        for conn in orphans {
            let end = &mut self.conns[conn].ends[Side::Server];
            end.holder = Holder::Nobody;
            if !down && end.is_live() {
                self.end_dies(world, conn, Side::Server, Phase::Gone);
                self.reset_peer(world, conn, Side::Server);
            }
            self.reap(world, conn);
        }
    }
}
