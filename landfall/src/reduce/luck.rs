//! Draws made anew, for failures that hang on a race: a smaller run fails as well, if only its
//! messages take the right time. Taking one operation out moves the picks and the latencies after
//! it, so such a failure comes and goes with each, and delta debugging keeps hundreds that it does
//! not need. Against that a run is looked for first that fails with as little left to draw as
//! may be: first in, first out, on a calm network; and where much is left at the end, a much
//! smaller run is tried under several draws. The draw becomes part of the script.

use plan_compiler::scenario::Weather;
use sim_runtime::{Reseed, Seed, SimInstant};

use super::trial::{Trials, failing};
use crate::script::{PinnedOperation, Script};

/// With no more than these nothing is tried: fault windows, operations.
const FEW: (usize, usize) = (3, 10);

/// How many draws a smaller run is tried under, on the way and at last.
pub(super) const DRAWS: u64 = 12;
pub(super) const DRAWS_AT_LAST: u64 = 64;

/// The sizes that are tried: these shares of the operations, the smallest first.
const SHARES: [usize; 5] = [32, 16, 8, 4, 2];

/// How many draws a calmer run is tried under.
const DRAWS_CALM: u64 = 24;

impl Trials<'_, '_> {
    /// The same windows and operations in a run that draws less, if one fails alike.
    pub(super) fn settle(&mut self, best: Script) -> Script {
        self.stage("a run that draws less", &best);
        let Some(started) = self.started(&best) else {
            return best;
        };
        let fifo = best.fifo_but(Vec::new());
        let calmer = [
            Script {
                quiet: true,
                disk_percent: Some(100),
                network: Some(Weather::Calm),
                ..fifo.clone()
            },
            Script {
                network: fifo.network.or(Some(Weather::Usual)),
                ..fifo.clone()
            },
            fifo,
            Script {
                network: Some(Weather::Calm),
                ..best.clone()
            },
        ];
        for calm in calmer {
            let draws = (0..DRAWS_CALM).map(|draw| drawn(&calm, started, draw));
            let mut candidates = vec![calm.clone()];
            candidates.extend(draws);
            if let Some(place) = self.first(&candidates) {
                return candidates.swap_remove(place);
            }
        }
        best
    }

    /// When the workload of a script that fails begins.
    fn started(&mut self, script: &Script) -> Option<SimInstant> {
        let outcome = self.record(script).ok()?;
        let report = failing(&outcome, &self.signature)?;
        Some(SimInstant(report.recording.as_ref()?.started_ns))
    }

    /// A much smaller run that fails alike under some draw, again and again; `best` if there is
    /// none, or it is small enough.
    pub(super) fn redraw(&mut self, mut best: Script, draws: u64) -> Script {
        while let Some(smaller) = self.lucky(&best, draws) {
            best = self.drop_windows(smaller);
            best = self.drop_operations(best);
        }
        best
    }

    fn lucky(&mut self, best: &Script, draws: u64) -> Option<Script> {
        let operations = best.operations.clone()?;
        let windows = best.windows.as_ref().map_or(0, Vec::len);
        if windows <= FEW.0 && operations.len() <= FEW.1 {
            return None;
        }
        self.stage("smaller runs under other draws", best);
        let started = self.started(best)?;
        let count = operations.len();
        let mut sizes: Vec<usize> = SHARES.iter().map(|share| count / share).collect();
        sizes.insert(0, 0);
        sizes.dedup();
        for size in sizes {
            let mut candidates = Vec::new();
            for kept in subsets(&operations, size) {
                for draw in 0..draws {
                    candidates.push(Script {
                        operations: Some(kept.clone()),
                        ..drawn(best, started, draw)
                    });
                }
            }
            if let Some(place) = self.first(&candidates) {
                return Some(candidates.swap_remove(place));
            }
        }
        None
    }
}

/// A script under one of several draws of what follows a moment.
fn drawn(script: &Script, at: SimInstant, draw: u64) -> Script {
    let seed = Seed(draw);
    script.reseeded(Reseed { at, seed })
}

/// So many of the operations: the last ones, the first ones, or some from the whole of the run.
fn subsets(all: &[PinnedOperation], size: usize) -> Vec<Vec<PinnedOperation>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let step = all.len() / size;
    vec![
        all[all.len() - size..].to_vec(),
        all[..size].to_vec(),
        all.iter().step_by(step).take(size).cloned().collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::{PinnedOperation, subsets};
    use crate::system::Call;

    #[test]
    fn subsets_have_the_size_and_keep_the_order() {
        let operation = |at_ns| PinnedOperation {
            client: 1,
            at_ns,
            call: Call::Read {
                key: "k0".to_owned(),
            },
        };
        let all: Vec<_> = (0..10).map(operation).collect();
        for size in [1, 2, 5] {
            for kept in subsets(&all, size) {
                assert_eq!(kept.len(), size);
                assert!(kept.is_sorted_by_key(|one| one.at_ns));
            }
        }
        assert_eq!(subsets(&all, 0), [vec![]]);
    }
}
