//! Ports of every node: who is bound, and which ports connections use.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use sim_runtime::{NodeId, SimInstant};

/// The ephemeral range of Linux (`ip_local_port_range`).
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// TCP and UDP ports are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

#[derive(Debug)]
struct Use {
    /// Sockets bound to the port, with the address each is bound to.
    bound: Vec<(IpAddr, usize)>,
    /// Connections whose local port it is.
    connections: u32,
    /// Until when one of those that are over is remembered.
    lingers_until: SimInstant,
    /// All of those had `SO_REUSEADDR`.
    reusable: bool,
}

impl Default for Use {
    fn default() -> Self {
        Self {
            bound: Vec::new(),
            connections: 0,
            lingers_until: SimInstant(0),
            reusable: true,
        }
    }
}

impl Use {
    fn is_free(&self) -> bool {
        self.bound.is_empty() && self.connections == 0 && self.lingers_until == SimInstant(0)
    }
}

/// The port table.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    uses: BTreeMap<(NodeId, Protocol, u16), Use>,
    next: BTreeMap<NodeId, u16>,
}

impl Ports {
    /// Binds a socket; port 0 picks an ephemeral one. `None` when it is in use: another socket is
    /// bound to an overlapping address, or connections linger on the port and `reuse` is off.
    pub(crate) fn bind(
        &mut self,
        node: NodeId,
        protocol: Protocol,
        mut addr: SocketAddr,
        (socket, reuse): (usize, bool),
        now: SimInstant,
    ) -> Option<SocketAddr> {
        if addr.port() == 0 {
            addr.set_port(self.ephemeral(node, protocol)?);
        }
        let used = self.uses.entry((node, protocol, addr.port())).or_default();
        let overlaps =
            |ip: IpAddr| ip == addr.ip() || ip.is_unspecified() || addr.ip().is_unspecified();
        let lingers = used.lingers_until > now;
        if !lingers {
            used.reusable = true;
        }
        let is_taken = (used.connections > 0 && !reuse) || (lingers && !(reuse && used.reusable));
        if used.bound.iter().any(|(ip, _)| overlaps(*ip)) || is_taken {
            return None;
        }
        used.bound.push((addr.ip(), socket));
        Some(addr)
    }

    /// The next free ephemeral port. `None` when all are taken.
    pub(crate) fn ephemeral(&mut self, node: NodeId, protocol: Protocol) -> Option<u16> {
        let next = self.next.entry(node).or_insert(*EPHEMERAL.start());
        for _ in EPHEMERAL {
            let port = *next;
            *next = if port == *EPHEMERAL.end() {
                *EPHEMERAL.start()
            } else {
                port + 1
            };
            let free = self
                .uses
                .get(&(node, protocol, port))
                .is_none_or(|used| used.bound.is_empty() && used.connections == 0);
            if free {
                return Some(port);
            }
        }
        None
    }

    /// Undoes `bind`.
    pub(crate) fn unbind(
        &mut self,
        node: NodeId,
        protocol: Protocol,
        addr: SocketAddr,
        socket: usize,
    ) {
        self.change(node, protocol, addr.port(), |used| {
            used.bound.retain(|(_, other)| *other != socket);
        });
    }

    /// A connection uses a local TCP port.
    pub(crate) fn connected(&mut self, node: NodeId, port: u16) {
        self.uses
            .entry((node, Protocol::Tcp, port))
            .or_default()
            .connections += 1;
    }

    /// A connection is over, and its local TCP port is taken for some time yet.
    /// One that reuses addresses may have it, if the connection's socket did, too.
    pub(crate) fn lingers(&mut self, node: NodeId, port: u16, (until, reuses): (SimInstant, bool)) {
        let used = self.uses.entry((node, Protocol::Tcp, port)).or_default();
        used.lingers_until = used.lingers_until.max(until);
        used.reusable &= reuses;
    }

    /// A machine lost power, and its memory of connections with it.
    pub(crate) fn forget_lingering(&mut self, node: NodeId) {
        for ((of, _, _), used) in &mut self.uses {
            if *of == node {
                used.lingers_until = SimInstant(0);
            }
        }
        self.uses.retain(|_, used| !used.is_free());
    }

    /// It does so no longer.
    pub(crate) fn disconnected(&mut self, node: NodeId, port: u16) {
        self.change(node, Protocol::Tcp, port, |used| used.connections -= 1);
    }

    fn change(&mut self, node: NodeId, protocol: Protocol, port: u16, f: impl FnOnce(&mut Use)) {
        let key = (node, protocol, port);
        let Some(used) = self.uses.get_mut(&key) else {
            return;
        };
        f(used);
        if used.is_free() {
            self.uses.remove(&key);
        }
    }

    /// The socket that a packet to `addr` belongs to: bound to the very address, or to any.
    pub(crate) fn socket_at(
        &self,
        node: NodeId,
        protocol: Protocol,
        addr: SocketAddr,
    ) -> Option<usize> {
        let bound = &self.uses.get(&(node, protocol, addr.port()))?.bound;
        let exact = bound.iter().find(|(ip, _)| *ip == addr.ip());
        exact
            .or_else(|| bound.iter().find(|(ip, _)| ip.is_unspecified()))
            .map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);
    const NOW: SimInstant = SimInstant(7);

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn overlapping_addresses_conflict() {
        let mut ports = Ports::default();
        let mut bind =
            |text, socket| ports.bind(NODE, Protocol::Tcp, addr(text), (socket, true), NOW);
        assert!(bind("10.0.0.1:80", 1).is_some());
        assert!(bind("127.0.0.1:80", 2).is_some());
        assert!(bind("10.0.0.1:80", 3).is_none());
        assert!(bind("0.0.0.0:80", 4).is_none());
        assert_eq!(
            ports.socket_at(NODE, Protocol::Tcp, addr("127.0.0.1:80")),
            Some(2)
        );
        assert_eq!(
            ports.socket_at(NODE, Protocol::Udp, addr("127.0.0.1:80")),
            None
        );
        ports.unbind(NODE, Protocol::Tcp, addr("10.0.0.1:80"), 1);
        assert_eq!(
            ports.socket_at(NODE, Protocol::Tcp, addr("10.0.0.1:80")),
            None
        );
    }

    #[test]
    fn connections_hold_a_port_against_those_who_do_not_reuse() {
        let mut ports = Ports::default();
        ports.connected(NODE, 80);
        assert!(
            ports
                .bind(NODE, Protocol::Tcp, addr("0.0.0.0:80"), (1, false), NOW)
                .is_none()
        );
        assert!(
            ports
                .bind(NODE, Protocol::Tcp, addr("0.0.0.0:80"), (1, true), NOW)
                .is_some()
        );
    }

    #[test]
    fn a_port_lingers_against_those_who_do_not_reuse_and_not_for_ever() {
        let mut ports = Ports::default();
        ports.lingers(NODE, 80, (SimInstant(10), true));
        let mut bind = |reuse, now| {
            let at = addr("10.0.0.1:80");
            let bound = ports.bind(NODE, Protocol::Tcp, at, (1, reuse), SimInstant(now));
            if bound.is_some() {
                ports.unbind(NODE, Protocol::Tcp, at, 1);
            }
            bound.is_some()
        };
        assert!(!bind(false, 9));
        assert!(bind(true, 9));
        assert!(bind(false, 10));
        ports.lingers(NODE, 81, (SimInstant(10), false));
        let at = addr("10.0.0.1:81");
        let bound = ports.bind(NODE, Protocol::Tcp, at, (1, true), SimInstant(9));
        assert!(bound.is_none(), "its socket did not reuse addresses");
        ports.forget_lingering(NODE);
        assert!(ports.uses.is_empty());
    }

    #[test]
    fn ephemeral_ports_run_out() {
        let mut ports = Ports::default();
        for _ in EPHEMERAL {
            let port = ports
                .ephemeral(NODE, Protocol::Tcp)
                .expect("a port is free");
            ports.connected(NODE, port);
        }
        assert_eq!(ports.ephemeral(NODE, Protocol::Tcp), None);
        assert_eq!(
            ports.ephemeral(NODE, Protocol::Udp),
            Some(*EPHEMERAL.start())
        );
    }
}
