//! The few files of a machine that are entropy or identity, and would differ from run to run.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{self, SeekFrom};
use std::rc::Rc;

use crate::device::{Description, Status};
use crate::guest;
use crate::ids::{Fd, NodeId};
use crate::nodes::Down;
use crate::stream::Stream;
use crate::world::{self, World};

/// `st_mode` of a device that everybody may read and write, in Linux's numbers.
const DEVICE: u32 = 0o020_666;
/// `st_mode` of a file that everybody may read.
const FILE: u32 = 0o100_444;

/// Opens a path that the simulation has an answer for; `None` for every other path, and outside.
pub(crate) fn open(path: &[u8]) -> Option<io::Result<Fd>> {
    // Nearly every path is told apart by its first letters.
    let is_candidate = [&b"/dev/"[..], b"/proc/", b"/etc/", b"/sys/"]
        .iter()
        .any(|root| path.starts_with(root));
    if !is_candidate {
        return None;
    }
    world::try_with(|world| {
        let node = world.current_node();
        let drawn = |purpose: &str| world.stream(purpose, node);
        let text = match path {
            b"/dev/urandom" | b"/dev/random" | b"/dev/hwrng" => {
                return Some(world.open(Rc::new(Random)));
            }
            b"/proc/sys/kernel/random/uuid" => uuid(&mut fresh()?),
            b"/proc/sys/kernel/random/boot_id" => uuid(&mut drawn("guest.boot-id")),
            b"/etc/machine-id" => uuid(&mut drawn("guest.machine-id")).replace('-', ""),
            b"/etc/hostname" | b"/proc/sys/kernel/hostname" => format!("{}\n", name(world, node)),
            // How many processors a container may use: nodes are in none.
            b"/proc/self/cgroup" | b"/proc/self/mountinfo" => return Some(absent()),
            path if path.starts_with(b"/sys/fs/cgroup/") => return Some(absent()),
            _ => return None,
        };
        Some(world.open(Rc::new(Text {
            bytes: text.into_bytes(),
            position: Cell::new(0),
        })))
    })?
}

fn absent() -> io::Result<Fd> {
    Err(io::Error::from_raw_os_error(libc::ENOENT))
}

fn name(world: &World, node: NodeId) -> Rc<str> {
    world.node(node).name
}

/// A stream from the node's entropy, which no other draw continues.
fn fresh() -> Option<Stream> {
    let mut bytes = [0; 8];
    guest::entropy(&mut bytes).then(|| {
        let seed = crate::Seed(u64::from_le_bytes(bytes));
        Stream::of(seed, "guest.uuid", 0)
    })
}

/// A random UUID, version 4, with a line's end.
fn uuid(stream: &mut Stream) -> String {
    let mut bytes = [0; 16];
    stream.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(37);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{byte:02x}").expect("writing to a string succeeds");
    }
    text.push('\n');
    text
}

/// The node's entropy as a file.
struct Random;

impl Description for Random {
    fn kind(&self) -> &'static str {
        "random-device"
    }

    fn close(&self, _world: &Rc<World>) {}

    fn abandoned(&self, _world: &Rc<World>, _down: Down) {}

    fn status(&self) -> Status {
        Status {
            mode: DEVICE,
            size: 0,
        }
    }

    /// As Linux has it: the position is always the start.
    fn seek(&self, _to: SeekFrom) -> io::Result<u64> {
        Ok(0)
    }

    fn read(&self, _world: &Rc<World>, out: &mut [u8]) -> io::Result<usize> {
        match guest::entropy(out) {
            true => Ok(out.len()),
            false => Err(io::Error::from_raw_os_error(libc::EAGAIN)),
        }
    }
}

/// A file that the kernel makes up when it is opened.
struct Text {
    bytes: Vec<u8>,
    position: Cell<usize>,
}

impl Description for Text {
    fn kind(&self) -> &'static str {
        "kernel-file"
    }

    fn close(&self, _world: &Rc<World>) {}

    fn abandoned(&self, _world: &Rc<World>, _down: Down) {}

    /// Such a file tells no size: who reads it reads to its end.
    fn status(&self) -> Status {
        Status {
            mode: FILE,
            size: 0,
        }
    }

    fn seek(&self, to: SeekFrom) -> io::Result<u64> {
        let end = self.bytes.len();
        let sought = match to {
            SeekFrom::Start(offset) => usize::try_from(offset).ok(),
            SeekFrom::Current(offset) => moved(self.position.get(), offset),
            SeekFrom::End(offset) => moved(end, offset),
        };
        let Some(position) = sought else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        self.position.set(position);
        Ok(position as u64)
    }

    fn read(&self, _world: &Rc<World>, out: &mut [u8]) -> io::Result<usize> {
        let rest = self.bytes.get(self.position.get()..).unwrap_or_default();
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.position.set(self.position.get() + count);
        Ok(count)
    }
}

fn moved(position: usize, offset: i64) -> Option<usize> {
    usize::try_from(i64::try_from(position).ok()?.checked_add(offset)?).ok()
}
