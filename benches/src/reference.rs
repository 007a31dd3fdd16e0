//! What others cost, and what we aim at: user-mode instructions an operation.
//!
//! Constants, as measured for the design (valgrind, 100 tasks). `instructions --peers` measures
//! madsim and turmoil again, and tokio is measured in every run.

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One poll of a task that is woken at once.
    Yield,
    /// A sleep of 1 to 2 ms.
    Sleep,
    /// A task that is spawned, runs and is joined.
    Spawn,
    /// 64 bytes to another node and back.
    RoundTrip,
    /// 128 bytes to another node, over a stream that is open.
    Message,
    /// `select!` over three branches, one of them ready.
    Select,
    /// A time limit around what is ready.
    Timeout,
    /// The same where 10 nodes more have talked to the server.
    RoundTripOfTen,
    /// The same where 1,000 nodes more have.
    RoundTripOfThousand,
    /// A page of a file written over, with one sync for a hundred of them.
    PageWrite,
    /// A page of a file read.
    PageRead,
    /// A page written over and synced.
    PageSync,
    /// A file opened and closed.
    Open,
}

/// What is done to disks.
pub const DISK_KINDS: [Kind; 4] = [Kind::PageWrite, Kind::PageRead, Kind::PageSync, Kind::Open];

/// Figures of the design.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// madsim 0.2.34.
    pub madsim: &'static str,
    /// moonpool 0.8.
    pub moonpool: &'static str,
    /// turmoil 0.7.2.
    pub turmoil: &'static str,
    /// What ours may cost at most, with the digest on; `None`: the design has no figure.
    pub goal: Option<u64>,
}

impl Kind {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yield => "yield",
            Self::Sleep => "sleep 1-2 ms",
            Self::Spawn => "spawn + join",
            Self::RoundTrip => "tcp round trip",
            Self::Message => "tcp message, 128 bytes",
            Self::Select => "select! of three",
            Self::Timeout => "timeout, ready",
            Self::RoundTripOfTen => "tcp round trip, 10 nodes more",
            Self::RoundTripOfThousand => "tcp round trip, 1000 nodes more",
            Self::PageWrite => "write 4 KiB",
            Self::PageRead => "read 4 KiB",
            Self::PageSync => "write 4 KiB + fsync",
            Self::Open => "open + close",
        }
    }

    /// What the design has on it; nothing on disks, which are held against a copy.
    #[must_use]
    pub const fn reference(self) -> Reference {
        let [madsim, moonpool, turmoil] = match self {
            Self::Yield => ["598", "338", "as tokio"],
            Self::Sleep => ["1,573", "8,933", "as tokio"],
            Self::Spawn => ["2,488", "-", "as tokio"],
            Self::RoundTrip => ["11,117", "58,467", "87,721"],
            Self::Message
            | Self::Select
            | Self::Timeout
            | Self::RoundTripOfTen
            | Self::RoundTripOfThousand
            | Self::PageWrite
            | Self::PageRead
            | Self::PageSync
            | Self::Open => ["-"; 3],
        };
        let goal = match self {
            Self::Yield => Some(300),
            Self::Sleep => Some(800),
            Self::Spawn => Some(1_500),
            Self::RoundTrip | Self::RoundTripOfTen | Self::RoundTripOfThousand => Some(5_000),
            Self::Message | Self::Select | Self::Timeout => None,
            Self::PageWrite | Self::PageRead | Self::PageSync | Self::Open => None,
        };
        Reference {
            madsim,
            moonpool,
            turmoil,
            goal,
        }
    }
}
