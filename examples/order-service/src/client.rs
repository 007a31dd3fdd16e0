//! How a shop front talks to the services: it retries, and each order has one key.

use std::fmt;
use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::orders::{Order, Placed, Undelivered};
use crate::retry::Backoff;

/// How long an attempt may take.
const ATTEMPT: Duration = Duration::from_millis(300);

/// A client of both services.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    orders: String,
    warehouse: String,
    patience: Duration,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It has had no effect and will have none.
    Refused(String),
    /// Nobody answered in time: it may have had an effect, or may yet.
    Unknown(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Unknown(why) => write!(f, "nobody knows: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl Client {
    /// Addresses are `http://host:port`; a call takes at most `patience`.
    pub fn new(orders: &str, warehouse: &str, patience: Duration) -> Self {
        Self {
            http: reqwest::Client::new(),
            orders: orders.to_owned(),
            warehouse: warehouse.to_owned(),
            patience,
        }
    }

    /// Places an order and gives its number. Retries are of the same order.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn place(&self, sku: &str, reference: i64) -> Result<i64, Error> {
        let order = Order {
            sku: sku.to_owned(),
            reference,
        };
        let request = self
            .http
            .post(format!("{}/orders", self.orders))
            .header("idempotency-key", Uuid::new_v4().to_string())
            .json(&order);
        let placed: Placed = self.ask(self.deadline(), request).await?;
        Ok(placed.id)
    }

    /// What the warehouse has reserved of `sku`: the customers' references, in the order in which
    /// the orders were placed. It waits for the orders that were placed before.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub async fn reserved(&self, sku: &str) -> Result<Vec<i64>, Error> {
        let deadline = self.deadline();
        loop {
            let request = self.http.get(format!("{}/undelivered", self.orders));
            let left: Undelivered = self.ask(deadline, request).await?;
            if left.undelivered == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let url = format!("{}/reservations", self.warehouse);
        let request = self.http.get(url).query(&[("sku", sku)]);
        self.ask(deadline, request).await
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    async fn ask<T>(&self, deadline: Instant, request: RequestBuilder) -> Result<T, Error>
    where
        T: serde::de::DeserializeOwned,
    {
        let mut backoff = Backoff::default();
        let mut last = "no attempt was made".to_owned();
        let attempts = async {
            loop {
                let attempt = request.try_clone().expect("bodies are not streamed");
                match answer(attempt.timeout(ATTEMPT).send().await).await {
                    Ok(answer) => return Ok(answer),
                    Err(Error::Refused(why)) => return Err(Error::Refused(why)),
                    Err(Error::Unknown(why)) => last = why,
                }
                backoff.wait().await;
            }
        };
        let in_time = timeout_at(deadline, attempts).await;
        in_time.unwrap_or_else(|_| Err(Error::Unknown(last)))
    }
}

async fn answer<T>(reply: reqwest::Result<Response>) -> Result<T, Error>
where
    T: serde::de::DeserializeOwned,
{
    let unknown = |error: reqwest::Error| Error::Unknown(error.to_string());
    let reply = reply.map_err(unknown)?;
    match reply.status() {
        status if status.is_success() => reply.json().await.map_err(unknown),
        StatusCode::BAD_REQUEST | StatusCode::CONFLICT => {
            Err(Error::Refused(reply.text().await.map_err(unknown)?))
        }
        status => Err(Error::Unknown(status.to_string())),
    }
}
