//! A small system under test: one primary that keeps registers on its disk, and deputies that
//! watch it. Ordinary tokio code, with mistakes to choose from.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use checkers::Value;
use landfall::net::Frame;
use landfall::runtime::{EventKind, with};
use landfall::{
    Call, ClientContext, Hooks, NodeContext, NodeFuture, Peer, Reference, Reply, System,
};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{sleep, timeout};

use crate::toy_admin;

const PORT: u16 = 7000;
const PING_EVERY: Duration = Duration::from_millis(50);
const PING_LIMIT: Duration = Duration::from_millis(300);
/// Each write takes as much of the file, so that it soon needs another block.
const LINE_BYTES: usize = 512;
/// Terms that deputies lead in, apart from those of the primary.
const DEPUTY_TERMS: u64 = 1_000;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quirk {
    /// Nothing.
    None,
    /// Writes are acknowledged before they are synced.
    Unsynced,
    /// Each write depends on the real clock of the machine.
    Dice,
    /// The first client panics in its tenth operation.
    ClientPanics,
    /// Clients are never made.
    ClientHangs,
    /// Every deputy leads at once, in the same term.
    AllLead,
    /// Deputies never lead.
    Loyal,
    /// A task that nobody joins panics on the primary.
    TaskPanics,
    /// Clients say that every fifth write was done, and never sent it.
    Liar,
    /// Writes are acknowledged before they are synced, and depend on the machine's real clock.
    UnsyncedDice,
    /// Whoever talks to the primary looks its name up, each time.
    ByName,
    /// It takes orders of its operators, and its last node is a metadata store.
    Operated,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Toy(pub(crate) Quirk);

impl System for Toy {
    type Client = Session;

    fn start(&self, node: NodeContext) -> impl Future<Output = io::Result<()>> + 'static {
        let quirk = self.0;
        async move {
            let orders = node.clone();
            let orders = async move {
                match quirk {
                    Quirk::Operated => toy_admin::obey(orders).await,
                    _ => std::future::pending().await,
                }
            };
            let work = async {
                if node.me.number == 1 {
                    primary(&node, quirk).await
                } else {
                    deputy(&node, quirk).await
                }
            };
            tokio::select! {
                biased;
                stopped = tokio::signal::ctrl_c() => stopped,
                ended = work => ended,
                ended = orders => ended,
            }
        }
    }

    fn frame_kind(&self, frame: &Frame<'_>) -> Option<String> {
        let kind = match frame.bytes.first()? {
            b'P' => "ping",
            b'R' => "read",
            b'W' => "write",
            _ => "answer",
        };
        Some(kind.to_owned())
    }

    fn reference(&self, node: NodeContext, object: Reference) -> Option<NodeFuture> {
        Some(Box::pin(perfect(node, object)))
    }

    fn hooks(&self) -> Option<&dyn Hooks> {
        (self.0 == Quirk::Operated).then_some(self as &dyn Hooks)
    }

    fn role(&self, node: &Peer) -> Option<String> {
        let is_store = self.0 == Quirk::Operated && node.number == 3;
        is_store.then(|| "metadata-store".to_owned())
    }

    fn client(&self, client: ClientContext) -> impl Future<Output = Session> + 'static {
        let quirk = self.0;
        async move {
            if quirk == Quirk::ClientHangs {
                std::future::pending::<()>().await;
            }
            Session {
                primary: whereabouts(&client.nodes[0], quirk == Quirk::ByName),
                connection: None,
                calls: 0,
                panics: quirk == Quirk::ClientPanics && client.number == 1,
                lies: quirk == Quirk::Liar,
            }
        }
    }
}

fn address(peer: &Peer) -> SocketAddr {
    SocketAddr::new(peer.ip, PORT)
}

/// Where the primary is.
#[derive(Clone, Debug)]
enum Place {
    Address(SocketAddr),
    Name(String),
}

fn whereabouts(peer: &Peer, by_name: bool) -> Place {
    match by_name {
        true => Place::Name(peer.name.clone()),
        false => Place::Address(address(peer)),
    }
}

async fn primary(node: &NodeContext, quirk: Quirk) -> io::Result<()> {
    let store = Arc::new(Mutex::new(Store::open(&node.data_dir, quirk).await?));
    let listener = TcpListener::bind(address(&node.me)).await?;
    node.leads(1 + u64::from(node.restarts));
    if quirk == Quirk::TaskPanics {
        drop(tokio::spawn(async { panic!("nobody hears this") }));
    }
    let (broken, mut breaks) = mpsc::unbounded_channel();
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            let (store, broken) = (Arc::clone(&store), broken.clone());
            tokio::spawn(async move {
                if let Err(error) = serve(stream, &store).await {
                    // Connections come and go; a disk that fails is the end.
                    let _is_ending = broken.send(error);
                }
            });
        }
    };
    tokio::select! {
        ended = accept => ended,
        error = breaks.recv() => Err(error.expect("this end is kept, too")),
    }
}

/// A primary whose registers no fault reaches, in place of the toy's.
async fn perfect(node: NodeContext, object: Reference) -> io::Result<()> {
    if node.me.number != 1 {
        return std::future::pending().await;
    }
    let listener = TcpListener::bind(address(&node.me)).await?;
    node.leads(1 + u64::from(node.restarts));
    loop {
        let (stream, _) = listener.accept().await?;
        let object = object.clone();
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while let Ok(1..) = stream.read_line(&mut line).await {
                let words: Vec<&str> = line.split_whitespace().collect();
                let call = match words[..] {
                    ["R", key] => Call::Read {
                        key: key.to_owned(),
                    },
                    ["W", key, value] => Call::Write {
                        key: key.to_owned(),
                        value: value.parse().expect("clients write numbers"),
                    },
                    _ => break,
                };
                let answer = match (object.call(&call), call) {
                    (Reply::Ok(Value::Int(value)), _) => format!("{value}\n"),
                    (_, Call::Read { .. }) => "-\n".to_owned(),
                    _ => "ok\n".to_owned(),
                };
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
                line.clear();
            }
        });
    }
}

/// Errors are the disk's.
async fn serve(stream: TcpStream, store: &Mutex<Store>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while let Ok(1..) = stream.read_line(&mut line).await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["R", key] => match store.lock().await.values.get(key) {
                Some(value) => format!("{value}\n"),
                None => "-\n".to_owned(),
            },
            ["W", key, value] => {
                let value = value.parse().expect("clients write numbers");
                store.lock().await.write(key, value).await?;
                "ok\n".to_owned()
            }
            ["P"] => "ok\n".to_owned(),
            _ => break,
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            break;
        }
        line.clear();
    }
    Ok(())
}

/// Watches the primary; the first deputy leads when it is gone.
async fn deputy(node: &NodeContext, quirk: Quirk) -> io::Result<()> {
    let mut term = DEPUTY_TERMS * u64::from(node.restarts + 1);
    let mut was_there = false;
    let (takes_over, names) = (quirk != Quirk::Loyal, quirk == Quirk::ByName);
    loop {
        let mut connection = None;
        while let Ok(Ok(_)) = timeout(
            PING_LIMIT,
            exchange(&mut connection, whereabouts(&node.nodes[0], names), "P"),
        )
        .await
        {
            was_there = true;
            sleep(PING_EVERY).await;
        }
        if std::mem::take(&mut was_there) {
            tracing::info!(monotonic_counter.takeovers = 1, "primary-lost; taking over");
            landfall::reachable!("a toy takes over");
            if takes_over && (node.me.number == 2 || quirk == Quirk::AllLead) {
                term += 1;
                node.leads(term);
            }
        }
        sleep(PING_EVERY).await;
    }
}

/// Registers, and the file that they are in.
struct Store {
    values: BTreeMap<String, i64>,
    file: File,
    quirk: Quirk,
}

impl Store {
    /// What was synced is there; a torn end is cut off.
    async fn open(dir: &Path, quirk: Quirk) -> io::Result<Self> {
        tokio::fs::create_dir_all(dir).await?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let mut file = options.open(dir.join("registers")).await?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).await?;
        let mut values = BTreeMap::new();
        let mut kept = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some((key, value)) = parse(line) else {
                break;
            };
            values.insert(key, value);
            kept += line.len() as u64;
        }
        file.set_len(kept).await?;
        file.sync_all().await?;
        File::open(dir).await?.sync_all().await?;
        File::open("/").await?.sync_all().await?;
        let file = options.append(true).open(dir.join("registers")).await?;
        tracing::info!(registers = values.len(), "recovered");
        Ok(Self {
            values,
            file,
            quirk,
        })
    }

    async fn write(&mut self, key: &str, value: i64) -> io::Result<()> {
        if matches!(self.quirk, Quirk::Dice | Quirk::UnsyncedDice) {
            let real = real_nanoseconds();
            with(|world| world.event(EventKind::User, real, 0));
        }
        let mut line = format!("{key} {value}");
        line.extend(std::iter::repeat_n(' ', LINE_BYTES - 1 - line.len()));
        line.push('\n');
        self.file.write_all(line.as_bytes()).await?;
        self.file.flush().await?;
        if !matches!(self.quirk, Quirk::Unsynced | Quirk::UnsyncedDice) {
            self.file.sync_data().await?;
        }
        self.values.insert(key.to_owned(), value);
        Ok(())
    }
}

fn parse(line: &[u8]) -> Option<(String, i64)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (key, value) = line.split_once(' ')?;
    Some((key.to_owned(), value.trim_end().parse().ok()?))
}

#[expect(clippy::disallowed_types, reason = "what must be found")]
fn real_nanoseconds() -> u64 {
    let now = landfall::runtime::interpose::outside(std::time::SystemTime::now);
    let since = now.duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").subsec_nanos().into()
}

type Connection = BufReader<TcpStream>;

/// One line there and one back. The connection is gone after an error, or when this is dropped.
async fn exchange(
    kept: &mut Option<Connection>,
    to: Place,
    line: &str,
) -> Result<String, (bool, io::Error)> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => {
            let stream = match &to {
                Place::Address(to) => TcpStream::connect(*to).await,
                Place::Name(name) => TcpStream::connect((name.as_str(), PORT)).await,
            };
            BufReader::new(stream.map_err(|error| (false, error))?)
        }
    };
    let mut answer = String::new();
    let sent = connection.write_all(format!("{line}\n").as_bytes()).await;
    sent.map_err(|error| (true, error))?;
    let read = connection.read_line(&mut answer).await;
    match read.map_err(|error| (true, error))? {
        0 => Err((true, io::ErrorKind::UnexpectedEof.into())),
        _ => {
            *kept = matches!(to, Place::Address(_)).then_some(connection);
            Ok(answer.trim_end().to_owned())
        }
    }
}

/// A client's connection to the primary.
pub(crate) struct Session {
    primary: Place,
    connection: Option<Connection>,
    calls: u32,
    panics: bool,
    lies: bool,
}

impl landfall::Client for Session {
    async fn call(&mut self, call: Call) -> Reply {
        self.calls += 1;
        assert!(!self.panics || self.calls < 10, "the client gives up");
        if self.lies && self.calls.is_multiple_of(5) && matches!(call, Call::Write { .. }) {
            return Reply::Ok(Value::Null);
        }
        let line = match &call {
            Call::Read { key } => format!("R {key}"),
            Call::Write { key, value } => format!("W {key} {value}"),
            _ => return Reply::Failed("no such call".into()),
        };
        match exchange(&mut self.connection, self.primary.clone(), &line).await {
            Ok(answer) => Reply::Ok(answer.parse().map_or(Value::Null, Value::Int)),
            Err((true, error)) => Reply::Unknown(error.to_string()),
            Err((false, error)) => Reply::Failed(error.to_string()),
        }
    }

    fn node_seen(&self) -> Option<String> {
        self.connection.is_some().then(|| "n1".to_owned())
    }
}
