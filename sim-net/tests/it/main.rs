//! The network as a guest sees it, over the calls of `Net` alone.

mod lab;

mod conformance;
mod cuts;
mod datagrams;
mod deaths;
mod effects;
mod effects_compose;
mod exact;
mod hostile;
mod inspection;
mod keepalive;
mod kernels;
mod names;
mod overlaps;
mod paused;
mod readdress;
mod receipts;
mod situations;
mod std_sockets;
mod storms;
mod streams;
mod traffic;
mod weather;
