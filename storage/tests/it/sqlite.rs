//! SQLite, bundled with rusqlite: C code with a rollback journal or a write-ahead log, whose index
//! is in memory that is mapped shared.

use rusqlite::{Connection, params};

use crate::storm::{AnyError, Changes, Store, Table};

pub(crate) struct Sqlite<M>(Connection, std::marker::PhantomData<M>);

/// How SQLite commits.
pub(crate) trait Mode: 'static {
    const JOURNAL: &str;
    const SYNCHRONOUS: &str;
    /// How much of the database is mapped, in bytes.
    const MAPPED: u32;
}

impl<M: Mode> Store for Sqlite<M> {
    fn open() -> Result<Self, AnyError> {
        let connection = Connection::open("/data/sqlite")?;
        connection.pragma_update(None, "journal_mode", M::JOURNAL)?;
        connection.pragma_update(None, "synchronous", M::SYNCHRONOUS)?;
        connection.pragma_update(None, "mmap_size", M::MAPPED)?;
        // Now and then what is in the log is moved to the database.
        connection.pragma_update(None, "wal_autocheckpoint", 20)?;
        let table = "create table if not exists numbers (key integer primary key, value integer)";
        connection.execute(table, [])?;
        Ok(Sqlite(connection, std::marker::PhantomData))
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), AnyError> {
        let transaction = self.0.transaction()?;
        for (key, value) in changes {
            match value {
                Some(value) => transaction.execute(
                    "insert or replace into numbers values (?1, ?2)",
                    params![key.cast_signed(), value.cast_signed()],
                )?,
                None => transaction.execute(
                    "delete from numbers where key = ?1",
                    params![key.cast_signed()],
                )?,
            };
        }
        Ok(transaction.commit()?)
    }

    fn read(&self) -> Result<Table, AnyError> {
        let check: String = self
            .0
            .query_row("pragma integrity_check", [], |row| row.get(0))?;
        if check != "ok" {
            return Err(check.into());
        }
        let mut query = self.0.prepare("select key, value from numbers")?;
        let rows = query.query_map([], |row| {
            let (key, value): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((key.cast_unsigned(), value.cast_unsigned()))
        })?;
        Ok(rows.collect::<Result<Table, _>>()?)
    }
}

macro_rules! modes {
    ($($name:ident: $journal:literal, $synchronous:literal, $mapped:literal;)*) => {$(
        pub(crate) struct $name;

        impl Mode for $name {
            const JOURNAL: &str = $journal;
            const SYNCHRONOUS: &str = $synchronous;
            const MAPPED: u32 = $mapped;
        }
    )*};
}

modes! {
    Full: "delete", "full", 0;
    Extra: "delete", "extra", 0;
    Wal: "wal", "full", 0;
    Mapped: "wal", "full", 1_048_576;
}

mod wal {
    crate::storm::storms!(super::Sqlite<super::Wal>);

    mod plan {
        use crate::served::Served;
        use crate::sqlite::{Sqlite, Wal};

        landfall::plan!("plans/sqlite.md", system = Served::<Sqlite<Wal>>::new());
    }
}

mod mapped {
    crate::storm::storms! { super::Sqlite<super::Mapped>:
        power_posix_weak = PosixWeak, None;
        power_ext4_ordered = Ext4Ordered, None;
        power_sequential = Sequential, None;
        short = Ext4Ordered, Short;
    }
}

mod extra {
    crate::storm::storms!(super::Sqlite<super::Extra>);
}

mod full {
    crate::storm::storms! { super::Sqlite<super::Full>:
        power_posix_weak = PosixWeak, None;
        power_ext4_ordered = Ext4Ordered, None;
        power_sequential = Sequential, None;
    }
}
