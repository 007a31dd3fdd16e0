//! One failure and how it is run: what `replay`, `reduce` and `explain` are about.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use landfall::capsule::{Capsule, Drawn, Pinned, PlanPlace};
use landfall::coordinate::{Pool, RunRequest, Tier};
use landfall::report::SeedOutcome;
use landfall::script::Script;
use landfall::swarm::Swarm;
use landfall::variables::Variables;

use crate::args::{CargoArgs, FailureArgs};
use crate::cargo;
use crate::exit::Error;
use crate::scenarios::{self, Found};
use crate::sweep;

/// A failure that was asked for.
pub(crate) struct Subject {
    pub(crate) one: Found,
    /// Everything that there is to run, `one` included.
    pub(crate) found: Vec<Found>,
    /// What the command line says to cargo, or the capsule.
    pub(crate) cargo: CargoArgs,
    pub(crate) tier: Tier,
    pub(crate) seed: u64,
    pub(crate) script: Script,
    pub(crate) capsule: Option<Capsule>,
    pub(crate) variables: Variables,
}

impl Subject {
    /// Builds what is asked for and finds the test; `command` is the name to complain by.
    ///
    /// # Errors
    /// The capsule cannot be used, the build fails, or not exactly one test is selected.
    pub(crate) fn find(args: &FailureArgs, command: &str) -> Result<Self, Error> {
        let variables = sweep::variables()?;
        let capsule = args.capsule.as_deref().map(read).transpose()?;
        let mut args = args.clone();
        if let Some(capsule) = &capsule {
            args.select.tests = vec![capsule.test.clone()];
            if args.cargo.packages.is_empty() && !args.cargo.workspace {
                args.cargo.packages = vec![capsule.package.clone()];
            }
            if args.cargo.features.is_empty() {
                args.cargo.features.clone_from(&capsule.features);
            }
        }
        let seed = capsule.as_ref().map(|capsule| capsule.seed);
        let Some(seed) = seed.or(args.seed).or(variables.seed) else {
            return Err(Error::usage(format!(
                "{command} needs --seed, or a capsule"
            )));
        };
        if args.select.scenarios.is_empty() && args.select.tests.is_empty() {
            return Err(Error::usage(format!(
                "{command} needs --scenario or --test"
            )));
        }
        let (found, errors) = scenarios::list(&cargo::build(&args.cargo)?)?;
        let selected = scenarios::select(&found, &args.select)?;
        scenarios::refuse_broken(&errors, &args.select, &selected)?;
        let [one] = selected.as_slice() else {
            let names = selected
                .iter()
                .map(|one| format!("\n  -p {} --test {}", one.built.package, one.info.test));
            let names: String = names.collect();
            return Err(Error::usage(format!(
                "{command} takes one test; selected are{names}"
            )));
        };
        let otherwise = capsule
            .as_ref()
            .map_or(Tier::Harden, |capsule| capsule.tier);
        Ok(Self {
            tier: sweep::tier(&args.how, &variables, otherwise),
            one: one.clone(),
            found,
            cargo: args.cargo,
            seed,
            script: capsule
                .as_ref()
                .map(|c| c.script.clone())
                .unwrap_or_default(),
            capsule,
            variables,
        })
    }

    /// The seed's run, without its script.
    pub(crate) fn request(&self) -> RunRequest {
        RunRequest::new(&self.one.info.test, self.seed, self.tier)
    }

    /// As many workers as the flags, else the environment ask for.
    pub(crate) fn pool(&self, args: &FailureArgs) -> Result<Pool, Error> {
        let jobs = sweep::jobs(&args.how, &self.variables);
        sweep::pool(&self.one, jobs, &args.how, &self.variables)
    }

    /// How many servers the seed has.
    pub(crate) fn nodes(&self) -> u32 {
        let scenario = self.one.info.scenario.as_ref();
        scenario.map_or(1, |scenario| {
            Swarm::draw(landfall::runtime::Seed(self.seed), scenario).nodes
        })
    }

    /// The capsule of a failing run of this test that followed `script`.
    pub(crate) fn capsule_of(&self, script: &Script, outcome: &SeedOutcome) -> Capsule {
        capsule(&self.one, &self.cargo, self.tier, script, outcome)
    }
}

/// The capsule of a failing run of a test.
pub(crate) fn capsule(
    one: &Found,
    cargo: &CargoArgs,
    tier: Tier,
    script: &Script,
    outcome: &SeedOutcome,
) -> Capsule {
    let report = outcome.report();
    let recording = report
        .and_then(|report| report.recording.clone())
        .unwrap_or_default();
    let info = &one.info;
    let place = || {
        Some(PlanPlace {
            plan: info.plan.clone()?,
            hash: info.plan_hash.clone()?,
            id: info.id.clone()?,
        })
    };
    Capsule {
        landfall: env!("CARGO_PKG_VERSION").to_owned(),
        package: one.built.package.clone(),
        features: cargo.features.clone(),
        test: info.test.clone(),
        scenario: place(),
        revision: revision(&one.built.binary.cwd),
        seed: outcome.seed(),
        tier,
        drawn: Drawn {
            policy: report.map(|report| report.policy).unwrap_or_default(),
            swarm: report.and_then(|report| report.swarm.clone()),
        },
        script: script.clone(),
        pinned: Pinned {
            windows: recording.windows,
            operations: recording.operations,
        },
        signature: outcome.signature().unwrap_or_default(),
        failure: outcome.failures(),
        digest: report.map(|report| (report.digest, report.events)),
        checkpoints: report
            .map(|report| report.checkpoints.clone())
            .unwrap_or_default(),
    }
}

/// Reads a capsule.
pub(crate) fn read(path: &Path) -> Result<Capsule, Error> {
    let shown = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Error::usage(format!("{shown} cannot be read: {error}")))?;
    Capsule::read(&text).map_err(|bad| Error::usage(format!("{shown}: {bad}")))
}

/// Writes a capsule into a directory, which is made; gives its path.
pub(crate) fn write(capsule: &Capsule, directory: &Path) -> Result<PathBuf, Error> {
    let path = directory.join(capsule.file_name());
    let written = fs::create_dir_all(directory).and_then(|()| fs::write(&path, capsule.write()));
    written
        .map_err(|error| Error::usage(format!("{} cannot be written: {error}", path.display())))?;
    Ok(path)
}

/// The seed that a commit names: the first twelve hexadecimal digits of its name, as a number.
pub(crate) fn seed_of_commit(revision: &str) -> Result<u64, Error> {
    let bad = |why: &str| {
        Error::usage(format!(
            "--from-seed commit:{revision}: {why}; name a commit of the repository that this is \
             called in, or give a number"
        ))
    };
    let out = Command::new("git")
        .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
        .arg(format!("{revision}^{{commit}}"))
        .output()
        .map_err(|error| bad(&format!("git cannot be called: {error}")))?;
    let name = String::from_utf8_lossy(&out.stdout);
    let digits = name.get(..12).filter(|_| out.status.success());
    digits
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| bad("there is no such commit"))
}

/// The commit that is checked out there, with a `+` where files differ from it.
pub(crate) fn revision(directory: &Path) -> Option<String> {
    let git = |words: &[&str]| {
        let out = Command::new("git")
            .current_dir(directory)
            .args(words)
            .output()
            .ok()?;
        out.status
            .success()
            .then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() {
        commit
    } else {
        format!("{commit}+")
    })
}
