//! A process that is stopped (`SIGSTOP`): its kernel goes on for it, up to its buffers.

use std::time::Duration;

use sim_net::NetConfig;
use sim_runtime::{FaultId, Pause, spawn_on, time};

use crate::lab::*;

const LONG: Duration = Duration::from_secs(600);

fn stop() -> FaultId {
    let fault = disturb("pause", &[], &[], &[]);
    assert!(the_world().pause_node(fault, B, Pause::Process));
    fault
}

fn go_on(fault: FaultId) {
    assert!(the_world().resume_node(fault, B));
    the_world().ledger().heal(fault);
}

#[test]
fn its_kernel_acknowledges_until_the_receive_buffer_is_full_and_then_the_window_is_zero() {
    let config = NetConfig {
        send_buffer: 10_000,
        receive_buffer: 20_000,
        ..calm()
    };
    run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        let reads = spawn_on(B, "reader", server.recv_to_end());
        settle().await;
        let fault = stop();
        let mut written = 0;
        while let Some(count) = within(LONG, client.send(&[7; 3_000])).await {
            written += count.expect("the connection outlives the pause");
        }
        assert_eq!(written, 30_000, "both buffers, and not a byte more");
        let sockets = net().netstat();
        let queue = |node| {
            let of = sockets.iter().find(|s| s.node == node && s.peer.is_some());
            let of = of.expect("its end is there");
            (of.receive_queue, of.send_queue)
        };
        assert_eq!(queue(B), (20_000, 0), "it took what it had room for");
        assert_eq!(queue(A), (0, 10_000), "and said so");
        assert!(!reads.is_finished());
        client.close();
        go_on(fault);
        let read = reads.await.expect("it goes on").expect("nothing is wrong");
        assert_eq!(read, [7; 30_000]);
    });
}

#[test]
fn its_kernel_accepts_up_to_the_backlog_and_answers_who_connects() {
    run(calm(), || async {
        let listener = on(B, async {
            net()
                .tcp_listen(([0, 0, 0, 0], 7).into(), 1)
                .expect("the port is free")
        })
        .await;
        let accepts = spawn_on(B, "server", async move {
            for _ in 0..3 {
                accept(listener).await;
            }
        });
        let fault = stop();
        let connects: Vec<_> = (0..3)
            .map(|_| spawn_on(A, "connect", Tcp::connect(addr(B, 7))))
            .collect();
        time::sleep(Duration::from_secs(10)).await;
        let done = connects.iter().filter(|connect| connect.is_finished());
        assert!(done.count() >= 2, "a backlog of 1 keeps two");
        assert!(!accepts.is_finished(), "the process does nothing");
        go_on(fault);
        accepts.await.expect("it goes on");
        for connect in connects {
            let stream = connect.await.expect("it ends");
            stream.expect("a retry gets through").close();
        }
    });
}

#[test]
fn datagrams_wait_for_it_as_far_as_there_is_room() {
    let config = NetConfig {
        datagram_buffer: 5_000,
        ..calm()
    };
    run(config, || async {
        let bind = |node| on(node, async { net().udp_bind(([0, 0, 0, 0], 7).into()) });
        let (one, other) = (bind(A).await, bind(B).await);
        let (one, other) = (one.expect("a port"), other.expect("a port"));
        let fault = stop();
        for number in 0..100 {
            net()
                .send_to(one, &[number], addr(B, 7))
                .expect("it is sent");
        }
        time::sleep(LONG).await;
        go_on(fault);
        let mut into = [0; 8];
        let mut heard = Vec::new();
        while let Some(read) = within(LONG, recv_from(other, &mut into)).await {
            read.expect("nothing is wrong");
            heard.push(into[0]);
        }
        // 512 bytes of the kernel's own are counted with each.
        assert_eq!(heard, (0..9).collect::<Vec<u8>>());
    });
}
