//! The plan's scenarios, under simulation: `cargo test -p raft-kv --features sim`.
#![cfg(feature = "sim")]

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use landfall::{
    Call, ClientContext, NodeContext, NodeFuture, Reference, Reply, System, Value as Answer,
};
use raft_kv::{Client, ClientError, Config, Op, Options, Outcome, Status, Value};
use tokio::sync::{mpsc, watch};

/// Where every node listens.
const PORT: u16 = 7000;

struct RaftKv;

impl System for RaftKv {
    type Client = Session;

    fn start(&self, node: NodeContext) -> impl Future<Output = io::Result<()>> + 'static {
        let peers: BTreeMap<u64, String> = node
            .nodes
            .iter()
            .map(|peer| (peer.number.into(), format!("{}:{PORT}", peer.name)))
            .collect();
        let listen = SocketAddr::new(node.me.ip, PORT);
        let mut config = Config::new(node.me.number.into(), listen, peers, node.data_dir.clone());
        let (elected, mut elections) = mpsc::unbounded_channel();
        config.elections = Some(elected);
        async move {
            let (status, _) = watch::channel(Status::default());
            let serve = raft_kv::serve(config, status);
            let report = async move {
                while let Some(election) = elections.recv().await {
                    node.leads(election.term);
                }
                std::future::pending().await
            };
            tokio::select! {
                biased;
                () = report => Ok(()),
                ended = serve => ended,
            }
        }
    }

    fn client(&self, client: ClientContext) -> impl Future<Output = Session> + 'static {
        let cluster = client
            .nodes
            .iter()
            .map(|peer| format!("{}:{PORT}", peer.name))
            .collect();
        let options = Options {
            deadline: client.op_timeout.saturating_sub(Duration::from_millis(50)),
            ..Options::default()
        };
        let session = Client::connect(cluster, client.number.into(), options);
        std::future::ready(Session(session))
    }

    fn reference(&self, node: NodeContext, object: Reference) -> Option<NodeFuture> {
        // Somebody has to lead where a fault looks for the leader.
        if node.me.number == 1 {
            node.leads(1);
        }
        let listen = SocketAddr::new(node.me.ip, PORT);
        let answer = move |client, request, op: &Op| {
            outcome(op, object.call_once(client, request, &call(op)))
        };
        let id = node.me.number.into();
        Some(Box::pin(raft_kv::answer_clients(id, listen, answer)))
    }
}

struct Session(Client);

impl landfall::Client for Session {
    async fn call(&mut self, call: Call) -> Reply {
        let answer = match call {
            Call::Read { key } => self.0.get(&key).await.map(read),
            Call::Write { key, value } => {
                let written = self.0.put(&key, &value.to_string()).await;
                written.map(|()| Answer::Null)
            }
            Call::Append { key, value } => {
                let appended = self.0.append(&key, &value.to_string()).await;
                appended.map(|()| Answer::Null)
            }
            Call::Cas { key, from, to } => {
                let from = from.map(|value| value.to_string());
                let swapped = self.0.cas(&key, from.as_deref(), &to.to_string()).await;
                swapped.map(Answer::Bool)
            }
            _ => return Reply::Failed("there are no transactions".to_owned()),
        };
        match answer {
            Ok(answer) => Reply::Ok(answer),
            Err(ClientError::Refused(reason)) => Reply::Failed(reason),
            Err(ClientError::Unknown(reason)) => Reply::Unknown(reason),
        }
    }

    fn node_seen(&self) -> Option<String> {
        self.0.last_node().map(|id| format!("n{id}"))
    }
}

fn read(value: Option<Value>) -> Answer {
    let number = |text: &String| Answer::Int(text.parse().expect("the workload writes numbers"));
    match value {
        None => Answer::Null,
        Some(Value::Text(text)) => number(&text),
        Some(Value::List(elements)) => Answer::List(elements.iter().map(number).collect()),
    }
}

fn call(op: &Op) -> Call {
    let number = |text: &String| text.parse().expect("the workload writes numbers");
    match op.clone() {
        Op::Get { key } => Call::Read { key },
        Op::Put { key, value } => Call::Write {
            key,
            value: number(&value),
        },
        Op::Cas { key, from, to } => Call::Cas {
            key,
            from: from.as_ref().map(number),
            to: number(&to),
        },
        Op::Append { key, element } => Call::Append {
            key,
            value: number(&element),
        },
    }
}

fn outcome(op: &Op, reply: Reply) -> Outcome {
    match (op, reply) {
        (Op::Get { .. }, Reply::Ok(answer)) => Outcome::Value(match answer {
            Answer::Int(number) => Some(Value::Text(number.to_string())),
            Answer::List(list) => {
                let elements = list.iter().map(|element| match element {
                    Answer::Int(number) => number.to_string(),
                    _ => unreachable!("the workload appends numbers"),
                });
                Some(Value::List(elements.collect()))
            }
            _ => None,
        }),
        (_, Reply::Ok(Answer::Bool(swapped))) => Outcome::Swapped(swapped),
        (_, Reply::Ok(_)) => Outcome::Written,
        (_, Reply::Failed(_)) => Outcome::WrongType,
        (_, Reply::Unknown(_)) => Outcome::Superseded,
    }
}

landfall::plan!("plan.md", system = RaftKv);
