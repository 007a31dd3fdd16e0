//! Space of a file without its content: fallocate(2), holes, and where data is.

use std::io;
use std::ops::Range;

use super::inode::{InodeId, Kind};
use super::op::Change;
use super::pages::{PAGE, Payload, split};
use super::volume::{SIZE_MAX, Volume};
use crate::errno::errno;

/// What fallocate(2) does with a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Space {
    /// Sets room aside.
    Reserve,
    /// Gives room back; the range reads as zero.
    Punch,
    /// The range reads as zero, with room set aside.
    Zero,
}

impl Volume {
    /// fallocate(2).
    ///
    /// # Errors
    /// `ENOSPC`, `EFBIG`.
    pub(crate) fn allocate_range(
        &mut self,
        id: InodeId,
        space: Space,
        keeps_size: bool,
        range: Range<u64>,
        now_ns: u64,
    ) -> io::Result<()> {
        if range.end > SIZE_MAX {
            return Err(errno(libc::EFBIG));
        }
        if space != Space::Punch {
            self.reserve(id, &range)?;
        }
        if space != Space::Reserve {
            self.zero(id, range.clone(), now_ns);
        }
        if space == Space::Zero {
            self.reserve(id, &range)?;
        }
        if space != Space::Punch && !keeps_size && range.end > self.cache(id).size() {
            self.resize(id, range.end, now_ns)?;
        }
        self.write_back_if_dirty();
        Ok(())
    }

    /// Room is set aside on both sides at once: no read can tell.
    fn reserve(&mut self, id: InodeId, range: &Range<u64>) -> io::Result<()> {
        let pages = range.start / PAGE..range.end.div_ceil(PAGE);
        let (capacity, used) = (self.rules.capacity_pages, self.pages_used);
        let inode = self.inode_mut(id);
        let missing = inode.cache.pages().map(|held| held.missing(pages.clone()));
        let missing = missing.ok_or_else(|| errno(libc::ENODEV))?;
        if capacity.is_some_and(|capacity| used + missing > capacity) {
            return Err(errno(libc::ENOSPC));
        }
        for body in [&mut inode.cache, &mut inode.media] {
            if let Kind::File { pages: held, .. } = &mut body.kind {
                held.reserve(pages.clone());
            }
        }
        self.take_pages(missing as i64);
        Ok(())
    }

    /// Makes a range read as zero; only pages that hold data are touched.
    fn zero(&mut self, id: InodeId, range: Range<u64>, now_ns: u64) {
        let touched = range.start / PAGE..range.end.div_ceil(PAGE);
        let Some(held) = self.cache(id).pages() else {
            return;
        };
        let written: Vec<u64> = held.written(touched).collect();
        for page in written {
            let from = range.start.max(page * PAGE);
            let to = range.end.min((page + 1) * PAGE);
            let whole = to - from == PAGE;
            let payload = if whole {
                Payload::Hole
            } else {
                Payload::new(&vec![0; (to - from) as usize], &mut self.spare)
            };
            self.store(id, from, payload, now_ns);
        }
        let whole = range.start.div_ceil(PAGE)..range.end / PAGE;
        let inode = self.inode_mut(id);
        let mut freed = 0;
        if let Kind::File { pages, .. } = &mut inode.cache.kind
            && whole.start < whole.end
        {
            freed = pages.free(whole);
        }
        self.take_pages(-(freed as i64));
        if !self.scars.is_empty() {
            self.scars
                .overwritten(id, range.start, range.end - range.start);
        }
    }

    /// lseek(2) with `SEEK_DATA` or `SEEK_HOLE`.
    ///
    /// # Errors
    /// `ENXIO` at the end and beyond it, or when there is no data any more.
    pub(crate) fn seek_space(&self, id: InodeId, offset: u64, data: bool) -> io::Result<u64> {
        let body = self.cache(id);
        let Some(pages) = body.pages() else {
            return Err(errno(libc::EINVAL));
        };
        let size = body.size();
        if offset >= size {
            return Err(errno(libc::ENXIO));
        }
        if !data {
            return Ok(pages.next_hole(offset).min(size));
        }
        let found = pages.next_data(offset).filter(|&found| found < size);
        found.ok_or_else(|| errno(libc::ENXIO))
    }

    /// The first byte of a range that nobody wrote.
    pub(crate) fn first_hole(&self, id: InodeId, range: Range<u64>) -> Option<u64> {
        let pages = self.cache(id).pages()?;
        let touched = range.start / PAGE..range.end.div_ceil(PAGE);
        let mut missing = touched.filter(|page| !pages.is_written(*page));
        missing.next().map(|page| range.start.max(page * PAGE))
    }

    /// Are writes of the file pending?
    pub(crate) fn has_dirty_data(&self, id: InodeId) -> bool {
        let pending = self.inodes.get(&id).map(|inode| &inode.pending);
        let mut ops = pending.into_iter().flatten();
        ops.any(|op| !self.ops[op].change.is_metadata())
    }

    /// Would a write here need pages that the file does not have?
    pub(crate) fn would_allocate(&self, id: InodeId, offset: u64, len: usize) -> bool {
        let Some(pages) = self.cache(id).pages() else {
            return false;
        };
        split(offset, len).any(|(page, ..)| !pages.has(page))
    }

    /// Stores within one page and records it.
    pub(crate) fn store(&mut self, id: InodeId, offset: u64, payload: Payload, now_ns: u64) {
        let body = &mut self.inode_mut(id).cache;
        let Kind::File { pages, .. } = &mut body.kind else {
            panic!("only files have content")
        };
        let taken = pages.store(offset, &payload);
        body.times.modify(now_ns);
        self.take_pages(taken);
        self.record(
            now_ns,
            Change::Write {
                inode: id,
                offset,
                bytes: payload,
            },
        );
    }
}
