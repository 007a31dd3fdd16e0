//! Traits and helpers of I/O: tokio's own, which know no runtime; and the standard streams.
//!
//! Inside a simulation what is written to [`stdout`] and [`stderr`] goes straight to the
//! system's: it is for whoever watches, and no part of the world. [`stdin`] is at its end, as a
//! service's is.

pub mod unix;
mod unix_guards;

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use sim_runtime::in_simulation;
#[doc(no_inline)]
pub use tokio_real::io::*;

/// A standard stream that is written to.
macro_rules! standard_stream {
    ($(#[$doc:meta])* $name:ident $make:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Option<tokio_real::io::$name>);

        $(#[$doc])*
        #[must_use]
        pub fn $make() -> $name {
            $name((!in_simulation()).then(tokio_real::io::$make))
        }

        impl AsyncWrite for $name {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                match &mut self.0 {
                    None => Poll::Ready(io::$make().write(buf)),
                    Some(real) => Pin::new(real).poll_write(cx, buf),
                }
            }

            fn poll_flush(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                match &mut self.0 {
                    None => Poll::Ready(io::$make().flush()),
                    Some(real) => Pin::new(real).poll_flush(cx),
                }
            }

            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                match &mut self.0 {
                    None => Poll::Ready(io::$make().flush()),
                    Some(real) => Pin::new(real).poll_shutdown(cx),
                }
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                io::$make().as_raw_fd()
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                crate::fd::borrow_standard(self)
            }
        }
    };
}

standard_stream! {
    /// The standard output; as `tokio::io::stdout`.
    Stdout stdout
}

standard_stream! {
    /// The standard error; as `tokio::io::stderr`.
    Stderr stderr
}

/// The standard input; as `tokio::io::Stdin`. Inside a simulation it is empty.
#[derive(Debug)]
pub struct Stdin(Option<tokio_real::io::Stdin>);

/// The standard input. Inside a simulation it is empty.
#[must_use]
pub fn stdin() -> Stdin {
    Stdin((!in_simulation()).then(tokio_real::io::stdin))
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            None => Poll::Ready(Ok(())),
            Some(real) => Pin::new(real).poll_read(cx, buf),
        }
    }
}

impl AsRawFd for Stdin {
    fn as_raw_fd(&self) -> RawFd {
        io::stdin().as_raw_fd()
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        crate::fd::borrow_standard(self)
    }
}
