//! Halves of a TCP stream that borrow it, and what all halves have in common.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio_real::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};

use super::stream::TcpStream;

/// The reading half of [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing half of [`TcpStream::split`].
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

impl<'a> ReadHalf<'a> {
    pub(crate) const fn new(stream: &'a TcpStream) -> Self {
        Self(stream)
    }
}

impl<'a> WriteHalf<'a> {
    pub(crate) const fn new(stream: &'a TcpStream) -> Self {
        Self(stream)
    }
}

/// The methods and traits of a reading half that is `AsRef` of its stream.
macro_rules! reading_half {
    ($half:ty) => {
        impl $half {
            /// Waits until one of `interest` is possible.
            ///
            /// # Errors
            /// As of the whole stream.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().ready(interest).await
            }

            /// Waits until there is something to read.
            ///
            /// # Errors
            /// As of the whole stream.
            pub async fn readable(&self) -> io::Result<()> {
                self.as_ref().readable().await
            }

            /// Reads what is there.
            ///
            /// # Errors
            /// As of the whole stream.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().try_read(buf)
            }

            /// Reads what is there into several buffers.
            ///
            /// # Errors
            /// As of the whole stream.
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().try_read_vectored(bufs)
            }

            /// Reads what is there to the end of `buf`.
            ///
            /// # Errors
            /// As of the whole stream.
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                self.as_ref().try_read_buf(buf)
            }

            /// The other end's address.
            ///
            /// # Errors
            /// As of the whole stream.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().peer_addr()
            }

            /// Its own address.
            ///
            /// # Errors
            /// As of the whole stream.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().local_addr()
            }
        }

        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                (*self).as_ref().poll_read_shared(cx, buf)
            }
        }
    };
}

/// What a reading half of a TCP stream can besides.
macro_rules! peeking_half {
    ($half:ty) => {
        impl $half {
            /// Reads without taking.
            pub fn poll_peek(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                self.as_ref().poll_peek(cx, buf)
            }

            /// Reads without taking.
            ///
            /// # Errors
            /// As reading.
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buf).await
            }
        }
    };
}

/// The methods and traits of a writing half that is `AsRef` of its stream; `$shut` is called when
/// the stream was shut down for writing.
macro_rules! writing_half {
    ($half:ty, $shut:expr) => {
        impl $half {
            /// Waits until one of `interest` is possible.
            ///
            /// # Errors
            /// As of the whole stream.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().ready(interest).await
            }

            /// Waits until there is room to write.
            ///
            /// # Errors
            /// As of the whole stream.
            pub async fn writable(&self) -> io::Result<()> {
                self.as_ref().writable().await
            }

            /// Writes what there is room for.
            ///
            /// # Errors
            /// As of the whole stream.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(buf)
            }

            /// Writes what there is room for from several buffers.
            ///
            /// # Errors
            /// As of the whole stream.
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().try_write_vectored(bufs)
            }

            /// The other end's address.
            ///
            /// # Errors
            /// As of the whole stream.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().peer_addr()
            }

            /// Its own address.
            ///
            /// # Errors
            /// As of the whole stream.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().local_addr()
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                (*self)
                    .as_ref()
                    .poll_write_shared(cx, &[std::io::IoSlice::new(buf)])
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                (*self).as_ref().poll_write_shared(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let shut = (*self).as_ref().shutdown_write();
                if shut.is_ok() {
                    let after: fn(&mut Self) = $shut;
                    after(self.get_mut());
                }
                Poll::Ready(shut)
            }
        }
    };
}

pub(crate) use {peeking_half, reading_half, writing_half};

reading_half!(ReadHalf<'_>);
peeking_half!(ReadHalf<'_>);
writing_half!(WriteHalf<'_>, |_| ());

impl AsRef<TcpStream> for ReadHalf<'_> {
    fn as_ref(&self) -> &TcpStream {
        self.0
    }
}

impl AsRef<TcpStream> for WriteHalf<'_> {
    fn as_ref(&self) -> &TcpStream {
        self.0
    }
}
