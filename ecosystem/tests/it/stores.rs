//! redis against a small server that speaks its protocol, by a multiplexed connection that
//! reconnects; bb8 and deadpool over connections to the same server.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use redis::AsyncCommands as _;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};

use crate::faults::{AnyError, through_faults, two_hosts};

type Store = Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>;

async fn serve() {
    let store = Store::default();
    let listener = TcpListener::bind("0.0.0.0:6379")
        .await
        .expect("the port is free");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let store = Arc::clone(&store);
        tokio::spawn(async move { answer(BufStream::new(stream), &store).await });
    }
}

async fn answer(mut stream: BufStream<TcpStream>, store: &Store) -> io::Result<()> {
    loop {
        let count = number(&mut stream, b'*').await?;
        let mut words = Vec::new();
        for _ in 0..count {
            let length = number(&mut stream, b'$').await?;
            let mut word = vec![0; length + 2];
            stream.read_exact(&mut word).await?;
            word.truncate(length);
            words.push(word);
        }
        let reply = reply(&words, store);
        stream.write_all(&reply).await?;
        stream.flush().await?;
    }
}

async fn number(stream: &mut BufStream<TcpStream>, sign: u8) -> io::Result<usize> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let number = line
        .strip_prefix(char::from(sign))
        .and_then(|rest| rest.trim().parse().ok());
    number.ok_or(io::ErrorKind::InvalidData.into())
}

fn reply(words: &[Vec<u8>], store: &Store) -> Vec<u8> {
    let mut store = store.lock().expect("nobody panics");
    let name = words[0].to_ascii_uppercase();
    match (&name[..], &words[1..]) {
        (b"SET", [key, value, ..]) => {
            store.insert(key.clone(), value.clone());
            b"+OK\r\n".to_vec()
        }
        (b"GET", [key]) => match store.get(key) {
            Some(value) => [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat(),
            None => b"$-1\r\n".to_vec(),
        },
        (b"PING", _) => b"+PONG\r\n".to_vec(),
        (b"CLIENT" | b"SELECT", _) => b"+OK\r\n".to_vec(),
        _ => b"-ERR unknown command\r\n".to_vec(),
    }
}

#[landfall::test(seeds = 10)]
async fn redis_reads_what_it_wrote() {
    let (server, client) = two_hosts(serve);
    let manager: Rc<OnceCell<ConnectionManager>> = Rc::default();
    through_faults(server, client, move |operation| {
        let manager = Rc::clone(&manager);
        async move {
            let made = manager.get().cloned();
            let mut redis = match made {
                Some(redis) => redis,
                None => {
                    let client = redis::Client::open("redis://server/")?;
                    let config = ConnectionManagerConfig::new();
                    let fresh = ConnectionManager::new_with_config(client, config).await?;
                    manager.get_or_init(|| fresh).clone()
                }
            };
            let (key, value) = (format!("key {operation}"), format!("value {operation}"));
            let () = redis.set(&key, &value).await?;
            let read: Option<String> = redis.get(&key).await?;
            // The server keeps nothing when it is killed.
            if read.is_none() {
                return Err("it was killed in between".into());
            }
            assert_eq!(read, Some(value));
            Ok::<_, AnyError>(())
        }
    })
    .await;
}

/// A connection for pools.
struct Pinger;

async fn ping(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"*1\r\n$4\r\nPING\r\n").await?;
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).await?;
    assert_eq!(&reply, b"+PONG\r\n");
    Ok(())
}

impl bb8::ManageConnection for Pinger {
    type Connection = TcpStream;
    type Error = io::Error;

    async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect("server:6379").await
    }

    async fn is_valid(&self, stream: &mut TcpStream) -> io::Result<()> {
        ping(stream).await
    }

    fn has_broken(&self, stream: &mut TcpStream) -> bool {
        stream.take_error().is_ok_and(|error| error.is_some())
    }
}

impl deadpool::managed::Manager for Pinger {
    type Type = TcpStream;
    type Error = io::Error;

    async fn create(&self) -> io::Result<TcpStream> {
        TcpStream::connect("server:6379").await
    }

    async fn recycle(
        &self,
        stream: &mut TcpStream,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<io::Error> {
        Ok(ping(stream).await?)
    }
}

#[landfall::test(seeds = 10)]
async fn bb8_lends_connections_that_work() {
    let (server, client) = two_hosts(serve);
    let pool: Rc<OnceCell<bb8::Pool<Pinger>>> = Rc::default();
    through_faults(server, client, move |_| {
        let make = || bb8::Pool::builder().max_size(3).build_unchecked(Pinger);
        let pool = pool.get_or_init(make).clone();
        async move {
            let mut stream = pool.get().await?;
            ping(&mut stream).await?;
            Ok::<_, AnyError>(())
        }
    })
    .await;
}

#[landfall::test(seeds = 10)]
async fn deadpool_lends_connections_that_work() {
    let (server, client) = two_hosts(serve);
    let pool: Rc<OnceCell<deadpool::managed::Pool<Pinger>>> = Rc::default();
    through_faults(server, client, move |_| {
        let make = || {
            let builder = deadpool::managed::Pool::builder(Pinger).max_size(3);
            builder
                .build()
                .expect("a pool without time limits needs no runtime")
        };
        let pool = pool.get_or_init(make).clone();
        async move {
            let mut stream = pool.get().await.map_err(|error| error.to_string())?;
            ping(&mut stream).await?;
            Ok::<_, AnyError>(())
        }
    })
    .await;
}
