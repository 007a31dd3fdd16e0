//! `raft-kv serve` runs a node; `get`, `put`, `cas` and `append` are its clients.

use std::collections::BTreeMap;
use std::error::Error;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use raft_kv::{Client, Config, Options, Status, Value, serve};
use tokio::sync::watch;

/// A replicated key-value store on Raft.
#[derive(Parser)]
#[command(name = "raft-kv")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a node until ctrl-c.
    Serve {
        /// This node's id; one of --peers.
        #[arg(long)]
        id: u64,
        /// Where to accept peers and clients.
        #[arg(long)]
        listen: SocketAddr,
        /// Every member as ID=HOST:PORT, this node included.
        #[arg(long, value_delimiter = ',', value_parser = peer, required = true)]
        peers: Vec<(u64, String)>,
        /// Where the log is kept.
        #[arg(long)]
        data: PathBuf,
    },
    /// Print what a key holds; exit 1 if nothing.
    Get {
        key: String,
        #[command(flatten)]
        at: Cluster,
    },
    /// Set a key.
    Put {
        key: String,
        value: String,
        #[command(flatten)]
        at: Cluster,
    },
    /// Set a key to TO if it holds FROM; exit 1 if it does not.
    Cas {
        key: String,
        from: String,
        to: String,
        #[command(flatten)]
        at: Cluster,
    },
    /// Add an element to the list at a key.
    Append {
        key: String,
        element: String,
        #[command(flatten)]
        at: Cluster,
    },
}

#[derive(Args)]
struct Cluster {
    /// The nodes as HOST:PORT; any of them, the leader is found.
    #[arg(long = "cluster", value_delimiter = ',', required = true)]
    addresses: Vec<String>,
}

fn peer(text: &str) -> Result<(u64, String), String> {
    let (id, address) = text.split_once('=').ok_or("expected ID=HOST:PORT")?;
    Ok((
        id.parse().map_err(|_| format!("`{id}` is not a number"))?,
        address.into(),
    ))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            eprintln!("raft-kv: {failure}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Result<bool, Box<dyn Error>> {
    match command {
        Command::Serve {
            id,
            listen,
            peers,
            data,
        } => {
            let peers: BTreeMap<_, _> = peers.into_iter().collect();
            if !peers.contains_key(&id) {
                return Err(format!("--peers does not name node {id}").into());
            }
            run_node(Config::new(id, listen, peers, data)).await?;
            Ok(true)
        }
        Command::Get { key, at } => match at.client().get(&key).await? {
            Some(Value::Text(text)) => {
                println!("{text}");
                Ok(true)
            }
            Some(Value::List(elements)) => {
                elements.iter().for_each(|element| println!("{element}"));
                Ok(true)
            }
            None => Ok(false),
        },
        Command::Put { key, value, at } => {
            at.client().put(&key, &value).await?;
            Ok(true)
        }
        Command::Cas { key, from, to, at } => Ok(at.client().cas(&key, Some(&from), &to).await?),
        Command::Append { key, element, at } => {
            at.client().append(&key, &element).await?;
            Ok(true)
        }
    }
}

impl Cluster {
    fn client(self) -> Client {
        let id = RandomState::new().build_hasher().finish();
        Client::connect(self.addresses, id, Options::default())
    }
}

/// Serves, and says on standard error when the node's role or leader changes.
async fn run_node(config: Config) -> io::Result<()> {
    let (status, mut changes) = watch::channel(Status::default());
    let report = async move {
        let mut last = None;
        while changes.changed().await.is_ok() {
            let Status {
                id,
                term,
                role,
                leader,
                ..
            } = *changes.borrow_and_update();
            if last.replace((term, role, leader)) != Some((term, role, leader)) {
                let leader = leader.map_or("nobody".into(), |leader| leader.to_string());
                eprintln!("node {id}: term {term}, {role:?}, led by {leader}");
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        ended = serve(config, status) => ended,
        () = report => Ok(()),
    }
}
