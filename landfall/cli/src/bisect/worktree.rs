//! Commits, and a second checkout to look at them in: the user's own is not touched.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exit::Error;

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    /// Its full name.
    pub(super) name: String,
    /// The first line of its message.
    pub(super) subject: String,
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.name.get(..12).unwrap_or(&self.name);
        write!(f, "{short} {}", self.subject)
    }
}

/// A checkout that goes away when this is dropped.
#[derive(Debug)]
pub(super) struct Worktree {
    /// The user's checkout.
    root: PathBuf,
    /// This one, beside it, so that paths which lead out of the repository still lead there.
    path: PathBuf,
    /// Where in the checkout the command was given.
    inside: PathBuf,
    /// The current directory, to go back to.
    home: PathBuf,
}

impl Worktree {
    /// A checkout of `bad`, and the commits from `good` to it, both included: along the first
    /// parents, as merges were made.
    ///
    /// # Errors
    /// There is no such history, or no place for a checkout.
    pub(super) fn new(good: &str, bad: &str) -> Result<(Self, Vec<Commit>), Error> {
        let home = env::current_dir()
            .and_then(|home| home.canonicalize())
            .map_err(|error| Error::usage(format!("there is no current directory: {error}")))?;
        let root = PathBuf::from(git(&home, &["rev-parse", "--show-toplevel"])?);
        let [good, bad] = [good, bad].map(|revision| {
            let commit = format!("{revision}^{{commit}}");
            let words = ["rev-parse", "--verify", "--end-of-options", &commit];
            git(&root, &words)
                .map_err(|_| Error::usage(format!("{revision} names no commit of this repository")))
        });
        let (good, bad) = (good?, bad?);
        let range = format!("{good}..{bad}");
        let words = ["log", "--first-parent", "--reverse", "--format=%H %s"];
        let after = git(&root, &[&words[..], &[&range]].concat())?;
        let before = git(&root, &["log", "-1", "--format=%H %s", &good])?;
        let all = before.lines().chain(after.lines());
        let commits: Vec<Commit> = all.filter_map(commit).collect();
        let is_before = ["merge-base", "--is-ancestor", &good, &bad];
        if commits.len() < 2 || git(&root, &is_before).is_err() {
            return Err(Error::usage(format!(
                "{good} is not before {bad}: --good names a commit that --bad came after"
            )));
        }
        let beside = root.parent().unwrap_or(&root);
        let path = beside.join(format!(".landfall-bisect-{}", std::process::id()));
        let shown = path.display().to_string();
        git(
            &root,
            &["worktree", "add", "--quiet", "--detach", &shown, &bad],
        )?;
        let inside = home.strip_prefix(&root).unwrap_or(Path::new(""));
        let inside = path.join(inside);
        let worktree = Self {
            root,
            path,
            inside,
            home,
        };
        Ok((worktree, commits))
    }

    /// Where the commits are built, unless the user says otherwise.
    pub(super) fn target_directory(&self) -> PathBuf {
        self.path.join("target")
    }

    pub(super) fn check_out(&self, commit: &Commit) -> Result<(), Error> {
        let words = ["checkout", "--quiet", "--force", "--detach", &commit.name];
        git(&self.path, &words).map(drop)
    }

    /// Does something with the current directory in the checkout.
    pub(super) fn inside<T>(&self, act: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let to = |path: &Path| {
            env::set_current_dir(path)
                .map_err(|error| Error::usage(format!("{}: {error}", path.display())))
        };
        to(&self.inside)?;
        let done = act();
        to(&self.home)?;
        done
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        let _ = env::set_current_dir(&self.home);
        let _ = fs::remove_dir_all(&self.path);
        // Without its directory it is forgotten.
        let _ = git(&self.root, &["worktree", "prune"]);
    }
}

fn commit(line: &str) -> Option<Commit> {
    let (name, subject) = line.split_once(' ')?;
    Some(Commit {
        name: name.to_owned(),
        subject: subject.to_owned(),
    })
}

/// What git says to these words.
fn git(directory: &Path, words: &[&str]) -> Result<String, Error> {
    let out = Command::new("git")
        .current_dir(directory)
        .args(words)
        .output()
        .map_err(|error| Error::usage(format!("git cannot be called: {error}")))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        let said = said.trim().trim_start_matches("fatal: ");
        return Err(Error::usage(format!("git {}: {said}", words.join(" "))));
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}
