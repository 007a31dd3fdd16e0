//! The survey of the determinism floor: what real crates see, from process to process and from run
//! to run, and which layer makes it so.
//!
//! Nothing is assumed of a source. It is looked at in several processes with the same seed; then
//! again with one layer left off at a time: the layer without which it differs is the one that
//! serves it.

use std::env;
use std::io;
use std::time::Duration;

use serde::Serialize;
use sim_runtime::interpose::floor::{PROBES, WITHOUT_VARIABLE};
use sim_runtime::process::{Worker, WorkerCommand};

use crate::coordinate::CoordinateError;
use crate::worker::{Answer, Command, Fixed, Repeat, VERSION};

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
    /// The layer that makes it reproducible across processes, found by leaving each off;
    /// `none needed` if it is without any.
    pub layer: String,
    /// Whether another seed sees something else.
    pub follows_seed: bool,
    /// Two sights that differ, where it is not reproducible.
    pub differs: Option<[String; 2]>,
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
        let mut seen = see(first, name, SEED, Repeat::Once)?;
        for worker in [&mut *first, second] {
            seen.extend(see(worker, name, SEED, Repeat::Once)?);
        }
        let other = see(first, name, OTHER_SEED, Repeat::Once)?;
        let threads = see(first, name, SEED, Repeat::Threads)?;
        let thread = see(first, name, SEED, Repeat::Thread)?;
        let stray = seen.iter().find(|text| **text != seen[0]);
        let differs = stray.map(|stray| [seen[0].clone(), stray.clone()]);
        let layer = match differs {
            Some(_) => "not served".to_owned(),
            None => self.layer_of(name, &threads, &thread)?,
        };
        Ok(Source {
            name: name.to_owned(),
            across_processes: differs.is_none(),
            within_process: is_one(&threads),
            layer,
            follows_seed: other[0] != seen[0],
            differs,
        })
    }

    /// The layer without which a probe differs from process to process.
    fn layer_of(
        &mut self,
        name: &str,
        threads: &[String],
        thread: &[String],
    ) -> Result<String, CoordinateError> {
        for (switch, workers) in &mut self.without {
            let mut seen = Vec::new();
            for worker in workers {
                seen.extend(see(worker, name, SEED, Repeat::Once)?);
            }
            if !is_one(&seen) {
                return Ok((*switch).to_owned());
            }
        }
        Ok(match (is_one(threads), is_one(thread)) {
            (false, _) => "fresh-process",
            (true, false) => "fresh-thread",
            (true, true) => "none needed",
        }
        .to_owned())
    }
}

fn is_one(seen: &[String]) -> bool {
    seen.iter().all(|text| *text == seen[0])
}

fn worker(without: Option<&str>) -> Result<Worker, CoordinateError> {
    let here = |exe: io::Result<_>| exe.map_err(|error| CoordinateError::Answer(error.to_string()));
    let variable = without.map(|name| (WITHOUT_VARIABLE.into(), name.into()));
    Ok(Worker::spawn(&WorkerCommand {
        exe: here(env::current_exe())?,
        cwd: here(env::current_dir())?,
        extra_env: variable.into_iter().collect(),
    })?)
}

/// What a probe sees in a process of its own.
fn see(
    worker: &mut Worker,
    name: &str,
    seed: u64,
    repeat: Repeat,
) -> Result<Vec<String>, CoordinateError> {
    let command = Command::Probe {
        version: VERSION,
        name: name.to_owned(),
        seed: Fixed(seed),
        repeat,
    };
    let command = serde_json::to_vec(&command).expect("plain data has a JSON form");
    let exit = worker.run(&command, LIMIT, &mut |_| ())?;
    let Some(result) = exit.result else {
        // What a probe makes of its process is what it saw there.
        return Ok(vec![format!("{:?} {}", exit.status, exit.output_tail)]);
    };
    match serde_json::from_slice(&result) {
        Ok(Answer::Done(seen)) => Ok(seen),
        Ok(Answer::Refused(why)) => Err(CoordinateError::Answer(why)),
        Err(error) => Err(CoordinateError::Answer(error.to_string())),
    }
}
