//! The survey of the determinism floor: what real crates see, from process to process and from run
//! to run, and which layer makes it so.
//!
//! Nothing is assumed of a source. It is looked at in several processes with the same seed; then
//! again with one layer left off at a time: the layer without which it reads otherwise is the one
//! that serves it.

use std::env;
use std::io;
use std::time::Duration;

use serde::Serialize;
use sim_runtime::interpose::floor::{PROBES, WITHOUT_VARIABLE, left_off};
use sim_runtime::process::{Worker, WorkerCommand};

use crate::coordinate::{CoordinateError, decode, encode};
use crate::report::Cause;
use crate::worker::{Command, Fixed, Repeat, VERSION};

/// A source of entropy, time or identity, and whether it is reproducible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// What it is.
    pub name: String,
    /// Whether a seed sees the same in every process.
    pub across_processes: bool,
    /// Whether two runs of a seed see the same in one process, each on a thread of its own. Where
    /// they do not, it is why a seed has a process of its own.
    pub within_process: bool,
    /// The layer that serves it: without that one it reads otherwise. `by construction` where it
    /// needs none, `not served` where it is not reproducible.
    pub layer: String,
    /// Whether another seed sees something else. Not part of the row's JSON.
    #[serde(skip)]
    pub follows_seed: bool,
    /// Why it is not reproducible, where it is not. Not part of the row's JSON.
    #[serde(skip)]
    pub trouble: Option<String>,
}

/// What a survey found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// One row a source.
    pub sources: Vec<Source>,
    /// The layers of a worker's child, in words: which are active, and what the missing leave
    /// uncovered.
    pub layers: Vec<String>,
}

/// Layers that can be left off, the most particular first: a source that needs several is served
/// by the first.
const SWITCHES: [&str; 4] = ["tsc", "inline-syscalls", "fixed-addresses", "symbols"];

/// How long a probe may take in real time.
const LIMIT: Duration = Duration::from_secs(60);

/// Any two seeds.
const SEED: u64 = 7;
const OTHER_SEED: u64 = 8;

/// The probe that lists layers.
const LAYERS: &str = "floor layers";

#[linkme::distributed_slice(PROBES)]
static LAYERS_PROBE: sim_runtime::interpose::floor::Probe = sim_runtime::interpose::floor::Probe {
    order: u32::MAX,
    name: LAYERS,
    run: || {
        Box::pin(async {
            let layers = sim_runtime::interpose::floor::report();
            let lines: Vec<_> = layers.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })
    },
};

/// Looks at every probe of this executable, which must be linked with landfall. Some seconds.
///
/// # Errors
/// The executable cannot be started as a worker.
pub fn survey() -> Result<Survey, CoordinateError> {
    let mut lab = Lab::new()?;
    let mut probes: Vec<_> = PROBES.iter().filter(|probe| probe.name != LAYERS).collect();
    probes.sort_by_key(|probe| (probe.order, probe.name));
    let sources = probes.iter().map(|probe| lab.look_at(probe.name));
    let sources = sources.collect::<Result<_, _>>()?;
    let layers = see(&mut lab.plain[0], LAYERS, SEED, Repeat::Once)?;
    let layers = layers.map_err(CoordinateError::Answer)?;
    Ok(Survey {
        sources,
        layers: layers.join("\n").lines().map(str::to_owned).collect(),
    })
}

/// Two workers, and two more for each layer that can be left off.
struct Lab {
    plain: [Worker; 2],
    without: Vec<(&'static str, [Worker; 2])>,
}

impl Lab {
    fn new() -> Result<Self, CoordinateError> {
        let two =
            |without: Option<&str>| Ok::<_, CoordinateError>([worker(without)?, worker(without)?]);
        let without = SWITCHES
            .iter()
            .map(|switch| Ok((*switch, two(Some(switch))?)));
        Ok(Self {
            plain: two(None)?,
            without: without.collect::<Result<_, CoordinateError>>()?,
        })
    }

    fn look_at(&mut self, name: &str) -> Result<Source, CoordinateError> {
        let [first, second] = &mut self.plain;
        let see = |worker: &mut Worker, seed, repeat| see(worker, name, seed, repeat);
        let mut without = Vec::new();
        for (switch, workers) in &mut self.without {
            for worker in workers {
                without.push((*switch, see(worker, SEED, Repeat::Once)?));
            }
        }
        let sights = Sights {
            same: [
                see(first, SEED, Repeat::Once)?,
                see(first, SEED, Repeat::Once)?,
                see(second, SEED, Repeat::Once)?,
            ],
            other_seed: see(first, OTHER_SEED, Repeat::Once)?,
            threads: see(first, SEED, Repeat::Threads)?,
            thread: see(first, SEED, Repeat::Thread)?,
            without,
        };
        Ok(sights.source(name))
    }
}

/// What one process saw, as often as it looked, or why it could not.
type Seen = Result<Vec<String>, String>;

/// All that was seen of one source.
struct Sights {
    /// By processes of two workers, with one seed.
    same: [Seen; 3],
    other_seed: Seen,
    /// Twice by one process: on two threads, and on one.
    threads: Seen,
    thread: Seen,
    /// With a layer left off.
    without: Vec<(&'static str, Seen)>,
}

impl Sights {
    fn source(&self, name: &str) -> Source {
        let trouble = self.trouble();
        Source {
            name: name.to_owned(),
            across_processes: trouble.is_none(),
            within_process: is_one(&self.threads),
            layer: match trouble {
                Some(_) => "not served",
                None => self.layer(),
            }
            .to_owned(),
            follows_seed: self.other_seed != self.same[0],
            trouble,
        }
    }

    /// What keeps it from being reproducible across processes.
    fn trouble(&self) -> Option<String> {
        let [first, others @ ..] = &self.same;
        // A source that fails in the same way each time has shown nothing.
        if let Some(Err(why)) = self.same.iter().find(|seen| seen.is_err()) {
            return Some(why.clone());
        }
        let other = others.iter().find(|seen| *seen != first)?;
        let text = |seen: &Seen| {
            seen.as_ref()
                .map(|texts| texts.join(" "))
                .unwrap_or_default()
        };
        Some(format!("{}, and then {}", text(first), text(other)))
    }

    /// The layer that serves a reproducible source.
    fn layer(&self) -> &'static str {
        let differs = |(_, seen): &&(_, Seen)| *seen != self.same[0];
        match self.without.iter().find(differs) {
            Some((switch, _)) => switch,
            None if !is_one(&self.threads) => "fresh-process",
            None if !is_one(&self.thread) => "fresh-thread",
            None => "by construction",
        }
    }
}

fn is_one(seen: &Seen) -> bool {
    let texts = seen.as_ref().map_or(&[][..], Vec::as_slice);
    !texts.is_empty() && texts.iter().all(|text| *text == texts[0])
}

fn worker(without: Option<&str>) -> Result<Worker, CoordinateError> {
    let here = |exe: io::Result<_>| exe.map_err(|error| CoordinateError::Answer(error.to_string()));
    // What is left off for all is left off here, too.
    let mut names = left_off();
    if let Some(name) = without {
        names.push(",");
        names.push(name);
    }
    Ok(Worker::spawn(&WorkerCommand {
        exe: here(env::current_exe())?,
        cwd: here(env::current_dir())?,
        extra_env: vec![(WITHOUT_VARIABLE.into(), names)],
    })?)
}

/// What a probe sees in a process of its own. An error of the inner kind is the probe's.
fn see(
    worker: &mut Worker,
    name: &str,
    seed: u64,
    repeat: Repeat,
) -> Result<Seen, CoordinateError> {
    let command = Command::Probe {
        version: VERSION,
        name: name.to_owned(),
        seed: Fixed(seed),
        repeat,
    };
    let exit = worker.run(&encode(&command), LIMIT, &mut |_| ())?;
    match &exit.result {
        Some(result) => decode(result).map(Ok),
        None => Ok(Err(Cause::of(&exit, &LIMIT.into()).to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saw(texts: &[&str]) -> Seen {
        Ok(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    /// A source that reads `a` whatever is done.
    fn constant() -> Sights {
        let once = || saw(&["a"]);
        Sights {
            same: [once(), once(), once()],
            other_seed: once(),
            threads: saw(&["a", "a"]),
            thread: saw(&["a", "a"]),
            without: SWITCHES.map(|switch| (switch, once())).into(),
        }
    }

    #[track_caller]
    fn check(sights: &Sights, across: bool, within: bool, layer: &str) {
        let source = sights.source("it");
        let found = (source.across_processes, source.within_process);
        assert_eq!((found, source.layer.as_str()), ((across, within), layer));
        assert_eq!(source.trouble.is_some(), !across);
    }

    #[test]
    fn a_constant_needs_no_layer() {
        check(&constant(), true, true, "by construction");
        assert!(!constant().source("it").follows_seed);
    }

    #[test]
    fn one_process_that_sees_something_else_is_enough() {
        for stray in 0..3 {
            let mut sights = constant();
            sights.same[stray] = saw(&["b"]);
            check(&sights, false, true, "not served");
        }
    }

    #[test]
    fn failing_alike_in_every_process_is_not_reproducible() {
        let mut sights = constant();
        let failed = || Err("killed by signal 11".to_owned());
        sights.same = [failed(), failed(), failed()];
        sights.threads = failed();
        check(&sights, false, false, "not served");
        let source = sights.source("it");
        assert_eq!(source.trouble.as_deref(), Some("killed by signal 11"));
    }

    #[test]
    fn the_layer_is_the_most_particular_without_which_it_reads_otherwise() {
        let without = |layers: &[&str]| {
            let mut sights = constant();
            for (switch, seen) in &mut sights.without {
                if layers.contains(switch) {
                    *seen = saw(&["b"]);
                }
            }
            sights
        };
        check(&without(&["symbols"]), true, true, "symbols");
        check(&without(&["symbols", "tsc"]), true, true, "tsc");
        // The machine's own answer may be constant, as its name is: it is not the simulation's.
        let mut fresh = without(&["symbols"]);
        fresh.threads = saw(&["a", "c"]);
        check(&fresh, true, false, "symbols");
    }

    #[test]
    fn what_no_switch_changes_may_need_a_fresh_process_or_thread() {
        let mut sights = constant();
        sights.thread = saw(&["a", "b"]);
        check(&sights, true, true, "fresh-thread");
        sights.threads = saw(&["a", "b"]);
        check(&sights, true, false, "fresh-process");
    }
}
