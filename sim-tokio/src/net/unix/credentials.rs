//! Who is at the other end of a Unix stream.

use std::io;

use tokio_real::net::unix::{gid_t, pid_t, uid_t};

use super::descriptor::Local;

/// The process at the other end; as `tokio::net::unix::UCred`. Inside a simulation every process
/// runs as root, and a node has one.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub struct UCred {
    pid: Option<pid_t>,
    uid: uid_t,
    gid: gid_t,
}

impl UCred {
    /// Its user.
    #[must_use]
    pub fn uid(&self) -> uid_t {
        self.uid
    }

    /// Its group.
    #[must_use]
    pub fn gid(&self) -> gid_t {
        self.gid
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Option<pid_t> {
        self.pid
    }

    /// `SO_PEERCRED`.
    pub(crate) fn of(local: &Local) -> io::Result<Self> {
        let (level, name) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
        let value = local.call(|socket, fd| socket.option(fd, level, name))?;
        let word = |at: usize| {
            let bytes = value.get(4 * at..).and_then(|rest| rest.first_chunk());
            bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
        };
        Ok(Self {
            pid: Some(word(0).cast_signed()),
            uid: word(1),
            gid: word(2),
        })
    }

    pub(crate) fn from_real(real: tokio_real::net::unix::UCred) -> Self {
        Self {
            pid: real.pid(),
            uid: real.uid(),
            gid: real.gid(),
        }
    }
}
