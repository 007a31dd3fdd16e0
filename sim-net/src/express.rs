//! The short way through the data path, for what happens most: a stream that is well.
//!
//! Each function either does all of what the long way ([`crate::stream`], [`crate::deliver`],
//! [`crate::transfer`]) would do, with the same draws, events and timers in the same order, or
//! touches nothing and says so. What is out of the ordinary belongs to the long way alone: faults,
//! errors, ends that close, closed windows, retransmissions. A test runs the same traffic both
//! ways and compares the digests.

use std::io::IoSlice;
use std::task::Waker;

use sim_runtime::{EventKind, World};

use crate::conn::{Conn, Holder, Phase, Side};
use crate::flow::{Ack, Segment};
use crate::packet::{Hand, Packet, echo};
use crate::state::{Kind, NOTE_DATA, State};

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Express {
    /// It moved so many bytes.
    Moved(usize),
    /// It would answer `EAGAIN`: the task is registered.
    Waits,
    /// It has to go the long way; nothing was done.
    No,
}

impl State {
    /// So that a test can compare.
    #[inline]
    fn takes_long_way(&self) -> bool {
        #[cfg(test)]
        return self.long_way;
        #[cfg(not(test))]
        false
    }

    /// The connection that a socket is an end of.
    #[inline]
    fn stream_of(&self, sock: usize) -> Option<(usize, Side)> {
        match self.socks.get(sock)?.kind {
            Kind::Stream { conn, side, .. } if !self.takes_long_way() => Some((conn, side)),
            _ => None,
        }
    }

    /// `recv(2)`.
    #[inline]
    pub(crate) fn express_recv(
        &mut self,
        world: &World,
        sock: usize,
        into: &mut [u8],
        waker: &Waker,
    ) -> Express {
        let Some((conn, side)) = self.stream_of(sock) else {
            return Express::No;
        };
        let c = &mut self.conns[conn];
        let end = &mut c.ends[side];
        let there = end.inbox.len().min(into.len());
        if there == 0 {
            let quiet = end.inbox.len() == 0
                && end.phase == Phase::Open
                && !end.inbox.fin
                && !end.inbox.shut
                && end.error.is_none()
                && end.doomed.is_none();
            if !quiet {
                return Express::No;
            }
            end.waiters.read.add(waker);
            return Express::Waits;
        }
        if !end.inbox.late.is_empty() {
            return Express::No;
        }
        let link = self.links.get_mut(c.links[side.other()]);
        let count = link.partial(world, &self.config, there);
        let flow = &mut c.flows[side.other()];
        end.inbox.read_all(flow, &mut into[..count]);
        if end.inbox.update_due() && end.phase == Phase::Open {
            self.update_window(world, conn, side);
        }
        Express::Moved(count)
    }

    /// `accept(2)`: only says that nobody has connected.
    #[inline]
    pub(crate) fn express_accept(&mut self, sock: usize, waker: &Waker) -> Express {
        if self.takes_long_way() {
            return Express::No;
        }
        match self.socks.get_mut(sock).map(|sock| &mut sock.kind) {
            Some(Kind::Listener(listener)) if listener.queue.is_empty() => {
                listener.waiters.add(waker);
                Express::Waits
            }
            _ => Express::No,
        }
    }

    /// `writev(2)`.
    #[inline]
    pub(crate) fn express_send(
        &mut self,
        world: &World,
        sock: usize,
        pieces: &[IoSlice<'_>],
    ) -> Express {
        let (Some((conn, side)), [piece]) = (self.stream_of(sock), pieces) else {
            return Express::No;
        };
        let c = &mut self.conns[conn];
        if !may_send(c, side) || piece.is_empty() {
            return Express::No;
        }
        let now = world.now();
        if c.flows[side].acks.front().is_some_and(|ack| ack.at <= now) {
            if !self.links.get(c.links[side.other()]).laid.is_empty()
                || c.flows[side].retransmission.is_some()
            {
                return Express::No;
            }
            let end = &mut c.ends[side];
            let flow = &mut c.flows[side];
            let may_wait = flow.has_room_for(piece.len()) && end.waiters.write.is_empty();
            if !may_wait && flow.acknowledge_until(now) && flow.is_writable() {
                end.waiters.write.wake_into(&mut self.woken);
            }
        }
        let flow = &mut c.flows[side];
        let free = flow.free().min(piece.len());
        if free == 0 {
            return Express::No; // What was settled stays so.
        }
        let link = self.links.get_mut(c.links[side]);
        let count = link.partial(world, &self.config, free);
        flow.write(&piece[..count]);
        if count > self.config.segment_max || flow.next + count as u64 > flow.edge {
            self.pump(world, conn, side);
            return Express::Moved(count);
        }
        let segment = Segment {
            offset: flow.next,
            len: count as u32,
            fin: false,
        };
        flow.next += count as u64;
        let word = link.word(world, &self.config);
        let drawn = link.arrival(world, &self.config, (count as u64, word));
        let at = flow.last_arrival.max(drawn);
        flow.last_arrival = at;
        flow.last_sent = now;
        c.in_flight += 1;
        let packet = Packet::Data {
            conn,
            from: side,
            segment,
        };
        let link = c.links[side];
        self.put(world, at, (link, word), packet);
        Express::Moved(count)
    }

    /// A packet is due. True: it is delivered.
    #[inline]
    pub(crate) fn express_arrive(&mut self, world: &World, index: usize) -> bool {
        if self.takes_long_way() {
            return false;
        }
        let flying = &self.packets[index];
        let Packet::Data {
            conn,
            from,
            segment,
        } = flying.packet
        else {
            return false;
        };
        let to = from.other();
        let (on, word) = (flying.link, flying.word);
        let c = &mut self.conns[conn];
        let link = self.links.get_mut(on);
        let is_host_up = self
            .hosts
            .get(link.to.0 as usize)
            .is_none_or(|host| host.up);
        let is_well =
            link.laid.is_empty() && (flying.judged || self.config.loss.num == 0) && is_host_up;
        if !is_well || flying.hand != Hand::Off || !may_arrive(c, from, segment) {
            return false;
        }
        link.stats.offered += 1;
        link.stats.delivered += 1;
        link.stats.bytes += u64::from(segment.len);
        self.packets.release(index);
        c.in_flight -= 1;
        let (flow, end) = (&mut c.flows[from], &mut c.ends[to]);
        end.inbox.take(segment);
        let about = segment.end() << 1 | from as u64;
        world.event(EventKind::Net, NOTE_DATA << 48 | c.serial, about);
        let back = self.links.get_mut(c.links[to]);
        let drawn = back.arrival(world, &self.config, (0, echo(word)));
        let last = flow.acks.back().filter(|ack| !ack.judged);
        flow.acks.push_back(Ack {
            at: last.map_or(drawn, |ack| ack.at.max(drawn)),
            next: end.inbox.next,
            edge: end.inbox.advertise(),
            judged: false,
        });
        end.waiters.read.wake_into(&mut self.woken);
        let is_awaited = flow.tries > 0
            || flow.fin
            || flow.is_blocked()
            || !c.ends[from].waiters.write.is_empty()
            || !back.laid.is_empty();
        if is_awaited {
            self.arm_ack(world, conn, from);
        }
        true
    }
}

/// Is a direction such that what is written now goes out now, and at once?
#[inline]
fn may_send(c: &Conn, side: Side) -> bool {
    let (end, flow) = (&c.ends[side], &c.flows[side]);
    end.phase == Phase::Open
        && end.error.is_none()
        && end.doomed.is_none()
        && end.care.is_none()
        && !flow.fin
        && !flow.dead
        && flow.tries == 0
        && flow.next == flow.end()
}

/// Does a segment that arrives move its stream forward, and do nothing else?
#[inline]
fn may_arrive(c: &Conn, from: Side, segment: Segment) -> bool {
    let (end, flow) = (&c.ends[from.other()], &c.flows[from]);
    end.phase == Phase::Open
        && end.doomed.is_none()
        && end.care.is_none()
        && end.holder != Holder::Nobody
        && !flow.dead
        && flow.detained == 0
        && flow.hurt.is_empty()
        && !segment.fin
        && segment.offset <= end.inbox.next
        && segment.end() > end.inbox.next
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, poll_fn};
    use std::io::{self, IoSlice};
    use std::net::{IpAddr, SocketAddr};
    use std::rc::Rc;
    use std::time::Duration;

    use sim_runtime::{
        Config, Digest, Fd, NodeId, Seed, Simulation, Stream, spawn_on, time, world,
    };

    use crate::config::{Chance, NetConfig};
    use crate::effect::Effect;
    use crate::net::{Net, net};
    use crate::poll::{poll_recv, poll_send};
    use crate::ready::Interest;

    const NODES: [NodeId; 2] = [NodeId(1), NodeId(2)];
    const PORT: u16 = 80;

    fn address() -> SocketAddr {
        (IpAddr::from([10, 1, 0, 2]), PORT).into()
    }

    async fn send_all(fd: Fd, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let pieces = [IoSlice::new(bytes)];
            let sent = poll_fn(|cx| poll_send(fd, &pieces, cx)).await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Answers what it reads until the stream ends or breaks.
    async fn echo(fd: Fd) -> io::Result<()> {
        let mut into = [0; 700];
        loop {
            match poll_fn(|cx| poll_recv(fd, &mut into, false, cx)).await? {
                0 => return Ok(()),
                count => send_all(fd, &into[..count]).await?,
            }
        }
    }

    async fn serve() {
        let net = net().expect("there is a network");
        let listener = net.tcp_listen(address(), 16).expect("a free port");
        loop {
            let _ = poll_fn(|cx| net.poll_ready(listener, Interest::READABLE, cx)).await;
            let Ok((fd, _)) = net.accept(listener) else {
                continue;
            };
            drop(sim_runtime::spawn(async move {
                let _broken = echo(fd).await;
                let _closed = world().close(fd);
            }));
        }
    }

    /// Sends messages of all sizes and reads their echo; how many bytes came back.
    async fn call(mut draws: Stream) -> io::Result<usize> {
        let net = net()?;
        let fd = net.tcp_socket()?;
        let _in_progress = net.connect(fd, address());
        poll_fn(|cx| net.poll_ready(fd, Interest::WRITABLE, cx)).await?;
        let mut total = 0;
        for _ in 0..40 {
            let message = vec![7; 1 + draws.index(3_000)];
            send_all(fd, &message).await?;
            let mut have = 0;
            let mut into = [0; 999];
            while have < message.len() {
                match poll_fn(|cx| poll_recv(fd, &mut into, false, cx)).await? {
                    0 => return Ok(total),
                    count => have += count,
                }
            }
            total += have;
        }
        world().close(fd)?;
        Ok(total)
    }

    /// Faults of each kind, one after the other, some for less than a round trip.
    async fn trouble(mut draws: Stream) {
        let net = net().expect("there is a network");
        for number in 0..12 {
            time::sleep(Duration::from_micros(draws.range(100, 30_000))).await;
            let fault = world().ledger().plan(&format!("f{number}"), "fault");
            world().ledger().arm(fault, "test");
            match draws.below(5) {
                0 => net.cut(fault, &NODES, &NODES),
                1 => net.disturb(fault, Effect::Jam, &NODES[..1], &NODES[1..]),
                2 => {
                    let loss = Effect::Loss(Chance { num: 1, den: 3 });
                    net.disturb(fault, loss, &NODES, &NODES);
                }
                3 => drop(net.reset(fault, &NODES[..1], &NODES[1..])),
                _ => {}
            }
            time::sleep(Duration::from_micros(draws.range(10, 900_000))).await;
            net.heal(fault);
            world().ledger().heal(fault);
        }
    }

    fn storm(seed: u64, long_way: bool) -> (Digest, usize) {
        let simulation = Simulation::new(Config::new(Seed(seed)));
        let world = Rc::clone(simulation.world());
        let config = NetConfig {
            send_buffer: 2_000 + 700 * (seed as usize % 4),
            receive_buffer: 1_500 + 900 * (seed as usize % 3),
            segment_max: 500 + 400 * (seed as usize % 3),
            ..NetConfig::default()
        };
        let net = Net::install(&world, config);
        net.take_long_way(long_way);
        for (node, (name, host)) in NODES.into_iter().zip([("a", 1), ("b", 2)]) {
            let ip = IpAddr::from([10, 1, 0, host]);
            assert_eq!(world.create_node(name, ip), node);
            world.start_node(node, Rc::new(|| Box::pin(pending())));
        }
        let moved = simulation.block_on(async move {
            drop(spawn_on(NODES[1], "server", serve()));
            drop(spawn_on(
                NODES[1],
                "nemesis",
                trouble(world.stream("test", 0)),
            ));
            let moved = Rc::new(Cell::new(0));
            for number in 1..4 {
                let (moved, draws) = (Rc::clone(&moved), world.stream("test", number));
                let caller = async move {
                    if let Ok(count) = call(draws).await {
                        moved.set(moved.get() + count);
                    }
                };
                drop(spawn_on(NODES[0], "caller", caller));
            }
            drop(world);
            // A reset that is lost leaves the other end waiting for ever.
            time::sleep(Duration::from_secs(100)).await;
            moved.get()
        });
        let moved = moved.expect("time ends it");
        (simulation.finish().digest, moved)
    }

    #[test]
    fn the_short_way_and_the_long_way_are_one() {
        let mut moved = 0;
        for seed in 0..60 {
            let (short, long) = (storm(seed, false), storm(seed, true));
            assert_eq!(short, long, "seed {seed}");
            moved += short.1;
        }
        assert!(moved > 1_000_000, "{moved} bytes came back");
    }
}
