//! `init` on workspaces of users' kinds, without a registry: what it writes, what cargo makes of
//! it, and that nothing is left of it afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Answer, answer, command};

/// A workspace of a user's.
struct Fixture {
    root: PathBuf,
}

impl Fixture {
    /// One with these files, and a lock that cargo makes of what it has downloaded.
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("init")
            .join(name);
        if root.exists() {
            fs::remove_dir_all(&root).expect("an older one can go");
        }
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
            fs::write(path, text.replace("LOCKED", &locked())).expect("a file");
        }
        Self { root }
    }

    fn locked(name: &str, files: &[(&str, &str)]) -> Self {
        let fixture = Self::new(name, files);
        let tokio = fixture.tokio();
        assert!(tokio.starts_with("registry+"), "{tokio}");
        fixture
    }

    fn init(&self, words: &[&str]) -> Answer {
        let mut command = command(&["init", "--offline"]);
        command.args(words).current_dir(&self.root);
        answer(command, "")
    }

    #[track_caller]
    fn done(&self, words: &[&str]) -> String {
        let answer = self.init(words);
        assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
        answer.stdout
    }

    /// What it says when it cannot; nothing may have changed.
    #[track_caller]
    fn refused(&self, words: &[&str], code: i32) -> String {
        let before = self.snapshot();
        let answer = self.init(words);
        assert_eq!(answer.code, code, "{}{}", answer.stdout, answer.stderr);
        assert_eq!(names(&self.snapshot()), names(&before));
        assert!(self.snapshot() == before, "a file has changed");
        answer.stderr
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.root.join(path), text).expect("a file");
    }

    /// Every file with its content.
    fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).expect("a file");
                    all.insert(path, bytes);
                }
            }
        }
        all
    }

    /// What cargo says of the workspace.
    fn metadata(&self) -> serde_json::Value {
        let output = std::process::Command::new(env!("CARGO"))
            .args(["metadata", "--offline", "--format-version", "1", "--quiet"])
            .current_dir(&self.root)
            .output()
            .expect("cargo starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
    }

    /// Where cargo has tokio from.
    fn tokio(&self) -> String {
        let metadata = self.metadata();
        let packages = metadata["packages"].as_array().expect("packages");
        let tokio = packages
            .iter()
            .find(|p| p["name"] == "tokio")
            .expect("tokio is locked");
        let source = tokio["source"].as_str().or(tokio["manifest_path"].as_str());
        source.expect("it comes from somewhere").to_owned()
    }
}

/// The tokio that this workspace has locked, which cargo has therefore downloaded.
fn locked() -> String {
    let lock = fs::read_to_string(crate::root().join("Cargo.lock")).expect("it is committed");
    let (_, rest) = lock
        .split_once("name = \"tokio\"\nversion = \"")
        .expect("it has tokio");
    rest.split('"').next().unwrap_or_default().to_owned()
}

fn names(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<&PathBuf> {
    files.keys().collect()
}

const SHOP: &str = "[package]
name = \"shop\"
version = \"0.1.0\"
edition = \"2024\"

[workspace]

[dependencies]
tokio = { version = \"1.54\", features = [\"net\", \"rt\"] } # what else
";

const LIB: (&str, &str) = ("src/lib.rs", "");

#[test]
fn a_package_is_prepared_and_put_back_byte_for_byte() {
    let shop = Fixture::locked("one", &[("Cargo.toml", SHOP), LIB]);
    let before = shop.snapshot();
    let dry = shop.done(&["--dry-run"]);
    assert!(shop.snapshot() == before, "a dry run writes nothing");
    let said = shop.done(&[]);
    for line in dry
        .lines()
        .filter(|line| line.starts_with("made") || line.starts_with("changed"))
    {
        assert!(
            said.lines().any(|said| said.trim_end() == line.trim_end()),
            "{line}: {said}"
        );
    }
    assert!(shop.tokio().ends_with("landfall/tokio/Cargo.toml"));
    let manifest = shop.read("Cargo.toml");
    for line in [
        "tokio = { version = \"1.54\", features = [\"net\", \"rt\"] } # what else",
        "sim = [\"landfall/sim\"]",
        "tokio = { path = \"landfall/tokio\" }",
    ] {
        assert!(
            manifest.lines().any(|there| there == line),
            "{line}: {manifest}"
        );
    }
    assert!(shop.read("tests/landfall.rs").contains("#[landfall::test"));
    let prepared = shop.snapshot();
    assert!(shop.done(&[]).contains("nothing was changed"));
    assert!(
        shop.snapshot() == prepared,
        "the second run changes nothing"
    );
    let undone = shop.done(&["--undo"]);
    assert!(undone.contains("byte for byte"), "{undone}");
    assert_eq!(names(&shop.snapshot()), names(&before));
    assert!(shop.snapshot() == before, "every byte is back");
    assert!(
        shop.refused(&["--undo"], 2)
            .contains("there is nothing to undo")
    );
}

#[test]
fn every_feature_of_the_locked_tokio_is_handed_on() {
    let shop = Fixture::locked("features", &[("Cargo.toml", SHOP), LIB]);
    let features = |metadata: &serde_json::Value, name: &str| {
        let packages = metadata["packages"].as_array().expect("packages").clone();
        let package = packages
            .into_iter()
            .find(|p| p["name"] == name)
            .expect("it is locked");
        let version = package["version"].as_str().expect("a version").to_owned();
        let features = package["features"].as_object().expect("features").clone();
        (version, features.keys().cloned().collect::<Vec<_>>())
    };
    let real = features(&shop.metadata(), "tokio");
    shop.done(&[]);
    let after = shop.metadata();
    assert!(real.1.len() > 10, "{real:?}");
    assert_eq!(features(&after, "tokio"), real);
    assert_eq!(features(&after, "tokio-real"), real);
}

const VIRTUAL: &str = "# Ours.
[workspace]
resolver = \"3\"
members = [\"*\"] # all of them
exclude = [\"target\"]

[workspace.dependencies]
tokio = { version = \"=LOCKED\", features = [\"rt\"] }

[patch.crates-io]
slab = { path = \"slab\" } # not yet released
";

fn member(name: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.4.12\"\nedition = \"2024\"\n\n\
         [features]\ndefault = []\nsim = [\"extra\"]\nextra = []\n\n{dependencies}"
    )
}

#[test]
fn a_virtual_workspace_with_patches_and_pins_is_prepared() {
    let a = member(
        "a",
        "[dependencies]\nrt = { package = \"tokio\", version = \"=LOCKED\" }\n",
    );
    let b = member("b", "[dev-dependencies]\ntokio.workspace = true\n");
    let c = member("c", "[dependencies]\na = { path = \"../a\" }\n");
    let slab = member("slab", "");
    let files = [
        ("Cargo.toml", VIRTUAL),
        ("a/Cargo.toml", &a),
        ("a/src/lib.rs", ""),
        ("b/Cargo.toml", &b),
        ("b/src/lib.rs", ""),
        ("c/Cargo.toml", &c),
        ("c/src/lib.rs", ""),
        ("slab/Cargo.toml", &slab),
        ("slab/src/lib.rs", ""),
    ];
    let house = Fixture::locked("virtual", &files);
    let before = house.snapshot();
    let said = house.done(&[]);
    assert!(said.contains("1 of the members reach no tokio"), "{said}");
    assert!(house.tokio().ends_with("landfall/tokio/Cargo.toml"));
    let root = house.read("Cargo.toml");
    for line in [
        "# Ours.",
        "members = [\"*\"] # all of them",
        "exclude = [\"target\", \"landfall\"]",
        "slab = { path = \"slab\" } # not yet released",
        "tokio = { path = \"landfall/tokio\" }",
    ] {
        assert!(root.lines().any(|there| there == line), "{line}: {root}");
    }
    for name in ["a", "b", "c"] {
        let text = house.read(&format!("{name}/Cargo.toml"));
        assert!(
            text.contains("sim = [\"extra\", \"landfall/sim\"]"),
            "{text}"
        );
        assert!(text.contains("landfall = { workspace = true }"), "{text}");
    }
    assert_eq!(house.read("slab/Cargo.toml"), slab);
    assert!(
        house
            .read("a/tests/landfall.rs")
            .contains("#[landfall::test")
    );
    house.done(&["--undo"]);
    assert!(house.snapshot() == before, "every byte is back");
}

#[test]
fn what_was_edited_since_is_kept() {
    let shop = Fixture::locked("edited", &[("Cargo.toml", SHOP), LIB]);
    shop.done(&[]);
    let mine = "slab = \"0.4\"\n\n[patch.crates-io]";
    let manifest = shop.read("Cargo.toml").replace("\n[patch.crates-io]", mine);
    shop.write("Cargo.toml", &manifest);
    shop.metadata();
    let example = format!("{}// mine\n", shop.read("tests/landfall.rs"));
    shop.write("tests/landfall.rs", &example);
    assert!(shop.done(&[]).contains("nothing was changed"));
    let said = shop.done(&["--undo"]);
    assert!(said.contains("the rest stays"), "{said}");
    let manifest = shop.read("Cargo.toml");
    assert!(manifest.contains("slab = \"0.4\""), "{manifest}");
    assert!(manifest.contains("# what else"), "{manifest}");
    for word in ["landfall", "patch", "features]"] {
        assert!(!manifest.contains(word), "{word}: {manifest}");
    }
    assert_eq!(shop.read("tests/landfall.rs"), example);
    let lock = shop.read("Cargo.lock");
    assert!(lock.contains("name = \"slab\""), "{lock}");
    let tokio = shop.tokio();
    assert!(tokio.starts_with("registry+"), "{tokio}");
    assert!(!shop.read("Cargo.lock").contains("tokio-real"));
}

#[test]
fn another_patch_of_tokio_is_refused_with_its_place() {
    let text = format!("{SHOP}\n[patch.crates-io]\ntokio = {{ path = \"mine\" }}\n");
    let mine = "[package]\nname = \"tokio\"\nversion = \"LOCKED\"\nedition = \"2024\"\n\n\
                [features]\nnet = []\nrt = []\n";
    let files = [
        ("Cargo.toml", text.as_str()),
        LIB,
        ("mine/Cargo.toml", mine),
        ("mine/src/lib.rs", ""),
    ];
    let shop = Fixture::new("patched", &files);
    shop.metadata();
    let said = shop.refused(&[], 2);
    assert!(said.contains("is not the registry's"), "{said}");
    assert!(said.contains("mine/Cargo.toml"), "{said}");
    // One that is not used, as its version is another's.
    shop.write("mine/Cargo.toml", &mine.replace("LOCKED", "1.3.0"));
    shop.metadata();
    let said = shop.refused(&[], 2);
    assert!(
        said.contains("Cargo.toml:12: tokio is patched already"),
        "{said}"
    );
}

#[test]
fn a_workspace_without_tokio_has_nothing_to_prepare() {
    let text = SHOP.split("tokio =").next().expect("what stands before it");
    let shop = Fixture::new("none", &[("Cargo.toml", text), LIB]);
    let said = shop.refused(&[], 4);
    assert!(
        said.contains("no package of this workspace depends on tokio"),
        "{said}"
    );
}

#[test]
fn without_a_lock_cargo_makes_one_and_undo_takes_it_back() {
    let shop = Fixture::new("unlocked", &[("Cargo.toml", SHOP), LIB]);
    assert!(
        shop.refused(&["--dry-run"], 2)
            .contains("cargo generate-lockfile")
    );
    let before = shop.snapshot();
    assert!(shop.done(&[]).contains("Cargo.lock"));
    shop.done(&["--undo"]);
    assert!(shop.snapshot() == before, "the lock is gone, too");
}

/// A tokio of a user's vendor folder, as `cargo vendor` lays it out.
fn vendored(name: &str, version: &str) -> Fixture {
    let tokio = format!(
        "[package]\nname = \"tokio\"\nversion = \"{version}\"\nedition = \"2021\"\n\n\
         [lib]\nname = \"tokio\"\npath = \"src/lib.rs\"\n\n[features]\nnet = []\nrt = []\n"
    );
    let config = "[source.crates-io]\nreplace-with = \"v\"\n\n[source.v]\ndirectory = \"v\"\n";
    let manifest = SHOP.replace("1.54", &format!("={version}"));
    let files = [
        ("Cargo.toml", manifest.as_str()),
        LIB,
        (".cargo/config.toml", config),
        ("v/tokio/Cargo.toml", &tokio),
        ("v/tokio/src/lib.rs", "//! Vendored."),
        (
            "v/tokio/.cargo-checksum.json",
            "{\"files\":{},\"package\":null}",
        ),
    ];
    let shop = Fixture::new(name, &files);
    shop.metadata();
    shop
}

#[test]
fn an_older_tokio_than_the_drop_in_is_for_is_refused() {
    let said = vendored("old", "1.20.0").refused(&[], 2);
    assert!(said.contains("tokio 1.20.0 is locked"), "{said}");
    assert!(said.contains("cargo update -p tokio@1.20.0"), "{said}");
    let said = vendored("ancient", "0.2.25").refused(&[], 4);
    assert!(
        said.contains("tokio 0.2.25 is locked; landfall simulates tokio 1 only"),
        "{said}"
    );
}

#[test]
fn nothing_is_left_when_cargo_does_not_accept_the_result() {
    // What landfall itself depends on is not in this vendor folder.
    let shop = vendored("rejected", "1.99.0");
    let said = shop.refused(&[], 2);
    assert!(
        said.contains("cargo cannot resolve the workspace"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_used_is_named() {
    let shop = Fixture::locked("words", &[("Cargo.toml", SHOP), LIB]);
    let said = shop.refused(&["--landfall", "src"], 2);
    assert!(said.contains("src is no checkout of landfall"), "{said}");
    let said = shop.refused(&["-p", "shoq"], 2);
    assert!(
        said.contains("the workspace has no package shoq; it has shop"),
        "{said}"
    );
    let said = shop.refused(&["--dir", "../elsewhere"], 2);
    assert!(said.contains("--dir names a folder below"), "{said}");
    let said = shop.refused(&["--dir", "src", "--undo"], 2);
    assert!(said.contains("there is nothing to undo"), "{said}");
}
