//! What a system lets be done to it in operation: the hooks that some faults of plans need.

use std::io;
use std::pin::Pin;

use crate::system::{NodeContext, NodeFuture, Peer};

/// Something that is done to a node, boxed. It runs on a host of its own, `operator`, from which
/// every node can be reached; its `Ok` is the system's word that the thing is done, and the
/// evidence that the fault landed. Given up after 30 s.
pub type HookFuture = Pin<Box<dyn Future<Output = io::Result<()>>>>;

/// What a system offers beside starting and stopping: a method each, all of them left out unless
/// written. A scenario that needs one that is not offered is `INCONCLUSIVE-env`, naming it.
///
/// A hook that is asked for returns what does the work; it must do nothing by itself, since it is
/// asked once before each run just to see whether it is there.
pub trait Hooks: 'static {
    /// The main future of a node in version B, on the disk that version A left: for `upgrade`,
    /// `rolling upgrade`, `mixed versions`, `rollback`. A second, renamed Cargo dependency on the
    /// system is how both versions come into one test.
    fn version_b(&self, _node: NodeContext) -> Option<NodeFuture> {
        None
    }

    /// Gives a node another setting than it has, in the plan's words (empty where the plan has
    /// none: another value of the system's choice); with `None` the usual one again.
    fn configure(&self, _node: &Peer, _setting: Option<&str>) -> Option<HookFuture> {
        None
    }

    /// Makes a node use the credentials of a generation; all begin with generation 0.
    fn rotate_credentials(&self, _node: &Peer, _generation: u32) -> Option<HookFuture> {
        None
    }

    /// Compacts what a node has stored.
    fn compact(&self, _node: &Peer) -> Option<HookFuture> {
        None
    }

    /// Moves data, or load, from a node to others.
    fn rebalance(&self, _node: &Peer) -> Option<HookFuture> {
        None
    }

    /// Takes a backup of a node, in place of the last one.
    fn back_up(&self, _node: &Peer) -> Option<HookFuture> {
        None
    }

    /// Restores a node's last backup.
    fn restore(&self, _node: &Peer) -> Option<HookFuture> {
        None
    }

    /// Makes a node that leads hand its leadership on.
    fn step_down(&self, _node: &Peer) -> Option<HookFuture> {
        None
    }

    /// Takes a node out of the cluster's members.
    fn leave(&self, _node: &Peer) -> Option<HookFuture> {
        None
    }

    /// Makes a node a member again.
    fn join(&self, _node: &Peer) -> Option<HookFuture> {
        None
    }
}
