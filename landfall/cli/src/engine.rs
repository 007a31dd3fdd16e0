//! `--engine`: a sweep on machines that others hand out. For Kubernetes and GitHub what starts its
//! parts is written, not run: a manifest, a workflow. Slurm is called where jobs are submitted:
//! its parts are run and put together.

mod github;
mod kubernetes;
mod slurm;
mod yaml;

use std::ffi::OsString;

use crate::args::{Engine, SweepArgs};
use crate::cargo;
use crate::exit::{Error, Exit};
use crate::merge;
use crate::output;
use crate::sweep::report;

/// Flags of this command that its parts are not given, and whether a value follows.
const OWN: [(&str, bool); 13] = [
    ("--engine", true),
    ("--parts", true),
    ("--sbatch", true),
    ("--format", true),
    ("--github", false),
    ("--shards", true),
    ("--image", true),
    ("--setup", true),
    ("--shard", true),
    ("--db", true),
    ("--resume", false),
    ("--junit", true),
    ("--summary", true),
];

/// The exit codes, but for 0, of a part that did its work, as a pattern of `sh`.
const DONE: &str = "100|110|111|112";

/// What every engine starts.
#[derive(Clone)]
struct Parts {
    count: u32,
    /// The command line of a part, without its database.
    words: Vec<String>,
    image: String,
    setup: Vec<String>,
}

/// Writes what starts the sweep's parts to the standard output; with Slurm, starts them, waits
/// for them and reports what they come to.
pub(crate) fn run(args: &SweepArgs, engine: Engine) -> Result<Exit, Error> {
    if args.keep.out.is_some() {
        return Err(Error::usage(
            "--out writes a session as one sweep proceeds: not with --engine",
        ));
    }
    let words = words_of_a_part(std::env::args_os())?;
    let given = &args.engine;
    let parts = Parts {
        count: given.shards.into(),
        words,
        image: given.image.clone(),
        setup: given.setup.clone(),
    };
    match engine {
        Engine::Kubernetes => output::print(&kubernetes::manifest(&parts)),
        Engine::Github => output::print(&github::workflow(&parts)),
        Engine::Slurm => {
            slurm::is_there()?;
            // Once, here: the parts then find everything built.
            cargo::build(&args.cargo)?;
            let files = slurm::run(&parts, given, args.keep.resume)?;
            let (command, merged) = merge::of_files(&files)?;
            return report(&merged, &args.shown, &args.output, &command);
        }
    }
    Ok(Exit::Pass)
}

/// The words of this command line that its parts are given, too.
fn words_of_a_part(all: impl Iterator<Item = OsString>) -> Result<Vec<String>, Error> {
    let mut words = vec!["cargo".to_owned(), "landfall".to_owned()];
    let mut all = all.skip(1).peekable();
    all.next_if(|word| word == "landfall");
    while let Some(word) = all.next() {
        let Some(word) = word.to_str() else {
            let word = word.display();
            return Err(Error::usage(format!(
                "{word} is no UTF-8: it cannot be written"
            )));
        };
        let (name, value) = match word.split_once('=') {
            Some((name, _)) => (name, true),
            None => (word, false),
        };
        match OWN.iter().find(|(own, _)| *own == name) {
            Some((_, takes_value)) if *takes_value && !value => drop(all.next()),
            Some(_) => {}
            None => words.push(word.to_owned()),
        }
    }
    Ok(words)
}

impl Parts {
    /// A line for `sh` that runs one part into a database. That a claim failed is the merge's to
    /// say: the part itself did what it was asked to.
    fn line(&self, database: &str) -> String {
        let command = self.command();
        format!("{command} --shard auto --db {database} || case $? in {DONE}) ;; *) exit 1 ;; esac")
    }

    /// Its words as `sh` takes them.
    fn command(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }
}

/// A word as `sh` takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<String> {
        let words = line.iter().map(OsString::from);
        words_of_a_part(words).expect("UTF-8")
    }

    pub(super) fn parts() -> Parts {
        Parts {
            count: 8,
            words: words(&[
                "cargo-landfall",
                "landfall",
                "sweep",
                "--engine=kubernetes",
                "-p",
                "raft-kv",
                "--seeds",
                "2000",
                "--shards",
                "8",
                "--scenario",
                "it's quick",
            ]),
            image: "raft-kv:1".to_owned(),
            setup: vec!["cargo install --locked cargo-landfall".to_owned()],
        }
    }

    /// Set `UPDATE_EXPECT` to write the file anew.
    pub(super) fn expect(name: &str, text: &str) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = path.join("testdata").join(name);
        #[expect(
            clippy::disallowed_methods,
            reason = "whoever runs the test asks for it"
        )]
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, text).expect("the file can be written");
        }
        let expected = std::fs::read_to_string(&path).expect("the golden file");
        assert_eq!(text, expected, "{name}");
    }

    #[test]
    fn a_part_is_given_what_is_not_the_engine_s() {
        let given = words(&[
            "cargo-landfall",
            "sweep",
            "--engine",
            "github",
            "--db=x.db",
            "--resume",
            "-p",
            "a",
            "--shard",
            "0/3",
            "--twice",
        ]);
        assert_eq!(given, ["cargo", "landfall", "sweep", "-p", "a", "--twice"]);
    }

    #[test]
    fn a_part_that_finds_a_failure_has_done_its_work() {
        let line = parts().line("part.db");
        assert!(line.starts_with(
            "cargo landfall sweep -p raft-kv --seeds 2000 --scenario 'it'\\''s quick' \
             --shard auto --db part.db || "
        ));
        let ends_with = |code: u32| {
            let line = line.replace(
                line.split(" || ").next().expect("a line"),
                &format!("(exit {code})"),
            );
            let status = std::process::Command::new("sh")
                .args(["-c", &line])
                .status();
            status.expect("sh").code().expect("it exits")
        };
        let codes = [0, 100, 110, 111, 112, 1, 2, 101].map(ends_with);
        assert_eq!(codes, [0, 0, 0, 0, 0, 1, 1, 1]);
    }
}
