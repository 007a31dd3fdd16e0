//! The stop signal of a node, as its guest waits for it.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use crate::ids::{Boot, NodeId};
use crate::world::{try_with, with};

/// A place among those that wait; given up when the wait is over or dropped.
struct Place {
    node: NodeId,
    boot: Boot,
    number: u64,
}

impl Place {
    fn put(&self, waker: Option<Waker>) {
        // What was there is dropped with nothing borrowed.
        let _old = try_with(|world| {
            if world.boot_of(self.node) != self.boot {
                return None;
            }
            let mut nodes = world.nodes.borrow_mut();
            let wakers = &mut nodes.stop_signal(self.node).wakers;
            match waker {
                Some(waker) => wakers.insert(self.number, waker),
                None => wakers.remove(&self.number),
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.put(None);
    }
}

/// Completes when the running node is asked to stop. From the first call on, the signal no
/// longer ends the process by itself, as with any handler. O(log n) in those that wait.
///
/// # Panics
/// Outside a simulation.
pub async fn ctrl_c() {
    let (place, seen) = with(|world| {
        let (node, boot) = (world.current_node(), world.boot_of(world.current_node()));
        let mut nodes = world.nodes.borrow_mut();
        let signal = nodes.stop_signal(node);
        signal.handled = true;
        signal.waited += 1;
        let number = signal.waited;
        (Place { node, boot, number }, signal.sent)
    });
    poll_fn(|cx| {
        let sent = with(|world| world.nodes.borrow_mut().stop_signal(place.node).sent);
        if sent > seen {
            return Poll::Ready(());
        }
        place.put(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await;
}
