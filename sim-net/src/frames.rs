//! Names of frames: what a user calls the messages of a protocol, for faults that hit one kind.

use std::net::SocketAddr;
use std::rc::Rc;

use sim_runtime::{FaultId, NodeId};

use crate::effect::Effect;
use crate::net::Net;
use crate::packet::Packet;
use crate::state::State;

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// A datagram; or a segment of a stream, which is what one write gave as long as the window
    /// and the weather's short writes do not cut it, and may be sent again in other pieces.
    pub bytes: &'a [u8],
    /// Is it of a stream?
    pub is_stream: bool,
}

/// Says of what kind a frame is, if it can tell.
pub type Classifier = dyn Fn(&Frame<'_>) -> Option<String>;

impl Net {
    /// Has `classifier` name frames, in the place of one that was set before. It is asked where a
    /// fault wants to know, and by [`Net::in_flight`]; it must not call the network.
    pub fn classify(&self, classifier: impl Fn(&Frame<'_>) -> Option<String> + 'static) {
        let classifier: Rc<Classifier> = Rc::new(classifier);
        let _ = self.run(|state, _| state.classifier = Some(classifier));
    }

    /// [`Net::disturb`], for frames of a kind alone, as [`Net::classify`] has them named. What
    /// carries no frame (handshakes, acknowledgements, ends) is never of a kind. On a stream
    /// whatever was sent after a frame that is dropped waits for it.
    pub fn disturb_kind(
        &self,
        fault: FaultId,
        (effect, kind): (Effect, &str),
        from: &[NodeId],
        to: &[NodeId],
    ) {
        let kind: Option<Rc<str>> = Some(kind.into());
        let _ = self.run(|state, world| state.lay(world, fault, (effect, kind), (from, to)));
    }
}

impl State {
    /// Of what kind a packet is.
    pub(crate) fn kind_of(&self, packet: &Packet) -> Option<String> {
        let classifier = self.classifier.as_ref()?;
        match packet {
            Packet::Data {
                conn,
                from,
                segment,
            } => {
                let conn = &self.conns[*conn];
                let bytes = conn.flows[*from].bytes(segment.offset, segment.end());
                if bytes.is_empty() {
                    return None;
                }
                classifier(&Frame {
                    from: conn.ends[*from].addr,
                    to: conn.ends[from.other()].addr,
                    bytes,
                    is_stream: true,
                })
            }
            Packet::Datagram(datagram) => classifier(&Frame {
                from: datagram.from,
                to: datagram.to,
                bytes: &datagram.bytes,
                is_stream: false,
            }),
            _ => None,
        }
    }
}
