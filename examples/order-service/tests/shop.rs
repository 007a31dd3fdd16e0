//! The services on the machine's own network and disk.

use std::time::Duration;

use order_service::client::Client;
use order_service::orders::{self, Order, Placed};
use order_service::warehouse;
use tempfile::TempDir;
use tokio::net::TcpListener;

struct Shop {
    client: Client,
    orders: String,
    _files: TempDir,
}

async fn open() -> Shop {
    let files = tempfile::tempdir().unwrap();
    let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let warehouse = address(&listener);
    let database = files.path().join("warehouse.db");
    tokio::spawn(async move { warehouse::serve(listener, &database).await });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let orders = address(&listener);
    let config = orders::Config {
        database: files.path().join("orders.db"),
        warehouse: warehouse.clone(),
    };
    tokio::spawn(orders::serve(listener, config));
    Shop {
        client: Client::new(&orders, &warehouse, Duration::from_secs(20)),
        orders,
        _files: files,
    }
}

#[tokio::test]
async fn what_is_ordered_is_reserved_in_order() {
    let shop = open().await;
    for reference in [5, 3, 4] {
        shop.client.place("tea", reference).await.unwrap();
    }
    shop.client.place("salt", 9).await.unwrap();
    assert_eq!(shop.client.reserved("tea").await.unwrap(), [5, 3, 4]);
    assert_eq!(shop.client.reserved("salt").await.unwrap(), [9]);
}

#[tokio::test]
async fn a_key_is_one_order() {
    let shop = open().await;
    let http = reqwest::Client::new();
    let ask = async |key: Option<&str>, reference| {
        let order = Order {
            sku: "tea".to_owned(),
            reference,
        };
        let mut request = http.post(format!("{}/orders", shop.orders)).json(&order);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        request.send().await.unwrap()
    };
    let first = ask(Some("a"), 1).await;
    assert_eq!(first.status(), 201);
    let again = ask(Some("a"), 1).await;
    assert_eq!(again.status(), 200);
    let (first, again): (Placed, Placed) =
        (first.json().await.unwrap(), again.json().await.unwrap());
    assert_eq!(first.id, again.id);
    assert_eq!(ask(Some("a"), 2).await.status(), 409);
    assert_eq!(ask(None, 3).await.status(), 400);
    assert_eq!(shop.client.reserved("tea").await.unwrap(), [1]);
}
