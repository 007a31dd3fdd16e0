//! What a descriptor of the network refers to.

use std::rc::Rc;

use sim_runtime::{Description, Down, SocketCalls, World};

use crate::calls::Manner;
use crate::net::Net;

/// An open socket, as the descriptor table holds it.
pub struct Socket {
    /// No cycle: a network owns no descriptions.
    pub(crate) net: Rc<Net>,
    pub(crate) index: usize,
    pub(crate) manner: Manner,
}

impl Description for Socket {
    fn kind(&self) -> &'static str {
        self.net.kind_of(self.index)
    }

    fn describe(&self) -> String {
        self.net.describe(self.index)
    }

    fn as_socket(&self) -> Option<&dyn SocketCalls> {
        Some(self)
    }

    fn close(&self, world: &Rc<World>) {
        self.net.close_socket(world, self.index, true, false);
    }

    fn abandoned(&self, world: &Rc<World>, down: Down) {
        let silent = down == Down::PowerLoss;
        self.net.close_socket(world, self.index, false, silent);
    }
}
