//! A server that keeps registers and logs in a file, and two that watch it. Ordinary tokio code.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use landfall::runtime::{EventKind, interpose, with};
use landfall::{Call, Client, ClientContext, NodeContext, Peer, Reply, System, Value};
use sim_tokio::fs::{self, File, OpenOptions};
use sim_tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use sim_tokio::net::{TcpListener, TcpStream};
use sim_tokio::sync::Mutex;
use sim_tokio::time::{Instant, sleep};

const PORT: u16 = 7000;
/// How late the cache of one bug is.
const STALE_FOR: Duration = Duration::from_millis(100);
/// How often a client tries an append whose answer was lost.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    Stale,
    Unsynced,
    Stuck,
    Twice,
    Swapped,
    TwoLeaders,
    Torn,
    Canary,
    Dice,
}

/// The system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes(pub(crate) Bug);

impl System for Notes {
    type Client = Session;

    fn start(&self, node: NodeContext) -> impl Future<Output = io::Result<()>> + 'static {
        let bug = self.0;
        async move {
            let term = 1 + u64::from(node.restarts);
            match node.me.number {
                1 if bug == Bug::Stuck && node.restarts > 0 => pending().await,
                1 => {
                    node.leads(term);
                    serve(&node, bug).await
                }
                2 if bug == Bug::TwoLeaders => {
                    sleep(STALE_FOR).await;
                    node.leads(term);
                    pending().await
                }
                _ => pending().await,
            }
        }
    }

    fn client(&self, client: ClientContext) -> impl Future<Output = Session> + 'static {
        let panics = self.0 == Bug::Canary && client.number == 1;
        async move {
            Session {
                server: address(&client.nodes[0]),
                connection: None,
                number: client.number,
                calls: 0,
                panics,
            }
        }
    }
}

fn address(peer: &Peer) -> SocketAddr {
    SocketAddr::new(peer.ip, PORT)
}

async fn serve(node: &NodeContext, bug: Bug) -> io::Result<()> {
    let store = Arc::new(Mutex::new(Store::open(&node.data_dir, bug).await?));
    let listener = TcpListener::bind(address(&node.me)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let store = Arc::clone(&store);
        drop(sim_tokio::spawn(async move {
            // A connection that breaks is its client's to open again.
            let _ended = answer(stream, &store).await;
        }));
    }
}

async fn answer(stream: TcpStream, store: &Mutex<Store>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        let reply = match words[..] {
            ["read", key] => store.lock().await.read(key),
            ["balances", ref accounts @ ..] => store.lock().await.balances(accounts),
            ["transfer", from, to, amount, request] => {
                transfer(store, (from, to), amount, request).await;
                "ok".to_owned()
            }
            [_, key, request, _] if line.starts_with("write") || line.starts_with("append") => {
                let mut store = store.lock().await;
                let is_new = store.seen.insert(format!("{key} {request}"));
                if is_new || store.bug == Bug::Twice {
                    store.apply(line.trim_end()).await?;
                }
                "ok".to_owned()
            }
            _ => break,
        };
        stream.write_all(format!("{reply}\n").as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

/// Moves an amount, once; with one bug it is for a moment on neither account.
async fn transfer(store: &Mutex<Store>, (from, to): (&str, &str), amount: &str, request: &str) {
    let mut held = store.lock().await;
    if !held.seen.insert(format!("transfer {request}")) {
        return;
    }
    let amount: i64 = amount.parse().unwrap_or(0);
    *held.accounts.entry(from.to_owned()).or_default() -= amount;
    if held.bug == Bug::Torn {
        drop(held);
        sleep(PAUSE).await;
        held = store.lock().await;
    }
    *held.accounts.entry(to.to_owned()).or_default() += amount;
}

/// What the file holds, and accounts, which are in memory alone.
struct Store {
    values: BTreeMap<String, Vec<i64>>,
    accounts: BTreeMap<String, i64>,
    /// What the cache of one bug still answers, and since when it is not so any more.
    before: BTreeMap<String, (Vec<i64>, Instant)>,
    /// The keys that are appended to.
    lists: BTreeSet<String>,
    /// Requests that were applied.
    seen: BTreeSet<String>,
    file: File,
    bug: Bug,
}

impl Store {
    async fn open(directory: &Path, bug: Bug) -> io::Result<Self> {
        fs::create_dir_all(directory).await?;
        let path = directory.join("notes");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let mut file = options.open(&path).await?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).await?;
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        file.set_len(whole as u64).await?;
        file.sync_all().await?;
        for directory in [directory, Path::new("/")] {
            File::open(directory).await?.sync_all().await?;
        }
        let mut store = Self {
            values: BTreeMap::new(),
            accounts: BTreeMap::new(),
            before: BTreeMap::new(),
            lists: BTreeSet::new(),
            seen: BTreeSet::new(),
            file: OpenOptions::new().append(true).open(path).await?,
            bug,
        };
        for line in String::from_utf8_lossy(&text[..whole]).lines() {
            store.remember(line);
        }
        Ok(store)
    }

    fn read(&self, key: &str) -> String {
        let mut values = self.values.get(key).cloned().unwrap_or_default();
        if let Some((before, since)) = self.before.get(key)
            && self.bug == Bug::Stale
            && since.elapsed() < STALE_FOR
        {
            values.clone_from(before);
        }
        let last = values.len();
        if self.bug == Bug::Swapped && last > 4 && last.is_multiple_of(5) {
            values.swap(last - 2, last - 1);
        }
        let words: Vec<String> = values.iter().map(i64::to_string).collect();
        match (self.lists.contains(key), values.is_empty()) {
            (true, _) => format!("list {}", words.join(" ")),
            (false, true) => "nothing".to_owned(),
            (false, false) => format!("value {}", words[0]),
        }
    }

    fn balances(&self, accounts: &[&str]) -> String {
        let holds = |account: &&str| self.accounts.get(*account).copied().unwrap_or(0);
        let words: Vec<String> = accounts.iter().map(|a| holds(a).to_string()).collect();
        format!("list {}", words.join(" "))
    }

    async fn apply(&mut self, line: &str) -> io::Result<()> {
        if self.bug == Bug::Dice {
            let real = real_nanoseconds();
            with(|world| world.event(EventKind::User, real, 0));
        }
        self.file.write_all(format!("{line}\n").as_bytes()).await?;
        self.file.flush().await?;
        if self.bug != Bug::Unsynced {
            self.file.sync_data().await?;
        }
        self.remember(line);
        Ok(())
    }

    fn remember(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [how, key, request, value] = words[..] else {
            return;
        };
        self.seen.insert(format!("{key} {request}"));
        let values = self.values.entry(key.to_owned()).or_default();
        let before = values.clone();
        if how == "write" {
            values.clear();
        } else {
            self.lists.insert(key.to_owned());
        }
        values.extend(value.parse::<i64>());
        self.before.insert(key.to_owned(), (before, Instant::now()));
    }
}

#[expect(clippy::disallowed_types, reason = "what must be found")]
fn real_nanoseconds() -> u64 {
    let now = interpose::outside(std::time::SystemTime::now);
    let since = now.duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").subsec_nanos().into()
}

/// What a reply says of a key.
fn value_of(reply: &str) -> Value {
    let mut words = reply.split_whitespace();
    let how = words.next();
    let mut values = words.map(|word| Value::Int(word.parse().expect("the server has numbers")));
    match how {
        Some("value") => values.next().unwrap_or_default(),
        Some("list") => Value::List(values.collect()),
        _ => Value::Null,
    }
}

/// A client's connection.
pub(crate) struct Session {
    server: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    number: u32,
    calls: u32,
    panics: bool,
}

impl Session {
    /// One line there and one back; whether it may have arrived when it fails.
    async fn exchange(&mut self, line: &str) -> Result<String, (bool, io::Error)> {
        // Not kept while an answer is due: who gives up waiting must not read it as another's.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.server).await;
                BufReader::new(stream.map_err(|error| (false, error))?)
            }
        };
        let mut reply = String::new();
        let sent = connection.write_all(format!("{line}\n").as_bytes()).await;
        let read = match sent {
            Ok(()) => connection.read_line(&mut reply).await,
            Err(error) => Err(error),
        };
        let failed = match read {
            Ok(1..) => {
                self.connection = Some(connection);
                return Ok(reply.trim_end().to_owned());
            }
            Ok(0) => io::ErrorKind::UnexpectedEof.into(),
            Err(error) => error,
        };
        Err((true, failed))
    }
}

impl Client for Session {
    async fn call(&mut self, call: Call) -> Reply {
        self.calls += 1;
        assert!(!self.panics || self.calls < 10, "the canary sings");
        let request = format!("{}.{}", self.number, self.calls);
        let line = match &call {
            Call::Read { key } => format!("read {key}"),
            Call::Write { key, value } => format!("write {key} {request} {value}"),
            Call::Append { key, value } => format!("append {key} {request} {value}"),
            Call::Transfer { from, to, amount } => {
                format!("transfer {from} {to} {amount} {request}")
            }
            Call::Balances { accounts } => format!("balances {}", accounts.join(" ")),
            _ => return Reply::Failed("no such call".into()),
        };
        let mut may_have = false;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.exchange(&line).await {
                Ok(reply) => return Reply::Ok(value_of(&reply)),
                Err((arrived, error)) => {
                    may_have |= arrived;
                    last = Some(error.to_string());
                }
            }
            sleep(PAUSE).await;
        }
        let why = last.unwrap_or_default();
        match may_have {
            true => Reply::Unknown(why),
            false => Reply::Failed(why),
        }
    }

    fn node_seen(&self) -> Option<String> {
        self.connection.is_some().then(|| "n1".to_owned())
    }
}
