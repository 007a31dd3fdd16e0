//! Two services of a shop. `orders` takes orders over HTTP, each once, however often its client
//! retries; `warehouse` reserves what was ordered. An order and the message about it are written in
//! one transaction, and an outbox delivers the message, in order, until the warehouse has it.
//!
//! - [`client`]: how a shop front places an order and sees what is reserved.
//! - [`orders`], with [`outbox`] beside it, and [`warehouse`]: the services.
//! - [`database`]: a file of SQLite. [`retry`]: backoff with jitter. [`web`]: what both say when
//!   they cannot.

pub mod client;
pub mod database;
pub mod orders;
pub mod outbox;
pub mod retry;
pub mod warehouse;
pub mod web;
