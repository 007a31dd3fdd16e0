//! The plan compiler, on plans and clauses.

mod plans;
