//! Streams on a quiet network.

use std::net::Shutdown;
use std::time::Duration;

use sim_net::{Interest, Latency, NetConfig};
use sim_runtime::{spawn_on, time};

use crate::lab::*;

#[test]
fn an_echo_takes_one_round_trip_and_connect_another() {
    run(calm(), || async {
        go(B, echo(7));
        settle().await;
        on(A, async {
            let start = time::now();
            let stream = Tcp::connect(addr(B, 7)).await.expect("somebody listens");
            assert_about(time::now() - start, 2 * LATENCY);
            stream.send_all(b"hello").await.expect("it is open");
            assert_eq!(stream.recv_exact(5).await.expect("it comes back"), b"hello");
            assert_about(time::now() - start, 4 * LATENCY);
            assert_eq!(net().peer_addr(stream.0).ok(), Some(addr(B, 7)));
            assert_eq!(
                net().local_addr(stream.0).expect("it has one").ip(),
                addr(A, 0).ip()
            );
            stream.close();
        })
        .await;
    });
}

#[test]
fn without_a_listener_connect_is_refused_after_one_round_trip() {
    run(calm(), || async {
        on(A, async {
            let start = time::now();
            assert_eq!(code(Tcp::connect(addr(B, 7)).await), libc::ECONNREFUSED);
            assert_about(time::now() - start, 2 * LATENCY);
        })
        .await;
    });
}

#[test]
fn an_address_that_nobody_has_swallows_connects_for_127_seconds() {
    run(calm(), || async {
        on(A, async {
            let start = time::now();
            let nowhere = "10.9.9.9:80".parse().expect("an address");
            assert_eq!(code(Tcp::connect(nowhere).await), libc::ETIMEDOUT);
            let waited = time::now() - start;
            assert_eq!(waited.as_secs(), 127, "{waited:?}");
        })
        .await;
    });
}

#[test]
fn a_writer_to_a_reader_that_does_not_read_blocks() {
    let config = NetConfig {
        send_buffer: 10_000,
        receive_buffer: 20_000,
        ..calm()
    };
    run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        let written = on(A, async move {
            let mut written = 0;
            while let Some(count) = within(Duration::from_secs(60), client.send(&[7; 3_000])).await
            {
                written += count.expect("the stream is open");
            }
            written
        })
        .await;
        assert_eq!(written, 30_000, "both buffers, and not a byte more");
        let (read, more) = on(B, async move {
            let read = server.recv_exact(30_000).await.expect("all of it is there");
            (
                read,
                within(Duration::from_secs(60), server.recv(&mut [0; 8])).await,
            )
        })
        .await;
        assert_eq!(read, [7; 30_000]);
        assert!(more.is_none(), "nothing else was written");
        on(A, async move {
            client.send_all(b"on").await.expect("there is room again")
        })
        .await;
        let read = on(B, async move { server.recv_exact(2).await }).await;
        assert_eq!(read.expect("the stream goes on"), b"on");
    });
}

#[test]
fn a_megabyte_arrives_in_order_through_small_windows() {
    let config = NetConfig {
        send_buffer: 5_000,
        receive_buffer: 7_000,
        segment_max: 1_460,
        partial_io: NetConfig::default().partial_io,
        latency: NetConfig::default().latency,
        ..calm()
    };
    run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = bytes.clone();
        go(A, async move {
            client.send_all(&bytes).await.expect("the reader reads");
            client.close();
        });
        let read = on(B, server.recv_to_end()).await.expect("nothing is wrong");
        assert!(read == expected);
    });
}

#[test]
fn half_close_ends_one_direction_after_what_is_in_flight() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        on(A, async move {
            client.send_all(b"question").await.expect("it is open");
            client.shutdown(Shutdown::Write).expect("it is open");
            assert_eq!(code(client.send(b"x").await), libc::EPIPE);
        })
        .await;
        on(B, async move {
            assert_eq!(server.recv_to_end().await.expect("all of it"), b"question");
            server
                .send_all(b"answer")
                .await
                .expect("this direction is open");
            server.close();
        })
        .await;
        on(A, async move {
            assert_eq!(client.recv_to_end().await.expect("all of it"), b"answer");
            client.close();
        })
        .await;
        settle().await;
        let left: Vec<_> = net()
            .netstat()
            .into_iter()
            .filter(|s| s.peer.is_some())
            .collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn a_drop_with_unread_data_resets_the_peer() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        on(A, async move {
            client.send_all(b"never read").await.expect("it is open")
        })
        .await;
        settle().await;
        on(B, async move { server.close() }).await;
        settle().await;
        on(A, async move {
            assert_eq!(code(client.recv(&mut [0; 8]).await), libc::ECONNRESET);
            assert_eq!(client.recv(&mut [0; 8]).await.expect("once"), 0);
            assert_eq!(code(client.send(b"x").await), libc::EPIPE);
        })
        .await;
    });
}

#[test]
fn a_write_after_a_reset_fails_once_with_it_and_then_with_a_broken_pipe() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        on(B, async move {
            let zero = Some(Duration::ZERO);
            net()
                .set_options(server.0, |options| options.linger = zero)
                .expect("it is open");
            server.close();
        })
        .await;
        settle().await;
        on(A, async move {
            assert_eq!(code(client.send(b"x").await), libc::ECONNRESET);
            assert_eq!(code(client.send(b"x").await), libc::EPIPE);
        })
        .await;
    });
}

#[test]
fn data_to_a_peer_that_has_closed_comes_back_as_a_reset() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        on(B, async move { server.close() }).await;
        settle().await;
        on(A, async move {
            assert_eq!(client.recv(&mut [0; 8]).await.expect("the end"), 0);
            client
                .send_all(b"into the void")
                .await
                .expect("the kernel takes it");
            settle().await;
            assert_eq!(
                code(client.send(b"x").await),
                libc::EPIPE,
                "it had read the end"
            );
        })
        .await;
    });
}

#[test]
fn the_backlog_is_kept_and_then_connects_wait() {
    run(calm(), || async {
        let listener = on(B, async {
            net()
                .tcp_listen(([0, 0, 0, 0], 7).into(), 1)
                .expect("the port is free")
        })
        .await;
        let connects: Vec<_> = (0..3)
            .map(|_| spawn_on(A, "connect", Tcp::connect(addr(B, 7))))
            .collect();
        settle().await;
        let done = connects
            .iter()
            .filter(|connect| connect.is_finished())
            .count();
        assert!(done >= 2, "a backlog of 1 keeps two");
        on(B, async move {
            for _ in 0..3 {
                accept(listener).await;
            }
        })
        .await;
        for connect in connects {
            connect
                .await
                .expect("it ends")
                .expect("a retry gets through");
        }
    });
}

#[test]
fn dropping_a_listener_resets_what_it_had_queued() {
    run(calm(), || async {
        let listener = on(B, async { listen(7) }).await;
        let client = on(A, Tcp::connect(addr(B, 7)))
            .await
            .expect("the kernel accepts");
        on(B, async move {
            the_world().close(listener).expect("it is open")
        })
        .await;
        settle().await;
        on(A, async move {
            assert_eq!(code(client.recv(&mut [0; 8]).await), libc::ECONNRESET);
            assert_eq!(code(Tcp::connect(addr(B, 7)).await), libc::ECONNREFUSED);
        })
        .await;
    });
}

#[test]
fn both_halves_may_wait_in_tasks_of_their_own() {
    let config = NetConfig {
        send_buffer: 1_000,
        receive_buffer: 1_000,
        ..calm()
    };
    run(config, || async {
        let (client, server) = pair(A, B, 7).await;
        let reader = spawn_on(A, "reader", async move { client.recv_exact(3).await });
        let writer = spawn_on(
            A,
            "writer",
            async move { client.send_all(&[1; 5_000]).await },
        );
        settle().await;
        assert!(!reader.is_finished() && !writer.is_finished());
        on(B, async move {
            server.send_all(b"yes").await.expect("it is open");
            server.recv_exact(5_000).await.expect("all of it");
        })
        .await;
        assert_eq!(reader.await.expect("it ends").expect("it reads"), b"yes");
        writer.await.expect("it ends").expect("it writes");
    });
}

#[test]
fn a_task_that_waits_is_reported_with_its_socket_and_its_addresses() {
    let summary = run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        drop(spawn_on(A, "reader", async move {
            client.recv_exact(3).await.map(drop)
        }));
        settle().await;
    });
    let reader = summary
        .leaks
        .tasks
        .iter()
        .find(|task| task.contains("reader"));
    let reader = reader.expect("it waits still");
    assert!(reader.starts_with("a: reader ("), "{reader}");
    assert!(reader.contains(" tcp-stream 10.1.0.1:"), "{reader}");
    assert!(
        reader.contains(" -> 10.1.0.2:7 to be readable since 0.0"),
        "{reader}"
    );
}

#[test]
fn any_number_of_tasks_may_wait_for_a_listener() {
    run(calm(), || async {
        let listener = on(B, async { listen(7) }).await;
        let waiting: Vec<_> = (0..3)
            .map(|_| spawn_on(B, "accept", accept(listener)))
            .collect();
        settle().await;
        for _ in 0..3 {
            on(A, Tcp::connect(addr(B, 7))).await.expect("it listens");
        }
        for accepted in waiting {
            accepted.await.expect("each gets one");
        }
    });
}

#[test]
fn closing_wakes_whoever_waits() {
    run(calm(), || async {
        let (client, _server) = pair(A, B, 7).await;
        let reader = spawn_on(A, "reader", async move { client.recv(&mut [0; 1]).await });
        settle().await;
        on(A, async move { client.close() }).await;
        assert_eq!(code(reader.await.expect("it ends")), libc::EBADF);
    });
}

#[test]
fn peeking_leaves_the_bytes_there() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        on(A, async move {
            client.send_all(b"abc").await.expect("it is open")
        })
        .await;
        on(B, async move {
            ready(server.0, Interest::READABLE)
                .await
                .expect("data comes");
            let mut into = [0; 2];
            assert_eq!(
                net()
                    .recv(server.0, &mut into, true)
                    .expect("data is there"),
                2
            );
            assert_eq!(server.recv_exact(3).await.expect("data is there"), b"abc");
        })
        .await;
    });
}

#[test]
fn the_same_seed_gives_the_same_digest_and_another_does_not() {
    let digest = |seed| {
        let config = NetConfig {
            partial_io: NetConfig::default().partial_io,
            ..stormy()
        };
        run_seed(seed, config, || async {
            go(B, echo(7));
            go(C, echo(7));
            settle().await;
            let clients = [(A, B), (A, C), (B, C), (C, B)].map(|(from, to)| {
                spawn_on(from, "client", async move {
                    let stream = Tcp::connect(addr(to, 7)).await.expect("somebody listens");
                    for round in 0..50_usize {
                        let bytes = vec![round as u8; 1 + round * 31];
                        stream.send_all(&bytes).await.expect("it is open");
                        let back = stream.recv_exact(bytes.len()).await.expect("it comes back");
                        assert_eq!(back, bytes);
                    }
                    stream.close();
                })
            });
            for client in clients {
                client.await.expect("it ends");
            }
        })
        .digest
    };
    assert_eq!(digest(11), digest(11));
    assert_ne!(digest(11), digest(12));
}

fn stormy() -> NetConfig {
    let latency = Latency {
        tail_max: 200,
        ..NetConfig::default().latency
    };
    let loss = sim_net::Chance { num: 1, den: 20 };
    NetConfig {
        latency,
        loss,
        ..NetConfig::default()
    }
}

#[test]
fn five_percent_loss_delays_a_stream_and_loses_nothing() {
    run(stormy(), || async {
        let (client, server) = pair(A, B, 7).await;
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 241) as u8).collect();
        let expected = bytes.clone();
        go(A, async move {
            for piece in bytes.chunks(700) {
                client.send_all(piece).await.expect("it is open");
            }
            client.close();
        });
        assert!(on(B, server.recv_to_end()).await.expect("nothing is wrong") == expected);
    });
}
