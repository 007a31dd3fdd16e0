//! async-nats against a small server: requests, replies and subscriptions.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::{Client, ConnectOptions};
use futures::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, mpsc};

use crate::faults::{AnyError, through_faults, two_hosts};

type Outbox = mpsc::UnboundedSender<Vec<u8>>;

/// Patterns and their subscribers, by connection and subscription.
type Subscriptions = Arc<Mutex<BTreeMap<(u32, String), (String, Outbox)>>>;

const INFO: &str = concat!(
    r#"INFO {"server_id":"s","server_name":"s","version":"2.10.0","go":"none","proto":1,"#,
    r#""host":"0.0.0.0","port":4222,"headers":true,"max_payload":1048576,"client_id":1}"#,
);

async fn serve() {
    let subscriptions = Subscriptions::default();
    let listener = TcpListener::bind("0.0.0.0:4222")
        .await
        .expect("the port is free");
    for number in 0.. {
        let (stream, _) = listener.accept().await.expect("a connection");
        let subscriptions = Arc::clone(&subscriptions);
        tokio::spawn(async move {
            let served = answer(stream, number, &subscriptions).await;
            let mut all = subscriptions.lock().expect("nobody panics");
            all.retain(|(owner, _), _| *owner != number);
            served
        });
    }
}

async fn answer(stream: TcpStream, number: u32, subscriptions: &Subscriptions) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let (outbox, mut lines) = mpsc::unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            write.write_all(&line).await?;
        }
        Ok::<_, io::Error>(())
    });
    let say = |line: &str| {
        let line = [line.as_bytes(), b"\r\n"].concat();
        outbox.send(line).map_err(io::Error::other)
    };
    say(INFO)?;
    let mut read = BufReader::new(read);
    let mut line = String::new();
    while read.read_line(&mut line).await? > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["PING"] => say("PONG")?,
            ["PONG"] | ["CONNECT", ..] => {}
            ["SUB", pattern, .., sid] => {
                let key = (number, sid.to_owned());
                let value = (pattern.to_owned(), outbox.clone());
                subscriptions
                    .lock()
                    .expect("nobody panics")
                    .insert(key, value);
            }
            ["UNSUB", sid, ..] => {
                let key = (number, sid.to_owned());
                subscriptions.lock().expect("nobody panics").remove(&key);
            }
            ["PUB", subject, .., length] => {
                let length: usize = length.parse().map_err(io::Error::other)?;
                let reply = words.get(2).filter(|_| words.len() == 4);
                let mut payload = vec![0; length + 2];
                read.read_exact(&mut payload).await?;
                publish(subscriptions, (subject, reply.copied()), &payload);
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        line.clear();
    }
    Ok(())
}

/// A payload comes with the end of its line.
fn publish(subscriptions: &Subscriptions, (subject, reply): (&str, Option<&str>), payload: &[u8]) {
    let all = subscriptions.lock().expect("nobody panics");
    for ((_, sid), (pattern, outbox)) in all.iter() {
        if !matches(pattern, subject) {
            continue;
        }
        let reply = reply.map(|reply| format!(" {reply}")).unwrap_or_default();
        let head = format!("MSG {subject} {sid}{reply} {}\r\n", payload.len() - 2);
        let _ = outbox.send([head.as_bytes(), payload].concat());
    }
}

/// `*` stands for one token, `>` for the rest.
fn matches(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in pattern.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

async fn connect() -> Result<Client, AnyError> {
    let options = ConnectOptions::new()
        .ping_interval(Duration::from_millis(200))
        .reconnect_delay_callback(|_| Duration::from_millis(10));
    Ok(options.connect("nats://server:4222").await?)
}

/// A service behind the bus: it answers with what it was asked, in capitals.
async fn shout(client: Client) -> Result<(), AnyError> {
    let mut asked = client.subscribe("shout.*").await?;
    while let Some(message) = asked.next().await {
        if let Some(reply) = message.reply {
            let loud = message.payload.to_ascii_uppercase();
            client.publish(reply, loud.into()).await?;
        }
    }
    Ok(())
}

#[landfall::test(seeds = 10)]
async fn async_nats_asks_and_is_answered() {
    let (server, client) = two_hosts(serve);
    let nats: Rc<OnceCell<Client>> = Rc::default();
    let service = landfall::host("service", || async {
        loop {
            if let Ok(client) = connect().await {
                shout(client).await.expect("it is subscribed for good");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert_ne!(service, client);
    through_faults(server, client, move |number| {
        let nats = Rc::clone(&nats);
        async move {
            let nats = nats.get_or_try_init(connect).await?;
            let asked = format!("note {number}").into();
            let reply = nats.request(format!("shout.{number}"), asked).await?;
            assert_eq!(reply.payload, format!("NOTE {number}"));
            Ok::<_, AnyError>(())
        }
    })
    .await;
}
