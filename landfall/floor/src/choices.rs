//! Choices that libraries make by themselves.

use std::cell::RefCell;
use std::rc::Rc;

use futures::FutureExt as _;
use futures::future::join_all;

use crate::probe;

/// Thirty-two choices between three branches that are all ready.
macro_rules! choices {
    ($tokio:ident) => {{
        let mut taken = String::new();
        for _ in 0..32 {
            let branch = $tokio::select! {
                () = async {} => 'a',
                () = async {} => 'b',
                () = async {} => 'c',
            };
            taken.push(branch);
        }
        taken
    }};
}

probe!(60, "tokio select!", choices!(sim_tokio));
probe!(61, "tokio select! (real)", choices!(tokio_real));
probe!(62, "tokio watch", {
    // Receivers are woken in an order that depends on where each has put itself.
    let (sender, receiver) = tokio_real::sync::watch::channel(0);
    let order = Rc::new(RefCell::new(Vec::new()));
    let tasks: Vec<_> = (0..24)
        .map(|index| {
            let (mut receiver, order) = (receiver.clone(), Rc::clone(&order));
            let waits = async move {
                receiver.changed().await.expect("the sender lives");
                order.borrow_mut().push(index);
            };
            sim_runtime::spawn(waits)
        })
        .collect();
    sim_runtime::time::sleep(std::time::Duration::from_millis(1)).await;
    sender.send(1).expect("there are receivers");
    join_all(tasks).await;
    format!("{:?}", order.borrow())
});
probe!(63, "futures select!", {
    let mut taken = String::new();
    for _ in 0..32 {
        let (mut a, mut b, mut c) = (
            futures::future::ready(()),
            futures::future::ready(()),
            futures::future::ready(()),
        );
        let branch = futures::select! {
            () = (&mut a).fuse() => 'a',
            () = (&mut b).fuse() => 'b',
            () = (&mut c).fuse() => 'c',
        };
        taken.push(branch);
    }
    taken
});
