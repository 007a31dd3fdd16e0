//! Workers on Linux with glibc.

mod child;
mod client;
mod dump;
mod environment;
mod sys;
mod wait;
mod watch;
mod zygote;

pub use child::is_child;
pub use client::Worker;
pub use wait::wait_any;

pub(crate) use child::fresh;
pub(crate) use dump::begin_thread;
pub(crate) use sys::fixed_addresses_state as fixed_addresses;
pub(crate) use zygote::{is_worker_to_be, run_if_worker};
