//! The clients' side of the protocol without the cluster behind it, for tests of clients.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio::{task, time};
use tracing::debug;

use crate::frame;
use crate::message::{Answer, ClientReply, ClientRequest, Op, Outcome, Reply, Request};

/// A connection that says nothing for so long is taken for dead.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// Answers clients as the node `id` by a function of the client's number, the number of its
/// request and the operation, at once; on the thread that polls it, until it is dropped.
///
/// A client sends a request again under its number until it is answered.
///
/// # Errors
/// The address can't be bound.
pub async fn answer_clients(
    id: u64,
    listen: SocketAddr,
    answer: impl Fn(u64, u64, &Op) -> Outcome + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let answer = Rc::new(answer);
    let local = task::LocalSet::new();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    let answer = Rc::clone(&answer);
                    task::spawn_local(async move {
                        if let Err(failure) = converse(id, stream, &*answer).await {
                            debug!("connection from {from} ended: {failure}");
                        }
                    });
                }
                Err(_) => time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    local.run_until(accept).await
}

async fn converse(
    id: u64,
    mut stream: TcpStream,
    answer: &dyn Fn(u64, u64, &Op) -> Outcome,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let ClientRequest { client, seq, op } =
            match timeout(IDLE_MAX, frame::read(&mut stream)).await?? {
                Request::Client(request) => request,
                Request::Peer { .. } => return Err(io::ErrorKind::Unsupported.into()),
            };
        let reply = Reply::Client(ClientReply {
            node: id,
            seq,
            answer: Answer::Done(answer(client, seq, &op)),
        });
        timeout(IDLE_MAX, frame::write(&mut stream, &reply)).await??;
    }
}
