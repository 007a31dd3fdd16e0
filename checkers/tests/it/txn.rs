//! Transactional isolation.

mod notation;
mod predicates;
mod reference;
mod small;
mod textbook;
