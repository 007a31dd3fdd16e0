//! The receiver's half of one direction of a stream: which bytes arrived and are not read yet. The
//! bytes themselves are with the sender's half.

use sim_runtime::{FaultId, SimInstant};

use crate::flow::{Flow, Segment};

/// What became of a segment that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Everything in it was there already; it is acknowledged again.
    Old,
    /// Something before it is missing. It is not kept: the sender repeats it after the gap.
    Gap,
    /// It moved the stream forward.
    New,
}

/// Data that a fault delayed and that its reader has not seen yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late {
    pub(crate) fault: FaultId,
    pub(crate) since: SimInstant,
    pub(crate) arrived: SimInstant,
    /// The first offset that was lost.
    pub(crate) from: u64,
}

/// The receive buffer.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// The next offset to arrive.
    pub(crate) next: u64,
    /// The first offset the reader has not taken.
    read: u64,
    capacity: usize,
    /// The window last told to the sender.
    advertised: u64,
    /// The FIN has arrived: nothing follows.
    pub(crate) fin: bool,
    /// `shutdown(SHUT_RD)`: reads answer the end of the stream once the buffer is empty.
    pub(crate) shut: bool,
    pub(crate) late: Vec<Late>,
}

impl Inbox {
    /// An empty buffer for `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            next: 0,
            read: 0,
            capacity,
            advertised: capacity as u64,
            fin: false,
            shut: false,
            late: Vec::new(),
        }
    }

    /// Bytes that can be read.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        (self.next - u64::from(self.fin) - self.read) as usize
    }

    /// Offsets read so far.
    pub(crate) fn position(&self) -> u64 {
        self.read
    }

    /// Takes a segment.
    pub(crate) fn accept(&mut self, segment: Segment) -> Arrival {
        if segment.offset > self.next {
            return Arrival::Gap;
        }
        if segment.end() <= self.next {
            return Arrival::Old;
        }
        self.take(segment);
        Arrival::New
    }

    /// Takes a segment that moves the stream forward.
    #[inline]
    pub(crate) fn take(&mut self, segment: Segment) {
        self.next = segment.end();
        self.fin = segment.fin;
        debug_assert!(self.len() <= self.capacity, "the sender overran the window");
    }

    /// Copies out up to `into.len()` bytes, which are with the sender's half.
    #[inline]
    pub(crate) fn read(&mut self, flow: &mut Flow, into: &mut [u8]) -> usize {
        let count = self.len().min(into.len());
        self.read_all(flow, &mut into[..count]);
        count
    }

    /// Copies out as much as `into` takes, which is no more than is there.
    #[inline]
    pub(crate) fn read_all(&mut self, flow: &mut Flow, into: &mut [u8]) {
        debug_assert!(into.len() <= self.len(), "more than has arrived");
        flow.copy(self.read, into);
        self.read += into.len() as u64;
        flow.is_read(self.read);
    }

    /// As [`Inbox::read`], and leaves them there.
    #[inline]
    pub(crate) fn peek(&self, flow: &Flow, into: &mut [u8]) -> usize {
        let count = self.len().min(into.len());
        flow.copy(self.read, &mut into[..count]);
        count
    }

    /// The window to tell the sender now.
    pub(crate) fn advertise(&mut self) -> u64 {
        self.advertised = self.advertised.max(self.read + self.capacity as u64);
        self.advertised
    }

    /// Has the window opened so far that the sender is told without having sent anything? Half the
    /// buffer, which avoids the silly window.
    pub(crate) fn update_due(&self) -> bool {
        self.read + self.capacity as u64 - self.advertised >= (self.capacity as u64).div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(offset: u64, len: u32, fin: bool) -> Segment {
        Segment { offset, len, fin }
    }

    #[test]
    fn segments_are_taken_in_order_and_once() {
        let mut flow = Flow::new(64, 64);
        flow.write(b"hello world");
        flow.fin = true;
        let mut inbox = Inbox::new(64);
        assert_eq!(inbox.accept(segment(6, 5, true)), Arrival::Gap);
        assert_eq!(inbox.accept(segment(0, 6, false)), Arrival::New);
        assert_eq!(inbox.accept(segment(0, 6, false)), Arrival::Old);
        assert_eq!(inbox.accept(segment(0, 11, true)), Arrival::New);
        assert!(inbox.fin);
        let mut into = [0; 32];
        assert_eq!(inbox.peek(&flow, &mut into), 11);
        assert_eq!(inbox.read(&mut flow, &mut into[..4]), 4);
        assert_eq!(inbox.read(&mut flow, &mut into), 7);
        assert_eq!(&into[..7], b"o world");
    }

    #[test]
    fn the_window_opens_by_halves() {
        let mut flow = Flow::new(64, 8);
        flow.write(&[1; 8]);
        let mut inbox = Inbox::new(8);
        inbox.accept(segment(0, 8, false));
        assert_eq!(inbox.advertise(), 8);
        inbox.read(&mut flow, &mut [0; 3]);
        assert!(!inbox.update_due());
        inbox.read(&mut flow, &mut [0; 1]);
        assert!(inbox.update_due());
        assert_eq!(inbox.advertise(), 12);
    }
}
