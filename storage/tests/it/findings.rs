//! The findings of `FINDINGS.md` but F9 and F10, each by a program as short as it could be made,
//! beside one that differs by what the finding says is missing, and loses nothing.
//!
//! A test passes while the crate does what is written there: one that has become better fails here,
//! and its finding is to be struck.

use std::fs::File;
use std::time::Duration;

use landfall::disk::{FailMode, Profile};
use landfall::runtime::Down;
use tokio::time::sleep;

use crate::fjall_::Fjall;
use crate::redb_::Redb;
use crate::sqlite::{Extra, Full, Sqlite, Wal};
use crate::storm::{AnyError, Changes, Store, Storm, Table};

/// What a process of a store goes through.
#[derive(Clone, Copy)]
enum Life {
    /// It commits so often, and ends.
    Commits(u64, Down),
    /// It is to commit on such a disk, fails or does, and is killed.
    Fails(FailMode),
    /// It commits so often on such a disk, unless it fails, and loses power.
    Goes(FailMode, u64),
    /// It loses power so many microseconds after it began, at most.
    Begins(u64),
}

const SYNCS_FAIL: FailMode = FailMode::Eio {
    reads: false,
    writes: false,
    fsync: true,
};

/// How often what loses nothing is tried for each seed.
const TRIES: u64 = 20;
/// How often what does is, at most: F11 takes 80 on average.
const TRIES_MAX: u64 = 1_000;

/// Lives on a fresh disk each, until one leaves what the next process finds wrong.
async fn wrong<S: Store>(profile: Profile, lives: &[Life], tries: u64) -> Option<String> {
    for attempt in 0..tries {
        let mut storm = Storm::new::<S>(&format!("store{attempt}"), profile);
        for life in lives {
            let (commits, down) = match *life {
                Life::Commits(commits, down) => (commits, down),
                Life::Fails(mode) => {
                    // It is in the middle of its work.
                    storm.committing(1).await;
                    storm.fail(mode);
                    (1, Down::Kill)
                }
                Life::Goes(mode, commits) => {
                    storm.committing(1).await;
                    storm.fail(mode);
                    (commits, Down::PowerLoss)
                }
                Life::Begins(longest_us) => {
                    let after = longest_us * (attempt + 1) / tries;
                    sleep(Duration::from_micros(after)).await;
                    (0, Down::PowerLoss)
                }
            };
            storm.committing(commits).await;
            storm.end(down);
        }
        storm.committing(1).await;
        if let Err(wrong) = storm.check() {
            return Some(wrong);
        }
        // It would go on beside those after it.
        storm.stop(Down::Kill);
    }
    None
}

/// The store is found wrong, in these words.
async fn loses<S: Store>(profile: Profile, lives: &[Life], what: &str) -> Result<(), String> {
    match wrong::<S>(profile, lives, TRIES_MAX).await {
        Some(wrong) if wrong.contains(what) => Ok(()),
        other => Err(format!("not {what}, but {other:?}")),
    }
}

async fn loses_nothing<S: Store>(profile: Profile, lives: &[Life]) -> Result<(), String> {
    let found = wrong::<S>(profile, lives, TRIES).await;
    found.map_or(Ok(()), Err)
}

/// A store whose user syncs the directories that it leaves.
struct Synced<S>(S);

impl<S: Store> Store for Synced<S> {
    fn open() -> Result<Self, AnyError> {
        let store = S::open()?;
        for directory in ["/data", "/data/keyspaces"] {
            if let Ok(directory) = File::open(directory) {
                directory.sync_all()?;
            }
        }
        Ok(Synced(store))
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), AnyError> {
        self.0.commit(changes)
    }

    fn read(&self) -> Result<Table, AnyError> {
        self.0.read()
    }
}

const ONE_COMMIT: [Life; 1] = [Life::Commits(1, Down::PowerLoss)];

#[landfall::test(seeds = 1)]
async fn f1_redb_does_not_sync_the_directory_of_its_file() -> Result<(), String> {
    loses::<Redb>(
        Profile::PosixWeak,
        &ONE_COMMIT,
        "not durable: transaction 0 is",
    )
    .await
}

#[landfall::test(seeds = 1)]
async fn f1_with_the_directory_synced_redb_loses_nothing() -> Result<(), String> {
    loses_nothing::<Synced<Redb>>(Profile::PosixWeak, &ONE_COMMIT).await
}

#[landfall::test(seeds = 1)]
async fn f2_redb_does_not_open_what_a_power_loss_left_half_made() -> Result<(), String> {
    loses::<Redb>(
        Profile::Sequential,
        &[Life::Begins(20_000)],
        "it does not open: I/O error: invalid data",
    )
    .await
}

#[landfall::test(seeds = 1)]
async fn f3_fjall_does_not_sync_the_directory_of_its_keyspaces() -> Result<(), String> {
    loses::<Fjall>(
        Profile::PosixWeak,
        &ONE_COMMIT,
        "not durable: transaction 0 is",
    )
    .await
}

#[landfall::test(seeds = 1)]
async fn f3_with_the_directory_synced_fjall_loses_nothing() -> Result<(), String> {
    loses_nothing::<Synced<Fjall>>(Profile::PosixWeak, &ONE_COMMIT).await
}

#[landfall::test(seeds = 1)]
async fn f4_fjall_does_not_open_what_a_power_loss_left_half_made() -> Result<(), String> {
    loses::<Fjall>(
        Profile::Sequential,
        &[Life::Begins(20_000)],
        "it does not open: FjallError: ",
    )
    .await
}

/// The machine's own file system holds what is said of half-made stores: no simulation is at work.
mod on_the_machine {
    use std::fs;

    use crate::storm::{AnyError, Store as _};

    #[test]
    fn f2_redb_does_not_open_a_file_of_zeroes() -> Result<(), AnyError> {
        let folder = std::env::temp_dir().join(format!("landfall-f2-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let file = folder.join("redb");
        drop(redb::Database::create(&file)?);
        let whole = fs::read(&file)?;
        // The magic number is the last that a creation writes: before it there are zeroes.
        fs::write(&file, vec![0; whole.len()])?;
        let opened = redb::Database::create(&file);
        fs::remove_dir_all(&folder)?;
        let error = opened.err().expect("it is refused").to_string();
        assert!(error.contains("invalid data"), "{error}");
        Ok(())
    }

    /// A file begins with 64 bytes, the tenth of which has the number of the valid slot as its
    /// lowest bit, and two slots of 128, each with its version first and its checksum last.
    #[test]
    fn f12_redb_does_not_open_a_file_whose_spare_slot_has_another_version() -> Result<(), AnyError>
    {
        let folder = std::env::temp_dir().join(format!("landfall-f12-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let file = folder.join("redb");
        drop(redb::Database::create(&file)?);
        let whole = fs::read(&file)?;
        let spare = 64 + 128 * usize::from(whole[9] & 1 == 0);
        let mut opened = Vec::new();
        // The last byte is of the checksum: the control.
        for at in [spare, spare + 127] {
            let mut torn = whole.clone();
            torn[at] = 106;
            fs::write(&file, torn)?;
            opened.push(redb::Database::create(&file).map(drop));
        }
        fs::remove_dir_all(&folder)?;
        let error = opened[0].as_ref().expect_err("it is refused").to_string();
        assert!(error.contains("file format version"), "{error}");
        assert!(opened[1].is_ok(), "{:?}", opened[1]);
        Ok(())
    }

    #[test]
    fn f4_fjall_does_not_open_a_database_without_a_version_marker() -> Result<(), AnyError> {
        let folder = std::env::temp_dir().join(format!("landfall-f4-{}", std::process::id()));
        let open = || fjall::Database::builder(&folder).open();
        drop(open()?);
        let mut markers = 0;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            // All but the journal, which a creation makes first.
            if entry.file_name() == "version" {
                fs::remove_file(entry.path())?;
                markers += 1;
            }
        }
        assert_eq!(markers, 1, "the marker has another name");
        let opened = open();
        fs::remove_dir_all(&folder)?;
        let error = opened.err().expect("it is refused").to_string();
        assert!(error.contains("File exists"), "{error}");
        Ok(())
    }

    /// The journal is made to its full length first: what is not written of a batch is zeroes.
    #[test]
    fn f6_fjall_panics_at_a_torn_end_of_its_journal() -> Result<(), AnyError> {
        let folder = std::env::temp_dir().join(format!("landfall-f6-{}", std::process::id()));
        let open = || crate::fjall_::open_at(&folder);
        let mut store = open()?;
        store.commit(&vec![(1, Some(0x0101_0101_0101_0101))])?;
        drop(store);
        let journal = folder.join("0.jnl");
        let whole = fs::read(&journal)?;
        let written = whole.iter().rposition(|&byte| byte != 0).expect("a batch") + 1;
        let panics = |left: usize| {
            let mut torn = whole.clone();
            torn[left..].fill(0);
            fs::write(&journal, torn).expect("the folder is there");
            std::panic::catch_unwind(|| open().map(drop)).is_err()
        };
        let met = (0..written).rev().find(|&left| panics(left));
        fs::remove_dir_all(&folder)?;
        assert!(
            met.is_some(),
            "no torn end of {written} bytes is met by a panic"
        );
        Ok(())
    }
}

/// A sync fails, the process is started anew, goes on, and loses power.
const AFTER_A_FAILED_SYNC: [Life; 2] = [Life::Fails(SYNCS_FAIL), Life::Commits(3, Down::PowerLoss)];

#[landfall::test(seeds = 1)]
async fn f5_fjall_goes_on_behind_what_a_failed_sync_left() -> Result<(), String> {
    loses::<Fjall>(Profile::Ext4Ordered, &AFTER_A_FAILED_SYNC, "not durable").await
}

#[landfall::test(seeds = 1)]
async fn f7_sqlite_goes_on_behind_what_a_failed_sync_left_in_its_log() -> Result<(), String> {
    loses::<Sqlite<Wal>>(Profile::Ext4Ordered, &AFTER_A_FAILED_SYNC, "not durable").await
}

#[landfall::test(seeds = 1)]
async fn f7_redb_does_not_go_on_so() -> Result<(), String> {
    loses_nothing::<Redb>(Profile::Ext4Ordered, &AFTER_A_FAILED_SYNC).await
}

#[landfall::test(seeds = 1)]
async fn f8_sqlite_full_does_not_sync_that_its_journal_is_gone() -> Result<(), String> {
    let lives = [Life::Commits(3, Down::PowerLoss)];
    loses::<Sqlite<Full>>(Profile::Sequential, &lives, "not durable").await
}

#[landfall::test(seeds = 1)]
async fn f11_sqlite_goes_on_where_it_cannot_open_the_directory_to_sync() -> Result<(), String> {
    // Each life has other sites that fail: of some it is that one alone.
    let lives = [Life::Goes(FailMode::Sites { ppm: 100_000 }, 3)];
    loses::<Sqlite<Extra>>(Profile::Sequential, &lives, "not durable").await
}

#[landfall::test(seeds = 1)]
async fn f8_sqlite_extra_does() -> Result<(), String> {
    let lives = [Life::Commits(3, Down::PowerLoss)];
    loses_nothing::<Sqlite<Extra>>(Profile::Sequential, &lives).await
}
