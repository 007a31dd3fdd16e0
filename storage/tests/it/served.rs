//! A store behind a server, for plans: clients on other hosts run transactions, one after the other
//! in the store's own thread.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use landfall::{Call, ClientContext, NodeContext, Reply, System, TxnStep, Value};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::storm::{AnyError, Store};

/// Where the server listens.
const PORT: u16 = 7_000;

/// A server whose state is in a store.
pub(crate) struct Served<S>(PhantomData<S>);

impl<S> Served<S> {
    pub(crate) const fn new() -> Self {
        Served(PhantomData)
    }
}

/// A transaction, and where its answer goes.
type Asked = (Call, oneshot::Sender<Value>);

impl<S: Store> System for Served<S> {
    type Client = Session;

    fn start(&self, node: NodeContext) -> impl Future<Output = io::Result<()>> + 'static {
        let address = SocketAddr::new(node.me.ip, PORT);
        async move {
            let (ask, asked) = mpsc::channel(16);
            let store = tokio::task::spawn_blocking(move || keep::<S>(asked));
            let listener = TcpListener::bind(address).await?;
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(answer(stream, ask.clone()));
                }
            });
            let ended = store.await.map_err(io::Error::other)?;
            ended.map_err(io::Error::other)
        }
    }

    fn client(&self, client: ClientContext) -> impl Future<Output = Session> + 'static {
        std::future::ready(Session {
            address: SocketAddr::new(client.nodes[0].ip, PORT),
            patience: client.op_timeout.saturating_sub(Duration::from_millis(50)),
            connection: None,
        })
    }
}

/// Opens the store and does what is asked. The directories are the user's, and so is that what the
/// store makes in them is durable.
fn keep<S: Store>(mut asked: mpsc::Receiver<Asked>) -> Result<(), AnyError> {
    fs::create_dir_all("/data")?;
    File::open("/")?.sync_all()?;
    let mut store = S::open()?;
    for directory in ["/data", "/data/keyspaces"] {
        if let Ok(directory) = File::open(directory) {
            directory.sync_all()?;
        }
    }
    while let Some((call, answer)) = asked.blocking_recv() {
        let value = perform(&mut store, call)?;
        // A client that has gone away needs no answer.
        let _ = answer.send(value);
    }
    Ok(())
}

/// The number of `k3`, and of `k3-2`, which took its place.
fn key(name: &str) -> Result<u64, AnyError> {
    let (place, round) = name.split_once('-').unwrap_or((name, "0"));
    let place: u64 = place.trim_start_matches('k').parse()?;
    Ok(place + (round.parse::<u64>()? << 20))
}

/// One transaction: what it reads, its own changes included, then one commit.
fn perform<S: Store>(store: &mut S, call: Call) -> Result<Value, AnyError> {
    let mut table = store.read()?;
    let mut changed = BTreeMap::new();
    let read = |value: Option<&u64>| value.map(|value| value.cast_signed());
    let mut write = |table: &mut BTreeMap<u64, u64>, key, value: i64| {
        table.insert(key, value.cast_unsigned());
        changed.insert(key, Some(value.cast_unsigned()));
    };
    let value = match call {
        Call::Txn { steps, .. } => {
            let mut answers = Vec::with_capacity(steps.len());
            for step in steps {
                answers.push(match step {
                    TxnStep::Read { key: name } => {
                        read(table.get(&key(&name)?)).map_or(Value::Null, Value::Int)
                    }
                    TxnStep::Write { key: name, value } => {
                        write(&mut table, key(&name)?, value);
                        Value::Null
                    }
                    other => return Err(format!("{other} cannot be done").into()),
                });
            }
            Value::List(answers)
        }
        Call::Transfer { from, to, amount } => {
            for (name, change) in [(from, -amount), (to, amount)] {
                let account = key(&name)?;
                let held = read(table.get(&account)).unwrap_or(0);
                write(&mut table, account, held + change);
            }
            Value::Null
        }
        Call::Balances { accounts } => {
            let held = |name: &String| {
                let held = read(table.get(&key(name)?)).unwrap_or(0);
                Ok::<_, AnyError>(Value::Int(held))
            };
            Value::List(accounts.iter().map(held).collect::<Result<_, _>>()?)
        }
        other => return Err(format!("{other} cannot be done").into()),
    };
    if !changed.is_empty() {
        store.commit(&changed.into_iter().collect())?;
    }
    Ok(value)
}

/// Serves one connection: a call a line, an answer a line.
async fn answer(stream: TcpStream, ask: mpsc::Sender<Asked>) -> Result<(), AnyError> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let (tell, told) = oneshot::channel();
        ask.send((serde_json::from_str(&line)?, tell)).await?;
        send(&mut stream, serde_json::to_string(&told.await?)?).await?;
        line.clear();
    }
    Ok(())
}

async fn send(stream: &mut BufReader<TcpStream>, line: String) -> io::Result<()> {
    stream.get_mut().write_all((line + "\n").as_bytes()).await
}

/// A client.
pub(crate) struct Session {
    address: SocketAddr,
    patience: Duration,
    /// Taken while a call is made: one that is given up takes its connection with it.
    connection: Option<BufReader<TcpStream>>,
}

impl landfall::Client for Session {
    async fn call(&mut self, call: Call) -> Reply {
        let mut asked = false;
        let patience = self.patience;
        let exchange = async {
            let mut stream = match self.connection.take() {
                Some(stream) => stream,
                None => BufReader::new(TcpStream::connect(self.address).await?),
            };
            asked = true;
            send(&mut stream, serde_json::to_string(&call)?).await?;
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let value: Value = serde_json::from_str(&line)?;
            self.connection = Some(stream);
            Ok::<_, AnyError>(value)
        };
        let why = match timeout(patience, exchange).await {
            Ok(Ok(value)) => return Reply::Ok(value),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        match asked {
            true => Reply::Unknown(why),
            false => Reply::Failed(why),
        }
    }
}
