//! The swarm: what a seed switches on or off, or sizes, for its whole run.
//!
//! A run in which everything may go wrong all the time hides the failures that need something to
//! go right: a fault that always kills the leader also kills the fault that would have met it.
//! So half of the seeds go without some of the scenario's faults, and each seed draws networks,
//! disks, schedules and sizes within what the scenario allows. What was drawn stands in the
//! report, and is held against what failed.

use std::collections::{BTreeMap, BTreeSet};

use plan_compiler::scenario::{Heal, Scenario, Weather};
use serde::{Deserialize, Serialize};
use sim_runtime::probe::SiteKind;
use sim_runtime::{Seed, Stream};

use crate::report::SeedReport;

/// Disks that seeds draw, in percent of the usual latencies.
const DISKS_PERCENT: [u32; 3] = [25, 300, 1_000];
const DISK_USUAL_PERCENT: u32 = 100;

/// What a seed draws for its whole run, beside the schedule's policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swarm {
    /// Servers.
    pub nodes: u32,
    /// Clients.
    pub clients: u32,
    /// What the network is like where no fault lies.
    pub network: Weather,
    /// Latencies of disks, in percent of the usual ones.
    pub disk_percent: u32,
    /// Whether `buggify!` never fires, and knobs have their defaults.
    pub quiet: bool,
    /// Faults of the scenario that the seed goes without, by name.
    pub without: Vec<String>,
    /// Servers that come back after the faults, from 1, where not all do: a majority.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub core: Vec<u32>,
}

impl Swarm {
    /// What a seed of the scenario draws. Each part has a stream of its own, so what one scenario
    /// does not leave open changes nothing else.
    #[must_use]
    pub fn draw(seed: Seed, scenario: &Scenario) -> Self {
        let stream = |of: &str| Stream::of(seed, "swarm", of);
        let (topology, weather) = (scenario.topology, scenario.weather);
        let between = |of: &str, least: u32, most: Option<u32>| match most {
            Some(most) => stream(of).range(u64::from(least), u64::from(most)) as u32,
            None => least,
        };
        let network = match weather {
            Weather::Drawn if Stream::of(seed, "net.weather.usual", 0).chance(1, 2) => {
                Weather::Usual
            }
            as_asked => as_asked,
        };
        let mut disk = stream("disk");
        let disk_percent = match weather {
            Weather::Drawn if disk.chance(1, 2) => *disk.pick(&DISKS_PERCENT),
            _ => DISK_USUAL_PERCENT,
        };
        let nodes = between("nodes", topology.nodes, topology.nodes_max);
        let mut core = stream("core");
        let core = match scenario.heal {
            Heal::Majority if core.chance(1, 2) => {
                let mut all: Vec<u32> = (1..=nodes).collect();
                core.shuffle(&mut all);
                all.truncate(nodes as usize / 2 + 1);
                all.sort_unstable();
                all
            }
            _ => Vec::new(),
        };
        Self {
            core,
            nodes,
            clients: between("clients", topology.clients, topology.clients_max),
            network,
            disk_percent,
            quiet: stream("quiet").chance(1, 4),
            without: left_out(seed, scenario),
        }
    }

    /// What a run has for which nothing is drawn.
    pub(crate) fn plain(scenario: &Scenario) -> Self {
        Self {
            nodes: scenario.topology.nodes,
            clients: scenario.topology.clients,
            network: Weather::Usual,
            disk_percent: DISK_USUAL_PERCENT,
            quiet: true,
            without: Vec::new(),
            core: Vec::new(),
        }
    }

    /// The scenario with the sizes that were drawn.
    pub(crate) fn shape(&self, scenario: &mut Scenario) {
        scenario.topology.nodes = self.nodes;
        scenario.topology.clients = self.clients;
    }
}

/// Half of the seeds have every fault; the others each with one chance in two, and all of them
/// where none would be left. Each fault has a stream of its own.
fn left_out(seed: Seed, scenario: &Scenario) -> Vec<String> {
    let faults = &scenario.faults;
    if scenario.every_fault || Stream::of(seed, "swarm", "faults").chance(1, 2) {
        return Vec::new();
    }
    let is_off = |name: &&str| Stream::of(seed, "swarm.fault", *name).chance(1, 2);
    let names = faults.iter().map(|fault| fault.id.as_str());
    let without: Vec<String> = names.filter(is_off).map(str::to_owned).collect();
    match without.len() == faults.len() {
        true => Vec::new(),
        false => without,
    }
}

/// What a seed's run was like, a word each.
fn features(report: &SeedReport) -> BTreeSet<String> {
    let policy = report.policy.to_string();
    let family = policy.split('(').next().unwrap_or_default();
    let mut features = BTreeSet::from([format!("policy {family}")]);
    if let Some(swarm) = &report.swarm {
        features.insert(swarm.network.to_string());
        features.insert(format!("disks at {} %", swarm.disk_percent));
        features.insert(format!("{} nodes", swarm.nodes));
        features.insert(format!("{} clients", swarm.clients));
        let knobs = if swarm.quiet { "default" } else { "drawn" };
        features.insert(format!("{knobs} knobs"));
        if !swarm.core.is_empty() {
            features.insert("a minority lost for good".to_owned());
        }
        for row in &report.ledger {
            let is_off = swarm.without.contains(&row.name);
            let word = if is_off { "without" } else { "with" };
            features.insert(format!("{word} {} ({})", row.name, row.kind));
        }
    }
    for seen in &report.probes {
        match (seen.kind, seen.number) {
            (SiteKind::Buggify, _) if seen.held > 0 => {
                features.insert(format!("buggify \"{}\" fired", seen.name));
            }
            (SiteKind::Knob, Some(number)) => {
                // Numbers of one magnitude are one feature: there may be a million of them.
                let magnitude = number
                    .unsigned_abs()
                    .checked_ilog2()
                    .map_or(0, |log| 1_u128 << log);
                features.insert(format!("knob \"{}\" from {magnitude}", seen.name));
            }
            _ => {}
        }
    }
    features
}

/// What the seeds drew, and which of them failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwarmTally {
    /// Seeds that ran to their end.
    pub seeds: u64,
    /// By feature.
    pub features: BTreeMap<String, FeatureTally>,
}

/// A feature over the seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureTally {
    /// Seeds that had it.
    pub seeds: u64,
    /// Failing ones of them, by signature.
    pub failed: BTreeMap<String, u64>,
}

/// A feature that every failure of a kind has, and that not every seed has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// The feature.
    pub feature: String,
    /// Seeds that have it.
    pub seeds: u64,
}

impl SwarmTally {
    pub(crate) fn add(&mut self, report: &SeedReport, signature: Option<&str>) {
        self.seeds += 1;
        for feature in features(report) {
            let tally = self.features.entry(feature).or_default();
            tally.seeds += 1;
            if let Some(signature) = signature {
                *tally.failed.entry(signature.to_owned()).or_insert(0) += 1;
            }
        }
    }

    /// The features that all failures of a kind share and that chance explains in fewer than one
    /// sweep of twenty, the rarest first.
    #[must_use]
    pub fn shared(&self, signature: &str, failures: u64) -> Vec<Shared> {
        let each = self.features.iter();
        let all = each.filter(|(_, tally)| tally.failed.get(signature) == Some(&failures));
        let mut shared: Vec<Shared> = all
            .filter(|(_, tally)| is_telling(tally.seeds, self.seeds, failures))
            .map(|(feature, tally)| Shared {
                feature: feature.clone(),
                seeds: tally.seeds,
            })
            .collect();
        shared.sort_by(|a, b| (a.seeds, &a.feature).cmp(&(b.seeds, &b.feature)));
        shared
    }
}

/// Whether so many failures out of seeds of which `with` have a feature would all have it by
/// chance in fewer than one sweep of twenty. Whole numbers: a verdict rests on no rounding.
fn is_telling(with: u64, seeds: u64, failures: u64) -> bool {
    // Six factors of twenty bits fit; more failures only make it more telling.
    let (mut with, mut seeds) = (u128::from(with), u128::from(seeds));
    while seeds >= 1 << 20 {
        // Rounded up: against what is claimed.
        with = with.div_ceil(2);
        seeds /= 2;
    }
    let power = failures.min(6) as u32;
    with.pow(power) * 20 <= seeds.pow(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scenario of three faults, with this workload.
    fn scenario(workload: &str) -> Scenario {
        let plan: Vec<String> = include_str!("../tests/it/plans/overlap.md")
            .lines()
            .map(|line| match line.split_once(": ") {
                Some(("- Workload", _)) => format!("- Workload: {workload}"),
                Some(("- Faults", faults)) => format!("- Faults: {faults}; kill -9 node 2 at T+3s"),
                _ => line.to_owned(),
            })
            .collect();
        let compiled = plan_compiler::compile(&plan.join("\n"));
        let problems: Vec<_> = compiled.diagnostics.iter().map(|d| &d.message).collect();
        assert_eq!(compiled.scenarios.len(), 1, "{problems:?}");
        compiled.scenarios[0].clone()
    }

    const OPEN: &str = "3-5 nodes, 2 to 4 clients, 50% read / 50% write, 30s";

    #[test]
    fn half_of_the_seeds_have_every_fault_and_none_goes_without_all() {
        let scenario = scenario(OPEN);
        let all: Vec<Swarm> = (0..1_000)
            .map(|n| Swarm::draw(Seed(n), &scenario))
            .collect();
        let whole = all.iter().filter(|swarm| swarm.without.is_empty()).count();
        assert!((580..=670).contains(&whole), "{whole}");
        assert!(all.iter().all(|swarm| swarm.without.len() < 3));
        for fault in &scenario.faults {
            let off = all.iter().filter(|s| s.without.contains(&fault.id)).count();
            assert!((150..=225).contains(&off), "{off}");
        }
    }

    #[test]
    fn sizes_are_drawn_within_what_the_plan_allows() {
        let open = scenario(OPEN);
        let drawn = |n| Swarm::draw(Seed(n), &open);
        let nodes: BTreeSet<u32> = (0..200).map(|n| drawn(n).nodes).collect();
        let clients: BTreeSet<u32> = (0..200).map(|n| drawn(n).clients).collect();
        assert_eq!(nodes, BTreeSet::from([3, 4, 5]));
        assert_eq!(clients, BTreeSet::from([2, 3, 4]));
        let fixed = scenario("3 nodes, 5 clients, calm network, every fault in every seed, 30s");
        for n in 0..200 {
            let swarm = Swarm::draw(Seed(n), &fixed);
            let rest = Swarm {
                quiet: swarm.quiet,
                ..Swarm::default()
            };
            let wanted = Swarm {
                nodes: 3,
                clients: 5,
                network: Weather::Calm,
                disk_percent: 100,
                ..rest
            };
            assert_eq!(swarm, wanted);
        }
    }

    #[test]
    fn where_a_majority_heals_half_of_the_seeds_have_one() {
        let scenario = scenario("3-5 nodes, a minority is lost for good, 30s");
        let all = (0..400).map(|n| Swarm::draw(Seed(n), &scenario));
        let cores: Vec<_> = all.filter(|swarm| !swarm.core.is_empty()).collect();
        assert!((160..240).contains(&cores.len()), "{}", cores.len());
        for Swarm { nodes, core, .. } in cores {
            assert_eq!(core.len() as u32, nodes / 2 + 1);
            assert!(core.is_sorted() && core.iter().all(|n| (1..=nodes).contains(n)));
        }
    }

    #[test]
    fn what_every_failure_shares_is_told_unless_chance_explains_it() {
        let feature = |seeds, failures| FeatureTally {
            seeds,
            failed: BTreeMap::from([("lost".to_owned(), failures)]),
        };
        let tally = SwarmTally {
            seeds: 100,
            features: BTreeMap::from([
                ("every seed".to_owned(), feature(100, 6)),
                ("half".to_owned(), feature(50, 6)),
                ("rare".to_owned(), feature(10, 6)),
                ("rare, and not all".to_owned(), feature(10, 5)),
            ]),
        };
        let shared = tally.shared("lost", 6);
        let names: Vec<_> = shared.iter().map(|one| one.feature.as_str()).collect();
        assert_eq!(names, ["rare", "half"]);
        assert!(!is_telling(50, 100, 4) && is_telling(50, 100, 5));
        assert!(!is_telling(10, 100, 1) && is_telling(5, 100, 1));
        assert!(is_telling(1 << 40, 1 << 42, 3) && !is_telling(u64::MAX, u64::MAX, 60));
    }
}
