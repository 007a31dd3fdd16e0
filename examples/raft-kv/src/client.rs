//! A client: finds the leader, and retries a request under its one identity until it is answered.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::frame;
use crate::message::{Answer, ClientReply, ClientRequest, Op, Outcome, Reply, RequestRef, Value};

/// How patient a client is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long one node may take to connect.
    pub connect_timeout: Duration,
    /// How long one node may take to answer, the connect included.
    pub attempt_timeout: Duration,
    /// How long an operation is retried.
    pub deadline: Duration,
    /// The pause before another node is tried.
    pub pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_millis(200),
            attempt_timeout: Duration::from_millis(300),
            deadline: Duration::from_secs(3),
            pause: Duration::from_millis(20),
        }
    }
}

/// Why an operation was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// It had no effect, and will have none.
    Refused(String),
    /// It may have taken effect, or may yet.
    Unknown(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "refused: {reason}"),
            Self::Unknown(reason) => write!(f, "outcome unknown: {reason}"),
        }
    }
}

impl Error for ClientError {}

/// One session with the cluster; one operation at a time.
#[derive(Debug)]
pub struct Client {
    id: u64,
    seq: u64,
    cluster: Vec<String>,
    options: Options,
    /// The index in `cluster` of the node to try next.
    target: usize,
    /// An address that a node named as the leader's.
    hint: Option<String>,
    connection: Option<TcpStream>,
    last_node: Option<u64>,
}

/// What one attempt came to.
enum Attempt {
    Answered(Answer),
    /// Nothing left this client.
    NotSent(io::Error),
    /// Sent, and not answered.
    Lost(io::Error),
}

impl Client {
    /// A session with the nodes at `cluster` (`host:port`), at least one. It connects when first
    /// used. `client_id` must be new: the cluster remembers what a client last asked, so that a
    /// second session under the same id would be answered with the first one's outcomes.
    pub fn connect(cluster: Vec<String>, client_id: u64, options: Options) -> Self {
        assert!(!cluster.is_empty(), "a cluster has at least one node");
        let target = (client_id % cluster.len() as u64) as usize;
        Self {
            id: client_id,
            seq: 0,
            cluster,
            options,
            target,
            hint: None,
            connection: None,
            last_node: None,
        }
    }

    /// The node that answered last, if any did.
    pub fn last_node(&self) -> Option<u64> {
        self.last_node
    }

    /// Reads a key; linearizable.
    ///
    /// # Errors
    ///
    /// `Refused` when nobody answered in time.
    pub async fn get(&mut self, key: &str) -> Result<Option<Value>, ClientError> {
        match self.execute(Op::Get { key: key.into() }).await? {
            Outcome::Value(value) => Ok(value),
            other => Err(unexpected(&other)),
        }
    }

    /// Sets a key.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; after `Unknown` the write may still take effect.
    pub async fn put(&mut self, key: &str, value: &str) -> Result<(), ClientError> {
        match self
            .execute(Op::Put {
                key: key.into(),
                value: value.into(),
            })
            .await?
        {
            Outcome::Written => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Sets a key to `to` if it holds the text `from`, or nothing if `from` is none. Whether it
    /// did.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; after `Unknown` the write may still take effect.
    pub async fn cas(
        &mut self,
        key: &str,
        from: Option<&str>,
        to: &str,
    ) -> Result<bool, ClientError> {
        let op = Op::Cas {
            key: key.into(),
            from: from.map(Into::into),
            to: to.into(),
        };
        match self.execute(op).await? {
            Outcome::Swapped(swapped) => Ok(swapped),
            other => Err(unexpected(&other)),
        }
    }

    /// Adds an element to the list at a key; an absent key holds the empty list.
    ///
    /// # Errors
    ///
    /// `Refused` when the key holds a text; else see [`ClientError`].
    pub async fn append(&mut self, key: &str, element: &str) -> Result<(), ClientError> {
        match self
            .execute(Op::Append {
                key: key.into(),
                element: element.into(),
            })
            .await?
        {
            Outcome::Written => Ok(()),
            Outcome::WrongType => Err(ClientError::Refused("the key holds a text".into())),
            other => Err(unexpected(&other)),
        }
    }

    async fn execute(&mut self, op: Op) -> Result<Outcome, ClientError> {
        self.seq += 1;
        let writes = !matches!(op, Op::Get { .. });
        let request = ClientRequest {
            client: self.id,
            seq: self.seq,
            op,
        };
        let deadline = Instant::now() + self.options.deadline;
        let mut may_have_happened = false;
        let mut reason = String::from("no time to try");
        while Instant::now() < deadline {
            let attempt_end = deadline.min(Instant::now() + self.options.attempt_timeout);
            match self.attempt(&request, attempt_end).await {
                Attempt::Answered(Answer::Done(outcome)) => return Ok(outcome),
                Attempt::Answered(Answer::TooLarge) => {
                    return Err(ClientError::Refused("the operation is too large".into()));
                }
                Attempt::Answered(Answer::NotLeader { leader }) => {
                    reason = "no leader".into();
                    self.look_elsewhere(leader, deadline).await;
                }
                Attempt::Answered(Answer::LeadershipLost) => {
                    reason = "the leader was deposed".into();
                    may_have_happened = writes;
                    self.look_elsewhere(None, deadline).await;
                }
                Attempt::NotSent(failure) => {
                    reason = failure.to_string();
                    self.look_elsewhere(None, deadline).await;
                }
                Attempt::Lost(failure) => {
                    reason = failure.to_string();
                    may_have_happened = writes;
                    self.look_elsewhere(None, deadline).await;
                }
            }
        }
        let kind = if may_have_happened {
            ClientError::Unknown
        } else {
            ClientError::Refused
        };
        Err(kind(reason))
    }

    /// Turns to the leader named, else to the next node after a pause.
    async fn look_elsewhere(&mut self, leader: Option<String>, deadline: Instant) {
        self.connection = None;
        if leader.is_none() {
            self.target = (self.target + 1) % self.cluster.len();
            let pause = deadline.saturating_duration_since(Instant::now());
            sleep(pause.min(self.options.pause)).await;
        }
        self.hint = leader;
    }

    async fn attempt(&mut self, request: &ClientRequest, end: Instant) -> Attempt {
        let mut stream = match self.connection.take() {
            Some(stream) => stream,
            None => {
                let address = self.hint.as_ref().unwrap_or(&self.cluster[self.target]);
                let patience = self.options.connect_timeout;
                let connecting = timeout(patience, TcpStream::connect(address.as_str()));
                match timeout_at(end, connecting).await {
                    Ok(Ok(Ok(stream))) => stream,
                    Ok(Ok(Err(failure))) => return Attempt::NotSent(failure),
                    Ok(Err(late)) | Err(late) => return Attempt::NotSent(late.into()),
                }
            }
        };
        let conversation = async {
            stream.set_nodelay(true)?;
            frame::write(&mut stream, &RequestRef::Client(request)).await?;
            frame::read(&mut stream).await
        };
        match timeout_at(end, conversation).await {
            Ok(Ok(Reply::Client(ClientReply { node, seq, answer }))) if seq == request.seq => {
                self.last_node = Some(node);
                self.connection = Some(stream);
                Attempt::Answered(answer)
            }
            Ok(Ok(_)) => Attempt::Lost(io::Error::other("the answer is not to this request")),
            Ok(Err(failure)) => Attempt::Lost(failure),
            Err(late) => Attempt::Lost(late.into()),
        }
    }
}

fn unexpected(outcome: &Outcome) -> ClientError {
    ClientError::Unknown(format!("unexpected outcome {outcome:?}"))
}
