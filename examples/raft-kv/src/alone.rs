//! The clients' side of the protocol without the cluster behind it, for tests of clients.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::select;
use tokio::sync::mpsc;

use crate::message::{Answer, ClientRequest, Op, Outcome};
use crate::node::Input;
use crate::server;

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
    answer: impl Fn(u64, u64, &Op) -> Outcome,
) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let (inputs_in, mut inputs) = mpsc::channel(server::INPUTS_MAX);
    let answers = async {
        // A peer gets no answer: its connection ends.
        while let Some(input) = inputs.recv().await {
            if let Input::Client { request, reply } = input {
                let ClientRequest { client, seq, op } = request;
                // A client that has gone asks again.
                let _unheard = reply.send(Answer::Done(answer(client, seq, &op)));
            }
        }
        Ok(())
    };
    select! {
        ended = server::accept(id, &listener, inputs_in) => ended,
        ended = answers => ended,
    }
}
