//! Hosts that come back under another address, and names that lead elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sim_net::NameFault;
use sim_runtime::{Down, FaultId, spawn_on, time};

use crate::lab::*;

const NEW: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 9, 9));

fn plan(name: &str) -> FaultId {
    let fault = the_world().ledger().plan(name, "fault");
    the_world().ledger().arm(fault, "test");
    fault
}

/// Kills B, and has it come back elsewhere.
fn move_b() -> FaultId {
    let fault = plan("f");
    net().blame_down(B, fault);
    assert!(the_world().kill_node(B, Down::Kill));
    net().readdress(fault, B, NEW);
    the_world().restart_node(B);
    fault
}

#[test]
fn a_host_that_moved_is_found_by_name_and_not_where_it_was() {
    let summary = run(calm(), || async {
        let old = addr(B, 7);
        move_b();
        go(B, echo(7));
        settle().await;
        on(A, async move {
            let ip = net().resolve("b").expect("it has a name")[0];
            assert_eq!(ip, NEW);
            let stream = Tcp::connect(SocketAddr::new(ip, 7)).await.expect("there");
            stream.send_all(b"x").await.expect("it is open");
            assert_eq!(stream.recv_exact(1).await.expect("an echo"), b"x");
            let start = time::now();
            assert_eq!(code(Tcp::connect(old).await), libc::ETIMEDOUT);
            assert_eq!((time::now() - start).as_secs(), 127);
        })
        .await;
    });
    let row = row(&summary, "f");
    assert_eq!(row.injected["hosts-readdressed"], 1);
    assert_eq!(row.observed["connects-failed"], 1, "{row:?}");
}

#[test]
fn connections_to_the_old_address_say_nothing_any_more() {
    let summary = run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        // What the killed process's kernel says goes out before its address is gone; what is sent
        // later finds nobody.
        let fault = plan("f");
        net().blame_down(B, fault);
        assert!(the_world().kill_node(B, Down::Kill));
        settle().await;
        net().readdress(fault, B, NEW);
        the_world().restart_node(B);
        on(A, async move {
            assert_eq!(client.recv_to_end().await.expect("a FIN"), b"");
            client.send_all(b"is anybody there?").await.expect("room");
            time::sleep(Duration::from_secs(60)).await;
            assert!(
                net().take_error(client.0).expect("open").is_none(),
                "no RST"
            );
            time::sleep(Duration::from_secs(1_000)).await;
            let error = net().take_error(client.0).expect("it is open");
            assert_eq!(error.and_then(|e| e.raw_os_error()), Some(libc::ETIMEDOUT));
        })
        .await;
    });
    assert!(row(&summary, "f").is_observed());
}

#[test]
fn packets_under_way_to_the_old_address_are_lost() {
    let summary = run(calm(), || async {
        let socket = on(A, async { net().udp_bind(([0, 0, 0, 0], 7).into()) }).await;
        let socket = socket.expect("a port is free");
        let old = addr(B, 7);
        net().send_to(socket, b"late", old).expect("it is sent");
        move_b();
        let there = on(B, async { net().udp_bind(([0, 0, 0, 0], 7).into()) }).await;
        let there = there.expect("a port is free");
        net().send_to(socket, b"late", old).expect("it is sent");
        let mut into = [0; 8];
        let got = within(Duration::from_secs(5), recv_from(there, &mut into)).await;
        assert!(got.is_none(), "both went to the old address");
    });
    let row = row(&summary, "f");
    assert!(!row.observed.contains_key("datagrams-missed"), "{row:?}");
}

#[test]
fn a_stale_name_leads_to_the_old_address_until_it_is_healed() {
    let summary = run(calm(), || async {
        let old = addr(B, 7).ip();
        let stale = plan("stale");
        net().disturb_names(stale, NameFault::Stale, &[A]);
        let look = || async { net().resolve("b").expect("it has a name")[0] };
        assert_eq!(on(A, look()).await, old, "it is right as yet");
        assert!(
            !the_world()
                .ledger()
                .row(stale, |row| row.is_injected())
                .unwrap_or(true)
        );
        move_b();
        assert_eq!(on(A, look()).await, old);
        assert_eq!(on(C, look()).await, NEW, "another host's look-up");
        heal(stale);
        assert_eq!(on(A, look()).await, NEW);
    });
    let row = row(&summary, "stale");
    assert_eq!(row.injected["lookups-misled"], 1);
    assert!(row.has_landed());
}

#[test]
fn names_lead_elsewhere_or_nowhere_as_a_fault_says() {
    let summary = run(calm(), || async {
        let c = addr(C, 7).ip();
        let elsewhere = plan("elsewhere");
        net().disturb_names(elsewhere, NameFault::Elsewhere(c), &[A]);
        let look = |name: &'static str| async move { net().resolve(name).map(|ips| ips[0]) };
        assert_eq!(on(A, look("b")).await.expect("an answer"), c);
        assert_eq!(on(A, look("c")).await.expect("an answer"), c, "by the way");
        assert!(on(A, look("nobody")).await.is_err());
        let silent = plan("silent");
        net().disturb_names(silent, NameFault::Silent, &[A]);
        let takes = on(A, async { net().lookup_takes("b") }).await;
        assert_eq!(takes, Duration::from_secs(10));
        let error = on(A, look("b")).await.expect_err("nobody answers");
        let text = "failed to lookup address information: Temporary failure in name resolution";
        assert_eq!(error.to_string(), text);
        heal(silent);
        heal(elsewhere);
        assert_ne!(on(A, look("b")).await.expect("an answer"), c);
    });
    assert_eq!(row(&summary, "elsewhere").injected["lookups-misled"], 1);
    assert_eq!(row(&summary, "silent").observed["lookups-failed"], 1);
}

#[test]
fn moves_repeat() {
    let digest = || {
        run(calm(), || async {
            let echo_there = spawn_on(B, "echo", echo(7));
            settle().await;
            let talk = spawn_on(A, "talk", Tcp::connect(addr(B, 7)));
            time::sleep(LATENCY / 2).await;
            move_b();
            let _ended = echo_there.await;
            let _ended = talk.await;
        })
        .digest
    };
    assert_eq!(digest(), digest());
}
