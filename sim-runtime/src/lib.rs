//! The seeded, single-threaded world that everything simulated lives in.
//!
//! Takes a [`Seed`] and futures; gives back their outputs, a digest of every event and a ledger of
//! every fault. Devices (network, disk) plug in through [`Device`] and the descriptor table.
//!
//! # Invariants, as absences
//! - No wall clock, no operating-system entropy and no hash iteration decides anything in here.
//! - No device is named: this crate knows descriptors and timers, not sockets and files.
//! - No state outlives a simulation: tasks, timers and descriptors are dropped inside it.
//! - Without the feature `sim` nothing exists but [`if_sim!`] and the macros of `probe`, which
//!   evaluate nothing; no libc symbol is touched.
//!
//! # Modules, in reading order
//! [`ids`] and [`stream`] (names and randomness), `digest`, `timers`, `ledger`, `device` and
//! `table` (the parts), [`mod@world`] (the parts together), `executor`, `task`, `nodes`, `clock`,
//! [`time`], [`signal`], [`simulation`] (what a caller uses), `guest` with [`interpose`] (libc
//! symbols) and [`process`] (a process a seed).

#![cfg_attr(
    all(feature = "sim", not(floor_traps)),
    expect(
        dead_code,
        reason = "what only hooks, workers and fibers call, where there are none"
    )
)]

mod switch;

#[cfg(feature = "sim")]
mod clock;
#[cfg(feature = "sim")]
mod device;
#[cfg(feature = "sim")]
mod digest;
#[cfg(feature = "sim")]
mod executor;
#[cfg(all(feature = "sim", floor_traps))]
pub mod fiber;
#[cfg(all(feature = "sim", not(floor_traps)))]
#[path = "fiber_elsewhere.rs"]
pub mod fiber;
#[cfg(feature = "sim")]
mod files;
#[cfg(feature = "sim")]
mod guest;
#[cfg(feature = "sim")]
mod guest_files;
#[cfg(feature = "sim")]
mod heap;
#[cfg(feature = "sim")]
pub mod ids;
#[cfg(feature = "sim")]
pub mod interpose;
#[cfg(feature = "sim")]
mod ledger;
#[cfg(feature = "sim")]
mod mappings;
#[cfg(feature = "sim")]
mod nodes;
#[cfg(feature = "sim")]
mod pauses;
#[cfg(feature = "sim")]
mod policy;
#[cfg(feature = "sim")]
pub mod probe;
#[cfg(not(feature = "sim"))]
#[path = "probe/macros.rs"]
mod probe_macros;
#[cfg(feature = "sim")]
pub mod process;
#[cfg(feature = "sim")]
mod report;
#[cfg(feature = "sim")]
pub mod signal;
#[cfg(feature = "sim")]
pub mod simulation;
#[cfg(feature = "sim")]
mod sockets;
#[cfg(feature = "sim")]
pub mod stream;
#[cfg(feature = "sim")]
mod table;
#[cfg(feature = "sim")]
pub mod task;
#[cfg(feature = "sim")]
pub mod time;
#[cfg(feature = "sim")]
mod timers;
#[cfg(feature = "sim")]
mod typed;
#[cfg(feature = "sim")]
pub mod world;

/// For the macros' output. Not for use by hand.
#[cfg(feature = "sim")]
#[doc(hidden)]
pub use linkme as __linkme;

#[cfg(feature = "sim")]
pub use {
    clock::{ClockFault, Pause},
    device::{Description, Device, DeviceId, Status},
    digest::{Checkpoint, Digest, EventKind, TraceEvent},
    files::{
        FileCall, FileCalls, FileEntry, FileLock, FileStatus, Files, LockKind, LockOwner, Place,
        SetTime, Space,
    },
    guest::only_looking,
    heap::{Heap, MemoryUse},
    ids::{Boot, FaultId, Fd, NodeId, Seed, SimInstant},
    ledger::{Ledger, LedgerRow, Sighting},
    nodes::{Down, NodeInfo, NodeMain, NodeState},
    policy::{BadPolicy, Deviation, Overtaking, Policy, Schedule},
    report::{Leaks, Stop, Waits},
    signal::ctrl_c,
    simulation::{Budget, Config, Reseed, Simulation, Summary},
    sockets::{Address, Readiness, SocketCalls, Sockets, UnixName},
    stream::{Entity, Stream},
    task::{
        AbortHandle, JoinError, JoinHandle, UnjoinedPanic, look, note_turn, spawn, spawn_on,
        turn_note_or,
    },
    timers::TimerKey,
    world::{World, in_simulation, try_with, try_world, with, world},
};
