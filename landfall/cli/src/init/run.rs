//! The command: what is to be done is worked out whole, then done, then shown to cargo.

use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::change::{Files, below, current, read, remove, write};
use super::graph::{Graph, Package, root_manifest};
use super::manifest::{self, Manifest};
use super::origin::{Origin, relative};
use super::record::{FILE, Record};
use super::{facade, real, undo};
use crate::args::{Format, InitArgs};
use crate::exit::{Error, Exit};
use crate::output;

/// What is said of one file or folder.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    what: String,
    file: String,
    why: String,
}

impl Line {
    /// `what` happened to `file`, and why.
    pub(super) fn new(what: &str, file: &(impl Display + ?Sized), why: &str) -> Self {
        Self {
            what: what.to_owned(),
            file: file.to_string(),
            why: why.to_owned(),
        }
    }
}

/// Prepares a workspace, or takes that back.
///
/// # Errors
/// Usage where the workspace cannot be prepared, nothing selected where there is no tokio.
pub(crate) fn run(args: &InitArgs) -> Result<Exit, Error> {
    let manifest = root_manifest(args)?;
    let root = manifest.parent().unwrap_or(Path::new("/"));
    let is_below = args
        .dir
        .components()
        .all(|c| matches!(c, std::path::Component::Normal(_)));
    if !is_below || args.dir.as_os_str().is_empty() {
        return Err(Error::usage(
            "--dir names a folder below the workspace's root",
        ));
    }
    let folder = root.join(&args.dir);
    let (notes, lines) = if args.undo {
        (Vec::new(), undo::undo(root, &folder, args.dry_run)?)
    } else {
        Init::new(args, root, folder)?.run()?
    };
    say(args, &notes, &lines);
    Ok(Exit::Pass)
}

fn say(args: &InitArgs, notes: &[String], lines: &[Line]) {
    if args.output.format != Format::Human {
        output::print_json(&serde_json::json!({
            "command": "init",
            "dry_run": args.dry_run,
            "notes": notes,
            "changes": lines,
            "exit_code": Exit::Pass.code(),
        }));
        return;
    }
    let mut text = String::new();
    if args.dry_run {
        text.push_str("nothing is written; without --dry-run, this is:\n");
    }
    let width = lines.iter().map(|line| line.file.len()).max().unwrap_or(0);
    for line in lines {
        let row = format!("{:<9} {:<width$}  {}", line.what, line.file, line.why);
        let _ = writeln!(text, "{}", row.trim_end());
    }
    for note in notes {
        let _ = writeln!(text, "{note}");
    }
    output::print(&text);
}

/// The work, as it is worked out.
struct Init<'a> {
    args: &'a InitArgs,
    root: &'a Path,
    folder: PathBuf,
    record: Record,
    /// Whether `init` has been here before.
    again: bool,
    lock_before: Option<Vec<u8>>,
    notes: Vec<String>,
    lines: Vec<Line>,
    /// Files to be written, if they differ from what is there.
    files: Files,
    /// Files of earlier runs that are of no use any more.
    stale: Vec<PathBuf>,
}

impl<'a> Init<'a> {
    fn new(args: &'a InitArgs, root: &'a Path, folder: PathBuf) -> Result<Self, Error> {
        let record = Record::load(&folder)?;
        let again = record.is_some();
        for made in ["tokio", "tokio-real"] {
            let path = folder.join(made);
            if !again && path.exists() {
                return Err(Error::usage(format!(
                    "{} is there, and no {FILE} beside it says that init made it; remove it, or \
                     choose another place: --dir DIRECTORY",
                    path.display()
                )));
            }
        }
        let lock_before = current(&root.join("Cargo.lock"))?;
        if lock_before.is_none() && args.dry_run {
            return Err(Error::usage(
                "there is no Cargo.lock, so no version of tokio is chosen yet, and a dry run \
                 chooses none: cargo generate-lockfile",
            ));
        }
        Ok(Self {
            args,
            root,
            folder,
            record: record.unwrap_or_else(|| Record::new("")),
            again,
            lock_before,
            notes: Vec::new(),
            lines: Vec::new(),
            files: Files::new(),
            stale: Vec::new(),
        })
    }

    fn run(mut self) -> Result<(Vec<String>, Vec<Line>), Error> {
        let planned = self.plan();
        if planned.is_err() && self.lock_before.is_none() && !self.again {
            // Cargo made one on being asked.
            remove(&self.root.join("Cargo.lock"), self.root)?;
        }
        planned?;
        if self.files.is_empty() && self.stale.is_empty() {
            self.notes
                .push("everything is in place already; nothing was changed".to_owned());
        } else if !self.args.dry_run {
            self.write()?;
        }
        Ok((self.notes, self.lines))
    }

    fn plan(&mut self) -> Result<(), Error> {
        let graph = Graph::read(self.args)?;
        let tokio = graph.tokio()?;
        let origin = Origin::find(self.args.landfall.as_deref(), &graph)?;
        self.check(tokio, &origin)?;
        self.notes
            .push(format!("tokio {} is what Cargo.lock has", tokio.version));
        for other in graph.other_tokios() {
            self.notes.push(format!(
                "tokio {other} is locked, too; crates that use it stay outside the simulation"
            ));
        }
        self.notes.push(format!(
            "landfall is at {} ({})",
            origin.place(),
            origin.how
        ));
        self.record.tokio.clone_from(&tokio.version);
        self.generate(tokio, &origin)?;
        let members = self.members(&graph, tokio)?;
        self.manifests(&graph, &members, &origin)?;
        self.example(&members)?;
        self.files
            .retain(|path, bytes| current(path).ok().flatten().as_ref() != Some(bytes));
        let first = members.first().map_or("", |package| package.name.as_str());
        self.notes
            .push(format!("next: cargo test -p {first} --features sim"));
        Ok(())
    }

    /// Whether this tokio can be put aside.
    fn check(&self, tokio: &Package, origin: &Origin) -> Result<(), Error> {
        let version = &tokio.version;
        let is_ours = tokio.manifest_path == self.folder.join("tokio/Cargo.toml");
        if !is_ours
            && !tokio
                .source
                .as_deref()
                .is_some_and(|s| s.starts_with("registry+"))
        {
            return Err(Error::usage(format!(
                "tokio {version} is not the registry's: {} is in its place, by a [patch] (of \
                 Cargo.toml or of cargo's configuration) or as a dependency; init puts the \
                 registry's tokio aside only. Take that out while you simulate",
                tokio.manifest_path.display()
            )));
        }
        let oldest = facade::oldest(origin)?;
        if facade::numbers(version).is_none_or(|numbers| numbers < oldest) {
            let [major, minor, _] = oldest;
            return Err(Error::usage(format!(
                "tokio {version} is locked, and landfall's drop-in is for {major}.{minor} and \
                 newer: cargo update -p tokio@{version} (where a manifest pins it, loosen that)"
            )));
        }
        Ok(())
    }

    fn generate(&mut self, tokio: &Package, origin: &Origin) -> Result<(), Error> {
        let (facade_folder, real_folder) =
            (self.folder.join("tokio"), self.folder.join("tokio-real"));
        let drop_in = facade::files(origin, &tokio.version, &tokio.features, &facade_folder)?;
        let is_ours = tokio.manifest_path == facade_folder.join("Cargo.toml");
        if !is_ours {
            let files = real::files(tokio.folder(), &real_folder)?;
            self.announce(
                &real_folder,
                &files,
                "tokio as cargo downloaded it, renamed",
            )?;
            self.files.extend(files);
        } else if !real_folder.join("Cargo.toml").is_file() {
            return Err(Error::usage(format!(
                "{} is gone, and the drop-in is in its place in Cargo.lock: \
                 cargo landfall init --undo, and then this again",
                real_folder.display()
            )));
        }
        let features = tokio.features.len();
        let why = format!("landfall's drop-in by its name, with its {features} features");
        self.announce(&facade_folder, &drop_in, &why)?;
        self.files.extend(drop_in);
        Ok(())
    }

    /// Says what becomes of a generated package, and finds what is left of an older one.
    fn announce(&mut self, folder: &Path, files: &Files, why: &str) -> Result<(), Error> {
        let name = folder
            .strip_prefix(self.root)
            .unwrap_or(folder)
            .display()
            .to_string();
        let there = below(folder)?;
        let stale: Vec<_> = there
            .iter()
            .filter(|path| !files.contains_key(*path))
            .cloned()
            .collect();
        let mut differs = !stale.is_empty();
        for (path, bytes) in files {
            differs |= current(path)?.as_ref() != Some(bytes);
        }
        if differs {
            let what = if there.is_empty() { "made" } else { "renewed" };
            let why = format!("{why} ({} files)", files.len());
            self.lines.push(Line::new(what, &name, &why));
        }
        self.stale.extend(stale);
        Ok(())
    }

    /// The members to be prepared.
    fn members<'g>(&self, graph: &'g Graph, tokio: &Package) -> Result<Vec<&'g Package>, Error> {
        let all = graph.members();
        for name in &self.args.packages {
            if !all.iter().any(|package| &package.name == name) {
                let names: Vec<_> = all.iter().map(|package| package.name.as_str()).collect();
                return Err(Error::usage(format!(
                    "the workspace has no package {name}; it has {}",
                    names.join(", ")
                )));
            }
        }
        if self.args.packages.is_empty() {
            return Ok(graph.members_over(tokio));
        }
        let is_asked = |package: &&Package| self.args.packages.contains(&package.name);
        Ok(all.into_iter().filter(is_asked).collect())
    }

    fn manifests(
        &mut self,
        graph: &Graph,
        members: &[&Package],
        origin: &Origin,
    ) -> Result<(), Error> {
        let root_path = self.root.join("Cargo.toml");
        let root_text = read(&root_path)?;
        let mut top = Manifest::parse("Cargo.toml", &root_text)?;
        let dir = self.args.dir.display().to_string();
        top.patch(&format!("{dir}/tokio"))?;
        top.exclude(&dir, false)?;
        if let Some(inside) = manifest::below(self.root, &origin.root) {
            top.exclude(&inside, true)?;
        }
        let needs_landfall = members.iter().any(|package| !package.has_landfall());
        let from_root = origin.dependency("landfall", "landfall", self.root);
        let inherits = needs_landfall && top.inherit(&from_root)?;
        for package in members {
            let landfall = match inherits {
                true => manifest::inherited(),
                false => origin.dependency("landfall", "landfall", package.folder()),
            };
            if package.manifest_path == root_path {
                top.member(package.has_landfall(), &landfall)?;
                continue;
            }
            let text = read(&package.manifest_path)?;
            let name = relative(self.root, &package.manifest_path);
            let mut member = Manifest::parse(&name, &text)?;
            member.member(package.has_landfall(), &landfall)?;
            self.edited(&name, &package.manifest_path, &text, member);
        }
        let left = graph.members().len() - members.len();
        if left > 0 {
            self.notes
                .push(format!("{left} of the members reach no tokio: left alone"));
        }
        self.edited("Cargo.toml", &root_path, &root_text, top);
        Ok(())
    }

    fn edited(&mut self, name: &str, path: &Path, before: &str, manifest: Manifest) {
        for why in &manifest.why {
            self.lines.push(Line::new("changed", name, why));
        }
        let text = manifest.text();
        if text == before {
            return;
        }
        let (before, after) = (Some(before.as_bytes()), text.as_bytes());
        self.record.note(name, before, after, manifest.added);
        self.files.insert(path.to_owned(), text.into_bytes());
    }

    /// A test to begin with, the first time, where nobody has one yet.
    fn example(&mut self, members: &[&Package]) -> Result<(), Error> {
        if self.again || members.iter().any(|package| package.has_landfall()) {
            return Ok(());
        }
        let home = members.iter().find(|package| package.names_tokio());
        let Some(package) = home.or(members.first()) else {
            return Ok(());
        };
        let path = package.folder().join("tests/landfall.rs");
        if current(&path)?.is_some() {
            return Ok(());
        }
        let name = relative(self.root, &path);
        let text = include_str!("example.rs.txt");
        self.lines
            .push(Line::new("made", &name, "a simulation to begin with"));
        self.record.note(&name, None, text.as_bytes(), Vec::new());
        self.files.insert(path, text.as_bytes().to_vec());
        Ok(())
    }

    /// Writes, asks cargo whether it agrees, and puts everything back where it does not.
    fn write(&mut self) -> Result<(), Error> {
        let lock = self.root.join("Cargo.lock");
        let mut before: Vec<(PathBuf, Option<Vec<u8>>)> = Vec::new();
        let record = self.folder.join(FILE);
        let touched = self.files.keys().chain(&self.stale).chain([&record]);
        for path in touched {
            before.push((path.clone(), current(path)?));
        }
        before.push((lock.clone(), self.lock_before.clone()));
        let done = self.write_all(&lock, &record);
        if done.is_err() {
            for (path, bytes) in before {
                match bytes {
                    Some(bytes) => write(&path, &bytes)?,
                    None => remove(&path, self.root)?,
                }
            }
        }
        done
    }

    fn write_all(&mut self, lock: &Path, record: &Path) -> Result<(), Error> {
        for (path, bytes) in &self.files {
            write(path, bytes)?;
        }
        for path in &self.stale {
            remove(path, self.root)?;
        }
        let graph = Graph::read(self.args)?;
        let tokio = graph.tokio()?;
        if tokio.manifest_path != self.folder.join("tokio/Cargo.toml") {
            return Err(Error::usage(format!(
                "cargo goes on using {}: the patch is not applied. Is another one in cargo's \
                 configuration? Everything is as it was",
                tokio.manifest_path.display()
            )));
        }
        let lock_after = current(lock)?.unwrap_or_default();
        if self.lock_before.as_ref() != Some(&lock_after) {
            self.record.note(
                "Cargo.lock",
                self.lock_before.as_deref(),
                &lock_after,
                Vec::new(),
            );
            let what = if self.lock_before.is_some() {
                "changed"
            } else {
                "made"
            };
            let why = "by cargo: tokio is a path now, and landfall's own dependencies";
            self.lines.push(Line::new(what, "Cargo.lock", why));
        }
        write(record, self.record.text().as_bytes())
    }
}
