//! fjall: a log-structured merge tree with a journal; threads of its own flush and compact.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::storm::{AnyError, Changes, Store, Table, storms};

pub(crate) struct Fjall {
    database: Database,
    numbers: Keyspace,
}

/// Opens what is in a folder, or makes it.
pub(crate) fn open_at(folder: &Path) -> Result<Fjall, AnyError> {
    let database = Database::builder(folder).open()?;
    let numbers = database.keyspace("numbers", KeyspaceCreateOptions::default)?;
    Ok(Fjall { database, numbers })
}

fn number(bytes: &[u8]) -> Result<u64, AnyError> {
    Ok(u64::from_be_bytes(bytes.try_into()?))
}

impl Store for Fjall {
    fn open() -> Result<Fjall, AnyError> {
        open_at(Path::new("/data"))
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), AnyError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        for (key, value) in changes {
            match value {
                Some(value) => {
                    batch.insert(&self.numbers, key.to_be_bytes(), value.to_be_bytes());
                }
                None => batch.remove(&self.numbers, key.to_be_bytes()),
            }
        }
        Ok(batch.commit()?)
    }

    fn read(&self) -> Result<Table, AnyError> {
        let mut all = Table::new();
        for entry in self.numbers.iter() {
            let (key, value) = entry.into_inner()?;
            all.insert(number(&key)?, number(&value)?);
        }
        Ok(all)
    }
}

storms!(Fjall);

mod plan {
    landfall::plan!(
        "plans/fjall.md",
        system = crate::served::Served::<super::Fjall>::new()
    );
}
