//! What descriptors of one node say to each other without a network: Unix sockets and pipes.

pub(crate) mod bytes;
mod calls;
mod datagrams;
mod options;
pub(crate) mod pipe;
mod streams;
pub(crate) mod unix;
