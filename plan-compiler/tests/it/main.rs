//! The plan compiler, on plans and clauses.

mod clauses;
mod codes;
mod hostile;
mod plans;
