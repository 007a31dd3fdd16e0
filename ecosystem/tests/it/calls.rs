//! tarpc over TCP, as JSON.

use futures::StreamExt as _;
use tarpc::server::{BaseChannel, Channel as _};
use tarpc::tokio_serde::formats::Json;
use tarpc::{client, context};

use crate::faults::{AnyError, through_faults, two_hosts};

#[tarpc::service]
trait Arithmetic {
    async fn double(number: u32) -> u32;
}

#[derive(Clone)]
struct Doubler;

impl Arithmetic for Doubler {
    async fn double(self, _: context::Context, number: u32) -> u32 {
        number * 2
    }
}

async fn serve() {
    let listening = tarpc::serde_transport::tcp::listen("0.0.0.0:80", Json::default);
    let mut incoming = listening.await.expect("the port is free");
    while let Some(transport) = incoming.next().await {
        let Ok(transport) = transport else { continue };
        let channel = BaseChannel::with_defaults(transport);
        let answering = channel.execute(Doubler.serve()).for_each(|answer| async {
            tokio::spawn(answer);
        });
        tokio::spawn(answering);
    }
}

#[landfall::test(seeds = 10)]
async fn tarpc_calls_get_through() {
    let (server, client) = two_hosts(serve);
    through_faults(server, client, |number| async move {
        let transport = tarpc::serde_transport::tcp::connect("server:80", Json::default).await?;
        let arithmetic = ArithmeticClient::new(client::Config::default(), transport).spawn();
        for round in 0..3 {
            let double = arithmetic
                .double(context::current(), number + round)
                .await?;
            assert_eq!(double, (number + round) * 2);
        }
        Ok::<_, AnyError>(())
    })
    .await;
}
