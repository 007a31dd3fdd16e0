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
    let work = landfall::on(client, move || work(ask));
    let storm = landfall::runtime::spawn(storm(server, client));
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

/// A cut of 400 ms, a reset, and a kill with a restart 100 ms later.
async fn storm(server: NodeId, client: NodeId) -> [FaultId; 1] {
    let ledger = || world();
    let net = net().expect("the network is there");
    sleep(Duration::from_millis(200)).await;
    let cut = ledger().ledger().plan("cut", "partition");
    ledger().ledger().arm(cut, "server and client");
    net.cut(cut, &[server], &[client]);
    net.cut(cut, &[client], &[server]);
    sleep(Duration::from_millis(400)).await;
    net.heal(cut);
    ledger().ledger().heal(cut);
    sleep(Duration::from_millis(150)).await;
    let reset = ledger().ledger().plan("reset", "reset");
    ledger().ledger().arm(reset, "server and client");
    net.reset(reset, &[server], &[client]);
    ledger().ledger().heal(reset);
    sleep(Duration::from_millis(150)).await;
    landfall::kill(server);
    sleep(Duration::from_millis(100)).await;
    landfall::restart(server);
    [cut]
}

/// Any error, as a client of several crates meets them.
pub(crate) type AnyError = Box<dyn Error + Send + Sync>;
