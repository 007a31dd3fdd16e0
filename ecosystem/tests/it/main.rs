//! Crates of others, each at real work between two hosts while the network between them is cut,
//! connections are reset and the server is killed.

#![cfg(feature = "sim")]

mod calls;
mod codecs;
mod faults;
mod grpc;
mod http;
mod middleware;
mod services;
mod stores;
mod websockets;
