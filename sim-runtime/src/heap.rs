//! Memory counted by node: an allocator over the system's that knows for whom it allocates.
//!
//! A test binary has it by one line:
//!
//! ```
//! #[global_allocator]
//! static HEAP: sim_runtime::Heap = sim_runtime::Heap;
//! ```
//!
//! It is what makes a limit on a node's memory possible; whatever else a binary runs, inside and
//! outside of simulations, is as it is without. A block costs 16 bytes more (its alignment, if
//! that is larger) and some 20 instructions.
#![expect(unsafe_code, reason = "an allocator deals in raw blocks")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;

use crate::ids::{Boot, NodeId};
use crate::world::{Current, World, peek};

/// The allocator. Each block is charged to the process whose code asked for it, until it is given
/// back or the process ends; what the simulator holds for a process is charged to it, too, as far
/// as the process's own calls made it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heap;

/// What a process holds of memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Now.
    pub now: u64,
    /// The most that it has held.
    pub peak: u64,
}

/// Who holds a block; the bytes just before it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Owner {
    /// The world's number; 0: nobody is charged.
    world: u64,
    node: u32,
    boot: u32,
}

impl Owner {
    const NOBODY: Self = Self {
        world: 0,
        node: 0,
        boot: 0,
    };
}

/// The memory of a world's nodes, by their numbers.
#[derive(Default)]
pub(crate) struct Memory {
    held: RefCell<Vec<(Boot, MemoryUse)>>,
}

impl Memory {
    /// Charges a process; whether it was. The list's own growth is nobody's.
    fn charge(&self, current: Current, bytes: u64) -> bool {
        let Ok(mut held) = self.held.try_borrow_mut() else {
            return false;
        };
        let place = current.node.0 as usize;
        if held.len() <= place {
            held.resize(place + 1, (Boot(0), MemoryUse::default()));
        }
        let (boot, held) = &mut held[place];
        if *boot < current.boot {
            (*boot, *held) = (current.boot, MemoryUse::default());
        }
        // What is left of an earlier process runs for nobody.
        let is_its = *boot == current.boot;
        if is_its {
            held.now += bytes;
            held.peak = held.peak.max(held.now);
        }
        is_its
    }

    fn discharge(&self, owner: Owner, bytes: u64) {
        let Ok(mut held) = self.held.try_borrow_mut() else {
            return;
        };
        if let Some((boot, held)) = held.get_mut(owner.node as usize)
            && boot.0 == owner.boot
        {
            held.now = held.now.saturating_sub(bytes);
        }
    }
}

impl World {
    /// What the present process of a node holds of memory; `None`: memory is not counted, as the
    /// binary's allocator is not [`Heap`].
    pub fn memory(&self, node: NodeId) -> Option<MemoryUse> {
        let held = self.memory.held.borrow();
        // The harness always holds something.
        let counted = held.first().is_some_and(|(_, harness)| harness.peak > 0);
        let of_node = held.get(node.0 as usize).copied();
        let is_present = |(boot, _): &(Boot, MemoryUse)| *boot == self.boot_of(node);
        counted.then(|| {
            of_node
                .filter(is_present)
                .map_or_else(MemoryUse::default, |(_, held)| held)
        })
    }
}

/// How far into a block of the system's the caller's begins.
fn offset(layout: Layout) -> usize {
    layout.align().max(size_of::<Owner>())
}

/// The block that the system is asked for; `None`: there is none so large.
fn whole(layout: Layout) -> Option<Layout> {
    let size = layout.size().checked_add(offset(layout))?;
    Layout::from_size_align(size, layout.align().max(align_of::<Owner>())).ok()
}

fn owner_of_now(bytes: usize) -> Owner {
    let charged = peek(|world| {
        let current = world.current();
        let is_charged = world.memory.charge(current, bytes as u64);
        is_charged.then_some(Owner {
            world: world.id,
            node: current.node.0,
            boot: current.boot.0,
        })
    });
    charged.flatten().unwrap_or(Owner::NOBODY)
}

fn give_back(owner: Owner, bytes: usize) {
    if owner.world != 0 {
        peek(|world| {
            if world.id == owner.world {
                world.memory.discharge(owner, bytes as u64);
            }
        });
    }
}

/// Makes a block of the system's the caller's.
///
/// # Safety
/// `start` is the beginning of a block as [`whole`] describes it, or null.
unsafe fn mark(start: *mut u8, layout: Layout) -> *mut u8 {
    if start.is_null() {
        return start;
    }
    let owner = owner_of_now(layout.size());
    // SAFETY: the block is longer than the offset.
    let block = unsafe { start.add(offset(layout)) };
    // SAFETY: the offset holds an owner, and keeps the alignment of one.
    unsafe { block.cast::<Owner>().sub(1).write(owner) };
    block
}

// SAFETY: every block is the system's for a larger layout with the same or a larger alignment,
// entered by a multiple of that alignment, and is given back as what it was.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(whole) = whole(layout) else {
            return std::ptr::null_mut();
        };
        // SAFETY: its size is not 0.
        let start = unsafe { System.alloc(whole) };
        // SAFETY: it is of this layout.
        unsafe { mark(start, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(whole) = whole(layout) else {
            return std::ptr::null_mut();
        };
        // SAFETY: its size is not 0.
        let start = unsafe { System.alloc_zeroed(whole) };
        // SAFETY: it is of this layout.
        unsafe { mark(start, layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(whole) = whole(layout) else {
            return;
        };
        // SAFETY: an owner stands before each block.
        let owner = unsafe { block.cast::<Owner>().sub(1).read() };
        give_back(owner, layout.size());
        // SAFETY: the block was entered so far in.
        let start = unsafe { block.sub(offset(layout)) };
        // SAFETY: it is the system's, of this layout.
        unsafe { System.dealloc(start, whole) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let larger = Layout::from_size_align(size, layout.align()).ok();
        let (Some(old), Some(new)) = (whole(layout), larger.and_then(whole)) else {
            return std::ptr::null_mut();
        };
        // SAFETY: an owner stands before each block.
        let owner = unsafe { block.cast::<Owner>().sub(1).read() };
        // SAFETY: the block was entered so far in.
        let start = unsafe { block.sub(offset(layout)) };
        // SAFETY: it is the system's, of this layout, and the new size is not 0.
        let moved = unsafe { System.realloc(start, old, new.size()) };
        if moved.is_null() {
            return moved;
        }
        give_back(owner, layout.size());
        // SAFETY: it is as large as the new layout asks, whose alignment is the old one's.
        unsafe {
            mark(
                moved,
                Layout::from_size_align_unchecked(size, layout.align()),
            )
        }
    }
}
