//! Results that are kept: databases, parts, capsules; and what is made of one failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{command, landfall, of_landfall, on_landfall, root};

const FAILS: &str = "failures::unsynced::s1_acknowledged_writes_survive";
const PASSES: &str = "failures::synced::s1_acknowledged_writes_survive";

/// An empty directory for one test.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a directory");
    path
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_sweep_whose_parent_is_killed_goes_on_where_it_was() {
    let home = directory("resume");
    let db = home.join("results.db");
    let seeds = ["--seeds", "24", "--format", "json"];
    let whole = on_landfall("sweep", PASSES, &seeds);
    let mut rest = seeds.to_vec();
    rest.extend(["--db", path(&db)]);
    // As soon as some seeds stand in the file, the parent is killed.
    let mut child = command(&of_landfall("sweep", PASSES, &rest))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command starts");
    let count = || {
        let file = rusqlite::Connection::open(&db).ok()?;
        let one = "SELECT count(*) FROM seeds";
        file.query_row(one, [], |row| row.get::<_, i64>(0)).ok()
    };
    while count().unwrap_or(0) < 3 {
        if child.try_wait().expect("it can be asked").is_some() {
            break;
        }
        std::thread::yield_now();
    }
    let _ = child.kill();
    child.wait().expect("it ends");
    let before = count().expect("the file is whole");
    assert!((3..24).contains(&before), "{before} seeds stand there");
    rest.push("--resume");
    let resumed = on_landfall("sweep", PASSES, &rest);
    assert_eq!(count(), Some(24));
    assert_eq!(resumed.json(), whole.json(), "{}", resumed.stderr);
    // It is over now.
    let again = on_landfall("sweep", PASSES, &rest);
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(
        again.stderr.contains("no sweep that was interrupted"),
        "{}",
        again.stderr
    );
}

#[test]
fn the_parts_of_a_sweep_make_one_report_byte_for_byte() {
    let home = directory("parts");
    let seeds = ["--seeds", "9", "--check-determinism=50%"];
    let whole = on_landfall("sweep", FAILS, &seeds);
    assert_eq!(whole.code, 100, "{}", whole.stderr);
    let files: Vec<PathBuf> = (0..3).map(|part| home.join(format!("{part}.db"))).collect();
    for (part, file) in files.iter().enumerate() {
        let part = format!("{part}/3");
        let mut rest = seeds.to_vec();
        rest.extend(["--db", path(file), "--shard", &part]);
        on_landfall("sweep", FAILS, &rest);
    }
    let mut merge = vec!["merge"];
    merge.extend(files.iter().map(|file| path(file)));
    let merged = landfall(&merge);
    assert_eq!(
        (merged.code, &merged.stdout),
        (100, &whole.stdout),
        "{}",
        merged.stderr
    );
    let missing = landfall(&merge[..3]);
    assert_eq!(missing.code, 2);
    assert!(
        missing.stderr.contains("each is needed once"),
        "{}",
        missing.stderr
    );
    let twice = landfall(&["merge", path(&files[0]), path(&files[0]), path(&files[2])]);
    assert_eq!(twice.code, 2, "{}", twice.stderr);
}

#[test]
fn a_second_sweep_says_what_is_new_recurring_and_gone() {
    let home = directory("against");
    let db = home.join("results.db");
    let sweep = |from: &str| {
        let rest = ["--seeds", "6", "--from-seed", from, "--db", path(&db)];
        on_landfall("sweep", FAILS, &rest).stderr
    };
    assert!(!sweep("0").contains("against the last sweep"));
    let second = sweep("0");
    assert!(second.contains("0 new, 2 recurring, 0 gone"), "{second}");
    let junit = home.join("junit.xml");
    let rest = ["--seeds", "3", "--junit", path(&junit), "--github"];
    let answer = on_landfall("sweep", FAILS, &rest);
    let xml = fs::read_to_string(junit).expect("it was written");
    assert!(xml.contains("<failure type=\"FAIL-reproducible\""), "{xml}");
    let plan = "::error file=landfall/tests/it/plans/power_loss.md,line=";
    assert!(answer.stderr.contains(plan), "{}", answer.stderr);
}

#[test]
fn each_commit_has_seeds_of_its_own() {
    let home = directory("commit");
    let db = home.join("results.db");
    let swept = |from: &str| {
        let rest = ["--seeds", "1", "--from-seed", from, "--db", path(&db)];
        on_landfall("sweep", PASSES, &rest)
    };
    let answer = swept("commit:no-such-revision");
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    let why = "--from-seed commit:no-such-revision: there is no such commit";
    assert!(answer.stderr.contains(why), "{}", answer.stderr);
    let mut git = Command::new("git");
    git.args(["rev-parse", "--short=12", "HEAD"])
        .current_dir(root());
    let Ok(head) = git.output() else { return };
    let answer = swept("commit");
    let head = String::from_utf8(head.stdout).expect("ASCII");
    let Ok(seed) = u64::from_str_radix(head.trim(), 16) else {
        assert_eq!(answer.code, 2, "no repository: {}", answer.stderr);
        return;
    };
    let file = rusqlite::Connection::open(&db).expect("a database");
    let ran: i64 = file
        .query_row("SELECT seed FROM seeds", [], |row| row.get(0))
        .expect("one seed was run");
    assert_eq!(u64::try_from(ran), Ok(seed));
}

#[test]
fn a_file_that_is_no_database_of_ours_is_refused() {
    let home = directory("foreign");
    let text = home.join("notes.txt");
    fs::write(
        &text,
        "not a database, and longer than a header of one is, which is 100 bytes: \
        .........................................",
    )
    .expect("a file");
    let answer = on_landfall("sweep", PASSES, &["--seeds", "3", "--db", path(&text)]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("notes.txt cannot be used"),
        "{}",
        answer.stderr
    );
    let other = home.join("other.db");
    let file = rusqlite::Connection::open(&other).expect("a database");
    file.execute_batch("CREATE TABLE theirs (x)")
        .expect("a table");
    let answer = on_landfall("sweep", PASSES, &["--seeds", "3", "--db", path(&other)]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("not one of landfall's"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_failure_is_reduced_replayed_and_explained() {
    let home = directory("reduced");
    let sweep = on_landfall(
        "sweep",
        FAILS,
        &["--seeds", "20", "--fail-fast", "--format", "json"],
    );
    let seed = sweep.json()["results"][0]["failures"][0]["seed"].to_string();
    let rest = ["--seed", &seed, "--out", path(&home), "--format", "json"];
    let reduced = on_landfall("reduce", FAILS, &rest).json();
    let left = |what: &str| reduced["after"][what].as_u64().expect("a number");
    assert!(
        left("windows") <= 3 && left("operations") <= 10,
        "{reduced}"
    );
    let capsule = reduced["capsule"].as_str().expect("a path").to_owned();
    let test = fs::read_to_string(reduced["regression_test"].as_str().expect("a path"));
    let test = test.expect("it was written");
    assert!(
        test.contains("#[test]") && test.contains("landfall::replay_capsule("),
        "{test}"
    );
    let replayed = landfall(&["replay", "--offline", "--debug", &capsule]);
    assert_eq!(replayed.code, 100, "{}", replayed.stderr);
    assert!(
        replayed.stderr.contains("the capsule's, event by event"),
        "{}",
        replayed.stderr
    );
    let words = [
        "explain",
        "--offline",
        "--debug",
        "--runs",
        "2",
        "--format",
        "json",
        &capsule,
    ];
    let explained = landfall(&words);
    let explained = explained.json();
    assert!(
        explained["curve"]
            .as_array()
            .is_some_and(|points| points.len() >= 32)
    );
    assert_eq!(explained["faults"][0]["decisive"], true, "{explained}");
    // Another program: the same capsule, for the test whose writes are synced.
    let text = fs::read_to_string(&capsule).expect("it is there");
    let fixed = landfall::capsule::Capsule::read(&text).expect("a capsule");
    let fixed = landfall::capsule::Capsule {
        test: PASSES.to_owned(),
        ..fixed
    };
    let path = home.join("fixed.capsule");
    fs::write(&path, fixed.write()).expect("a file");
    let replayed = landfall(&[
        "replay",
        "--offline",
        "--debug",
        path.to_str().expect("UTF-8"),
    ]);
    assert_eq!(replayed.code, 0, "{}", replayed.stderr);
    let said = &replayed.stderr;
    assert!(
        said.contains("the code has changed: the run is another "),
        "{said}"
    );
    assert!(
        said.contains("does not fail with") && said.contains("any more"),
        "{said}"
    );
}

#[test]
fn a_capsule_that_cannot_be_used_is_refused_with_what_to_do() {
    let home = directory("capsules");
    let file = home.join("a.capsule");
    for (text, why) in [
        ("", "this is no capsule"),
        ("landfall-capsule 9 0\n{}\n", "version 9"),
        ("landfall-capsule 1 0\n{}\n", "is damaged"),
    ] {
        fs::write(&file, text).expect("a file");
        let answer = landfall(&["replay", path(&file)]);
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(answer.stderr.contains(why), "{}", answer.stderr);
    }
}

#[test]
fn a_bisection_between_nothing_is_refused_and_leaves_nothing() {
    let capsule = "landfall/testdata/capsules/v1.capsule";
    let bisect = |good: &str, bad: &str| {
        let answer = landfall(&["bisect", capsule, "--good", good, "--bad", bad]);
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        answer.stderr
    };
    let is_repository = root().join(".git").exists();
    let unknown = bisect("no-such-revision", "HEAD");
    assert!(
        !is_repository || unknown.contains("no-such-revision names no commit"),
        "{unknown}"
    );
    let nothing = bisect("HEAD", "HEAD");
    assert!(
        !is_repository || nothing.contains("is not before"),
        "{nothing}"
    );
    let beside = root().join("..").read_dir().expect("a directory");
    let left = beside.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(".landfall-bisect-")
    });
    assert_eq!(left.count(), 0);
}
