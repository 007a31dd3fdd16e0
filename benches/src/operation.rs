//! The list of operations.

use sim_runtime::Summary;

use crate::guest::{drop_in, real};
use crate::reference::Kind;
use crate::{disk, executor, map, network};

/// Something that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// What is done.
    pub kind: Kind,
    /// Whose calls do it.
    pub through: Through,
    /// Does it a given number of times, a multiple of 100.
    pub body: Body,
}

/// Whose calls an operation is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// sim-runtime, or sim-net.
    Kernel,
    /// sim-tokio inside a simulation.
    DropIn,
    /// tokio itself, its clock paused, without a simulation.
    Tokio,
    /// std, which the floor brings to the simulation.
    Std,
    /// A map in memory, without a simulation: the bare copy.
    Map,
}

/// An operation's code.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Inside a simulation.
    Simulated(fn(u64) -> Summary),
    /// Without one.
    Real(fn(u64)),
}

impl Operation {
    /// Its name on a command line and in reports.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} ({})", self.kind.name(), self.through.name(self.kind))
    }

    /// Runs it `count` times.
    ///
    /// # Panics
    /// When `count` is not a multiple of 100.
    pub fn run(&self, count: u64) {
        match self.body {
            Body::Simulated(body) => drop(body(count)),
            Body::Real(body) => body(count),
        }
    }
}

impl Through {
    const fn name(self, kind: Kind) -> &'static str {
        match (self, kind) {
            (Self::Kernel, Kind::PageWrite | Kind::PageRead | Kind::PageSync | Kind::Open) => {
                "sim-disk"
            }
            (Self::DropIn, Kind::PageWrite | Kind::PageRead | Kind::PageSync | Kind::Open) => {
                "tokio::fs"
            }
            (Self::Kernel, Kind::Yield | Kind::Sleep | Kind::Spawn) => "sim-runtime",
            (Self::Kernel, _) => "sim-net",
            (Self::DropIn, _) => "drop-in",
            (Self::Tokio, _) => "tokio",
            (Self::Std, _) => "std::fs",
            (Self::Map, _) => "map",
        }
    }
}

const fn simulated(kind: Kind, through: Through, body: fn(u64) -> Summary) -> Operation {
    Operation {
        kind,
        through,
        body: Body::Simulated(body),
    }
}

const fn outside(kind: Kind, through: Through, body: fn(u64)) -> Operation {
    Operation {
        kind,
        through,
        body: Body::Real(body),
    }
}

/// Everything that is measured, in the order of reports.
pub const OPERATIONS: [Operation; 34] = [
    simulated(Kind::Yield, Through::Kernel, executor::yields),
    simulated(Kind::Yield, Through::DropIn, drop_in::yields),
    outside(Kind::Yield, Through::Tokio, real::yields),
    simulated(Kind::Sleep, Through::Kernel, executor::sleeps),
    simulated(Kind::Sleep, Through::DropIn, drop_in::sleeps),
    outside(Kind::Sleep, Through::Tokio, real::sleeps),
    simulated(Kind::Spawn, Through::Kernel, executor::spawns),
    simulated(Kind::Spawn, Through::DropIn, drop_in::spawns),
    outside(Kind::Spawn, Through::Tokio, real::spawns),
    simulated(Kind::RoundTrip, Through::Kernel, network::round_trips),
    simulated(Kind::RoundTrip, Through::DropIn, drop_in::round_trips),
    simulated(Kind::Message, Through::DropIn, drop_in::messages),
    simulated(Kind::Select, Through::DropIn, drop_in::selects),
    outside(Kind::Select, Through::Tokio, real::selects),
    simulated(Kind::Timeout, Through::DropIn, drop_in::timeouts),
    outside(Kind::Timeout, Through::Tokio, real::timeouts),
    simulated(Kind::RoundTripOfTen, Through::Kernel, |count| {
        network::round_trips_among(10, count)
    }),
    simulated(Kind::RoundTripOfThousand, Through::Kernel, |count| {
        network::round_trips_among(1_000, count)
    }),
    simulated(Kind::PageWrite, Through::Kernel, disk::writes),
    simulated(Kind::PageWrite, Through::Std, disk::std_writes),
    simulated(Kind::PageWrite, Through::DropIn, disk::tokio_writes),
    outside(Kind::PageWrite, Through::Map, map::writes),
    simulated(Kind::PageRead, Through::Kernel, disk::reads),
    simulated(Kind::PageRead, Through::Std, disk::std_reads),
    simulated(Kind::PageRead, Through::DropIn, disk::tokio_reads),
    outside(Kind::PageRead, Through::Map, map::reads),
    simulated(Kind::PageSync, Through::Kernel, disk::syncs),
    simulated(Kind::PageSync, Through::Std, disk::std_syncs),
    simulated(Kind::PageSync, Through::DropIn, disk::tokio_syncs),
    // There is nothing to sync.
    outside(Kind::PageSync, Through::Map, map::writes),
    simulated(Kind::Open, Through::Kernel, disk::opens),
    simulated(Kind::Open, Through::Std, disk::std_opens),
    simulated(Kind::Open, Through::DropIn, disk::tokio_opens),
    outside(Kind::Open, Through::Map, map::opens),
];
