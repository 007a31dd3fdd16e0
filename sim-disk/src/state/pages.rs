//! A sparse byte image in 4 KiB pages. Pages are shared between the cache and the media until one
//! of them writes.

use std::collections::BTreeMap;
use std::ops::{Deref, Range};
use std::rc::Rc;

use super::chunks::Chunks;
use crate::content_hash::{digest_and_copy, digest_of_content};

/// Bytes in a page.
pub(crate) const PAGE: u64 = 4096;
/// Bytes in a sector.
pub(crate) const SECTOR: u64 = 512;

/// A page of content.
pub(crate) type Page = [u8; PAGE as usize];

/// The bytes of one write, within a page. A whole page is shared by the operation, the cache and
/// the media, and copied only when one of them is written to.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Part(Box<[u8]>),
    Whole(Rc<Page>),
    /// A whole page that is given back: it reads as zero and takes no space.
    Hole,
}

static ZEROES: Page = [0; PAGE as usize];

impl Payload {
    pub(crate) fn new(bytes: &[u8], spare: &mut Spare) -> Payload {
        Payload::with_digest(bytes, spare).0
    }

    /// With the digest of its content, taken while it is copied.
    pub(crate) fn with_digest(bytes: &[u8], spare: &mut Spare) -> (Payload, u64) {
        if bytes.len() as u64 == PAGE {
            let (page, digest) = spare.filled(bytes);
            (Payload::Whole(page), digest)
        } else {
            (Payload::Part(bytes.into()), digest_of_content(bytes))
        }
    }
}

/// Pages that nothing shows any more, to be filled anew: allocating one takes longer than filling
/// it. Copies of a volume begin without.
#[derive(Default, Debug)]
pub(crate) struct Spare(Vec<Rc<Page>>);

/// Half a mebibyte.
const SPARE_MAX: usize = 128;

impl Clone for Spare {
    fn clone(&self) -> Spare {
        Spare::default()
    }
}

impl Spare {
    /// Keeps a page that its last holder gives up.
    pub(crate) fn keep(&mut self, page: Rc<Page>) {
        if self.0.len() < SPARE_MAX && Rc::strong_count(&page) == 1 {
            self.0.push(page);
        }
    }

    fn filled(&mut self, bytes: &[u8]) -> (Rc<Page>, u64) {
        if let Some(mut page) = self.0.pop()
            && let Some(room) = Rc::get_mut(&mut page)
        {
            let digest = digest_and_copy(bytes, room);
            return (page, digest);
        }
        let page = Rc::<[u8]>::from(bytes).try_into();
        let page: Rc<Page> = page.expect("its length is that of a page");
        let digest = digest_of_content(&page[..]);
        (page, digest)
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Payload::Part(bytes) => bytes,
            Payload::Whole(page) => &page[..],
            Payload::Hole => &ZEROES,
        }
    }
}

/// The bytes of one file; what was never written reads as zero and costs nothing.
#[derive(Clone, Default, Debug)]
pub(crate) struct Pages {
    pages: Chunks,
    /// Pages set aside by fallocate(2) and not written yet.
    reserved: PageRanges,
}

/// Splits `[offset, offset + len)` at page boundaries: (page, offset in it, offset in the
/// range, length).
pub(crate) fn split(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let within = (at % PAGE) as usize;
        let take = (PAGE as usize - within).min(len - done);
        let piece = (at / PAGE, within, done, take);
        done += take;
        Some(piece)
    })
}

impl Pages {
    /// How many pages hold data or are set aside for it.
    pub(crate) fn count(&self) -> u64 {
        self.pages.count() + self.reserved.count
    }

    /// Is this page allocated?
    pub(crate) fn has(&self, page: u64) -> bool {
        self.is_written(page) || self.reserved.has(page)
    }

    /// Has this page been written?
    pub(crate) fn is_written(&self, page: u64) -> bool {
        self.pages.get(page).is_some()
    }

    /// The numbers of the pages in a range that hold data.
    pub(crate) fn written(&self, range: Range<u64>) -> impl Iterator<Item = u64> + '_ {
        self.pages.numbers(range)
    }

    /// Sets pages aside; returns how many that allocated.
    pub(crate) fn reserve(&mut self, range: Range<u64>) -> u64 {
        let before = self.count();
        let mut from = range.start;
        let written: Vec<u64> = self.written(range.clone()).collect();
        for page in written {
            self.reserved.insert(from..page);
            from = page + 1;
        }
        self.reserved.insert(from..range.end);
        self.count() - before
    }

    /// How many pages [`reserve`](Self::reserve) would allocate.
    pub(crate) fn missing(&self, range: Range<u64>) -> u64 {
        let written = self.written(range.clone()).count() as u64;
        (range.end - range.start) - written - self.reserved.covered(range)
    }

    /// Where data starts at or after `offset`.
    pub(crate) fn next_data(&self, offset: u64) -> Option<u64> {
        let page = self.written(offset / PAGE..u64::MAX).next()?;
        Some(offset.max(page * PAGE))
    }

    /// Where a hole starts at or after `offset`.
    pub(crate) fn next_hole(&self, offset: u64) -> u64 {
        let mut page = offset / PAGE;
        if !self.is_written(page) {
            return offset;
        }
        for at in self.written(page..u64::MAX) {
            if at != page {
                break;
            }
            page += 1;
        }
        page * PAGE
    }

    /// Fills `buf` from `offset`; holes are zero.
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) {
        for (page, within, done, take) in split(offset, buf.len()) {
            let to = &mut buf[done..done + take];
            match self.pages.get(page) {
                Some(data) => to.copy_from_slice(&data[within..within + take]),
                None => to.fill(0),
            }
        }
    }

    /// Stores `bytes` at `offset`; returns how many pages that allocated.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> u64 {
        let before = self.count();
        for (page, within, done, take) in split(offset, bytes.len()) {
            if self.pages.get(page).is_none() {
                self.reserved.remove(page..page + 1);
                self.pages.insert(page, Rc::new([0; PAGE as usize]));
            }
            let data = Rc::make_mut(self.pages.get_mut(page).expect("it was made"));
            data[within..within + take].copy_from_slice(&bytes[done..done + take]);
        }
        self.count() - before
    }

    /// Stores the payload of a write at `offset`; returns how many pages more are taken.
    pub(crate) fn store(&mut self, offset: u64, payload: &Payload) -> i64 {
        match payload {
            Payload::Part(bytes) => self.write(offset, bytes) as i64,
            Payload::Whole(page) => {
                let at = offset / PAGE;
                let old = self.pages.insert(at, Rc::clone(page));
                i64::from(old.is_none() && self.reserved.remove(at..at + 1) == 0)
            }
            Payload::Hole => -(self.free(offset / PAGE..offset / PAGE + 1) as i64),
        }
    }

    /// As [`store`](Self::store), without a count; what is not shown any more may be filled anew.
    pub(crate) fn store_for_good(&mut self, offset: u64, payload: Payload, spare: &mut Spare) {
        match payload {
            Payload::Whole(page) => match self.pages.insert(offset / PAGE, page) {
                Some(old) => spare.keep(old),
                None => {
                    self.reserved.remove(offset / PAGE..offset / PAGE + 1);
                }
            },
            Payload::Part(_) | Payload::Hole => {
                self.store(offset, &payload);
            }
        }
    }

    /// Gives whole pages back; returns how many that freed.
    pub(crate) fn free(&mut self, range: Range<u64>) -> u64 {
        let before = self.count();
        self.reserved.remove(range.clone());
        self.pages.remove(range);
        before - self.count()
    }

    /// Forgets all from `size` on; returns how many pages that freed.
    pub(crate) fn truncate(&mut self, size: u64) -> u64 {
        let before = self.count();
        self.pages.remove(size.div_ceil(PAGE)..u64::MAX);
        self.reserved.remove(size.div_ceil(PAGE)..u64::MAX);
        let within = (size % PAGE) as usize;
        if within != 0
            && let Some(page) = self.pages.get_mut(size / PAGE)
            && page[within..].iter().any(|&byte| byte != 0)
        {
            Rc::make_mut(page)[within..].fill(0);
        }
        before - self.count()
    }
}

/// Sets of pages as ranges that do not touch.
#[derive(Clone, Default, Debug)]
struct PageRanges {
    /// End by start.
    ranges: BTreeMap<u64, u64>,
    count: u64,
}

impl PageRanges {
    fn has(&self, page: u64) -> bool {
        let at = self.ranges.range(..=page).next_back();
        at.is_some_and(|(_, &end)| page < end)
    }

    /// The ranges that overlap this one.
    fn overlapping(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        if self.ranges.is_empty() || range.is_empty() {
            return Vec::new();
        }
        let first = self.ranges.range(..=range.start).next_back();
        let from = first.map_or(range.start, |(&start, _)| start);
        let all = self.ranges.range(from..range.end);
        all.filter(|(_, end)| **end > range.start)
            .map(|(&start, &end)| start..end)
            .collect()
    }

    fn covered(&self, range: Range<u64>) -> u64 {
        let within = |old: Range<u64>| old.end.min(range.end) - old.start.max(range.start);
        self.overlapping(&range).into_iter().map(within).sum()
    }

    fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        self.remove(range.clone());
        self.count += range.end - range.start;
        self.ranges.insert(range.start, range.end);
    }

    /// How many pages that took out.
    fn remove(&mut self, range: Range<u64>) -> u64 {
        let removed = self.covered(range.clone());
        for old in self.overlapping(&range) {
            self.ranges.remove(&old.start);
            if old.start < range.start {
                self.ranges.insert(old.start, range.start);
            }
            if range.end < old.end {
                self.ranges.insert(range.end, old.end);
            }
        }
        self.count -= removed;
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::{PAGE, Pages, Payload, Spare};

    #[test]
    fn reserved_pages_count_until_they_are_written_or_freed() {
        let mut pages = Pages::default();
        assert_eq!(pages.write(2 * PAGE, b"x"), 1);
        assert_eq!(pages.missing(0..5), 4);
        assert_eq!(pages.reserve(0..5), 4);
        assert_eq!((pages.count(), pages.missing(0..5)), (5, 0));
        assert_eq!(pages.write(0, b"y"), 0, "it was set aside");
        let whole = Payload::new(&[1; PAGE as usize], &mut Spare::default());
        assert_eq!(pages.store(PAGE, &whole), 0);
        assert_eq!(pages.store(3 * PAGE, &Payload::Hole), -1);
        assert_eq!(
            (pages.count(), pages.has(3), pages.has(4)),
            (4, false, true)
        );
        assert_eq!(pages.truncate(PAGE), 3);
        assert_eq!(pages.count(), 1);
    }

    #[test]
    fn a_page_is_filled_anew_only_when_nothing_shows_it() {
        let (mut cache, mut media, mut spare) =
            (Pages::default(), Pages::default(), Spare::default());
        let mut write = |byte: u8, spare: &mut Spare| {
            let payload = Payload::new(&[byte; PAGE as usize], spare);
            cache.store(0, &payload);
            media.store_for_good(0, payload, spare);
            let mut shown = [[0; 1]; 2];
            cache.read(0, &mut shown[0]);
            media.read(PAGE - 1, &mut shown[1]);
            assert_eq!(shown, [[byte]; 2]);
            spare.0.len()
        };
        assert_eq!(write(1, &mut spare), 0, "the first is shown");
        assert_eq!(write(2, &mut spare), 1, "the first is not any more");
        assert_eq!(
            write(3, &mut spare),
            1,
            "it was the third, and the second is spare"
        );
        assert_eq!(spare.clone().0.len(), 0);
    }

    #[test]
    fn data_and_holes_are_found() {
        let mut pages = Pages::default();
        pages.write(2 * PAGE, &[1; 2 * PAGE as usize]);
        pages.reserve(4..6);
        assert_eq!(pages.next_data(5), Some(2 * PAGE));
        assert_eq!(pages.next_data(2 * PAGE + 7), Some(2 * PAGE + 7));
        assert_eq!(pages.next_data(4 * PAGE), None);
        assert_eq!(
            (pages.next_hole(5), pages.next_hole(2 * PAGE)),
            (5, 4 * PAGE)
        );
    }

    #[test]
    fn holes_read_as_zero_and_cost_nothing() {
        let mut pages = Pages::default();
        assert_eq!(pages.write(1 << 30, b"end"), 1);
        let mut buf = [7; 4];
        pages.read((1 << 30) - 1, &mut buf);
        assert_eq!(&buf, b"\0end");
    }

    #[test]
    fn a_write_over_a_boundary_allocates_both_pages() {
        let mut pages = Pages::default();
        assert_eq!(pages.write(PAGE - 2, b"abcd"), 2);
        let mut buf = [0; 4];
        pages.read(PAGE - 2, &mut buf);
        assert_eq!(&buf, b"abcd");
    }

    #[test]
    fn truncation_zeroes_the_rest_of_the_last_page() {
        let mut pages = Pages::default();
        pages.write(0, b"abcdef");
        pages.write(PAGE, b"x");
        assert_eq!(pages.truncate(2), 1);
        let mut buf = [0; 6];
        pages.read(0, &mut buf);
        assert_eq!(&buf, b"ab\0\0\0\0");
    }
}
