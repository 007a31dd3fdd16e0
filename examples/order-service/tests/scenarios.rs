//! The plan's scenarios, under simulation.
#![cfg(feature = "sim")]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use landfall::{Call, ClientContext, NodeContext, Peer, Reply, System, Value};
use order_service::client::{Client, Error};
use order_service::{orders, warehouse};
use tokio::net::TcpListener;

const PORT: u16 = 80;

/// The first node takes orders, the second is the warehouse.
struct Shop;

fn url(nodes: &[Peer], number: u32) -> String {
    let node = nodes.iter().find(|node| node.number == number);
    let node = node.expect("the plan has two nodes");
    format!("http://{}:{PORT}", node.name)
}

impl System for Shop {
    type Client = Session;

    fn start(&self, node: NodeContext) -> impl Future<Output = io::Result<()>> + 'static {
        async move {
            let listener = TcpListener::bind(SocketAddr::new(node.me.ip, PORT)).await?;
            let database = node.data_dir.join("shop.db");
            match node.me.number {
                1 => {
                    let warehouse = url(&node.nodes, 2);
                    let config = orders::Config {
                        database,
                        warehouse,
                    };
                    orders::serve(listener, config).await
                }
                _ => warehouse::serve(listener, &database).await,
            }
        }
    }

    fn client(&self, client: ClientContext) -> impl Future<Output = Session> + 'static {
        let patience = client.op_timeout.saturating_sub(Duration::from_millis(50));
        let (orders, warehouse) = (url(&client.nodes, 1), url(&client.nodes, 2));
        std::future::ready(Session(Client::new(&orders, &warehouse, patience)))
    }
}

/// A log of the plan is an article: an append orders it, a read lists what is reserved.
struct Session(Client);

impl landfall::Client for Session {
    async fn call(&mut self, call: Call) -> Reply {
        let answer = match call {
            Call::Append { key, value } => self.0.place(&key, value).await.map(|_| Value::Null),
            Call::Read { key } => {
                let reserved = self.0.reserved(&key).await;
                reserved.map(|reserved| Value::List(reserved.into_iter().map(Value::Int).collect()))
            }
            _ => {
                return Reply::Failed("a shop has no such call".to_owned());
            }
        };
        match answer {
            Ok(answer) => Reply::Ok(answer),
            Err(Error::Refused(why)) => Reply::Failed(why),
            Err(Error::Unknown(why)) => Reply::Unknown(why),
        }
    }
}

landfall::plan!("plan.md", system = Shop);
