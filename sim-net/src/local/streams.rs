//! Unix streams: connect, listen, accept, shut down.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;

use sim_runtime::{EventKind, Fd, UnixName, with};

use crate::errno::{error, fail};
use crate::local::unix::{End, Role, UnixSocket};

impl UnixSocket {
    /// `bind(2)`. An empty name has the kernel make one up.
    pub(crate) fn bind_to(&self, name: UnixName) -> io::Result<()> {
        if !self.name.borrow().0.is_empty() {
            return fail(libc::EINVAL);
        }
        *self.name.borrow_mut() = self.net.names.bind(self, name)?;
        Ok(())
    }

    /// `listen(2)`.
    pub(crate) fn listen_on(&self, backlog: u32) -> io::Result<()> {
        let is_bound = !self.name.borrow().0.is_empty();
        match &mut *self.role.borrow_mut() {
            Role::Datagram { .. } => return fail(libc::EOPNOTSUPP),
            Role::Stream(_) => return fail(libc::EINVAL),
            Role::Fresh if !is_bound => return fail(libc::EINVAL),
            role @ Role::Fresh => {
                let queue = VecDeque::new();
                *role = Role::Listener { backlog, queue };
            }
            Role::Listener { backlog: old, .. } => *old = backlog,
        }
        self.wake_room();
        Ok(())
    }

    /// `accept(2)`.
    pub(crate) fn accept_one(&self) -> io::Result<(Fd, UnixName)> {
        let end = match &mut *self.role.borrow_mut() {
            Role::Datagram { .. } => return fail(libc::EOPNOTSUPP),
            Role::Listener { queue, .. } => queue.pop_front(),
            _ => return fail(libc::EINVAL),
        };
        let end = end.ok_or_else(|| error(libc::EAGAIN))?;
        self.wake_room();
        let peer = end.peer.clone();
        let opened = with(|world| Self::open(&self.net, world, Role::Stream(end)))?;
        // It goes by its listener's name, and holds no claim to it.
        *opened.1.goes_by.borrow_mut() = self.name.borrow().clone();
        Ok((opened.0, peer))
    }

    /// `connect(2)` of a stream: at once, or `EAGAIN` where the listener has no room.
    pub(crate) fn connect_stream(&self, to: &UnixName) -> io::Result<()> {
        match &*self.role.borrow() {
            Role::Fresh => {}
            Role::Stream(_) => return fail(libc::EISCONN),
            _ => return fail(libc::EINVAL),
        }
        let listener = self.net.names.find(self, to)?;
        if !listener.is_stream {
            return fail(libc::EPROTOTYPE);
        }
        if !matches!(&*listener.role.borrow(), Role::Listener { .. }) {
            return fail(libc::ECONNREFUSED);
        }
        if listener.is_full(self) {
            *self.awaits.borrow_mut() = listener.weak();
            return fail(libc::EAGAIN);
        }
        let names = (listener.name.borrow().clone(), self.name.borrow().clone());
        let (ours, theirs) = End::pair(names);
        if let Role::Listener { queue, .. } = &mut *listener.role.borrow_mut() {
            queue.push_back(theirs);
        }
        *self.role.borrow_mut() = Role::Stream(ours);
        with(|world| world.event(EventKind::Net, 20 << 48, u64::from(self.node.0)));
        listener.wake_readers();
        Ok(())
    }

    /// `shutdown(2)`. On a socket without a connection it is noted and harmless, as on Linux.
    pub(crate) fn shut(&self, how: Shutdown) {
        let reads = how != Shutdown::Write;
        let writes = how != Shutdown::Read;
        match &mut *self.role.borrow_mut() {
            Role::Datagram { shut, .. } => {
                shut.0 |= reads;
                shut.1 |= writes;
            }
            Role::Stream(end) => {
                if reads {
                    end.rx.refuse();
                }
                if writes {
                    end.tx.end();
                }
            }
            Role::Fresh | Role::Listener { .. } => {}
        }
        self.wake_readers();
        self.wake_room();
    }
}
