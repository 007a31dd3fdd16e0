//! A stream connection: two ends, two directions, and the handshake between them.

use std::net::SocketAddr;
use std::ops::{Index, IndexMut};

use sim_runtime::{Boot, FaultId, NodeId, SimInstant, TimerKey};

use crate::care::Care;
use crate::flow::Flow;
use crate::inbox::Inbox;
use crate::ready::BothWaiters;

/// Which end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Whoever called `connect`.
    Client,
    /// Whoever accepts.
    Server,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// The other end.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Two of something, one a side.
#[derive(Debug)]
pub(crate) struct Pair<T>(pub(crate) [T; 2]);

impl<T> Index<Side> for Pair<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        &self.0[side as usize]
    }
}

impl<T> IndexMut<Side> for Pair<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        &mut self.0[side as usize]
    }
}

/// What the end's kernel knows of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing yet: the server's end before a SYN arrives.
    Absent,
    /// The client's end while it waits for the SYN-ACK.
    SynSent,
    /// The server's end while it waits for the third packet of the handshake.
    SynReceived,
    /// Established, in whole or half.
    Open,
    /// Closed in both directions; what arrives late is acknowledged, not refused.
    TimeWait,
    /// Nothing any more: what arrives is answered with RST.
    Gone,
}

/// Who may still use an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A listener's queue.
    Listener(usize),
    /// A socket of the guest.
    Socket(usize),
    /// Nobody: the kernel finishes alone what is left to send.
    Nobody,
}

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) node: NodeId,
    pub(crate) boot: Boot,
    pub(crate) addr: SocketAddr,
    pub(crate) phase: Phase,
    pub(crate) holder: Holder,
    /// `SO_ERROR`: the error that the next operation reports, once.
    pub(crate) error: Option<i32>,
    pub(crate) inbox: Inbox,
    pub(crate) waiters: BothWaiters,
    /// The fault that took this end's process or machine, until the peer has noticed.
    pub(crate) blame: Option<FaultId>,
    /// The fault that the last RST received was due to.
    pub(crate) reset_by: Option<FaultId>,
    /// It sent its FIN before it had one: its port lingers once all is over (TIME_WAIT). Whether
    /// the socket had `SO_REUSEADDR`.
    pub(crate) left_first: Option<bool>,
    /// The fault that has reset this end, which does not know it yet.
    pub(crate) doomed: Option<FaultId>,
    /// How long it bears silence, where its socket says anything of that.
    pub(crate) care: Option<Box<Care>>,
}

impl End {
    /// An end whose kernel knows nothing of the connection yet.
    pub(crate) fn new(node: NodeId, boot: Boot, addr: SocketAddr, window: usize) -> Self {
        Self {
            node,
            boot,
            addr,
            phase: Phase::Absent,
            holder: Holder::Nobody,
            error: None,
            inbox: Inbox::new(window),
            waiters: BothWaiters::default(),
            blame: None,
            reset_by: None,
            left_first: None,
            doomed: None,
            care: None,
        }
    }

    /// The same end, held by somebody.
    pub(crate) fn held(mut self, phase: Phase, holder: Holder) -> Self {
        self.phase = phase;
        self.holder = holder;
        self
    }

    /// Does its kernel know the connection?
    pub(crate) fn is_live(&self) -> bool {
        matches!(
            self.phase,
            Phase::SynSent | Phase::SynReceived | Phase::Open
        )
    }
}

/// The client's SYN retries and the server's SYN-ACK retries.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    pub(crate) since: SimInstant,
    pub(crate) tries: u32,
    pub(crate) timer: Option<TimerKey>,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Conn {
    /// Numbers connections in order of `connect`, for the digest and reports.
    pub(crate) serial: u64,
    pub(crate) ends: Pair<End>,
    /// `flows[side]` is what `side` sends.
    pub(crate) flows: Pair<Flow>,
    /// `links[side]` is the link from `side` to the other.
    pub(crate) links: Pair<usize>,
    /// Packets on the wire that name this connection.
    pub(crate) in_flight: u32,
    pub(crate) syn: Retry,
    pub(crate) synack: Retry,
    /// Faults that dropped packets of the handshake, until `connect` succeeds or fails.
    pub(crate) hurt: Vec<FaultId>,
}

impl Conn {
    /// Can it be forgotten? Nobody holds it, nothing is on the wire, and neither end will ever
    /// send: it is dead, or has sent its FIN to a peer that is.
    pub(crate) fn is_over(&self) -> bool {
        let silent = |side: Side| {
            let peer = &self.ends[side.other()];
            !self.ends[side].is_live() || (self.flows[side].is_finished() && !peer.is_live())
        };
        self.ends.0.iter().all(|end| end.holder == Holder::Nobody)
            && self.in_flight == 0
            && Side::BOTH.into_iter().all(silent)
    }

    /// Has `side` sent and received everything, FINs included?
    pub(crate) fn is_closed(&self, side: Side) -> bool {
        self.flows[side].is_finished() && self.ends[side].inbox.fin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Conn>() <= 1_280, "{} bytes", size_of::<Conn>());
    }
}
