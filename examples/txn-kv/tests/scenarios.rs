//! The plan's scenarios, under simulation: `cargo test -p txn-kv --features sim`.
#![cfg(feature = "sim")]

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use checkers::txn::{Base, Level};
use landfall::coordinate::{Pool, RunRequest, TestBinary, Tier};
use landfall::{Call, ClientContext, NodeContext, Reply, System, TxnStep, Value as Answer};
use tokio::net::TcpListener;
use txn_kv::{Client, Error, Isolation, Step, Value};

/// Where the server listens.
const PORT: u16 = 7400;

struct TxnKv;

impl System for TxnKv {
    type Client = Session;

    fn start(&self, node: NodeContext) -> impl Future<Output = io::Result<()>> + 'static {
        let address = SocketAddr::new(node.me.ip, PORT);
        async move {
            let listener = TcpListener::bind(address).await?;
            txn_kv::serve(listener, &node.data_dir).await
        }
    }

    fn client(&self, client: ClientContext) -> impl Future<Output = Session> + 'static {
        let address = format!("{}:{PORT}", client.nodes[0].name);
        let patience = client.op_timeout.saturating_sub(Duration::from_millis(50));
        std::future::ready(Session(Client::new(address, patience)))
    }
}

struct Session(Client);

/// The weakest isolation that gives a level.
fn isolation(level: Option<Level>) -> Isolation {
    let gives = |base| level.is_some_and(|level| Level { base, ..level }.implies(level));
    if gives(Base::ReadCommitted) {
        Isolation::ReadCommitted
    } else if gives(Base::SnapshotIsolation) {
        Isolation::Snapshot
    } else {
        Isolation::Serializable
    }
}

impl landfall::Client for Session {
    async fn call(&mut self, call: Call) -> Reply {
        let answer = match call {
            Call::Txn { level, steps } => {
                let Some(steps) = steps.into_iter().map(step).collect::<Option<Vec<_>>>() else {
                    return Reply::Failed("there is no such step".to_owned());
                };
                let values = self.0.run(isolation(level), &steps).await;
                values.map(|values| Answer::List(values.into_iter().map(read).collect()))
            }
            Call::Transfer { from, to, amount } => {
                let done = self.0.transfer(&from, &to, amount).await;
                done.map(|()| Answer::Null)
            }
            Call::Balances { accounts } => {
                let steps: Vec<Step> = accounts.into_iter().map(Step::Read).collect();
                let values = self.0.run(Isolation::Serializable, &steps).await;
                let held = |value: Option<Value>| match value {
                    Some(Value::Number(held)) => Answer::Int(held),
                    _ => Answer::Int(0),
                };
                values.map(|values| Answer::List(values.into_iter().map(held).collect()))
            }
            _ => return Reply::Failed("there are transactions alone".to_owned()),
        };
        match answer {
            Ok(answer) => Reply::Ok(answer),
            Err(Error::Refused(why)) => Reply::Failed(why),
            Err(Error::Unknown(why)) => Reply::Unknown(why),
        }
    }
}

fn step(step: TxnStep) -> Option<Step> {
    Some(match step {
        TxnStep::Read { key } => Step::Read(key),
        TxnStep::Write { key, value } => Step::Write(key, value),
        TxnStep::Append { key, value } => Step::Append(key, value),
        _ => return None,
    })
}

fn read(value: Option<Value>) -> Answer {
    match value {
        None => Answer::Null,
        Some(Value::Number(number)) => Answer::Int(number),
        Some(Value::List(elements)) => {
            Answer::List(elements.into_iter().map(Answer::Int).collect())
        }
    }
}

landfall::plan!("plan.md", system = TxnKv);

/// What is planted: whether it is, what looks for it, and the name that it is found by.
const PLANTED: [(bool, &str, &str); 5] = [
    (
        cfg!(feature = "bug-stale-read"),
        "s1_strict_serializable_lists_under_kills",
        "G-single-realtime",
    ),
    (
        cfg!(feature = "bug-write-skew"),
        "s2_no_write_skew_while_the_server_stands_still",
        "write-skew",
    ),
    (
        cfg!(feature = "bug-lost-update"),
        "s7_snapshots_lose_no_update",
        "lost-update",
    ),
    (
        cfg!(feature = "bug-fractured-reads"),
        "s3_snapshots_are_of_one_moment",
        "fractured-read",
    ),
    (
        cfg!(feature = "bug-dirty-read"),
        "s5_nothing_uncommitted_is_read",
        "G1a",
    ),
];

/// The anomalies that a scenario's findings name, over so many seeds. A session's order is one of
/// real time, too.
fn named(pool: &mut Pool, test: &str, seeds: u64) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for seed in 0..seeds {
        let request = RunRequest::new(test, seed, Tier::Smoke);
        let outcome = pool.run_one(request).expect("a worker");
        let report = outcome.report().expect("a seed that did not die");
        let findings = report.checks.iter().flat_map(|check| &check.findings);
        names.extend(findings.map(|finding| finding.anomaly.replace("-process", "-realtime")));
    }
    names
}

#[test]
fn what_is_planted_is_told_apart_by_name() {
    let binary = TestBinary {
        exe: std::env::current_exe().expect("the path of this process"),
        cwd: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
    };
    let mut pool = Pool::start(&binary, 1).expect("a worker");
    let on = PLANTED.into_iter().find(|(planted, ..)| *planted);
    let Some((_, test, name)) = on else {
        for (_, test, _) in PLANTED {
            assert_eq!(named(&mut pool, test, 1), BTreeSet::new(), "{test}");
        }
        return;
    };
    let found = named(&mut pool, test, 3);
    println!("{test}: {found:?}");
    let known = PLANTED.map(|(_, _, name)| name);
    let told: Vec<&str> = known
        .into_iter()
        .filter(|known| found.contains(*known))
        .collect();
    assert_eq!(told, [name], "{found:?}");
}
