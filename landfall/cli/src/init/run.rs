//! The command: looks, decides, then writes.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::{Change, RECORD, Record};
use super::workspace::{self, Package, Workspace};
use super::{facade, manifests, real};
use crate::args::{Format, InitArgs};
use crate::exit::{Error, Exit};
use crate::output;

/// The oldest tokio that the facade is made of: what is simulated names its items.
const TOKIO_MINOR_MIN: u64 = 54;

const LOCK: &str = "Cargo.lock";

/// Where the example goes, from a member's folder.
const EXAMPLE: &str = "tests/landfall.rs";

const EXAMPLE_TEXT: &str = include_str!("example.rs.txt");

/// Prepares a workspace, or takes that back.
pub(crate) fn run(args: &InitArgs) -> Result<Exit, Error> {
    let manifest = args.manifest_path.as_deref();
    let said = match args.undo {
        true => undo(manifest, args)?,
        false => prepare(manifest, args)?,
    };
    match args.output.format {
        Format::Human => output::print(&(said.join("\n") + "\n")),
        Format::Json => output::print_json(&serde_json::json!({
            "command": "init",
            "said": said,
            "dry_run": args.dry_run,
            "exit_code": Exit::Pass.code(),
        })),
    }
    Ok(Exit::Pass)
}

fn undo(manifest: Option<&Path>, args: &InitArgs) -> Result<Vec<String>, Error> {
    let root = root_by_record(manifest)?;
    let record = Record::load(&root)?.ok_or_else(|| {
        let message = format!(
            "there is nothing to undo: no {RECORD} in {}",
            root.display()
        );
        Error::usage(message)
    })?;
    record.undo(&root, args.dry_run)
}

/// The nearest folder upwards that has a record: cargo may not be able to resolve what is there.
fn root_by_record(manifest: Option<&Path>) -> Result<PathBuf, Error> {
    let here = std::env::current_dir()
        .map_err(|error| Error::usage(format!("there is no current directory: {error}")))?;
    let start = match manifest.and_then(Path::parent) {
        Some(folder) => here.join(folder),
        None => here,
    };
    let with_record = start
        .ancestors()
        .find(|folder| folder.join(RECORD).exists());
    Ok(with_record.unwrap_or(&start).to_owned())
}

fn prepare(manifest: Option<&Path>, args: &InitArgs) -> Result<Vec<String>, Error> {
    let root = workspace::root(manifest)?;
    let lock = root.join(LOCK);
    let was_locked = lock.exists();
    let said = prepare_in(&root, manifest, args);
    // Asking cargo makes a lock; what was not prepared is left as it was.
    if !was_locked && !root.join(RECORD).exists() {
        let _ = fs::remove_file(lock);
    }
    said
}

fn prepare_in(root: &Path, manifest: Option<&Path>, args: &InitArgs) -> Result<Vec<String>, Error> {
    let record = Record::load(root)?;
    if record.is_none() && root.join("landfall").exists() {
        return Err(Error::usage(format!(
            "{} is there already, and not by `init`: what is made goes into a folder of that name\n\
             help: rename it",
            root.join("landfall").display()
        )));
    }
    let mut lock_before = Record::default();
    lock_before.keep(root, Path::new(LOCK))?;
    let workspace = workspace::read(manifest, args.offline)?;
    let tokio = chosen(&workspace, record.is_some())?;
    let landfall = sources(&workspace, args)?;
    let mut said = remarks(&workspace, tokio);

    let lock = Path::new(LOCK);
    let mut record = record.unwrap_or(lock_before);
    for folder in [facade::FOLDER, real::FOLDER] {
        record.own(Path::new(folder));
    }
    let mut changes = Vec::new();
    if tokio.is_from_registry() {
        changes.extend(real::copy(tokio.folder())?);
    }
    changes.extend(facade::make(
        root,
        &landfall,
        &tokio.version,
        &tokio.features,
    )?);
    said.push(format!(
        "tokio {}: {} is the package everybody gets, with {} features forwarded to {}",
        tokio.version,
        facade::FOLDER,
        tokio.features.len(),
        real::FOLDER
    ));
    changes.extend(edits(&workspace, root, &landfall, tokio)?);
    if args.dry_run {
        said.extend(record.make(root, &changes, true)?);
        said.push("nothing was written (--dry-run)".to_owned());
        return Ok(said);
    }
    let done = record.make(root, &changes, false)?;
    let is_new = !done.is_empty();
    said.extend(done);
    record.save(root)?;
    locked(root, args)?;
    record.settle(root, lock)?;
    record.save(root)?;
    said.push(match is_new {
        true => "next: cargo test --features sim (and `cargo landfall init --undo` takes it \
                 all back)"
            .to_owned(),
        false => "nothing to change: it is all there".to_owned(),
    });
    Ok(said)
}

/// The tokio that is put under simulation.
fn chosen(workspace: &Workspace, is_ours: bool) -> Result<&Package, Error> {
    let of_one = |package: &&Package| package.version.starts_with("1.");
    let Some(tokio) = workspace.tokios().find(of_one) else {
        return Err(Error::usage(
            "no package of this workspace depends on tokio 1\n\
             help: `cargo add tokio` to a member first",
        ));
    };
    let facade = workspace.workspace_root.join(facade::FOLDER);
    let is_facade = is_ours && tokio.folder() == facade;
    if !tokio.is_from_registry() && !is_facade {
        return Err(Error::usage(format!(
            "tokio {} comes from {}, not from a registry: whoever patched it must be asked\n\
             help: take the patch, or the path, of tokio out first",
            tokio.version,
            tokio.origin()
        )));
    }
    let minor = tokio
        .version
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse::<u64>().ok());
    if minor.is_some_and(|minor| minor < TOKIO_MINOR_MIN) {
        return Err(Error::usage(format!(
            "tokio {} is locked; what is simulated is made for 1.{TOKIO_MINOR_MIN} and later\n\
             help: cargo update -p tokio",
            tokio.version
        )));
    }
    Ok(tokio)
}

/// The folder of landfall's packages.
fn sources(workspace: &Workspace, args: &InitArgs) -> Result<PathBuf, Error> {
    let named = args.landfall.clone();
    let used = workspace.package("landfall");
    let used = used.and_then(|package| Some(package.folder().parent()?.to_owned()));
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = named.or(used).unwrap_or(built_from);
    let is_there = folder.join("sim-tokio/src/lib.rs").exists();
    let whole = folder.canonicalize().ok().filter(|_| is_there);
    whole.ok_or_else(|| {
        Error::usage(format!(
            "landfall's sources are not in {}\nhelp: --landfall PATH says where they are",
            folder.display()
        ))
    })
}

fn remarks(workspace: &Workspace, tokio: &Package) -> Vec<String> {
    let others = workspace
        .tokios()
        .filter(|other| other.version != tokio.version);
    others
        .map(|other| {
            format!(
                "tokio {} is in the graph as well, and stays real: what uses it is not simulated",
                other.version
            )
        })
        .collect()
}

/// The edits of manifests, and the example.
fn edits(
    workspace: &Workspace,
    root: &Path,
    landfall: &Path,
    tokio: &Package,
) -> Result<Vec<Change>, Error> {
    let read = |path: &Path| {
        fs::read_to_string(path)
            .map_err(|error| Error::usage(format!("{} cannot be read: {error}", path.display())))
    };
    let from_root = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_owned();
    let mut changes = Vec::new();
    let members = workspace.members_over(tokio);
    let root_manifest = workspace.manifest();
    let mut root_text = read(&root_manifest)?;
    let mut why = "[patch.crates-io] puts the facade in tokio's place".to_owned();
    for member in &members {
        let way = facade::between(member.folder(), &landfall.join("landfall"));
        let way = way.display().to_string();
        if member.manifest_path == root_manifest {
            root_text = manifests::member(&root_manifest, &root_text, &way)?;
            why.push_str("; feature `sim`, and landfall for tests");
            continue;
        }
        let text = read(&member.manifest_path)?;
        changes.push(Change {
            content: manifests::member(&member.manifest_path, &text, &way)?.into_bytes(),
            path: from_root(&member.manifest_path),
            why: "feature `sim`, and landfall for tests".to_owned(),
        });
    }
    let root_text = manifests::patch(&root_manifest, &root_text)?;
    changes.insert(
        0,
        Change {
            path: from_root(&root_manifest),
            content: root_text.into_bytes(),
            why,
        },
    );
    let home = members.iter().find(|member| member.uses_tokio_itself());
    if let Some(member) = home.or(members.first()) {
        let path = member.folder().join(EXAMPLE);
        if !path.exists() {
            changes.push(Change {
                path: from_root(&path),
                content: EXAMPLE_TEXT.as_bytes().to_vec(),
                why: "an example, to be changed or deleted".to_owned(),
            });
        }
    }
    Ok(changes)
}

/// Has cargo write the lock again, and looks whether everybody got the facade.
fn locked(root: &Path, args: &InitArgs) -> Result<(), Error> {
    let manifest = root.join("Cargo.toml");
    let workspace = workspace::read(Some(&manifest), args.offline).map_err(|error| Error {
        exit: error.exit,
        message: format!(
            "everything is written, but cargo cannot resolve it yet: {}\n\
             help: `cargo fetch`, or `cargo landfall init --undo`",
            error.message
        ),
    })?;
    let facade = root.join(facade::FOLDER);
    let is_used = |package: &Package| package.folder() == facade;
    if workspace.tokios().any(is_used) {
        return Ok(());
    }
    Err(Error::usage(
        "everything is written, but cargo does not use the patch\n\
         help: `cargo tree -i tokio` says who asks for another version",
    ))
}
