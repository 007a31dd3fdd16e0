//! Peers that are silent: keepalive probes and the user's time-out, by the kernel's rules
//! (`tcp(7)`), on the virtual clock.

use std::time::Duration;

use sim_net::{NetConfig, SocketOptions};
use sim_runtime::{Down, FaultId, time};

use crate::lab::*;

const SECOND: Duration = Duration::from_secs(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Takes the power of B.
fn power_off() -> FaultId {
    let fault = the_world().ledger().plan("f", "power loss");
    the_world().ledger().arm(fault, "node b");
    net().blame_down(B, fault);
    assert!(the_world().kill_node(B, Down::PowerLoss));
    fault
}

fn set(socket: Tcp, change: impl FnOnce(&mut SocketOptions)) {
    net().set_options(socket.0, change).expect("it is open");
}

/// Probes after 10 s, every 2 s, three times.
fn watchful(options: &mut SocketOptions) {
    options.keepalive = true;
    options.keepalive_idle = seconds(10);
    options.keepalive_interval = seconds(2);
    options.keepalive_probes = 3;
}

/// How long until a read on an idle connection fails, and with what.
async fn silence(client: Tcp) -> (Duration, i32) {
    let start = time::now();
    let error = on(A, async move { code(client.recv(&mut [0; 8]).await) }).await;
    (time::now() - start, error)
}

/// Virtual time creeps with polls, and segments take theirs.
#[track_caller]
fn assert_near(took: Duration, expected: Duration) {
    let apart = took.abs_diff(expected);
    assert!(apart < 4 * LATENCY, "took {took:?}, not {expected:?}");
}

#[test]
fn a_dead_peer_is_noticed_after_the_idle_time_and_all_probes() {
    let summary = run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        set(client, watchful);
        power_off();
        let (took, error) = silence(client).await;
        assert_eq!(error, libc::ETIMEDOUT);
        assert_near(took, seconds(10 + 3 * 2));
    });
    let row = row(&summary, "f");
    assert_eq!(row.observed["io-errors"], 1, "{row:?}");
}

#[test]
fn by_default_it_takes_two_hours_and_nine_probes_of_75_seconds() {
    run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        set(client, |options| options.keepalive = true);
        power_off();
        let (took, error) = silence(client).await;
        assert_eq!(error, libc::ETIMEDOUT);
        assert_near(took, seconds(7_200 + 9 * 75));
    });
}

#[test]
fn a_server_notices_clients_that_are_gone_if_its_listener_says_so() {
    run(calm(), || async {
        let listener = on(A, async { listen(7) }).await;
        net().set_options(listener, watchful).expect("it is open");
        let accepting = sim_runtime::spawn_on(A, "accept", accept(listener));
        on(B, Tcp::connect(addr(A, 7))).await.expect("it listens");
        let server = accepting.await.expect("accept ends");
        power_off();
        let (took, error) = silence(server).await;
        assert_eq!(error, libc::ETIMEDOUT);
        assert_near(took, seconds(16));
    });
}

#[test]
fn a_peer_that_lives_is_not_given_up_and_costs_no_packets() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        set(client, watchful);
        set(server, watchful);
        let before = net().link_stats(A, B).offered;
        time::sleep(seconds(24 * 3_600)).await;
        assert_eq!(net().link_stats(A, B).offered, before);
        client.send_all(b"x").await.expect("it is open");
        assert_eq!(server.recv_exact(1).await.expect("it comes"), b"x");
    });
}

#[test]
fn a_cut_that_is_healed_in_time_is_survived_and_a_longer_one_is_not() {
    for (length, survives) in [(14, true), (60, false)] {
        let summary = run(calm(), move || async move {
            let (client, server) = pair(A, B, 7).await;
            set(client, watchful);
            let effect = [sim_net::Effect::Cut];
            let there = disturb("f", &effect, &[A, B], &[A, B]);
            time::sleep(seconds(length)).await;
            heal(there);
            time::sleep(seconds(100)).await;
            if survives {
                server.send_all(b"x").await.expect("it is open");
                assert_eq!(client.recv_exact(1).await.expect("it comes"), b"x");
                return;
            }
            let (_, error) = silence(client).await;
            assert_eq!(error, libc::ETIMEDOUT);
        });
        let row = row(&summary, "f");
        assert!(row.is_injected(), "probes were dropped");
        assert_eq!(row.is_observed(), !survives, "{row:?}");
    }
}

#[test]
fn a_peer_that_is_back_from_a_reboot_answers_a_probe_with_a_reset() {
    run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        set(client, watchful);
        power_off();
        time::sleep(SECOND).await;
        the_world().restart_node(B);
        let (took, error) = silence(client).await;
        assert_eq!(error, libc::ECONNRESET);
        assert_near(took, seconds(9));
    });
}

#[test]
fn what_is_heard_starts_the_idle_time_again() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        set(client, watchful);
        time::sleep(seconds(9)).await;
        server.send_all(b"x").await.expect("it is open");
        settle().await;
        on(A, client.recv_exact(1)).await.expect("it came");
        power_off();
        let (took, error) = silence(client).await;
        assert_eq!(error, libc::ETIMEDOUT);
        // 16 s after it was heard: what it sent took one latency, `settle` took ten.
        assert_near(took, seconds(16) - 9 * LATENCY);
    });
}

#[test]
fn without_keepalive_nothing_is_noticed() {
    run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        set(client, watchful);
        set(client, |options| options.keepalive = false);
        power_off();
        let read = within(seconds(100_000), client.recv(&mut [0; 8])).await;
        assert!(read.is_none(), "half-open: nothing tells of it");
    });
}

#[test]
fn a_user_time_out_takes_the_place_of_the_number_of_probes() {
    run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        set(client, |options| {
            watchful(options);
            options.keepalive_probes = 100;
            options.user_timeout = Some(seconds(15));
        });
        power_off();
        let (took, error) = silence(client).await;
        assert_eq!(error, libc::ETIMEDOUT);
        assert_near(took, seconds(16));
    });
}

#[test]
fn a_user_time_out_limits_data_that_nobody_acknowledges() {
    let summary = run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        set(client, |options| options.user_timeout = Some(seconds(5)));
        power_off();
        client.send_all(b"x").await.expect("there is room");
        let (took, error) = silence(client).await;
        assert_eq!(error, libc::ETIMEDOUT);
        assert_near(took, seconds(5));
    });
    assert_eq!(row(&summary, "f").observed["io-errors"], 1);
}

#[test]
fn a_user_time_out_limits_data_before_a_closed_window() {
    let config = NetConfig {
        send_buffer: 5_000,
        receive_buffer: 5_000,
        ..calm()
    };
    run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        set(client, |options| options.user_timeout = Some(seconds(5)));
        client.send_all(&[1; 10_000]).await.expect("both buffers");
        // Each time the reader takes something, the time starts again.
        for _ in 0..3 {
            time::sleep(seconds(4)).await;
            server.recv_exact(4_000).await.expect("it is there");
            client.send_all(&[1; 4_000]).await.expect("there is room");
        }
        let start = time::now();
        let error = loop {
            if let Err(error) = client.send(&[1; 1_000]).await {
                break error;
            }
        };
        assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT));
        assert_near(time::now() - start, seconds(5));
    });
}

#[test]
fn a_user_time_out_limits_a_connect() {
    run(calm(), || async {
        power_off();
        let start = time::now();
        let error = on(A, async {
            let fd = net().tcp_socket().expect("a descriptor");
            let change = |options: &mut SocketOptions| options.user_timeout = Some(seconds(5));
            net().set_options(fd, change).expect("it is open");
            let started = code(net().connect(fd, addr(B, 7)));
            assert_eq!(started, libc::EINPROGRESS);
            let ready = ready(fd, sim_net::Interest::WRITABLE).await;
            ready.expect("it is open");
            net().take_error(fd).expect("it is open")
        })
        .await;
        assert_eq!(error.and_then(|e| e.raw_os_error()), Some(libc::ETIMEDOUT));
        assert_near(time::now() - start, seconds(5));
    });
}
