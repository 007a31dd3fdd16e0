//! Sockets in the hands of somebody who means no good: any call on any descriptor at any time,
//! ports until there are none, machines that end with every pipe full.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use sim_net::{Chance, Effect, Interest, NetConfig};
use sim_runtime::{Down, Fd, NodeId, Stream, Summary, spawn_on, time};

use crate::lab::*;

const NODES: [NodeId; 3] = [A, B, C];

/// Numbers that these calls may answer, by socket(7), tcp(7), udp(7) and their own pages.
const ERRORS: [i32; 20] = [
    libc::EAGAIN,
    libc::EBADF,
    libc::EINVAL,
    libc::EPIPE,
    libc::EINPROGRESS,
    libc::EALREADY,
    libc::EISCONN,
    libc::ENOTCONN,
    libc::EADDRINUSE,
    libc::EADDRNOTAVAIL,
    libc::ECONNREFUSED,
    libc::ECONNRESET,
    libc::ECONNABORTED,
    libc::ETIMEDOUT,
    libc::EHOSTUNREACH,
    libc::EDESTADDRREQ,
    libc::EMSGSIZE,
    libc::EOPNOTSUPP,
    libc::ENOTSOCK,
    libc::EMFILE,
];

/// Every descriptor there ever was, whoever it belongs to and whether it is open or not.
type Descriptors = Rc<RefCell<Vec<Fd>>>;

fn somewhere(draw: &mut Stream) -> SocketAddr {
    let nowhere: SocketAddr = "10.9.9.9:1".parse().expect("an address");
    let port = *draw.pick(&[0, 7, 8, 9, 40_000]);
    match draw.below(6) {
        0 => ([127, 0, 0, 1], port).into(),
        1 => ([0, 0, 0, 0], port).into(),
        2 => nowhere,
        _ => addr(*draw.pick(&NODES), port),
    }
}

fn how(draw: &mut Stream) -> Shutdown {
    *draw.pick(&[Shutdown::Read, Shutdown::Write, Shutdown::Both])
}

/// Makes a socket of any kind, or takes one from a listener.
fn opens(draw: &mut Stream, fd: Option<Fd>) -> io::Result<Fd> {
    match (draw.below(5), fd) {
        (0, _) => net().tcp_socket(),
        (1, _) => net().udp_socket(),
        (2, _) => net().tcp_listen(somewhere(draw), draw.below(3) as u32),
        (3, _) => net().udp_bind(somewhere(draw)),
        (_, Some(fd)) => net().accept(fd).map(|(fd, _)| fd),
        (_, None) => net().tcp_socket(),
    }
}

fn sets_options(draw: &mut Stream, fd: Fd) -> io::Result<()> {
    let (flag, pick) = (draw.chance(1, 2), draw.below(5));
    net().set_options(fd, |options| match pick {
        0 => options.reuse_address = flag,
        1 => options.reuse_port = flag,
        2 => options.linger = flag.then_some(Duration::ZERO),
        3 => options.keepalive = flag,
        _ => options.user_timeout = flag.then_some(Duration::from_millis(1 + pick * 900)),
    })
}

/// One call, whatever it means for this descriptor.
fn calls(draw: &mut Stream, fd: Fd) -> io::Result<()> {
    let bytes = vec![7; draw.below(9_000) as usize];
    let mut into = vec![0; draw.below(9_000) as usize];
    let peek = draw.chance(1, 4);
    match draw.below(17) {
        0 => net().bind(fd, somewhere(draw)),
        1 => net().listen(fd, draw.below(3) as u32),
        2 | 3 => net().connect(fd, somewhere(draw)),
        4 => net().udp_connect(fd, somewhere(draw)),
        5 | 6 => net().send(fd, &bytes).map(drop),
        7 => {
            let (head, tail) = bytes.split_at(bytes.len() / 3);
            let pieces = [IoSlice::new(head), IoSlice::new(tail)];
            net().send_vectored(fd, &pieces).map(drop)
        }
        8 => net().send_to(fd, &bytes, somewhere(draw)).map(drop),
        9 | 10 => net().recv(fd, &mut into, peek).map(drop),
        11 => net().recv_from(fd, &mut into, peek).map(drop),
        12 => net().shutdown(fd, how(draw)),
        13 => net().take_error(fd).map(drop),
        14 => net().local_addr(fd).and(net().peer_addr(fd)).map(drop),
        15 => sets_options(draw, fd),
        _ => {
            let interest = *draw.pick(&[Interest::READABLE, Interest::WRITABLE]);
            let mut context = Context::from_waker(Waker::noop());
            match net().poll_ready(fd, interest, &mut context) {
                std::task::Poll::Ready(ready) => ready.map(drop),
                std::task::Poll::Pending => net().ready(fd).map(drop),
            }
        }
    }
}

/// Two hundred calls, a few at a time.
async fn meddle(mut draw: Stream, all: Descriptors) {
    for _ in 0..200 {
        let known = all.borrow().len();
        let fd = (known > 0).then(|| all.borrow()[draw.index(known)]);
        let made = match fd {
            Some(fd) if draw.chance(1, 12) => the_world().close(fd),
            Some(fd) if draw.chance(4, 5) => calls(&mut draw, fd),
            _ => opens(&mut draw, fd).map(|fd| all.borrow_mut().push(fd)),
        };
        if let Err(error) = made {
            let code = error.raw_os_error();
            assert!(code.is_some_and(|code| ERRORS.contains(&code)), "{error:?}");
        }
        if draw.chance(1, 3) {
            time::sleep(Duration::from_micros(draw.below(30_000))).await;
        }
    }
}

/// Faults of every kind, and machines that end.
async fn trouble(mut draw: Stream) {
    for round in 0..16 {
        time::sleep(Duration::from_micros(draw.below(300_000))).await;
        let fault = the_world().ledger().plan(&format!("f{round}"), "fault");
        the_world().ledger().arm(fault, "test");
        let (from, to) = ([*draw.pick(&NODES)], [*draw.pick(&NODES)]);
        let chance = Chance { num: 1, den: 3 };
        match draw.below(8) {
            0 => net().cut(fault, &from, &to),
            1 => net().disturb(fault, Effect::Jam, &from, &to),
            2 => net().disturb(fault, Effect::Reject, &from, &to),
            3 => net().disturb(fault, Effect::Loss(chance), &from, &to),
            4 => net().disturb(fault, Effect::Duplicate(chance), &from, &to),
            5 => net().disturb(fault, Effect::Corrupt(chance), &from, &to),
            6 => drop(net().reset(fault, &from, &to)),
            _ => {
                net().blame_down(from[0], fault);
                let how = [Down::Kill, Down::PowerLoss, Down::Exit];
                the_world().kill_node(from[0], *draw.pick(&how));
                time::sleep(Duration::from_micros(draw.below(200_000))).await;
                the_world().restart_node(from[0]);
            }
        }
        time::sleep(Duration::from_micros(draw.below(400_000))).await;
        heal(fault);
    }
}

fn meddling(seed: u64) -> Summary {
    let config = NetConfig {
        send_buffer: 4_000,
        receive_buffer: 3_000,
        segment_max: 900,
        ..NetConfig::default()
    };
    run_seed(seed, config, move || async move {
        let all = Descriptors::default();
        drop(spawn_on(NodeId::HARNESS, "trouble", {
            trouble(the_world().stream("test.trouble", seed))
        }));
        let mut tasks = Vec::new();
        for number in 0..9 {
            let draw = the_world().stream("test.meddle", seed << 8 | number);
            let node = NODES[number as usize % 3];
            tasks.push(spawn_on(node, "meddle", meddle(draw, Rc::clone(&all))));
        }
        for task in tasks {
            if let Err(error) = task.await {
                assert!(error.is_cancelled(), "{error:?}");
            }
        }
        for fd in all.take() {
            let _stale = the_world().close(fd);
        }
        // Two hours and more: whatever is retried or probed has been given up.
        time::sleep(Duration::from_secs(10_000)).await;
        let left = net().netstat();
        assert!(left.is_empty(), "seed {seed}: {left:#?}");
    })
}

#[test]
fn any_call_on_any_descriptor_is_answered_as_a_kernel_may_and_leaves_nothing_behind() {
    for seed in 0..60 {
        let summary = meddling(seed);
        if seed.is_multiple_of(10) {
            assert_eq!(summary.digest, meddling(seed).digest, "seed {seed}");
        }
    }
}

async fn open_and_close(times: u32, to: SocketAddr) -> io::Result<()> {
    for _ in 0..times {
        Tcp::connect(to).await?.close();
    }
    Ok(())
}

/// Accepts and closes for ever.
async fn doorman(port: u16) {
    let listener = listen(port);
    loop {
        accept(listener).await.close();
    }
}

#[test]
fn ports_in_time_wait_run_out_for_one_peer_until_a_minute_is_over() {
    const PORTS: u32 = 60_999 - 32_768 + 1;
    let config = NetConfig {
        latency: sim_net::Latency::constant(Duration::from_micros(10)),
        ..calm()
    };
    run(config, || async {
        go(B, doorman(7));
        go(C, doorman(7));
        settle().await;
        on(A, async {
            let began = time::now();
            let used_up = open_and_close(PORTS, addr(B, 7)).await;
            used_up.expect("there are as many ports");
            let took = time::now().since(began);
            assert!(took < Duration::from_secs(60), "{took:?}");
            let none = open_and_close(1, addr(B, 7)).await;
            assert_eq!(code(none), libc::EADDRNOTAVAIL);
            open_and_close(1, addr(C, 7)).await.expect("another peer");
            time::sleep(Duration::from_secs(61)).await;
            open_and_close(100, addr(B, 7)).await.expect("it is over");
        })
        .await;
    });
}

/// Writes until there is no room, both ways.
fn fill(stream: Tcp) -> usize {
    let bytes = [7; 5_000];
    let sent = std::iter::from_fn(|| net().send(stream.0, &bytes).ok());
    sent.sum()
}

#[test]
fn a_machine_that_ends_with_every_pipe_full_leaves_its_peers_time_outs_and_nothing_else() {
    let config = NetConfig {
        send_buffer: 20_000,
        receive_buffer: 20_000,
        ..calm()
    };
    let summary = run(config, || async {
        let mut ends = Vec::new();
        for number in 0..50 {
            let (client, server) = pair(A, B, 100 + number).await;
            ends.push((client, server));
        }
        for _ in 0..4 {
            for &(client, server) in &ends {
                on(A, async move { fill(client) }).await;
                on(B, async move { fill(server) }).await;
            }
            settle().await;
        }
        let fault = the_world().ledger().plan("power", "power loss");
        the_world().ledger().arm(fault, "");
        net().blame_down(B, fault);
        the_world().kill_node(B, Down::PowerLoss);
        let clients: BTreeSet<Fd> = ends.iter().map(|(client, _)| client.0).collect();
        assert_eq!(clients.len(), 50);
        // What had arrived is read; then nothing comes, and what was sent is given up.
        on(A, async move {
            for (client, _) in ends {
                let mut into = [0; 4_096];
                let mut read = 0;
                let error = loop {
                    match client.recv(&mut into).await {
                        Ok(0) => panic!("nobody has said that it ends"),
                        Ok(count) => read += count,
                        Err(error) => break error,
                    }
                };
                assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT));
                assert_eq!(read, 20_000, "what its kernel had taken");
                assert_eq!(code(client.send(b"x").await), libc::EPIPE);
                client.close();
            }
        })
        .await;
        let left = net().netstat();
        assert!(left.is_empty(), "{left:#?}");
    });
    let observed = &row(&summary, "power").observed;
    assert_eq!(observed["io-errors"], 50, "{observed:?}");
}

#[test]
fn both_ends_close_at_the_same_instant() {
    run(calm(), || async {
        let (client, server) = pair(A, B, 7).await;
        the_world().close(client.0).expect("it is open");
        the_world().close(server.0).expect("it is open");
        settle().await;
        let left = net().netstat();
        let streams: Vec<_> = left.iter().filter(|it| it.peer.is_some()).collect();
        assert!(streams.is_empty(), "{streams:?}");
        // Each was first to say goodbye, so both ports linger.
        for (node, port) in [(B, 7)] {
            let bound = on(node, async move {
                let fd = net().tcp_socket().expect("a descriptor");
                net().bind(fd, ([0, 0, 0, 0], port).into())
            });
            assert_eq!(code(bound.await), libc::EADDRINUSE);
        }
    });
}
