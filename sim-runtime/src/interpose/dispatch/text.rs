//! Where the code of a loaded object lies.
#![expect(unsafe_code, reason = "asks the dynamic loader, which calls back")]

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::ptr;

/// What is looked for, and what was found.
struct Search {
    address: usize,
    found: Option<Range<usize>>,
}

/// The executable segment of the object that `address` lies in; `None` if no loaded object has
/// it. Walks all objects: once a process.
pub(super) fn around(address: usize) -> Option<Range<usize>> {
    let mut search = Search {
        address,
        found: None,
    };
    let argument = ptr::from_mut(&mut search).cast::<c_void>();
    // SAFETY: `look_at` takes `argument` for the `Search` that it points to, which outlives the
    // call.
    unsafe { libc::dl_iterate_phdr(Some(look_at), argument) };
    search.found
}

unsafe extern "C" fn look_at(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    search: *mut c_void,
) -> c_int {
    // SAFETY: the loader passes a valid description of an object.
    let info = unsafe { &*info };
    // SAFETY: `around` passed its own `Search`, which nobody else has at this time.
    let search = unsafe { &mut *search.cast::<Search>() };
    let segments = (0..usize::from(info.dlpi_phnum)).map(|index| {
        // SAFETY: the loader's array has `dlpi_phnum` entries.
        unsafe { *info.dlpi_phdr.add(index) }
    });
    let base = info.dlpi_addr as usize;
    let range = |segment: &libc::Elf64_Phdr| {
        let start = base.wrapping_add(segment.p_vaddr as usize);
        start..start.wrapping_add(segment.p_memsz as usize)
    };
    let loaded = segments.filter(|segment| segment.p_type == libc::PT_LOAD);
    let (mut inside, mut text) = (false, None);
    for segment in loaded {
        let range = range(&segment);
        inside |= range.contains(&search.address);
        if segment.p_flags & libc::PF_X != 0 {
            text.get_or_insert(range);
        }
    }
    if inside {
        search.found = text;
    }
    c_int::from(inside)
}
