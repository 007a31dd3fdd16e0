//! What a device is to the world, and what a descriptor is to the table.

use std::any::Any;
use std::io::{self, SeekFrom};
use std::rc::Rc;

use crate::files::FileCalls;
use crate::ids::{Boot, NodeId};
use crate::nodes::Down;
use crate::sockets::SocketCalls;
use crate::world::World;

/// Where a device stands in the world's list; timers name devices by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceId(pub(crate) u32);

/// A part of the simulated kernel: a network, a disk.
///
/// The world calls these with none of its own state borrowed. A device must not wake a waker, or
/// drop what a guest gave it, while its own state is borrowed.
pub trait Device: Any {
    /// For reports.
    fn name(&self) -> &'static str;

    /// A timer armed with [`World::device_event_at`] is due.
    fn on_event(&self, world: &Rc<World>, token: u64);

    /// A node goes down. Its boot is no longer alive; its descriptors are abandoned right after
    /// this call, and then its tasks are dropped.
    fn node_down(&self, _world: &Rc<World>, _node: NodeId, _boot: Boot, _down: Down) {}

    /// A node starts, before any of its tasks runs.
    fn node_up(&self, _world: &Rc<World>, _node: NodeId, _boot: Boot) {}

    /// The simulation ends: wakers and queues are to be dropped.
    fn finish(&self, _world: &Rc<World>) {}
}

/// What `fstat(2)` tells of a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its type and who may do what, as in Linux's `st_mode`.
    pub mode: u32,
    /// In bytes; 0 for what is no file.
    pub size: u64,
}

/// `st_mode` of a socket that everybody may use, in Linux's numbers.
const SOCKET: u32 = 0o140_777;

/// An open file description: what one or more descriptors refer to.
pub trait Description: Any {
    /// `tcp-stream`, `file`, ...; for reports.
    fn kind(&self) -> &'static str;

    /// Its kind and what tells it from others, such as its addresses; for reports.
    fn describe(&self) -> String {
        self.kind().to_owned()
    }

    /// The guest closed the last descriptor: what `close(2)` does.
    fn close(&self, world: &Rc<World>);

    /// Its process died ([`Down::Kill`], [`Down::Exit`]: the kernel closes it) or its machine did
    /// ([`Down::PowerLoss`]: silence).
    fn abandoned(&self, world: &Rc<World>, down: Down);

    /// What `fstat(2)` tells: a socket, unless the description says otherwise.
    fn status(&self) -> Status {
        Status {
            mode: SOCKET,
            size: 0,
        }
    }

    /// `lseek(2)`: the new position.
    ///
    /// # Errors
    /// `ESPIPE` unless the description says otherwise: it has no position.
    fn seek(&self, _to: SeekFrom) -> io::Result<u64> {
        Err(io::Error::from_raw_os_error(libc::ESPIPE))
    }

    /// The socket that it is, if it is one.
    fn as_socket(&self) -> Option<&dyn SocketCalls> {
        None
    }

    /// The file or directory of a disk that it is, if it is one.
    fn as_file(&self) -> Option<&dyn FileCalls> {
        None
    }

    /// `read(2)` by code that knows nothing of the simulation.
    ///
    /// # Errors
    /// `EINVAL` unless the description says otherwise: it is not for reading in this way.
    fn read(&self, _world: &Rc<World>, _out: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(libc::EINVAL))
    }
}
