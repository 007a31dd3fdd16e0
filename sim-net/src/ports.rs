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

/// What a socket that is bound lets others have of its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sharing {
    /// `SO_REUSEADDR`.
    pub(crate) address: bool,
    /// `SO_REUSEPORT`.
    pub(crate) port: bool,
}

/// A socket that is bound to a port.
#[derive(Debug, Clone, Copy)]
struct Bound {
    ip: IpAddr,
    socket: usize,
    sharing: Sharing,
    /// It listens: nobody has its address by `SO_REUSEADDR` alone.
    listens: bool,
}

impl Bound {
    fn overlaps(&self, ip: IpAddr) -> bool {
        self.ip == ip || self.ip.is_unspecified() || ip.is_unspecified()
    }

    /// May another one be bound beside it (`inet_bind_conflict`)?
    fn lets(&self, sharing: Sharing) -> bool {
        let by_address = self.sharing.address && sharing.address && !self.listens;
        by_address || (self.sharing.port && sharing.port)
    }
}

#[derive(Debug)]
struct Use {
    /// Sockets bound to the port, in order.
    bound: Vec<Bound>,
    /// Connections whose local port it is.
    connections: u32,
    /// Until when one of those that are over is remembered.
    lingers_until: SimInstant,
    /// Whom the last of those was with.
    lingers_with: Option<SocketAddr>,
    /// All of those had `SO_REUSEADDR`.
    reusable: bool,
}

impl Default for Use {
    fn default() -> Self {
        Self {
            bound: Vec::new(),
            connections: 0,
            lingers_until: SimInstant(0),
            lingers_with: None,
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
    /// bound to an overlapping address and does not share it, or connections linger on the port
    /// and addresses are not reused.
    pub(crate) fn bind(
        &mut self,
        node: NodeId,
        protocol: Protocol,
        mut addr: SocketAddr,
        (socket, sharing): (usize, Sharing),
        now: SimInstant,
    ) -> Option<SocketAddr> {
        if addr.port() == 0 {
            addr.set_port(self.ephemeral(node, protocol, None)?);
        }
        let used = self.uses.entry((node, protocol, addr.port())).or_default();
        let lingers = used.lingers_until > now;
        if !lingers {
            used.reusable = true;
        }
        let reuse = sharing.address;
        let connected = used.connections > 0 && !reuse && !sharing.port;
        let is_taken = connected || (lingers && !(reuse && used.reusable));
        let mut others = used.bound.iter().filter(|bound| bound.overlaps(addr.ip()));
        if is_taken || others.any(|other| !other.lets(sharing)) {
            return None;
        }
        used.bound.push(Bound {
            ip: addr.ip(),
            socket,
            sharing,
            listens: false,
        });
        Some(addr)
    }

    /// The next free ephemeral port. `None` when all are taken: for a connection to somebody, by
    /// others that were with the same one and are over for less than TIME_WAIT, too.
    pub(crate) fn ephemeral(
        &mut self,
        node: NodeId,
        protocol: Protocol,
        to: Option<(SocketAddr, SimInstant)>,
    ) -> Option<u16> {
        let next = self.next.entry(node).or_insert(*EPHEMERAL.start());
        for _ in EPHEMERAL {
            let port = *next;
            *next = if port == *EPHEMERAL.end() {
                *EPHEMERAL.start()
            } else {
                port + 1
            };
            let free = |used: &Use| {
                let lingers = to.is_some_and(|(to, now)| {
                    used.lingers_until > now && used.lingers_with == Some(to)
                });
                used.bound.is_empty() && used.connections == 0 && !lingers
            };
            if self.uses.get(&(node, protocol, port)).is_none_or(free) {
                return Some(port);
            }
        }
        None
    }

    /// A bound socket is to listen. False: another does at its address, and does not share it.
    pub(crate) fn listens(&mut self, node: NodeId, addr: SocketAddr, socket: usize) -> bool {
        let Some(used) = self.uses.get_mut(&(node, Protocol::Tcp, addr.port())) else {
            return false;
        };
        let Some(at) = used.bound.iter().position(|bound| bound.socket == socket) else {
            return false;
        };
        let sharing = used.bound[at].sharing;
        let mut others =
            used.bound.iter().enumerate().filter(|(place, other)| {
                *place != at && other.listens && other.overlaps(addr.ip())
            });
        if others.any(|(_, other)| !other.lets(sharing)) {
            return false;
        }
        used.bound[at].listens = true;
        true
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
            used.bound.retain(|other| other.socket != socket);
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
    pub(crate) fn lingers(
        &mut self,
        node: NodeId,
        (port, with): (u16, SocketAddr),
        (until, reuses): (SimInstant, bool),
    ) {
        let used = self.uses.entry((node, Protocol::Tcp, port)).or_default();
        used.lingers_until = used.lingers_until.max(until);
        used.lingers_with = Some(with);
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

    /// Does a connection use a local TCP port?
    pub(crate) fn is_connected(&self, node: NodeId, port: u16) -> bool {
        let used = self.uses.get(&(node, Protocol::Tcp, port));
        used.is_some_and(|used| used.connections > 0)
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

    /// The sockets that a packet to `addr` may belong to, in the order they were bound: those bound
    /// to the very address, or else those bound to any.
    pub(crate) fn sockets_at(
        &self,
        node: NodeId,
        protocol: Protocol,
        addr: SocketAddr,
    ) -> impl Iterator<Item = usize> {
        let used = self.uses.get(&(node, protocol, addr.port()));
        let bound = used.map_or(&[][..], |used| &used.bound);
        let has_exact = bound.iter().any(|bound| bound.ip == addr.ip());
        let belongs = move |bound: &&Bound| match has_exact {
            true => bound.ip == addr.ip(),
            false => bound.ip.is_unspecified(),
        };
        bound.iter().filter(belongs).map(|bound| bound.socket)
    }

    /// Do sockets share the port of one, each for a part of what comes (`SO_REUSEPORT`)?
    pub(crate) fn is_shared(&self, node: NodeId, protocol: Protocol, port: u16) -> bool {
        let used = self.uses.get(&(node, protocol, port));
        used.is_some_and(|used| used.bound.iter().all(|bound| bound.sharing.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);
    const ALONE: Sharing = Sharing {
        address: false,
        port: false,
    };
    const REUSING: Sharing = Sharing {
        address: true,
        port: false,
    };
    const SHARING: Sharing = Sharing {
        address: false,
        port: true,
    };
    const NOW: SimInstant = SimInstant(7);

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn overlapping_addresses_conflict() {
        let mut ports = Ports::default();
        let mut bind =
            |text, socket| ports.bind(NODE, Protocol::Tcp, addr(text), (socket, ALONE), NOW);
        assert!(bind("10.0.0.1:80", 1).is_some());
        assert!(bind("127.0.0.1:80", 2).is_some());
        assert!(bind("10.0.0.1:80", 3).is_none());
        assert!(bind("0.0.0.0:80", 4).is_none());
        let at = |ports: &Ports, protocol, text| -> Vec<usize> {
            ports.sockets_at(NODE, protocol, addr(text)).collect()
        };
        assert_eq!(at(&ports, Protocol::Tcp, "127.0.0.1:80"), [2]);
        assert_eq!(at(&ports, Protocol::Udp, "127.0.0.1:80"), []);
        ports.unbind(NODE, Protocol::Tcp, addr("10.0.0.1:80"), 1);
        assert_eq!(at(&ports, Protocol::Tcp, "10.0.0.1:80"), []);
    }

    #[test]
    fn an_address_is_shared_by_those_who_all_say_so() {
        let both = |first: Sharing, second: Sharing, listens: bool| {
            let mut ports = Ports::default();
            let at = addr("10.0.0.1:80");
            let any = addr("0.0.0.0:80");
            let bound = ports.bind(NODE, Protocol::Tcp, at, (1, first), NOW);
            assert!(bound.is_some() && (!listens || ports.listens(NODE, at, 1)));
            let bound = ports.bind(NODE, Protocol::Tcp, any, (2, second), NOW);
            bound.is_some().then(|| ports.listens(NODE, any, 2))
        };
        assert_eq!(both(ALONE, REUSING, false), None);
        assert_eq!(both(REUSING, REUSING, false), Some(true));
        assert_eq!(both(REUSING, REUSING, true), None, "it listens");
        assert_eq!(both(SHARING, SHARING, true), Some(true));
        assert_eq!(both(SHARING, REUSING, false), None);
    }

    #[test]
    fn connections_hold_a_port_against_those_who_do_not_reuse() {
        let mut ports = Ports::default();
        ports.connected(NODE, 80);
        assert!(
            ports
                .bind(NODE, Protocol::Tcp, addr("0.0.0.0:80"), (1, ALONE), NOW)
                .is_none()
        );
        assert!(
            ports
                .bind(NODE, Protocol::Tcp, addr("0.0.0.0:80"), (1, REUSING), NOW)
                .is_some()
        );
    }

    #[test]
    fn a_port_lingers_against_those_who_do_not_reuse_and_not_for_ever() {
        let mut ports = Ports::default();
        ports.lingers(NODE, (80, addr("10.0.0.2:9")), (SimInstant(10), true));
        let mut bind = |reuse, now| {
            let at = addr("10.0.0.1:80");
            let sharing = if reuse { REUSING } else { ALONE };
            let bound = ports.bind(NODE, Protocol::Tcp, at, (1, sharing), SimInstant(now));
            if bound.is_some() {
                ports.unbind(NODE, Protocol::Tcp, at, 1);
            }
            bound.is_some()
        };
        assert!(!bind(false, 9));
        assert!(bind(true, 9));
        assert!(bind(false, 10));
        ports.lingers(NODE, (81, addr("10.0.0.2:9")), (SimInstant(10), false));
        let at = addr("10.0.0.1:81");
        let bound = ports.bind(NODE, Protocol::Tcp, at, (1, REUSING), SimInstant(9));
        assert!(bound.is_none(), "its socket did not reuse addresses");
        ports.forget_lingering(NODE);
        assert!(ports.uses.is_empty());
    }

    #[test]
    fn ephemeral_ports_run_out() {
        let mut ports = Ports::default();
        for _ in EPHEMERAL {
            let port = ports
                .ephemeral(NODE, Protocol::Tcp, None)
                .expect("a port is free");
            ports.connected(NODE, port);
        }
        assert_eq!(ports.ephemeral(NODE, Protocol::Tcp, None), None);
        assert_eq!(
            ports.ephemeral(NODE, Protocol::Udp, None),
            Some(*EPHEMERAL.start())
        );
    }

    #[test]
    fn ephemeral_ports_in_time_wait_run_out_for_the_same_peer_alone() {
        let mut ports = Ports::default();
        let (one, other) = (addr("10.0.0.2:80"), addr("10.0.0.3:80"));
        for _ in EPHEMERAL {
            let port = ports
                .ephemeral(NODE, Protocol::Tcp, Some((one, NOW)))
                .expect("a port is free");
            ports.lingers(NODE, (port, one), (SimInstant(10), true));
        }
        let mut at = |to, now| ports.ephemeral(NODE, Protocol::Tcp, Some((to, SimInstant(now))));
        assert_eq!(at(one, 9), None);
        assert!(at(other, 9).is_some());
        assert!(at(one, 10).is_some());
    }
}
