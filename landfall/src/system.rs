//! What users implement: how to start a node of their system, and how to talk to it.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use checkers::Value;
use checkers::txn::Level;
use serde::{Deserialize, Serialize};

use crate::hooks::Hooks;
use crate::run;
pub use crate::stand_in::Reference;

/// The main future of a node, boxed.
pub type NodeFuture = Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// A system under test.
///
/// One value serves a whole run, every node and every boot; it is made inside the simulation.
/// What a node keeps between boots belongs on its disk, not in here.
pub trait System: 'static {
    /// How a client talks to it.
    type Client: Client;

    /// The main future of a node: what its `main` would await. It runs again at each restart.
    /// When it ends, with or without an error, the node's process is gone.
    fn start(&self, node: NodeContext) -> impl Future<Output = io::Result<()>> + 'static;

    /// What a message of its protocol is called, for clauses of a plan that hit one kind alone, as
    /// in `drop "AppendEntries" from node 2 to node 3`. Must not call the network.
    fn frame_kind(&self, _frame: &sim_net::Frame<'_>) -> Option<String> {
        None
    }

    /// A node of the stand-in: it serves the same protocol to the same clients, and answers by
    /// `object`, which is perfect. A failure that stays with it is no fault of the system, but of
    /// what drives it: without a stand-in that remains open, and no failure is said to be the
    /// system's for certain.
    fn reference(&self, _node: NodeContext, _object: Reference) -> Option<NodeFuture> {
        None
    }

    /// What can be done to it in operation, for faults such as `rolling upgrade`, `config
    /// divergence` or `compaction`; usually `Some(self)`.
    fn hooks(&self) -> Option<&dyn Hooks> {
        None
    }

    /// The role that a node has now, for clauses of a plan that hit nodes by role: `kill -9 the
    /// nodes with the role "router"`. The nodes that `metadata store outage` cuts off have the
    /// role `metadata-store`. Must not call the network.
    fn role(&self, _node: &Peer) -> Option<String> {
        None
    }

    /// A client, made on a host of its own.
    fn client(&self, client: ClientContext) -> impl Future<Output = Self::Client> + 'static;
}

/// A client of the system, as the generic workloads drive it.
pub trait Client: 'static {
    /// Does one operation. Retries that the client makes by itself belong to the operation.
    ///
    /// The answer decides what is judged, so it must be honest: [`Reply::Failed`] promises that
    /// the operation has not taken effect and never will.
    fn call(&mut self, call: Call) -> impl Future<Output = Reply>;

    /// The node that answered last, for the history.
    fn node_seen(&self) -> Option<String> {
        None
    }
}

/// An operation of a generic workload. Values are unique in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "op")]
#[non_exhaustive]
pub enum Call {
    /// The value of `key`; of a log, all its elements.
    Read {
        /// The object.
        key: String,
    },
    /// `key` becomes `value`.
    Write {
        /// The object.
        key: String,
        /// The new value.
        value: i64,
    },
    /// `key` becomes `to` if it is `from` (`None`: absent). Answers whether it was.
    Cas {
        /// The object.
        key: String,
        /// What is expected.
        from: Option<i64>,
        /// The new value.
        to: i64,
    },
    /// `value` is added to the end of the log `key`.
    Append {
        /// The log.
        key: String,
        /// The new element.
        value: i64,
    },
    /// An operation on a queue, set, counter, lock or group, by the name that histories have for
    /// it, or one of the system's own, by the plan's. Taking from what is empty answers null;
    /// what can be refused (`add`, `remove`, `contains`, `acquire`, `release`, `join`, `leave`)
    /// answers whether it was done.
    Do {
        /// `enqueue`, `dequeue`, `push`, `pop`, `insert`, `delete-min`, `add`, `remove`,
        /// `contains`, `inc`, `dec`, `acquire`, `release`, `renew`, `join`, `leave`, or another.
        name: String,
        /// The object.
        key: String,
        /// An element, an amount, or who asks; null where the operation needs none.
        input: Value,
    },
    /// Some steps as one transaction. Answers a list with a value a step: of a read what it
    /// returned, null of the others.
    Txn {
        /// The isolation that the scenario's checker asks of it, if one does.
        level: Option<Level>,
        /// What it does, in this order.
        steps: Vec<TxnStep>,
    },
    /// `amount` goes from one account to another, as one transaction. An account that was never
    /// used holds nothing, and any may owe.
    Transfer {
        /// The account that pays.
        from: String,
        /// The account that is paid.
        to: String,
        /// How much.
        amount: i64,
    },
    /// What accounts hold, read as one transaction. Answers a list with a number an account.
    Balances {
        /// The accounts.
        accounts: Vec<String>,
    },
}

/// A step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
#[non_exhaustive]
pub enum TxnStep {
    /// The value of `key`, null for nothing; of a list all its elements.
    Read {
        /// The object.
        key: String,
    },
    /// `key` becomes `value`.
    Write {
        /// The object.
        key: String,
        /// The new value.
        value: i64,
    },
    /// `value` is added to the end of the list `key`.
    Append {
        /// The list.
        key: String,
        /// The new element.
        value: i64,
    },
}

impl TxnStep {
    /// The object that it touches.
    #[must_use]
    pub const fn key(&self) -> &String {
        match self {
            Self::Read { key } | Self::Write { key, .. } | Self::Append { key, .. } => key,
        }
    }

    const fn key_mut(&mut self) -> &mut String {
        match self {
            Self::Read { key } | Self::Write { key, .. } | Self::Append { key, .. } => key,
        }
    }
}

impl fmt::Display for TxnStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { key } => write!(f, "read {key}"),
            Self::Write { key, value } => write!(f, "write {key} = {value}"),
            Self::Append { key, value } => write!(f, "append {value} to {key}"),
        }
    }
}

impl Call {
    /// The objects that it touches, one of them perhaps several times.
    pub(crate) fn keys(&self) -> Vec<&String> {
        match self {
            Self::Read { key }
            | Self::Write { key, .. }
            | Self::Cas { key, .. }
            | Self::Append { key, .. }
            | Self::Do { key, .. } => vec![key],
            Self::Txn { steps, .. } => steps.iter().map(TxnStep::key).collect(),
            Self::Transfer { from, to, .. } => vec![from, to],
            Self::Balances { accounts } => accounts.iter().collect(),
        }
    }

    /// The same, to be renamed.
    pub(crate) fn keys_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Read { key }
            | Self::Write { key, .. }
            | Self::Cas { key, .. }
            | Self::Append { key, .. }
            | Self::Do { key, .. } => vec![key],
            Self::Txn { steps, .. } => steps.iter_mut().map(TxnStep::key_mut).collect(),
            Self::Transfer { from, to, .. } => vec![from, to],
            Self::Balances { accounts } => accounts.iter_mut().collect(),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { key } => write!(f, "read {key}"),
            Self::Write { key, value } => write!(f, "write {key} = {value}"),
            Self::Cas { key, from, to } => match from {
                Some(from) => write!(f, "cas {key} from {from} to {to}"),
                None => write!(f, "cas {key} from nothing to {to}"),
            },
            Self::Append { key, value } => write!(f, "append {value} to {key}"),
            Self::Do { name, key, input } if *input == Value::Null => write!(f, "{name} {key}"),
            Self::Do { name, key, input } => write!(f, "{name} {key} {input}"),
            Self::Txn { steps, .. } => {
                for (at, step) in steps.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}{step}")?;
                }
                Ok(())
            }
            Self::Transfer { from, to, amount } => {
                write!(f, "transfer {amount} from {from} to {to}")
            }
            Self::Balances { accounts } => write!(f, "balances of {}", accounts.join(", ")),
        }
    }
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It took effect; this is the answer (`Null` where there is nothing to say).
    Ok(Value),
    /// It did not and never will.
    Failed(String),
    /// It may have, or may yet.
    Unknown(String),
}

/// A host of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// From 1.
    pub number: u32,
    /// Its host name, which resolves in the simulation.
    pub name: String,
    /// Its address.
    pub ip: IpAddr,
}

/// A node that is to be started. It is `Send`: a task of the node may own it.
#[derive(Clone, Debug)]
pub struct NodeContext {
    /// Itself.
    pub me: Peer,
    /// Every node, itself included.
    pub nodes: Vec<Peer>,
    /// A directory on its own disk; it may not exist yet.
    pub data_dir: PathBuf,
    /// How many times it was started before.
    pub restarts: u32,
}

impl NodeContext {
    /// Reports that this node leads in `term`. It is entered into the history (for the claim
    /// that a term has one leader) and is how faults find the leader.
    pub fn leads(&self, term: u64) {
        run::leader_elected(&self.me, term);
    }
}

/// A client that is to be made.
#[derive(Clone, Debug)]
pub struct ClientContext {
    /// From 1.
    pub number: u32,
    /// Every node.
    pub nodes: Vec<Peer>,
    /// When the workload gives an operation up; a client that retries should stop before.
    pub op_timeout: Duration,
}
