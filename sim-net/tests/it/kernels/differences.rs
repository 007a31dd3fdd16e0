//! Where the simulation differs from the kernel, and why it may.

use super::{Kernel, addr, listener, tcp, udp};

type Difference = (&'static str, fn(&mut Kernel), &'static str);

pub(super) const CASES: &[Difference] = &[
    (
        "bind to a port whose connection has just been closed",
        |k| {
            let there = listener(8);
            let port = addr(&there);
            let client = tcp();
            k.say(client.connect(&port));
            let (server, _) = there.accept().expect("one is queued");
            drop(server);
            k.settle();
            drop(client);
            k.settle();
            drop(there);
            k.say(tcp().bind(&port));
        },
        "TIME_WAIT ends as soon as both ends are done: a minute of it would only cost time",
    ),
    (
        "shut a datagram socket down that has a peer",
        |k| {
            let (one, other) = (udp(), udp());
            k.say(one.connect(&addr(&other)));
            k.say(one.shutdown(std::net::Shutdown::Write));
        },
        "datagram sockets have no half that could be closed here",
    ),
];
