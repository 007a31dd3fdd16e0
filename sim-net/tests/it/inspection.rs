//! What is on the wire, one packet at a time, faults on frames of one kind, and names.

use std::time::Duration;

use sim_net::{Effect, Frame, NameFault, Whereabouts};
use sim_runtime::{FaultId, time};

use crate::lab::*;

fn fault(name: &str) -> FaultId {
    let world = the_world();
    let fault = world.ledger().plan(name, "fault");
    world.ledger().arm(fault, "test");
    fault
}

/// The first word of a message is its kind.
fn kind(frame: &Frame<'_>) -> Option<String> {
    let text = std::str::from_utf8(frame.bytes).ok()?;
    text.split(' ').next().map(str::to_owned)
}

/// Two sockets, A's and B's.
async fn sockets() -> (sim_runtime::Fd, sim_runtime::Fd) {
    let one = on(A, async { net().udp_bind(([0, 0, 0, 0], 7).into()) }).await;
    let other = on(B, async { net().udp_bind(([0, 0, 0, 0], 7).into()) }).await;
    (one.expect("a port"), other.expect("a port"))
}

fn say(from: sim_runtime::Fd, text: &str) {
    net()
        .send_to(from, text.as_bytes(), addr(B, 7))
        .expect("it is sent");
}

async fn hear(at: sim_runtime::Fd) -> Option<String> {
    let mut into = [0; 64];
    let heard = within(Duration::from_secs(5), recv_from(at, &mut into)).await?;
    let (count, _) = heard.expect("nothing is wrong");
    Some(String::from_utf8_lossy(&into[..count]).into_owned())
}

#[test]
fn datagrams_are_seen_held_delivered_and_discarded() {
    run(calm(), || async {
        net().classify(kind);
        let (one, other) = sockets().await;
        for text in ["vote 1", "append 2", "append 3", "vote 4"] {
            say(one, text);
        }
        let flying = net().in_flight();
        let told: Vec<_> = flying
            .iter()
            .map(|f| (f.from, f.to, f.what, f.kind.as_deref(), f.bytes, f.at))
            .collect();
        let one_of = |kind, bytes| (A, B, "datagram", Some(kind), bytes, Whereabouts::OnTheWay);
        assert_eq!(
            told,
            [
                one_of("vote", 6),
                one_of("append", 8),
                one_of("append", 8),
                one_of("vote", 6)
            ]
        );
        assert!(net().hold(flying[0].id));
        assert!(net().discard(flying[1].id));
        assert!(net().deliver(flying[3].id), "before its time");
        let first = hear(other).await;
        assert_eq!(first.as_deref(), Some("vote 4"));
        assert_eq!(hear(other).await.as_deref(), Some("append 3"));
        time::sleep(Duration::from_secs(1)).await;
        let left = net().in_flight();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!((left[0].id, left[0].at), (flying[0].id, Whereabouts::Held));
        assert!(net().release(flying[0].id));
        assert_eq!(hear(other).await.as_deref(), Some("vote 1"));
        assert_eq!(hear(other).await, None);
        for gone in flying {
            let id = gone.id;
            let any = [
                net().hold(id),
                net().release(id),
                net().deliver(id),
                net().discard(id),
            ];
            assert_eq!(any, [false; 4], "{gone:?}");
        }
    });
}

#[test]
fn a_segment_that_is_held_or_discarded_is_sent_again() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        for treat in [|id| net().hold(id), |id| net().discard(id)] {
            let start = time::now();
            client.send_all(b"abc").await.expect("there is room");
            let flying = net().in_flight();
            assert_eq!((flying.len(), flying[0].what), (1, "data"));
            assert!(treat(flying[0].id));
            assert_eq!(server.recv_exact(3).await.expect("it comes"), b"abc");
            assert!(
                time::now() - start > Duration::from_millis(200),
                "only by the second try"
            );
            net().release(flying[0].id);
            settle().await;
            assert_eq!(net().in_flight(), []);
        }
        client.close();
        assert_eq!(server.recv_to_end().await.expect("the end"), b"");
        server.close();
        settle().await;
        assert_eq!(net().netstat().len(), 1, "the listener alone");
    });
}

#[test]
fn a_fault_on_one_kind_of_frame_leaves_the_others_alone() {
    let summary = run(calm(), || async {
        net().classify(kind);
        let (one, other) = sockets().await;
        let fault = fault("f");
        net().disturb_kind(fault, (Effect::Cut, "append"), &[A], &[B]);
        for text in ["vote 1", "append 2", "vote 3"] {
            say(one, text);
        }
        assert_eq!(hear(other).await.as_deref(), Some("vote 1"));
        assert_eq!(hear(other).await.as_deref(), Some("vote 3"));
        heal(fault);
        say(one, "append 4");
        assert_eq!(hear(other).await.as_deref(), Some("append 4"));
    });
    let row = row(&summary, "f");
    assert_eq!(row.injected["packets-dropped"], 1);
    assert_eq!(row.injected["bytes-dropped"], 8);
}

#[test]
fn a_stream_waits_for_a_frame_that_is_dropped_and_handshakes_are_of_no_kind() {
    let summary = run(calm(), || async {
        net().classify(kind);
        let fault = fault("f");
        net().disturb_kind(fault, (Effect::Cut, "append"), &[A], &[B]);
        let (client, server) = pair(A, B, 7).await;
        client.send_all(b"vote 1").await.expect("there is room");
        assert_eq!(server.recv_exact(6).await.expect("it comes"), b"vote 1");
        client.send_all(b"append 2").await.expect("there is room");
        let early = within(Duration::from_secs(1), server.recv_exact(8)).await;
        assert!(early.is_none());
        heal(fault);
        assert_eq!(server.recv_exact(8).await.expect("it comes"), b"append 2");
    });
    assert!(
        row(&summary, "f").injected["packets-dropped"] >= 2,
        "sent again"
    );
    assert!(row(&summary, "f").is_observed());
}

#[test]
fn a_jam_of_one_kind_lets_the_others_overtake() {
    run(calm(), || async {
        net().classify(kind);
        let (one, other) = sockets().await;
        let fault = fault("f");
        net().disturb_kind(fault, (Effect::Jam, "append"), &[A], &[B]);
        for text in ["append 1", "vote 2"] {
            say(one, text);
        }
        assert_eq!(hear(other).await.as_deref(), Some("vote 2"));
        let left = net().in_flight();
        assert_eq!((left.len(), left[0].at), (1, Whereabouts::Jammed));
        heal(fault);
        assert_eq!(hear(other).await.as_deref(), Some("append 1"));
    });
}

#[test]
fn names_are_unknown_or_slow_while_a_fault_says_so_on_its_hosts_alone() {
    let summary = run(calm(), || async {
        let unknown = fault("unknown");
        net().disturb_names(unknown, NameFault::Unknown, &[A]);
        let look = || async { net().resolve("b").map(|ips| ips.len()).ok() };
        assert_eq!(on(A, look()).await, None);
        assert!(on(A, async { net().resolve("localhost").is_ok() }).await);
        assert!(on(A, async { net().resolve("10.1.0.2").is_ok() }).await);
        assert_eq!(on(C, look()).await, Some(1));
        heal(unknown);
        assert_eq!(on(A, look()).await, Some(1));
        let slow = fault("slow");
        let by = Duration::from_secs(3);
        net().disturb_names(slow, NameFault::Slow(by), &[A]);
        assert_eq!(on(A, async { net().lookup_takes("b") }).await, by);
        assert_eq!(
            on(C, async { net().lookup_takes("b") }).await,
            Duration::ZERO
        );
        assert_eq!(
            on(A, async { net().lookup_takes("::1") }).await,
            Duration::ZERO
        );
        heal(slow);
        assert_eq!(
            on(A, async { net().lookup_takes("b") }).await,
            Duration::ZERO
        );
        fault("vacuous");
    });
    assert_eq!(row(&summary, "unknown").injected["lookups-failed"], 1);
    assert_eq!(row(&summary, "slow").injected["lookups-delayed"], 1);
    assert!(row(&summary, "slow").is_observed());
    assert!(!row(&summary, "vacuous").is_injected());
}
