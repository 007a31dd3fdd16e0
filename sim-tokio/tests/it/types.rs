//! What crates rely on of types: `Send`, `Sync`, unwind safety, descriptors, conversions.

use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};

use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite};

use crate::support::simulate;

fn send_sync<T: Send + Sync>() {}
fn send<T: Send>(_: T) {}
fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
fn reads_and_writes<T: AsyncRead + AsyncWrite + Send + Sync + Unpin>() {}

#[test]
fn types_are_what_tokios_are() {
    send_sync::<tokio::task::JoinHandle<std::cell::Cell<u8>>>();
    send_sync::<tokio::task::JoinSet<std::cell::Cell<u8>>>();
    send_sync::<tokio::task::JoinError>();
    send_sync::<tokio::time::Sleep>();
    send_sync::<tokio::time::Interval>();
    send_sync::<tokio::net::TcpListener>();
    send_sync::<tokio::net::TcpSocket>();
    send_sync::<tokio::net::UdpSocket>();
    send_sync::<tokio::fs::ReadDir>();
    send_sync::<tokio::runtime::Handle>();
    send_sync::<tokio::runtime::Runtime>();
    send_sync::<tokio::signal::unix::Signal>();
    unwind_safe::<tokio::task::JoinHandle<std::rc::Rc<u8>>>();
    unwind_safe::<tokio::task::AbortHandle>();
    unwind_safe::<tokio::runtime::Handle>();
    reads_and_writes::<tokio::net::TcpStream>();
    reads_and_writes::<tokio::fs::File>();
    fn seeks<T: AsyncSeek>() {}
    seeks::<tokio::fs::File>();
}

#[test]
fn futures_are_send() {
    send(tokio::net::TcpStream::connect("127.0.0.1:1"));
    send(tokio::net::TcpListener::bind(("localhost", 1)));
    send(tokio::net::lookup_host("localhost:1"));
    send(tokio::fs::read("x"));
    send(tokio::fs::File::open("x"));
    send(tokio::signal::ctrl_c());
    send(tokio::task::yield_now());
}

#[test]
fn simulated_descriptors_are_numbers_above_the_kernels() {
    simulate(1, || async {
        let listener = tokio::net::TcpListener::bind("0.0.0.0:80").await.unwrap();
        let number = listener.as_raw_fd();
        assert!(sim_runtime::Fd::is_simulated(number));
        assert_eq!(listener.as_fd().as_raw_fd(), number);
        // A socket that was given away by its number is not closed.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        let number = socket.into_raw_fd();
        assert!(sim_runtime::Fd::is_simulated(number));
        let fd = sim_runtime::Fd(number);
        assert!(sim_runtime::with(|world| world.close(fd)).is_ok());
        let listener = listener.into_std().unwrap();
        assert!(sim_runtime::Fd::is_simulated(listener.as_raw_fd()));
    });
}
