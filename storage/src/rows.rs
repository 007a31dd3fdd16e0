//! What each test is about, and what is known of those that fail.

/// A store and how it is asked to commit.
pub(crate) struct Setting {
    /// The module of its tests.
    pub(crate) module: &'static str,
    /// The crate that stores.
    pub(crate) package: &'static str,
    /// How it commits.
    pub(crate) commits: &'static str,
    /// Its plan, if it has one.
    pub(crate) plan: Option<&'static str>,
}

/// Every setting, in the order of the table.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        module: "redb_",
        package: "redb",
        commits: "`Durability::Immediate`",
        plan: Some("plans/redb.md"),
    },
    Setting {
        module: "redb_::savepoints",
        package: "redb",
        commits: "`Immediate`, after a savepoint was restored",
        plan: None,
    },
    Setting {
        module: "fjall_",
        package: "fjall",
        commits: "`PersistMode::SyncAll`",
        plan: Some("plans/fjall.md"),
    },
    Setting {
        module: "sqlite::wal",
        package: "rusqlite",
        commits: "WAL, `synchronous=FULL`",
        plan: Some("plans/sqlite.md"),
    },
    Setting {
        module: "sqlite::mapped",
        package: "rusqlite",
        commits: "WAL, `FULL`, `mmap_size` 1 MiB",
        plan: None,
    },
    Setting {
        module: "sqlite::extra",
        package: "rusqlite",
        commits: "rollback journal, `synchronous=EXTRA`",
        plan: None,
    },
    Setting {
        module: "sqlite::full",
        package: "rusqlite",
        commits: "rollback journal, `synchronous=FULL`",
        plan: None,
    },
];

/// What befalls a store.
pub(crate) struct Storm {
    /// The test.
    pub(crate) test: &'static str,
    /// In words.
    pub(crate) what: &'static str,
    /// In which order the disk may make durable what is not synced.
    pub(crate) profile: &'static str,
    /// The fault of the ledger that the row is about.
    pub(crate) fault: &'static str,
}

/// Every storm, in the order of the table. A setting need not have them all.
pub(crate) const STORMS: &[Storm] = &[
    storm("power_posix_weak", "power, kills", "posix-weak", "power"),
    storm(
        "power_ext4_ordered",
        "power, kills",
        "ext4-ordered",
        "power",
    ),
    storm("power_sequential", "power, kills", "sequential", "power"),
    storm("creation_posix_weak", "at creation", "posix-weak", "power"),
    storm(
        "creation_ext4_ordered",
        "at creation",
        "ext4-ordered",
        "power",
    ),
    storm(
        "call_sites",
        "`EIO` at call sites",
        "ext4-ordered",
        "trouble",
    ),
    storm("syncs", "failed syncs", "ext4-ordered", "trouble"),
    storm("full", "`ENOSPC`", "ext4-ordered", "trouble"),
    storm("short", "short counts", "ext4-ordered", "trouble"),
    storm("lost_writes", "lost writes", "ext4-ordered", "trouble"),
];

const fn storm(
    test: &'static str,
    what: &'static str,
    profile: &'static str,
    fault: &'static str,
) -> Storm {
    Storm {
        test,
        what,
        profile,
        fault,
    }
}

/// Tests that fail, and the finding of `FINDINGS.md` that says why.
pub(crate) const FINDINGS: &[(&str, &str)] = &[
    ("redb_::power_posix_weak", "F1"),
    ("redb_::creation_posix_weak", "F1, F2"),
    ("redb_::creation_ext4_ordered", "F2"),
    ("fjall_::power_posix_weak", "F3"),
    ("fjall_::creation_posix_weak", "F3, F4"),
    ("fjall_::creation_ext4_ordered", "F4"),
    ("fjall_::call_sites", "F5"),
    ("fjall_::syncs", "F5"),
    ("fjall_::power_ext4_ordered", "F6"),
    ("fjall_::power_sequential", "F6"),
    ("fjall_::short", "F6"),
    ("sqlite::wal::call_sites", "F7"),
    ("sqlite::wal::syncs", "F7"),
    ("sqlite::extra::call_sites", "F11"),
    ("sqlite::full::power_posix_weak", "F8"),
    ("sqlite::full::power_ext4_ordered", "F8"),
    ("sqlite::full::power_sequential", "F8"),
    ("redb_::lost_writes", "F9"),
    ("fjall_::lost_writes", "F9"),
    ("sqlite::wal::lost_writes", "F9"),
    ("sqlite::extra::lost_writes", "F9"),
];
