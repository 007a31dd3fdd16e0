//! A client: transactions step by step, over one connection while it lasts.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::isolation::Isolation;
use crate::protocol::{Request, parse_value};
use crate::store::{Change, Value};

/// A step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reads a key.
    Read(String),
    /// Sets a key to a number.
    Write(String, i64),
    /// Adds an element to the end of the list at a key.
    Append(String, i64),
}

/// Why a transaction is not known to have committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It has not, and never will.
    Refused(String),
    /// It may have: no answer came to its commit.
    Unknown(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(why) => write!(f, "refused: {why}"),
            Error::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    address: String,
    patience: Duration,
    /// Taken while a transaction runs: one that is given up takes its connection with it.
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client of the server at `host:port`, which gives a transaction up after a time. Connects
    /// when it is first used.
    #[must_use]
    pub fn new(address: String, patience: Duration) -> Self {
        Self {
            address,
            patience,
            connection: None,
        }
    }

    /// Runs a transaction; a value a step, none for a change and for a key that holds nothing.
    ///
    /// # Errors
    /// Why it is not known to have committed.
    pub async fn run(
        &mut self,
        isolation: Isolation,
        steps: &[Step],
    ) -> Result<Vec<Option<Value>>, Error> {
        let mut work = Vec::with_capacity(steps.len());
        for step in steps {
            work.push(match step {
                Step::Read(key) => Request::Read(key.clone()),
                Step::Write(key, value) => Request::Change(key.clone(), Change::Set(*value)),
                Step::Append(key, value) => Request::Change(key.clone(), Change::Append(*value)),
            });
        }
        let (mut asked, patience) = (false, self.patience);
        let all = async {
            let mut connection = self.begin(isolation).await?;
            let mut values = Vec::with_capacity(work.len());
            for request in &work {
                values.push(exchange(&mut connection, request).await?);
            }
            asked = true;
            exchange(&mut connection, &Request::Commit).await?;
            self.connection = Some(connection);
            Ok(values)
        };
        let ended = timeout(patience, all).await;
        told(ended, asked)
    }

    /// Moves an amount from one account to another, at [`Isolation::Serializable`]. An account
    /// that was never used holds nothing; any may owe.
    ///
    /// # Errors
    /// Why it is not known to have committed.
    pub async fn transfer(&mut self, from: &str, to: &str, amount: i64) -> Result<(), Error> {
        let (mut asked, patience) = (false, self.patience);
        let all = async {
            let mut connection = self.begin(Isolation::Serializable).await?;
            for (account, change) in [(from, -amount), (to, amount)] {
                let read = Request::Read(account.to_owned());
                let held = match exchange(&mut connection, &read).await? {
                    Some(Value::Number(held)) => held,
                    _ => 0,
                };
                let new = Change::Set(held + change);
                exchange(&mut connection, &Request::Change(account.to_owned(), new)).await?;
            }
            asked = true;
            exchange(&mut connection, &Request::Commit).await?;
            self.connection = Some(connection);
            Ok(())
        };
        let ended = timeout(patience, all).await;
        told(ended, asked)
    }

    async fn begin(&mut self, isolation: Isolation) -> Result<BufReader<TcpStream>, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(&self.address).await?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        exchange(&mut connection, &Request::Begin(isolation)).await?;
        Ok(connection)
    }
}

/// What went wrong on the way.
enum Failure {
    /// The server said no.
    Refused(String),
    /// The connection broke.
    Broken(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Broken(error)
    }
}

/// What a failure means, once the commit was asked for or before.
fn told<T>(
    ended: Result<Result<T, Failure>, tokio::time::error::Elapsed>,
    asked: bool,
) -> Result<T, Error> {
    let why = match ended {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(Failure::Refused(why))) => return Err(Error::Refused(why)),
        Ok(Err(Failure::Broken(error))) => error.to_string(),
        Err(_) => "no answer in time".to_owned(),
    };
    Err(match asked {
        true => Error::Unknown(why),
        false => Error::Refused(why),
    })
}

async fn exchange(
    connection: &mut BufReader<TcpStream>,
    request: &Request,
) -> Result<Option<Value>, Failure> {
    connection
        .get_mut()
        .write_all(request.line().as_bytes())
        .await?;
    let mut line = String::new();
    connection.read_line(&mut line).await?;
    let answer = match line.strip_suffix('\n') {
        Some(answer) => answer,
        None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    };
    match answer.strip_prefix("v ") {
        Some(value) => parse_value(value).ok_or_else(|| Failure::Refused(answer.to_owned())),
        None if answer == "ok" => Ok(None),
        None => Err(Failure::Refused(answer.to_owned())),
    }
}
