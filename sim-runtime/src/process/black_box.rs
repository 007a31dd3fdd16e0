//! What a run leaves behind when its process dies: memory that the process shares with its worker.
//!
//! The simulation writes with plain stores, a handful an event, and nobody has to run in the dying
//! process: what it was doing is known after an abort, an overflowed stack, `SIGKILL` alike.
//! A worker makes the box before its first fork; elsewhere the stores go to a static.

use std::panic::Location;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::digest::EventKind;

/// How many of the last events are kept.
pub(super) const EVENTS_KEPT: usize = 64;
/// How many tasks are kept, by their place in the executor's list; names and places of spawning
/// of those above are not known.
pub(super) const TASKS_KEPT: usize = 1_024;
/// How much of a task's name is kept, in bytes.
pub(super) const NAME_MAX: usize = 24;

/// A task; its number is 0 where there is none.
#[derive(Debug)]
pub(super) struct TaskBox {
    pub(super) id: AtomicU64,
    pub(super) node: AtomicU32,
    pub(super) boot: AtomicU32,
    /// Address and length of the source file's name, which is in the executable.
    pub(super) file: AtomicU64,
    pub(super) file_length: AtomicU64,
    pub(super) line: AtomicU32,
    pub(super) name_length: AtomicU32,
    pub(super) name: [AtomicU8; NAME_MAX],
}

/// An event.
#[derive(Debug)]
pub(super) struct EventBox {
    pub(super) kind: AtomicU64,
    pub(super) a: AtomicU64,
    pub(super) b: AtomicU64,
}

/// The box. All zeros is an empty one.
#[derive(Debug)]
pub(crate) struct BlackBox {
    /// How many events there were.
    pub(super) events: AtomicU64,
    /// Number of the running task, 0 where none runs.
    pub(super) running: AtomicU64,
    /// Virtual time of the last poll, in nanoseconds.
    pub(super) now_ns: AtomicU64,
    /// Thread of the simulation.
    pub(super) thread: AtomicU32,
    /// 0 before the simulation, 1 in it, 2 after it.
    pub(super) phase: AtomicU32,
    /// The signal that the process is dying of, 0 as long as none is known.
    pub(super) signal: AtomicU32,
    /// Whether its stack has overflowed.
    pub(super) overflowed: AtomicU32,
    /// Whether the process has done what it could to say where it is.
    pub(super) has_spoken: AtomicU32,
    /// Whether the command was served to its end.
    pub(super) is_done: AtomicU32,
    pub(super) recent: [EventBox; EVENTS_KEPT],
    pub(super) tasks: [TaskBox; TASKS_KEPT],
    /// Tasks alive whose place is beyond the list.
    pub(super) more_tasks: AtomicU64,
}

static LOCAL: BlackBox = BlackBox::new();
static SHARED: AtomicPtr<BlackBox> = AtomicPtr::new(std::ptr::null_mut());

/// Has the simulations of this process, and of those that it forks, write to `shared`.
pub(super) fn share(shared: &'static BlackBox) {
    SHARED.store(std::ptr::from_ref(shared).cast_mut(), Ordering::Relaxed);
}

/// The box of this process.
#[expect(unsafe_code, reason = "the shared box is reached through a pointer")]
pub(crate) fn black_box() -> &'static BlackBox {
    let shared = SHARED.load(Ordering::Relaxed);
    // SAFETY: null, or what `share` was given.
    unsafe { shared.as_ref() }.unwrap_or(&LOCAL)
}

impl BlackBox {
    pub(super) const fn new() -> Self {
        Self {
            events: AtomicU64::new(0),
            running: AtomicU64::new(0),
            now_ns: AtomicU64::new(0),
            thread: AtomicU32::new(0),
            phase: AtomicU32::new(0),
            signal: AtomicU32::new(0),
            overflowed: AtomicU32::new(0),
            has_spoken: AtomicU32::new(0),
            is_done: AtomicU32::new(0),
            recent: [const {
                EventBox {
                    kind: AtomicU64::new(0),
                    a: AtomicU64::new(0),
                    b: AtomicU64::new(0),
                }
            }; EVENTS_KEPT],
            tasks: [const {
                TaskBox {
                    id: AtomicU64::new(0),
                    node: AtomicU32::new(0),
                    boot: AtomicU32::new(0),
                    file: AtomicU64::new(0),
                    file_length: AtomicU64::new(0),
                    line: AtomicU32::new(0),
                    name_length: AtomicU32::new(0),
                    name: [const { AtomicU8::new(0) }; NAME_MAX],
                }
            }; TASKS_KEPT],
            more_tasks: AtomicU64::new(0),
        }
    }

    /// Forgets everything.
    pub(super) fn reset(&self) {
        for counter in [&self.events, &self.running, &self.now_ns, &self.more_tasks] {
            counter.store(0, Ordering::Relaxed);
        }
        for flag in [
            &self.thread,
            &self.phase,
            &self.signal,
            &self.overflowed,
            &self.has_spoken,
            &self.is_done,
        ] {
            flag.store(0, Ordering::Relaxed);
        }
        self.recent
            .iter()
            .for_each(|event| event.kind.store(0, Ordering::Relaxed));
        self.tasks
            .iter()
            .for_each(|task| task.id.store(0, Ordering::Relaxed));
    }

    /// A simulation begins on this thread.
    pub(crate) fn begin(&self) {
        self.reset();
        self.thread.store(super::begin_thread(), Ordering::Relaxed);
        self.phase.store(1, Ordering::Relaxed);
    }

    /// It has ended.
    pub(crate) fn end(&self) {
        self.phase.store(2, Ordering::Relaxed);
        self.running.store(0, Ordering::Relaxed);
    }

    /// Event `number` of the run happens. Six to nine instructions.
    #[inline]
    pub(crate) fn event(&self, number: u64, kind: EventKind, a: u64, b: u64) {
        let place = &self.recent[number as usize % EVENTS_KEPT];
        place.kind.store(kind as u64, Ordering::Relaxed);
        place.a.store(a, Ordering::Relaxed);
        place.b.store(b, Ordering::Relaxed);
        self.events.store(number, Ordering::Relaxed);
        // Decided by the compiler: every caller names its kind.
        if kind as u8 == EventKind::Poll as u8 {
            self.running.store(a, Ordering::Relaxed);
            self.now_ns.store(b, Ordering::Relaxed);
        } else if kind as u8 == EventKind::Timer as u8 {
            self.running.store(0, Ordering::Relaxed);
        }
    }

    /// A task takes a place in the executor's list. Some ten instructions.
    pub(crate) fn task_begins(
        &self,
        slot: usize,
        id: u64,
        at: (u32, u32),
        name: Option<&str>,
        location: &'static Location<'static>,
    ) {
        let Some(place) = self.tasks.get(slot) else {
            self.more_tasks.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let file = location.file();
        place.id.store(id, Ordering::Relaxed);
        place.node.store(at.0, Ordering::Relaxed);
        place.boot.store(at.1, Ordering::Relaxed);
        place
            .file
            .store(file.as_ptr().addr() as u64, Ordering::Relaxed);
        place
            .file_length
            .store(file.len() as u64, Ordering::Relaxed);
        place.line.store(location.line(), Ordering::Relaxed);
        let name = name.unwrap_or_default();
        let length = name.len().min(NAME_MAX);
        place.name_length.store(length as u32, Ordering::Relaxed);
        for (to, from) in place.name.iter().zip(name.bytes()) {
            to.store(from, Ordering::Relaxed);
        }
    }

    /// A task leaves its place.
    #[inline]
    pub(crate) fn task_ends(&self, slot: usize) {
        match self.tasks.get(slot) {
            Some(place) => place.id.store(0, Ordering::Relaxed),
            None => {
                self.more_tasks.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// The command was served to its end, and there is nothing to say about this process.
    pub(super) fn done(&self) {
        self.is_done.store(1, Ordering::Relaxed);
    }

    /// Whether it was.
    pub(super) fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Relaxed) != 0
    }
}
