//! tokio-postgres and sqlx: transactions and prepared statements, against a small server.

use std::cell::OnceCell;
use std::rc::Rc;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection};
use tokio_postgres::{Client, NoTls};

use crate::faults::{AnyError, through_faults, two_hosts};
use crate::postgres::{self, GET, PUT};

/// What an operation writes into which notes: both or none of two, and never the third.
fn notes(operation: u32) -> ([i64; 3], String) {
    let id = i64::from(operation);
    ([id, id + 1000, id + 2000], format!("note {operation}"))
}

/// # Errors
/// The server keeps nothing when it is killed.
///
/// # Panics
/// When half a transaction is there, or one that was rolled back.
fn judge(read: &[Option<String>], body: &str) -> Result<(), AnyError> {
    assert_eq!(read[2], None, "it was rolled back");
    assert_eq!(read[0], read[1], "they were written in one transaction");
    match &read[0] {
        Some(read) => assert_eq!(read, body),
        None => return Err("it was killed in between".into()),
    }
    Ok(())
}

async fn connect() -> Result<Client, tokio_postgres::Error> {
    let (client, connection) =
        tokio_postgres::connect("host=server user=ann dbname=notes", NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn tokio_postgres_transactions(client: &mut Client, operation: u32) -> Result<(), AnyError> {
    let (ids, body) = notes(operation);
    let transaction = client.transaction().await?;
    let put = transaction.prepare(PUT).await?;
    for id in &ids[..2] {
        transaction.execute(&put, &[id, &body]).await?;
    }
    transaction.commit().await?;
    let transaction = client.transaction().await?;
    transaction.execute(PUT, &[&ids[2], &body]).await?;
    transaction.rollback().await?;
    let mut read = Vec::new();
    for id in &ids {
        let row = client.query_opt(GET, &[id]).await?;
        read.push(row.map(|row| row.get::<_, String>(0)));
    }
    judge(&read, &body)
}

#[landfall::test(seeds = 10)]
async fn tokio_postgres_commits_and_rolls_back() {
    let (server, client) = two_hosts(postgres::serve);
    let held: Rc<tokio::sync::Mutex<Option<Client>>> = Rc::default();
    through_faults(server, client, move |operation| {
        let held = Rc::clone(&held);
        async move {
            let mut held = held.lock().await;
            // One that is lost on the way is not kept.
            let mut client = match held.take() {
                Some(client) if !client.is_closed() => client,
                _ => connect().await?,
            };
            tokio_postgres_transactions(&mut client, operation).await?;
            *held = Some(client);
            Ok::<_, AnyError>(())
        }
    })
    .await;
}

async fn sqlx_transactions(connection: &mut PgConnection, operation: u32) -> Result<(), AnyError> {
    let (ids, body) = notes(operation);
    let mut transaction = connection.begin().await?;
    for id in &ids[..2] {
        let put = sqlx::query(PUT).bind(id).bind(&body);
        put.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    let mut transaction = connection.begin().await?;
    let put = sqlx::query(PUT).bind(ids[2]).bind(&body);
    put.execute(&mut *transaction).await?;
    // It is rolled back before the connection does anything else.
    drop(transaction);
    let mut read = Vec::new();
    for id in &ids {
        let get = sqlx::query_scalar(GET).bind(id);
        read.push(get.fetch_optional(&mut *connection).await?);
    }
    judge(&read, &body)
}

#[landfall::test(seeds = 10)]
async fn sqlx_commits_and_rolls_back() {
    let (server, client) = two_hosts(postgres::serve);
    let pool: Rc<OnceCell<PgPool>> = Rc::default();
    through_faults(server, client, move |operation| {
        let make = || {
            let options = PgConnectOptions::new_without_pgpass()
                .host("server")
                .username("ann")
                .database("notes")
                .ssl_mode(PgSslMode::Disable);
            let pool = PgPoolOptions::new().max_connections(3);
            pool.connect_lazy_with(options)
        };
        let pool = pool.get_or_init(make).clone();
        async move {
            let mut connection = pool.acquire().await?;
            sqlx_transactions(&mut connection, operation).await
        }
    })
    .await;
}
