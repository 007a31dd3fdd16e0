//! Layers 2 and 3 of the floor: system calls made without the C library, and the time-stamp
//! counter, on Linux x86-64.
//!
//! *Takes* a thread that enters a simulation. *Gives* traps on it: the kernel sends `SIGSYS` for
//! a `syscall` instruction anywhere but in the C library's text, and `SIGSEGV` for `rdtsc`. The
//! handlers answer with what the hooks of layer 1 would, or do what was asked for.
//!
//! Inline system calls are armed by `PR_SET_SYSCALL_USER_DISPATCH` (Linux 5.11); on an older kernel
//! by a seccomp filter, only in a worker's child, whose thread it never leaves. The time-stamp
//! counter is armed by `PR_SET_TSC`.
//!
//! Both belong to a kernel thread. The first is off after `fork` and `clone`; the second is
//! inherited, even by a program that is started, so it is lifted where a guest makes one. A
//! trapped call costs 1.5 to 3.5 microseconds, an answered one no more than one that is passed on;
//! a call through the C library costs nothing more than before.
//!
//! # Invariants
//!
//! - A handler never unwinds, allocates nothing and restores `errno`.
//! - `SIGSYS` and `SIGSEGV` of other causes reach whoever would have got them without us: the
//!   guest's own handler, std's overflow handler, or death.
//! - A call that the simulation has no answer for is made, and counted ([`escapes`]).
//!
//! # Map
//!
//! - `arms`: what is armed on this thread; `text`: where the C library's code is.
//! - `inline`: `SIGSYS`; `seccomp`: the older kernel's way; `tsc`: `SIGSEGV`.
//! - `children`: what a guest starts.
//! - `signals`: the two handlers, and what a guest believes its own to be; `masks`: by number.

mod arms;
mod children;
mod inline;
pub(crate) mod masks;
mod seccomp;
pub(crate) mod signals;
mod text;
mod tsc;

pub(crate) use arms::{
    close_again, enter_thread, free_counter, inherit, inline_state, leave_thread, thread_arms,
    trap_counter_again, tsc_state,
};
pub use inline::escapes;
