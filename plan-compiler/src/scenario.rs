//! The vocabulary: what a compiled scenario says. Plain data, nothing that runs.
//!
//! Times are virtual nanoseconds. Nothing here is a float: weights are percent, skew is a name.

use checkers::spec::{CheckerSpec, ModelKind};
use serde::{Deserialize, Serialize};

use crate::transactions::{Transactions, TxnKind};

mod act;
mod budget;
mod disks;
mod guest;
mod heal;
mod landing;
mod names;
mod observable;
mod target;
pub use act::Act;
pub use budget::{Ambiguity, Budget, Budgets};
pub use disks::{DiskOrder, DiskTear, Disks};
pub use guest::{After, GuestAct};
pub use heal::Heal;
pub use landing::{Evidence, Landing};
pub use names::NameFault;
pub use observable::{CAPTURED, Observable};
pub use target::{NodeSet, Target};

/// A scenario ready to run: everything a runner needs and nothing about how it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// `S3`.
    pub id: String,
    /// `linearizable_append_under_partition`.
    pub name: String,
    /// Line of the scenario's heading in the plan, from 1 (0: written in Rust).
    pub line: u32,
    /// The surface it is run on, when the scenario has arms (7.M.S): each is run by itself.
    pub arm: Option<Arm>,
    /// The claims a FAIL falsifies.
    pub falsifies: Vec<Claim>,
    /// The hypotheses that it tries, by id.
    pub closes: Vec<String>,
    /// How many nodes and clients take part.
    pub topology: Topology,
    /// What networks the seeds run on where no fault lies.
    #[serde(default)]
    pub weather: Weather,
    /// What the servers' disks are like where no fault lies.
    #[serde(default, skip_serializing_if = "Disks::is_default")]
    pub disks: Disks,
    /// Whether every seed has every fault; else half of them go without some.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub every_fault: bool,
    /// Who is there after the faults.
    #[serde(default, skip_serializing_if = "Heal::is_all")]
    pub heal: Heal,
    /// How long replicas have to converge once the faults are over, before they are read a last
    /// time; `None`: they are read as soon as somebody is served again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converge_ns: Option<u64>,
    /// What the clients do.
    pub workload: Workload,
    /// What goes wrong, in the order of the plan.
    pub faults: Vec<FaultSpec>,
    /// The object the history is judged against.
    pub model: ModelKind,
    /// Who judges, first to last.
    pub checkers: Vec<CheckerSpec>,
    /// What must be seen for the faults to count as landed.
    pub landing: Vec<Landing>,
    /// How outcomes that are not known are treated.
    pub ambiguity: Ambiguity,
    /// How much is run in each tier.
    pub budgets: Budgets,
    /// What must have been done before it may pass.
    pub exit: ExitCriteria,
    /// Seeds in which every declared fault must have landed before the scenario can pass.
    pub landed_seeds_min: u32,
    /// Verdicts, by name, that the plan accepts although they are not a PASS.
    pub allow: Vec<String>,
    /// The plan's wording of what must be observable, to be reported against.
    pub observability: Vec<String>,
}

/// A scenario on one of its surfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// The scenario that it is an arm of: `S5` of `S5/api`.
    pub scenario: String,
    /// `api`; what the system's clients are told.
    pub name: String,
    /// The surface, in the plan's words.
    pub surface: String,
}

/// What must have been done before a scenario may pass, beside the absence of a violation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitCriteria {
    /// Acknowledged operations, over all seeds.
    pub acknowledged_min: Option<u64>,
    /// Virtual time under load, over all seeds, in nanoseconds.
    pub virtual_ns_min: Option<u64>,
    /// The least share of operations that must be acknowledged, in percent.
    pub acknowledged_percent_min: Option<u32>,
}

/// A row of the plan's claims table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// `C1`.
    pub id: String,
    /// The promise, in the plan's words.
    pub text: String,
    /// What kind of promise.
    pub category: Category,
    /// Line in the plan, from 1.
    pub line: u32,
}

/// The eleven claim categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Category {
    Safety,
    Liveness,
    Durability,
    PerformanceSlo,
    Operational,
    Idempotency,
    Isolation,
    Ordering,
    Membership,
    Boundary,
    Fairness,
}

/// How many take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Servers, `n1..`.
    pub nodes: u32,
    /// Clients, each a host of its own, `c1..`.
    pub clients: u32,
    /// Servers at the most, where each seed draws how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes_max: Option<u32>,
    /// Clients at the most, where each seed draws how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients_max: Option<u32>,
}

/// What the network is like where no fault lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weather {
    /// Half of the seeds as [`Weather::Usual`]; each of the others draws its own, by orders of
    /// magnitude.
    #[default]
    Drawn,
    /// Latencies of one building, one packet of a hundred far behind; nothing is lost.
    Usual,
    /// Every packet takes as long as every other, and every read and write moves all it can:
    /// nothing is drawn.
    Calm,
}

/// Operations a second of a client whose plan names no rate.
pub const RATE_DEFAULT: u32 = 20;

/// What the clients do, for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Operations and their weights in percent; they add up to 100.
    pub mix: Vec<(OpKind, u32)>,
    /// How long clients issue operations, after warm-up.
    pub duration_ns: u64,
    /// How many keys.
    pub keys: u32,
    /// How keys are picked.
    pub skew: Skew,
    /// Operations a second for each client; `None`: [`RATE_DEFAULT`].
    pub rate_per_client: Option<u32>,
    /// After how many operations a client has done its part; `None`: when the time is over. A
    /// client of an idle workload has none to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations_per_client: Option<u32>,
    /// When a client gives an operation up as unknown.
    pub op_timeout_ns: u64,
    /// Operations of the system's own, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// What its transactions are like, if it has any.
    #[serde(default, skip_serializing_if = "Transactions::is_default")]
    pub transactions: Transactions,
}

/// A client operation a generic workload can issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum OpKind {
    Read,
    Write,
    Cas,
    Append,
    Txn(TxnKind),
    Do(Act),
}

impl OpKind {
    /// Whether its answer says something of the state.
    #[must_use]
    pub const fn observes(self) -> bool {
        match self {
            OpKind::Do(act) => act.observes(),
            _ => matches!(self, OpKind::Read | OpKind::Cas | OpKind::Txn(_)),
        }
    }

    /// Whether it may change the state.
    #[must_use]
    pub const fn changes(self) -> bool {
        !matches!(
            self,
            OpKind::Read | OpKind::Do(Act::Contains | Act::Poll | Act::List)
        )
    }
}

/// How keys are picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Skew {
    Uniform,
    Zipf,
}

/// One planned fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultSpec {
    /// Stable name, unique in the scenario: `S3.partition-leader`. Random draws are addressed by
    /// it, so it is made of what the clause says, not of where it stands.
    pub id: String,
    /// What happens.
    pub kind: FaultKind,
    /// To whom; resolved when the fault arms.
    pub target: Target,
    /// The frames that are hit, where it is not every packet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<Frames>,
    /// The role of the nodes that are hit, as the system under test names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The setting that is made, in the plan's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// What its windows wait for; `None`: the start of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// When, from the start of the workload, or from what it waits for.
    pub when: When,
    /// Line of the clause in the plan, from 1.
    pub line: u32,
}

/// Which frames a fault on links hits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Their kind, as the system under test names it; `None`: all.
    pub kind: Option<String>,
    /// Those that go to these nodes, and come from the target; `None`: to and from everybody.
    pub to: Option<Target>,
}

/// What a fault does to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum FaultKind {
    /// Packets between the target and everybody else are dropped.
    Partition {
        /// Which way packets are dropped.
        direction: Direction,
        /// Whether clients are cut off from the target as well.
        clients_too: bool,
    },
    /// Packets between the target and everybody are lost, late, doubled and so on.
    Network {
        /// What happens to them.
        effect: NetEffect,
        /// Which way they go.
        direction: Direction,
        /// Whether packets from and to clients are hit as well.
        clients_too: bool,
    },
    /// The cluster comes apart in a shape; the target is every node.
    Split {
        /// How.
        shape: Shape,
        /// Whether each link is cut in one direction only, drawn by seed.
        one_way: bool,
    },
    /// The process dies; the page cache and the kernel live on. Restarted at the end.
    Kill,
    /// The machine loses power: un-synced writes are lost or torn. Restarted at the end.
    PowerLoss,
    /// A graceful stop by signal, then a restart.
    GracefulStop,
    /// Disk calls fail with `EIO`.
    DiskError,
    /// Disk writes fail with `ENOSPC`.
    DiskFull,
    /// The disk fails in another way than by errors of calls.
    Storage {
        /// How.
        how: StorageFault,
        /// Damage may reach every replica, not a minority of the nodes only.
        beyond_budget: bool,
    },
    /// The wall clock is set wrong, and right again at the end.
    ClockStep {
        /// Which way.
        way: Way,
        /// How far, in nanoseconds; drawn by seed when the ends differ.
        by_ns: Span,
    },
    /// Every clock of the machine runs fast or slow; at the end the wall clock is set right.
    ClockDrift {
        /// Which way.
        way: Way,
        /// By how many millionths; drawn by seed when the ends differ.
        ppm: Span,
    },
    /// The process stands still, as by `SIGSTOP`; goes on at the end.
    Pause,
    /// The machine sleeps, cut off; its monotonic clock stands, its wall clock does not.
    Suspend,
    /// The virtual machine stands still, cut off, and does not learn of it: its clocks are late.
    Freeze,
    /// Look-ups of names by the target go wrong; where that is every node, those by clients too.
    Names {
        /// How.
        how: NameFault,
    },
    /// The process dies, and its host comes back at the end under another address.
    Readdress,
    /// The process gets a part of its processor only, as under a quota: it stands still for most
    /// of every tenth of a second.
    Starve {
        /// Millionths of the time that it does not get; drawn by seed when the ends differ.
        ppm: Span,
    },
    /// The process may open no further descriptor, be it a file or a connection: `EMFILE`.
    Descriptors,
    /// The process may hold so much memory; when it holds more it dies, as by the kernel's hand,
    /// and is restarted at the end.
    Memory {
        /// Bytes; drawn by seed when the ends differ. `None`: what it holds when the limit comes.
        bytes: Option<Span>,
    },
    /// Something is done to the system through hooks that it offers.
    Guest {
        /// What.
        act: GuestAct,
    },
}

/// How a disk fails. Media faults stay, after the window too, until the sector is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "storage")]
pub enum StorageFault {
    /// Calls take longer.
    Slow {
        /// By how many nanoseconds, each call its own.
        by_ns: Span,
    },
    /// Calls that begin in the window come back at its end.
    Stall,
    /// fsync and fdatasync fail with `EIO`, and give up what they should have written.
    SyncError,
    /// Reads fail with `EIO`.
    ReadError,
    /// Some call sites fail with `EIO`, each time.
    CallSites {
        /// How many of a million.
        ppm: Span,
    },
    /// Changes fail with `EROFS`.
    ReadOnly,
    /// Opens fail with `EMFILE`.
    TooManyFiles,
    /// Reads and writes move less than they were asked to.
    Short,
    /// Somebody else fills the disk and empties it again.
    Crowded,
    /// Sectors cannot be read.
    LatentErrors {
        /// How many of a million that are read.
        ppm: Span,
    },
    /// Bits of sectors flip.
    Rot {
        /// How many sectors of a million that are read.
        ppm: Span,
    },
    /// Writes are acknowledged, synced even, and not done.
    LostWrites {
        /// How many sectors of a million that are written.
        ppm: Span,
    },
    /// Writes go to another sector.
    MisdirectedWrites {
        /// How many sectors of a million that are written.
        ppm: Span,
    },
    /// Reads serve another sector.
    MisdirectedReads {
        /// How many sectors of a million that are read.
        ppm: Span,
    },
    /// What was never written reads as garbage.
    Uninitialised {
        /// How many sectors of a million that are read.
        ppm: Span,
    },
    /// The machine goes down and comes back with an empty disk.
    Wipe,
    /// At the end of the window the machine goes down and comes back with the disk of its start.
    StaleRestore,
    /// Two machines go down and come back with each other's disk.
    Swap,
}

/// What happens to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "effect")]
pub enum NetEffect {
    /// They are lost: datagrams for good, those of streams until retransmitted.
    Loss {
        /// How many of a million.
        ppm: Span,
    },
    /// They take longer.
    Latency {
        /// By how many nanoseconds.
        by_ns: Span,
        /// Drawn for each packet, not once by seed.
        each: bool,
    },
    /// They arrive twice.
    Duplicate {
        /// How many of a million.
        ppm: Span,
    },
    /// They wait so that others overtake them.
    Reorder {
        /// How many of a million.
        ppm: Span,
    },
    /// A byte of them changes; those of streams are found out and lost.
    Corrupt {
        /// How many of a million.
        ppm: Span,
    },
    /// They pass one after the other.
    Bandwidth {
        /// Bytes a second, headers included.
        rate: Span,
    },
    /// They are held until the end, and arrive in one burst.
    Jam,
    /// They are refused, and their senders told.
    Reject,
    /// Connections are reset, once, when the window opens.
    Reset,
}

/// How a cluster comes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Two halves, drawn by seed, that do not reach each other.
    Halves,
    /// Every node reaches a majority, and no two the same one.
    Ring,
    /// Two halves and a node that reaches both.
    Bridge,
    /// Some pairs of nodes do not reach each other, drawn by seed.
    Partial,
    /// Clients reach no server; servers reach each other.
    Clients,
    /// Nodes are isolated one by one in one order, and return in another.
    Swizzle,
}

/// Which way a clock goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// It shows a later time, or runs fast.
    Ahead,
    /// It shows an earlier time, or runs slow.
    Behind,
    /// Ahead or behind, drawn by seed.
    Either,
}

/// Which way a partition cuts, seen from its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Both ways.
    Both,
    /// What the target sends is lost; it still hears the others.
    Outbound,
    /// What the target should hear is lost; the others still hear it.
    Inbound,
    /// Outbound or inbound, drawn by seed.
    OneWay,
}

/// When a fault's window opens and closes, from the start of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// First opening; drawn by seed from `[min, max]`.
    pub start_ns: Span,
    /// How long the window stays open (for a kill: how long until the restart).
    pub duration_ns: Span,
    /// Opened again, this long after the last opening, this many times in all.
    pub repeat: Option<Repeat>,
}

/// A range, of virtual time in nanoseconds unless said otherwise, ends included; drawn by seed when
/// they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "a range")]
pub struct Span {
    pub min: u64,
    pub max: u64,
}

/// A fault that comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// From opening to opening.
    pub every_ns: Span,
    /// How often in all; `None`: until the workload ends.
    pub times: Option<u32>,
}
