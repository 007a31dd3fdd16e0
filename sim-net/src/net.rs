//! The device, and the calls a guest's sockets are made of.

use std::cell::{RefCell, RefMut};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use sim_runtime::{Boot, Device, DeviceId, Down, Fd, NodeId, World};

use crate::calls::Manner;
use crate::config::NetConfig;
use crate::errno::{error, fail};
use crate::link::LinkStats;
use crate::local::unix::Names;
use crate::netstat::SocketInfo;
use crate::options::SocketOptions;
use crate::ready::{Interest, Ready};
use crate::socket::Socket;
use crate::state::{Kind, Sock, State};
use crate::udp::Udp;

/// The simulated network of a world.
///
/// Every call is non-blocking, acts for the node of the running task, and fails with the kernel's
/// error numbers. A descriptor that is closed, or whose process is gone, answers `EBADF`.
pub struct Net {
    world: Weak<World>,
    /// Itself, for the descriptions it makes.
    pub(crate) this: RefCell<Weak<Net>>,
    state: RefCell<State>,
    /// Whose the names of Unix sockets are.
    pub(crate) names: Names,
}

/// The network of the current world.
///
/// # Errors
/// `ENETDOWN` outside a simulation, or where the world has no network.
pub fn net() -> io::Result<Rc<Net>> {
    sim_runtime::try_with(|world| world.device::<Net>())
        .flatten()
        .ok_or_else(|| error(libc::ENETDOWN))
}

impl Net {
    /// Puts a network into a world.
    pub fn install(world: &Rc<World>, config: NetConfig) -> Rc<Self> {
        let weak = Rc::downgrade(world);
        let net = world.install(|device: DeviceId| Self {
            world: weak,
            this: RefCell::new(Weak::new()),
            state: RefCell::new(State::new(device, config)),
            names: Names::default(),
        });
        *net.this.borrow_mut() = Rc::downgrade(&net);
        world.serve_sockets(Rc::<Self>::clone(&net));
        net
    }

    /// The world it is in.
    pub(crate) fn world(&self) -> Option<Rc<World>> {
        self.world.upgrade()
    }

    /// The state itself; whoever is to be woken is for the caller to wake.
    #[inline]
    pub(crate) fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// Wakes whoever is to be woken.
    #[cold]
    pub(crate) fn wake(&self) {
        let woken = std::mem::take(&mut self.state().woken);
        woken.wake();
    }

    /// Runs `f` on the state, then wakes whoever it found to wake.
    pub(crate) fn run<R>(&self, f: impl FnOnce(&mut State, &World) -> R) -> io::Result<R> {
        let world = self.world.upgrade().ok_or_else(|| error(libc::ENETDOWN))?;
        Ok(self.run_in(&world, f))
    }

    /// [`Net::run`], in a world that is known.
    #[inline]
    pub(crate) fn run_in<R>(&self, world: &World, f: impl FnOnce(&mut State, &World) -> R) -> R {
        let mut state = self.state.borrow_mut();
        let result = f(&mut state, world);
        if !state.woken.is_empty() {
            if let Some(waker) = state.woken.take_only() {
                drop(state);
                waker.wake();
            } else {
                let woken = std::mem::take(&mut state.woken);
                drop(state);
                woken.wake();
            }
        }
        result
    }

    /// Has nothing take the short way, to compare.
    #[cfg(test)]
    pub(crate) fn take_long_way(&self, long_way: bool) {
        self.state().long_way = long_way;
    }

    /// Runs `f` on the socket of a descriptor.
    pub(crate) fn on<R>(
        &self,
        fd: Fd,
        f: impl FnOnce(&mut State, &World, usize) -> io::Result<R>,
    ) -> io::Result<R> {
        let world = self.world.upgrade().ok_or_else(|| error(libc::ENETDOWN))?;
        let Some(sock) = world.read_description(fd, |socket: &Socket| socket.index)? else {
            return fail(libc::ENOTSOCK);
        };
        self.run_in(&world, |state, world| {
            if state.socks.contains(sock) {
                f(state, world, sock)
            } else {
                fail(libc::EBADF)
            }
        })
    }

    /// Gives a new socket a descriptor.
    fn open(&self, index: usize) -> io::Result<Fd> {
        let world = self.world.upgrade().ok_or_else(|| error(libc::ENETDOWN))?;
        let net = self.this.borrow().upgrade();
        let net = net.expect("it is being called");
        let manner = Manner::default();
        let socket = Socket { net, index, manner };
        world.open(Rc::new(socket)).inspect_err(|_| {
            self.close_socket(&world, index, false, false);
        })
    }

    fn new_socket(&self, kind: Kind) -> io::Result<Fd> {
        let index = self.run(|state, world| {
            let (node, boot) = (world.current_node(), world.current_boot());
            let options = SocketOptions::of(&state.config);
            state.socks.insert(Sock {
                node,
                boot,
                options,
                kind,
            })
        })?;
        self.open(index)
    }

    /// `socket(AF_INET, SOCK_STREAM)`.
    ///
    /// # Errors
    /// `EMFILE` at the node's limit of descriptors.
    pub fn tcp_socket(&self) -> io::Result<Fd> {
        self.new_socket(Kind::Fresh { bound: None })
    }

    /// `socket(AF_INET, SOCK_DGRAM)`.
    ///
    /// # Errors
    /// As [`Net::tcp_socket`].
    pub fn udp_socket(&self) -> io::Result<Fd> {
        self.new_socket(Kind::Udp(Udp::default()))
    }

    /// A UDP socket bound to `addr`.
    ///
    /// # Errors
    /// As [`Net::udp_socket`] and [`Net::bind`].
    pub fn udp_bind(&self, addr: SocketAddr) -> io::Result<Fd> {
        let fd = self.udp_socket()?;
        self.bind(fd, addr)
            .inspect_err(|_| self.close_quietly(fd))?;
        Ok(fd)
    }

    /// A listening TCP socket, as `std` and tokio make it: `SO_REUSEADDR`, bind, listen.
    ///
    /// # Errors
    /// As [`Net::tcp_socket`], [`Net::bind`] and [`Net::listen`].
    pub fn tcp_listen(&self, addr: SocketAddr, backlog: u32) -> io::Result<Fd> {
        let fd = self.tcp_socket()?;
        let bound = self
            .set_options(fd, |options| options.reuse_address = true)
            .and_then(|()| self.bind(fd, addr))
            .and_then(|()| self.listen(fd, backlog));
        bound.inspect_err(|_| self.close_quietly(fd))?;
        Ok(fd)
    }

    fn close_quietly(&self, fd: Fd) {
        if let Some(world) = self.world.upgrade() {
            world
                .close(fd)
                .expect("the descriptor was opened by this call");
        }
    }

    /// `bind(2)`. Port 0 picks one of 32768..=60999.
    ///
    /// # Errors
    /// `EADDRINUSE`; `EADDRNOTAVAIL` for an address of another node; `EINVAL` when it is bound.
    pub fn bind(&self, fd: Fd, addr: SocketAddr) -> io::Result<()> {
        self.on(fd, |state, world, sock| match state.socks[sock].kind {
            Kind::Udp(_) => state.udp_bind(world, sock, addr).map(|_| ()),
            _ => state.tcp_bind(world, sock, addr),
        })
    }

    /// `listen(2)`. A backlog of `n` keeps `n + 1` connections, as Linux does.
    ///
    /// # Errors
    /// `EINVAL` on a connected socket, `EOPNOTSUPP` on a UDP socket.
    pub fn listen(&self, fd: Fd, backlog: u32) -> io::Result<()> {
        self.on(fd, |state, world, sock| {
            state.tcp_listen(world, sock, backlog)
        })
    }

    /// `accept(2)`.
    ///
    /// # Errors
    /// `EAGAIN` when nobody has connected; `EINVAL` when the socket does not listen.
    pub fn accept(&self, fd: Fd) -> io::Result<(Fd, SocketAddr)> {
        let (sock, peer) = self.on(fd, |state, world, sock| state.tcp_accept(world, sock))?;
        Ok((self.open(sock)?, peer))
    }

    /// `connect(2)`. On TCP wait until the socket is writable, then ask [`Net::take_error`].
    ///
    /// # Errors
    /// `EINPROGRESS` where it started; `EALREADY`, `EISCONN`; `EADDRNOTAVAIL` when no port is
    /// left; the error of the attempt before.
    pub fn connect(&self, fd: Fd, addr: SocketAddr) -> io::Result<()> {
        self.on(fd, |state, world, sock| match state.socks[sock].kind {
            Kind::Udp(_) => state.udp_connect(world, sock, addr),
            _ => state.tcp_connect(world, sock, addr),
        })
    }

    /// `getsockopt(SO_ERROR)`: the pending error, which is cleared. `ECONNREFUSED`, `ETIMEDOUT`,
    /// `ECONNRESET` after a failed connect or on a dead connection.
    ///
    /// # Errors
    /// Only those of the descriptor.
    pub fn take_error(&self, fd: Fd) -> io::Result<Option<io::Error>> {
        self.on(fd, |state, world, sock| {
            Ok(match &mut state.socks[sock].kind {
                Kind::Udp(udp) => udp.take_error(world).map(error),
                Kind::Stream { conn, side, .. } => {
                    let (conn, side) = (*conn, *side);
                    match state.conns[conn].ends[side].error {
                        Some(_) => state.take_failure::<()>(world, conn, side).err(),
                        None => None,
                    }
                }
                _ => None,
            })
        })
    }

    /// `send(2)`; on UDP to the connected peer. May take fewer bytes.
    ///
    /// # Errors
    /// `EAGAIN` when the send buffer is full; `ECONNRESET` or `ETIMEDOUT` once, then `EPIPE`;
    /// `EDESTADDRREQ`, `EMSGSIZE` and a pending `ECONNREFUSED` on UDP.
    pub fn send(&self, fd: Fd, bytes: &[u8]) -> io::Result<usize> {
        self.send_vectored(fd, &[IoSlice::new(bytes)])
    }

    /// `writev(2)`. On UDP the pieces make one datagram.
    ///
    /// # Errors
    /// As [`Net::send`].
    pub fn send_vectored(&self, fd: Fd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.on(fd, |state, world, sock| {
            state.socket_send(world, sock, pieces)
        })
    }

    /// `recv(2)`, with `MSG_PEEK` if `peek`. 0 is the end of a stream; on UDP what does not fit
    /// is cut off.
    ///
    /// # Errors
    /// `EAGAIN`; `ECONNRESET` or `ETIMEDOUT`, once; `ENOTCONN`.
    pub fn recv(&self, fd: Fd, into: &mut [u8], peek: bool) -> io::Result<usize> {
        self.on(fd, |state, world, sock| {
            state.socket_recv(world, sock, into, peek)
        })
    }

    /// `shutdown(2)`.
    ///
    /// # Errors
    /// `ENOTCONN` where there is no connection.
    pub fn shutdown(&self, fd: Fd, how: Shutdown) -> io::Result<()> {
        self.on(fd, |state, world, sock| match state.socks[sock].kind {
            Kind::Stream { conn, side, .. } => state.stream_shutdown(world, (conn, side), how),
            Kind::Udp(_) => state.udp_shutdown(sock, how),
            _ => fail(libc::ENOTCONN),
        })
    }

    /// Makes `addr` the peer of a UDP socket: datagrams of others are refused, and "port
    /// unreachable" is reported as `ECONNREFUSED`.
    ///
    /// # Errors
    /// `EINVAL` on a TCP socket; those of [`Net::bind`] for the ephemeral port.
    pub fn udp_connect(&self, fd: Fd, addr: SocketAddr) -> io::Result<()> {
        self.on(fd, |state, world, sock| {
            state.udp_connect(world, sock, addr)
        })
    }

    /// `sendto(2)`.
    ///
    /// # Errors
    /// `EMSGSIZE` over 65507 bytes; a pending `ECONNREFUSED`.
    pub fn send_to(&self, fd: Fd, bytes: &[u8], addr: SocketAddr) -> io::Result<usize> {
        self.on(fd, |state, world, sock| {
            state.udp_send(world, sock, bytes, Some(addr))
        })
    }

    /// `recvfrom(2)`, with `MSG_PEEK` if `peek`.
    ///
    /// # Errors
    /// `EAGAIN`; a pending `ECONNREFUSED`.
    pub fn recv_from(
        &self,
        fd: Fd,
        into: &mut [u8],
        peek: bool,
    ) -> io::Result<(usize, SocketAddr)> {
        self.on(fd, |state, world, sock| {
            state.udp_recv(world, sock, into, peek)
        })
    }

    /// `getsockname(2)`.
    ///
    /// # Errors
    /// Only those of the descriptor.
    pub fn local_addr(&self, fd: Fd) -> io::Result<SocketAddr> {
        let unbound = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        self.on(fd, |state, _, sock| {
            Ok(match &state.socks[sock].kind {
                Kind::Fresh { bound } => bound.unwrap_or(unbound),
                Kind::Listener(listener) => listener.addr,
                Kind::Stream { conn, side, .. } => state.conns[*conn].ends[*side].addr,
                Kind::Udp(udp) => state.udp_local(udp),
            })
        })
    }

    /// `getpeername(2)`.
    ///
    /// # Errors
    /// `ENOTCONN` without a connection.
    pub fn peer_addr(&self, fd: Fd) -> io::Result<SocketAddr> {
        self.on(fd, |state, _, sock| state.peer_of(sock))
    }

    /// The options of a socket.
    ///
    /// # Errors
    /// Only those of the descriptor.
    pub fn options(&self, fd: Fd) -> io::Result<SocketOptions> {
        self.on(fd, |state, _, sock| Ok(state.socks[sock].options))
    }

    /// Changes options of a socket.
    ///
    /// # Errors
    /// Only those of the descriptor.
    pub fn set_options(&self, fd: Fd, change: impl FnOnce(&mut SocketOptions)) -> io::Result<()> {
        self.on(fd, |state, world, sock| {
            let options = &mut state.socks[sock].options;
            let before = options.patience();
            change(options);
            if options.patience() != before {
                state.patience_changed(world, sock, before.keepalive.is_none());
            }
            Ok(())
        })
    }

    /// Level-triggered readiness. Pending registers the task for `interest`; any number of tasks
    /// may wait for the same direction, and all are woken.
    ///
    /// # Errors
    /// `EBADF` when the socket was closed meanwhile.
    pub fn poll_ready(
        &self,
        fd: Fd,
        interest: Interest,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Ready>> {
        let waker = context.waker();
        let ready = self.on(fd, |state, world, sock| {
            let ready = state.socket_ready(world, sock);
            let satisfied = ready.satisfies(interest);
            if !satisfied {
                state.socket_waits(world, sock, interest, waker);
                world.waiting(interest.waits(fd));
            }
            Ok(satisfied.then_some(ready))
        });
        match ready {
            Ok(Some(ready)) => Poll::Ready(Ok(ready)),
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Readiness now, without waiting.
    ///
    /// # Errors
    /// Only those of the descriptor.
    pub fn ready(&self, fd: Fd) -> io::Result<Ready> {
        self.on(fd, |state, world, sock| Ok(state.socket_ready(world, sock)))
    }

    /// Counts of one direction between two nodes.
    pub fn link_stats(&self, from: NodeId, to: NodeId) -> LinkStats {
        self.state.borrow().links.stats(from, to)
    }

    /// Counts of every link between two nodes used so far, in order of (from, to).
    pub fn stats(&self) -> Vec<((NodeId, NodeId), LinkStats)> {
        let state = self.state.borrow();
        let links = state.links.iter().filter(|link| !link.is_loopback());
        links
            .map(|link| ((link.from, link.to), link.stats.clone()))
            .collect()
    }

    /// Every socket and every connection the kernels still finish, in a fixed order.
    pub fn netstat(&self) -> Vec<SocketInfo> {
        let listed = self.run(|state, world| {
            for (conn, side) in state.each_end() {
                state.settle(world, conn, side);
            }
            state.netstat()
        });
        listed.unwrap_or_default()
    }

    /// `SO_TYPE`.
    pub(crate) fn type_of(&self, fd: Fd) -> io::Result<i32> {
        self.on(fd, |state, _, sock| {
            Ok(match state.socks[sock].kind {
                Kind::Udp(_) => libc::SOCK_DGRAM,
                _ => libc::SOCK_STREAM,
            })
        })
    }

    /// `SO_ACCEPTCONN`.
    pub(crate) fn is_listener(&self, fd: Fd) -> io::Result<bool> {
        self.on(fd, |state, _, sock| {
            Ok(matches!(state.socks[sock].kind, Kind::Listener(_)))
        })
    }

    pub(crate) fn kind_of(&self, index: usize) -> &'static str {
        let Ok(state) = self.state.try_borrow() else {
            return "socket";
        };
        state
            .socks
            .get(index)
            .map_or("socket", |sock| match sock.kind {
                Kind::Fresh { .. } => "tcp-socket",
                Kind::Listener(_) => "tcp-listener",
                Kind::Stream { .. } => "tcp-stream",
                Kind::Udp(_) => "udp-socket",
            })
    }

    pub(crate) fn describe(&self, index: usize) -> String {
        let addresses = self.state.try_borrow().ok();
        let addresses = addresses.and_then(|state| state.addresses(index));
        let kind = self.kind_of(index);
        addresses.map_or_else(|| kind.to_owned(), |at| format!("{kind} {at}"))
    }

    pub(crate) fn close_socket(&self, world: &World, index: usize, guest: bool, silent: bool) {
        self.run_in(world, |state, world| {
            state.close_socket(world, index, guest, silent)
        });
    }
}

impl Device for Net {
    fn name(&self) -> &'static str {
        "net"
    }

    fn on_event(&self, world: &Rc<World>, token: u64) {
        self.run_in(world, |state, world| state.event(world, token));
    }

    fn node_down(&self, world: &Rc<World>, node: NodeId, boot: Boot, down: Down) {
        self.run_in(world, |state, world| {
            state.node_down(world, node, boot, down)
        });
    }

    fn node_up(&self, _world: &Rc<World>, node: NodeId, _boot: Boot) {
        let mut state = self.state.borrow_mut();
        let host = state.host_mut(node);
        host.up = true;
        host.blame = None;
    }

    fn finish(&self, _world: &Rc<World>) {
        let old = {
            let mut state = self.state.borrow_mut();
            let fresh = State::new(state.device, state.config.clone());
            std::mem::replace(&mut *state, fresh)
        };
        drop(old); // Wakers may drop tasks, and those their sockets: nothing is borrowed here.
    }
}
