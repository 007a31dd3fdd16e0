//! What comes of a command, and what can go wrong with a worker.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::last_words::LastWords;
use super::protocol::{COMMAND_MAX, Malformed, VERSION};

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The executable, linked with this crate and with one handler. It gets no arguments.
    pub exe: PathBuf,
    /// The directory it runs in.
    pub cwd: PathBuf,
    /// Variables it gets besides a fixed `PATH` and `RUST_BACKTRACE`; nothing is inherited.
    pub extra_env: Vec<(OsString, OsString)>,
}

/// What a child may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Real time until it is killed. What its simulation waits for a processor, because others use
    /// them all, does not count, up to ten times as long; nor does it below.
    pub wall: Duration,
    /// Real time in which its simulation may be without an event until it is killed.
    pub stall: Duration,
    /// Private memory that it may map, in MiB; 0 is no limit.
    pub memory_mib: u32,
}

impl Limits {
    /// How long a simulation may be without an event, unless told otherwise: half a minute.
    pub const STALL: Duration = Duration::from_secs(30);
    /// What a child may map, unless told otherwise: 4 GiB.
    pub const MEMORY_MIB: u32 = 4_096;
}

impl From<Duration> for Limits {
    /// This much real time, and the rest as it is unless told otherwise.
    fn from(wall: Duration) -> Self {
        Self {
            wall,
            stall: Self::STALL,
            memory_mib: Self::MEMORY_MIB,
        }
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildStatus {
    /// It exited with this code: 0 after the handler returned, 101 after it panicked.
    Code(i32),
    /// A signal of this number killed it.
    Signal(i32),
    /// The wall limit was over and it was killed.
    TimedOut,
    /// Its simulation had no event for as long as it may be, and it was killed.
    Stalled,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildExit {
    /// What the handler sent as its result, even if the child died later.
    pub result: Option<Vec<u8>>,
    /// Why the handler did not return: its panic, or that there is none.
    pub error: Option<String>,
    /// The end of what the child printed. Empty if it ended well and did not ask for it.
    pub output_tail: String,
    /// How the child ended.
    pub status: ChildStatus,
    /// What it was doing; none if it ended well, or if the worker itself had to be killed.
    pub last_words: Option<Box<LastWords>>,
    /// CPU time in user mode, in microseconds; 0 if the worker itself had to be killed.
    pub user_us: u64,
    /// CPU time in the kernel, in microseconds; 0 if the worker itself had to be killed.
    pub system_us: u64,
}

/// A signal by its name, as in signal(7).
#[must_use]
pub fn signal_name(signal: i32) -> String {
    let names = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (10, "SIGUSR1"),
        (11, "SIGSEGV"),
        (12, "SIGUSR2"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
        (24, "SIGXCPU"),
        (25, "SIGXFSZ"),
        (31, "SIGSYS"),
    ];
    let known = names.iter().find(|(number, _)| *number == signal);
    known.map_or_else(
        || format!("signal {signal}"),
        |(_, name)| (*name).to_owned(),
    )
}

/// What can go wrong with a worker, as opposed to its child.
#[derive(Debug)]
pub enum WorkerError {
    /// Workers need Linux with a shared glibc on x86-64 or aarch64.
    Unsupported,
    /// The executable could not be started.
    Spawn(PathBuf, io::Error),
    /// What was started does not greet like a worker: it is not linked with this crate's `sim`
    /// feature, or died before.
    NotAWorker(PathBuf, String),
    /// This process was started as a worker and did not become one, so the one it would start
    /// would not either, and so on: something stands before the hook on `__libc_start_main`.
    Nested,
    /// The worker speaks another version of the protocol: it is of another build.
    Version(u32),
    /// The worker sent what no worker sends.
    Protocol(Malformed),
    /// The worker sent a message that does not belong there.
    Unexpected(&'static str),
    /// The worker died; its children never take it along.
    Died(Option<ExitStatus>),
    /// The command has more than [`COMMAND_MAX`] bytes.
    CommandTooLong(usize),
    /// The worker still has a command.
    Busy,
    /// A pipe failed.
    Io(io::Error),
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerError::Unsupported => {
                f.write_str("worker processes need Linux with a shared glibc on x86-64 or aarch64")
            }
            WorkerError::Spawn(exe, error) => {
                write!(f, "can't start the worker {}: {error}", exe.display())
            }
            WorkerError::NotAWorker(exe, why) => write!(
                f,
                "{} is not a worker (built without the `sim` feature?): {why}",
                exe.display()
            ),
            WorkerError::Nested => {
                f.write_str("this process was to be a worker and is not; it starts no other")
            }
            WorkerError::Version(theirs) => write!(
                f,
                "the worker speaks version {theirs} of the protocol, and this is version \
                 {VERSION}: build both from the same sources"
            ),
            WorkerError::Protocol(malformed) => {
                write!(f, "the worker's reply can't be read: {malformed}")
            }
            WorkerError::Unexpected(what) => write!(f, "the worker sent {what}"),
            WorkerError::Died(Some(status)) => write!(f, "the worker died: {status}"),
            WorkerError::Died(None) => f.write_str("the worker died"),
            WorkerError::CommandTooLong(bytes) => {
                write!(f, "a command of {bytes} bytes is longer than {COMMAND_MAX}")
            }
            WorkerError::Busy => f.write_str("the worker still has a command"),
            WorkerError::Io(error) => write!(f, "a pipe to the worker failed: {error}"),
        }
    }
}

impl std::error::Error for WorkerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WorkerError::Spawn(_, error) | WorkerError::Io(error) => Some(error),
            _ => None,
        }
    }
}
