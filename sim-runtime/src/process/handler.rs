//! The child's side of a command.

use std::fmt;
use std::io;

use super::protocol::{self, Kind};

/// The functions that serve a worker's commands: an executable has exactly one.
///
/// It is called in a process that was forked for this command, on a thread that was made for it
/// (named `landfall-seed`, 16 MiB of stack) and may run one simulation there. What it does before
/// it enters the simulation must not make a std `HashMap`: std caches hash keys per thread, and
/// those would be real ([`crate::interpose::floor`], fresh thread).
///
/// ```
/// use sim_runtime::process::{Reply, WORKER_HANDLERS};
///
/// #[linkme::distributed_slice(WORKER_HANDLERS)]
/// static ECHO: fn(&[u8], &mut Reply) = |command, reply| reply.result(command);
/// # fn main() {}
/// ```
#[linkme::distributed_slice]
pub static WORKER_HANDLERS: [fn(&[u8], &mut Reply)];

/// What a worker does once, before it forks its first child, so that no child has to: each of
/// these functions is called, in no order to rely on, on the worker's only thread.
///
/// Whatever it leaves in memory every child begins with, so it must be the same each time the
/// executable starts: no clock, no addresses, no iteration over std's hash maps, and no thread.
///
/// ```
/// use std::sync::OnceLock;
/// use sim_runtime::process::WORKER_PREPARATIONS;
///
/// static TABLE: OnceLock<Vec<u32>> = OnceLock::new();
///
/// #[linkme::distributed_slice(WORKER_PREPARATIONS)]
/// static PREPARE: fn() = || drop(TABLE.set((0..100).collect()));
/// # fn main() {}
/// ```
#[linkme::distributed_slice]
pub static WORKER_PREPARATIONS: [fn()];

type Sink = Box<dyn FnMut(&[u8]) -> io::Result<()> + Send>;

/// Where a handler sends what it finds out.
///
/// What can't be delivered is dropped: nobody is left to read it, and the worker kills a child
/// whose coordinator is gone.
pub struct Reply {
    sink: Sink,
    keeps_output: bool,
}

impl Reply {
    pub(crate) fn new(sink: Sink) -> Self {
        Self {
            sink,
            keeps_output: false,
        }
    }

    /// News of a command under way; costs a system call for each 4 KiB.
    pub fn progress(&mut self, payload: &[u8]) {
        self.send(Kind::Progress, payload);
    }

    /// What came of the command. Of several results the last one counts.
    pub fn result(&mut self, payload: &[u8]) {
        self.send(Kind::Result, payload);
    }

    /// Has the end of what this process prints sent along, as is done anyway when it dies.
    pub fn keep_output(&mut self) {
        self.keeps_output = true;
    }

    pub(crate) fn keeps_output(&self) -> bool {
        self.keeps_output
    }

    pub(crate) fn send(&mut self, kind: Kind, payload: &[u8]) {
        // The only failure is that nobody reads any more.
        let _undelivered = protocol::frames(kind, payload, &mut self.sink);
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("keeps_output", &self.keeps_output)
            .finish_non_exhaustive()
    }
}

/// Calls every preparation.
#[cfg(floor_symbols)]
pub(crate) fn prepare() {
    WORKER_PREPARATIONS.iter().for_each(|prepare| prepare());
}

/// Calls the one handler there is.
pub(crate) fn handle(command: &[u8], reply: &mut Reply) {
    match *WORKER_HANDLERS {
        [handler] => handler(command, reply),
        [] => reply.send(Kind::Error, b"no handler is registered in this executable"),
        [..] => reply.send(
            Kind::Error,
            b"more than one handler is registered in this executable",
        ),
    }
}
