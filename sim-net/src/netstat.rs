//! What a report says about sockets.

use std::net::SocketAddr;

use sim_runtime::NodeId;

use crate::conn::{Holder, Phase, Side};
use crate::state::{Kind, State};

/// A socket, or a connection that a kernel finishes alone, as `netstat` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketInfo {
    /// The machine.
    pub node: NodeId,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// The state in the words of `netstat`; empty for UDP.
    pub state: &'static str,
    /// Its own address.
    pub local: Option<SocketAddr>,
    /// The peer's.
    pub peer: Option<SocketAddr>,
    /// Bytes that arrived and are not read; connections to be accepted, for a listener.
    pub receive_queue: usize,
    /// Bytes written and not acknowledged.
    pub send_queue: usize,
}

impl State {
    /// A socket's addresses as far as it has any: `10.0.0.1:7`, `10.0.0.1:40000 -> 10.0.0.2:7`.
    pub(crate) fn addresses(&self, index: usize) -> Option<String> {
        let (local, peer) = match &self.socks.get(index)?.kind {
            Kind::Fresh { bound } => ((*bound)?, None),
            Kind::Listener(listener) => (listener.addr, None),
            Kind::Udp(udp) => (udp.bound?, udp.peer),
            Kind::Stream { conn, side, .. } => {
                let ends = &self.conns.get(*conn)?.ends;
                (ends[*side].addr, Some(ends[side.other()].addr))
            }
        };
        Some(match peer {
            Some(peer) => format!("{local} -> {peer}"),
            None => local.to_string(),
        })
    }

    /// Listeners, unconnected and UDP sockets first, then connections.
    pub(crate) fn netstat(&self) -> Vec<SocketInfo> {
        let mut all = Vec::new();
        for (_, sock) in &self.socks {
            let (protocol, state, local, peer, receive_queue) = match &sock.kind {
                Kind::Fresh { bound } => ("tcp", "CLOSED", *bound, None, 0),
                Kind::Listener(l) => ("tcp", "LISTEN", Some(l.addr), None, l.queue.len()),
                Kind::Udp(udp) => ("udp", "", udp.bound, udp.peer, udp.queued()),
                Kind::Stream { .. } => continue,
            };
            let node = sock.node;
            all.push(SocketInfo {
                node,
                protocol,
                state,
                local,
                peer,
                receive_queue,
                send_queue: 0,
            });
        }
        for (_, conn) in &self.conns {
            for side in Side::BOTH {
                let (end, peer) = (&conn.ends[side], &conn.ends[side.other()]);
                if !end.is_live() && end.holder == Holder::Nobody {
                    continue;
                }
                all.push(SocketInfo {
                    node: end.node,
                    protocol: "tcp",
                    state: phase_name(end.phase, conn.flows[side].fin, end.inbox.fin),
                    local: Some(end.addr),
                    peer: Some(peer.addr),
                    receive_queue: end.inbox.len(),
                    send_queue: conn.flows[side].unacknowledged(),
                });
            }
        }
        all
    }
}

fn phase_name(phase: Phase, sent_fin: bool, got_fin: bool) -> &'static str {
    match (phase, sent_fin, got_fin) {
        (Phase::SynSent, ..) => "SYN_SENT",
        (Phase::SynReceived, ..) => "SYN_RECV",
        (Phase::TimeWait, ..) => "TIME_WAIT",
        (Phase::Open, false, false) => "ESTABLISHED",
        (Phase::Open, true, false) => "FIN_WAIT",
        (Phase::Open, false, true) => "CLOSE_WAIT",
        (Phase::Open, true, true) => "LAST_ACK",
        (Phase::Absent | Phase::Gone, ..) => "CLOSED",
    }
}
