//! Blocks to the typed plan.

pub(crate) mod arms;
pub(crate) mod claims;
pub(crate) mod fields;
pub(crate) mod labels;
pub(crate) mod sections;
pub(crate) mod tables;
