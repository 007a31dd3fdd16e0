//! `plan author`: the Rust test of each scenario at its *Target test file*; and what `plan check`
//! says of the tests that are there.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use plan_compiler::author::{self, Standing, TargetFile};
use plan_compiler::{Compiled, Diagnostic};
use toml_edit::DocumentMut;

use crate::args::{Format, PlanAuthorArgs};
use crate::exit::{Error, Exit};
use crate::{output, plan};

/// The package that a plan lies in.
struct Home {
    root: PathBuf,
    /// The plan's path from there, with slashes.
    plan: String,
    has_sim: bool,
}

/// What became of one file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Written,
    UpToDate,
    /// Somebody's own.
    Theirs,
    Edited,
}

impl Done {
    const fn name(self) -> &'static str {
        match self {
            Done::Written => "written",
            Done::UpToDate => "up-to-date",
            Done::Theirs => "not-generated",
            Done::Edited => "edited",
        }
    }
}

/// `plan author PLAN`.
pub(crate) fn run(args: &PlanAuthorArgs) -> Result<Exit, Error> {
    let (text, compiled) = plan::read(&args.file)?;
    let home = home(&args.file)?.ok_or_else(|| {
        let file = args.file.display();
        Error::usage(format!(
            "{file} lies in no package: tests are written beside a Cargo.toml"
        ))
    })?;
    let files = author::target_files(&text, &compiled);
    if files.is_empty() {
        let file = args.file.display();
        let message = format!(
            "{file} names no test file: give scenarios a `Target test file: tests/name.rs`"
        );
        return Err(Error {
            exit: Exit::NothingSelected,
            message,
        });
    }
    let mut done = Vec::new();
    // All are made before any is written: what is refused changes nothing.
    for file in &files {
        done.push(prepare(&text, &compiled, &home, file, args)?);
    }
    if !args.check {
        let written = files.iter().zip(&done);
        for (file, (_, new)) in written.filter(|(_, (done, _))| *done == Done::Written) {
            write(&home.root.join(&file.path), new)?;
        }
    }
    let stale = done.iter().any(|(done, _)| *done == Done::Written);
    let exit = match compiled.has_errors() || args.check && stale {
        true => Exit::PlanError,
        false => Exit::Pass,
    };
    let done: Vec<Done> = done.into_iter().map(|(done, _)| done).collect();
    match args.output.format {
        Format::Human => output::print(&said(&home, &files, &done, args.check)),
        Format::Json | Format::Jsonl => {
            let rows = files.iter().zip(&done).map(|(file, done)| {
                serde_json::json!({
                    "file": file.path,
                    "done": done.name(),
                    "scenarios": file.scenarios,
                    "not_runnable": file.not_runnable,
                })
            });
            output::print_json(&serde_json::json!({
                "command": "plan author",
                "files": rows.collect::<Vec<_>>(),
                "exit_code": exit.code(),
            }));
        }
    }
    Ok(exit)
}

/// What is to be done with a file, and its new text.
fn prepare(
    text: &str,
    compiled: &Compiled,
    home: &Home,
    file: &TargetFile,
    args: &PlanAuthorArgs,
) -> Result<(Done, String), Error> {
    let path = home.root.join(&file.path);
    let there = match fs::read_to_string(&path) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            let path = path.display();
            return Err(Error::usage(format!("{path} cannot be read: {error}")));
        }
    };
    let before = match there.as_deref().map(author::standing) {
        Some(Standing::Theirs) => return Ok((Done::Theirs, String::new())),
        Some(Standing::Edited) => return Ok((Done::Edited, String::new())),
        Some(Standing::Generated { system, .. }) => system,
        None => None,
    };
    if file.scenarios.is_empty() {
        return Ok((Done::UpToDate, String::new()));
    }
    let package = author::Package {
        plan: &home.plan,
        system: args.system.as_deref().or(before.as_deref()),
        has_sim: home.has_sim,
        format: &|rust| rustfmt(&home.root, rust),
    };
    let new = author::generate(text, compiled, file, &package).map_err(|id| {
        Error::usage(format!(
            "scenario {id} does not say which system it tests: give `--system 'MySystem::new()'`, \
             or write `let system = MySystem::new();` into its Skeleton"
        ))
    })?;
    let same = there.is_some_and(|there| there.replace("\r\n", "\n") == new);
    let done = if same { Done::UpToDate } else { Done::Written };
    Ok((done, new))
}

/// Whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        Error::usage(format!("{} cannot be written: {error}", path.display()))
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let beside = path.with_extension("rs.new");
    fs::write(&beside, text).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}

fn said(home: &Home, files: &[TargetFile], done: &[Done], only_checked: bool) -> String {
    let mut out = String::new();
    for (file, done) in files.iter().zip(done) {
        let TargetFile {
            path, scenarios, ..
        } = file;
        let ids = scenarios.join(", ");
        let _ = match done {
            Done::Written if only_checked => writeln!(out, "{path} is to be written: {ids}"),
            Done::Written => writeln!(out, "wrote {path}: {ids}"),
            Done::UpToDate => writeln!(out, "{path} is up to date: {ids}"),
            Done::Theirs => writeln!(out, "{path} was not generated, and is left alone"),
            Done::Edited => writeln!(out, "{path} was changed by hand, and is left alone"),
        };
        if let (Done::Written, Some(line)) = (done, missing_module(home, path)) {
            let _ = writeln!(out, "  {line}");
        }
        for id in &file.not_runnable {
            let _ = writeln!(out, "  {id} cannot run: see `cargo landfall plan check`");
        }
    }
    out
}

/// `tests/it/a.rs` is no test by itself, but a module of one.
fn missing_module(home: &Home, path: &str) -> Option<String> {
    let (folder, name) = path.strip_suffix(".rs")?.rsplit_once('/')?;
    if folder == "tests" || name == "main" {
        return None;
    }
    let main = format!("{folder}/main.rs");
    let text = fs::read_to_string(home.root.join(&main)).unwrap_or_default();
    let has = text
        .lines()
        .any(|line| line.trim() == format!("mod {name};"));
    (!has).then(|| format!("add `mod {name};` to {main}"))
}

/// What rustfmt makes of it, with the package's settings; itself where there is no rustfmt.
fn rustfmt(package: &Path, rust: String) -> String {
    let formatted = || -> std::io::Result<Option<String>> {
        let mut child = Command::new("rustfmt")
            .args(["--edition", "2024", "--emit", "stdout", "--quiet"])
            .current_dir(package)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        // What is written is far less than a pipe holds, and read whole before anything is said.
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(rust.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let text = String::from_utf8(output.stdout).ok();
        Ok(text.filter(|text| output.status.success() && !text.trim().is_empty()))
    };
    formatted().ok().flatten().unwrap_or(rust)
}

/// The package that the plan lies in; none for the standard input, and outside of any.
fn home(file: &Path) -> Result<Option<Home>, Error> {
    if file == Path::new("-") {
        return Ok(None);
    }
    let Ok(file) = file.canonicalize() else {
        return Ok(None);
    };
    for root in file.ancestors().skip(1) {
        let Ok(manifest) = fs::read_to_string(root.join("Cargo.toml")) else {
            continue;
        };
        let manifest: DocumentMut = manifest.parse().map_err(|error| {
            let root = root.display();
            Error::usage(format!("{root}/Cargo.toml cannot be read: {error}"))
        })?;
        if manifest.get("package").is_none() {
            continue;
        }
        let features = manifest.get("features");
        let inside = file.strip_prefix(root).unwrap_or(&file);
        let parts = inside.components();
        let parts: Vec<_> = parts
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        return Ok(Some(Home {
            root: root.to_owned(),
            plan: parts.join("/"),
            has_sim: features.is_some_and(|features| features.get("sim").is_some()),
        }));
    }
    Ok(None)
}

/// What there is to say of the tests of a plan that lies in a package.
pub(crate) fn review(
    file: &Path,
    text: &str,
    compiled: &Compiled,
) -> Result<Vec<Diagnostic>, Error> {
    let Some(home) = home(file)? else {
        return Ok(Vec::new());
    };
    let read = |path: &str| fs::read_to_string(home.root.join(path)).ok();
    Ok(author::review(text, compiled, &home.plan, &read))
}
