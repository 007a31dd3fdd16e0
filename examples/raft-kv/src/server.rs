//! The way in: peers and clients on one listener, and the life of a node.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio::{select, signal};
use tracing::{debug, info, warn};

use crate::config::{Config, Status};
use crate::frame;
use crate::message::{ClientReply, Reply, Request};
use crate::node::{Input, Node};
use crate::peer::Peer;
use crate::raft::Raft;
use crate::wal::Wal;

/// A connection that says nothing for so long is taken for dead.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// How many requests wait for a node.
pub(crate) const INPUTS_MAX: usize = 1024;

/// Runs a node until it is told to stop (ctrl-c). Dropping the future stops it as a kill would.
///
/// `status` always holds where the node stands.
///
/// # Errors
///
/// When the address can't be bound, the log can't be recovered, or the disk fails. The node has
/// then stopped, and has acknowledged nothing that it did not write.
pub async fn serve(config: Config, status: watch::Sender<Status>) -> io::Result<()> {
    let listener = TcpListener::bind(config.listen).await?;
    let (wal, recovered) = Wal::open(&config.data_dir).await?;
    let others: Vec<u64> = config
        .peers
        .keys()
        .copied()
        .filter(|id| *id != config.id)
        .collect();
    let raft = Raft::new(
        config.id,
        others,
        config.election_timeout.clone(),
        config.heartbeat,
        recovered,
        Instant::now(),
    );
    info!("serving id={} on {}", config.id, config.listen);

    let (inputs_in, inputs) = mpsc::channel(INPUTS_MAX);
    let mut tasks = JoinSet::new();
    let mut mailboxes = BTreeMap::new();
    for (id, address) in config.peers.iter().filter(|(id, _)| **id != config.id) {
        let peer = Peer {
            own_id: config.id,
            id: *id,
            address: address.clone(),
            patience: config.election_timeout.end,
        };
        let (mailbox, requests) = watch::channel(None);
        mailboxes.insert(*id, mailbox);
        tasks.spawn(peer.run(requests, inputs_in.clone()));
    }
    let id = config.id;
    let node = Node::new(config, raft, wal, mailboxes, status);
    select! {
        ended = node.run(inputs) => ended,
        ended = accept(id, &listener, inputs_in) => ended,
        stopped = signal::ctrl_c() => {
            info!("told to stop id={id}");
            stopped
        }
    }
}

pub(crate) async fn accept(
    id: u64,
    listener: &TcpListener,
    inputs: mpsc::Sender<Input>,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let inputs = inputs.clone();
                connections.spawn(async move {
                    if let Err(failure) = converse(id, stream, inputs).await {
                        debug!("connection from {from} ended: {failure}");
                    }
                });
            }
            Err(failure) => {
                warn!("could not accept: {failure}");
                sleep(Duration::from_millis(50)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Answers one connection's requests in order.
async fn converse(id: u64, mut stream: TcpStream, inputs: mpsc::Sender<Input>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let reply = match timeout(IDLE_MAX, frame::read(&mut stream)).await?? {
            Request::Peer { from, request } => {
                let (reply, answer) = oneshot::channel();
                ask(
                    &inputs,
                    Input::PeerRequest {
                        from,
                        request,
                        reply,
                    },
                )
                .await?;
                Reply::Peer(answer.await.map_err(stopped)?)
            }
            Request::Client(request) => {
                let seq = request.seq;
                let (reply, answer) = oneshot::channel();
                ask(&inputs, Input::Client { request, reply }).await?;
                let answer = answer.await.map_err(stopped)?;
                Reply::Client(ClientReply {
                    node: id,
                    seq,
                    answer,
                })
            }
        };
        timeout(IDLE_MAX, frame::write(&mut stream, &reply)).await??;
    }
}

async fn ask(inputs: &mpsc::Sender<Input>, input: Input) -> io::Result<()> {
    inputs.send(input).await.map_err(stopped)
}

fn stopped<E>(_: E) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the node has stopped")
}
