//! The simulated disk: file systems that know what a power loss would leave of them.
//!
//! Takes calls shaped like the kernel's on the running node's volume, and faults from a nemesis;
//! gives back what Linux would, errno for errno, and evidence of what each fault took. Each
//! volume has two versions of every inode, *cache* (what the guest sees) and *media* (what a
//! power loss leaves), and the ordered operations in between. fsync moves operations over; a
//! power loss keeps a subset that the [`Profile`] allows.
//!
//! # Invariants, as absences
//! - No host file is read or written.
//! - What was synced is never lost to a power loss, under any profile; to media faults alone.
//! - A process kill loses nothing that a call returned success for.
//! - A call without a fault draws nothing (latency, where configured, excepted). A family of
//!   faults that is off never draws.
//! - No wake-up and no waiting: calls are synchronous; who wants latency awaits [`Disk::latency`].
//! - No permission checks: the guest is root.
//!
//! # Modules, in reading order
//! `config` (what a test chooses), `budget`, `errno`, `hash`, `content_hash`, `state` (pure: pages,
//! inodes, operations, volume, fsync, paths, names, ordering, crashes, scars, media), `kernel` (the
//! device in the world: descriptors, calls, faults, evidence), `exhaustive` (every crash state of a
//! small program, for a test).
//!
//! Without the feature `sim` of sim-runtime the crate is empty.

sim_runtime::if_sim! {
    sim {
        mod budget;
        mod config;
        mod content_hash;
        mod errno;
        mod exhaustive;
        mod hash;
        mod kernel;
        mod state;

        pub use budget::{Budget, Chunk};
        pub use config::{
            DiskConfig, Latency, LatencyRange, MediaFault, Profile, TearUnit, Throughput, VolumeId,
        };
        pub use exhaustive::{Exhaustive, Explored, crash_states};
        pub use kernel::device::{Disk, disk};
        pub use kernel::explore::CrashState;
        pub use kernel::faults::FailMode;
        pub use kernel::lints::{Lint, LintKind};
        pub use kernel::locks::{LockKind, LockOwner, RangeLock};
        pub use kernel::metadata::{DirEntry, FileKind, Metadata, SetTime, VolumeStatus};
        pub use kernel::namespace::At;
        pub use kernel::open_file::OpenFlags;
        pub use kernel::replace::Snapshot;
        pub use kernel::strikes::StrikePoint;
        pub use kernel::report::{CrashReport, DiskStats, PendingSummary};
        pub use kernel::op_kind::OpKind;
        pub use state::select::CrashKind;
    }
    real {}
}
