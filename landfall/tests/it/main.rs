//! landfall from outside: verdicts, and simulations and plans through worker processes.
#![cfg(feature = "sim")]

mod authored;
mod blame;
mod determinism;
mod disks;
mod failures;
mod faults;
mod floor;
mod hand;
mod logs;
mod misbehaviour;
mod network_faults;
mod phases;
mod probes;
mod reduction;
mod storage_faults;
mod sweeps;
mod toy;
mod verdicts;
mod worker;
