//! The plan compiler, on plans and clauses.

mod clauses;
mod hostile;
mod plans;
