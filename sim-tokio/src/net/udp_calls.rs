//! UDP sockets: sending and receiving.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use sim_net::Interest as Wait;
use tokio_real::io::ReadBuf;

use super::addr::{ToSocketAddrs, no_address, resolve};
use super::udp::{Repr, UdpSocket};

impl UdpSocket {
    /// Sends to the peer.
    ///
    /// # Errors
    /// `EDESTADDRREQ`, `EMSGSIZE`, a pending `ECONNREFUSED`.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(_) => poll_fn(|cx| self.poll_send(cx, buf)).await,
            Repr::Real(socket) => socket.send(buf).await,
        }
    }

    /// Polls to send to the peer.
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &self.0 {
            Repr::Sim(socket) => socket.poll(Wait::WRITABLE, cx, |net, fd| net.send(fd, buf)),
            Repr::Real(socket) => socket.poll_send(cx, buf),
        }
    }

    /// Sends to the peer without waiting.
    ///
    /// # Errors
    /// `WouldBlock`; else as [`UdpSocket::send`].
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.send(fd, buf)),
            Repr::Real(socket) => socket.try_send(buf),
        }
    }

    /// Sends to the first of the addresses.
    ///
    /// # Errors
    /// `EMSGSIZE`, a pending `ECONNREFUSED`; of the look-up.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let addrs = resolve(addr).await?;
        let addr = addrs.first().copied().ok_or_else(no_address)?;
        poll_fn(|cx| self.poll_send_to(cx, buf, addr)).await
    }

    /// Polls to send to an address.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        match &self.0 {
            Repr::Sim(socket) => {
                socket.poll(Wait::WRITABLE, cx, |net, fd| net.send_to(fd, buf, target))
            }
            Repr::Real(socket) => socket.poll_send_to(cx, buf, target),
        }
    }

    /// Sends to an address without waiting.
    ///
    /// # Errors
    /// `WouldBlock`; else as [`UdpSocket::send_to`].
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.send_to(fd, buf, target)),
            Repr::Real(socket) => socket.try_send_to(buf, target),
        }
    }

    /// Receives; what does not fit is cut off. Cancellation-safe.
    ///
    /// # Errors
    /// A pending `ECONNREFUSED`.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(socket) => {
                poll_fn(|cx| socket.poll(Wait::READABLE, cx, |net, fd| net.recv(fd, buf, false)))
                    .await
            }
            Repr::Real(socket) => socket.recv(buf).await,
        }
    }

    /// Polls to receive.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Repr::Sim(_) => self.poll_sim(cx, buf, false).map_ok(drop),
            Repr::Real(socket) => socket.poll_recv(cx, buf),
        }
    }

    /// Receives without waiting.
    ///
    /// # Errors
    /// `WouldBlock`; else as [`UdpSocket::recv`].
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.recv(fd, buf, false)),
            Repr::Real(socket) => socket.try_recv(buf),
        }
    }

    /// Receives to the end of `buf` without waiting.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv`].
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(_) => self.try_recv_buf_from(buf).map(|(n, _)| n),
            Repr::Real(socket) => socket.try_recv_buf(buf),
        }
    }

    /// Receives to the end of `buf`.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(_) => self.recv_buf_from(buf).await.map(|(n, _)| n),
            Repr::Real(socket) => socket.recv_buf(buf).await,
        }
    }

    /// Receives to the end of `buf` without waiting, with the sender.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv`].
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Repr::Sim(_) => {
                let mut bytes = vec![0; buf.chunk_mut().len()];
                let (n, from) = self.try_recv_from(&mut bytes)?;
                buf.put_slice(&bytes[..n]);
                Ok((n, from))
            }
            Repr::Real(socket) => socket.try_recv_buf_from(buf),
        }
    }

    /// Receives to the end of `buf`, with the sender.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Repr::Sim(_) => {
                let mut bytes = vec![0; buf.chunk_mut().len()];
                let (n, from) = self.recv_from(&mut bytes).await?;
                buf.put_slice(&bytes[..n]);
                Ok((n, from))
            }
            Repr::Real(socket) => socket.recv_buf_from(buf).await,
        }
    }

    /// Receives, with the sender. Cancellation-safe.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.from(buf, false).await
    }

    /// Polls to receive, with the sender.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        match &self.0 {
            Repr::Sim(_) => self.poll_sim(cx, buf, false),
            Repr::Real(socket) => socket.poll_recv_from(cx, buf),
        }
    }

    /// Receives without waiting, with the sender.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv`].
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.recv_from(fd, buf, false)),
            Repr::Real(socket) => socket.try_recv_from(buf),
        }
    }

    /// Receives without taking.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(_) => self.from(buf, true).await.map(|(n, _)| n),
            Repr::Real(socket) => socket.peek(buf).await,
        }
    }

    /// Polls to receive without taking.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Repr::Sim(_) => self.poll_sim(cx, buf, true).map_ok(drop),
            Repr::Real(socket) => socket.poll_peek(cx, buf),
        }
    }

    /// Receives without taking and without waiting.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv`].
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.recv(fd, buf, true)),
            Repr::Real(socket) => socket.try_peek(buf),
        }
    }

    /// Receives without taking, with the sender.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.from(buf, true).await
    }

    /// Polls to receive without taking, with the sender.
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        match &self.0 {
            Repr::Sim(_) => self.poll_sim(cx, buf, true),
            Repr::Real(socket) => socket.poll_peek_from(cx, buf),
        }
    }

    /// Receives without taking and without waiting, with the sender.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv`].
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Repr::Sim(socket) => socket.call(|net, fd| net.recv_from(fd, buf, true)),
            Repr::Real(socket) => socket.try_peek_from(buf),
        }
    }

    /// The sender of the next datagram.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(_) => self.from(&mut [], true).await.map(|(_, from)| from),
            Repr::Real(socket) => socket.peek_sender().await,
        }
    }

    /// Polls for the sender of the next datagram.
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        match &self.0 {
            Repr::Sim(_) => self.poll_sim(cx, &mut ReadBuf::new(&mut []), true),
            Repr::Real(socket) => socket.poll_peek_sender(cx),
        }
    }

    /// The sender of the next datagram, without waiting.
    ///
    /// # Errors
    /// As [`UdpSocket::try_recv`].
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Repr::Sim(_) => self.try_peek_from(&mut []).map(|(_, from)| from),
            Repr::Real(socket) => socket.try_peek_sender(),
        }
    }

    async fn from(&self, buf: &mut [u8], peek: bool) -> io::Result<(usize, SocketAddr)> {
        match &self.0 {
            Repr::Sim(socket) => {
                poll_fn(|cx| {
                    socket.poll(Wait::READABLE, cx, |net, fd| net.recv_from(fd, buf, peek))
                })
                .await
            }
            Repr::Real(socket) if peek => socket.peek_from(buf).await,
            Repr::Real(socket) => socket.recv_from(buf).await,
        }
    }

    fn poll_sim(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        peek: bool,
    ) -> Poll<io::Result<SocketAddr>> {
        let Repr::Sim(socket) = &self.0 else {
            unreachable!("only a simulated socket comes here")
        };
        let bytes = buf.initialize_unfilled();
        let (n, from) =
            ready!(socket.poll(Wait::READABLE, cx, |net, fd| net.recv_from(fd, bytes, peek)))?;
        buf.advance(n);
        Poll::Ready(Ok(from))
    }
}
