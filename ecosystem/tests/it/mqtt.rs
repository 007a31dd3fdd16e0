//! rumqttc against a small broker, and against rumqttd: at least once, and again after a
//! reconnection.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::{
    AsyncClient, ConnAck, ConnectReturnCode, Event, EventLoop, MqttOptions, Packet, PubAck,
    Publish, QoS, SubAck, SubscribeReasonCode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, broadcast, mpsc};

use crate::faults::{AnyError, through_faults, two_hosts};

const LARGEST: usize = 64 << 10;

type Outbox = mpsc::UnboundedSender<Packet>;

/// Who subscribed to what, by the number of his connection.
type Subscribers = Arc<Mutex<BTreeMap<u32, (String, Outbox)>>>;

async fn serve() {
    let subscribers = Subscribers::default();
    let listener = TcpListener::bind("0.0.0.0:1883")
        .await
        .expect("the port is free");
    for number in 0.. {
        let (stream, _) = listener.accept().await.expect("a connection");
        let subscribers = Arc::clone(&subscribers);
        tokio::spawn(async move {
            let served = answer(stream, number, &subscribers).await;
            subscribers.lock().expect("nobody panics").remove(&number);
            served
        });
    }
}

async fn answer(stream: TcpStream, number: u32, subscribers: &Subscribers) -> io::Result<()> {
    let (mut read, mut write) = stream.into_split();
    let (outbox, mut packets) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut bytes = BytesMut::new();
        while let Some(packet) = packets.recv().await {
            Packet::write(&packet, &mut bytes, LARGEST).map_err(io::Error::other)?;
            write.write_all_buf(&mut bytes).await?;
        }
        Ok::<_, io::Error>(())
    });
    let mut bytes = BytesMut::new();
    let say = |packet| outbox.send(packet).map_err(io::Error::other);
    loop {
        match packet(&mut read, &mut bytes).await? {
            Packet::Connect(_) => {
                say(Packet::ConnAck(ConnAck::new(
                    ConnectReturnCode::Success,
                    false,
                )))?;
            }
            Packet::Subscribe(wanted) => {
                let mut subscribers = subscribers.lock().expect("nobody panics");
                for filter in &wanted.filters {
                    let prefix = filter.path.trim_end_matches('#').to_owned();
                    subscribers.insert(number, (prefix, outbox.clone()));
                }
                let granted = SubscribeReasonCode::Success(QoS::AtMostOnce);
                let granted = vec![granted; wanted.filters.len()];
                say(Packet::SubAck(SubAck::new(wanted.pkid, granted)))?;
            }
            Packet::Publish(said) => {
                for (prefix, outbox) in subscribers.lock().expect("nobody panics").values() {
                    if said.topic.starts_with(prefix) {
                        let payload = said.payload.to_vec();
                        let passed = Publish::new(&said.topic, QoS::AtMostOnce, payload);
                        let _ = outbox.send(Packet::Publish(passed));
                    }
                }
                say(Packet::PubAck(PubAck::new(said.pkid)))?;
            }
            Packet::PingReq => say(Packet::PingResp)?,
            Packet::Disconnect => return Ok(()),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

async fn packet(read: &mut OwnedReadHalf, bytes: &mut BytesMut) -> io::Result<Packet> {
    loop {
        match Packet::read(bytes, LARGEST) {
            Ok(packet) => return Ok(packet),
            Err(rumqttc::Error::InsufficientBytes(_)) => {}
            Err(error) => return Err(io::Error::other(error)),
        }
        if read.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Turns the client's loop, subscribes at each connection, and passes on what arrives.
async fn turn(client: AsyncClient, mut events: EventLoop, heard: broadcast::Sender<String>) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                let subscribed = client.try_subscribe("notes/#", QoS::AtMostOnce);
                subscribed.expect("there is room for a request");
            }
            Ok(Event::Incoming(Packet::Publish(said))) => {
                let text = String::from_utf8_lossy(&said.payload).into_owned();
                let _ = heard.send(text);
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

struct Bus {
    client: AsyncClient,
    heard: broadcast::Sender<String>,
}

impl Bus {
    async fn open() -> Self {
        let options = MqttOptions::new("ann", "server", 1883);
        let (client, events) = AsyncClient::new(options, 64);
        let heard = broadcast::Sender::new(64);
        tokio::spawn(turn(client.clone(), events, heard.clone()));
        Self { client, heard }
    }
}

/// rumqttd, which is threads that each have a runtime of their own.
async fn serve_with_rumqttd() {
    let config = serde_json::json!({
        "id": 0,
        "router": {
            "max_connections": 100,
            "max_outgoing_packet_count": 200,
            "max_segment_size": 65536,
            "max_segment_count": 10,
        },
        "v4": {"1": {
            "name": "v4-1",
            "listen": "0.0.0.0:1883",
            "next_connection_delay_ms": 1,
            "connections": {
                "connection_timeout_ms": 60000,
                "max_payload_size": LARGEST,
                "max_inflight_count": 100,
                "dynamic_filters": true,
            },
        }},
    });
    let config = serde_json::from_value(config).expect("it is a configuration");
    let mut broker = rumqttd::Broker::new(config);
    std::thread::spawn(move || broker.start().expect("it serves until it is killed"));
    std::future::pending::<()>().await;
}

async fn hears_through(serve: impl AsyncFn() + Copy + 'static) {
    let (server, client) = two_hosts(move || async move { serve().await });
    let bus: Rc<OnceCell<Bus>> = Rc::default();
    through_faults(server, client, move |number| {
        let bus = Rc::clone(&bus);
        async move {
            let bus = bus.get_or_init(Bus::open).await;
            let mut heard = bus.heard.subscribe();
            let text = format!("note {number}");
            let topic = format!("notes/{number}");
            bus.client
                .try_publish(topic, QoS::AtLeastOnce, false, text.clone())?;
            while heard.recv().await? != text {}
            Ok::<_, AnyError>(())
        }
    })
    .await;
}

#[landfall::test(seeds = 10)]
async fn rumqttc_hears_what_it_published() {
    hears_through(serve).await;
}

#[landfall::test(seeds = 10)]
async fn rumqttd_passes_on_what_rumqttc_published() {
    hears_through(serve_with_rumqttd).await;
}
