//! What a guest does with a stream: send, receive, shut down, close.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use sim_runtime::World;

use crate::conn::{Holder, Phase, Side};
use crate::errno::fail;
use crate::ready::Ready;
use crate::state::State;

impl State {
    /// `send(2)` with `MSG_NOSIGNAL` on a non-blocking stream.
    pub(crate) fn stream_send(
        &mut self,
        world: &World,
        (conn, side): (usize, Side),
        pieces: &[io::IoSlice<'_>],
    ) -> io::Result<usize> {
        self.settle(world, conn, side);
        self.doom(world, conn, side);
        let c = &mut self.conns[conn];
        let end = &mut c.ends[side];
        if end.error.is_some() {
            return self.take_failure(world, conn, side);
        }
        match end.phase {
            Phase::Open if !c.flows[side].fin => {}
            Phase::SynSent => return fail(libc::EAGAIN),
            _ => return fail(libc::EPIPE),
        }
        let wanted: usize = pieces.iter().map(|piece| piece.len()).sum();
        if wanted == 0 {
            return Ok(0);
        }
        let free = c.flows[side].free().min(wanted);
        if free == 0 {
            self.writer_stalls(world, conn, side);
            return fail(libc::EAGAIN);
        }
        let link = self.links.get_mut(c.links[side]);
        let count = link.partial(world, &self.config, free);
        let mut left = count;
        for piece in pieces {
            let part = &piece[..piece.len().min(left)];
            c.flows[side].write(part);
            left -= part.len();
        }
        self.pump(world, conn, side);
        Ok(count)
    }

    /// `recv(2)` on a non-blocking stream; 0 is the end of the stream.
    pub(crate) fn stream_recv(
        &mut self,
        world: &World,
        (conn, side): (usize, Side),
        into: &mut [u8],
        peek: bool,
    ) -> io::Result<usize> {
        let c = &mut self.conns[conn];
        let end = &mut c.ends[side];
        if end.inbox.len() == 0 {
            return self.nothing_to_read(world, conn, side);
        }
        let there = end.inbox.len().min(into.len());
        let flow = &mut c.flows[side.other()];
        if peek || there == 0 {
            return Ok(end.inbox.peek(flow, into));
        }
        let link = self.links.get_mut(c.links[side.other()]);
        let count = link.partial(world, &self.config, there);
        let count = end.inbox.read(flow, &mut into[..count]);
        let (late, update) = (!end.inbox.late.is_empty(), end.inbox.update_due());
        if late {
            self.read_late(world, conn, side);
        }
        if update && self.conns[conn].ends[side].phase == Phase::Open {
            self.update_window(world, conn, side);
        }
        Ok(count)
    }

    /// What a read answers when no byte is there.
    fn nothing_to_read(&mut self, world: &World, conn: usize, side: Side) -> io::Result<usize> {
        self.doom(world, conn, side);
        let end = &self.conns[conn].ends[side];
        if end.phase == Phase::SynSent {
            return fail(libc::EAGAIN);
        }
        if end.inbox.fin {
            self.peer_left(world, conn, side);
            return Ok(0);
        }
        if end.error.is_some() {
            return self.take_failure(world, conn, side);
        }
        if end.inbox.shut || !end.is_live() {
            return Ok(0);
        }
        fail(libc::EAGAIN)
    }

    /// `SO_ERROR`: reads the pending error and clears it.
    pub(crate) fn take_failure<T>(
        &mut self,
        world: &World,
        conn: usize,
        side: Side,
    ) -> io::Result<T> {
        let code = self.conns[conn].ends[side]
            .error
            .take()
            .unwrap_or(libc::EPIPE);
        self.failure_seen(world, conn, side, code);
        fail(code)
    }

    /// `shutdown(2)`.
    pub(crate) fn stream_shutdown(
        &mut self,
        world: &World,
        (conn, side): (usize, Side),
        how: Shutdown,
    ) -> io::Result<()> {
        let c = &mut self.conns[conn];
        if !matches!(c.ends[side].phase, Phase::Open) {
            return fail(libc::ENOTCONN);
        }
        if how != Shutdown::Write {
            c.ends[side].inbox.shut = true;
        }
        if how != Shutdown::Read && !c.flows[side].fin {
            c.flows[side].fin = true;
            let first = !c.ends[side].inbox.fin;
            let reuses = self.options_of(conn, side).is_some_and(|o| o.reuse_address);
            self.conns[conn].ends[side].left_first = first.then_some(reuses);
            self.pump(world, conn, side);
        }
        self.wake_end(conn, side);
        Ok(())
    }

    /// `close(2)`, by the guest or by the kernel of a process that died: FIN after what is
    /// buffered, or RST where data was not read or the linger time is zero.
    pub(crate) fn stream_close(&mut self, world: &World, conn: usize, side: Side, guest: bool) {
        if guest {
            self.abandoned(world, conn, side);
        }
        let options = self.options_of(conn, side);
        let linger = options.and_then(|options| options.linger);
        let reuses = options.is_some_and(|options| options.reuse_address);
        self.stop_caring(world, conn, side);
        let end = &mut self.conns[conn].ends[side];
        end.holder = Holder::Nobody;
        let waiters = end.waiters.take();
        let unread = end.inbox.len() > 0;
        self.woken_by(waiters);
        match self.conns[conn].ends[side].phase {
            Phase::Open if unread || linger == Some(Duration::ZERO) => {
                self.end_dies(world, conn, side, Phase::Gone);
                self.reset_peer(world, conn, side);
            }
            Phase::Open => {
                let c = &mut self.conns[conn];
                let already = std::mem::replace(&mut c.flows[side].fin, true);
                if !already {
                    let first = !c.ends[side].inbox.fin;
                    c.ends[side].left_first = first.then_some(reuses);
                    self.pump(world, conn, side);
                }
                self.arm_ack(world, conn, side);
                self.finish_if_closed(world, conn, side);
            }
            Phase::SynSent => self.end_dies(world, conn, side, Phase::Gone),
            _ => {}
        }
        self.reap(world, conn);
    }

    /// A socket lets go of an end without closing anything: its connect had failed.
    pub(crate) fn let_go(&mut self, world: &World, conn: usize, side: Side) {
        self.conns[conn].ends[side].holder = Holder::Nobody;
        self.reap(world, conn);
    }

    /// Both directions are closed and acknowledged: TIME_WAIT. The connection is kept until nothing
    /// names it any more, its port for a minute against those who do not reuse addresses.
    pub(crate) fn finish_if_closed(&mut self, world: &World, conn: usize, side: Side) {
        let c = &self.conns[conn];
        if c.ends[side].phase == Phase::Open && c.is_closed(side) {
            self.end_dies(world, conn, side, Phase::TimeWait);
            self.wake_end(conn, side);
        }
    }

    /// An end fails: whoever holds it learns `code` from its next operation.
    pub(crate) fn end_fails(&mut self, world: &World, conn: usize, side: Side, code: i32) {
        self.end_breaks(world, conn, side, code);
        self.reap(world, conn);
    }

    /// As [`State::end_fails`], for callers that go on with the connection.
    pub(crate) fn end_breaks(&mut self, world: &World, conn: usize, side: Side, code: i32) {
        self.end_dies(world, conn, side, Phase::Gone);
        self.conns[conn].ends[side].error = Some(code);
        self.wake_end(conn, side);
    }

    /// What `epoll` says about a stream (`tcp_poll`).
    pub(crate) fn stream_ready(&mut self, world: &World, conn: usize, side: Side) -> Ready {
        self.settle(world, conn, side);
        self.doom(world, conn, side);
        let c = &self.conns[conn];
        let (end, flow) = (&c.ends[side], &c.flows[side]);
        let error = end.error.is_some();
        if end.phase == Phase::SynSent {
            return Ready {
                error,
                ..Ready::default()
            };
        }
        let over = !end.is_live();
        let read_closed = end.inbox.fin || end.inbox.shut || over;
        let write_closed = flow.fin || over;
        Ready {
            readable: end.inbox.len() > 0 || read_closed || error,
            writable: write_closed || error || flow.is_writable(),
            read_closed,
            write_closed,
            error,
        }
    }
}
