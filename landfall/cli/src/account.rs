//! A session: the tree of files that a run leaves behind, written as it proceeds, and the report
//! in both its forms.
//!
//! - `doc`: blocks, and their two forms; `sections`, `results`, `findings`: what the report says;
//!   `data`, `page`: the page and what its pictures are drawn from.

mod data;
mod doc;
mod findings;
mod page;
mod results;
mod sections;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall::coordinate::Pool;
use landfall::evidence::{Effort, Evidence, Strength, gather};
use landfall::render;
use landfall::runtime::LedgerRow;
use landfall::sweep::{Order, TestResult};
use plan_compiler::Compiled;
use serde_json::{Value, json};

use crate::clock;
use crate::exit::Error;
use crate::failure;
use crate::output;
use crate::patience::Patience;
use crate::scenarios::Found;
use crate::sweep::{Place, broken};

/// Runs for each moment of the curve of a failure, and how long it may take in all.
const RUNS_A_POINT: u32 = 6;
const LOOK_MAX: Duration = Duration::from_secs(60);

/// The sessions of one run: one a plan, one a package for tests without a plan.
#[derive(Debug)]
pub(crate) struct Account {
    root: PathBuf,
    started: String,
    sessions: Vec<Session>,
}

/// The tests of one plan, or those of a package that have none.
#[derive(Debug)]
pub(crate) struct Session {
    slug: String,
    key: (String, Option<String>),
    directory: PathBuf,
    started: String,
    revision: Option<String>,
    plan: Option<PlanText>,
    told: Vec<Told>,
}

/// A plan as it stands beside its package.
#[derive(Debug)]
struct PlanText {
    text: String,
    compiled: Compiled,
}

/// A test that was run, with everything there is to say of it.
#[derive(Debug)]
pub(crate) struct Told {
    place: Place,
    result: TestResult,
    evidence: Evidence,
}

impl Told {
    /// The scenario's id, else the test's name.
    fn name(&self) -> String {
        let test = &self.result.test;
        test.id.clone().unwrap_or_else(|| test.test.clone())
    }

    /// With the scenario's name.
    fn title(&self) -> String {
        match &self.result.test.scenario {
            Some(scenario) => format!("{} {}", scenario.id, scenario.name),
            None => self.name(),
        }
    }

    /// The ledger, with what the same seed is without each fault.
    fn ledger(&self, rows: &[LedgerRow]) -> Vec<Value> {
        let with = |row: &LedgerRow| {
            let mut value = serde_json::to_value(row).expect("plain data has a JSON form");
            let mut without = self.evidence.without.iter();
            let found = without.find(|one| one.fault == row.name);
            value["without"] = json!(found);
            value
        };
        rows.iter().map(with).collect()
    }

    /// Without what a file's name may not have.
    fn file_name(&self) -> String {
        slug(&self.title())
    }
}

impl Account {
    /// Sessions under this directory, which is made when the first of them is.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            started: clock::utc(clock::unix_ms()),
            sessions: Vec::new(),
        }
    }

    /// Looks closer at a test whose seeds have been run, and writes down what is known of it.
    ///
    /// # Errors
    /// A file cannot be written, or the workers broke.
    pub(crate) fn tell(
        &mut self,
        one: &Found,
        place: &Place,
        result: &TestResult,
        (pool, order): (&mut Pool, &Order),
        patience: &Patience,
    ) -> Result<Vec<Strength>, Error> {
        let seeds: Vec<u64> = order.seeds_here().collect();
        let enough = patience.for_another(LOOK_MAX);
        let mut effort = Effort {
            runs_a_point: RUNS_A_POINT,
            is_over: &|| enough.is_over(),
            progress: &mut |_| {},
        };
        let evidence = gather(pool, result, &seeds, &mut effort).map_err(|e| broken(&e))?;
        let strength = evidence.strength.clone();
        let told = Told {
            place: place.clone(),
            result: result.clone(),
            evidence,
        };
        let at = self.session(one)?;
        let session = &mut self.sessions[at];
        session.write(&told)?;
        session.told.push(told);
        // The report is whole after each test: what stops the run takes nothing of it.
        session.report()?;
        Ok(strength)
    }

    /// Says where the reports are.
    pub(crate) fn end(&self) {
        for session in &self.sessions {
            let report = session.directory.join("findings");
            output::say(&format!("report: {}", report.join("report.md").display()));
            output::say(&format!("report: {}", report.join("report.html").display()));
        }
    }

    /// The place of the session that a test belongs to; begins it.
    fn session(&mut self, one: &Found) -> Result<usize, Error> {
        let key = (one.built.package.clone(), one.info.plan.clone());
        if let Some(at) = self.sessions.iter().position(|session| session.key == key) {
            return Ok(at);
        }
        let home = &one.built.binary.cwd;
        let plan = one.info.plan.as_ref().and_then(|plan| {
            let text = fs::read_to_string(home.join(plan)).ok()?;
            let compiled = plan_compiler::compile(&text);
            Some(PlanText { text, compiled })
        });
        let named = plan
            .as_ref()
            .and_then(|plan| plan.compiled.plan.slug.as_ref());
        let name = named.map_or(one.built.package.as_str(), |node| node.text.as_str());
        let mut directory = self.root.join(slug(name)).join(&self.started);
        for number in 2.. {
            if !directory.exists() {
                break;
            }
            directory = self
                .root
                .join(slug(name))
                .join(format!("{}-{number}", self.started));
        }
        for folder in ["logs", "metrics", "artifacts", "findings"] {
            let path = directory.join(folder);
            fs::create_dir_all(&path).map_err(|error| unwritten(&path, &error))?;
        }
        let session = Session {
            slug: name.to_owned(),
            key,
            directory,
            started: self.started.clone(),
            revision: failure::revision(home),
            plan,
            told: Vec::new(),
        };
        session.begin()?;
        self.sessions.push(session);
        Ok(self.sessions.len() - 1)
    }
}

impl Session {
    /// The head of the log: what is run, and on what.
    fn begin(&self) -> Result<(), Error> {
        let words: Vec<String> = std::env::args().collect();
        let kernel = fs::read_to_string("/proc/version").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let revision = self.revision.as_deref().unwrap_or("unknown");
        self.log(&format!(
            "# Session {} of {}\n\n- command: `{}`\n- landfall {}, revision {revision}\n\
             - environment: {cores} cores, {}\n- plan: {}\n",
            self.slug,
            self.started,
            words.join(" ").replace('`', "'"),
            env!("CARGO_PKG_VERSION"),
            kernel.trim(),
            self.key.1.as_deref().unwrap_or("none"),
        ))
    }

    fn log(&self, words: &str) -> Result<(), Error> {
        let path = self.directory.join("session-log.md");
        let file = fs::OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| writeln!(file, "{words}"))
            .map_err(|error| unwritten(&path, &error))
    }

    fn file(&self, path: &str, text: &str) -> Result<(), Error> {
        let path = self.directory.join(path);
        fs::write(&path, text).map_err(|error| unwritten(&path, &error))
    }

    /// Everything of one test but its part of the report.
    fn write(&self, told: &Told) -> Result<(), Error> {
        let (name, result) = (told.file_name(), &told.result);
        let now = clock::utc(clock::unix_ms());
        self.log(&format!("- {now} {}", render::summary(result)))?;
        for layer in &result.tally.floor_missing {
            self.log(&format!("  - determinism floor, missing: {layer}"))?;
        }
        let json = |value: serde_json::Result<String>| value.expect("plain data has a JSON form");
        let mut tally = result.tally.clone();
        tally.failures.clear();
        let numbers = json(serde_json::to_string_pretty(&tally));
        self.file(&format!("metrics/{name}.json"), &numbers)?;
        if let Some(report) = &told.evidence.witness {
            let seed = report.seed;
            let history = report.history.as_deref().unwrap_or_default();
            self.file(&format!("artifacts/{name}-{seed}.jsonl"), history)?;
            let ledger = told.ledger(&report.ledger);
            let ledger = json(serde_json::to_string_pretty(&ledger));
            self.file(&format!("artifacts/{name}-{seed}-ledger.json"), &ledger)?;
            let lines: String = report
                .log_tail
                .iter()
                .map(|line| format!("{line}\n"))
                .collect();
            self.file(&format!("logs/{name}-{seed}.log"), &lines)?;
        }
        let mut blocks = results::scenario(told, 0);
        blocks.extend(findings::finding(told, 0));
        self.file(&format!("findings/{name}.md"), &doc::markdown(&blocks))
    }

    /// The report of all that is known by now.
    fn report(&self) -> Result<(), Error> {
        let blocks = sections::report(self);
        self.file("findings/report.md", &doc::markdown(&blocks))?;
        let data = self.told.iter().map(data::of).collect();
        let plan = self.plan.as_ref().map(|plan| plan.text.as_str());
        let title = format!("Findings: {}", self.slug);
        let page = page::page(&title, &blocks, plan, &data);
        self.file("findings/report.html", &page)
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    Error::usage(format!("{} cannot be written: {error}", path.display()))
}

/// Letters, digits and hyphens; never empty.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || c == '_' {
            slug.extend(c.to_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    let slug: String = slug.trim_end_matches('-').chars().take(80).collect();
    if slug.is_empty() {
        "plan".to_owned()
    } else {
        slug
    }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn names_of_files_are_tame() {
        assert_eq!(slug("S5/api: what it does"), "s5-api-what-it-does");
        assert_eq!(slug("../../etc"), "etc");
        assert_eq!(slug("///"), "plan");
    }
}
