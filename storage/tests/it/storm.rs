//! What every store goes through, and what it must hold.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use landfall::disk::{Disk, FailMode, MediaFault, Profile, StrikePoint, disk};
use landfall::runtime::{Down, FaultId, NodeId, NodeState, Stream, world};
use tokio::time::{sleep, timeout};

/// Any error of a store.
pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// What a store holds: numbers by number.
pub(crate) type Table = BTreeMap<u64, u64>;

/// What one transaction does: `None` removes.
pub(crate) type Changes = Vec<(u64, Option<u64>)>;

/// A store, as its user has it. It is opened by a thread, and used there alone.
pub(crate) trait Store: Sized + 'static {
    /// Opens what is at `/data`, or makes it.
    fn open() -> Result<Self, AnyError>;
    /// Makes all of the changes in one transaction, durable when this returns.
    fn commit(&mut self, changes: &Changes) -> Result<(), AnyError>;
    /// All that there is.
    fn read(&self) -> Result<Table, AnyError>;
}

/// What befalls the disk, beside kills of the process and losses of power.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing: the power goes and the process dies.
    None,
    /// As none, while the store makes its files, each time on an empty disk.
    Creation,
    /// `EIO` from three of ten call sites.
    CallSites,
    /// `EIO` from every sync; what was to be synced is marked clean, and is not.
    Syncs,
    /// `ENOSPC`, now and then.
    Full,
    /// Reads and writes move less than asked.
    Short,
    /// Writes that were acknowledged, synced even, are not there after a loss of power.
    LostWrites,
}

/// The key of the number of the last transaction.
const LAST: u64 = 1_000;
/// The other keys.
const KEYS: u64 = 64;

/// How often the power goes, the process dies, or the trouble comes.
const ROUNDS: u64 = 8;
/// So long is waited for a power loss at a sync, and for a commit.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long after its start a store loses power, at most, that makes its files.
const CREATION_MAX: Duration = Duration::from_millis(40);

/// What transaction `number` does.
fn changes(number: u64) -> Changes {
    let set = (0..4).map(|k| ((number * 7 + k * 13) % KEYS, Some(number * 10 + k)));
    let removed = ((number * 5 + 1) % KEYS, None);
    set.chain([removed, (LAST, Some(number))]).collect()
}

/// What there is after the first `number` transactions.
fn model(number: u64) -> Table {
    let mut table = Table::new();
    for (key, value) in (1..=number).flat_map(changes) {
        match value {
            Some(value) => table.insert(key, value),
            None => table.remove(&key),
        };
    }
    table
}

/// What the world knows of the store, whatever becomes of its process.
#[derive(Default)]
struct Book {
    /// The last transaction that was begun.
    begun: u64,
    /// The last whose commit returned.
    acknowledged: u64,
    /// The last that was there when the store was opened.
    seen: u64,
    /// How often the store was opened and held what it must.
    opened: u64,
    /// How many transactions were acknowledged, those that were lost by right included.
    commits: u64,
    /// Errors are to be expected.
    is_troubled: bool,
    wrong: Option<String>,
}

impl Book {
    /// What is there when a store was opened.
    fn look(&mut self, table: &Table) -> Result<(), String> {
        let last = table.get(&LAST).copied().unwrap_or(0);
        let Book {
            begun,
            acknowledged,
            seen,
            ..
        } = *self;
        let there = format!("transaction {last} is the last that is there");
        if last < acknowledged {
            return Err(format!(
                "not durable: {there}, {acknowledged} was acknowledged"
            ));
        }
        if last < seen {
            return Err(format!(
                "not durable: {there}, {seen} was seen at an earlier start"
            ));
        }
        if last > begun {
            return Err(format!(
                "made up: {there}, {begun} is the last that was begun"
            ));
        }
        if *table != model(last) {
            return Err(format!(
                "not atomic: {there}, and other than it left things"
            ));
        }
        (self.seen, self.opened) = (last, self.opened + 1);
        Ok(())
    }
}

/// Why a store's process ends.
enum End {
    /// It holds what it must not.
    Wrong(String),
    /// A call of the store failed.
    Error(AnyError),
}

impl<E: Into<AnyError>> From<E> for End {
    fn from(error: E) -> End {
        End::Error(error.into())
    }
}

/// What the host does: opens the store, looks, and commits until it is stopped or an error stops
/// it.
fn serve<S: Store>(book: &Mutex<Book>) -> Result<(), End> {
    let book = || book.lock().expect("nobody panics who holds it");
    // The directory is the user's, and so is that it is durable.
    fs::create_dir_all("/data")?;
    File::open("/")?.sync_all()?;
    let mut store = S::open().map_err(|error| format!("it does not open: {error}"))?;
    let table = store.read();
    let table = table.map_err(|error| format!("it cannot be read: {error}"))?;
    book().look(&table).map_err(End::Wrong)?;
    let first = book().seen + 1;
    for number in first.. {
        book().begun = number;
        let committed = store.commit(&changes(number));
        committed.map_err(|error| format!("transaction {number} fails: {error}"))?;
        {
            let mut book = book();
            (book.acknowledged, book.commits) = (number, book.commits + 1);
        }
        thread::sleep(Duration::from_millis(3));
    }
    Ok(())
}

/// The host's process: ends with the first error. A store that panics is as good as one that fails.
async fn process<S: Store>(book: Arc<Mutex<Book>>) {
    let work = Arc::clone(&book);
    let ended = tokio::task::spawn_blocking(move || serve::<S>(&work)).await;
    let mut book = book.lock().expect("nobody panics who holds it");
    let wrong = match ended {
        Ok(Err(End::Error(_))) | Err(_) if book.is_troubled => return,
        Ok(Ok(())) => return,
        Ok(Err(End::Wrong(wrong))) => wrong,
        Ok(Err(End::Error(error))) => error.to_string(),
        Err(panicked) => format!("it panics: {panicked}"),
    };
    book.wrong.get_or_insert(wrong);
}

/// One store in its storm.
pub(crate) struct Storm {
    node: NodeId,
    disk: Rc<Disk>,
    draw: Stream,
    book: Arc<Mutex<Book>>,
    power: FaultId,
    kill: FaultId,
    trouble: FaultId,
}

/// Runs a store on a disk that orders what is not synced by `profile`, while its process dies, its
/// power goes and the trouble comes.
///
/// # Errors
/// What the store lost, mixed up, or could not do.
pub(crate) async fn through<S: Store>(profile: Profile, trouble: Trouble) -> Result<(), String> {
    let mut storm = Storm::new::<S>("store", profile);
    for _ in 0..ROUNDS {
        match trouble {
            Trouble::Creation => sleep(storm.draw.duration(Duration::ZERO, CREATION_MAX)).await,
            _ => {
                storm.committing(1).await;
                storm.pause().await;
            }
        }
        storm.check()?;
        if !matches!(trouble, Trouble::None | Trouble::Creation) {
            storm.trouble(trouble).await;
        }
        storm.strike().await;
        storm.disk.heal(storm.trouble);
        world().ledger().heal(storm.trouble);
        sleep(Duration::from_millis(5)).await;
        storm.restart(trouble == Trouble::LostWrites);
        if trouble == Trouble::Creation {
            storm.committing(1).await;
            storm.check()?;
            storm.wipe();
        }
    }
    storm.committing(1).await;
    storm.check()?;
    let book = storm.book.lock().expect("nobody panics who holds it");
    match (book.opened, book.commits) {
        // One that has noticed what its disk lost may refuse to open ever after.
        (1, _) if trouble == Trouble::LostWrites => Ok(()),
        (0 | 1, _) => Err(format!("it was opened {} times", book.opened)),
        (_, 0) => Err("nothing was ever committed".to_owned()),
        _ => Ok(()),
    }
}

impl Storm {
    /// Starts a store on a host of its own.
    pub(crate) fn new<S: Store>(name: &str, profile: Profile) -> Storm {
        let book: Arc<Mutex<Book>> = Arc::default();
        let shared = Arc::clone(&book);
        let node = landfall::host(name, move || process::<S>(Arc::clone(&shared)));
        let disk = disk().expect("a simulation has its disk");
        disk.set_profile(node, profile);
        let world = world();
        Storm {
            node,
            disk,
            draw: world.stream("storm", node),
            book,
            trouble: world.ledger().plan("trouble", "disk"),
            power: world.ledger().plan("power", "power-loss"),
            kill: world.ledger().plan("kill", "kill"),
        }
    }

    async fn pause(&mut self) {
        let pause = (Duration::from_millis(5), Duration::from_millis(120));
        sleep(self.draw.duration(pause.0, pause.1)).await;
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().expect("nobody panics who holds it")
    }

    /// # Errors
    /// What was found wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.book().wrong.clone().map_or(Ok(()), Err)
    }

    /// Waits until the store has opened and committed so often, is found wrong, or has ended.
    pub(crate) async fn committing(&self, commits: u64) {
        let goal = self.book().commits + commits;
        let is_over = || {
            let book = self.book();
            let has_ended = world().node(self.node).state != NodeState::Running;
            book.commits >= goal || book.wrong.is_some() || has_ended
        };
        let waits = async {
            while !is_over() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        // One that noticed what its disk lost may never come so far; the end of the test looks.
        drop(timeout(PATIENCE, waits).await);
    }

    /// An empty disk for a process that begins anew.
    fn wipe(&mut self) {
        landfall::lose_power(self.node);
        let wiped = self.disk.wipe(self.power, self.node, None);
        wiped.expect("the node is down");
        let mut book = self.book();
        (book.begun, book.acknowledged, book.seen) = (0, 0, 0);
        drop(book);
        landfall::restart(self.node);
    }

    /// The trouble begins; it ends when the process is down.
    async fn trouble(&mut self, trouble: Trouble) {
        self.book().is_troubled = true;
        world().ledger().arm(self.trouble, "the store's disk");
        let mode = match trouble {
            Trouble::None | Trouble::Creation => return,
            Trouble::LostWrites => {
                let lost = (MediaFault::LostWrite, 20_000);
                self.disk.damage(self.trouble, self.node, lost, None);
                return self.pause().await;
            }
            Trouble::CallSites => FailMode::Sites { ppm: 300_000 },
            Trouble::Syncs => FailMode::Eio {
                reads: false,
                writes: false,
                fsync: true,
            },
            Trouble::Full => FailMode::Crowded {
                free_bytes_max: 64 << 10,
            },
            Trouble::Short => FailMode::Short,
        };
        self.fail(mode);
        self.pause().await;
    }

    /// The power goes at once or at the next sync, or the process dies.
    async fn strike(&mut self) {
        let node = self.node;
        if world().node(node).state != NodeState::Running {
            return;
        }
        let is_kill = self.draw.below(6) == 0;
        let fault = if is_kill { self.kill } else { self.power };
        world().ledger().arm(fault, "the store");
        self.disk.blame_down(node, fault);
        let points = [StrikePoint::Before, StrikePoint::During, StrikePoint::After];
        if is_kill {
            landfall::kill(node);
        } else if self.draw.chance(6, 10) {
            let lose = Rc::new(move || {
                landfall::lose_power(node);
            });
            self.disk
                .strike_at_sync(node, *self.draw.pick(&points), lose);
            let waits = async {
                while self.disk.is_armed(node) && world().node(node).state == NodeState::Running {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            if timeout(PATIENCE, waits).await.is_err() {
                self.disk.disarm(node);
                landfall::lose_power(node);
            }
        } else {
            landfall::lose_power(node);
        }
        world().ledger().heal(fault);
    }

    /// The disk fails so until the process begins anew.
    pub(crate) fn fail(&self, mode: FailMode) {
        self.book().is_troubled = true;
        self.disk.fail(self.trouble, self.node, mode);
    }

    /// The process goes down, if it has not, and begins anew on a disk that works.
    pub(crate) fn end(&mut self, down: Down) {
        self.stop(down);
        self.restart(false);
    }

    /// The process goes down, if it has not, and its disk works again.
    pub(crate) fn stop(&mut self, down: Down) {
        match down {
            Down::PowerLoss => landfall::lose_power(self.node),
            Down::Kill | Down::Exit => landfall::kill(self.node),
        };
        self.disk.heal(self.trouble);
    }

    /// The process begins anew. It may have ended by itself, by an error that it met.
    fn restart(&mut self, is_damaged: bool) {
        // What a disk has lost stays lost: errors are to be expected from then on.
        self.book().is_troubled &= is_damaged;
        if world().node(self.node).state != NodeState::Running {
            landfall::restart(self.node);
        }
    }
}

/// Puts a store through every storm, each a test.
macro_rules! storms {
    ($store:ty: $($name:ident = $profile:ident, $trouble:ident;)*) => {$(
        #[landfall::test(seeds = 10)]
        async fn $name() -> Result<(), String> {
            use landfall::disk::Profile;
            use $crate::storm::{Trouble, through};
            through::<$store>(Profile::$profile, Trouble::$trouble).await
        }
    )*};
    ($store:ty) => {
        $crate::storm::storms! { $store:
            power_posix_weak = PosixWeak, None;
            power_ext4_ordered = Ext4Ordered, None;
            power_sequential = Sequential, None;
            creation_posix_weak = PosixWeak, Creation;
            creation_ext4_ordered = Ext4Ordered, Creation;
            call_sites = Ext4Ordered, CallSites;
            syncs = Ext4Ordered, Syncs;
            full = Ext4Ordered, Full;
            short = Ext4Ordered, Short;
            lost_writes = Ext4Ordered, LostWrites;
        }
    };
}

pub(crate) use storms;
