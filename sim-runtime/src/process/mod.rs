//! One process a seed.
//!
//! *Takes* an executable that is linked with this crate, and commands: strings of bytes that
//! only the handler registered in [`WORKER_HANDLERS`] understands. *Gives* what the handler sent
//! back for each, and how its process ended: [`ChildExit`].
//!
//! ```text
//! coordinator                worker (zygote)                 child, one a command
//!   Worker::start  --stdin-->  read a frame
//!                              fork ------------------------>  new thread: handler(command)
//!                              wait                            results, progress --stdout--+
//!                              <-------------------------------  _exit                      |
//!   on_readable   <--stdout--  output tail, exit status                                     |
//!         ^-----------------------------------------------------------------------------------+
//! ```
//!
//! An executable becomes a worker when the variable [`VARIABLE`] is in its environment: the hook
//! on `__libc_start_main` runs the worker in place of `main`, before libtest has a second thread.
//! The worker has fixed addresses, one thread, a normalised environment and stack limit, and
//! allocates nothing between two forks. So a child's memory does not depend on which commands
//! came before: seed 500 of a sweep and its lone replay start from the same state.
//!
//! # Invariants
//!
//! - The worker never runs guest code, and a child never runs two commands.
//! - No allocation, and no mapping that stays, between two forks.
//! - A crash, a panic, an exit or a hang of a child is a result, never an error of the worker.
//! - What a child was doing when it died is read from memory that it shares with the worker: no
//!   code has to run in a process that is broken.
//! - The exit status decides nothing: what a command found out is in its result.
//! - No thread: the coordinator drives any number of workers with `poll(2)`.
//!
//! # Map
//!
//! - [`protocol`]: the frames on the two pipes.
//! - [`exit`]: what comes of a command.
//! - [`handler`]: the child's side: the registered function and its [`Reply`].
//! - `black_box`: what a simulation writes as it goes; [`last_words`]: what is read from it.
//! - `linux::zygote`: the worker; `linux::child`: what it forks; `linux::client`: [`Worker`];
//!   `linux::watch`: when the worker ends a child; `linux::dump`: where a child is, said by itself;
//!   `linux::sys`: the system calls they make. `elsewhere`: where there are none.

mod black_box;
pub mod exit;
pub mod handler;
pub mod last_words;
pub mod protocol;

#[cfg(floor_symbols)]
mod linux;
#[cfg(not(floor_symbols))]
#[path = "elsewhere.rs"]
mod linux;

pub use exit::{ChildExit, ChildStatus, Limits, WorkerCommand, WorkerError, signal_name};
pub use handler::{Reply, WORKER_HANDLERS, WORKER_PREPARATIONS};
pub use last_words::{LastEvent, LastWords, LiveTask, Phase};
pub use linux::{Worker, is_child, wait_any};
pub use protocol::VARIABLE;

pub(crate) use black_box::{BlackBox, black_box};
pub(crate) use linux::{begin_thread, fixed_addresses, fresh};
#[cfg(floor_symbols)]
pub(crate) use linux::{is_worker_to_be, run_if_worker};
