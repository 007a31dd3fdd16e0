//! The drop-in for tokio: tokio itself without the feature `sim` of sim-runtime; with it,
//! simulated inside a simulation and tokio's outside.
//!
//! Takes and gives what tokio takes and gives: users write
//! `tokio = { package = "sim-tokio", .. }` and nothing else changes. Each value decides when it
//! is made, by [`sim_runtime::in_simulation`], whether it is simulated; it then holds plain
//! numbers only (descriptors, timer keys, task numbers), so that it is `Send` and `Sync` where
//! tokio's is.
//!
//! # Invariants, as absences
//! - Without the feature nothing is defined here but `pub use tokio_real::*`.
//! - Outside a simulation nothing is simulated; an ordinary `#[tokio::test]` passes either way.
//! - Inside a simulation no thread, no socket and no file of the system is used, and nothing is
//!   drawn but from keyed streams.
//! - No text of tokio's is copied; `select!` is written anew.
//! - Channels and locks, which are tokio's own, spend no cooperative budget inside a simulation:
//!   tokio lets nobody set the one that they look at. What is simulated does (see [`task::coop`]).
//!
//! # What differs inside a simulation
//! - `spawn_blocking` runs its closure on a fiber, on the simulation's own thread: where it blocks,
//!   others run.
//! - What is refused there, and what differs, stands in the table of the surface, `SURFACE.md`;
//!   which test holds what of tokio's semantics, in `SEMANTICS.md`.
//! - `fs::Metadata` and `fs::FileType` are types of this crate, as std's cannot be made;
//!   `task::Id`, `task::JoinError` and `time::error::Elapsed` likewise, with tokio's wording.
//!
//! # Modules, in reading order
//! `fd`, `state` and `clock` (what is held, and time carried over), [`task`], [`time`], `macros`,
//! [`net`], [`fs`], [`signal`], [`runtime`], [`io`], [`process`].

sim_runtime::if_sim! {
    sim {
        mod clock;
        mod fd;
        pub mod fs;
        pub mod io;
        #[doc(hidden)]
        pub mod macros;
        pub mod net;
        pub mod process;
        pub mod runtime;
        pub mod signal;
        mod state;
        #[cfg(doc)]
        #[doc = include_str!("SEMANTICS.md")]
        pub mod semantics {}
        #[cfg(doc)]
        #[doc = include_str!("SURFACE.md")]
        pub mod surface {}
        pub mod task;
        pub mod time;

        pub use task::spawn;

        /// What landfall's macros look for where a package depends on tokio: the real one has no
        /// such item, and the compiler's message says what is to be done.
        #[doc(hidden)]
        pub const TOKIO_IS_NOT_PATCHED__RUN_CARGO_LANDFALL_INIT: () = ();
        #[doc(no_inline)]
        pub use tokio_real::{join, main, pin, stream, sync, task_local, test, try_join};
    }
    real {
        pub use tokio_real::*;
    }
}
