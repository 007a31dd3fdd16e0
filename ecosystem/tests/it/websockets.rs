//! tokio-tungstenite asks axum's websockets.

use axum::Router;
use axum::extract::ws::{Message as Axum, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::faults::{AnyError, through_faults, two_hosts};

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(Axum::Text(text))) = socket.recv().await {
        if socket.send(Axum::Text(text)).await.is_err() {
            return;
        }
    }
}

#[landfall::test(seeds = 10)]
async fn tungstenite_talks_to_axum() {
    let (server, client) = two_hosts(|| async {
        let upgrade = |upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) };
        let router = Router::new().route("/echo", any(upgrade));
        let listener = TcpListener::bind("0.0.0.0:80")
            .await
            .expect("the port is free");
        axum::serve(listener, router)
            .await
            .expect("it serves until it is killed");
    });
    through_faults(server, client, |operation| async move {
        let (mut socket, _) = connect_async("ws://server/echo").await?;
        for round in 0..4 {
            let text = format!("operation {operation}, round {round}");
            socket.send(Message::text(text.clone())).await?;
            let reply = socket.next().await.ok_or("closed")??;
            assert_eq!(reply, Message::text(text));
        }
        socket.close(None).await?;
        Ok::<_, AnyError>(())
    })
    .await;
}
