//! Addresses, ports and names.

use std::net::{IpAddr, SocketAddr};

use sim_net::BACKLOG;
use sim_runtime::{Down, Fd};

use crate::lab::*;

fn bind_tcp(text: &str) -> std::io::Result<Fd> {
    net().tcp_listen(text.parse().expect("an address"), BACKLOG)
}

#[test]
fn an_address_is_used_once() {
    run(calm(), || async {
        on(A, async {
            let first = bind_tcp("0.0.0.0:80").expect("it is free");
            assert_eq!(code(bind_tcp("10.1.0.1:80")), libc::EADDRINUSE);
            assert_eq!(code(bind_tcp("10.1.0.2:80")), libc::EADDRNOTAVAIL);
            let udp = net().udp_bind("0.0.0.0:80".parse().expect("an address"));
            udp.expect("UDP ports are others");
            the_world().close(first).expect("it is open");
            bind_tcp("10.1.0.1:80").expect("it is free again");
        })
        .await;
        on(B, async {
            bind_tcp("0.0.0.0:80").expect("another machine")
        })
        .await;
    });
}

#[test]
fn ports_of_zero_are_ephemeral() {
    run(calm(), || async {
        on(A, async {
            let first = bind_tcp("0.0.0.0:0").expect("a port is free");
            let second = bind_tcp("127.0.0.1:0").expect("a port is free");
            let port = |fd| net().local_addr(fd).expect("it is open").port();
            assert!(port(first) >= 32_768 && port(second) >= 32_768);
            assert_ne!(port(first), port(second));
        })
        .await;
    });
}

#[test]
fn names_lead_to_nodes_and_nothing_else() {
    run(calm(), || async {
        on(A, async {
            let resolve = |name: &str| net().resolve(name);
            assert_eq!(resolve("b").expect("a node"), [IpAddr::from([10, 1, 0, 2])]);
            assert_eq!(
                resolve("localhost").expect("always"),
                [IpAddr::from([127, 0, 0, 1])]
            );
            assert_eq!(
                resolve("10.1.2.3").expect("a literal"),
                [IpAddr::from([10, 1, 2, 3])]
            );
            assert_eq!(
                resolve("nobody").expect_err("no such node").to_string(),
                "failed to lookup address information: Name or service not known"
            );
        })
        .await;
    });
}

#[test]
fn loopback_stays_within_a_node() {
    run(calm(), || async {
        let local = SocketAddr::from(([127, 0, 0, 1], 7));
        on(B, async move {
            net().tcp_listen(local, BACKLOG).expect("it is free")
        })
        .await;
        on(B, async move {
            let stream = Tcp::connect(local).await.expect("somebody listens");
            assert_eq!(
                net().local_addr(stream.0).expect("it is open").ip(),
                local.ip()
            );
        })
        .await;
        on(A, async move {
            assert_eq!(
                code(Tcp::connect(local).await),
                libc::ECONNREFUSED,
                "not on this node"
            );
            assert_eq!(code(Tcp::connect(addr(B, 7)).await), libc::ECONNREFUSED);
        })
        .await;
    });
}

#[test]
fn a_port_is_free_again_after_its_process_died() {
    for down in [Down::Kill, Down::PowerLoss] {
        run(calm(), move || async move {
            pair(A, B, 7).await;
            the_world().kill_node(B, down);
            the_world().restart_node(B);
            on(B, async { listen(7) }).await;
        });
    }
}
