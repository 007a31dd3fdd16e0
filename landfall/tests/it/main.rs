//! landfall from outside: verdicts, and simulations and plans through worker processes.
#![cfg(feature = "sim")]

mod acts;
mod authored;
mod blame;
mod determinism;
mod disks;
mod events;
mod failures;
mod faults;
mod floor;
mod hand;
mod logs;
mod misbehaviour;
mod network_faults;
mod observed;
mod phases;
mod probes;
mod reduction;
mod storage_faults;
mod sweeps;
mod taxonomy;
mod toy;
mod toy_admin;
mod verdicts;
mod worker;

/// Some scenarios limit a node's memory.
#[global_allocator]
static HEAP: landfall::Heap = landfall::Heap;
