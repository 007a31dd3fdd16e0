//! Queues, sets, counters, locks and groups: what plans ask of them reaches a system as calls and
//! its history as rows, and the oracles see what is wrong.

use std::io;
use std::net::SocketAddr;

use checkers::Value;
use checkers::spec::ModelKind;
use landfall::judge::Verdict;
use landfall::{Call, ClientContext, NodeContext, Reference, Reply, System};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::sweeps::{pool, reports, sweep_all};

const PORT: u16 = 7000;

/// A server of any object: what it knows outlives its process.
struct Desk {
    object: Reference,
    /// Whether it forgets every fifth element that it was given.
    forgets: bool,
}

impl Desk {
    fn new(forgets: bool) -> Self {
        let object = Reference::default();
        Self { object, forgets }
    }

    fn of(model: ModelKind) -> Self {
        let (object, forgets) = (Reference::of(model), false);
        Self { object, forgets }
    }
}

mod right {
    use super::Desk;
    landfall::plan!(
        "tests/it/plans/acts.md",
        system = Desk::new(false),
        test = false
    );
}

mod wrong {
    use super::Desk;
    landfall::plan!(
        "tests/it/plans/acts.md",
        system = Desk::new(true),
        test = false
    );
}

mod reentrant {
    use super::{Desk, ModelKind};
    landfall::plan!(
        "tests/it/plans/acts.md",
        system = Desk::of(ModelKind::ReentrantMutex),
        test = false
    );
}

mod permits {
    use super::{Desk, ModelKind};
    landfall::plan!(
        "tests/it/plans/acts.md",
        system = Desk::of(ModelKind::Semaphore { permits: 2 }),
        test = false
    );
}

mod leases {
    use super::{Desk, ModelKind};
    landfall::plan!(
        "tests/it/plans/acts.md",
        system = Desk::of(ModelKind::Lease {
            ttl_ns: 300_000_000,
            skew_ns: 0,
        }),
        test = false
    );
}

impl System for Desk {
    type Client = Visitor;

    fn start(&self, node: NodeContext) -> impl Future<Output = io::Result<()>> + 'static {
        let (object, forgets) = (self.object.clone(), self.forgets);
        async move {
            if node.me.number != 1 {
                return std::future::pending().await;
            }
            let listener = TcpListener::bind(SocketAddr::new(node.me.ip, PORT)).await?;
            node.leads(1 + u64::from(node.restarts));
            loop {
                let (stream, _) = listener.accept().await?;
                let object = object.clone();
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let mut line = String::new();
                    while let Ok(1..) = stream.read_line(&mut line).await {
                        let (client, request, call): (u64, u64, Call) =
                            serde_json::from_str(&line).expect("clients write requests");
                        let is_lost = forgets && request.is_multiple_of(5);
                        let answer = match &call {
                            Call::Do { name, .. } if is_lost && name == "enqueue" => Value::Null,
                            _ => match object.call_once(client, request, &call) {
                                Reply::Ok(value) => value,
                                _ => Value::Null,
                            },
                        };
                        let answer = serde_json::to_string(&answer).expect("values are JSON");
                        if stream
                            .write_all(format!("{answer}\n").as_bytes())
                            .await
                            .is_err()
                        {
                            break;
                        }
                        line.clear();
                    }
                });
            }
        }
    }

    fn client(&self, client: ClientContext) -> impl Future<Output = Visitor> + 'static {
        let at = SocketAddr::new(client.nodes[0].ip, PORT);
        std::future::ready(Visitor {
            number: client.number.into(),
            at,
            requests: 0,
            connection: None,
        })
    }
}

struct Visitor {
    number: u64,
    at: SocketAddr,
    requests: u64,
    connection: Option<BufReader<TcpStream>>,
}

impl Visitor {
    async fn ask(&mut self, call: &Call) -> io::Result<Value> {
        self.requests += 1;
        let request = (self.number, self.requests, call);
        let line = serde_json::to_string(&request).expect("calls are JSON");
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect(self.at).await?),
        };
        connection.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        if connection.read_line(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.connection = Some(connection);
        serde_json::from_str(&answer).map_err(io::Error::other)
    }
}

impl landfall::Client for Visitor {
    async fn call(&mut self, call: Call) -> Reply {
        match self.ask(&call).await {
            Ok(value) => Reply::Ok(value),
            Err(error) => Reply::Unknown(error.to_string()),
        }
    }
}

const SEEDS: u64 = 3;

#[test]
fn every_object_is_driven_and_judged() {
    let mut pool = pool(1);
    for (scenario, expected) in [
        ("right::s1_queue", &["enqueue", "dequeue"][..]),
        ("right::s2_stack", &["push", "pop"]),
        ("right::s3_priority_queue", &["insert", "delete-min"]),
        (
            "right::s4_set",
            &["add", "remove", "contains", "read", "final-read"],
        ),
        ("right::s5_counter", &["inc", "dec", "read", "final-read"]),
        ("right::s6_lock", &["acquire", "release"]),
        ("right::s7_membership", &["join", "leave", "read"]),
        ("right::s8_named", &["enqueue", "dequeue", "peek"]),
        ("right::s9_read_write_lock", &["acquire", "release"]),
        ("right::s10_text", &["append", "put", "read", "final-read"]),
        (
            "right::s11_log_with_offsets",
            &["append", "poll", "final-read"],
        ),
        ("right::s12_map_that_forgets", &["write", "read"]),
        ("reentrant::s13_reentrant_lock", &["acquire", "release"]),
        ("permits::s14_semaphore", &["acquire", "release"]),
        ("leases::s15_lease", &["acquire", "release", "renew"]),
        ("right::s16_set_by_other_names", &["add", "remove", "read"]),
        ("right::s17_session", &["write", "read"]),
    ] {
        let name = format!("acts::{scenario}");
        let result = sweep_all(&mut pool, &name, SEEDS);
        let reason = &result.judgement.reason;
        assert_eq!(
            result.judgement.verdict,
            Verdict::PassSmoke,
            "{scenario}: {reason}"
        );
        let report = reports(&mut pool, &name, 1).remove(0);
        let history = report.history.expect("it was asked for");
        for operation in expected {
            let row = format!("\"op_type\":\"{operation}\"");
            assert!(history.contains(&row), "{scenario} has no {operation}");
        }
    }
}

#[test]
fn a_queue_that_forgets_is_found() {
    let result = sweep_all(&mut pool(1), "acts::wrong::s1_queue", SEEDS);
    assert_eq!(result.judgement.verdict, Verdict::FailReproducible);
    let mut signatures = result.tally.signatures.keys();
    assert!(
        signatures.any(|signature| signature.contains("queue")),
        "{result:?}"
    );
}
