//! Unix sockets and pipes by tokio's interface only, on the real tokio and in simulations.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::unix::{SocketAddr, pipe};
use tokio::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};

use crate::support::in_both_worlds;

in_both_worlds! {
    a_stream_by_name
    a_pair_of_streams
    halves_of_a_stream
    a_stream_by_hand
    a_stream_that_is_full
    a_listener_by_its_address
    sockets_before_their_use
    nobody_there
    datagrams_by_name
    a_pair_of_datagrams
    datagrams_wait_for_room
    a_pipe
    a_pipe_by_hand
    streams_of_std
}

/// An abstract name; the kernel makes none up that starts like it.
fn name(what: &str) -> String {
    let simulated = sim_runtime::in_simulation();
    format!("\0landfall-tokio-{}-{simulated}-{what}", std::process::id())
}

/// A path that nobody has.
fn path(what: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{}-{what}", std::process::id()));
    if !sim_runtime::in_simulation() {
        // It is not there, unless a process of the same number has left it.
        drop(std::fs::remove_file(&path));
    }
    path
}

fn abstract_name(address: &SocketAddr) -> Option<String> {
    let name = address.as_abstract_name()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

async fn a_stream_by_name() {
    let listener = UnixListener::bind(name("echo")).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, peer) = listener.accept().await.unwrap();
        assert!(peer.is_unnamed());
        assert_eq!(
            abstract_name(&stream.local_addr().unwrap()),
            Some(name("echo")[1..].to_owned())
        );
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap()
    });
    let mut stream = UnixStream::connect(name("echo")).await.unwrap();
    assert_eq!(
        abstract_name(&stream.peer_addr().unwrap()),
        Some(name("echo")[1..].to_owned())
    );
    stream.write_all(b"to and fro").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut back = String::new();
    stream.read_to_string(&mut back).await.unwrap();
    assert_eq!(back, "to and fro");
    assert_eq!(server.await.unwrap(), 10);
    assert!(stream.take_error().unwrap().is_none());
}

async fn a_pair_of_streams() {
    let (mut one, mut other) = UnixStream::pair().unwrap();
    let credentials = one.peer_cred().unwrap();
    assert_eq!(credentials.pid(), Some(std::process::id().cast_signed()));
    one.write_all(b"abc").await.unwrap();
    drop(one);
    let mut all = Vec::new();
    other.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"abc");
    let error = other.write_all(b"x").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

async fn halves_of_a_stream() {
    let (one, mut other) = UnixStream::pair().unwrap();
    let (read, write) = one.into_split();
    let mut one = read.reunite(write).unwrap();
    one.write_all(b"x").await.unwrap();
    assert_eq!(other.read_u8().await.unwrap(), b'x');
    let (_read, write) = one.into_split();
    drop(write);
    assert_eq!(other.read(&mut [0; 4]).await.unwrap(), 0);
}

async fn a_stream_by_hand() {
    let (one, other) = UnixStream::pair().unwrap();
    let mut into = [0; 8];
    let error = other.try_read(&mut into).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    one.writable().await.unwrap();
    assert_eq!(one.try_write(b"hello").unwrap(), 5);
    let ready = other.ready(Interest::READABLE).await.unwrap();
    assert!(ready.is_readable() && !ready.is_read_closed());
    let mut bytes = Vec::with_capacity(2);
    assert_eq!(other.try_read_buf(&mut bytes).unwrap(), 2);
    let (mut head, mut tail) = ([0; 1], [0; 8]);
    let mut pieces = [
        io::IoSliceMut::new(&mut head),
        io::IoSliceMut::new(&mut tail),
    ];
    assert_eq!(other.try_read_vectored(&mut pieces).unwrap(), 3);
    assert_eq!(
        (&bytes[..], &head, &tail[..2]),
        (&b"he"[..], b"l", &b"lo"[..])
    );
    drop(one);
    other.readable().await.unwrap();
    assert_eq!(other.try_read(&mut [0; 4]).unwrap(), 0);
}

async fn a_stream_that_is_full() {
    let (mut one, mut other) = UnixStream::pair().unwrap();
    let writer = tokio::spawn(async move {
        one.write_all(&vec![7; 1_000_000]).await.unwrap();
    });
    let mut all = Vec::new();
    other.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 1_000_000);
    writer.await.unwrap();
}

async fn a_listener_by_its_address() {
    let listener = UnixListener::bind(name("address")).unwrap();
    let address = listener.local_addr().unwrap();
    let error = UnixListener::bind_addr(&address).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let mut stream = UnixStream::connect_addr(&address).await.unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    stream.write_u8(9).await.unwrap();
    assert_eq!(accepted.read_u8().await.unwrap(), 9);
}

async fn sockets_before_their_use() {
    let socket = UnixSocket::new_stream().unwrap();
    socket.bind(name("unused")).unwrap();
    let listener = socket.listen(4).unwrap();
    let client = UnixSocket::new_stream().unwrap();
    drop(client.connect(name("unused")).await.unwrap());
    drop(listener.accept().await.unwrap());
    assert!(UnixSocket::new_datagram().unwrap().listen(1).is_err());
    assert!(UnixSocket::new_stream().unwrap().datagram().is_err());
    drop(UnixSocket::new_datagram().unwrap().datagram().unwrap());
}

async fn nobody_there() {
    let error = UnixStream::connect(name("none")).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let error = UnixStream::connect("/nobody/has/this").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let error = UnixListener::bind("x".repeat(200)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

async fn datagrams_by_name() {
    let (first, second) = (path("one"), path("other"));
    let one = UnixDatagram::bind(&first).unwrap();
    let other = UnixDatagram::bind(&second).unwrap();
    one.send_to(b"hello", &second).await.unwrap();
    let mut into = [0; 16];
    let (count, from) = other.recv_from(&mut into).await.unwrap();
    assert_eq!(&into[..count], b"hello");
    assert_eq!(from.as_pathname(), Some(first.as_path()));
    other.connect(&first).unwrap();
    other.send(b"back").await.unwrap();
    let mut bytes = Vec::with_capacity(16);
    assert_eq!(one.recv_buf(&mut bytes).await.unwrap(), 4);
    assert_eq!(bytes, b"back");
    let stranger = UnixDatagram::unbound().unwrap();
    let error = stranger.send_to(b"x", &second).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    let error = stranger.connect(name("abstract")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "as tokio has it");
}

async fn a_pair_of_datagrams() {
    let (one, other) = UnixDatagram::pair().unwrap();
    one.send(b"a long one").await.unwrap();
    let mut into = [0; 4];
    assert_eq!(other.recv(&mut into).await.unwrap(), 4);
    let error = other.try_recv(&mut into).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    drop(other);
    let error = one.send(b"x").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

async fn datagrams_wait_for_room() {
    let slow = path("slow");
    let receiver = UnixDatagram::bind(&slow).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(&slow).unwrap();
    let sending = tokio::spawn(async move {
        for n in 0..1_000_u32 {
            sender.send(&n.to_le_bytes()).await.unwrap();
        }
    });
    for n in 0..1_000_u32 {
        let mut into = [0; 4];
        receiver.recv(&mut into).await.unwrap();
        assert_eq!(u32::from_le_bytes(into), n);
    }
    sending.await.unwrap();
}

async fn a_pipe() {
    let (mut sender, mut receiver) = pipe::pipe().unwrap();
    let writer = tokio::spawn(async move {
        sender.write_all(&vec![3; 300_000]).await.unwrap();
    });
    let mut all = Vec::new();
    receiver.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 300_000);
    writer.await.unwrap();
}

async fn a_pipe_by_hand() {
    let (sender, receiver) = pipe::pipe().unwrap();
    let mut into = [0; 8];
    let error = receiver.try_read(&mut into).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    sender.writable().await.unwrap();
    assert_eq!(sender.try_write(b"abc").unwrap(), 3);
    receiver.readable().await.unwrap();
    assert_eq!(receiver.try_read(&mut into).unwrap(), 3);
    let fd: OwnedFd = receiver.into_nonblocking_fd().unwrap();
    let receiver = pipe::Receiver::from_owned_fd(fd).unwrap();
    drop(receiver);
    let error = sender.try_write(b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

async fn streams_of_std() {
    let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    other.set_nonblocking(true).unwrap();
    let mut one = UnixStream::from_std(one).unwrap();
    let mut other = UnixStream::from_std(other).unwrap();
    one.write_all(b"std").await.unwrap();
    let mut into = [0; 3];
    other.read_exact(&mut into).await.unwrap();
    assert_eq!(&into, b"std");
    drop(one.into_std().unwrap());
    assert_eq!(other.read(&mut into).await.unwrap(), 0);
}
