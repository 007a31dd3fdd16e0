//! Every Rust source against every rule of `rules`.

use std::path::Path;

use crate::rules::{self, Source};
use crate::{assert_tidy, root};

/// The files of the workspace that end in `.rs`, with their paths from the root.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            // What `cargo landfall init` makes in a workspace is not ours, and not committed.
            let is_made = path.join("init.json").exists();
            if path.is_dir() && name != "target" && !name.starts_with('.') && !is_made {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
        .iter()
        .map(|path| (relative(path), read_source(path)))
        .collect()
}

fn relative(path: &Path) -> String {
    let inside = path.strip_prefix(root()).expect("found below the root");
    inside.to_string_lossy().replace('\\', "/")
}

fn read_source(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_source_follows_the_rules() {
    let sources = sources();
    assert!(
        sources.len() > 50,
        "the walk found only {} sources",
        sources.len()
    );
    let complaints: Vec<_> = sources
        .iter()
        .map(|(path, text)| Source { path, text })
        .flat_map(|source| rules::all(&source))
        .collect();
    assert_tidy(&complaints);
}
