//! redb: copy on write, with a checksummed root; `std::fs::File` and its locks.

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};

use crate::storm::{AnyError, Changes, Store, Table, storms};

const NUMBERS: TableDefinition<'_, u64, u64> = TableDefinition::new("numbers");

pub(crate) struct Redb(Database);

impl Store for Redb {
    fn open() -> Result<Redb, AnyError> {
        Ok(Redb(Database::create("/data/redb")?))
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), AnyError> {
        let transaction = self.0.begin_write()?;
        {
            let mut table = transaction.open_table(NUMBERS)?;
            for (key, value) in changes {
                match value {
                    Some(value) => drop(table.insert(key, value)?),
                    None => drop(table.remove(key)?),
                }
            }
        }
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

mod plan {
    landfall::plan!(
        "plans/redb.md",
        system = crate::served::Served::<super::Redb>::new()
    );
}
