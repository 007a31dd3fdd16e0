//! What every test lets its crate go through, and how a client of its gets through it.

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use landfall::net::net;
use landfall::runtime::{FaultId, NodeId, world};
use tokio::time::{sleep, timeout};

/// How many operations a client makes.
pub(crate) const OPERATIONS: u32 = 24;

const PATIENCE: Duration = Duration::from_millis(250);

/// Two hosts: `server` runs `main`, again after each death; `client` only hosts calls.
pub(crate) fn two_hosts<F>(main: impl Fn() -> F + 'static) -> (NodeId, NodeId)
where
    F: Future<Output = ()> + 'static,
{
    let server = landfall::host("server", main);
    let client = landfall::host("client", std::future::pending::<()>);
    (server, client)
}

/// Lets the client make its operations, each again until it succeeds, under all of the faults.
///
/// # Panics
/// When the client gives up, a fault finds nothing to do, or the client notices none.
pub(crate) async fn through_faults<F, A, E>(server: NodeId, client: NodeId, ask: A)
where
    A: Fn(u32) -> F + 'static,
    F: Future<Output = Result<(), E>> + 'static,
    E: Debug + 'static,
{
    through_faults_of((server, &[client]), landfall::kill, client, ask).await;
}

/// As [`through_faults`], with `server` cut off from all of `others`, and ended by `end`.
///
/// # Panics
/// As it does.
pub(crate) async fn through_faults_of<F, A, E>(
    (server, others): (NodeId, &[NodeId]),
    end: fn(NodeId) -> bool,
    client: NodeId,
    ask: A,
) where
    A: Fn(u32) -> F + 'static,
    F: Future<Output = Result<(), E>> + 'static,
    E: Debug + 'static,
{
    let work = landfall::on(client, move || work(ask));
    let storm = landfall::runtime::spawn(storm(server, others.to_vec(), end));
    let failed = work.await.expect("the client finishes");
    let faults = storm.await.expect("the storm passes");
    for fault in faults {
        let effects = world().ledger().row(fault, |row| row.injected.len());
        assert!(
            effects.is_some_and(|effects| effects > 0),
            "{fault:?} had no effect"
        );
    }
    assert!(failed > 0, "the client has noticed nothing");
}

/// How many attempts failed.
async fn work<F, A, E>(ask: A) -> u32
where
    A: Fn(u32) -> F,
    F: Future<Output = Result<(), E>>,
    E: Debug,
{
    let mut failed = 0;
    for operation in 0..OPERATIONS {
        while !matches!(timeout(PATIENCE, ask(operation)).await, Ok(Ok(()))) {
            failed += 1;
            assert!(failed < 1000, "the client never gets through");
            sleep(Duration::from_millis(20)).await;
        }
        sleep(Duration::from_millis(50)).await;
    }
    failed
}

/// A cut of 400 ms, a reset, and an end with a restart 100 ms later.
async fn storm(server: NodeId, others: Vec<NodeId>, end: fn(NodeId) -> bool) -> [FaultId; 1] {
    let ledger = || world();
    let net = net().expect("the network is there");
    sleep(Duration::from_millis(200)).await;
    let cut = ledger().ledger().plan("cut", "partition");
    ledger().ledger().arm(cut, "server and others");
    net.cut(cut, &[server], &others);
    net.cut(cut, &others, &[server]);
    sleep(Duration::from_millis(400)).await;
    net.heal(cut);
    ledger().ledger().heal(cut);
    sleep(Duration::from_millis(150)).await;
    let reset = ledger().ledger().plan("reset", "reset");
    ledger().ledger().arm(reset, "server and others");
    net.reset(reset, &[server], &others);
    ledger().ledger().heal(reset);
    sleep(Duration::from_millis(150)).await;
    assert!(end(server), "it was running");
    sleep(Duration::from_millis(100)).await;
    landfall::restart(server);
    [cut]
}

/// Any error, as a client of several crates meets them.
pub(crate) type AnyError = Box<dyn Error + Send + Sync>;
