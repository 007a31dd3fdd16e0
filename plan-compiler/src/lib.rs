//! Markdown test plans to scenarios.

pub mod scenario;
