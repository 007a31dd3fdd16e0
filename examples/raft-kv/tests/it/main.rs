//! The store as its users meet it.

mod loopback;
