//! A file of SQLite, for one process.

use std::io;
use std::path::Path;

use sqlx::SqlitePool;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions,
    SqliteSynchronous,
};
use tokio::fs::{self, File};

/// Opens a database, made with its folder if it is not there, and brings it to `schema`.
///
/// What is committed is on disk.
///
/// # Errors
/// The file cannot be opened or is no database.
pub async fn open(path: &Path, schema: &'static str) -> sqlx::Result<SqlitePool> {
    if let Some(folder) = path.parent() {
        make(folder).await?;
    }
    let synchronous = match cfg!(feature = "bug-not-synced") {
        true => SqliteSynchronous::Off,
        false => SqliteSynchronous::Full,
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .locking_mode(SqliteLockingMode::Exclusive)
        .synchronous(synchronous);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await?;
    sqlx::raw_sql(schema).execute(&pool).await?;
    tracing::info!(path = %path.display(), "database opened");
    Ok(pool)
}

/// Makes a folder, and has its name on disk: SQLite does so for what is in it.
async fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder).await?;
    match folder.parent() {
        Some(parent) if parent != Path::new("") => File::open(parent).await?.sync_all().await,
        _ => Ok(()),
    }
}
