//! sqlx with SQLite: C code on the simulated disk, by way of a thread of its own.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::faults::{AnyError, through_faults_of, two_hosts};

async fn open() -> sqlx::Result<SqlitePool> {
    tokio::fs::create_dir_all("/data").await?;
    // SQLite has the names of its files on disk, and nobody else that of their folder.
    tokio::fs::File::open("/").await?.sync_all().await?;
    let options = SqliteConnectOptions::new()
        .filename("/data/notes.db")
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .locking_mode(SqliteLockingMode::Exclusive);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
        .execute(&pool)
        .await?;
    Ok(pool)
}

fn failed(error: sqlx::Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

type Answer = Result<String, (StatusCode, String)>;

async fn put(State(pool): State<SqlitePool>, Path(id): Path<i64>, body: String) -> Answer {
    let mut transaction = pool.begin().await.map_err(failed)?;
    for (id, body) in [(id, &body), (id + 1000, &body)] {
        sqlx::query("INSERT OR REPLACE INTO notes (id, body) VALUES ($1, $2)")
            .bind(id)
            .bind(body)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok("kept".to_owned())
}

/// All notes up to one, and how many there are of each.
async fn list(State(pool): State<SqlitePool>, Path(id): Path<i64>) -> Answer {
    let notes: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, body FROM notes WHERE id % 1000 <= $1 ORDER BY id % 1000, id")
            .bind(id)
            .fetch_all(&pool)
            .await
            .map_err(failed)?;
    Ok(notes
        .iter()
        .map(|(id, body)| format!("{id} {body};"))
        .collect())
}

async fn serve() {
    let pool = open().await.expect("a database");
    let router = Router::new()
        .route("/notes/{id}", get(list).put(put))
        .with_state(pool);
    let listener = TcpListener::bind("0.0.0.0:80")
        .await
        .expect("the port is free");
    axum::serve(listener, router)
        .await
        .expect("it serves until it is killed");
}

/// What was acknowledged is there after the process was killed, or the machine lost power.
async fn keeps(end: fn(landfall::runtime::NodeId) -> bool) {
    let (server, client) = two_hosts(serve);
    let http: Rc<OnceCell<Client>> = Rc::default();
    through_faults_of((server, &[client]), end, client, move |number| {
        let http = http.get_or_init(Client::new).clone();
        async move {
            let url = format!("http://server/notes/{number}");
            let limit = Duration::from_millis(200);
            let body = format!("note {number}");
            let reply = http.put(&url).timeout(limit).body(body).send().await?;
            reply.error_for_status()?;
            let reply = http.get(&url).timeout(limit).send().await?;
            let listed = reply.error_for_status()?.text().await?;
            let expected: String = (0..=number)
                .map(|number| format!("{number} note {number};{} note {number};", number + 1000))
                .collect();
            assert_eq!(listed, expected);
            Ok::<_, AnyError>(())
        }
    })
    .await;
}

#[landfall::test(seeds = 10)]
async fn sqlite_keeps_what_it_committed_when_it_is_killed() {
    keeps(landfall::kill).await;
}

#[landfall::test(seeds = 10)]
async fn sqlite_keeps_what_it_committed_when_the_power_goes() {
    keeps(landfall::lose_power).await;
}
