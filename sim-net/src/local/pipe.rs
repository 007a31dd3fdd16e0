//! `pipe(2)`.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use sim_runtime::{
    Address, Description, Down, EventKind, Fd, Readiness, SocketCalls, Status, World, with,
};

use crate::calls::Manner;
use crate::errno::fail;
use crate::local::bytes::Bytes;

/// What a pipe holds, and which writes into it are whole (`PIPE_BUF`).
const CAPACITY: usize = 64 * 1_024;
const WHOLE: usize = 4_096;
/// `st_mode` of a pipe, in Linux's numbers.
const FIFO: u32 = 0o010_600;

/// An end of a pipe.
pub(crate) struct PipeEnd {
    bytes: Rc<Bytes>,
    writes: bool,
    manner: Manner,
}

/// `pipe(2)`: the reading and the writing end.
pub(crate) fn pipe(world: &World) -> io::Result<(Fd, Fd)> {
    let bytes = Rc::new(Bytes::new(CAPACITY, WHOLE));
    let end = |writes| PipeEnd {
        bytes: Rc::clone(&bytes),
        writes,
        manner: Manner::default(),
    };
    Ok((
        world.open(Rc::new(end(false)))?,
        world.open(Rc::new(end(true)))?,
    ))
}

impl PipeEnd {
    fn leave(&self) {
        match self.writes {
            true => self.bytes.end(),
            false => self.bytes.refuse(),
        };
    }
}

impl Description for PipeEnd {
    fn kind(&self) -> &'static str {
        match self.writes {
            true => "pipe's writing end",
            false => "pipe's reading end",
        }
    }

    fn status(&self) -> Status {
        Status {
            mode: FIFO,
            size: 0,
        }
    }

    fn as_socket(&self) -> Option<&dyn SocketCalls> {
        Some(self)
    }

    fn close(&self, _world: &Rc<World>) {
        self.leave();
    }

    fn abandoned(&self, _world: &Rc<World>, _down: Down) {
        self.leave();
    }
}

/// What only sockets can is `ENOTSOCK`.
impl SocketCalls for PipeEnd {
    fn bind(&self, _fd: Fd, _addr: Address) -> io::Result<()> {
        fail(libc::ENOTSOCK)
    }

    fn listen(&self, _fd: Fd, _backlog: u32) -> io::Result<()> {
        fail(libc::ENOTSOCK)
    }

    fn accept(&self, _fd: Fd) -> io::Result<(Fd, Address)> {
        fail(libc::ENOTSOCK)
    }

    fn connect(&self, _fd: Fd, _addr: Address) -> io::Result<()> {
        fail(libc::ENOTSOCK)
    }

    fn send(&self, _fd: Fd, pieces: &[IoSlice<'_>], _to: Option<&Address>) -> io::Result<usize> {
        if !self.writes {
            return fail(libc::EBADF);
        }
        let count = self.bytes.write(pieces)?;
        with(|world| world.event(EventKind::Net, 21 << 48, count as u64));
        Ok(count)
    }

    fn recv(&self, _fd: Fd, into: &mut [u8], peek: bool) -> io::Result<(usize, Option<Address>)> {
        if self.writes {
            return fail(libc::EBADF);
        }
        self.bytes.read(into, peek).map(|count| (count, None))
    }

    fn shutdown(&self, _fd: Fd, _how: Shutdown) -> io::Result<()> {
        fail(libc::ENOTSOCK)
    }

    fn local_addr(&self, _fd: Fd) -> io::Result<Address> {
        fail(libc::ENOTSOCK)
    }

    fn peer_addr(&self, _fd: Fd) -> io::Result<Address> {
        fail(libc::ENOTSOCK)
    }

    fn option(&self, _fd: Fd, _level: i32, _name: i32) -> io::Result<Vec<u8>> {
        fail(libc::ENOTSOCK)
    }

    fn set_option(&self, _fd: Fd, _level: i32, _name: i32, _value: &[u8]) -> io::Result<()> {
        fail(libc::ENOTSOCK)
    }

    fn is_nonblocking(&self) -> bool {
        self.manner.nonblocking.get()
    }

    fn set_nonblocking(&self, nonblocking: bool) {
        self.manner.nonblocking.set(nonblocking);
    }

    fn timeout(&self, _writing: bool) -> Option<Duration> {
        None
    }

    fn ready(&self, _fd: Fd) -> io::Result<Readiness> {
        let sight = self.bytes.sight();
        Ok(match self.writes {
            true => Readiness {
                writable: sight.writable,
                write_closed: sight.refused,
                error: sight.refused,
                ..Readiness::default()
            },
            false => Readiness {
                readable: sight.readable,
                read_closed: sight.ended,
                ..Readiness::default()
            },
        })
    }

    fn poll(&self, fd: Fd, readable: bool, writable: bool, waker: &Waker) -> io::Result<bool> {
        let ready = self.ready(fd)?;
        let is_ready = readable && (ready.readable || ready.read_closed)
            || writable && (ready.writable || ready.write_closed)
            || ready.error;
        match self.writes {
            _ if is_ready => {}
            true => self.bytes.writer_waits(waker),
            false => self.bytes.reader_waits(waker),
        }
        Ok(is_ready)
    }
}
