//! The order service.
//!
//! `POST /orders` with `Idempotency-Key` places an order: 201, and 200 for a key that is known.
//! `GET /undelivered` says how many messages the warehouse has not had.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::warehouse::Reservation;
use crate::web::Failure;
use crate::{database, outbox};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS orders (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        sku TEXT NOT NULL,
        reference INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS orders_by_key ON orders (key);
    CREATE TABLE IF NOT EXISTS outbox (
        order_id INTEGER PRIMARY KEY,
        sku TEXT NOT NULL,
        reference INTEGER NOT NULL
    );
";

/// How an order service runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its database.
    pub database: PathBuf,
    /// Where the warehouse is: `http://host:port`.
    pub warehouse: String,
}

/// What a customer wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Of what.
    pub sku: String,
    /// The customer's own number for the order.
    pub reference: i64,
}

/// An order that was placed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Placed {
    /// Its number.
    pub id: i64,
}

/// How much is on its way to the warehouse.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Undelivered {
    /// Messages.
    pub undelivered: i64,
}

#[derive(Clone)]
struct Service {
    database: SqlitePool,
    outbox: outbox::Outbox,
}

/// Serves until it fails.
///
/// # Errors
/// The database cannot be opened, or the listener fails.
pub async fn serve(listener: TcpListener, config: Config) -> io::Result<()> {
    let database = database::open(&config.database, SCHEMA)
        .await
        .map_err(io::Error::other)?;
    let outbox = outbox::Outbox {
        database: database.clone(),
        warehouse: config.warehouse,
        filled: Arc::new(Notify::new()),
    };
    tokio::spawn(outbox::run(outbox.clone()));
    let router = Router::new()
        .route("/orders", post(place))
        .route("/undelivered", get(undelivered))
        .with_state(Service { database, outbox });
    axum::serve(listener, router).await
}

async fn place(
    State(service): State<Service>,
    headers: HeaderMap,
    Json(order): Json<Order>,
) -> Result<(StatusCode, Json<Placed>), Failure> {
    let key = headers
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok())
        .ok_or(Failure::Refused(
            StatusCode::BAD_REQUEST,
            "an order needs an Idempotency-Key",
        ))?;
    let mut transaction = service.database.begin().await?;
    if !cfg!(feature = "bug-no-idempotency") {
        let known: Option<(i64, String, i64)> =
            sqlx::query_as("SELECT id, sku, reference FROM orders WHERE key = $1")
                .bind(key)
                .fetch_optional(&mut *transaction)
                .await?;
        match known {
            Some((id, sku, reference)) if (&sku, reference) == (&order.sku, order.reference) => {
                return Ok((StatusCode::OK, Json(Placed { id })));
            }
            Some(_) => {
                let problem = "the Idempotency-Key is another order's";
                return Err(Failure::Refused(StatusCode::CONFLICT, problem));
            }
            None => {}
        }
    }
    let insert = "INSERT INTO orders (key, sku, reference) VALUES ($1, $2, $3)";
    let id = sqlx::query(insert)
        .bind(key)
        .bind(&order.sku)
        .bind(order.reference)
        .execute(&mut *transaction)
        .await?
        .last_insert_rowid();
    let reservation = Reservation {
        order: id,
        sku: order.sku,
        reference: order.reference,
    };
    if !cfg!(feature = "bug-send-after-commit") {
        outbox::put(&mut transaction, &reservation).await?;
    }
    transaction.commit().await?;
    tracing::debug!(id, key, "order placed");
    if cfg!(feature = "bug-send-after-commit") {
        tokio::spawn(async move { service.outbox.send(&reservation).await });
    } else {
        service.outbox.filled.notify_one();
    }
    Ok((StatusCode::CREATED, Json(Placed { id })))
}

async fn undelivered(State(service): State<Service>) -> Result<Json<Undelivered>, Failure> {
    let undelivered = sqlx::query_scalar("SELECT count(*) FROM outbox")
        .fetch_one(&service.database)
        .await?;
    Ok(Json(Undelivered { undelivered }))
}
