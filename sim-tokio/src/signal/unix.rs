//! Unix signals. Inside a simulation interrupt and terminate are the node's stop signal; no other
//! is ever sent.

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use sim_runtime::in_simulation;
#[doc(no_inline)]
pub use tokio_real::signal::unix::SignalKind;

/// Listens to a signal; as `tokio::signal::unix::Signal`.
pub struct Signal(Repr);

enum Repr {
    Sim { kind: SignalKind, next: NextSignal },
    Real(tokio_real::signal::unix::Signal),
}

type NextSignal = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// What tokio lets nobody listen to: the kernel forbids it, or the code goes on where it failed.
const FORBIDDEN: [i32; 5] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGSEGV,
];

/// Listens to a signal from now on.
///
/// # Errors
/// The signal cannot be listened to.
///
/// # Panics
/// Outside a simulation, when there is no runtime with I/O.
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    if in_simulation() {
        let number = kind.as_raw_value();
        if number <= 0 || FORBIDDEN.contains(&number) {
            let refused = format!("Refusing to register signal {number}");
            return Err(io::Error::other(refused));
        }
        return Ok(Signal(Repr::Sim {
            kind,
            next: next_signal(kind),
        }));
    }
    tokio_real::signal::unix::signal(kind).map(|signal| Signal(Repr::Real(signal)))
}

fn next_signal(kind: SignalKind) -> NextSignal {
    if kind != SignalKind::interrupt() && kind != SignalKind::terminate() {
        return Box::pin(pending());
    }
    let mut next: NextSignal = Box::pin(sim_runtime::ctrl_c());
    // The first poll is what installs the handler; a signal that comes after it is not missed.
    let polled = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(
        polled.is_pending(),
        "a signal is waited for before it is sent"
    );
    next
}

impl Signal {
    /// Waits for the next signal. Cancellation-safe.
    pub async fn recv(&mut self) -> Option<()> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls for the next signal.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        match &mut self.0 {
            Repr::Sim { kind, next } => {
                ready!(next.as_mut().poll(cx));
                *next = next_signal(*kind);
                Poll::Ready(Some(()))
            }
            Repr::Real(signal) => signal.poll_recv(cx),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Sim { kind, .. } => f.debug_tuple("Signal").field(kind).finish(),
            Repr::Real(signal) => signal.fmt(f),
        }
    }
}
