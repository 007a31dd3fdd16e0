//! The way out to one peer: one request at a time, the newest first, over a connection that is
//! dropped as soon as it does not answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::debug;

use crate::frame;
use crate::message::{PeerReply, PeerRequest, Reply, RequestRef};
use crate::node::Input;

const BACK_OFF: Duration = Duration::from_millis(20);
const BACK_OFF_MAX: Duration = Duration::from_millis(160);

/// One peer, as seen from `own_id`.
pub(crate) struct Peer {
    pub(crate) own_id: u64,
    pub(crate) id: u64,
    pub(crate) address: String,
    /// How long a connect, or an answer, may take.
    pub(crate) patience: Duration,
}

impl Peer {
    /// Sends what the mailbox holds, and what is answered to `inputs`, until the node is gone.
    pub(crate) async fn run(
        self,
        mut mailbox: watch::Receiver<Option<Arc<PeerRequest>>>,
        inputs: mpsc::Sender<Input>,
    ) {
        let mut connection = None;
        let mut back_off = BACK_OFF;
        while mailbox.changed().await.is_ok() {
            let Some(request) = mailbox.borrow_and_update().clone() else {
                continue;
            };
            match self.call(&mut connection, &request).await {
                Ok(reply) => {
                    back_off = BACK_OFF;
                    if inputs
                        .send(Input::PeerReply {
                            from: self.id,
                            reply,
                        })
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                Err(failure) => {
                    debug!("peer={} does not answer: {failure}", self.id);
                    sleep(back_off).await;
                    back_off = (back_off * 2).min(BACK_OFF_MAX);
                }
            }
        }
    }

    /// A connection that broke while idle says so at its next use only: that use gets another.
    async fn call(
        &self,
        connection: &mut Option<TcpStream>,
        request: &PeerRequest,
    ) -> io::Result<PeerReply> {
        let request = RequestRef::Peer {
            from: self.own_id,
            request,
        };
        if let Some(stream) = connection.take() {
            match self.exchange(stream, connection, &request).await {
                Err(failure) if failure.kind() != io::ErrorKind::TimedOut => {}
                settled => return settled,
            }
        }
        let stream = timeout(self.patience, TcpStream::connect(self.address.as_str())).await??;
        stream.set_nodelay(true)?;
        self.exchange(stream, connection, &request).await
    }

    /// Keeps the stream in `connection` only when it answered.
    async fn exchange(
        &self,
        mut stream: TcpStream,
        connection: &mut Option<TcpStream>,
        request: &RequestRef<'_>,
    ) -> io::Result<PeerReply> {
        let conversation = async {
            frame::write(&mut stream, request).await?;
            frame::read(&mut stream).await
        };
        let reply = timeout(self.patience, conversation).await??;
        let Reply::Peer(reply) = reply else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a peer's reply",
            ));
        };
        *connection = Some(stream);
        Ok(reply)
    }
}
