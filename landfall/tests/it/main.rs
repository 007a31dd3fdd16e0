//! landfall from outside: verdicts, and simulations and plans through worker processes.
#![cfg(feature = "sim")]

mod faults;
mod hand;
mod sweeps;
mod toy;
mod verdicts;
