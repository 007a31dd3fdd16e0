//! openraft: three nodes that begin as one, change their membership, send snapshots, and lose
//! connections, power and their leader.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{Config, Raft, RaftNetwork, RaftNetworkFactory, SnapshotPolicy};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::faults::{AnyError, through_faults_of};
use crate::raft_store::{Log, Machine, make_folder};

pub(crate) type Node = openraft::BasicNode;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Put {
    pub(crate) key: String,
    pub(crate) value: String,
}

openraft::declare_raft_types!(
    #[derive(Serialize, Deserialize)]
    pub(crate) Types: D = Put, R = (), NodeId = u64, Node = Node, SnapshotData = Cursor<Vec<u8>>,
);

/// What nodes and clients ask of a node.
#[derive(Serialize, Deserialize)]
enum Call {
    Append(AppendEntriesRequest<Types>),
    Vote(VoteRequest<u64>),
    Snapshot(InstallSnapshotRequest<Types>),
    Begin,
    Learn(u64),
    Members(BTreeSet<u64>),
    Put(Put),
    /// What is there at least since the call.
    Get(String),
    /// Members, and how far the node's snapshot reaches.
    State,
}

type State = (BTreeSet<u64>, Option<u64>);

fn node(id: u64) -> Node {
    Node::new(format!("raft{id}:7000"))
}

fn bytes<T: Serialize, E: ToString>(answer: Result<T, E>) -> Vec<u8> {
    let answer = answer.map_err(|error| error.to_string());
    serde_json::to_vec(&answer).expect("it can be written")
}

/// Nodes tell each other errors as they are; clients are told in words.
fn exact<T: Serialize>(answer: T) -> Vec<u8> {
    serde_json::to_vec(&answer).expect("it can be written")
}

async fn answer(call: Call, raft: &Raft<Types>, machine: &Machine) -> Vec<u8> {
    match call {
        Call::Append(request) => exact(raft.append_entries(request).await),
        Call::Vote(request) => exact(raft.vote(request).await),
        Call::Snapshot(request) => exact(raft.install_snapshot(request).await),
        Call::Begin => bytes(raft.initialize(BTreeMap::from([(1, node(1))])).await),
        Call::Learn(id) => bytes(raft.add_learner(id, node(id), true).await.map(drop)),
        Call::Members(ids) => bytes(raft.change_membership(ids, false).await.map(drop)),
        Call::Put(put) => bytes(raft.client_write(put).await.map(drop)),
        Call::Get(key) => match raft.ensure_linearizable().await {
            Ok(_) => bytes::<_, String>(Ok(machine.get(&key).await)),
            Err(error) => bytes::<(), _>(Err(error)),
        },
        Call::State => {
            let metrics = raft.metrics().borrow().clone();
            let members = metrics.membership_config.voter_ids().collect();
            let upto = metrics.snapshot.map(|upto| upto.index);
            bytes::<State, String>(Ok((members, upto)))
        }
    }
}

async fn serve(id: u64) {
    let config = Config {
        heartbeat_interval: 30,
        election_timeout_min: 100,
        election_timeout_max: 200,
        install_snapshot_timeout: 200,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(8),
        max_in_snapshot_log_to_keep: 2,
        snapshot_max_chunk_size: 512,
        ..Config::default()
    };
    let config = Arc::new(config.validate().expect("a configuration"));
    make_folder().await.expect("a disk");
    let log = Log::open().await.expect("a log");
    let machine = Machine::open().await.expect("a table");
    let raft = Raft::new(id, config, Peers, log, machine.clone()).await;
    let raft = raft.expect("a node");
    let listener = TcpListener::bind("0.0.0.0:7000")
        .await
        .expect("the port is free");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (raft, machine) = (raft.clone(), machine.clone());
        tokio::spawn(async move {
            let mut calls = Framed::new(stream, LengthDelimitedCodec::new());
            while let Some(call) = calls.next().await {
                let call = serde_json::from_slice(&call?)?;
                let answer = answer(call, &raft, &machine).await;
                calls.send(Bytes::from(answer)).await?;
            }
            Ok::<_, io::Error>(())
        });
    }
}

/// One call over a connection of its own.
async fn call<T: DeserializeOwned>(id: u64, call: &Call) -> io::Result<T> {
    let asked = async {
        let stream = TcpStream::connect((format!("raft{id}"), 7000)).await?;
        let mut calls = Framed::new(stream, LengthDelimitedCodec::new());
        calls.send(Bytes::from(serde_json::to_vec(call)?)).await?;
        let answer = calls.next().await.ok_or(io::ErrorKind::UnexpectedEof)??;
        Ok(serde_json::from_slice(&answer)?)
    };
    timeout(Duration::from_millis(100), asked).await?
}

struct Peers;

struct Peer(u64);

impl RaftNetworkFactory<Types> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, id: u64, _: &Node) -> Peer {
        Peer(id)
    }
}

type Answered<T, E = openraft::error::Infallible> =
    Result<T, RPCError<u64, Node, RaftError<u64, E>>>;

impl Peer {
    async fn ask<T, E>(&self, what: Call) -> Answered<T, E>
    where
        T: DeserializeOwned,
        E: std::error::Error + DeserializeOwned,
    {
        match call::<Result<T, RaftError<u64, E>>>(self.0, &what).await {
            Ok(answer) => answer.map_err(|error| RemoteError::new(self.0, error).into()),
            Err(error) => Err(Unreachable::new(&error).into()),
        }
    }
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        _: RPCOption,
    ) -> Answered<AppendEntriesResponse<u64>> {
        self.ask(Call::Append(request)).await
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Answered<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        self.ask(Call::Snapshot(request)).await
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        _: RPCOption,
    ) -> Answered<VoteResponse<u64>> {
        self.ask(Call::Vote(request)).await
    }
}

/// Asks as a client does.
async fn ask<T: DeserializeOwned>(id: u64, what: Call) -> Result<T, AnyError> {
    Ok(call::<Result<T, String>>(id, &what).await??)
}

/// One node becomes three, the other two by its snapshot: the log no longer begins where it did.
async fn grow() {
    let patiently = async |what: &dyn Fn() -> Call| {
        while ask::<()>(1, what()).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    patiently(&|| Call::Begin).await;
    for number in 0..20 {
        let value = "x".repeat(100);
        let key = format!("first {number}");
        patiently(&|| {
            Call::Put(Put {
                key: key.clone(),
                value: value.clone(),
            })
        })
        .await;
    }
    for id in 2..=3 {
        patiently(&|| Call::Learn(id)).await;
    }
    patiently(&|| Call::Members((1..=3).collect())).await;
    for id in 2..=3 {
        let (members, upto) = loop {
            match ask::<State>(id, Call::State).await {
                Ok(state) if state.0.len() == 3 => break state,
                _ => sleep(Duration::from_millis(20)).await,
            }
        };
        assert_eq!(members, (1..=3).collect());
        assert!(upto.is_some(), "node {id} was sent no snapshot");
    }
}

#[landfall::test(seeds = 10)]
async fn openraft_keeps_what_it_acknowledged() {
    let hosts = [1, 2, 3].map(|id| landfall::host(&format!("raft{id}"), move || serve(id)));
    let client = landfall::host("client", std::future::pending::<()>);
    landfall::on(client, grow).await.expect("three nodes");
    let leader = Rc::new(Cell::new(1));
    let others = [hosts[1], hosts[2], client];
    through_faults_of(
        (hosts[0], &others),
        landfall::lose_power,
        client,
        move |number| {
            let leader = Rc::clone(&leader);
            async move {
                let id = leader.get();
                // Whoever does not answer is not the leader.
                leader.set(id % 3 + 1);
                let key = format!("key {number}");
                let value = format!("value {number}");
                let put = Put {
                    key: key.clone(),
                    value: value.clone(),
                };
                ask::<()>(id, Call::Put(put)).await?;
                for earlier in 0..=number {
                    let read: Option<String> = ask(id, Call::Get(format!("key {earlier}"))).await?;
                    assert_eq!(read, Some(format!("value {earlier}")));
                }
                leader.set(id);
                Ok::<_, AnyError>(())
            }
        },
    )
    .await;
}
