//! The names of `sockets`' calls in the C library.
#![expect(
    unsafe_code,
    reason = "defines functions of the C library, which take raw pointers"
)]

use std::ffi::{c_int, c_void};

use libc::{msghdr, size_t, sockaddr, socklen_t, ssize_t};

use super::addresses;
use super::define::hooks;
use super::socket_pairs::{serve_pair, serve_pipe};
use super::sockets::{
    piece, recv_one, sendto_one, serve_accept, serve_bind, serve_connect, serve_getsockopt,
    serve_ioctl, serve_listen, serve_many, serve_name, serve_recvmsg, serve_sendmsg,
    serve_setsockopt, serve_shutdown, serve_socket,
};

hooks! {
    socket = SOCKET: (domain: c_int, kind: c_int, protocol: c_int) -> c_int {
        safe serve_socket(domain, kind, protocol)
    }
    socketpair = SOCKETPAIR: (
        domain: c_int, kind: c_int, protocol: c_int, out: *mut c_int
    ) -> c_int {
        serve_pair(domain, kind, protocol, out)
    }
    pipe = PIPE: (out: *mut c_int) -> c_int { serve_pipe(out, 0) }
    pipe2 = PIPE2: (out: *mut c_int, flags: c_int) -> c_int { serve_pipe(out, flags) }
    bind = BIND: (fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
        serve_bind(fd, address, length)
    }
    listen = LISTEN: (fd: c_int, backlog: c_int) -> c_int { safe serve_listen(fd, backlog) }
    accept = ACCEPT: (fd: c_int, out: *mut sockaddr, length: *mut socklen_t) -> c_int {
        serve_accept(fd, out, length, 0)
    }
    accept4 = ACCEPT4: (
        fd: c_int, out: *mut sockaddr, length: *mut socklen_t, flags: c_int
    ) -> c_int {
        serve_accept(fd, out, length, flags)
    }
    connect = CONNECT: (fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
        serve_connect(fd, addresses::read(address, length))
    }
    send = SEND: (fd: c_int, bytes: *const c_void, length: size_t, flags: c_int) -> ssize_t {
        sendto_one((fd, flags), piece(bytes, length), std::ptr::null(), 0)
    }
    sendto = SENDTO: (
        fd: c_int, bytes: *const c_void, length: size_t, flags: c_int,
        to: *const sockaddr, to_length: socklen_t
    ) -> ssize_t {
        sendto_one((fd, flags), piece(bytes, length), to, to_length)
    }
    recv = RECV: (fd: c_int, out: *mut c_void, length: size_t, flags: c_int) -> ssize_t {
        recv_one((fd, flags), piece(out, length), std::ptr::null_mut(), std::ptr::null_mut())
    }
    recvfrom = RECVFROM: (
        fd: c_int, out: *mut c_void, length: size_t, flags: c_int,
        from: *mut sockaddr, from_length: *mut socklen_t
    ) -> ssize_t {
        recv_one((fd, flags), piece(out, length), from, from_length)
    }
    sendmsg = SENDMSG: (fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
        serve_sendmsg(fd, message.cast_mut(), flags)
    }
    recvmsg = RECVMSG: (fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
        serve_recvmsg(fd, message, flags)
    }
    sendmmsg = SENDMMSG: (
        fd: c_int, messages: *mut libc::mmsghdr, count: libc::c_uint, flags: c_int
    ) -> c_int {
        serve_many(fd, (messages, count), flags, serve_sendmsg)
    }
    recvmmsg = RECVMMSG: (
        fd: c_int, messages: *mut libc::mmsghdr, count: libc::c_uint, flags: c_int,
        limit: *mut libc::timespec
    ) -> c_int {
        serve_many(fd, (messages, count), flags, serve_recvmsg)
    }
    shutdown = SHUTDOWN: (fd: c_int, how: c_int) -> c_int { safe serve_shutdown(fd, how) }
    getsockname = GETSOCKNAME: (
        fd: c_int, out: *mut sockaddr, length: *mut socklen_t
    ) -> c_int {
        serve_name(fd, out, length, false)
    }
    getpeername = GETPEERNAME: (
        fd: c_int, out: *mut sockaddr, length: *mut socklen_t
    ) -> c_int {
        serve_name(fd, out, length, true)
    }
    getsockopt = GETSOCKOPT: (
        fd: c_int, level: c_int, name: c_int, out: *mut c_void, length: *mut socklen_t
    ) -> c_int {
        serve_getsockopt((fd, level, name), out, length)
    }
    setsockopt = SETSOCKOPT: (
        fd: c_int, level: c_int, name: c_int, value: *const c_void, length: socklen_t
    ) -> c_int {
        serve_setsockopt((fd, level, name), value, length)
    }
    ioctl = IOCTL: (fd: c_int, request: libc::c_ulong, argument: *mut c_int) -> c_int {
        serve_ioctl(fd, request, argument)
    }
}
