//! Where the simulation differs from the kernel, and why it may.

use std::mem::MaybeUninit;

use super::{Kernel, addr, local, pair, tcp, unix};

type Difference = (&'static str, fn(&mut Kernel), &'static str);

pub(super) const CASES: &[Difference] = &[
    (
        "bind a Unix socket to the path of one that was closed",
        |k| {
            let at = unix::path(k, "left");
            drop(unix::listener(&at, 1));
            k.say(unix::stream().bind(&at));
            k.say(unix::stream().connect(&at));
        },
        "names of Unix sockets are no files of the simulated disk: they go with their socket",
    ),
    (
        "urgent data",
        |k| {
            let (client, server) = pair();
            k.say(client.send_out_of_band(b"x"));
            k.settle();
            k.say(server.recv_out_of_band(&mut [MaybeUninit::uninit(); 8]));
        },
        "it is refused: who sends it learns so at once, as where a socket knows none",
    ),
    (
        "a socket connects to itself",
        |k| {
            let socket = tcp();
            k.say(socket.bind(&local(0)));
            let own = addr(&socket);
            k.say(socket.connect(&own));
        },
        "two ends that open at the same time are not modelled; nobody listens, so it is refused",
    ),
];
