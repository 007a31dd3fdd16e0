//! The names by which command lines ask for models and checkers: `semaphore=3`, `progress=5s`.

use super::{CheckerSpec, ModelKind};
use crate::single::Single;
use crate::txn::{Base, Level, Workload};
use crate::weak::Weak;

/// Checkers that a name alone stands for. One that takes a value is read in `with_value`.
const PLAIN: &[CheckerSpec] = &[
    CheckerSpec::Linearizability,
    CheckerSpec::NoLostAck,
    CheckerSpec::SingleLeader,
];

/// What checkers that take a value look like.
const VALUED: &[&str] = &[
    "progress=5s",
    "list-append=serializable",
    "rw-register=serializable",
    "txn-sets=serializable",
    "txn-counters=serializable",
];

/// The level of a workload whose name stands alone.
const LEVEL: Level = Level::STRICT_SERIALIZABLE;

impl ModelKind {
    /// Reads a model: its name, `semaphore=N`, `lease=TTL` or `lease=TTL:SKEW`.
    ///
    /// # Errors
    /// What is wrong with the text, with the models that there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("semaphore", permits)) => {
                let permits = permits.parse().map_err(|_| "semaphore=3 has 3 permits")?;
                return Ok(ModelKind::Semaphore { permits });
            }
            Some(("lease", times)) => {
                let (ttl, skew) = times.split_once(':').unwrap_or((times, "0ns"));
                return Ok(ModelKind::Lease {
                    ttl_ns: parse_bound(ttl)?,
                    skew_ns: parse_bound(skew)?,
                });
            }
            _ => {}
        }
        let known = ModelKind::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| {
            let names: Vec<&str> = ModelKind::ALL.iter().map(|kind| kind.name()).collect();
            format!("the models are {}", names.join(", "))
        })
    }
}

impl Level {
    /// Reads a level: `serializable`, `strong-session-causal`, `strict-serializable`, `PL-2+`, ...
    ///
    /// # Errors
    /// The levels that there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        level(text)
    }
}

impl CheckerSpec {
    /// Reads a checker: its name, with its value after `=` if it takes one.
    ///
    /// # Errors
    /// What is wrong with the text, with the checkers that there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(single) = Single::parse(text) {
            return single.map(CheckerSpec::Single);
        }
        if let Some(weak) = Weak::parse(text) {
            return Ok(CheckerSpec::Weak(weak));
        }
        let plain = |name: &str| PLAIN.iter().find(|spec| crate::name_of(spec) == name);
        let Some((name, value)) = text.split_once('=') else {
            if let Some(spec) = plain(text) {
                return Ok(*spec);
            }
            if let Some(workload) = workload(text) {
                let level = LEVEL;
                return Ok(CheckerSpec::Isolation { workload, level });
            }
            let shape = VALUED
                .iter()
                .find(|shape| shape.split('=').next() == Some(text));
            return Err(match shape {
                Some(shape) => format!("{text} needs its value: {shape}"),
                None => format!("the checkers are {}", Self::names().join(", ")),
            });
        };
        match plain(name) {
            Some(_) => Err(format!("{name} takes no value")),
            None => with_value(name, value),
        }
    }

    /// Every checker, as [`CheckerSpec::parse`] reads it.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        let plain = PLAIN.iter().map(crate::name_of);
        let single = Single::ALL.iter().map(Single::name);
        let weak = Weak::ALL.into_iter().map(Weak::name);
        let valued = VALUED.iter().copied();
        plain.chain(valued).chain(single).chain(weak).collect()
    }
}

fn with_value(name: &str, value: &str) -> Result<CheckerSpec, String> {
    match name {
        "progress" => Ok(CheckerSpec::Progress {
            within_ns: parse_bound(value)?,
        }),
        _ => match workload(name) {
            Some(workload) => {
                let level = level(value)?;
                Ok(CheckerSpec::Isolation { workload, level })
            }
            None => Err(format!(
                "the checkers are {}",
                CheckerSpec::names().join(", ")
            )),
        },
    }
}

fn workload(name: &str) -> Option<Workload> {
    Workload::ALL.into_iter().find(|known| known.name() == name)
}

fn level(name: &str) -> Result<Level, String> {
    Level::named(name).ok_or_else(|| {
        let names: Vec<&str> = Base::ALL.iter().map(|base| base.name()).collect();
        format!(
            "the levels are {}, each also as strong-session-... and strong-..., and \
             strict-serializable",
            names.join(", ")
        )
    })
}

/// Reads a length of time, nanoseconds.
pub(crate) fn parse_bound(text: &str) -> Result<u64, String> {
    let wanted = "the bound is a whole number with a unit: 500ms, 5s, 1min";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wanted)?;
    let unit_ns = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "min" => 60_000_000_000,
        _ => return Err(wanted.to_owned()),
    };
    number
        .checked_mul(unit_ns)
        .ok_or_else(|| "the bound is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkers_are_named_with_their_bounds() {
        let progress = CheckerSpec::Progress {
            within_ns: 5_000_000_000,
        };
        assert_eq!(CheckerSpec::parse("progress=5s"), Ok(progress));
        assert_eq!(
            CheckerSpec::parse("single-leader"),
            Ok(CheckerSpec::SingleLeader)
        );
        for bad in [
            "progress",
            "progress=5",
            "progress=s",
            "no-lost-ack=1",
            "wgl",
            "wgl=1",
            "",
        ] {
            assert!(CheckerSpec::parse(bad).is_err(), "{bad} is taken");
        }
        assert!(CheckerSpec::parse("progress=99999999999999min").is_err());
    }

    #[test]
    fn every_name_is_read() {
        for kind in ModelKind::ALL {
            assert_eq!(ModelKind::parse(kind.name()), Ok(kind));
        }
        for name in CheckerSpec::names() {
            assert!(CheckerSpec::parse(name).is_ok(), "{name}");
            assert!(ModelKind::parse(name).is_err(), "{name} is a model too");
        }
    }
}
