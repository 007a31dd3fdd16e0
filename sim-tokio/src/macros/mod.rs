//! Macros, and what they expand to.

mod select;
#[doc(hidden)]
pub mod support;
