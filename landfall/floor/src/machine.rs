//! Who and where the process is.

use std::process;
use std::thread;

use crate::probe;

probe!(
    50,
    "available_parallelism",
    format!("{:?}", thread::available_parallelism())
);
probe!(51, "getpid", process::id().to_string());
probe!(52, "hostname", format!("{:?}", gethostname::gethostname()));
probe!(53, "ThreadId", {
    let current = thread::current();
    format!("{:?} {:?}", current.id(), current.name())
});
probe!(54, "ThreadId (spawned)", {
    let seen = thread::scope(|scope| scope.spawn(|| thread::current().id()).join());
    format!("{:?}", seen.expect("it only looks at itself"))
});
