//! What libc answers inside a simulation: clocks, entropy, sleeping.
//!
//! Called from interposed symbols, in the middle of anything, so nothing here panics or takes a
//! borrow that could be held.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::clock::GuestClock;
use crate::digest::EventKind;
use crate::ids::SimInstant;
use crate::interpose::constructors;
use crate::stream::{Root, Stream};
use crate::world;

/// What the monotonic clock shows at the start, so that going back from it does not underflow.
const MONOTONIC_START_NS: u64 = 1_000_000 * 1_000_000_000;

/// A clock read takes between 20 and 83 ns, so that code that spins on a clock gets on.
const CLOCK_READ_MIN_NS: u64 = 20;

/// The guests' entropy and the small costs of reading clocks.
pub(crate) struct GuestState {
    root: Root,
    epoch_ns: u64,
    entropy: RefCell<Vec<Option<Stream>>>,
    auxiliary: Box<[u8; 16]>,
    /// Whether a clock is only looked at: no time goes by.
    only_looks: Cell<bool>,
}

/// Restores what was before it, also in a panic.
struct OnlyLooks(bool);

impl Drop for OnlyLooks {
    fn drop(&mut self) {
        world::try_with(|world| world.guest.only_looks.set(self.0));
    }
}

/// Does something that must not be part of what happens, such as writing a line of a log: a clock
/// that is read meanwhile takes no time for it, and shows no fault that counts its readers.
/// Outside a simulation it is a plain call.
pub fn only_looking<R>(act: impl FnOnce() -> R) -> R {
    let before = world::try_with(|world| world.guest.only_looks.replace(true));
    let _restored = before.map(OnlyLooks);
    act()
}

impl GuestState {
    pub(crate) fn new(root: &Root, epoch_ns: u64) -> Self {
        let mut auxiliary = Box::new([0; 16]);
        root.stream("guest.auxiliary", 0).fill(&mut *auxiliary);
        Self {
            auxiliary,
            root: root.clone(),
            epoch_ns,
            entropy: RefCell::new(Vec::new()),
            only_looks: Cell::new(false),
        }
    }

    pub(crate) const fn epoch_ns(&self) -> u64 {
        self.epoch_ns
    }

    fn fill(&self, node: u32, buf: &mut [u8]) -> bool {
        let Ok(mut streams) = self.entropy.try_borrow_mut() else {
            return false;
        };
        let index = node as usize;
        if streams.len() <= index {
            streams.resize_with(index + 1, || None);
        }
        let stream = streams[index]
            .get_or_insert_with(|| self.root.stream("guest.entropy", u64::from(node)));
        stream.fill(buf);
        true
    }
}

/// Reads a clock; `None` outside a simulation.
pub(crate) fn clock_read(clock: GuestClock) -> Option<u64> {
    world::try_with(|world| {
        // The step depends on seed and time: no stream that an extra read would shift.
        let now = world.now().as_nanos();
        let mixed = (now ^ world.guest.root.key()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let step = CLOCK_READ_MIN_NS + (mixed >> 58);
        let only_looks = world.guest.only_looks.get();
        let ahead = match world.clocks.are_right() {
            true => 0,
            false if only_looks => world.clocks.ahead(world.current_node(), clock, now),
            false => world.clocks.read(world, clock),
        };
        if !only_looks {
            world.advance(step);
        }
        let start = match clock {
            GuestClock::Monotonic | GuestClock::Raw | GuestClock::Boot => MONOTONIC_START_NS,
            GuestClock::Realtime => world.guest.epoch_ns,
        };
        start.saturating_add(now).saturating_add_signed(ahead)
    })
    .or_else(|| constructors::clock_read(clock))
}

/// Fills `buf` from the running node's entropy; false outside a simulation.
pub(crate) fn entropy(buf: &mut [u8]) -> bool {
    world::try_with(|world| {
        let filled = world.guest.fill(world.current_node().0, buf);
        if filled {
            world.event(
                EventKind::Entropy,
                u64::from(world.current_node().0),
                buf.len() as u64,
            );
        }
        filled
    })
    .unwrap_or_else(|| constructors::fill(buf))
}

/// Who runs.
pub(crate) struct Identity {
    pub(crate) name: Rc<str>,
    pub(crate) boot: u32,
}

/// Who runs; `None` outside a simulation, or while the list of nodes is being changed.
pub(crate) fn identity() -> Option<Identity> {
    world::try_with(|world| {
        let nodes = world.nodes.try_borrow().ok()?;
        Some(Identity {
            name: nodes.name(world.current_node()),
            boot: world.current_boot().0,
        })
    })?
}

/// 16 bytes that stand for those that the kernel gives each program; `None` outside.
pub(crate) fn auxiliary_bytes() -> Option<*const u8> {
    world::try_with(|world| world.guest.auxiliary.as_ptr())
}

/// Sleeps in the way of a thread: nothing else of the world runs meanwhile, as if the processor
/// were busy. False outside a simulation.
pub(crate) fn sleep(nanos: u64) -> bool {
    world::try_with(|world| {
        let end = SimInstant(world.clock().as_nanos().saturating_add(nanos));
        let nanos = match world.clocks.are_right() {
            true => nanos,
            false => world.virtual_instant(end).since(world.now()).as_nanos() as u64,
        };
        world.advance(nanos);
        world.event(EventKind::Clock, nanos, 0);
        true
    })
    .unwrap_or_else(|| constructors::sleep(nanos))
}
