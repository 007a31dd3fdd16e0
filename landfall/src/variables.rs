//! The environment variables, all in one place. A value that cannot be used is refused, naming
//! the variable, the value and what would do.

use crate::log::Directives;
use std::fmt;

use sim_runtime::{Policy, Seed};

/// Runs one seed instead of a budget: `17`, `0x11`.
pub const SEED: &str = "LANDFALL_SEED";
/// How many seeds each scenario runs.
pub const SEEDS: &str = "LANDFALL_SEEDS";
/// How many worker processes run at once.
pub const JOBS: &str = "LANDFALL_JOBS";
/// Which budget is run: `smoke` or `hardening`.
pub const BUDGET: &str = "LANDFALL_BUDGET";
/// How many seeds are run twice and compared: `1` or `all`, `off`, or a share such as `20%`.
pub const CHECK_DETERMINISM: &str = "LANDFALL_CHECK_DETERMINISM";
/// How every seed's tasks are scheduled, instead of as the seed draws.
pub const POLICY: &str = "LANDFALL_POLICY";
/// How many MiB a seed's process may map; 0 is no limit.
pub const MEMORY_MB: &str = "LANDFALL_MEMORY_MB";

/// `1`: seeds run in the test's own process, one after the other, for debuggers.
pub const IN_PROCESS: &str = "LANDFALL_IN_PROCESS";

/// Which lines of the guests' log a replay shows: `info`, `raft=debug,warn`, `off`.
pub const LOG: &str = "LANDFALL_LOG";

/// Every variable, with what it does, for help and documentation.
pub const ALL: [(&str, &str); 9] = [
    (SEED, "run this one seed, decimal or 0x hexadecimal"),
    (SEEDS, "how many seeds each scenario runs"),
    (JOBS, "how many worker processes run at once"),
    (BUDGET, "which budget is run: smoke or hardening"),
    (
        CHECK_DETERMINISM,
        "which seeds are run twice and compared: 1 or all, off, or a share such as 20% [5%]",
    ),
    (
        POLICY,
        "schedule every seed by random, fifo, pct(3), pct(3,k=10000) or urw, not as it draws",
    ),
    (
        LOG,
        "lines of tracing that replays show, all of them: info, or raft=debug,warn",
    ),
    (
        IN_PROCESS,
        "1: cargo test runs seeds in the test's own process, for debuggers",
    ),
    (
        MEMORY_MB,
        "how many MiB a seed's process may map before its allocations fail, 0 for any [4096]",
    ),
];

/// What the environment asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// [`SEED`].
    pub seed: Option<u64>,
    /// [`SEEDS`].
    pub seeds: Option<u32>,
    /// [`JOBS`].
    pub jobs: Option<usize>,
    /// [`BUDGET`]: whether it is the hardening budget.
    pub hardening: Option<bool>,
    /// [`CHECK_DETERMINISM`].
    pub check_determinism: Option<u8>,
    /// [`POLICY`].
    pub policy: Option<Policy>,
    /// [`LOG`], which can be used.
    pub log: Option<String>,
    /// [`IN_PROCESS`].
    pub in_process: bool,
    /// [`MEMORY_MB`].
    pub memory_mib: Option<u32>,
}

/// A value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadVariable {
    name: &'static str,
    value: String,
    wanted: &'static str,
}

impl fmt::Display for BadVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            value,
            wanted,
        } = self;
        write!(f, "{name}={value} cannot be used: it takes {wanted}")
    }
}

impl std::error::Error for BadVariable {}

impl Variables {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// A value that cannot be used.
    pub fn read() -> Result<Self, BadVariable> {
        #[expect(clippy::disallowed_methods, reason = "this is the module that owns it")]
        Self::parse(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn parse(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, BadVariable> {
        let read = |name: &'static str, wanted: &'static str| {
            let value = get(name).filter(|value| !value.is_empty());
            value.map(|value| {
                (
                    BadVariable {
                        name,
                        value: value.clone(),
                        wanted,
                    },
                    value,
                )
            })
        };
        let mut variables = Self::default();
        if let Some((bad, value)) = read(SEED, "a seed, decimal or 0x hexadecimal") {
            variables.seed = Some(parse_seed(&value).ok_or(bad)?);
        }
        if let Some((bad, value)) = read(SEEDS, "how many seeds to run, at least 1") {
            variables.seeds = Some(value.parse().ok().filter(|seeds| *seeds > 0).ok_or(bad)?);
        }
        if let Some((bad, value)) = read(JOBS, "how many processes to run at once, 1 to 1024") {
            let jobs = value.parse().ok().filter(|jobs| (1..=1_024).contains(jobs));
            variables.jobs = Some(jobs.ok_or(bad)?);
        }
        if let Some((bad, value)) = read(BUDGET, "smoke or hardening") {
            variables.hardening = Some(match value.as_str() {
                "smoke" => false,
                "hardening" => true,
                _ => return Err(bad),
            });
        }
        if let Some((bad, value)) = read(CHECK_DETERMINISM, "0, 1, all, off or a share such as 20%")
        {
            variables.check_determinism = match value.as_str() {
                "0" => None,
                share => Some(parse_share(share).ok_or(bad)?),
            };
        }
        if let Some((bad, value)) = read(POLICY, "random, fifo, pct(3), pct(3,k=10000) or urw") {
            variables.policy = Some(value.parse().map_err(|_| bad)?);
        }
        if let Some((bad, value)) = read(IN_PROCESS, "0 or 1") {
            variables.in_process = match value.as_str() {
                "0" => false,
                "1" => true,
                _ => return Err(bad),
            };
        }
        if let Some((bad, value)) = read(LOG, "a level, or levels of targets: raft=debug,warn") {
            variables.log = match value.parse::<Directives>() {
                Ok(_) => Some(value),
                Err(_) => return Err(bad),
            };
        }
        if let Some((bad, value)) = read(MEMORY_MB, "a number of MiB") {
            variables.memory_mib = Some(value.parse().map_err(|_| bad)?);
        }
        Ok(variables)
    }

    /// How a seed's tasks are scheduled: as asked for, or as the seed draws.
    #[must_use]
    pub fn policy_of(&self, seed: Seed) -> Policy {
        self.policy.unwrap_or_else(|| Policy::drawn(seed))
    }
}

/// A share of seeds, in percent: `1` or `all`, `off`, `20%`.
#[must_use]
pub fn parse_share(text: &str) -> Option<u8> {
    match text {
        "1" | "all" => Some(100),
        "off" => Some(0),
        share => share
            .strip_suffix('%')?
            .parse()
            .ok()
            .filter(|percent| *percent <= 100),
    }
}

/// A seed as people write it: decimal, or hexadecimal with `0x`.
#[must_use]
pub fn parse_seed(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &'static str, value: &str) -> Result<Variables, String> {
        Variables::parse(|asked| (asked == name).then(|| value.to_owned()))
            .map_err(|bad| bad.to_string())
    }

    #[test]
    fn good_values_are_read() {
        assert_eq!(parse(SEED, "0x10").unwrap().seed, Some(16));
        assert_eq!(parse(SEEDS, "7").unwrap().seeds, Some(7));
        assert_eq!(parse(JOBS, "2").unwrap().jobs, Some(2));
        assert_eq!(parse(BUDGET, "hardening").unwrap().hardening, Some(true));
        for (text, percent) in [("1", 100), ("all", 100), ("20%", 20), ("off", 0)] {
            let read = parse(CHECK_DETERMINISM, text).unwrap().check_determinism;
            assert_eq!(read, Some(percent), "{text}");
        }
        assert!(parse(CHECK_DETERMINISM, "101%").is_err());
        assert_eq!(parse(SEED, "").unwrap(), Variables::default());
        assert_eq!(parse(POLICY, "urw").unwrap().policy, Some(Policy::Urw));
    }

    #[test]
    fn bad_values_are_refused_by_name() {
        for (name, _) in ALL {
            let message = parse(name, "maybe").unwrap_err();
            assert!(
                message.starts_with(&format!("{name}=maybe cannot be used")),
                "{message}"
            );
        }
        assert!(parse(SEEDS, "0").is_err());
        assert!(parse(JOBS, "0").is_err());
        assert!(parse(SEED, "-1").is_err());
    }

    #[test]
    fn a_policy_that_is_asked_for_is_every_seed_s() {
        let drawn = Variables::default();
        let asked = parse(POLICY, "fifo").unwrap();
        for seed in (0..100).map(Seed) {
            assert_eq!(drawn.policy_of(seed), Policy::drawn(seed));
            assert_eq!(asked.policy_of(seed), Policy::Fifo);
        }
    }
}
