//! redb: copy on write, with a checksummed root; `std::fs::File` and its locks.

use redb::{
    Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError,
    WriteTransaction,
};

use crate::storm::{AnyError, Changes, Store, Table, storms};

const NUMBERS: TableDefinition<'_, u64, u64> = TableDefinition::new("numbers");

pub(crate) struct Redb(Database);

impl Store for Redb {
    fn open() -> Result<Redb, AnyError> {
        Ok(Redb(Database::create("/data/redb")?))
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), AnyError> {
        let transaction = self.0.begin_write()?;
        change(&transaction, changes)?;
        Ok(transaction.commit()?)
    }

    fn read(&self) -> Result<Table, AnyError> {
        let transaction = self.0.begin_read()?;
        let table = match transaction.open_table(NUMBERS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Table::new()),
            table => table?,
        };
        let mut all = Table::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            all.insert(key.value(), value.value());
        }
        Ok(all)
    }
}

storms!(Redb);

fn change(transaction: &WriteTransaction, changes: &Changes) -> Result<(), AnyError> {
    let mut table = transaction.open_table(NUMBERS)?;
    for (key, value) in changes {
        match value {
            Some(value) => drop(table.insert(key, value)?),
            None => drop(table.remove(key)?),
        }
    }
    Ok(())
}

/// One that does something else first, not durably, and goes back to where it was by a savepoint;
/// of each commit it keeps one until the next.
struct Savepoints(Redb);

impl Store for Savepoints {
    fn open() -> Result<Savepoints, AnyError> {
        Redb::open().map(Savepoints)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), AnyError> {
        let database = &self.0.0;
        let mut wrong = database.begin_write()?;
        wrong.set_durability(Durability::None)?;
        let before = wrong.ephemeral_savepoint()?;
        change(&wrong, &(0..64).map(|key| (key, Some(u64::MAX))).collect())?;
        wrong.commit()?;

        // In a transaction that has changed nothing: see F10.
        let mut transaction = database.begin_write()?;
        transaction.restore_savepoint(&before)?;
        change(&transaction, changes)?;
        transaction.commit()?;

        let transaction = database.begin_write()?;
        let kept = transaction.persistent_savepoint()?;
        let all: Vec<u64> = transaction.list_persistent_savepoints()?.collect();
        for older in all.into_iter().filter(|id| *id != kept) {
            transaction.delete_persistent_savepoint(older)?;
        }
        Ok(transaction.commit()?)
    }

    fn read(&self) -> Result<Table, AnyError> {
        self.0.read()
    }
}

mod savepoints {
    crate::storm::storms! { super::Savepoints:
        power_ext4_ordered = Ext4Ordered, None;
        power_sequential = Sequential, None;
    }
}

mod plan {
    landfall::plan!(
        "plans/redb.md",
        system = crate::served::Served::<super::Redb>::new()
    );
}
