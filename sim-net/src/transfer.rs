//! How bytes move: segments out, acknowledgements back, retransmission when either is lost.
//!
//! Acknowledgements are not packets. One is queued at the sender with the time it arrives, and
//! takes effect when the sender next looks, which no guest can tell from an event of its own. It
//! gets an event where somebody waits for it, or where it might not arrive: while a fault lies on
//! its link, every acknowledgement is judged when it is due.

use sim_runtime::{SimInstant, World};

use crate::config::back_off;
use crate::conn::{Holder, Phase, Side};
use crate::flow::{Ack, Segment};
use crate::packet::{Packet, Token, echo};
use crate::state::{NOTE_DATA, State};

impl State {
    /// Sends what the window lets out.
    #[inline]
    pub(crate) fn pump(&mut self, world: &World, conn: usize, side: Side) {
        let c = &self.conns[conn];
        let flow = &c.flows[side];
        // While it retransmits, only the head is on the wire.
        if flow.next < flow.end() && flow.tries == 0 && c.ends[side].phase == Phase::Open {
            self.send_segments(world, conn, side);
        }
    }

    fn send_segments(&mut self, world: &World, conn: usize, side: Side) {
        loop {
            let flow = &mut self.conns[conn].flows[side];
            let Some(segment) = flow.next_segment(self.config.segment_max) else {
                break;
            };
            let is_last = flow.next == flow.end();
            let from = side;
            let packet = Packet::Data {
                conn,
                from,
                segment,
            };
            self.transmit(world, conn, side, packet);
            if is_last {
                return;
            }
        }
        if self.conns[conn].flows[side].is_blocked() {
            self.alarm(world, conn, side);
            self.arm_ack(world, conn, side);
        }
    }

    /// Might packets between the ends be lost on the way or at the far end?
    pub(crate) fn in_trouble(&self, conn: usize, side: Side) -> bool {
        let c = &self.conns[conn];
        let ill = |side: Side| !self.links.get(c.links[side]).laid.is_empty();
        ill(side) || ill(side.other()) || !self.host(self.links.get(c.links[side]).to).up
    }

    /// Has a sender whose window is closed probe it, if the window's opening might get lost.
    pub(crate) fn alarm(&mut self, world: &World, conn: usize, side: Side) {
        let is_limited = self.is_limited(conn, side);
        let is_blocked = self.conns[conn].flows[side].is_blocked();
        if is_blocked && (is_limited || self.in_trouble(conn, side)) {
            self.arm_retransmission(world, conn, side);
        }
    }

    /// `side` tells its peer, without having heard anything, how much more it can take.
    pub(crate) fn update_window(&mut self, world: &World, conn: usize, side: Side) {
        let link = self.links.get_mut(self.conns[conn].links[side]);
        let word = link.word(world, &self.config);
        self.acknowledge(world, (conn, side), word);
    }

    /// `side` tells its peer what has arrived and how much more it can take. The word is what the
    /// acknowledgement's latency is made of.
    #[inline]
    pub(crate) fn acknowledge(&mut self, world: &World, (conn, side): (usize, Side), word: u64) {
        let peer = side.other();
        let c = &mut self.conns[conn];
        let flow = &mut c.flows[peer];
        if flow.dead {
            return;
        }
        let link = self.links.get_mut(c.links[side]);
        let drawn = link.arrival(world, &self.config, (0, word));
        let inbox = &mut c.ends[side].inbox;
        // One that was judged may be late; those behind it wait for it, but are due before.
        let last = flow.acks.back().filter(|ack| !ack.judged);
        let at = last.map_or(drawn, |ack| ack.at.max(drawn));
        flow.acks.push_back(Ack {
            at,
            next: inbox.next,
            edge: inbox.advertise(),
            judged: false,
        });
        self.arm_ack(world, conn, peer);
    }

    /// Does anything hang on the next acknowledgement to `side`?
    fn awaits_ack(&self, conn: usize, side: Side) -> bool {
        let c = &self.conns[conn];
        let flow = &c.flows[side];
        flow.fin
            || flow.tries > 0
            || flow.is_blocked()
            || !c.ends[side].waiters.write.is_empty()
            || !self.links.get(c.links[side.other()]).laid.is_empty()
    }

    /// Gives the next acknowledgement an event, where one is needed.
    pub(crate) fn arm_ack(&mut self, world: &World, conn: usize, side: Side) {
        let flow = &self.conns[conn].flows[side];
        let (Some(ack), None) = (flow.acks.front(), flow.ack_timer) else {
            return;
        };
        let at = ack.at;
        if at == Ack::HELD || !self.awaits_ack(conn, side) {
            return;
        }
        let token = Token::Ack(conn, side).encode();
        let key = world.device_event_at(at, self.device, token);
        self.conns[conn].flows[side].ack_timer = Some(key);
    }

    /// The event of an acknowledgement.
    pub(crate) fn ack_timer(&mut self, world: &World, conn: usize, side: Side) {
        self.conns[conn].flows[side].ack_timer = None;
        self.settle(world, conn, side);
        if self.conns.contains(conn) {
            self.arm_ack(world, conn, side);
            self.reap(world, conn);
        }
    }

    /// Applies the acknowledgements that have arrived at `side` by now.
    #[inline]
    pub(crate) fn settle(&mut self, world: &World, conn: usize, side: Side) {
        let now = world.now();
        let next = self.conns[conn].flows[side].acks.front();
        if next.is_some_and(|ack| ack.at <= now) {
            self.settle_until(world, now, (conn, side));
        }
    }

    fn settle_until(&mut self, world: &World, now: SimInstant, (conn, side): (usize, Side)) {
        let mut moved = false;
        let c = &mut self.conns[conn];
        if self.links.get(c.links[side.other()]).laid.is_empty() {
            // Each says all that those before it have said.
            let acks = &mut c.flows[side].acks;
            let mut last = None;
            while let Some(ack) = acks.front().filter(|ack| ack.at <= now) {
                last = Some(*ack);
                acks.pop_front();
            }
            if let Some(ack) = last {
                moved = self.apply(world, conn, side, ack);
            }
        }
        while let Some(&ack) = self.conns[conn].flows[side].acks.front()
            && ack.at <= now
        {
            if !self.ack_passes(world, conn, side, ack) {
                continue;
            }
            self.conns[conn].flows[side].acks.pop_front();
            moved |= self.apply(world, conn, side, ack);
        }
        if moved {
            self.pump(world, conn, side);
            self.finish_if_closed(world, conn, side);
        }
    }

    fn apply(&mut self, world: &World, conn: usize, side: Side, ack: Ack) -> bool {
        let c = &mut self.conns[conn];
        let flow = &mut c.flows[side];
        let moved = flow.acknowledge(ack);
        if flow.tries == 0
            && flow.lost_upto.is_none()
            && let Some(timer) = flow.retransmission.take()
        {
            world.cancel_timer(timer);
        }
        let end = &mut c.ends[side];
        if moved && flow.is_writable() && end.phase == Phase::Open {
            end.waiters.write.wake_into(&mut self.woken);
        }
        if let Some(care) = &mut end.care {
            care.heard(ack.at);
            self.alarm(world, conn, side);
        }
        moved
    }

    /// Arms the retransmission timer of what `side` sends, unless it runs.
    pub(crate) fn arm_retransmission(&mut self, world: &World, conn: usize, side: Side) {
        let flow = &mut self.conns[conn].flows[side];
        if flow.dead || flow.retransmission.is_some() {
            return;
        }
        // The round-trip estimate is the link's least, twice; the tail is what `rto_min` is for.
        let round_trip = std::time::Duration::from_nanos(self.config.latency.min_ns * 2);
        let base = self.config.rto_min + round_trip;
        let wait = back_off(base, flow.tries, self.config.rto_max);
        let at = (flow.last_sent + wait).max(world.now());
        let at = self.no_later(world, (conn, side), at);
        let token = Token::Retransmission(conn, side).encode();
        let key = world.device_event_at(at, self.device, token);
        self.conns[conn].flows[side].retransmission = Some(key);
    }

    /// A retransmission time-out: sends the head again, or probes a closed window.
    pub(crate) fn retransmission_timer(&mut self, world: &World, conn: usize, side: Side) {
        self.conns[conn].flows[side].retransmission = None;
        self.settle(world, conn, side);
        if self.conns[conn].ends[side].phase != Phase::Open {
            return;
        }
        if self.gives_up(world, conn, side) {
            return;
        }
        let trouble = self.in_trouble(conn, side);
        let flow = &mut self.conns[conn].flows[side];
        let idle = !flow.is_outstanding() && !flow.is_blocked();
        if idle || (flow.lost_upto.is_none() && flow.tries == 0 && !trouble) {
            flow.lost_upto = None;
            return;
        }
        flow.tries += 1;
        if flow.tries > self.config.retries {
            self.note(world, 5, conn, u64::from(self.config.retries));
            return self.end_fails(world, conn, side, libc::ETIMEDOUT);
        }
        self.waiting_writer_stalls(world, conn, side);
        let flow = &mut self.conns[conn].flows[side];
        let probe = Segment {
            offset: flow.una,
            len: 0,
            fin: false,
        };
        let segment = if flow.is_outstanding() {
            flow.rewind();
            flow.next_segment(self.config.segment_max).unwrap_or(probe)
        } else {
            probe
        };
        self.transmit(
            world,
            conn,
            side,
            Packet::Data {
                conn,
                from: side,
                segment,
            },
        );
        self.arm_retransmission(world, conn, side);
    }

    /// A segment arrives at a machine that is up.
    pub(crate) fn data_arrives(
        &mut self,
        world: &World,
        (conn, from): (usize, Side),
        segment: Segment,
        word: u64,
    ) {
        let to = from.other();
        self.doom(world, conn, to);
        match self.conns[conn].ends[to].phase {
            Phase::Open => {}
            Phase::SynReceived => {
                if !self.establish(world, conn) {
                    return self.segment_lost(world, conn, from, segment.end());
                }
            }
            Phase::TimeWait => return self.acknowledge(world, (conn, to), echo(word)),
            _ => return self.reset_peer(world, conn, to),
        }
        let c = &mut self.conns[conn];
        if let Some(care) = &mut c.ends[to].care {
            care.heard(world.now());
        }
        let fresh = segment.offset + u64::from(segment.len) > c.ends[to].inbox.next;
        if fresh && c.ends[to].holder == Holder::Nobody {
            // Nobody will ever read this: the kernel says so.
            self.end_dies(world, conn, to, Phase::Gone);
            return self.reset_peer(world, conn, to);
        }
        let arrival = c.ends[to].inbox.accept(segment);
        self.note(world, NOTE_DATA, conn, segment.end() << 1 | from as u64);
        match arrival {
            crate::inbox::Arrival::Old => self.acknowledge(world, (conn, to), echo(word)),
            crate::inbox::Arrival::Gap => {
                self.transmit(world, conn, to, Packet::Gap { conn, from: to });
            }
            crate::inbox::Arrival::New => {
                if !self.conns[conn].flows[from].hurt.is_empty() {
                    self.data_late(world, conn, from);
                }
                self.acknowledge(world, (conn, to), echo(word));
                self.wake_reader(conn, to);
                self.finish_if_closed(world, conn, to);
            }
        }
    }

    /// "Something is missing": one retransmission of everything, at once.
    pub(crate) fn gap_arrives(&mut self, world: &World, conn: usize, to: Side) {
        self.settle(world, conn, to);
        let flow = &mut self.conns[conn].flows[to];
        if flow.lost_upto.is_some() && flow.tries == 0 {
            flow.rewind();
            self.pump(world, conn, to);
        }
    }

    /// A segment or its acknowledgement will not come: the timer has to find out.
    pub(crate) fn segment_lost(&mut self, world: &World, conn: usize, from: Side, upto: u64) {
        self.conns[conn].flows[from].lose(upto);
        self.arm_retransmission(world, conn, from);
    }

    /// Tells the peer that `side` knows of no such connection.
    pub(crate) fn reset_peer(&mut self, world: &World, conn: usize, side: Side) {
        let end = &self.conns[conn].ends[side];
        let fault = end.blame.or(self.host(end.node).blame);
        self.transmit(
            world,
            conn,
            side,
            Packet::Reset {
                conn,
                from: side,
                fault,
            },
        );
    }

    /// RST arrives at a machine that is up.
    pub(crate) fn reset_arrives(
        &mut self,
        world: &World,
        conn: usize,
        to: Side,
        fault: Option<sim_runtime::FaultId>,
    ) {
        let end = &mut self.conns[conn].ends[to];
        let code = match end.phase {
            Phase::SynSent => libc::ECONNREFUSED,
            Phase::Open if end.inbox.fin => libc::EPIPE,
            Phase::Open => libc::ECONNRESET,
            Phase::SynReceived => {
                end.holder = Holder::Nobody;
                return self.end_dies(world, conn, to, Phase::Gone);
            }
            Phase::Absent | Phase::TimeWait | Phase::Gone => return,
        };
        end.reset_by = fault;
        self.note(world, 7, conn, code as u64);
        self.end_fails(world, conn, to, code);
    }
}
