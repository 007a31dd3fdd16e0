//! Where the simulation differs from the kernel, and why it may.

use super::{Kernel, unix};

type Difference = (&'static str, fn(&mut Kernel), &'static str);

pub(super) const CASES: &[Difference] = &[(
    "bind a Unix socket to the path of one that was closed",
    |k| {
        let at = unix::path(k, "left");
        drop(unix::listener(&at, 1));
        k.say(unix::stream().bind(&at));
        k.say(unix::stream().connect(&at));
    },
    "names of Unix sockets are no files of the simulated disk: they go with their socket",
)];
