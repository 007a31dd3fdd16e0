//! The sender's half of one direction of a stream. [`crate::inbox`] is the other half.
//!
//! Offsets count bytes since the handshake; the FIN takes one offset after the last byte. Bytes
//! stay here until they are acknowledged and read, so a segment in flight is a range of offsets,
//! a retransmission costs no copy, and neither does an arrival: the receiver's half knows offsets
//! alone, and reads from here.

use std::collections::VecDeque;

use sim_runtime::{FaultId, SimInstant, TimerKey};

use crate::bytes::Bytes;

/// An acknowledgement under way back to the sender: everything before `next` has arrived, and
/// everything before `edge` may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) at: SimInstant,
    pub(crate) next: u64,
    pub(crate) edge: u64,
    /// Faults have judged it already.
    pub(crate) judged: bool,
}

impl Ack {
    /// When one arrives that a fault holds back.
    pub(crate) const HELD: SimInstant = SimInstant(u64::MAX);
}

/// A range of offsets put on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) offset: u64,
    pub(crate) len: u32,
    pub(crate) fin: bool,
}

impl Segment {
    /// The first offset after it.
    pub(crate) fn end(&self) -> u64 {
        self.offset + u64::from(self.len) + u64::from(self.fin)
    }
}

/// Something a fault did to a direction that the guest has not noticed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hurt {
    pub(crate) fault: FaultId,
    pub(crate) since: SimInstant,
    /// The first offset that was lost.
    pub(crate) from: u64,
    /// The first offset after what was lost.
    pub(crate) upto: u64,
}

/// The sender's half.
#[derive(Debug)]
pub(crate) struct Flow {
    /// The bytes before `written`, from the first that is not both acknowledged and read.
    buffer: Bytes,
    /// The offset after the last byte written.
    written: u64,
    /// The first offset that the receiver has not read.
    taken: u64,
    /// The first offset that is not acknowledged.
    pub(crate) una: u64,
    /// The next offset to be put on the wire.
    pub(crate) next: u64,
    /// The window: bytes before it may be sent.
    pub(crate) edge: u64,
    capacity: usize,
    /// A FIN follows the last byte; nothing more may be written.
    pub(crate) fin: bool,
    /// The sender is gone: nothing more is sent, the bytes are kept for what is in flight.
    pub(crate) dead: bool,
    /// Acknowledgements in flight, in order of arrival.
    pub(crate) acks: VecDeque<Ack>,
    /// When the latest packet of this direction arrives: arrivals never go back in time.
    pub(crate) last_arrival: SimInstant,
    pub(crate) last_sent: SimInstant,
    /// Packets of this direction that faults detain, and until when those do that have an end.
    pub(crate) detained: u32,
    pub(crate) detained_until: SimInstant,
    /// Retransmission time-outs in a row.
    pub(crate) tries: u32,
    /// Something was lost since the last retransmission; an acknowledgement of everything before
    /// this offset makes up for it.
    pub(crate) lost_upto: Option<u64>,
    pub(crate) retransmission: Option<TimerKey>,
    pub(crate) ack_timer: Option<TimerKey>,
    /// Data that faults dropped and that has not arrived since.
    pub(crate) hurt: Vec<Hurt>,
    /// Acknowledgements that faults dropped, with no later one arrived since.
    pub(crate) hurt_acks: Vec<Hurt>,
    /// The writer's stall on the faults above has been reported.
    pub(crate) stall_seen: bool,
}

impl Flow {
    /// An empty direction whose receiver can take `window` bytes.
    pub(crate) fn new(capacity: usize, window: usize) -> Self {
        Self {
            buffer: Bytes::default(),
            written: 0,
            taken: 0,
            una: 0,
            next: 0,
            edge: window as u64,
            capacity,
            fin: false,
            dead: false,
            acks: VecDeque::new(),
            last_arrival: SimInstant(0),
            last_sent: SimInstant(0),
            detained: 0,
            detained_until: SimInstant(0),
            tries: 0,
            lost_upto: None,
            retransmission: None,
            ack_timer: None,
            hurt: Vec::new(),
            hurt_acks: Vec::new(),
            stall_seen: false,
        }
    }

    /// The offset after everything there is to send, the FIN included.
    pub(crate) fn end(&self) -> u64 {
        self.written + u64::from(self.fin)
    }

    /// Room for further bytes.
    #[inline]
    pub(crate) fn free(&self) -> usize {
        self.capacity.saturating_sub(self.unacknowledged())
    }

    /// Sets the size of the send buffer.
    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Bytes that are written and not acknowledged.
    #[inline]
    pub(crate) fn unacknowledged(&self) -> usize {
        self.written.saturating_sub(self.una) as usize
    }

    /// As `sk_stream_is_writeable`: a third of the buffer must be free before a writer is woken.
    pub(crate) fn is_writable(&self) -> bool {
        self.free() * 2 >= self.unacknowledged()
    }

    /// Everything written has arrived, and so has the FIN.
    pub(crate) fn is_finished(&self) -> bool {
        self.fin && self.una == self.end()
    }

    /// Is there something on the wire that is not acknowledged?
    pub(crate) fn is_outstanding(&self) -> bool {
        self.una < self.next
    }

    /// Are there bytes that only a closed window holds back?
    pub(crate) fn is_blocked(&self) -> bool {
        !self.dead && self.next < self.written && self.next >= self.edge
    }

    /// Takes bytes from the writer.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        debug_assert!(
            bytes.len() <= self.free() && !self.fin,
            "written past the buffer or the FIN"
        );
        self.buffer.extend(bytes);
        self.written += bytes.len() as u64;
    }

    /// The next segment the window lets out, of at most `most` bytes; moves `next` past it.
    #[inline]
    pub(crate) fn next_segment(&mut self, most: usize) -> Option<Segment> {
        if self.dead || self.next >= self.end() {
            return None;
        }
        let room = self.edge.saturating_sub(self.next).min(most as u64);
        let len = self.written.saturating_sub(self.next).min(room);
        let fin = self.fin && self.next + len == self.written;
        if len == 0 && !fin {
            return None;
        }
        let segment = Segment {
            offset: self.next,
            len: len as u32,
            fin,
        };
        self.next = segment.end();
        Some(segment)
    }

    /// Goes back to the first offset not acknowledged: what was sent since is sent again.
    pub(crate) fn rewind(&mut self) {
        self.next = self.una;
        self.lost_upto = None;
    }

    /// Notes that something was lost, which an acknowledgement of all before `upto` makes up for.
    pub(crate) fn lose(&mut self, upto: u64) {
        self.lost_upto = self.lost_upto.max(Some(upto));
    }

    /// The offset of the first byte in the buffer.
    #[inline]
    fn held(&self) -> u64 {
        self.written - self.buffer.len() as u64
    }

    /// Drops the bytes that nobody will ask for again.
    #[inline]
    fn release(&mut self) {
        let done = self.una.min(self.taken).min(self.written);
        let held = self.held();
        if done > held {
            self.buffer.discard((done - held) as usize);
        }
    }

    /// Copies bytes from offset `from` on to the reader; `into` is no longer than what arrived.
    #[inline]
    pub(crate) fn copy(&self, from: u64, into: &mut [u8]) {
        let start = (from - self.held()) as usize;
        into.copy_from_slice(&self.buffer.as_slice()[start..start + into.len()]);
    }

    /// The receiver has read all bytes before an offset.
    #[inline]
    pub(crate) fn is_read(&mut self, before: u64) {
        self.taken = before;
        self.release();
    }

    /// Applies an acknowledgement. Says whether bytes were acknowledged or the window moved.
    #[inline]
    pub(crate) fn acknowledge(&mut self, ack: Ack) -> bool {
        let moved = ack.next > self.una || ack.edge > self.edge;
        if self.tries == 0 && self.lost_upto.is_none() && self.hurt_acks.is_empty() {
            self.edge = self.edge.max(ack.edge);
            if ack.next > self.una {
                self.una = ack.next;
                self.next = self.next.max(self.una);
                self.release();
            }
            return moved;
        }
        self.edge = self.edge.max(ack.edge);
        if ack.next > self.una {
            self.una = ack.next;
            self.next = self.next.max(self.una);
            self.tries = 0;
            self.release();
        }
        if self.lost_upto.is_some_and(|lost| lost <= self.una) {
            self.lost_upto = None;
        }
        if !self.is_outstanding() {
            self.tries = 0;
            self.lost_upto = None;
        }
        let una = self.una;
        if !self.hurt_acks.is_empty() {
            self.hurt_acks.retain(|hurt| hurt.upto > una);
        }
        moved
    }

    /// Does a write of so many bytes go out whole, whatever the acknowledgements say that have
    /// arrived and are not applied? Then they may wait for others: one look is cheaper than many.
    /// Not for long, since what they acknowledge is kept.
    #[inline(always)]
    pub(crate) fn has_room_for(&self, len: usize) -> bool {
        const ACKS: usize = 4;
        const BYTES: usize = 256;
        let kept = self.unacknowledged().saturating_add(len);
        self.acks.len() < ACKS
            && kept <= BYTES.min(self.capacity)
            && self.next + len as u64 <= self.edge
            && self.lost_upto.is_none()
    }

    /// Applies all acknowledgements that have arrived by `now`, where nothing can have happened to
    /// them: the last says all that those before it have said. As [`Flow::acknowledge`].
    #[inline]
    pub(crate) fn acknowledge_until(&mut self, now: SimInstant) -> bool {
        let mut last = None;
        while let Some(&ack) = self.acks.front()
            && ack.at <= now
        {
            last = Some(ack);
            self.acks.pop_front();
        }
        last.is_some_and(|ack| self.acknowledge(ack))
    }

    /// The bytes of a segment. Empty where they are gone already.
    #[inline]
    pub(crate) fn bytes(&self, from: u64, upto: u64) -> &[u8] {
        let held = self.held();
        let upto = upto.min(self.written);
        if from < held || from >= upto {
            return &[];
        }
        &self.buffer.as_slice()[(from - held) as usize..(upto - held) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(next: u64, edge: u64) -> Ack {
        Ack {
            at: SimInstant(0),
            next,
            edge,
            judged: false,
        }
    }

    #[test]
    fn the_window_bounds_what_is_sent_but_not_the_fin() {
        let mut flow = Flow::new(100, 10);
        flow.write(&[7; 25]);
        assert_eq!(
            flow.next_segment(6),
            Some(Segment {
                offset: 0,
                len: 6,
                fin: false
            })
        );
        assert_eq!(
            flow.next_segment(6),
            Some(Segment {
                offset: 6,
                len: 4,
                fin: false
            })
        );
        assert_eq!(flow.next_segment(6), None);
        assert!(flow.is_blocked());
        flow.fin = true;
        assert!(flow.acknowledge(ack(10, 30)));
        assert_eq!(
            flow.next_segment(64),
            Some(Segment {
                offset: 10,
                len: 15,
                fin: true
            })
        );
        assert!(!flow.is_finished());
        assert!(flow.acknowledge(ack(26, 30)));
        assert!(flow.is_finished());
        assert_eq!(flow.unacknowledged(), 0);
    }

    #[test]
    fn a_rewind_sends_what_is_not_acknowledged_again() {
        let mut flow = Flow::new(100, 100);
        flow.write(b"abcdef");
        for _ in 0..3 {
            flow.next_segment(2);
        }
        flow.lose(2); // An acknowledgement.
        flow.lose(4); // The second segment.
        flow.acknowledge(ack(2, 100));
        assert_eq!(flow.lost_upto, Some(4), "the segment is still missing");
        flow.rewind();
        assert_eq!(
            flow.next_segment(64),
            Some(Segment {
                offset: 2,
                len: 4,
                fin: false
            })
        );
        assert_eq!(flow.bytes(2, 6), b"cdef");
    }

    #[test]
    fn old_acknowledgements_change_nothing() {
        let mut flow = Flow::new(100, 100);
        flow.write(b"abcd");
        flow.next_segment(64);
        assert!(flow.acknowledge(ack(4, 104)));
        assert!(!flow.acknowledge(ack(2, 50)));
        assert_eq!((flow.una, flow.edge), (4, 104));
    }
}
