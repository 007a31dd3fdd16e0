//! An allocator that counts what this thread holds.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by what it is; it hands everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes allocated on this thread and not freed by it. Without a destructor, so that it can be
    /// counted in at any time.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what is asked of it. To be made a program's own:
///
/// ```
/// #[global_allocator]
/// static HEAP: landfall_benches::heap::Counted = landfall_benches::heap::Counted;
///
/// let before = landfall_benches::heap::held();
/// let kept = vec![0_u8; 1_000];
/// assert_eq!(landfall_benches::heap::held() - before, 1_000);
/// drop(kept);
/// ```
#[derive(Debug)]
pub struct Counted;

/// Bytes that this thread has allocated and not freed: as they were asked for, without what the
/// system's allocator adds. Always 0 where [`Counted`] is not the program's allocator.
#[must_use]
pub fn held() -> i64 {
    HELD.get()
}

#[expect(
    clippy::cast_possible_wrap,
    reason = "a layout is never larger than an isize"
)]
fn count(more: usize, less: usize) {
    HELD.set(HELD.get() + more as i64 - less as i64);
}

// SAFETY: everything is the system allocator's, which keeps the contract.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise is handed on.
        unsafe { System.realloc(place, layout, size) }
    }
}
