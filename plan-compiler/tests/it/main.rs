//! The plan compiler, on plans and clauses.

mod clauses;
mod codes;
mod criteria;
mod fuzz;
mod hostile;
mod landings;
mod plans;
