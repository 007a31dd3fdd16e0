//! Files as a map in memory would have them: a look-up and a copy, and nothing that a crash, a
//! fault or a second run could ask for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::rc::Rc;

/// Bytes in a page.
pub(crate) const PAGE: usize = 4096;
/// Pages of the file.
pub(crate) const PAGES: u64 = 64;

type Pages = Rc<RefCell<BTreeMap<u64, Box<[u8; PAGE]>>>>;

fn prepare() -> (BTreeMap<String, Pages>, Pages) {
    let pages: BTreeMap<u64, _> = (0..PAGES).map(|page| (page, Box::new([1; PAGE]))).collect();
    let pages = Rc::new(RefCell::new(pages));
    let files = BTreeMap::from([("/file".to_owned(), Rc::clone(&pages))]);
    (files, pages)
}

pub(crate) fn writes(count: u64) {
    let (_, pages) = prepare();
    for nth in 0..count {
        let mut pages = pages.borrow_mut();
        let page = pages.get_mut(&(nth % PAGES)).expect("it was made");
        page.copy_from_slice(black_box(&[2; PAGE]));
    }
}

pub(crate) fn reads(count: u64) {
    let (_, pages) = prepare();
    let mut into = [0; PAGE];
    for nth in 0..count {
        let pages = pages.borrow();
        into.copy_from_slice(&pages[&(nth % PAGES)][..]);
        black_box(&mut into);
    }
}

pub(crate) fn opens(count: u64) {
    let (files, _) = prepare();
    for _ in 0..count {
        let pages = files.get(black_box("/file")).expect("it was made");
        drop(black_box(Rc::clone(pages)));
    }
}
