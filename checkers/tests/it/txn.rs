//! Transactional isolation.

mod elle;
mod notation;
mod predicates;
mod reference;
mod small;
mod textbook;
