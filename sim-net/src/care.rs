//! How long an end bears silence: keepalive probes, and the time that a user gives to data.
//!
//! As `tcp(7)` and `tcp_keepalive_timer` have it. A peer that has not been heard for
//! `TCP_KEEPIDLE` is probed every `TCP_KEEPINTVL`; the connection fails with `ETIMEDOUT` when
//! `TCP_KEEPCNT` probes got no answer. `TCP_USER_TIMEOUT` takes the place of that number, and
//! limits how long data may stay unacknowledged or, before a closed window, unsent.
//!
//! No probe is sent where its answer is certain: where the peer's kernel knows the connection and
//! no fault lies between them.

use std::time::Duration;

use sim_runtime::{FaultId, SimInstant, TimerKey, World};

use crate::conn::{Phase, Side};
use crate::flow::Segment;
use crate::options::SocketOptions;
use crate::packet::{Packet, Token};
use crate::state::{Kind, State};

/// What a socket says of silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// `SO_KEEPALIVE`: idle time, interval and number of probes.
    pub(crate) keepalive: Option<(Duration, Duration, u32)>,
    /// `TCP_USER_TIMEOUT`.
    pub(crate) limit: Option<Duration>,
}

impl SocketOptions {
    pub(crate) fn patience(&self) -> Patience {
        let probes = (
            self.keepalive_idle,
            self.keepalive_interval,
            self.keepalive_probes,
        );
        Patience {
            keepalive: self.keepalive.then_some(probes),
            limit: self.user_timeout,
        }
    }
}

/// What an end remembers of its peer.
#[derive(Debug)]
pub(crate) struct Care {
    patience: Patience,
    /// When it was heard last.
    heard: SimInstant,
    /// Probes since.
    probes: u32,
    pub(crate) timer: Option<TimerKey>,
    /// Faults that swallowed probes since.
    pub(crate) hurt: Vec<FaultId>,
    /// Since when nothing moves: the first offset not acknowledged, and the window's end.
    stuck: Option<(SimInstant, u64, u64)>,
}

impl Care {
    /// The peer was heard.
    pub(crate) fn heard(&mut self, at: SimInstant) {
        self.heard = self.heard.max(at);
        self.probes = 0;
        self.hurt.clear();
    }

    /// Faults swallowed a probe.
    pub(crate) fn probe_lost(&mut self, faults: &[FaultId]) {
        for &fault in faults {
            if !self.hurt.contains(&fault) {
                self.hurt.push(fault);
            }
        }
    }
}

impl State {
    /// An option on silence has changed.
    pub(crate) fn patience_changed(&mut self, world: &World, sock: usize, was_off: bool) {
        let Kind::Stream { conn, side, .. } = self.socks[sock].kind else {
            return;
        };
        if self.conns[conn].ends[side].phase == Phase::Open {
            self.take_care(world, (conn, side), was_off);
        }
    }

    /// An open end does as its socket's options say. `afresh`: silence counts from now.
    pub(crate) fn take_care(&mut self, world: &World, (conn, side): (usize, Side), afresh: bool) {
        let Some(patience) = self.options_of(conn, side).map(|o| o.patience()) else {
            return;
        };
        self.cancel_keepalive(world, conn, side);
        let end = &mut self.conns[conn].ends[side];
        if patience
            == (Patience {
                keepalive: None,
                limit: None,
            })
        {
            end.care = None;
            return;
        }
        let care = end.care.get_or_insert_with(|| {
            Box::new(Care {
                patience,
                heard: world.now(),
                probes: 0,
                timer: None,
                hurt: Vec::new(),
                stuck: None,
            })
        });
        care.patience = patience;
        if let Some((idle, ..)) = patience.keepalive {
            let since = if afresh { world.now() } else { care.heard };
            self.arm_keepalive(world, (conn, side), since + idle);
        }
        self.alarm(world, conn, side);
    }

    /// Nobody holds the end any more.
    pub(crate) fn stop_caring(&mut self, world: &World, conn: usize, side: Side) {
        if self.conns[conn].ends[side].care.is_some() {
            self.cancel_keepalive(world, conn, side);
            self.conns[conn].ends[side].care = None;
        }
    }

    fn cancel_keepalive(&mut self, world: &World, conn: usize, side: Side) {
        let care = self.conns[conn].ends[side].care.as_mut();
        if let Some(timer) = care.and_then(|care| care.timer.take()) {
            world.cancel_timer(timer);
        }
    }

    fn arm_keepalive(&mut self, world: &World, (conn, side): (usize, Side), at: SimInstant) {
        let token = Token::Keepalive(conn, side).encode();
        let key = world.device_event_at(at.max(world.now()), self.device, token);
        if let Some(care) = &mut self.conns[conn].ends[side].care {
            care.timer = Some(key);
        }
    }

    /// The peer may have been silent for too long.
    pub(crate) fn keepalive_timer(&mut self, world: &World, conn: usize, side: Side) {
        if let Some(care) = &mut self.conns[conn].ends[side].care {
            care.timer = None;
        }
        self.settle(world, conn, side);
        let answers = self.would_answer(conn, side);
        let c = &mut self.conns[conn];
        let (flow, end) = (&c.flows[side], &mut c.ends[side]);
        let (Phase::Open, Some(care)) = (end.phase, &mut end.care) else {
            return;
        };
        let Some((idle, interval, most)) = care.patience.keepalive else {
            return;
        };
        let now = world.now();
        // What is under way has time-outs of its own.
        if flow.is_outstanding() || flow.is_blocked() {
            return self.arm_keepalive(world, (conn, side), now + idle);
        }
        let silent = now.since(care.heard);
        if silent < idle {
            let at = care.heard + idle;
            return self.arm_keepalive(world, (conn, side), at);
        }
        let is_over = match care.patience.limit {
            Some(limit) => silent >= limit && care.probes > 0,
            None => care.probes >= most,
        };
        if is_over {
            self.note(world, 11, conn, u64::from(most));
            self.reset_peer(world, conn, side);
            return self.end_fails(world, conn, side, libc::ETIMEDOUT);
        }
        if answers {
            care.heard(now);
            return self.arm_keepalive(world, (conn, side), now + idle);
        }
        care.probes += 1;
        self.probe(world, conn, side);
        self.arm_keepalive(world, (conn, side), now + interval);
    }

    /// Is it certain that a probe would be answered, and with no reset?
    fn would_answer(&self, conn: usize, side: Side) -> bool {
        let peer = &self.conns[conn].ends[side.other()];
        let knows = matches!(peer.phase, Phase::Open | Phase::TimeWait);
        knows && !self.in_trouble(conn, side)
    }

    /// A segment of nothing, which the peer acknowledges.
    fn probe(&mut self, world: &World, conn: usize, side: Side) {
        let segment = Segment {
            offset: self.conns[conn].flows[side].una,
            len: 0,
            fin: false,
        };
        let from = side;
        let packet = Packet::Data {
            conn,
            from,
            segment,
        };
        self.transmit(world, conn, side, packet);
    }

    /// Has its socket a limit for data?
    #[inline]
    pub(crate) fn is_limited(&self, conn: usize, side: Side) -> bool {
        let care = self.conns[conn].ends[side].care.as_ref();
        care.is_some_and(|care| care.patience.limit.is_some())
    }

    /// When its user gives up what is stuck, where there is a limit: counted from when it was sent,
    /// or from when the window closed before it.
    fn gives_up_at(&mut self, world: &World, conn: usize, side: Side) -> Option<SimInstant> {
        let c = &mut self.conns[conn];
        let flow = &c.flows[side];
        let care = c.ends[side].care.as_mut()?;
        let limit = care.patience.limit?;
        if !flow.is_outstanding() && !flow.is_blocked() {
            care.stuck = None;
            return None;
        }
        let mark = (flow.una, flow.edge);
        let since = match care.stuck {
            Some((since, una, edge)) if (una, edge) == mark => since,
            _ if flow.is_outstanding() => flow.last_sent,
            _ => world.now(),
        };
        care.stuck = Some((since, mark.0, mark.1));
        Some(since + limit)
    }

    /// When a time-out that is due at an instant is due, for a user that may give up before. Who is
    /// in no trouble and waits for a window only is not asked before that.
    pub(crate) fn no_later(
        &mut self,
        world: &World,
        (conn, side): (usize, Side),
        at: SimInstant,
    ) -> SimInstant {
        match self.gives_up_at(world, conn, side) {
            Some(limit) if self.waits_for_window(conn, side) => limit.max(world.now()),
            Some(limit) => at.min(limit).max(world.now()),
            None => at,
        }
    }

    fn waits_for_window(&self, conn: usize, side: Side) -> bool {
        let flow = &self.conns[conn].flows[side];
        flow.is_blocked() && !flow.is_outstanding() && !self.in_trouble(conn, side)
    }

    /// A time-out: has the user's limit passed? Then the end fails. Or is there nothing to do yet?
    pub(crate) fn gives_up(&mut self, world: &World, conn: usize, side: Side) -> bool {
        let flow = &self.conns[conn].flows[side];
        let is_idle = !flow.is_outstanding() && !flow.is_blocked();
        if is_idle || !self.is_limited(conn, side) {
            return false;
        }
        let at = self.gives_up_at(world, conn, side);
        if at.is_some_and(|at| at <= world.now()) {
            self.note(world, 12, conn, 0);
            self.end_fails(world, conn, side, libc::ETIMEDOUT);
            return true;
        }
        let waits = self.waits_for_window(conn, side);
        if waits {
            self.arm_retransmission(world, conn, side);
        }
        waits
    }

    /// When a connect is given up before its retries are over.
    pub(crate) fn syn_limit(&self, conn: usize) -> Option<SimInstant> {
        let options = self.options_of(conn, Side::Client)?;
        let since = self.conns[conn].syn.since;
        options.user_timeout.map(|limit| since + limit)
    }
}
