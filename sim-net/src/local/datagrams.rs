//! Unix datagrams: whole, in order, never lost; a sender waits for room.

use std::io::{self, IoSlice};
use std::rc::{Rc, Weak};

use sim_runtime::{EventKind, UnixName, with};

use crate::calls::ConcatBytes;
use crate::errno::fail;
use crate::local::unix::{DATAGRAM_MAX, Message, Role, UnixSocket};

impl UnixSocket {
    /// `connect(2)`: fixes the peer.
    pub(crate) fn connect_datagram(&self, to: &UnixName) -> io::Result<()> {
        let other = self.receiver(to)?;
        if let Role::Datagram { peer, .. } = &mut *self.role.borrow_mut() {
            *peer = Some(other.weak());
        }
        Ok(())
    }

    /// Whoever receives at a name, from this socket too.
    fn receiver(&self, to: &UnixName) -> io::Result<Rc<Self>> {
        let other = self.net.names.find(self, to)?;
        match &*other.role.borrow() {
            Role::Datagram {
                peer: Some(peer), ..
            } if !self.is(peer) => return fail(libc::EPERM),
            Role::Datagram { .. } => {}
            _ => return fail(libc::EPROTOTYPE),
        }
        Ok(other)
    }

    /// The peer, if it is still there; else it is forgotten, with all that it has sent.
    fn connected(&self) -> io::Result<Rc<Self>> {
        let Role::Datagram { peer, queue, .. } = &mut *self.role.borrow_mut() else {
            return fail(libc::EINVAL);
        };
        let Some(other) = peer.as_ref() else {
            return fail(libc::ENOTCONN);
        };
        match other.upgrade().filter(|other| other.is_datagram()) {
            Some(other) => Ok(other),
            None => {
                *peer = None;
                queue.clear();
                fail(libc::ECONNREFUSED)
            }
        }
    }

    /// False once it is closed.
    fn is_datagram(&self) -> bool {
        // One that is borrowed is this socket itself: its own peer.
        let role = self.role.try_borrow();
        role.map_or(true, |role| matches!(*role, Role::Datagram { .. }))
    }

    /// `sendto(2)`: `EAGAIN` where the receiver has no room.
    pub(crate) fn send_datagram(
        &self,
        pieces: &[IoSlice<'_>],
        to: Option<&UnixName>,
    ) -> io::Result<usize> {
        if let Role::Datagram {
            shut: (_, true), ..
        } = &*self.role.borrow()
        {
            return fail(libc::EPIPE);
        }
        let bytes = pieces.concat_bytes();
        if bytes.len() > DATAGRAM_MAX {
            return fail(libc::EMSGSIZE);
        }
        let other = match to {
            Some(to) => self.receiver(to)?,
            None => self.connected()?,
        };
        if let Role::Datagram {
            shut: (true, _), ..
        } = &*other.role.borrow()
        {
            return fail(libc::EPIPE);
        }
        if other.is_full(self) {
            *self.awaits.borrow_mut() = other.weak();
            return fail(libc::EAGAIN);
        }
        let count = bytes.len();
        let from = self.name.borrow().clone();
        if let Role::Datagram { queue, .. } = &mut *other.role.borrow_mut() {
            queue.push_back(Message { from, bytes });
        }
        with(|world| world.event(EventKind::Net, 22 << 48, count as u64));
        other.wake_readers();
        Ok(count)
    }

    /// `recvfrom(2)`: what does not fit is cut off.
    pub(crate) fn recv_datagram(
        &self,
        into: &mut [u8],
        peek: bool,
    ) -> io::Result<(usize, UnixName)> {
        let mut role = self.role.borrow_mut();
        let Role::Datagram { queue, shut, .. } = &mut *role else {
            return fail(libc::EINVAL);
        };
        let Some(message) = queue.front() else {
            return match shut.0 {
                true => Ok((0, UnixName::default())),
                false => fail(libc::EAGAIN),
            };
        };
        let count = message.bytes.len().min(into.len());
        into[..count].copy_from_slice(&message.bytes[..count]);
        let from = message.from.clone();
        if !peek {
            queue.pop_front();
        }
        drop(role);
        if !peek {
            self.wake_room();
        }
        Ok((count, from))
    }

    /// Whose room a sender waits for: the peer's, or that of whom it found full last.
    pub(crate) fn full_receiver(&self) -> Option<Rc<Self>> {
        let peer = match &*self.role.borrow() {
            Role::Datagram { peer, .. } => peer.as_ref().and_then(Weak::upgrade),
            _ => None,
        };
        let other = peer.or_else(|| self.awaits.borrow().upgrade())?;
        other.is_full(self).then_some(other)
    }
}
