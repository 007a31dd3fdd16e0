//! Scenarios in words, for people who ask what a plan compiled to.

use std::fmt;

use crate::scenario::{
    After, Budget, Direction, DiskOrder, DiskTear, Evidence, FaultKind, FaultSpec, Frames,
    GuestAct, Heal, Landing, NameFault, NetEffect, OpKind, Shape, Skew, Span, StorageFault, Target,
    Way, Weather, When,
};

/// Nanoseconds in the largest unit that needs no fraction: `30s`, `1500ms`, `5min`.
#[must_use]
pub fn duration(nanos: u64) -> String {
    let units = [
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    if nanos == 0 {
        return "0s".to_owned();
    }
    let fits = units.iter().find(|(unit, _)| nanos.is_multiple_of(*unit));
    fits.map_or_else(
        || format!("{nanos}ns"),
        |(unit, name)| format!("{}{name}", nanos / unit),
    )
}

impl fmt::Display for OpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpKind::Read => "read",
            OpKind::Write => "write",
            OpKind::Cas => "cas",
            OpKind::Append => "append",
            OpKind::Txn(kind) => kind.name(),
            OpKind::Do(act) => act.name().unwrap_or("operation of the system's own"),
        })
    }
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Skew::Uniform => "uniformly",
            Skew::Zipf => "by Zipf's law",
        })
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Weather::Drawn => "network drawn by seed",
            Weather::Usual => "usual network",
            Weather::Calm => "calm network",
        })
    }
}

impl fmt::Display for DiskOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DiskOrder::PosixWeak => "posix-weak",
            DiskOrder::Ext4Ordered => "ext4-ordered",
            DiskOrder::Sequential => "sequential",
        })
    }
}

impl fmt::Display for DiskTear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DiskTear::Atomic512 => "disks write sectors of 512 bytes whole",
            DiskTear::Atomic4096 => "disks write pages of 4096 bytes whole",
            DiskTear::None => "disks write nothing whole",
        })
    }
}

impl fmt::Display for Heal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Heal::All => "every server comes back after the faults",
            Heal::Majority => "in half of the seeds only a majority comes back after the faults",
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            return f.write_str(&duration(self.min));
        }
        write!(f, "{} to {}", duration(self.min), duration(self.max))
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Both => "both ways",
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
            Direction::OneWay => "one way, drawn by seed",
        })
    }
}

/// What is said where clients are hit as well.
const fn clients(too: bool) -> &'static str {
    if too { ", clients included" } else { "" }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Partition {
                direction,
                clients_too,
            } => {
                write!(f, "partition ({direction}{})", clients(*clients_too))
            }
            FaultKind::Network {
                effect,
                direction,
                clients_too,
            } => {
                write!(f, "{effect} ({direction}{})", clients(*clients_too))
            }
            FaultKind::Split { shape, one_way } => {
                let one_way = if *one_way { ", one way a link" } else { "" };
                write!(f, "{shape}{one_way}")
            }
            FaultKind::Kill => f.write_str("kill -9"),
            FaultKind::PowerLoss => f.write_str("power loss"),
            FaultKind::GracefulStop => f.write_str("graceful stop"),
            FaultKind::DiskError => f.write_str("disk errors (EIO)"),
            FaultKind::DiskFull => f.write_str("disk full (ENOSPC)"),
            FaultKind::Storage { how, beyond_budget } => {
                let beyond = if *beyond_budget {
                    ", beyond budget"
                } else {
                    ""
                };
                write!(f, "{how}{beyond}")
            }
            FaultKind::ClockStep { way, by_ns } => write!(f, "clock step ({way} by {by_ns})"),
            FaultKind::ClockDrift { way, ppm } => match ppm.min == ppm.max {
                true => write!(f, "clock drift ({way} by {} ppm)", ppm.min),
                false => write!(f, "clock drift ({way} by {} to {} ppm)", ppm.min, ppm.max),
            },
            FaultKind::Pause => f.write_str("pause of the process"),
            FaultKind::Suspend => f.write_str("suspension of the machine"),
            FaultKind::Freeze => f.write_str("freeze of the machine"),
            FaultKind::Names { how } => write!(f, "{how}"),
            FaultKind::Readdress => f.write_str("readdressing: back under another address"),
            FaultKind::Starve { ppm } => write!(f, "CPU starvation ({})", percent(*ppm)),
            FaultKind::Descriptors => f.write_str("descriptor exhaustion (EMFILE)"),
            FaultKind::Memory { bytes: None } => f.write_str("memory exhaustion (OOM kill)"),
            FaultKind::Memory { bytes: Some(span) } => match span.min == span.max {
                true => write!(f, "memory limit ({} bytes, OOM kill)", span.min),
                false => write!(
                    f,
                    "memory limit ({} to {} bytes, OOM kill)",
                    span.min, span.max
                ),
            },
            FaultKind::Guest { act } => write!(f, "{act}"),
        }
    }
}

/// Millionths as percent: `5%`, `0.25%`, `1% to 20%`.
fn percent(ppm: Span) -> String {
    let one = |ppm: u64| match ppm % 10_000 {
        0 => format!("{}%", ppm / 10_000),
        rest => {
            let rest = format!("{rest:04}");
            format!("{}.{}%", ppm / 10_000, rest.trim_end_matches('0'))
        }
    };
    if ppm.min == ppm.max {
        return one(ppm.min);
    }
    format!("{} to {}, drawn by seed", one(ppm.min), one(ppm.max))
}

impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use StorageFault as S;
        match self {
            S::Slow { by_ns } => write!(f, "slow disk (by {by_ns})"),
            S::Stall => f.write_str("disk stall"),
            S::SyncError => f.write_str("fsync errors (EIO)"),
            S::ReadError => f.write_str("disk read errors (EIO)"),
            S::CallSites { ppm } => write!(f, "failing disk calls (sites: {})", percent(*ppm)),
            S::ReadOnly => f.write_str("read-only disk (EROFS)"),
            S::TooManyFiles => f.write_str("too many open files (EMFILE)"),
            S::Short => f.write_str("short reads and writes"),
            S::Crowded => f.write_str("disk nearly full (ENOSPC)"),
            S::LatentErrors { ppm } => write!(f, "latent errors (sectors: {})", percent(*ppm)),
            S::Rot { ppm } => write!(f, "disk rot (sectors: {})", percent(*ppm)),
            S::LostWrites { ppm } => write!(f, "lost disk writes ({})", percent(*ppm)),
            S::MisdirectedWrites { ppm } => write!(f, "misdirected writes ({})", percent(*ppm)),
            S::MisdirectedReads { ppm } => {
                write!(f, "misdirected disk reads ({})", percent(*ppm))
            }
            S::Uninitialised { ppm } => {
                write!(f, "uninitialised disk (sectors: {})", percent(*ppm))
            }
            S::Wipe => f.write_str("disk wipe"),
            S::StaleRestore => f.write_str("stale disk restored"),
            S::Swap => f.write_str("disk swap"),
        }
    }
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameFault::Silent => f.write_str("DNS outage"),
            NameFault::Unknown => f.write_str("unknown names (NXDOMAIN)"),
            NameFault::Slow { by_ns } => write!(f, "slow DNS (by {by_ns})"),
            NameFault::Elsewhere => f.write_str("misdirected DNS"),
            NameFault::Stale => f.write_str("stale DNS"),
        }
    }
}

impl fmt::Display for NetEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NetEffect::Loss { ppm } => write!(f, "packet loss of {}", percent(*ppm)),
            NetEffect::Duplicate { ppm } => write!(f, "duplication of {}", percent(*ppm)),
            NetEffect::Reorder { ppm } => write!(f, "reordering of {}", percent(*ppm)),
            NetEffect::Corrupt { ppm } => write!(f, "packet corruption of {}", percent(*ppm)),
            NetEffect::Latency { by_ns, each: true } => {
                write!(f, "latency of {by_ns} more for each packet")
            }
            NetEffect::Latency { by_ns, each: false } => match by_ns.min == by_ns.max {
                true => write!(f, "latency of {by_ns} more"),
                false => write!(f, "latency of {by_ns} more, drawn by seed"),
            },
            NetEffect::Bandwidth { rate } => match rate.min == rate.max {
                true => write!(f, "bandwidth of {} bytes/s", rate.min),
                false => {
                    let Span { min, max } = rate;
                    write!(f, "bandwidth of {min} to {max} bytes/s, drawn by seed")
                }
            },
            NetEffect::Jam => f.write_str("jam: packets held until the end"),
            NetEffect::Reject => f.write_str("rejected packets"),
            NetEffect::Reset => f.write_str("reset of connections"),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::Halves => "partition into halves",
            Shape::Ring => "partition into a ring of majorities",
            Shape::Bridge => "partition into halves with a bridge",
            Shape::Partial => "partial partition",
            Shape::Clients => "partition of clients from servers",
            Shape::Swizzle => "swizzle: isolated one by one, back in another order",
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Ahead => "ahead",
            Way::Behind => "behind",
            Way::Either => "ahead or behind, drawn by seed,",
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Target::Node { number } => return write!(f, "n{number}"),
            Target::Leader => "whoever leads",
            Target::Follower => "a follower, drawn by seed",
            Target::Random => "a node, drawn by seed",
            Target::Minority => "a minority, drawn by seed",
            Target::MinorityThird => "less than a third of the nodes, drawn by seed",
            Target::Majority => "a majority, drawn by seed",
            Target::All => "every node at once",
            Target::Rolling => "every node in turn",
            Target::RollingReverse => "every node in turn, from the last to the first",
            Target::Several { count } => return write!(f, "{count} nodes, drawn by seed"),
            Target::Role => "the nodes of a role",
            Target::Followers => "every node that does not lead",
            Target::Nodes { nodes } => return write!(f, "{nodes}"),
            Target::AllBut { number } => return write!(f, "every node but n{number}"),
            Target::Idle => "idle hosts that no one talks to",
        };
        f.write_str(words)
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} for {}", self.start_ns, self.duration_ns)?;
        if let Some(repeat) = &self.repeat {
            write!(f, ", every {}", repeat.every_ns)?;
            match repeat.times {
                Some(times) => write!(f, ", {times} times")?,
                None => f.write_str(" until the workload ends")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of ", self.id, self.kind)?;
        match &self.role {
            Some(role) => write!(f, "the nodes with the role {role:?}")?,
            None => write!(f, "{}", self.target)?,
        }
        if let Some(setting) = &self.setting {
            write!(f, " to {setting:?}")?;
        }
        if let Some(Frames { kind, to }) = &self.frames {
            if let Some(to) = to {
                let mutual = matches!(
                    self.kind,
                    FaultKind::Partition {
                        direction: Direction::Both,
                        ..
                    } | FaultKind::Network {
                        direction: Direction::Both,
                        ..
                    }
                );
                let link = if mutual { "from and to" } else { "to" };
                write!(f, " {link} {to}")?;
            }
            if let Some(kind) = kind {
                write!(f, ", frames of kind {kind:?} alone")?;
            }
        }
        if let Some(after) = &self.after {
            write!(f, ", {after}")?;
        }
        write!(f, ", {}", self.when)
    }
}

impl fmt::Display for GuestAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GuestAct::Upgrade => "upgrade to version B",
            GuestAct::MixedVersions => "mixed versions: B, then A again",
            GuestAct::Configure => "config change: another setting until the end",
            GuestAct::RotateCredentials => "credential rotation",
            GuestAct::DivergeCredentials => "credential divergence: the others follow at the end",
            GuestAct::Compact => "compaction",
            GuestAct::Rebalance => "rebalancing",
            GuestAct::BackUp => "backup",
            GuestAct::BackUpAndRestore => "backup: restored at the end",
            GuestAct::StepDown => "leadership transfer",
            GuestAct::ChangeMembers => "membership change: out, and back at the end",
        })
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            After::Fault { id } => write!(f, "once {id} is over"),
            After::LeaderChange => f.write_str("once another leader is elected"),
            After::Log { contains } => write!(f, "once a guest's log contains {contains:?}"),
            After::Acknowledged { count } => {
                write!(f, "once {count} operations are acknowledged")
            }
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Counter { counter, min } => write!(f, "{counter} >= {min}"),
            Evidence::LeaderReelected => f.write_str("a node other than the one hit leads"),
            Evidence::GuestLog { contains } => write!(f, "a guest's log contains {contains:?}"),
            Evidence::Probe { name, min: 1 } => write!(f, "the probe {name:?} holds"),
            Evidence::Probe { name, min } => write!(f, "the probe {name:?} holds {min} times"),
            Evidence::Metric { name, min } => write!(f, "a guest's metric {name:?} >= {min}"),
            Evidence::Observed => f.write_str("the guest noticed a fault"),
        }
    }
}

impl fmt::Display for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match self.within_ns {
            Some(within) => write!(f, ", within {} of the injection", duration(within)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds = if self.seeds == 1 { "seed" } else { "seeds" };
        write!(f, "{} {seeds}", self.seeds)?;
        if let Some(length) = self.duration_ns {
            write!(f, " of {}", duration(length))?;
        }
        match self.faults {
            Some(1) => f.write_str(", 1 fault window"),
            Some(faults) => write!(f, ", {faults} fault windows"),
            None => Ok(()),
        }
    }
}
