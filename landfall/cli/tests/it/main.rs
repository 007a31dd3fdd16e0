//! The command as its users meet it: words in, text and exit code out. Only `floor` and `proof`
//! build something.

mod account;
mod author;
mod check;
mod config;
#[cfg(feature = "floor")]
mod floor;
mod init;
mod malformed;
mod plan;
mod proof;
mod results;
mod slurm;
mod usage;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What the command answered.
struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).expect("one JSON value on the standard output")
    }
}

/// The command with these words, on a quiet environment.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-landfall"));
    command.args(words).current_dir(root());
    for (name, _) in landfall::variables::ALL {
        command.env_remove(name);
    }
    for name in ["LANDFALL_CONFIG", "LANDFALL_SHARD"] {
        command.env_remove(name);
    }
    command
}

fn answer(mut command: Command, input: &str) -> Answer {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A command that refuses its arguments reads nothing.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    let text = |bytes| String::from_utf8(bytes).expect("the command writes UTF-8");
    Answer {
        code: output.status.code().expect("it exits by itself"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn landfall(words: &[&str]) -> Answer {
    answer(command(words), "")
}

/// The words of a command on the built tests of landfall itself, of one or of all (`""`).
fn of_landfall<'a>(begin: &'a str, test: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![
        begin,
        "--offline",
        "-p",
        "landfall",
        "--debug",
        "--jobs",
        "2",
    ];
    if !test.is_empty() {
        words.extend(["--test", test]);
    }
    words.extend(rest);
    words
}

/// What such a command answers.
fn on_landfall(begin: &str, test: &str, rest: &[&str]) -> Answer {
    landfall(&of_landfall(begin, test, rest))
}

/// An empty directory of one test, below the build's.
fn scratch(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    // It is there if the tests were run before.
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("the directory is cargo's, for tests");
    directory
}

/// The workspace's directory.
fn root() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace is there")
}
