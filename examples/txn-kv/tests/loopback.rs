//! A server on real loopback TCP and a real disk.
#![cfg(not(feature = "sim"))]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use txn_kv::{Client, Error, Isolation, Step, Value, serve};

async fn start(folder: PathBuf) -> (JoinHandle<()>, Client) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        let _ = serve(listener, &folder).await;
    });
    (server, Client::new(address, Duration::from_secs(20)))
}

#[tokio::test]
async fn commits_are_read_after_a_restart() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("txn-kv-restart");
    let _ = tokio::fs::remove_dir_all(&folder).await;
    let (server, mut client) = start(folder.clone()).await;
    for isolation in Isolation::ALL {
        let steps = [
            Step::Append("list".to_owned(), 1),
            Step::Read("list".to_owned()),
            Step::Write("x".to_owned(), 4),
        ];
        let values = client.run(isolation, &steps).await.unwrap();
        assert!(matches!(&values[1], Some(Value::List(_))), "{values:?}");
    }
    client.transfer("a", "b", 3).await.unwrap();
    server.abort();
    let _ = server.await;
    let (_server, mut client) = start(folder).await;
    let steps = ["list", "x", "a", "b", "nothing"].map(|key| Step::Read(key.to_owned()));
    let values = client.run(Isolation::Serializable, &steps).await.unwrap();
    let number = |number| Some(Value::Number(number));
    let list = Some(Value::List(vec![1, 1, 1]));
    assert_eq!(values, [list, number(4), number(-3), number(3), None]);
}

#[tokio::test]
async fn damage_before_the_end_is_refused() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("txn-kv-damage");
    let _ = tokio::fs::remove_dir_all(&folder).await;
    tokio::fs::create_dir_all(&folder).await.unwrap();
    let lines = "0000000000000000 x 1\n0000000000000000 x 2\n";
    tokio::fs::write(folder.join("journal"), lines)
        .await
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let ended = serve(listener, &folder).await;
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_server_that_is_not_there_refuses() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut client = Client::new(address, Duration::from_secs(20));
    let read = [Step::Read("x".to_owned())];
    let answer = client.run(Isolation::Snapshot, &read).await;
    assert!(matches!(answer, Err(Error::Refused(_))), "{answer:?}");
}
