//! The warehouse.
//!
//! `POST /reservations` reserves what an order wants, once an order. `GET /reservations?sku=` lists
//! the references of what is reserved, the oldest first.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use tokio::net::TcpListener;

use crate::database;
use crate::web::Failure;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS reservations (
        id INTEGER PRIMARY KEY,
        order_id INTEGER NOT NULL,
        sku TEXT NOT NULL,
        reference INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS reservations_by_order ON reservations (order_id);
    CREATE INDEX IF NOT EXISTS reservations_by_sku ON reservations (sku);
";

/// What an order wants of the warehouse.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reservation {
    /// The order's number.
    pub order: i64,
    /// Of what.
    pub sku: String,
    /// The customer's number.
    pub reference: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Wanted {
    sku: String,
}

#[derive(Clone)]
struct Warehouse {
    database: SqlitePool,
    /// Orders that were reserved for since the start.
    recent: Arc<Mutex<BTreeSet<i64>>>,
}

/// Serves until it fails.
///
/// # Errors
/// The database cannot be opened, or the listener fails.
pub async fn serve(listener: TcpListener, database: &Path) -> io::Result<()> {
    let database = database::open(database, SCHEMA)
        .await
        .map_err(io::Error::other)?;
    let recent = Arc::default();
    let router = Router::new()
        .route("/reservations", get(list).post(reserve))
        .with_state(Warehouse { database, recent });
    axum::serve(listener, router).await
}

async fn reserve(
    State(warehouse): State<Warehouse>,
    Json(wanted): Json<Reservation>,
) -> Result<StatusCode, Failure> {
    let mut transaction = warehouse.database.begin().await?;
    let is_known = match cfg!(feature = "bug-forgetful-warehouse") {
        true => {
            let recent = warehouse.recent.lock().expect("nobody panics");
            recent.contains(&wanted.order)
        }
        false => sqlx::query("SELECT 1 FROM reservations WHERE order_id = $1")
            .bind(wanted.order)
            .fetch_optional(&mut *transaction)
            .await?
            .is_some(),
    };
    if is_known {
        return Ok(StatusCode::OK);
    }
    sqlx::query("INSERT INTO reservations (order_id, sku, reference) VALUES ($1, $2, $3)")
        .bind(wanted.order)
        .bind(&wanted.sku)
        .bind(wanted.reference)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let mut recent = warehouse.recent.lock().expect("nobody panics");
    recent.insert(wanted.order);
    Ok(StatusCode::CREATED)
}

async fn list(
    State(warehouse): State<Warehouse>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<i64>>, Failure> {
    let listed =
        sqlx::query_scalar("SELECT reference FROM reservations WHERE sku = $1 ORDER BY id")
            .bind(wanted.sku)
            .fetch_all(&warehouse.database)
            .await?;
    Ok(Json(listed))
}
