//! Names of hosts: what they resolve to, and what faults do to that.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sim_runtime::{FaultId, NodeId, World};

use crate::errno::{error, unknown_name};
use crate::net::Net;

/// What a fault does to the look-ups of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// No name is known (`NXDOMAIN`).
    Unknown,
    /// Answers take so much longer.
    Slow(Duration),
}

/// A fault that is on.
#[derive(Debug, Clone)]
pub(crate) struct Misled {
    pub(crate) fault: FaultId,
    what: NameFault,
    hosts: Vec<NodeId>,
}

impl Net {
    /// Disturbs the look-ups of names by `hosts` until [`Net::heal`]. Addresses in text form and
    /// `localhost` need no name server.
    pub fn disturb_names(&self, fault: FaultId, what: NameFault, hosts: &[NodeId]) {
        let hosts = hosts.to_vec();
        let misled = Misled { fault, what, hosts };
        let _ = self.run(|state, _| state.misled.push(misled));
    }

    /// Looks a host up: an address in text form, `localhost`, or the name of a node. Takes no
    /// virtual time: callers wait for [`Net::lookup_takes`] before.
    ///
    /// # Errors
    /// "failed to lookup address information" as `std` words it, for any other name.
    pub fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Some(ip) = literal(host) {
            return Ok(vec![ip]);
        }
        let unknown = self.run(|state, world| {
            let hit = misled_by(&state.misled, world, |what| what == NameFault::Unknown);
            for fault in &hit {
                let who = || format!("{} looked {host} up", world.node(world.current_node()).name);
                world.ledger().inject(*fault, "lookups-failed", 1, who);
                world.ledger().observe(*fault, "lookups-failed", who);
            }
            !hit.is_empty()
        })?;
        if unknown {
            return Err(unknown_name());
        }
        let world = self.world().ok_or_else(|| error(libc::ENETDOWN))?;
        let node = world.node_by_name(host).ok_or_else(unknown_name)?;
        Ok(vec![world.node(node).ip])
    }

    /// How long the look-up of a host takes: zero, unless a fault says otherwise; then the longest.
    pub fn lookup_takes(&self, host: &str) -> Duration {
        if literal(host).is_some() {
            return Duration::ZERO;
        }
        let longest = self.run(|state, world| {
            let is_slow = |what| matches!(what, NameFault::Slow(_));
            let hit = misled_by(&state.misled, world, is_slow);
            for fault in &hit {
                let who = || format!("{} looks {host} up", world.node(world.current_node()).name);
                world.ledger().inject(*fault, "lookups-delayed", 1, who);
                world.ledger().observe(*fault, "lookups-late", who);
            }
            let node = world.current_node();
            let slow = state
                .misled
                .iter()
                .filter(|misled| misled.hosts.contains(&node));
            let by = slow.filter_map(|misled| match misled.what {
                NameFault::Slow(by) => Some(by),
                NameFault::Unknown => None,
            });
            by.max().unwrap_or_default()
        });
        longest.unwrap_or_default()
    }
}

/// What needs no name server.
fn literal(host: &str) -> Option<IpAddr> {
    match host {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        host => host.parse().ok(),
    }
}

/// The faults of a sort that the running node's look-ups meet.
fn misled_by(all: &[Misled], world: &World, is: impl Fn(NameFault) -> bool) -> Vec<FaultId> {
    let node = world.current_node();
    let hit = all.iter().filter(|misled| misled.hosts.contains(&node));
    hit.filter(|misled| is(misled.what))
        .map(|misled| misled.fault)
        .collect()
}
