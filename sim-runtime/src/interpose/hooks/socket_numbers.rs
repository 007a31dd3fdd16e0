//! The numbers of `sockets`' calls in the kernel.
#![expect(unsafe_code, reason = "passes on what C callers point to")]

use std::ffi::{c_int, c_long};

use libc::socklen_t;

use super::addresses;
use super::socket_pairs::{serve_pair, serve_pipe};
use super::sockets::{
    piece, serve_accept, serve_bind, serve_connect, serve_getsockopt, serve_ioctl, serve_listen,
    serve_name, serve_recv, serve_recvmsg, serve_send, serve_sendmsg, serve_setsockopt,
    serve_shutdown, serve_socket,
};

/// A call by number on a socket; `None` where the kernel must answer.
///
/// # Safety
///
/// The arguments are what the system call's manual page asks for.
pub(super) unsafe fn serve(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> Option<c_long> {
    let int = |register: usize| register as c_int;
    // SAFETY: the caller's promise, in each arm.
    unsafe {
        match number {
            libc::SYS_socket => serve_socket(int(a), int(b), int(c)),
            libc::SYS_socketpair => serve_pair(int(a), int(b), int(c), d as *mut _),
            #[cfg(target_arch = "x86_64")]
            libc::SYS_pipe => serve_pipe(a as *mut _, 0),
            libc::SYS_pipe2 => serve_pipe(a as *mut _, int(b)),
            libc::SYS_bind => serve_bind(int(a), b as *const _, c as socklen_t),
            libc::SYS_listen => serve_listen(int(a), int(b)),
            libc::SYS_accept => serve_accept(int(a), b as *mut _, c as *mut _, 0),
            libc::SYS_accept4 => serve_accept(int(a), b as *mut _, c as *mut _, int(d)),
            libc::SYS_connect => {
                serve_connect(int(a), addresses::read(b as *const _, c as socklen_t))
            }
            libc::SYS_sendto => {
                let one = piece(b as *const _, c);
                let to = (e as *const _, f as socklen_t);
                serve_send(int(a), (&raw const one, 1), int(d), to)
            }
            libc::SYS_recvfrom => {
                let one = piece(b as *const _, c);
                serve_recv(
                    int(a),
                    (&raw const one, 1),
                    int(d),
                    (e as *mut _, f as *mut _),
                )
            }
            libc::SYS_sendmsg => serve_sendmsg(int(a), b as *mut _, int(c)),
            libc::SYS_recvmsg => serve_recvmsg(int(a), b as *mut _, int(c)),
            libc::SYS_shutdown => serve_shutdown(int(a), int(b)),
            libc::SYS_getsockname => serve_name(int(a), b as *mut _, c as *mut _, false),
            libc::SYS_getpeername => serve_name(int(a), b as *mut _, c as *mut _, true),
            libc::SYS_getsockopt => {
                serve_getsockopt((int(a), int(b), int(c)), d as *mut _, e as *mut _)
            }
            libc::SYS_setsockopt => {
                serve_setsockopt((int(a), int(b), int(c)), d as *const _, e as socklen_t)
            }
            libc::SYS_ioctl => serve_ioctl(int(a), b as libc::c_ulong, c as *mut _),
            _ => None,
        }
    }
}
