//! tokio-util's frames and delay queue, tokio-stream's listeners and merged streams.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::wrappers::{IntervalStream, TcpListenerStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;

use crate::faults::{AnyError, through_faults, two_hosts};

async fn serve() {
    let listener = TcpListener::bind("0.0.0.0:80")
        .await
        .expect("the port is free");
    let mut streams = TcpListenerStream::new(listener);
    while let Some(Ok(stream)) = streams.next().await {
        tokio::spawn(async move {
            let (sink, frames) = Framed::new(stream, LengthDelimitedCodec::new()).split();
            frames
                .map(|frame| frame.map(|frame| frame.freeze()))
                .forward(sink)
                .await
        });
    }
}

#[landfall::test(seeds = 10)]
async fn frames_of_tokio_util_come_back_whole() {
    let (server, client) = two_hosts(serve);
    through_faults(server, client, |operation| async move {
        let stream = TcpStream::connect("server:80").await?;
        let mut framed = Framed::new(stream, LengthDelimitedCodec::new());
        let frame = Bytes::from(vec![operation as u8; 3000 * operation as usize]);
        framed.send(frame.clone()).await?;
        let reply = framed.next().await.ok_or("closed")??;
        assert_eq!(reply, frame);
        Ok::<_, AnyError>(())
    })
    .await;
}

#[landfall::test(seeds = 10)]
async fn delays_expire_in_order_and_ticks_are_merged() {
    let host = landfall::host("client", std::future::pending::<()>);
    let work = landfall::on(host, || async {
        let mut queue = DelayQueue::new();
        for delay in [30, 10, 20] {
            queue.insert(delay, Duration::from_millis(delay));
        }
        let mut order = Vec::new();
        while let Some(expired) = queue.next().await {
            order.push(expired.into_inner());
        }
        assert_eq!(order, [10, 20, 30]);
        let stop = CancellationToken::new();
        let ticks = |ms| IntervalStream::new(tokio::time::interval(Duration::from_millis(ms)));
        let mut merged = Box::pin(tokio_stream::StreamExt::merge(
            ticks(7).map(|_| 7),
            ticks(5).map(|_| 5),
        ));
        let child = stop.child_token();
        let count = tokio::spawn(async move {
            let mut count = 0;
            while let Some(Some(_)) = child.run_until_cancelled(merged.next()).await {
                count += 1;
            }
            count
        });
        tokio::time::sleep(Duration::from_millis(34)).await;
        stop.cancel();
        count.await.expect("it counts")
    });
    assert_eq!(work.await.expect("no panic"), 5 + 7);
}
