//! Fibers: blocking code of guests, run by the executor like any task.
//!
//! *Takes* a thread that a guest makes inside a simulation. *Gives* a task whose poll resumes a
//! stack of its own until the thread would block; then it is pending, as any future is. Locks,
//! condition variables, channels and joins of std and of everything above it come down to futexes,
//! which `futex` has for the simulation. So the seed decides who runs, and blocked threads that
//! nobody can wake are a deadlock. The C library's own locks wait within it, and are hooked each.
//!
//! A fiber runs on the kernel thread of its simulation. Its thread-locals, its `ThreadId` and its
//! `pthread_t` are those of a *host*: a real thread that was made for it, initialised by the C
//! library, and then parked for good. The base of thread-locals is switched with the stack.
//!
//! A thread lets others run where it blocks, at `sched_yield`, when it has made a thread, and, as
//! the seed says, where it wakes somebody and at each lock of C code. Nowhere else: a lock of std
//! that nobody fights for makes no call that could be seen, so what is between two such places is
//! one step here, though it is not on a real machine.
//!
//! # Killing
//!
//! A killed process runs no destructors, and a fiber's could not be run: unwinding would have to
//! pass `extern "C"` frames, such as std's own call of `syscall`, which are declared not to unwind
//! and end the process instead. So the stack is taken back as it is, the host ends without the
//! guest's thread-local destructors, and what the frames owned on the heap stays until the seed's
//! process ends. One thing may still point into a dead fiber: a queue of a process-wide lock
//! (`parking_lot` keeps its waiters in thread-locals). A fiber killed while it waits for a word of
//! its own thread-locals or stack keeps both; [`kept`] counts them.
//!
//! A mutex of C code that a killed fiber holds, or a lock for reading and writing, is taken over by
//! whoever wants it next: statics are those of all nodes here, and the memory of a real process
//! would have gone with it.
//!
//! # Invariants, as absences
//! - No fiber runs on another thread than its simulation's, or while another one does.
//! - No host runs while the simulation does, but for its own start and end.
//! - Nothing is unwound.
//!
//! # Map
//!
//! - `tls`: the base of thread-locals; `host`: the thread that owns them; `keys`: those of C code.
//! - `run`: the future, its stack, `suspend`; `futex`: who waits for which word; `holds`: who has
//!   which lock of C code; `waiting`: calls that wait for something else.
//! - `threads`: `pthread_create` and its kin; `blocking`: a closure that may block; `nested`: a
//!   task that blocks.

mod blocking;
pub(crate) mod futex;
mod holds;
mod host;
pub(crate) mod keys;
pub(crate) mod nested;
pub(crate) mod run;
pub(crate) mod threads;
mod tls;
mod waiting;

pub use blocking::spawn_blocking;
pub(crate) use futex::Waited;
pub(crate) use run::{Fibers, awaits, crossing, current, sleep, yield_now};
pub use run::{is_here, kept};
pub(crate) use waiting::wait_for;
