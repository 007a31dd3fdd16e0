//! The examples, as `build.rs` found them.

include!(concat!(env!("OUT_DIR"), "/examples.rs"));
