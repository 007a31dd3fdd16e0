//! Names of hosts: what they resolve to, and what faults do to that.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sim_runtime::{FaultId, NodeId, World};

use crate::errno::{error, try_again, unknown_name};
use crate::net::Net;
use crate::state::State;

/// How long a resolver waits for a name server that is silent: two attempts of 5 s, as
/// `resolv.conf(5)` has it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a fault does to the look-ups of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// No name is known (`NXDOMAIN`).
    Unknown,
    /// The name server does not answer: a look-up takes 10 s and fails ("Temporary failure in
    /// name resolution").
    Silent,
    /// Answers take so much longer.
    Slow(Duration),
    /// Every name leads to this address, whosever it is.
    Elsewhere(IpAddr),
    /// A name leads to the address that its host had before it got another
    /// ([`Net::readdress`]): an answer that somebody kept for too long.
    Stale,
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
    /// "failed to lookup address information" as `std` words it, for any other name, and where a
    /// fault has it so.
    pub fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Some(ip) = literal(host) {
            return Ok(vec![ip]);
        }
        let node = self.world().ok_or_else(|| error(libc::ENETDOWN))?;
        let node = node.node_by_name(host);
        self.run(|state, world| state.looked_up(world, host, node))?
            .map(|ip| vec![ip])
    }

    /// How long the look-up of a host takes: zero, unless a fault says otherwise; then the longest.
    pub fn lookup_takes(&self, host: &str) -> Duration {
        if literal(host).is_some() {
            return Duration::ZERO;
        }
        let longest = self.run(|state, world| {
            let mut longest = Duration::ZERO;
            for misled in state.misled_here(world) {
                match misled.what {
                    NameFault::Slow(by) => {
                        longest = longest.max(by);
                        late(world, misled.fault, host);
                    }
                    NameFault::Silent => {
                        longest = longest.max(PATIENCE);
                        late(world, misled.fault, host);
                    }
                    NameFault::Unknown | NameFault::Elsewhere(_) | NameFault::Stale => {}
                }
            }
            longest
        });
        longest.unwrap_or_default()
    }
}

impl State {
    /// The faults on the look-ups of the running node, in the order they came.
    fn misled_here(&self, world: &World) -> impl Iterator<Item = &Misled> {
        let here = world.current_node();
        let all = self.misled.iter();
        all.filter(move |misled| misled.hosts.contains(&here))
    }

    /// What a name leads to: a server that is silent tells nothing, one that knows no name no
    /// address, and of wrong answers the last counts.
    fn looked_up(&self, world: &World, host: &str, node: Option<NodeId>) -> io::Result<IpAddr> {
        let fails = |what| {
            let mut all = self
                .misled_here(world)
                .filter(|m| m.what == what)
                .peekable();
            let any = all.peek().is_some();
            all.for_each(|misled| failed(world, misled.fault, host));
            any
        };
        if fails(NameFault::Silent) {
            return Err(try_again());
        }
        if fails(NameFault::Unknown) {
            return Err(unknown_name());
        }
        let node = node.ok_or_else(unknown_name)?;
        let true_ip = world.node(node).ip;
        let mut answer = (true_ip, None);
        for misled in self.misled_here(world) {
            let ip = match misled.what {
                NameFault::Elsewhere(ip) => Some(ip),
                NameFault::Stale => self.before(node),
                _ => None,
            };
            if let Some(ip) = ip.filter(|ip| *ip != true_ip) {
                answer = (ip, Some(misled.fault));
            }
        }
        let (ip, fault) = answer;
        if let Some(fault) = fault {
            misled(world, fault, (host, true_ip, ip));
        }
        Ok(ip)
    }

    /// The address that a host had before the one that it has.
    fn before(&self, node: NodeId) -> Option<IpAddr> {
        let mut all = self.former.iter().rev();
        all.find(|former| former.node == node)
            .map(|former| former.ip)
    }
}

fn running(world: &World) -> std::rc::Rc<str> {
    world.node(world.current_node()).name
}

/// A look-up that fails is told to whoever looks up.
fn failed(world: &World, fault: FaultId, host: &str) {
    let who = || format!("{} looked {host} up", running(world));
    world.ledger().inject(fault, "lookups-failed", 1, who);
    world.ledger().observe(fault, "lookups-failed", who);
}

fn late(world: &World, fault: FaultId, host: &str) {
    let who = || format!("{} looks {host} up", running(world));
    world.ledger().inject(fault, "lookups-delayed", 1, who);
    world.ledger().observe(fault, "lookups-late", who);
}

/// A wrong answer is noticed by what comes of it, or never; whoever asked has read it.
fn misled(world: &World, fault: FaultId, (host, right, wrong): (&str, IpAddr, IpAddr)) {
    let what = || {
        format!(
            "{} was told {wrong} for {host}, not {right}",
            running(world)
        )
    };
    world.ledger().inject(fault, "lookups-misled", 1, what);
    world.ledger().observe(fault, "lookups-misled", what);
}

/// What needs no name server.
fn literal(host: &str) -> Option<IpAddr> {
    match host {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        host => host.parse().ok(),
    }
}
