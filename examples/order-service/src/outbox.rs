//! The outbox: a message leaves it when the warehouse has it, and not before.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::Notify;

use crate::retry::Backoff;
use crate::warehouse::Reservation;

/// How long an attempt may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where messages wait, and where they go.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// The order service's.
    pub database: SqlitePool,
    /// `http://host:port`.
    pub warehouse: String,
    /// Told of every message.
    pub filled: Arc<Notify>,
}

/// Puts a message in, with the order it is about.
///
/// # Errors
/// Those of the database.
pub async fn put(
    transaction: &mut SqliteConnection,
    reservation: &Reservation,
) -> sqlx::Result<()> {
    let insert = "INSERT INTO outbox (order_id, sku, reference) VALUES ($1, $2, $3)";
    sqlx::query(insert)
        .bind(reservation.order)
        .bind(&reservation.sku)
        .bind(reservation.reference)
        .execute(transaction)
        .await?;
    Ok(())
}

/// Delivers, one after the other, the oldest first, for ever.
pub async fn run(outbox: Outbox) {
    let mut backoff = Backoff::default();
    loop {
        match outbox.deliver_oldest().await {
            Ok(true) => backoff = Backoff::default(),
            Ok(false) => outbox.filled.notified().await,
            Err(error) => {
                tracing::warn!(%error, "the outbox stands still");
                backoff.wait().await;
            }
        }
    }
}

impl Outbox {
    /// False: there is nothing to deliver.
    async fn deliver_oldest(&self) -> sqlx::Result<bool> {
        let oldest = "SELECT order_id, sku, reference FROM outbox ORDER BY order_id LIMIT 1";
        let oldest = sqlx::query_as(oldest)
            .fetch_optional(&self.database)
            .await?;
        let Some((order, sku, reference)) = oldest else {
            return Ok(false);
        };
        let reservation = Reservation {
            order,
            sku,
            reference,
        };
        if !cfg!(feature = "bug-mark-before-send") {
            self.send(&reservation).await;
        }
        sqlx::query("DELETE FROM outbox WHERE order_id = $1")
            .bind(order)
            .execute(&self.database)
            .await?;
        if cfg!(feature = "bug-mark-before-send") {
            self.send(&reservation).await;
        }
        Ok(true)
    }

    /// Tells the warehouse, until it has understood.
    pub async fn send(&self, reservation: &Reservation) {
        let http = Client::new();
        let mut backoff = Backoff::default();
        let url = format!("{}/reservations", self.warehouse);
        loop {
            let attempt = http.post(&url).timeout(PATIENCE).json(reservation).send();
            match attempt.await.and_then(|reply| reply.error_for_status()) {
                Ok(_) => return,
                Err(error) => tracing::warn!(%error, reservation.order, "not delivered"),
            }
            backoff.wait().await;
        }
    }
}
