//! landfall from outside: verdicts, and simulations and plans through worker processes.
#![cfg(feature = "sim")]

mod hand;
mod verdicts;
