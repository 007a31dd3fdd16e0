//! What a run's disks did by themselves, and what guests did with them that asks for trouble.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sim_disk::Disk;
use sim_runtime::{SimInstant, World};

use crate::render::grouped;

/// How many lints a report spells out.
const LINTS_MAX: usize = 32;

/// The disks of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskReport {
    /// In which order un-synced operations may reach the media: `posix-weak`, `ext4-ordered` or
    /// `sequential`.
    pub profile: String,
    /// What the media writes all or nothing of: `atomic-512`, `atomic-4096` or `none`.
    pub tear: String,
    /// Calls of fsync and fdatasync, on all nodes.
    pub syncs: u64,
    /// How often the power of a node went.
    pub power_losses: u64,
    /// Operations that the kernels wrote back by themselves.
    pub written_back: u64,
    /// What guests did that is allowed and loses data, by node, kind and file; the first 32.
    pub lints: Vec<DiskLint>,
}

/// A habit that loses data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskLint {
    /// Which: `overlapping-writes`, `ignored-sync-error`, `rename-before-sync`,
    /// `rename-without-dir-sync` or `read-of-hole`.
    pub kind: String,
    /// Whose.
    pub node: String,
    /// The file.
    pub path: String,
    /// How often.
    pub times: u64,
    /// What happened the first time.
    pub first: String,
    /// When that was.
    pub at: SimInstant,
}

/// The disks of many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskTally {
    /// Runs by profile and tear unit: `posix-weak, atomic-512`.
    pub seeds: BTreeMap<String, u64>,
    /// Calls of fsync and fdatasync.
    pub syncs: u64,
    /// How often the power of a node went.
    pub power_losses: u64,
    /// Operations that the kernels wrote back by themselves.
    pub written_back: u64,
    /// By kind.
    pub lints: BTreeMap<String, LintTally>,
}

/// A lint in many runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LintTally {
    /// Runs in which it was met.
    pub seeds: u64,
    /// How often, all runs together.
    pub times: u64,
    /// The least seed in which it was met.
    pub seed: u64,
    /// What happened there the first time.
    pub example: String,
}

impl DiskReport {
    /// What there is to say of the disks of a world that is about to end.
    pub(crate) fn of(disk: &Disk, world: &World) -> Self {
        let nodes = world.nodes();
        let config = disk.config();
        let mut report = Self {
            profile: config.profile.name().to_owned(),
            tear: config.tear.name().to_owned(),
            ..Self::default()
        };
        for node in &nodes {
            let stats = disk.stats(node.id);
            report.syncs += stats.syncs;
            report.power_losses += stats.power_losses;
            report.written_back += stats.written_back;
        }
        let name_of = |id| {
            let node = nodes.iter().find(|node| node.id == id);
            node.map_or_else(String::new, |node| node.name.to_string())
        };
        let lints = disk.lints().into_iter().take(LINTS_MAX);
        let lints = lints.map(|lint| DiskLint {
            kind: lint.kind.name().to_owned(),
            node: name_of(lint.node),
            path: lint.path,
            times: lint.times,
            first: lint.first,
            at: lint.at,
        });
        report.lints = lints.collect();
        report
    }

    /// A line on the disks, and one for each lint, as reports of one run have them; nothing when
    /// nobody used them.
    pub(crate) fn text(&self) -> String {
        if self.syncs + self.power_losses + self.written_back == 0 && self.lints.is_empty() {
            return String::new();
        }
        let mut out = format!(
            "  disks {}, {}: {} syncs, {} power losses, {} operations written back\n",
            self.profile,
            self.tear,
            grouped(self.syncs),
            grouped(self.power_losses),
            grouped(self.written_back)
        );
        for lint in &self.lints {
            let (kind, times) = (&lint.kind, grouped(lint.times));
            let _ = writeln!(out, "    lint {kind}: {}, {times} times", lint.example());
        }
        out
    }
}

impl DiskLint {
    fn example(&self) -> String {
        format!("{} {} {}", self.at, self.node, self.first)
    }
}

impl DiskTally {
    /// Counts a run.
    pub(crate) fn add(&mut self, seed: u64, report: &DiskReport) {
        let kind = format!("{}, {}", report.profile, report.tear);
        *self.seeds.entry(kind).or_default() += 1;
        self.syncs += report.syncs;
        self.power_losses += report.power_losses;
        self.written_back += report.written_back;
        let mut met: BTreeMap<&String, (u64, &DiskLint)> = BTreeMap::new();
        for lint in &report.lints {
            met.entry(&lint.kind).or_insert((0, lint)).0 += lint.times;
        }
        for (kind, (times, lint)) in met {
            let tally = self.lints.entry(kind.clone()).or_default();
            // Seeds come in as they end; what is shown must not depend on that.
            if tally.seeds == 0 || seed < tally.seed {
                tally.seed = seed;
                tally.example = lint.example();
            }
            tally.seeds += 1;
            tally.times += times;
        }
    }

    /// A line on the disks, and one for each kind of lint, as verdict tables have them; nothing
    /// when no run used a disk.
    pub(crate) fn text(&self, seeds: u64) -> String {
        let mut out = String::new();
        if self.syncs + self.power_losses + self.written_back > 0 {
            let kinds: Vec<&str> = self.seeds.keys().map(String::as_str).collect();
            let _ = writeln!(
                out,
                "    disks   {}: {} syncs, {} power losses, {} operations written back",
                kinds.join("; "),
                grouped(self.syncs),
                grouped(self.power_losses),
                grouped(self.written_back)
            );
        }
        for (kind, lint) in &self.lints {
            let (in_seeds, times) = (lint.seeds, grouped(lint.times));
            let (seed, example) = (lint.seed, &lint.example);
            let _ = writeln!(
                out,
                "    lint    {kind} in {in_seeds}/{seeds}, {times} times; seed {seed}: {example}"
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lint(kind: &str, path: &str, times: u64) -> DiskLint {
        DiskLint {
            kind: kind.to_owned(),
            node: "n1".to_owned(),
            path: path.to_owned(),
            times,
            first: format!("something with {path}"),
            at: SimInstant(1_500_000_000),
        }
    }

    fn report(lints: Vec<DiskLint>) -> DiskReport {
        DiskReport {
            profile: "posix-weak".to_owned(),
            tear: "atomic-512".to_owned(),
            syncs: 1_000,
            power_losses: 2,
            written_back: 30,
            lints,
        }
    }

    #[test]
    fn a_tally_is_the_same_in_any_order_of_seeds() {
        let reports = [
            (3, report(vec![lint("read-of-hole", "/a", 4)])),
            (
                1,
                report(vec![
                    lint("read-of-hole", "/b", 1),
                    lint("read-of-hole", "/c", 2),
                ]),
            ),
            (2, report(Vec::new())),
        ];
        let (mut forth, mut back) = (DiskTally::default(), DiskTally::default());
        for (seed, report) in &reports {
            forth.add(*seed, report);
        }
        for (seed, report) in reports.iter().rev() {
            back.add(*seed, report);
        }
        assert_eq!(forth, back);
        let text = forth.text(3);
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some(
                "    disks   posix-weak, atomic-512: 3,000 syncs, 6 power losses, \
                 90 operations written back"
            )
        );
        let line = lines.next().unwrap();
        let head = "    lint    read-of-hole in 2/3, 7 times; seed 1: ";
        assert!(
            line.starts_with(head) && line.ends_with("n1 something with /b"),
            "{line}"
        );
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn disks_that_nobody_used_are_not_spoken_of() {
        let mut tally = DiskTally::default();
        tally.add(1, &DiskReport::default());
        assert_eq!(tally.text(1), "");
    }
}
