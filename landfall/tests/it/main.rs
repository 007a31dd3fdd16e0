//! landfall from outside: simulations written by hand, through worker processes.
#![cfg(feature = "sim")]

mod hand;
