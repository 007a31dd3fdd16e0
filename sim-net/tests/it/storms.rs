//! Random traffic under random faults: whatever happens, a stream stays a stream.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use sim_net::{Chance, NetConfig};
use sim_runtime::{Down, NodeId, Stream, Summary, spawn_on, time};

use crate::lab::*;

const NODES: [NodeId; 3] = [A, B, C];

fn storm_config(seed: u64) -> NetConfig {
    let loss = if seed.is_multiple_of(3) {
        Chance { num: 1, den: 10 }
    } else {
        Chance::NEVER
    };
    NetConfig {
        loss,
        send_buffer: 3_000 + 997 * (seed as usize % 7),
        receive_buffer: 2_000 + 1_501 * (seed as usize % 5),
        segment_max: 600 + 400 * (seed as usize % 4),
        ..NetConfig::default()
    }
}

/// The byte at an offset of the stream that a client sends.
fn byte(client: u64, offset: usize) -> u8 {
    (offset as u64).wrapping_mul(31).wrapping_add(client * 7) as u8
}

/// Accepts for ever; checks that what arrives is a prefix of what was sent, and answers with the
/// number of bytes it read once the client's direction has ended.
async fn sink(port: u16) {
    let listener = listen(port);
    loop {
        let stream = accept(listener).await;
        drop(sim_runtime::spawn(async move {
            let Ok(client) = stream.recv_exact(1).await else {
                return stream.close();
            };
            let client = u64::from(client[0]);
            let (mut into, mut offset) = ([0; 777], 0);
            loop {
                match stream.recv(&mut into).await {
                    Ok(0) => break,
                    Ok(count) => {
                        for &got in &into[..count] {
                            assert_eq!(got, byte(client, offset), "at {offset}");
                            offset += 1;
                        }
                    }
                    Err(_) => return stream.close(),
                }
            }
            let _ = stream.send_all(&(offset as u64).to_le_bytes()).await;
            stream.close();
        }));
    }
}

/// Sends `len` bytes. `Ok(true)`: the other side has confirmed every one of them.
async fn client(id: u64, to: NodeId, len: usize) -> std::io::Result<bool> {
    let stream = Tcp::connect(addr(to, 7)).await?;
    let bytes: Vec<u8> = (0..len).map(|offset| byte(id, offset)).collect();
    let talk = async {
        stream.send_all(&[id as u8]).await?;
        stream.send_all(&bytes).await?;
        stream.shutdown(std::net::Shutdown::Write)?;
        stream.recv_exact(8).await
    };
    // A reader whose peer lost power would wait for ever.
    let answer = within(Duration::from_secs(2_000), talk).await;
    stream.close();
    let answer = answer.unwrap_or_else(|| Err(std::io::Error::from_raw_os_error(libc::ETIMEDOUT)));
    Ok(answer? == (len as u64).to_le_bytes())
}

async fn cuts(mut rng: Stream, rounds: u32) {
    for round in 0..rounds {
        time::sleep(rng.duration(Duration::ZERO, Duration::from_millis(400))).await;
        let fault = the_world().ledger().plan(&format!("cut {round}"), "cut");
        the_world().ledger().arm(fault, "");
        let (from, to) = (*rng.pick(&NODES), *rng.pick(&NODES));
        net().cut(fault, &[from], &[to]);
        if rng.chance(1, 2) {
            net().cut(fault, &[to], &[from]);
        }
        drop(spawn_on(NodeId::HARNESS, "heal", {
            let open = rng.duration(Duration::ZERO, Duration::from_secs(2));
            async move {
                time::sleep(open).await;
                net().heal(fault);
                the_world().ledger().heal(fault);
            }
        }));
    }
}

async fn deaths(mut rng: Stream, rounds: u32) {
    for round in 0..rounds {
        time::sleep(rng.duration(Duration::ZERO, Duration::from_millis(900))).await;
        let fault = the_world().ledger().plan(&format!("death {round}"), "kill");
        the_world().ledger().arm(fault, "");
        let node = *rng.pick(&NODES);
        let down = if rng.chance(1, 2) {
            Down::Kill
        } else {
            Down::PowerLoss
        };
        net().blame_down(node, fault);
        the_world().kill_node(node, down);
        time::sleep(rng.duration(Duration::ZERO, Duration::from_secs(1))).await;
        the_world().restart_node(node);
        go(node, sink(7));
    }
}

fn storm(seed: u64, kills: u32) -> (Summary, u32) {
    let complete = Rc::new(Cell::new(0));
    let summary = run_seed(seed, storm_config(seed), {
        let complete = Rc::clone(&complete);
        move || async move {
            let mut rng = the_world().stream("test.storm", seed);
            for node in NODES {
                go(node, sink(7));
            }
            settle().await;
            drop(spawn_on(NodeId::HARNESS, "cuts", {
                cuts(the_world().stream("test.cuts", seed), 12)
            }));
            drop(spawn_on(NodeId::HARNESS, "deaths", {
                deaths(the_world().stream("test.deaths", seed), kills)
            }));
            let mut clients = Vec::new();
            for id in 0..12_u64 {
                time::sleep(rng.duration(Duration::ZERO, Duration::from_millis(300))).await;
                let (from, to) = (*rng.pick(&NODES), *rng.pick(&NODES));
                let len = rng.below(60_000) as usize;
                clients.push(spawn_on(from, "client", client(id, to, len)));
            }
            for client in clients {
                match client.await {
                    Ok(Ok(confirmed)) => {
                        assert!(confirmed, "an answer that does not fit");
                        complete.set(complete.get() + 1);
                    }
                    Ok(Err(error)) => assert!(error.raw_os_error().is_some() || kills > 0),
                    Err(lost) => assert!(lost.is_cancelled() && kills > 0, "{lost:?}"),
                }
            }
            time::sleep(Duration::from_secs(3_000)).await;
            // A reader whose peer lost power never learns of it; nothing else may be left.
            for socket in net()
                .netstat()
                .iter()
                .filter(|socket| socket.peer.is_some())
            {
                assert!(kills > 0 && socket.state == "ESTABLISHED", "{socket:?}");
                assert_eq!(socket.send_queue, 0, "{socket:?}");
            }
        }
    });
    (summary, complete.get())
}

#[test]
fn cuts_lose_nothing_inside_a_stream() {
    for seed in 0..40 {
        let (_, complete) = storm(seed, 0);
        assert_eq!(
            complete, 12,
            "seed {seed}: every cut heals, so every client is done"
        );
    }
}

#[test]
fn deaths_leave_prefixes_and_no_connection_behind() {
    let mut complete = 0;
    for seed in 0..40 {
        complete += storm(seed, 4).1;
    }
    assert!(complete > 100, "only {complete} of 480 got through");
}

#[test]
fn storms_repeat() {
    for seed in 0..6 {
        assert_eq!(
            storm(seed, 3).0.digest,
            storm(seed, 3).0.digest,
            "seed {seed}"
        );
    }
}

#[test]
fn what_cuts_injected_is_what_links_dropped() {
    for seed in 0..10 {
        let dropped = Rc::new(Cell::new(0));
        let summary = run_seed(seed, calm(), {
            let dropped = Rc::clone(&dropped);
            move || async move {
                go(B, sink(7));
                go(C, sink(7));
                settle().await;
                drop(spawn_on(NodeId::HARNESS, "cuts", {
                    cuts(the_world().stream("test.cuts", seed), 6)
                }));
                for id in 0..4 {
                    let to = if id % 2 == 0 { B } else { C };
                    on(A, client(id, to, 20_000))
                        .await
                        .expect("every cut heals");
                }
                time::sleep(Duration::from_secs(500)).await;
                let by_fault = |(_, stats): (_, sim_net::LinkStats)| -> u64 {
                    assert_eq!(stats.offered, stats.delivered + stats.dropped);
                    stats.dropped_by.values().sum()
                };
                dropped.set(net().stats().into_iter().map(by_fault).sum());
            }
        });
        let injected: u64 = summary
            .ledger
            .iter()
            .filter_map(|row| row.injected.get("packets-dropped"))
            .sum();
        assert_eq!(injected, dropped.get());
    }
}
