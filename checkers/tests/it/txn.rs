//! Transactional isolation.

mod notation;
mod reference;
mod small;
mod textbook;
