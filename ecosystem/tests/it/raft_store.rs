//! What a Raft node of `raft` keeps: its log, its vote, its table and a snapshot of that, each a
//! file that is replaced as a whole and synced before anything is acknowledged.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Cursor};
use std::ops::RangeBounds;
use std::path::PathBuf;
use std::sync::Arc;

use openraft::storage::{LogFlushed, RaftLogStorage, RaftStateMachine};
use openraft::{
    AnyError, Entry, EntryPayload, LogId, LogState, RaftLogReader, RaftSnapshotBuilder, Snapshot,
    SnapshotMeta, StorageError, StorageIOError, StoredMembership, Vote,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::fs;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;

use crate::raft::{Node, Put, Types};

type Failed = StorageError<u64>;

fn failed(error: &io::Error) -> Failed {
    StorageIOError::write(AnyError::new(error)).into()
}

const FOLDER: &str = "/data";

/// Makes the folder of what is kept, and has its name on disk: without, a power loss takes it
/// away with the vote and the log in it, and the node begins as a new one.
pub(crate) async fn make_folder() -> io::Result<()> {
    fs::create_dir_all(FOLDER).await?;
    fs::File::open("/").await?.sync_all().await
}

/// A file that holds one value.
#[derive(Clone)]
struct Kept(PathBuf);

impl Kept {
    async fn read<T: DeserializeOwned + Default>(&self) -> Result<T, Failed> {
        match fs::read(&self.0).await {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| StorageIOError::read(AnyError::new(&error)).into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn write<T: Serialize>(&self, value: &T) -> Result<(), Failed> {
        let bytes = serde_json::to_vec(value).map_err(|error| failed(&error.into()))?;
        self.replace(&bytes).await.map_err(|error| failed(&error))
    }

    async fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.0.with_extension("new");
        // Left by a crash. It is unlinked, not overwritten: where a rename survives by half, both
        // names may be those of the one file.
        match fs::remove_file(&fresh).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::File::create(&fresh).await?;
        file.write_all(bytes).await?;
        file.sync_all().await?;
        fs::rename(&fresh, &self.0).await?;
        fs::File::open(FOLDER).await?.sync_all().await
    }
}

#[derive(Default, Serialize, Deserialize)]
struct LogFile {
    vote: Option<Vote<u64>>,
    committed: Option<LogId<u64>>,
    purged: Option<LogId<u64>>,
    entries: BTreeMap<u64, Entry<Types>>,
}

/// The log and the vote.
#[derive(Clone)]
pub(crate) struct Log {
    kept: Kept,
    file: Arc<Mutex<LogFile>>,
}

impl Log {
    pub(crate) async fn open() -> Result<Self, Failed> {
        let kept = Kept("/data/log".into());
        let file = Arc::new(Mutex::new(kept.read().await?));
        Ok(Self { kept, file })
    }

    async fn change(&self, change: impl FnOnce(&mut LogFile)) -> Result<(), Failed> {
        let mut file = self.file.lock().await;
        change(&mut file);
        self.kept.write(&*file).await
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + Send>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry<Types>>, Failed> {
        let file = self.file.lock().await;
        Ok(file
            .entries
            .range(range)
            .map(|(_, entry)| entry.clone())
            .collect())
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, Failed> {
        let file = self.file.lock().await;
        let last = file.entries.values().next_back().map(|entry| entry.log_id);
        Ok(LogState {
            last_purged_log_id: file.purged,
            last_log_id: last.or(file.purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), Failed> {
        self.change(|file| file.vote = Some(*vote)).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, Failed> {
        Ok(self.file.lock().await.vote)
    }

    async fn save_committed(&mut self, committed: Option<LogId<u64>>) -> Result<(), Failed> {
        self.change(|file| file.committed = committed).await
    }

    async fn read_committed(&mut self) -> Result<Option<LogId<u64>>, Failed> {
        Ok(self.file.lock().await.committed)
    }

    async fn append<I>(&mut self, entries: I, flushed: LogFlushed<Types>) -> Result<(), Failed>
    where
        I: IntoIterator<Item = Entry<Types>> + Send,
        I::IntoIter: Send,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        let keyed = entries.into_iter().map(|entry| (entry.log_id.index, entry));
        self.change(|file| file.entries.extend(keyed)).await?;
        flushed.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, since: LogId<u64>) -> Result<(), Failed> {
        self.change(|file| drop(file.entries.split_off(&since.index)))
            .await
    }

    async fn purge(&mut self, upto: LogId<u64>) -> Result<(), Failed> {
        self.change(|file| {
            file.purged = Some(upto);
            file.entries = file.entries.split_off(&(upto.index + 1));
        })
        .await
    }
}

/// What has been applied.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Table {
    applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, Node>,
    values: BTreeMap<String, String>,
}

/// The table, which is in memory, and its last snapshot, which is on disk.
#[derive(Clone)]
pub(crate) struct Machine {
    kept: Kept,
    table: Arc<Mutex<Table>>,
}

impl Machine {
    pub(crate) async fn open() -> Result<Self, Failed> {
        let kept = Kept("/data/snapshot".into());
        let table = Arc::new(Mutex::new(kept.read().await?));
        Ok(Self { kept, table })
    }

    pub(crate) async fn get(&self, key: &str) -> Option<String> {
        self.table.lock().await.values.get(key).cloned()
    }
}

fn snapshot(table: &Table) -> Result<Snapshot<Types>, Failed> {
    let bytes = serde_json::to_vec(table).map_err(|error| failed(&error.into()))?;
    let index = table.applied.map_or(0, |applied| applied.index);
    Ok(Snapshot {
        meta: SnapshotMeta {
            last_log_id: table.applied,
            last_membership: table.membership.clone(),
            snapshot_id: format!("upto-{index}"),
        },
        snapshot: Box::new(Cursor::new(bytes)),
    })
}

impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, Failed> {
        let table = self.table.lock().await.clone();
        self.kept.write(&table).await?;
        snapshot(&table)
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<u64>>, StoredMembership<u64, Node>), Failed> {
        let table = self.table.lock().await;
        Ok((table.applied, table.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<()>, Failed>
    where
        I: IntoIterator<Item = Entry<Types>> + Send,
        I::IntoIter: Send,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        let mut table = self.table.lock().await;
        for entry in &entries {
            table.applied = Some(entry.log_id);
            match &entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(Put { key, value }) => {
                    table.values.insert(key.clone(), value.clone());
                }
                EntryPayload::Membership(members) => {
                    table.membership = StoredMembership::new(Some(entry.log_id), members.clone());
                }
            }
        }
        Ok(vec![(); entries.len()])
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, Failed> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        _: &SnapshotMeta<u64, Node>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), Failed> {
        let table: Table = serde_json::from_slice(snapshot.get_ref())
            .map_err(|error| StorageIOError::read(AnyError::new(&error)))?;
        self.kept.write(&table).await?;
        *self.table.lock().await = table;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, Failed> {
        let table: Table = self.kept.read().await?;
        table.applied.map(|_| snapshot(&table)).transpose()
    }
}
