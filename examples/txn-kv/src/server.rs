//! The server: a task a connection, one open transaction each.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

use crate::journal::Journal;
use crate::protocol::{Request, value_line};
use crate::store::{Store, Transaction};

/// How long a stale snapshot is handed out.
const STALE: Duration = Duration::from_millis(150);
/// How long the planted mistakes leave a commit half done.
const HALF_DONE: Duration = Duration::from_millis(5);

/// Serves what the folder holds until the disk fails.
///
/// # Errors
/// What the disk or the listener answers. What was not acknowledged may be there at the next
/// start, or not.
pub async fn serve(listener: TcpListener, folder: &Path) -> io::Result<()> {
    let (journal, store) = Journal::open(folder).await?;
    let (failed, mut failures) = unbounded_channel();
    let server = Arc::new(Server {
        snapshot: Mutex::new((Instant::now(), store.commits())),
        store: Mutex::new(store),
        journal: AsyncMutex::new(journal),
        failed,
    });
    loop {
        let (stream, _) = tokio::select! {
            biased;
            Some(error) = failures.recv() => return Err(error),
            accepted = listener.accept() => accepted?,
        };
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let mut open = None;
            // A connection that breaks takes its transaction with it, and nothing else.
            let _ = server.converse(stream, &mut open).await;
            if let Some(transaction) = open {
                server.store().end(&transaction);
            }
        });
    }
}

struct Server {
    store: Mutex<Store>,
    /// Held from the check for conflicts until the changes are visible.
    journal: AsyncMutex<Journal>,
    /// The snapshot that is handed out, and since when.
    snapshot: Mutex<(Instant, u64)>,
    /// Where a failure of the disk is told: the server stops then.
    failed: UnboundedSender<io::Error>,
}

impl Server {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn converse(&self, stream: TcpStream, open: &mut Option<Transaction>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (input, mut output) = stream.into_split();
        let mut lines = BufReader::new(input).lines();
        while let Some(line) = lines.next_line().await? {
            let answer = match Request::parse(&line) {
                Ok(request) => self.answer(request, open).await?,
                Err(why) => format!("error {why}\n"),
            };
            output.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    }

    async fn answer(&self, request: Request, open: &mut Option<Transaction>) -> io::Result<String> {
        let ok = || "ok\n".to_owned();
        let none = || "error no transaction is open\n".to_owned();
        Ok(match request {
            Request::Begin(isolation) => {
                let mut store = self.store();
                if let Some(abandoned) = open.take() {
                    store.end(&abandoned);
                }
                let begun = self.snapshot(&store);
                *open = Some(store.begin(isolation, begun));
                ok()
            }
            Request::Read(key) => open.as_mut().map_or_else(none, |transaction| {
                value_line(self.store().read(transaction, &key).as_ref())
            }),
            Request::Change(key, change) => open.as_mut().map_or_else(none, |transaction| {
                transaction.change(&key, change);
                ok()
            }),
            Request::Commit => match open.take() {
                None => none(),
                Some(transaction) => {
                    let committed = self.commit(&transaction).await;
                    self.store().end(&transaction);
                    match committed? {
                        true => ok(),
                        false => "conflict\n".to_owned(),
                    }
                }
            },
        })
    }

    /// The snapshot of who begins now.
    fn snapshot(&self, store: &Store) -> u64 {
        if !cfg!(feature = "bug-stale-read") {
            return store.commits();
        }
        let mut handed = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        if handed.0.elapsed() > STALE {
            *handed = (Instant::now(), store.commits());
        }
        handed.1
    }

    /// Commits, or refuses to.
    async fn commit(&self, transaction: &Transaction) -> io::Result<bool> {
        if transaction.changes_nothing() {
            return Ok(true);
        }
        let mut journal = self.journal.lock().await;
        let (conflicts, outcome) = {
            let store = self.store();
            (store.conflicts(transaction), store.outcome(transaction))
        };
        if cfg!(feature = "bug-dirty-read") && conflicts {
            let commit = self.store().next_commit();
            self.store().install(commit, &outcome);
            sleep(HALF_DONE).await;
            self.store().remove(commit);
        }
        if conflicts {
            return Ok(false);
        }
        if let Err(error) = journal.add(&outcome).await {
            let _ = self
                .failed
                .send(io::Error::new(error.kind(), error.to_string()));
            return Err(error);
        }
        let commit = self.store().next_commit();
        if cfg!(feature = "bug-fractured-reads") {
            for change in &outcome {
                self.store().install(commit, std::slice::from_ref(change));
                sleep(HALF_DONE).await;
            }
            return Ok(true);
        }
        self.store().install(commit, &outcome);
        Ok(true)
    }
}
