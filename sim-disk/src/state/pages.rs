//! A sparse byte image in 4 KiB pages. Pages are shared between the cache and the media until one
//! of them writes.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

/// Bytes in a page.
pub(crate) const PAGE: u64 = 4096;
/// Bytes in a sector.
pub(crate) const SECTOR: u64 = 512;

type Page = [u8; PAGE as usize];

/// The bytes of one write, within a page. A whole page is shared by the operation, the cache and
/// the media, and copied only when one of them is written to.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Part(Box<[u8]>),
    Whole(Rc<Page>),
}

impl Payload {
    pub(crate) fn new(bytes: &[u8]) -> Payload {
        if bytes.len() as u64 == PAGE {
            let page = Rc::<[u8]>::from(bytes)
                .try_into()
                .expect("its length is that of a page");
            Payload::Whole(page)
        } else {
            Payload::Part(bytes.into())
        }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Payload::Part(bytes) => bytes,
            Payload::Whole(page) => &page[..],
        }
    }
}

/// The bytes of one file; what was never written reads as zero and costs nothing.
#[derive(Clone, Default, Debug)]
pub(crate) struct Pages {
    pages: BTreeMap<u64, Rc<Page>>,
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
    /// How many pages hold data.
    pub(crate) fn count(&self) -> u64 {
        self.pages.len() as u64
    }

    /// Is this page allocated?
    pub(crate) fn has(&self, page: u64) -> bool {
        self.pages.contains_key(&page)
    }

    /// Fills `buf` from `offset`; holes are zero.
    pub(crate) fn read(&self, offset: u64, buf: &mut [u8]) {
        for (page, within, done, take) in split(offset, buf.len()) {
            let to = &mut buf[done..done + take];
            match self.pages.get(&page) {
                Some(data) => to.copy_from_slice(&data[within..within + take]),
                None => to.fill(0),
            }
        }
    }

    /// Stores `bytes` at `offset`; returns how many pages that allocated.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> u64 {
        let before = self.count();
        for (page, within, done, take) in split(offset, bytes.len()) {
            let slot = self
                .pages
                .entry(page)
                .or_insert_with(|| Rc::new([0; PAGE as usize]));
            let data = Rc::make_mut(slot);
            data[within..within + take].copy_from_slice(&bytes[done..done + take]);
        }
        self.count() - before
    }

    /// Stores the payload of a write at `offset`; returns how many pages that allocated.
    pub(crate) fn store(&mut self, offset: u64, payload: &Payload) -> u64 {
        match payload {
            Payload::Part(bytes) => self.write(offset, bytes),
            Payload::Whole(page) => {
                let old = self.pages.insert(offset / PAGE, Rc::clone(page));
                u64::from(old.is_none())
            }
        }
    }

    /// Forgets all from `size` on; returns how many pages that freed.
    pub(crate) fn truncate(&mut self, size: u64) -> u64 {
        let before = self.count();
        drop(self.pages.split_off(&size.div_ceil(PAGE)));
        let within = (size % PAGE) as usize;
        if within != 0
            && let Some(page) = self.pages.get_mut(&(size / PAGE))
            && page[within..].iter().any(|&byte| byte != 0)
        {
            Rc::make_mut(page)[within..].fill(0);
        }
        before - self.count()
    }
}

#[cfg(test)]
mod tests {
    use super::{PAGE, Pages};

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
