//! `init`: what is done to a workspace, said of it, and taken back.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Answer, answer, command, landfall};

/// A workspace of its own, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("init-{name}"));
        let _ = fs::remove_dir_all(&folder);
        for (path, text) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            fs::write(path, text).expect("it is written");
        }
        Self(folder)
    }

    fn init(&self, words: &[&str]) -> Answer {
        let mut all = vec!["init"];
        all.extend(words);
        let mut command = command(&all);
        command.current_dir(&self.0);
        answer(command, "")
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Every file, with what is in it, but for the lock's.
    fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut open = vec![self.0.clone()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).expect("it is read") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => open.push(path),
                    false => found.push((path.clone(), fs::read(path).expect("it is read"))),
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const MEMBER: &str = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
    [dependencies]\ntokio = { version = \"=1.54.1\", features = [\"rt\"] } # pinned\n";
const OTHER: &str = "[package]\nname = \"plain\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
const ROOT: &str =
    "# ours\n[workspace]\nmembers = [\"*\"]\nexclude = [\"docs\"]\nresolver = \"3\"\n";

fn workspace(name: &str, member: &str) -> Scratch {
    let files = [
        ("Cargo.toml", ROOT),
        ("shop/Cargo.toml", member),
        ("shop/src/lib.rs", ""),
        ("plain/Cargo.toml", OTHER),
        ("plain/src/lib.rs", ""),
    ];
    Scratch::new(name, &files)
}

#[test]
fn a_virtual_workspace_is_prepared_once_and_taken_back_byte_for_byte() {
    let scratch = workspace("virtual", MEMBER);
    let before = scratch.all();

    let dry = scratch.init(&["--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert!(dry.stdout.contains("nothing was written"), "{}", dry.stdout);
    assert!(!scratch.0.join("landfall").exists());

    let done = scratch.init(&[]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    for said in [
        "edit Cargo.toml: [patch.crates-io]",
        "edit shop/Cargo.toml: feature `sim`",
        "write shop/tests/landfall.rs",
        "next: cargo test --features sim",
    ] {
        assert!(done.stdout.contains(said), "{said}: {}", done.stdout);
    }
    let root = scratch.read("Cargo.toml");
    assert!(
        root.contains("exclude = [\"docs\", \"landfall\"]"),
        "{root}"
    );
    assert!(
        root.contains("[patch.crates-io]\ntokio = { path = \"landfall/tokio\" }"),
        "{root}"
    );
    let member = scratch.read("shop/Cargo.toml");
    assert!(
        member.starts_with(MEMBER) && member.contains("sim = [\"landfall/sim\"]"),
        "{member}"
    );
    assert_eq!(scratch.read("plain/Cargo.toml"), OTHER, "it has no tokio");
    let facade = scratch.read("landfall/tokio/Cargo.toml");
    for feature in ["\"rt\"", "\"full\"", "\"test-util\"", "\"tracing\""] {
        let name = feature.trim_matches('"');
        let line = format!("\n{feature} = [\"tokio-real/{name}\"]\n");
        assert!(facade.contains(&line), "{line}: {facade}");
    }
    assert!(
        scratch
            .read("landfall/tokio-real/Cargo.toml")
            .contains("name = \"tokio-real\"")
    );
    let lock = scratch.read("Cargo.lock");
    let of_tokio = lock
        .split("[[package]]")
        .find(|p| p.contains("name = \"tokio\"\n"));
    let of_tokio = of_tokio.expect("it is locked");
    assert!(
        of_tokio.contains("1.54.1") && !of_tokio.contains("registry+"),
        "{of_tokio}"
    );

    let once = scratch.all();
    let again = scratch.init(&["--offline", "--format", "json"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let said = again.json()["said"].to_string();
    assert!(said.contains("nothing to change"), "{said}");
    assert!(scratch.all() == once, "the second time changes nothing");

    let undone = scratch.init(&["--undo"]);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert!(scratch.all() == before, "{}", undone.stdout);
    let nothing = scratch.init(&["--undo"]);
    assert_eq!(nothing.code, 2);
    assert!(
        nothing.stderr.contains("nothing to undo"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn what_was_changed_since_is_not_taken_back() {
    let scratch = workspace("changed", MEMBER);
    assert_eq!(scratch.init(&[]).code, 0);
    let path = scratch.0.join("shop/Cargo.toml");
    let mine = scratch.read("shop/Cargo.toml") + "# mine\n";
    fs::write(&path, &mine).expect("it is written");
    let before = scratch.all();
    let refused = scratch.init(&["--undo"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("changed since"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("shop/Cargo.toml"),
        "{}",
        refused.stderr
    );
    assert!(scratch.all() == before, "nothing was taken back");
}

#[test]
fn what_cannot_be_prepared_is_refused_with_the_remedy() {
    let cases = [
        ("none", "", "depends on tokio 1"),
        (
            "old",
            "[dependencies]\ntokio = { version = \"=1.54.1\", features = [\"rt\"] }\n\n\
             [patch.crates-io]\ntokio = { path = \"mine\" }\n",
            "not from a registry",
        ),
    ];
    for (name, more, expected) in cases {
        let manifest = format!("{OTHER}\n{more}");
        let mine = "[package]\nname = \"tokio\"\nversion = \"1.54.1\"\nedition = \"2024\"\n\n\
            [features]\nrt = []\n";
        let files = [
            ("Cargo.toml", manifest.as_str()),
            ("src/lib.rs", ""),
            ("mine/Cargo.toml", mine),
            ("mine/src/lib.rs", ""),
        ];
        let scratch = Scratch::new(name, &files);
        let refused = scratch.init(&[]);
        assert_eq!(refused.code, 2, "{name}: {}", refused.stdout);
        assert!(
            refused.stderr.contains(expected),
            "{name}: {}",
            refused.stderr
        );
        assert!(
            refused.stderr.contains("help: "),
            "{name}: {}",
            refused.stderr
        );
        assert_eq!(scratch.read("Cargo.toml"), manifest, "{name}");
        assert!(!scratch.0.join("landfall").exists(), "{name}");
    }
    let nowhere = landfall(&["init", "--manifest-path", "/nowhere/Cargo.toml"]);
    assert_eq!(nowhere.code, 2, "{}", nowhere.stderr);
}
