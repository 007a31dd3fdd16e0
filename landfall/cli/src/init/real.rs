//! The real tokio under another name, from cargo's own download.

use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, value};

use super::files::Change;
use crate::exit::Error;

/// Where it goes, from the root.
pub(super) const FOLDER: &str = "landfall/tokio-real";

/// Folders of the download that a build needs nothing of.
const LEFT_OUT: [&str; 4] = ["tests", "benches", "examples", "docs"];

/// Every file of the copy.
///
/// # Errors
/// When the download cannot be read.
pub(super) fn copy(source: &Path) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let here = source.join(&folder);
        let cannot = |error| Error::usage(format!("{} cannot be read: {error}", here.display()));
        let mut entries: Vec<_> = fs::read_dir(&here)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(cannot)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let text = name.to_string_lossy();
            let path = folder.join(&name);
            if entry.path().is_dir() {
                let is_left_out = folder.as_os_str().is_empty() && LEFT_OUT.contains(&&*text);
                if !is_left_out {
                    open.push(path);
                }
            } else if !text.starts_with('.') && text != "Cargo.lock" && text != "Cargo.toml.orig" {
                let content = fs::read(entry.path()).map_err(cannot)?;
                let content = match path.to_str() {
                    Some("Cargo.toml") => rename(&content)?,
                    _ => content,
                };
                changes.push(Change {
                    path: Path::new(FOLDER).join(path),
                    content,
                    why: String::new(),
                });
            }
        }
    }
    Ok(changes)
}

/// The manifest under the new name, of the library alone.
fn rename(manifest: &[u8]) -> Result<Vec<u8>, Error> {
    let text = String::from_utf8_lossy(manifest);
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error| Error::usage(format!("tokio's own manifest cannot be read: {error}")))?;
    document["package"]["name"] = value("tokio-real");
    document["package"]["publish"] = value(false);
    document["lib"]["name"] = value("tokio_real");
    for part in ["dev-dependencies", "test", "bench", "example", "bin"] {
        document.remove(part);
    }
    if let Some(targets) = document
        .get_mut("target")
        .and_then(toml_edit::Item::as_table_mut)
    {
        for (_, target) in targets.iter_mut() {
            if let Some(target) = target.as_table_mut() {
                target.remove("dev-dependencies");
            }
        }
    }
    // A package of its own, whatever workspace it lies in.
    document["workspace"] = toml_edit::Item::Table(toml_edit::Table::new());
    Ok(document.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_has_another_name_and_its_library_alone() {
        let manifest = "[package]\nname = \"tokio\" # kept\nversion = \"1.2.3\"\n\n[lib]\n\
             name = \"tokio\"\n\n[dependencies.bytes]\nversion = \"1\"\n\n\
             [dev-dependencies.rand]\nversion = \"0.9\"\n\n[[test]]\nname = \"t\"\n\n\
             [target.\"cfg(unix)\".dev-dependencies.nix]\nversion = \"0.30\"\n";
        let renamed = String::from_utf8(rename(manifest.as_bytes()).unwrap()).unwrap();
        let document: DocumentMut = renamed.parse().unwrap();
        assert_eq!(document["package"]["name"].as_str(), Some("tokio-real"));
        assert_eq!(document["package"]["version"].as_str(), Some("1.2.3"));
        assert_eq!(document["lib"]["name"].as_str(), Some("tokio_real"));
        assert_eq!(
            document["dependencies"]["bytes"]["version"].as_str(),
            Some("1")
        );
        assert!(
            !renamed.contains("rand") && !renamed.contains("nix") && !renamed.contains("[[test]]")
        );
    }
}
