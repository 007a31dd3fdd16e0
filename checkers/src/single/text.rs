//! Checkers by name, as a command line or a plan writes them: `leases=10s:50ms`.

use std::fmt;

use super::{Group, Single};
use crate::spec::parse_bound;

/// A whole number, which may end in a percent sign.
fn parse_count(text: &str) -> Result<u64, String> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    let number = digits.parse();
    number.map_err(|_| format!("{text} is no whole number"))
}

fn integer(text: &str) -> Result<Option<i64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().map(Some);
    number.map_err(|_| format!("{text} is no integer"))
}

/// A time for those who read, in the largest unit that leaves a whole number.
struct Duration(u64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
        let unit = units.into_iter().find(|(ns, _)| self.0.is_multiple_of(*ns));
        let (ns, name) = unit.unwrap_or((1, "ns"));
        write!(f, "{}{name}", self.0 / ns)
    }
}

impl Single {
    /// The checker of a name, with bounds behind `=` if it takes them, as in
    /// [`Row::takes`](super::Row::takes).
    ///
    /// # Errors
    /// `None` when no checker has the name; else what is wrong with the bounds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let known = Self::ALL.into_iter().find(|single| single.name() == name)?;
        Some(match value {
            None => Ok(known),
            Some(value) => known.with(value),
        })
    }

    fn with(self, value: &str) -> Result<Self, String> {
        let parts: Vec<&str> = value.split(':').collect();
        let parsed = self.with_parts(&parts)?;
        parsed.ok_or_else(|| match self.row().takes {
            "" => format!("{} takes no value", self.name()),
            takes => format!("it is {takes}, not {}={value}", self.name()),
        })
    }

    fn with_parts(self, parts: &[&str]) -> Result<Option<Self>, String> {
        Ok(Some(match (self, parts) {
            (Single::Counter { .. }, [floor, ceiling]) => Single::Counter {
                floor: integer(floor)?,
                ceiling: integer(ceiling)?,
            },
            (Single::SetFull { .. }, ["strict"]) => Single::SetFull { strict: true },
            (Single::Bank { .. }, ["overdraft"]) => Single::Bank {
                total: None,
                overdraft: true,
            },
            (Single::Bank { .. }, [total]) => Single::Bank {
                total: integer(total)?,
                overdraft: false,
            },
            (Single::Bank { .. }, [total, "overdraft"]) => Single::Bank {
                total: integer(total)?,
                overdraft: true,
            },
            (Single::Leases { .. }, [ttl]) => Single::Leases {
                ttl_ns: parse_bound(ttl)?,
                skew_ns: 0,
            },
            (Single::Leases { .. }, [ttl, skew]) => Single::Leases {
                ttl_ns: parse_bound(ttl)?,
                skew_ns: parse_bound(skew)?,
            },
            (Single::Election { .. }, [within]) => Single::Election {
                within_ns: parse_bound(within)?,
            },
            (Single::Fairness { .. }, [by, percent]) => Single::Fairness {
                by: group(by)?,
                percent_max: parse_count(percent)?,
            },
            (Single::HybridClock { .. }, [drift]) => Single::HybridClock {
                drift_ns: parse_bound(drift)?,
            },
            _ => return self.with_pattern_parts(parts),
        }))
    }

    fn with_pattern_parts(self, parts: &[&str]) -> Result<Option<Self>, String> {
        Ok(Some(match (self, parts) {
            (Single::Retry { .. }, [attempts, base, cap, jitter]) => Single::Retry {
                attempts_max: parse_count(attempts)?,
                base_ns: parse_bound(base)?,
                cap_ns: parse_bound(cap)?,
                jitter_percent: parse_count(jitter)?.min(100),
            },
            (Single::Amplification { .. }, [percent, window]) => Single::Amplification {
                percent_max: parse_count(percent)?,
                window_ns: parse_bound(window)?,
            },
            (Single::CircuitBreaker { .. }, [open]) => Single::CircuitBreaker {
                open_ns: parse_bound(open)?,
            },
            (Single::Bulkhead { .. }, [limit]) => Single::Bulkhead {
                limit: parse_count(limit)?,
            },
            (Single::TimeoutCleanup { .. }, [within]) => Single::TimeoutCleanup {
                within_ns: parse_bound(within)?,
            },
            (Single::Staleness { .. }, [bound]) => Single::Staleness {
                bound_ns: parse_bound(bound)?,
            },
            (Single::Stampede { .. }, [limit]) => Single::Stampede {
                limit: parse_count(limit)?,
            },
            (Single::Exhaustion { .. }, [limit]) => {
                let limit = integer(limit)?.ok_or("the limit is missing")?;
                Single::Exhaustion { limit }
            }
            _ => return Ok(None),
        }))
    }
}

fn group(text: &str) -> Result<Group, String> {
    match text {
        "key" => Ok(Group::Key),
        "process" => Ok(Group::Process),
        "node" => Ok(Group::Node),
        _ => Err(format!("{text} is none of key, process and node")),
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Group::Key => "key",
            Group::Process => "process",
            Group::Node => "node",
        })
    }
}

/// As [`Single::parse`] reads it.
impl fmt::Display for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let bound = |bound: Option<i64>| bound.map_or(String::new(), |bound| bound.to_string());
        match *self {
            Single::Counter {
                floor: None,
                ceiling: None,
            }
            | Single::Bank {
                total: None,
                overdraft: false,
            } => Ok(()),
            Single::Counter { floor, ceiling } => {
                write!(f, "={}:{}", bound(floor), bound(ceiling))
            }
            Single::SetFull { strict: true } => f.write_str("=strict"),
            Single::Bank { total, overdraft } => {
                let (total, overdraft) = (bound(total), if overdraft { "overdraft" } else { "" });
                let colon = !total.is_empty() && !overdraft.is_empty();
                write!(f, "={total}{}{overdraft}", if colon { ":" } else { "" })
            }
            Single::Leases { ttl_ns, skew_ns } => {
                write!(f, "={}:{}", Duration(ttl_ns), Duration(skew_ns))
            }
            Single::Fairness { by, percent_max } => write!(f, "={by}:{percent_max}%"),
            Single::Retry {
                attempts_max,
                base_ns,
                cap_ns,
                jitter_percent,
            } => {
                let (base, cap) = (Duration(base_ns), Duration(cap_ns));
                write!(f, "={attempts_max}:{base}:{cap}:{jitter_percent}%")
            }
            Single::Amplification {
                percent_max,
                window_ns,
            } => write!(f, "={percent_max}%:{}", Duration(window_ns)),
            Single::Bulkhead { limit } | Single::Stampede { limit } => write!(f, "={limit}"),
            Single::Exhaustion { limit } => write!(f, "={limit}"),
            Single::Election { within_ns: time }
            | Single::TimeoutCleanup { within_ns: time }
            | Single::CircuitBreaker { open_ns: time }
            | Single::Staleness { bound_ns: time }
            | Single::HybridClock { drift_ns: time } => write!(f, "={}", Duration(time)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Single;

    #[test]
    fn what_is_written_is_read_back() {
        let more = [
            "counter-bounds=0:",
            "counter-bounds=-5:10",
            "set-full=strict",
            "bank=100:overdraft",
            "bank=overdraft",
            "bank=100",
            "leases=1500ms:7ns",
            "fairness=node:150%",
        ];
        let more = more.map(|text| Single::parse(text).expect(text).expect(text));
        for single in Single::ALL.into_iter().chain(more) {
            let text = single.to_string();
            assert_eq!(Single::parse(&text), Some(Ok(single)), "{text}");
        }
    }

    #[test]
    fn what_is_no_checker_says_so() {
        assert_eq!(Single::parse("sets"), None);
        for (text, says) in [
            ("set-final=3", "set-final takes no value"),
            ("leases=10", "the bound is a whole number with a unit"),
            ("leases=1s:2s:3s", "leases[=TTL[:SKEW]]"),
            ("fairness=shard:3", "none of key, process and node"),
            ("bulkhead=x", "x is no whole number"),
            ("election=99999999999999999999s", "the bound is"),
        ] {
            let error = Single::parse(text).expect(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
