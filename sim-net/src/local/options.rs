//! Options of Unix sockets by the numbers of Linux.

use std::io;

use crate::errno::fail;
use crate::local::unix::{CAPACITY, Role, UnixSocket};
use crate::numbers::{bytes, int, limit, of_limit};

impl UnixSocket {
    /// `getsockopt(2)`.
    pub(crate) fn get_option(&self, option: (i32, i32)) -> io::Result<Vec<u8>> {
        let (level, name) = option;
        if level != libc::SOL_SOCKET {
            return fail(libc::EOPNOTSUPP);
        }
        Ok(match name {
            libc::SO_ERROR => bytes(self.take_pending()),
            libc::SO_TYPE => bytes(match self.is_stream {
                true => libc::SOCK_STREAM,
                false => libc::SOCK_DGRAM,
            }),
            libc::SO_DOMAIN => bytes(libc::AF_UNIX),
            libc::SO_PROTOCOL => bytes(0),
            libc::SO_ACCEPTCONN => {
                let listens = matches!(&*self.role.borrow(), Role::Listener { .. });
                bytes(i32::from(listens))
            }
            libc::SO_RCVTIMEO => of_limit(self.manner.receive_timeout.get()),
            libc::SO_SNDTIMEO => of_limit(self.manner.send_timeout.get()),
            libc::SO_PEERCRED => self.credentials(),
            libc::SO_SNDBUF | libc::SO_RCVBUF => {
                let others = self.manner.others.borrow();
                let usual = || bytes(CAPACITY as i32);
                others.get(&option).cloned().unwrap_or_else(usual)
            }
            _ => {
                let others = self.manner.others.borrow();
                others.get(&option).cloned().unwrap_or_else(|| bytes(0))
            }
        })
    }

    /// `setsockopt(2)`. What the simulation has no use for is remembered.
    pub(crate) fn put_option(&self, option: (i32, i32), value: &[u8]) -> io::Result<()> {
        match option {
            (libc::SOL_SOCKET, libc::SO_RCVTIMEO) => {
                self.manner.receive_timeout.set(limit(value)?);
            }
            (libc::SOL_SOCKET, libc::SO_SNDTIMEO) => self.manner.send_timeout.set(limit(value)?),
            (libc::SOL_SOCKET, _) => {
                int(value)?;
                let mut others = self.manner.others.borrow_mut();
                others.insert(option, value.to_vec());
            }
            _ => return fail(libc::EOPNOTSUPP),
        }
        Ok(())
    }

    /// `struct ucred`: every process of a node runs as root.
    fn credentials(&self) -> Vec<u8> {
        let is_connected = match &*self.role.borrow() {
            Role::Stream(_) => true,
            Role::Datagram { peer, .. } => peer.is_some(),
            _ => false,
        };
        let (pid, user) = match is_connected {
            true => (std::process::id().cast_signed(), 0),
            false => (0, -1),
        };
        [pid, user, user].map(i32::to_ne_bytes).concat()
    }

    fn take_pending(&self) -> i32 {
        match &*self.role.borrow() {
            Role::Stream(end) if end.rx.take_reset() => libc::ECONNRESET,
            _ => 0,
        }
    }
}
