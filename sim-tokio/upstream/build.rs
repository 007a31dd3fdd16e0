//! Writes a module for each example in the documentation of tokio, as cargo downloaded it.

#[path = "src/examples.rs"]
mod examples;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use examples::{examples, module};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/examples.rs");
    println!("cargo::rerun-if-changed=known.txt");
    let tokio = tokio()?;
    println!("cargo::rerun-if-changed={}", tokio.display());
    let known = examples::known(&fs::read_to_string("known.txt")?);
    let mut files = Vec::new();
    gather(&tokio.join("src"), &mut files)?;
    files.sort();
    let mut text = String::new();
    let mut unused = known.clone();
    for file in files {
        let place = file.strip_prefix(tokio.join("src"))?;
        let place = place.to_str().ok_or("a file whose name is no text")?;
        for example in examples(place, &fs::read_to_string(&file)?) {
            let name = example.name();
            unused.remove(&name);
            match known.get(&name) {
                Some(_) => {}
                None => text.push_str(&module(&example)),
            }
        }
    }
    if let Some((name, _)) = unused.first_key_value() {
        return Err(format!("known.txt has {name}, which is no example").into());
    }
    let out = std::env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("examples.rs"), text)?;
    Ok(())
}

/// Where tokio's package is.
fn tokio() -> Result<PathBuf, Box<dyn Error>> {
    let said = Command::new(std::env::var("CARGO")?)
        .args(["metadata", "--format-version=1"])
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&said.stdout)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let manifests: BTreeMap<&str, &str> = packages
        .filter(|package| package["name"] == "tokio")
        .filter_map(|package| {
            let version = package["version"].as_str()?;
            Some((version, package["manifest_path"].as_str()?))
        })
        .collect();
    let (_, manifest) = manifests.last_key_value().ok_or("cargo knows no tokio")?;
    Ok(Path::new(manifest)
        .parent()
        .ok_or("a manifest in no folder")?
        .to_owned())
}

/// The files of a folder and those below, but for what is of Windows alone.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_stem().is_some_and(|name| name == "windows") {
            continue;
        }
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|is| is == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
