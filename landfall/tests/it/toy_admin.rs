//! What can be done to a toy in operation: a second port on every node that takes orders, and the
//! hooks that send them.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use landfall::{HookFuture, Hooks, NodeContext, NodeFuture, Peer, System};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::toy::{Quirk, Toy};

const PORT: u16 = 7001;

fn address(peer: &Peer) -> SocketAddr {
    SocketAddr::new(peer.ip, PORT)
}

/// Takes orders until the node goes down.
pub(crate) async fn obey(node: NodeContext) -> io::Result<()> {
    let listener = TcpListener::bind(address(&node.me)).await?;
    // It looks at the wall clock now and then, as whoever grants leases does.
    tokio::spawn(async {
        loop {
            let seconds = wall_seconds();
            tracing::trace!(seconds, "the time");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    loop {
        let (stream, _) = listener.accept().await?;
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        if stream.read_line(&mut line).await.is_err() {
            continue;
        }
        let done = carry_out(line.trim_end(), &node).await;
        let answer = done.map_or_else(|error| format!("{error}\n"), |()| "ok\n".to_owned());
        let _may_be_gone = stream.write_all(answer.as_bytes()).await;
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "a guest's clock, which is simulated"
)]
fn wall_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

async fn carry_out(order: &str, node: &NodeContext) -> io::Result<()> {
    tracing::info!(order, "ordered");
    let registers = node.data_dir.join("registers");
    let backup = node.data_dir.join("backup");
    match order {
        "back up" => copy(&registers, &backup).await,
        "restore" => tokio::fs::metadata(&backup).await.map(|_| ()),
        _ => Ok(()),
    }
}

/// What is there, if anything.
async fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = tokio::fs::read(from).await.unwrap_or_default();
    if let Some(folder) = to.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    tokio::fs::write(to, bytes).await
}

/// Gives an order and waits for the answer.
fn order(node: &Peer, order: String) -> Option<HookFuture> {
    let to = address(node);
    Some(Box::pin(async move {
        let mut stream = BufReader::new(TcpStream::connect(to).await?);
        stream.write_all(format!("{order}\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_line(&mut answer).await?;
        match answer.trim_end() {
            "ok" => Ok(()),
            other => Err(io::Error::other(other.to_owned())),
        }
    }))
}

impl Hooks for Toy {
    fn version_b(&self, node: NodeContext) -> Option<NodeFuture> {
        Some(Box::pin(async move {
            tracing::info!("version B");
            Toy(Quirk::Operated).start(node).await
        }))
    }

    fn configure(&self, node: &Peer, setting: Option<&str>) -> Option<HookFuture> {
        order(node, format!("set {}", setting.unwrap_or("usual")))
    }

    fn rotate_credentials(&self, node: &Peer, generation: u32) -> Option<HookFuture> {
        order(node, format!("credentials {generation}"))
    }

    fn compact(&self, node: &Peer) -> Option<HookFuture> {
        order(node, "compact".to_owned())
    }

    fn rebalance(&self, node: &Peer) -> Option<HookFuture> {
        order(node, "rebalance".to_owned())
    }

    fn back_up(&self, node: &Peer) -> Option<HookFuture> {
        order(node, "back up".to_owned())
    }

    fn restore(&self, node: &Peer) -> Option<HookFuture> {
        order(node, "restore".to_owned())
    }

    fn step_down(&self, node: &Peer) -> Option<HookFuture> {
        order(node, "step down".to_owned())
    }

    fn leave(&self, node: &Peer) -> Option<HookFuture> {
        order(node, "leave".to_owned())
    }

    fn join(&self, node: &Peer) -> Option<HookFuture> {
        order(node, "join".to_owned())
    }
}
