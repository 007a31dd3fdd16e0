//! Unix sockets: streams, listeners and datagrams between descriptors of one node.
//!
//! They are no part of the network: nothing takes time, is lost, or can be cut. A name in the file
//! system is free again once its socket is closed, whether its file was unlinked or not.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::{Rc, Weak};
use std::task::Waker;

use sim_runtime::{Description, Down, Fd, NodeId, SocketCalls, UnixName, World};

use crate::calls::Manner;
use crate::errno::{error, fail};
use crate::local::bytes::Bytes;
use crate::net::Net;
use crate::ready::{Waiters, Woken};

/// What each direction of a stream holds (`net.core.wmem_default`).
pub(crate) const CAPACITY: usize = 208 * 1_024;
/// The largest datagram: the send buffer, less what the kernel adds.
pub(crate) const DATAGRAM_MAX: usize = CAPACITY - 32;
/// What the kernel adds to a datagram when it counts it against the buffer.
const OVERHEAD: usize = 768;
/// How many datagrams may wait (`net.unix.max_dgram_qlen`), and one more.
const DATAGRAMS_MAX: usize = 10;

/// The names of all nodes, and whose they are.
#[derive(Default)]
pub(crate) struct Names {
    bound: RefCell<BTreeMap<Key, Weak<UnixSocket>>>,
}

/// A name on a node; abstract ones are apart by the kind of socket, paths are not.
type Key = (NodeId, Option<bool>, UnixName);

fn key(socket: &UnixSocket, name: &UnixName) -> Key {
    let is_abstract = name.0.first() == Some(&0);
    let kind = is_abstract.then_some(socket.is_stream);
    (socket.node, kind, name.clone())
}

impl Names {
    /// Who has a name, as a socket looks for it: `ENOENT` for a path that nobody has,
    /// `ECONNREFUSED` for an abstract name.
    pub(crate) fn find(&self, who: &UnixSocket, name: &UnixName) -> io::Result<Rc<UnixSocket>> {
        let bound = self.bound.borrow();
        let found = bound.get(&key(who, name)).and_then(Weak::upgrade);
        found.ok_or_else(|| match name.0.first() {
            None => error(libc::EINVAL),
            Some(0) => error(libc::ECONNREFUSED),
            Some(_) => error(libc::ENOENT),
        })
    }

    /// Gives a socket a name; an empty one is made up.
    pub(crate) fn bind(&self, socket: &UnixSocket, mut name: UnixName) -> io::Result<UnixName> {
        let mut bound = self.bound.borrow_mut();
        if name.0.is_empty() {
            let free = (0_u32..).map(|n| UnixName(format!("\0{n:05x}").into_bytes()));
            let mut free = free.skip_while(|n| bound.contains_key(&key(socket, n)));
            name = free.next().expect("fewer than 2^32 sockets are open");
        }
        let key = key(socket, &name);
        if bound.contains_key(&key) {
            return fail(libc::EADDRINUSE);
        }
        bound.insert(key, Weak::clone(&socket.this));
        Ok(name)
    }

    fn unbind(&self, socket: &UnixSocket, name: &UnixName) {
        self.bound.borrow_mut().remove(&key(socket, name));
    }
}

/// One end of a stream.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) rx: Rc<Bytes>,
    pub(crate) tx: Rc<Bytes>,
    pub(crate) peer: UnixName,
}

impl End {
    /// Two ends of a new stream; the names are those of their peers.
    pub(crate) fn pair((first, second): (UnixName, UnixName)) -> (Self, Self) {
        let [rx, tx] = [(); 2].map(|()| Rc::new(Bytes::new(CAPACITY, 0)));
        let one = Self {
            rx: Rc::clone(&rx),
            tx: Rc::clone(&tx),
            peer: first,
        };
        let other = Self {
            rx: tx,
            tx: rx,
            peer: second,
        };
        (one, other)
    }

    /// Closes the end: a peer that sent what was not read is reset.
    fn leave(&self) {
        if self.rx.refuse() > 0 {
            self.tx.reset();
        }
        self.tx.end();
    }
}

/// A datagram, and who sent it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) from: UnixName,
    pub(crate) bytes: Vec<u8>,
}

/// What a socket is at the moment.
pub(crate) enum Role {
    /// A stream socket that is not connected.
    Fresh,
    Listener {
        backlog: u32,
        queue: VecDeque<End>,
    },
    Stream(End),
    Datagram {
        queue: VecDeque<Message>,
        peer: Option<Weak<UnixSocket>>,
        /// `shutdown(2)`: what may be received, what may be sent.
        shut: (bool, bool),
    },
}

/// A Unix socket.
pub(crate) struct UnixSocket {
    pub(crate) net: Rc<Net>,
    this: Weak<Self>,
    pub(crate) node: NodeId,
    pub(crate) is_stream: bool,
    pub(crate) manner: Manner,
    /// The name it is bound to, and that of the listener that it was accepted from.
    pub(crate) name: RefCell<UnixName>,
    pub(crate) goes_by: RefCell<UnixName>,
    pub(crate) role: RefCell<Role>,
    /// Those who wait to accept or receive, and those who wait for room here.
    readers: RefCell<Waiters>,
    room: RefCell<Waiters>,
    /// Whose room it found taken last.
    pub(crate) awaits: RefCell<Weak<Self>>,
}

impl UnixSocket {
    /// A new socket of the running process.
    pub(crate) fn open(net: &Rc<Net>, world: &World, role: Role) -> io::Result<(Fd, Rc<Self>)> {
        let socket = Rc::new_cyclic(|this| Self {
            net: Rc::clone(net),
            this: Weak::clone(this),
            node: world.current_node(),
            is_stream: !matches!(role, Role::Datagram { .. }),
            manner: Manner::default(),
            name: RefCell::default(),
            goes_by: RefCell::default(),
            role: RefCell::new(role),
            readers: RefCell::default(),
            room: RefCell::default(),
            awaits: RefCell::new(Weak::new()),
        });
        let fd = world.open(Rc::<Self>::clone(&socket))?;
        Ok((fd, socket))
    }

    /// A datagram socket without a peer.
    pub(crate) fn datagram() -> Role {
        Role::Datagram {
            queue: VecDeque::new(),
            peer: None,
            shut: (false, false),
        }
    }

    /// Makes two datagram sockets each other's peers.
    pub(crate) fn join(&self, other: &Self) {
        for (one, other) in [(self, other), (other, self)] {
            if let Role::Datagram { peer, .. } = &mut *one.role.borrow_mut() {
                *peer = Some(Weak::clone(&other.this));
            }
        }
    }

    /// Whether another connection or datagram of `sender` would have to wait. Between two that are
    /// each other's peers only the sender's buffer counts, as on Linux.
    pub(crate) fn is_full(&self, sender: &Self) -> bool {
        match &*self.role.borrow() {
            Role::Listener { backlog, queue } => queue.len() > *backlog as usize,
            Role::Datagram { queue, peer, .. } => {
                let is_mutual = peer.as_ref().is_some_and(|peer| sender.is(peer));
                let charged = queue.iter().map(|message| message.bytes.len() + OVERHEAD);
                match is_mutual {
                    true => charged.sum::<usize>() >= CAPACITY,
                    false => queue.len() > DATAGRAMS_MAX,
                }
            }
            _ => false,
        }
    }

    /// Whether `this` is the same socket.
    pub(crate) fn is(&self, this: &Weak<Self>) -> bool {
        Weak::ptr_eq(&self.this, this)
    }

    pub(crate) fn weak(&self) -> Weak<Self> {
        Weak::clone(&self.this)
    }

    pub(crate) fn reader_waits(&self, waker: &Waker) {
        self.readers.borrow_mut().add(waker);
    }

    pub(crate) fn waits_for_room(&self, waker: &Waker) {
        self.room.borrow_mut().add(waker);
    }

    /// Somebody may accept or receive now.
    pub(crate) fn wake_readers(&self) {
        wake(&self.readers);
    }

    /// There is room again.
    pub(crate) fn wake_room(&self) {
        wake(&self.room);
    }

    fn leave(&self) {
        let name = self.name.take();
        if !name.0.is_empty() {
            self.net.names.unbind(self, &name);
        }
        let role = self.role.replace(Role::Fresh);
        match role {
            Role::Fresh | Role::Datagram { .. } => {}
            // Nobody will ever read what they sent.
            Role::Listener { queue, .. } => {
                for end in queue {
                    end.tx.reset();
                    end.leave();
                }
            }
            Role::Stream(end) => end.leave(),
        }
        self.wake_readers();
        self.wake_room();
    }
}

fn wake(waiters: &RefCell<Waiters>) {
    let mut woken = Woken::default();
    waiters.borrow_mut().wake_into(&mut woken);
    woken.wake();
}

impl Description for UnixSocket {
    fn kind(&self) -> &'static str {
        match &*self.role.borrow() {
            Role::Fresh => "unix-socket",
            Role::Listener { .. } => "unix-listener",
            Role::Stream(_) => "unix-stream",
            Role::Datagram { .. } => "unix-datagram",
        }
    }

    fn describe(&self) -> String {
        let name = self.name.borrow();
        match name.0.is_empty() {
            true => self.kind().to_owned(),
            false => format!("{} {}", self.kind(), String::from_utf8_lossy(&name.0)),
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
