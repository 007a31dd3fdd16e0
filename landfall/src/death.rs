//! What became of a seed whose process died.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sim_runtime::process::{
    ChildExit, ChildStatus, LastEvent, LastWords, Limits, LiveTask, Phase, signal_name,
};

use crate::render::grouped;
use crate::words;

/// How many of the last events are shown, and how many tasks.
const EVENTS_SHOWN: usize = 10;
const TASKS_SHOWN: usize = 20;

/// A seed whose process died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// The seed.
    pub seed: u64,
    /// Of what.
    pub cause: Cause,
    /// What it was doing; none when the worker went with it.
    pub last_words: Option<Box<LastWords>>,
    /// The end of what it printed.
    pub output: String,
}

/// What a process died of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// A panic outside the simulation.
    Panic(String),
    /// It exited by itself.
    Exit(i32),
    /// A signal.
    Signal(i32),
    /// Its stack overflowed.
    StackOverflow,
    /// An allocation failed under the limit.
    OutOfMemory {
        /// The limit in MiB.
        limit_mib: u32,
        /// The allocation in bytes.
        bytes: u64,
    },
    /// One poll made no event for as long as it may, and used the processor meanwhile.
    Spins(Duration),
    /// One poll made no event for as long as it may, and waited in the kernel meanwhile.
    Blocks(Duration),
    /// It made no end in this much real time.
    TooSlow(Duration),
}

impl Cause {
    pub(crate) fn of(exit: &ChildExit, limits: &Limits) -> Self {
        if let Some(error) = &exit.error {
            return Self::Panic(error.clone());
        }
        let words = exit.last_words.as_ref();
        match exit.status {
            ChildStatus::Code(code) => Self::Exit(code),
            ChildStatus::Signal(_) if words.is_some_and(|words| words.overflowed) => {
                Self::StackOverflow
            }
            ChildStatus::Signal(signal) => match failed_allocation(&exit.output_tail) {
                Some(bytes) => Self::OutOfMemory {
                    limit_mib: limits.memory_mib,
                    bytes,
                },
                None => Self::Signal(signal),
            },
            ChildStatus::TimedOut => Self::TooSlow(limits.wall),
            ChildStatus::Stalled => {
                let busy = Duration::from_micros(exit.user_us + exit.system_us);
                // A machine under load gives a spinning process less than the whole time.
                if busy >= limits.stall / 8 {
                    Self::Spins(limits.stall)
                } else {
                    Self::Blocks(limits.stall)
                }
            }
        }
    }

    /// What does not change from one such death to the next.
    fn kind(&self) -> String {
        match self {
            Self::Panic(message) => format!("panic/{message}"),
            Self::Exit(code) => format!("exit {code}"),
            Self::Signal(signal) => signal_name(*signal),
            Self::StackOverflow => "stack overflow".to_owned(),
            Self::OutOfMemory { .. } => "out of memory".to_owned(),
            Self::Spins(_) => "spins".to_owned(),
            Self::Blocks(_) => "blocks".to_owned(),
            Self::TooSlow(_) => "too slow".to_owned(),
        }
    }

    /// Whether real time or another process decided when it died.
    pub(crate) const fn is_from_outside(&self) -> bool {
        matches!(self, Self::Signal(9 | 15) | Self::TooSlow(_))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(message) => f.write_str(message),
            Self::Exit(code) => write!(f, "exited with code {code}"),
            Self::Signal(9) => f.write_str(
                "died of SIGKILL: another process sent it, or the kernel for want of memory",
            ),
            Self::Signal(signal) => write!(f, "died of {}", signal_name(*signal)),
            Self::StackOverflow => f.write_str("overflowed its stack (SIGSEGV)"),
            Self::OutOfMemory { limit_mib, bytes } => {
                let bytes = grouped(*bytes);
                write!(
                    f,
                    "ran out of memory (limit {limit_mib} MiB, LANDFALL_MEMORY_MB): an \
                     allocation of {bytes} bytes failed (SIGABRT)"
                )
            }
            Self::Spins(stall) => write!(f, "spins within one poll: no event for {stall:?}"),
            Self::Blocks(stall) => write!(
                f,
                "is blocked in the kernel within one poll: no event for {stall:?}"
            ),
            Self::TooSlow(wall) => write!(f, "made no end in {wall:?} of real time"),
        }
    }
}

/// The size in the message that std prints before it aborts.
fn failed_allocation(output: &str) -> Option<u64> {
    let (_, rest) = output.split_once("memory allocation of ")?;
    rest.split_once(" bytes failed")?.0.parse().ok()
}

impl Death {
    pub(crate) fn of(seed: u64, exit: ChildExit, limits: &Limits) -> Self {
        Self {
            seed,
            cause: Cause::of(&exit, limits),
            last_words: exit.last_words,
            output: exit.output_tail,
        }
    }

    /// A panic outside the simulation, in this process.
    pub(crate) fn of_panic(seed: u64, message: String) -> Self {
        Self {
            seed,
            cause: Cause::Panic(message),
            last_words: None,
            output: String::new(),
        }
    }

    /// The task that ran.
    fn running(&self) -> Option<&LiveTask> {
        self.last_words.as_ref()?.running.as_ref()
    }

    /// What kind of death this is: two of one kind have one signature. The place counts where the
    /// run itself decided it.
    #[must_use]
    pub fn signature(&self) -> String {
        let kind = self.cause.kind();
        match self.running() {
            Some(task) if !self.cause.is_from_outside() => {
                format!("crash/{kind}/{}", task.spawned_at)
            }
            _ => format!("crash/{kind}"),
        }
    }

    /// Whether another run of the seed died the same: of the same, after as many events where
    /// the run itself decided it.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let events = |death: &Self| death.last_words.as_ref().map(|words| words.events);
        self.signature() == other.signature()
            && (self.cause.is_from_outside() || events(self) == events(other))
    }

    fn last_words(&self, out: &mut String, words: &LastWords) {
        if words.phase != Phase::Simulating {
            return;
        }
        let task_of = |id: u64| {
            let mut alive = words.running.iter().chain(&words.tasks);
            alive.find(|task| task.id == id)
        };
        let skipped = words.recent.len().saturating_sub(EVENTS_SHOWN);
        let _ = writeln!(out, "  last events:");
        for event in &words.recent[skipped..] {
            let LastEvent {
                number,
                kind,
                arguments,
            } = event;
            let what = words::event(*kind, *arguments, &task_of);
            let _ = writeln!(out, "    {} {what}", grouped(*number));
        }
        if !words.tasks.is_empty() {
            let _ = writeln!(out, "  other tasks alive, ready or blocked:");
        }
        for task in words.tasks.iter().take(TASKS_SHOWN) {
            let _ = writeln!(out, "    {task}");
        }
        let shown = words.tasks.len().min(TASKS_SHOWN) as u64;
        let more = words.tasks.len() as u64 + words.more_tasks - shown;
        if more > 0 {
            let _ = writeln!(out, "    and {} more", grouped(more));
        }
    }
}

/// One line, and what was seen below it.
impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, cause, .. } = self;
        write!(f, "seed {seed}: the process {cause}")?;
        let mut below = String::new();
        if let Some(words) = &self.last_words {
            let (events, at) = (grouped(words.events), words.at);
            match (words.phase, &words.running) {
                (Phase::Before, _) => f.write_str(", before its simulation began")?,
                (Phase::After, _) => write!(f, ", after its simulation, of {events} events")?,
                (Phase::Simulating, None) => write!(f, " after {events} events at {at}")?,
                (Phase::Simulating, Some(task)) => {
                    write!(f, " after {events} events at {at} in {task}")?;
                }
            }
            self.last_words(&mut below, words);
        }
        if !self.output.is_empty() {
            below.push_str("  it printed:\n");
        }
        for line in self.output.lines() {
            let _ = writeln!(below, "    {line}");
        }
        write!(f, "\n{}", below.trim_end())
    }
}
