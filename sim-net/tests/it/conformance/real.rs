//! The kernel this test runs on. Nothing here is simulated: the test waits in real time, but for
//! conditions, never for a guess: `settle` yields to loopback, which is synchronous on Linux.

use super::*;

#[derive(Clone)]
pub(super) struct Real;

/// Polls a future that is never pending for long: the bodies wait by asking again.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}

/// Asks again until the answer is not `EAGAIN`.
async fn ask<R>(mut attempt: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    std::future::poll_fn(|_| match attempt() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::task::Poll::Pending,
        other => std::task::Poll::Ready(other),
    })
    .await
}

impl Kernel for Real {
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Udp = UdpSocket;

    fn listen(&self, addr: SocketAddr) -> io::Result<TcpListener> {
        let listener = TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    fn listener_addr(&self, listener: &TcpListener) -> SocketAddr {
        listener.local_addr().expect("it is bound")
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = ask(|| listener.accept()).await?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    async fn send(&self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = stream;
        ask(|| stream.write(bytes)).await
    }

    fn try_send(&self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = stream;
        stream.write(bytes)
    }

    async fn recv(&self, stream: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        let mut stream = stream;
        ask(|| stream.read(into)).await
    }

    fn try_recv(&self, stream: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        let mut stream = stream;
        stream.read(into)
    }

    async fn peek(&self, stream: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
        ask(|| stream.peek(into)).await
    }

    fn shutdown(&self, stream: &TcpStream, how: Shutdown) -> io::Result<()> {
        stream.shutdown(how)
    }

    fn take_error(&self, stream: &TcpStream) -> io::Result<Option<io::Error>> {
        stream.take_error()
    }

    fn peer(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        stream.peer_addr()
    }

    fn reset(&self, stream: TcpStream) {
        linger_zero(&stream).expect("the socket is good");
    }

    fn close(&self, stream: TcpStream) {
        drop(stream);
    }

    fn close_listener(&self, listener: TcpListener) {
        drop(listener);
    }

    fn udp(&self, addr: SocketAddr) -> io::Result<UdpSocket> {
        let udp = UdpSocket::bind(addr)?;
        udp.set_nonblocking(true)?;
        Ok(udp)
    }

    fn udp_addr(&self, udp: &UdpSocket) -> SocketAddr {
        udp.local_addr().expect("it is bound")
    }

    fn udp_connect(&self, udp: &UdpSocket, to: SocketAddr) -> io::Result<()> {
        udp.connect(to)
    }

    fn udp_send(&self, udp: &UdpSocket, bytes: &[u8]) -> io::Result<usize> {
        udp.send(bytes)
    }

    fn send_to(&self, udp: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        udp.send_to(bytes, to)
    }

    async fn recv_from(&self, udp: &UdpSocket, into: &mut [u8]) -> io::Result<usize> {
        ask(|| udp.recv_from(into)).await.map(|(count, _)| count)
    }

    async fn settle(&self) {
        for _ in 0..64 {
            std::thread::yield_now();
        }
    }
}

/// `SO_LINGER` of zero, which `std` does not offer; then the socket is dropped.
#[expect(unsafe_code, reason = "setsockopt has no safe form in std")]
fn linger_zero(stream: &TcpStream) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let size = size_of::<libc::linger>() as libc::socklen_t;
    let (level, name) = (libc::SOL_SOCKET, libc::SO_LINGER);
    // SAFETY: the descriptor is open for the call, and `linger` is a value of the size given.
    let code = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            level,
            name,
            (&raw const linger).cast(),
            size,
        )
    };
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
