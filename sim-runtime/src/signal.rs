//! The stop signal of a node, as its guest waits for it.

use std::future::poll_fn;
use std::task::Poll;

use crate::world::with;

/// Completes when the running node is asked to stop. From the first call on, the signal no
/// longer ends the process by itself, as with any handler.
///
/// # Panics
/// Outside a simulation.
pub async fn ctrl_c() {
    let node = with(|world| world.current_node());
    let seen = with(|world| {
        let mut nodes = world.nodes.borrow_mut();
        let signal = nodes.stop_signal(node);
        signal.handled = true;
        signal.sent
    });
    poll_fn(|cx| {
        with(|world| {
            let mut nodes = world.nodes.borrow_mut();
            let signal = nodes.stop_signal(node);
            if signal.sent > seen {
                return Poll::Ready(());
            }
            if !signal
                .wakers
                .iter()
                .any(|waker| waker.will_wake(cx.waker()))
            {
                signal.wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
    })
    .await;
}
