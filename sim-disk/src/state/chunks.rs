//! Pages by number, in chunks of neighbours: a page is found by one look for its chunk, and a file
//! of which little is written holds little.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::pages::Page;

/// Pages of a chunk: 128 KiB of a file, and a pointer each.
const CHUNK: u64 = 32;

type Chunk = [Option<Rc<Page>>; CHUNK as usize];

/// Pages by number.
#[derive(Clone, Default, Debug)]
pub(crate) struct Chunks {
    chunks: BTreeMap<u64, Box<Chunk>>,
    count: u64,
}

const fn within(page: u64) -> usize {
    (page % CHUNK) as usize
}

impl Chunks {
    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn get(&self, page: u64) -> Option<&Rc<Page>> {
        self.chunks.get(&(page / CHUNK))?[within(page)].as_ref()
    }

    pub(crate) fn get_mut(&mut self, page: u64) -> Option<&mut Rc<Page>> {
        self.chunks.get_mut(&(page / CHUNK))?[within(page)].as_mut()
    }

    /// Puts a page in the place of what is there, which is returned.
    pub(crate) fn insert(&mut self, page: u64, data: Rc<Page>) -> Option<Rc<Page>> {
        let chunk = match self.chunks.get_mut(&(page / CHUNK)) {
            Some(chunk) => chunk,
            None => self.chunks.entry(page / CHUNK).or_default(),
        };
        let old = chunk[within(page)].replace(data);
        self.count += u64::from(old.is_none());
        old
    }

    /// The numbers in a range, in order.
    pub(crate) fn numbers(&self, range: Range<u64>) -> impl Iterator<Item = u64> + '_ {
        let chunks = range.start / CHUNK..range.end.div_ceil(CHUNK);
        let chunks = self
            .chunks
            .range(chunks.start..chunks.end.max(chunks.start));
        let numbers = chunks.flat_map(|(number, chunk)| {
            let all = chunk.iter().zip(number * CHUNK..);
            all.filter_map(|(data, page)| data.as_ref().map(|_| page))
        });
        numbers.filter(move |page| range.contains(page))
    }

    /// Forgets those of a range.
    pub(crate) fn remove(&mut self, range: Range<u64>) {
        let pages: Vec<u64> = self.numbers(range).collect();
        for page in pages {
            if let Some(chunk) = self.chunks.get_mut(&(page / CHUNK)) {
                self.count -= u64::from(chunk[within(page)].take().is_some());
                if chunk.iter().all(Option::is_none) {
                    self.chunks.remove(&(page / CHUNK));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::rc::Rc;

    use super::{CHUNK, Chunks};
    use crate::hash::scatter;
    use crate::state::pages::PAGE;

    #[test]
    fn it_is_a_set_of_numbers() {
        let (mut chunks, mut model) = (Chunks::default(), BTreeSet::new());
        for step in 0..600 {
            let number = scatter(step);
            let page = (number >> 8) % (6 * CHUNK);
            if number.is_multiple_of(8) {
                let range = page..page + (number >> 32) % (2 * CHUNK);
                chunks.remove(range.clone());
                model.retain(|page| !range.contains(page));
            } else {
                let data = Rc::new([step as u8; PAGE as usize]);
                let is_new = chunks.insert(page, data).is_none();
                assert_eq!(is_new, model.insert(page));
                assert_eq!(chunks.get(page).map(|data| data[7]), Some(step as u8));
            }
            assert_eq!(chunks.count(), model.len() as u64);
            let range = page / 2..page + 1;
            assert!(
                chunks
                    .numbers(range.clone())
                    .eq(model.range(range).copied())
            );
        }
        chunks.remove(0..u64::MAX);
        assert!(chunks.chunks.is_empty() && chunks.count() == 0);
    }
}
