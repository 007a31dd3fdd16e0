//! What travels, and how events of the queue are named.

use std::net::SocketAddr;

use sim_runtime::{FaultId, SimInstant};

use crate::conn::Side;
use crate::effect::Mark;
use crate::flow::Segment;
use crate::judge::{Load, Sort};

/// A packet. Those of connections name the connection and the side that sent them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Packet {
    Syn {
        conn: usize,
    },
    SynAck {
        conn: usize,
    },
    /// The third packet of the handshake.
    Established {
        conn: usize,
    },
    Data {
        conn: usize,
        from: Side,
        segment: Segment,
    },
    /// "Something before this is missing": asks for a retransmission.
    Gap {
        conn: usize,
        from: Side,
    },
    /// RST. `fault` is what the sender's end died of.
    Reset {
        conn: usize,
        from: Side,
        fault: Option<FaultId>,
    },
    /// Apart, because packets of connections are small.
    Datagram(Box<Datagram>),
    /// ICMP port unreachable: what the first sent, and nobody is bound to the second.
    Unreachable(Box<(SocketAddr, SocketAddr)>),
}

/// A datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Box<[u8]>,
    /// Numbers the datagrams of a link as they were sent.
    pub(crate) ordinal: u64,
    /// What faults did to it that its reader can tell.
    pub(crate) marks: Vec<Mark>,
}

impl Packet {
    /// The connection it belongs to, and who sent it.
    pub(crate) fn conn(&self) -> Option<(usize, Side)> {
        match *self {
            Self::Syn { conn } | Self::Established { conn } => Some((conn, Side::Client)),
            Self::SynAck { conn } => Some((conn, Side::Server)),
            Self::Data { conn, from, .. }
            | Self::Gap { conn, from }
            | Self::Reset { conn, from, .. } => Some((conn, from)),
            Self::Datagram(_) | Self::Unreachable(_) => None,
        }
    }

    /// Payload in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Data { segment, .. } => u64::from(segment.len),
            Self::Datagram(datagram) => datagram.bytes.len() as u64,
            _ => 0,
        }
    }

    /// How faults see it.
    pub(crate) fn load(&self) -> Load {
        let sort = match self {
            Self::Data { segment, .. } if segment.len > 0 || segment.fin => Sort::Segment,
            Self::Datagram(_) => Sort::Datagram,
            _ => Sort::Control,
        };
        Load {
            sort,
            len: self.len(),
        }
    }

    /// For reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Syn { .. } => "SYN",
            Self::SynAck { .. } => "SYN-ACK",
            Self::Established { .. } => "ACK of SYN-ACK",
            Self::Data { segment, .. } if segment.len == 0 && segment.fin => "FIN",
            Self::Data { segment, .. } if segment.len == 0 => "window probe",
            Self::Data { .. } => "data",
            Self::Gap { .. } => "duplicate ACK",
            Self::Reset { .. } => "RST",
            Self::Datagram(_) => "datagram",
            Self::Unreachable(_) => "port unreachable",
        }
    }
}

/// A packet on the wire.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) link: usize,
    pub(crate) sent: SimInstant,
    /// Numbers all packets as they were sent.
    pub(crate) order: u64,
    /// What its latency was made of; an acknowledgement of it takes as long as the word's
    /// [`echo`] says, and draws nothing.
    pub(crate) word: u64,
    pub(crate) packet: Packet,
    /// Faults have judged it already.
    pub(crate) judged: bool,
    /// What a test has done to it.
    pub(crate) hand: Hand,
    /// It came, and has to wait or to take more time: its direction keeps its order.
    pub(crate) detained: bool,
}

/// What a test has done to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hand {
    /// Nothing.
    Off,
    /// It is to wait.
    Held,
    /// It is to be lost.
    Lost,
    /// It came before, as another.
    Void,
}

/// Another word, made of a drawn one: for what answers a packet.
#[inline]
pub(crate) const fn echo(word: u64) -> u64 {
    let word = (word ^ (word >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word ^ (word >> 32)
}

/// What an event of the queue is about; fits in the 64 bits the queue carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// A packet reaches the far end.
    Packet(usize),
    /// The client tries its SYN again.
    Syn(usize),
    /// The server tries its SYN-ACK again.
    SynAck(usize),
    /// A retransmission time-out of what a side sends.
    Retransmission(usize, Side),
    /// An acknowledgement reaches the side that sends.
    Ack(usize, Side),
    /// A side has heard nothing for long.
    Keepalive(usize, Side),
}

impl Token {
    pub(crate) fn encode(self) -> u64 {
        let (kind, side, index) = match self {
            Self::Packet(index) => (0, Side::Client, index),
            Self::Syn(index) => (1, Side::Client, index),
            Self::SynAck(index) => (2, Side::Client, index),
            Self::Retransmission(index, side) => (3, side, index),
            Self::Ack(index, side) => (4, side, index),
            Self::Keepalive(index, side) => (5, side, index),
        };
        (index as u64) << 4 | (side as u64) << 3 | kind
    }

    /// The packet that an event is about, if it is about one.
    #[inline]
    pub(crate) const fn packet(token: u64) -> Option<usize> {
        match token & 7 {
            0 => Some((token >> 4) as usize),
            _ => None,
        }
    }

    pub(crate) fn decode(token: u64) -> Self {
        let index = (token >> 4) as usize;
        let side = if token & 8 == 0 {
            Side::Client
        } else {
            Side::Server
        };
        match token & 7 {
            0 => Self::Packet(index),
            1 => Self::Syn(index),
            2 => Self::SynAck(index),
            3 => Self::Retransmission(index, side),
            4 => Self::Ack(index, side),
            _ => Self::Keepalive(index, side),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_queue() {
        for token in [
            Token::Packet(0),
            Token::Syn(7),
            Token::SynAck(1 << 40),
            Token::Retransmission(3, Side::Server),
            Token::Ack(3, Side::Client),
            Token::Keepalive(9, Side::Server),
        ] {
            assert_eq!(Token::decode(token.encode()), token);
            let packet = matches!(token, Token::Packet(_)).then_some(0);
            assert_eq!(Token::packet(token.encode()), packet);
        }
    }
}
