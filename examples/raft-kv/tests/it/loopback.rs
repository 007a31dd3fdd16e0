//! Three nodes on real loopback TCP and a real disk.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use raft_kv::{Client, ClientError, Config, Elected, Options, Role, Status, Value, serve};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

struct Cluster {
    folder: PathBuf,
    peers: BTreeMap<u64, SocketAddr>,
    nodes: BTreeMap<u64, (JoinHandle<io::Result<()>>, watch::Receiver<Status>)>,
    elections_in: mpsc::UnboundedSender<Elected>,
    elections: mpsc::UnboundedReceiver<Elected>,
}

impl Cluster {
    /// Each cluster has a loopback host of its own, whose ports no connection of another takes.
    async fn start(host: u8, size: u64) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("loopback-{host}"));
        let _ = tokio::fs::remove_dir_all(&folder).await;
        let mut held = Vec::new();
        for _ in 0..size {
            held.push(
                TcpListener::bind((Ipv4Addr::new(127, 0, 1, host), 0))
                    .await
                    .unwrap(),
            );
        }
        let peers = (1..)
            .zip(held.iter().map(|listener| listener.local_addr().unwrap()))
            .collect();
        drop(held);
        let (elections_in, elections) = mpsc::unbounded_channel();
        let mut cluster = Self {
            folder,
            peers,
            nodes: BTreeMap::new(),
            elections_in,
            elections,
        };
        (1..=size).for_each(|id| cluster.start_node(id));
        cluster
    }

    fn start_node(&mut self, id: u64) {
        let peers = self
            .peers
            .iter()
            .map(|(id, at)| (*id, at.to_string()))
            .collect();
        let folder = self.folder.join(id.to_string());
        let mut config = Config::new(id, self.peers[&id], peers, folder);
        config.elections = Some(self.elections_in.clone());
        let (status_in, status) = watch::channel(Status::default());
        self.nodes
            .insert(id, (tokio::spawn(serve(config, status_in)), status));
    }

    async fn stop_node(&mut self, id: u64) {
        let (node, _) = self.nodes.remove(&id).unwrap();
        node.abort();
        assert!(
            node.await.unwrap_err().is_cancelled(),
            "node {id} ended by itself"
        );
    }

    async fn leader(&mut self) -> u64 {
        loop {
            let leads = |status: &Status| status.role == Role::Leader;
            let found = self
                .nodes
                .iter()
                .find(|(_, (_, status))| leads(&status.borrow()));
            match found {
                Some((id, _)) => return *id,
                None => drop(self.elections.recv().await),
            }
        }
    }

    async fn wait(&mut self, id: u64, until: impl FnMut(&Status) -> bool) -> Status {
        *self
            .nodes
            .get_mut(&id)
            .unwrap()
            .1
            .wait_for(until)
            .await
            .unwrap()
    }

    fn client(&self, id: u64) -> Client {
        let addresses = self.peers.values().map(SocketAddr::to_string).collect();
        Client::connect(addresses, id, Options::default())
    }
}

fn text(value: &str) -> Option<Value> {
    Some(Value::Text(value.into()))
}

fn list(elements: &[&str]) -> Option<Value> {
    Some(Value::List(
        elements.iter().map(ToString::to_string).collect(),
    ))
}

#[tokio::test]
async fn serves_clients_and_recovers_a_node_from_disk() {
    let mut cluster = Cluster::start(1, 3).await;
    let mut client = cluster.client(1);
    assert_eq!(client.get("a").await, Ok(None));
    client.put("a", "1").await.unwrap();
    assert_eq!(client.get("a").await, Ok(text("1")));
    assert_eq!(client.cas("a", Some("2"), "3").await, Ok(false));
    assert_eq!(client.cas("a", Some("1"), "2").await, Ok(true));
    client.append("l", "x").await.unwrap();
    let refused = client.append("a", "x").await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(_)), "{refused}");

    let old = cluster.leader().await;
    assert_eq!(client.last_node(), Some(old));
    cluster.stop_node(old).await;
    client.append("l", "y").await.unwrap();
    assert_ne!(client.last_node(), Some(old));
    assert_eq!(cluster.client(2).get("l").await, Ok(list(&["x", "y"])));

    cluster.start_node(old);
    let leader = cluster.leader().await;
    let goal = cluster
        .wait(leader, |status| status.role == Role::Leader)
        .await
        .commit_index;
    cluster
        .wait(old, |status| status.applied_index >= goal)
        .await;
    for id in [1, 2, 3] {
        cluster.stop_node(id).await;
    }
    (1..=3).for_each(|id| cluster.start_node(id));
    assert_eq!(client.get("l").await, Ok(list(&["x", "y"])));
    assert_eq!(client.get("a").await, Ok(text("2")));
}

#[tokio::test]
async fn a_minority_serves_nothing() {
    let mut cluster = Cluster::start(2, 3).await;
    let mut client = cluster.client(1);
    client.put("a", "1").await.unwrap();
    let leader = cluster.leader().await;
    for id in (1..=3).filter(|id| *id != leader) {
        cluster.stop_node(id).await;
    }
    let read = client.get("a").await.unwrap_err();
    assert!(matches!(read, ClientError::Refused(_)), "{read}");
    cluster
        .wait(leader, |status| status.role != Role::Leader)
        .await;
    let write = client.put("a", "2").await.unwrap_err();
    assert!(matches!(write, ClientError::Refused(_)), "{write}");
}

#[tokio::test]
async fn one_node_is_a_cluster() {
    let mut cluster = Cluster::start(3, 1).await;
    let mut client = cluster.client(1);
    client.put("a", "1").await.unwrap();
    cluster.stop_node(1).await;
    cluster.start_node(1);
    assert_eq!(client.get("a").await, Ok(text("1")));
    let first = cluster.elections.recv().await.unwrap();
    let second = cluster.elections.recv().await.unwrap();
    assert!(second.term > first.term, "{first:?} then {second:?}");
}
