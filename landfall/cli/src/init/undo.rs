//! Taking `init` back.

use std::path::Path;

use super::change::{below, current, remove, write};
use super::manifest::{Manifest, unpatch_lock};
use super::record::{FILE, Record, Touched, fingerprint};
use super::run::Line;
use crate::exit::Error;

/// Puts back what was there before, and removes what was made.
///
/// # Errors
/// Usage when there is nothing to take back, or a file cannot be read or written.
pub(super) fn undo(root: &Path, folder: &Path, dry_run: bool) -> Result<Vec<Line>, Error> {
    let Some(record) = Record::load(folder)? else {
        return Err(Error::usage(format!(
            "there is nothing to undo: {} is not there",
            folder.join(FILE).display()
        )));
    };
    let mut lines = Vec::new();
    // Everything is read and worked out before anything is written.
    let mut writes = Vec::new();
    for (name, touched) in &record.files {
        let path = root.join(name);
        let Some(now) = current(&path)? else {
            lines.push(Line::new("kept", name, "it is gone already"));
            continue;
        };
        let (line, after) = restored(name, touched, now)?;
        lines.push(line);
        writes.extend(after.map(|after| (path, after)));
    }
    for made in ["tokio", "tokio-real"] {
        let made = folder.join(made);
        lines.push(Line::new(
            "removed",
            &made.strip_prefix(root).unwrap_or(&made).display(),
            "",
        ));
    }
    if dry_run {
        return Ok(lines);
    }
    for (path, after) in writes {
        match after {
            Some(text) => write(&path, &text)?,
            None => remove(&path, root)?,
        }
    }
    for made in ["tokio", "tokio-real"] {
        for path in below(&folder.join(made))? {
            remove(&path, root)?;
        }
    }
    remove(&folder.join(FILE), root)?;
    Ok(lines)
}

type After = Option<Option<Vec<u8>>>;

/// What becomes of a file: nothing, or its text, or its end.
fn restored(name: &str, touched: &Touched, now: Vec<u8>) -> Result<(Line, After), Error> {
    let is_ours = !touched.edited && fingerprint(&now) == touched.after;
    let line = |what, why| Line::new(what, name, why);
    if is_ours {
        return Ok(match &touched.before {
            None => (line("removed", "init made it"), Some(None)),
            Some(text) => {
                let bytes = text.clone().into_bytes();
                (line("restored", "byte for byte"), Some(Some(bytes)))
            }
        });
    }
    let now = String::from_utf8_lossy(&now).into_owned();
    if name.ends_with("Cargo.lock") {
        let before = touched.before.as_deref();
        let text = before.and_then(|before| unpatch_lock(&now, before));
        return Ok(match text {
            None => (line("kept", "cargo prunes it at the next build"), None),
            Some(text) => {
                let why = "changed since: tokio is the registry's again, the rest stays";
                (line("changed", why), Some(Some(text.into_bytes())))
            }
        });
    }
    if touched.added.is_empty() {
        return Ok((line("kept", "you changed it since"), None));
    }
    let text = Manifest::parse(name, &now)?.take_out(&touched.added);
    let why = "changed since: what init added is taken out, the rest stays";
    Ok((line("changed", why), Some(Some(text.into_bytes()))))
}
