//! What a descriptor of the network refers to.

use std::any::Any;
use std::rc::{Rc, Weak};

use sim_runtime::{Description, Down, World};

use crate::net::Net;

/// An open socket, as the descriptor table holds it.
pub struct Socket {
    pub(crate) net: Weak<Net>,
    pub(crate) index: usize,
}

impl Description for Socket {
    fn kind(&self) -> &'static str {
        self.net
            .upgrade()
            .map_or("socket", |net| net.kind_of(self.index))
    }

    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn close(&self, world: &Rc<World>) {
        if let Some(net) = self.net.upgrade() {
            net.close_socket(world, self.index, true, false);
        }
    }

    fn abandoned(&self, world: &Rc<World>, down: Down) {
        if let Some(net) = self.net.upgrade() {
            net.close_socket(world, self.index, false, down == Down::PowerLoss);
        }
    }
}
