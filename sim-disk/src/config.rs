//! What a test may choose about its disks.

use std::time::Duration;

/// A file system of the simulation. A node's first volume has the number of the node; those
/// that a test adds have numbers of its own choice from [`VolumeId::ADDED`] on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VolumeId(pub u64);

impl VolumeId {
    /// Below are the nodes' first volumes.
    pub const ADDED: VolumeId = VolumeId(1 << 32);
}

/// In which order un-synced operations may reach the media.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Profile {
    /// What POSIX promises and no more: data, size and names are independent; a rename is atomic
    /// but not ordered after data; fsync of a file does not persist its name.
    #[default]
    PosixWeak,
    /// ext4 with `data=ordered`: metadata in the order of the calls, data before the size that
    /// reveals it; fsync of a new file persists its name.
    Ext4Ordered,
    /// A crash keeps a prefix.
    Sequential,
}

impl Profile {
    /// Its name in plans and reports.
    pub fn name(self) -> &'static str {
        match self {
            Profile::PosixWeak => "posix-weak",
            Profile::Ext4Ordered => "ext4-ordered",
            Profile::Sequential => "sequential",
        }
    }
}

/// What the media writes all or nothing of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TearUnit {
    /// A 512-byte sector.
    #[default]
    Atomic512,
    /// A 4 KiB page.
    Atomic4096,
    /// Nothing: a write may be cut at any byte.
    None,
}

impl TearUnit {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            TearUnit::Atomic512 => "atomic-512",
            TearUnit::Atomic4096 => "atomic-4096",
            TearUnit::None => "none",
        }
    }
}

/// What media do to sectors. Whether a sector is hit follows from where it is and what it holds:
/// no retry heals it, a write does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum MediaFault {
    /// Reads fail with `EIO`.
    LatentError,
    /// A bit of what is read is wrong.
    Rot,
    /// A write is acknowledged, synced even, and not there: the old data stays.
    LostWrite,
    /// A write goes to another sector, whose data it replaces; its own keeps the old.
    MisdirectedWrite,
    /// Reads serve another sector's data.
    MisdirectedRead,
    /// What was never written reads as garbage, not as zero.
    Uninitialised,
}

/// The shortest and the longest time that a call takes, drawn evenly in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LatencyRange {
    /// Shortest.
    pub lo: Duration,
    /// Longest; zero draws nothing.
    pub hi: Duration,
}

/// How long calls take, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Latency {
    /// Reads of data and of directories.
    pub read: LatencyRange,
    /// Writes and changes of size.
    pub write: LatencyRange,
    /// fsync and fdatasync.
    pub sync: LatencyRange,
    /// Everything about names and attributes, open included.
    pub metadata: LatencyRange,
}

/// What a device does in a second at most. Reads and syncs wait for those before them; what is
/// written waits in the page cache until it is synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Throughput {
    /// Reads and syncs a second; zero is no limit.
    pub operations: u64,
    /// Bytes read or made durable a second; zero is no limit.
    pub bytes: u64,
}

impl Throughput {
    /// How long the device is busy with one operation, in ns.
    pub(crate) fn takes_ns(self, bytes: u64) -> u64 {
        const SECOND_NS: u128 = 1_000_000_000;
        let share = |count: u64, rate: u64| match rate {
            0 => 0,
            _ => u128::from(count) * SECOND_NS / u128::from(rate),
        };
        let ns = share(1, self.operations).max(share(bytes, self.bytes));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}

/// How the disks of a simulation behave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskConfig {
    /// Order of un-synced operations.
    pub profile: Profile,
    /// What is atomic.
    pub tear: TearUnit,
    /// How long calls take.
    pub latency: Latency,
    /// What a node's device does at most; None has no limit. It makes calls wait that await
    /// [`Disk::latency`](crate::Disk::latency), on top of their own time.
    pub throughput: Option<Throughput>,
    /// Room for data on each volume, in bytes, counted in pages of 4 KiB; None has no limit.
    pub capacity_bytes: Option<u64>,
    /// Whether guests are watched for habits that lose data ([`Disk::lints`](crate::Disk::lints)).
    pub lints: bool,
    /// How long after a change the kernel writes back by itself: a random set of what is pending,
    /// closed under the profile's order, becomes durable. Zero: never.
    pub write_back: LatencyRange,
    /// Pending operations of a volume beyond which the older half is written back.
    pub dirty_ops_max: usize,
    /// Pending bytes of a volume beyond which the older half is written back.
    pub dirty_bytes_max: u64,
}

impl Default for DiskConfig {
    /// `posix-weak`, 512-byte sectors, no latency, no limit, no write-back but under pressure:
    /// the page cache holds 65,536 operations or 256 MiB dirty.
    fn default() -> DiskConfig {
        DiskConfig {
            profile: Profile::default(),
            tear: TearUnit::default(),
            latency: Latency::default(),
            throughput: None,
            capacity_bytes: None,
            lints: false,
            write_back: LatencyRange::default(),
            dirty_ops_max: 1 << 16,
            dirty_bytes_max: 1 << 28,
        }
    }
}
