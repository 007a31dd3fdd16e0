//! Crates of others, each at real work between two hosts while the network between them is cut,
//! connections are reset and the server is killed.

#![cfg(feature = "sim")]

mod calls;
mod codecs;
mod databases;
mod faults;
mod grpc;
mod http;
mod messaging;
mod middleware;
mod mqtt;
mod names;
mod postgres;
mod quic;
mod raft;
mod raft_store;
mod services;
mod sqlite;
mod stores;
mod watchers;
mod websockets;
