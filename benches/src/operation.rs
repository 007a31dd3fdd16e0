//! The list of operations.

use sim_runtime::Summary;

use crate::guest::{drop_in, real};
use crate::reference::Kind;
use crate::{executor, network};

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
            (Self::Kernel, Kind::Yield | Kind::Sleep | Kind::Spawn) => "sim-runtime",
            (Self::Kernel, _) => "sim-net",
            (Self::DropIn, _) => "drop-in",
            (Self::Tokio, _) => "tokio",
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

const fn outside(kind: Kind, body: fn(u64)) -> Operation {
    Operation {
        kind,
        through: Through::Tokio,
        body: Body::Real(body),
    }
}

/// Everything that is measured, in the order of reports.
pub const OPERATIONS: [Operation; 18] = [
    simulated(Kind::Yield, Through::Kernel, executor::yields),
    simulated(Kind::Yield, Through::DropIn, drop_in::yields),
    outside(Kind::Yield, real::yields),
    simulated(Kind::Sleep, Through::Kernel, executor::sleeps),
    simulated(Kind::Sleep, Through::DropIn, drop_in::sleeps),
    outside(Kind::Sleep, real::sleeps),
    simulated(Kind::Spawn, Through::Kernel, executor::spawns),
    simulated(Kind::Spawn, Through::DropIn, drop_in::spawns),
    outside(Kind::Spawn, real::spawns),
    simulated(Kind::RoundTrip, Through::Kernel, network::round_trips),
    simulated(Kind::RoundTrip, Through::DropIn, drop_in::round_trips),
    simulated(Kind::Message, Through::DropIn, drop_in::messages),
    simulated(Kind::Select, Through::DropIn, drop_in::selects),
    outside(Kind::Select, real::selects),
    simulated(Kind::Timeout, Through::DropIn, drop_in::timeouts),
    outside(Kind::Timeout, real::timeouts),
    simulated(Kind::RoundTripOfTen, Through::Kernel, |count| {
        network::round_trips_among(10, count)
    }),
    simulated(Kind::RoundTripOfThousand, Through::Kernel, |count| {
        network::round_trips_among(1_000, count)
    }),
];
