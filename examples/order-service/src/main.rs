//! `order-service orders ADDRESS DATABASE WAREHOUSE` or `order-service warehouse ADDRESS DATABASE`.

use std::io;
use std::path::Path;

use order_service::{orders, warehouse};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    tracing_subscriber::fmt().init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["orders", address, database, warehouse] => {
            let listener = TcpListener::bind(address).await?;
            let config = orders::Config {
                database: database.into(),
                warehouse: warehouse.to_owned(),
            };
            orders::serve(listener, config).await
        }
        ["warehouse", address, database] => {
            let listener = TcpListener::bind(address).await?;
            warehouse::serve(listener, Path::new(database)).await
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "order-service orders ADDRESS DATABASE WAREHOUSE | warehouse ADDRESS DATABASE",
        )),
    }
}
