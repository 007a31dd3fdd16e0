//! `bisect`: the first commit at which a capsule fails as it did when it was written.

mod search;
mod worktree;

use std::path::Path;

use crate::args::{BisectArgs, FailureArgs, Format};
use crate::exit::{Error, Exit};
use crate::failure::{self, Subject};
use crate::output;
use crate::patience::Patience;
use crate::replay;

use self::search::{Answer, Found, search};
use self::worktree::{Commit, Worktree};

/// Replays the capsule at commits between a good one and a bad one.
pub(crate) fn run(args: &BisectArgs) -> Result<Exit, Error> {
    let capsule = failure::read(&args.capsule)?;
    let path = args.capsule.canonicalize().map_err(|error| {
        Error::usage(format!(
            "{} cannot be found again: {error}",
            args.capsule.display()
        ))
    })?;
    if let Some(manifest) = &args.cargo.manifest_path
        && manifest.is_absolute()
    {
        return Err(Error::usage(
            "--manifest-path is taken in each commit: give it from here, not from the root",
        ));
    }
    let (worktree, commits) = Worktree::new(&args.good, &args.bad)?;
    let patience = Patience::new(args.seconds.map(std::time::Duration::from_secs))?;
    output::say(&format!(
        "{} commits between {} and {}",
        commits.len() - 1,
        args.good,
        args.bad
    ));
    let mut cargo = args.cargo.clone();
    // What one commit built, the next one need not, and none is mixed with the checkout's own.
    cargo
        .target_dir
        .get_or_insert_with(|| worktree.target_directory());
    let failing = FailureArgs {
        capsule: Some(path),
        select: Default::default(),
        seed: None,
        how: args.how.clone(),
        output: args.output.clone(),
        cargo,
    };
    let mut attempt = |commit: &Commit| -> Result<Answer, Error> {
        worktree.check_out(commit)?;
        let answer = worktree.inside(|| fails(&failing, &capsule.signature))?;
        output::say(&format!("{commit}: {answer}"));
        Ok(answer)
    };
    let found = search(&commits, &mut attempt, &|| patience.is_over())?;
    drop(worktree);
    let exit = match &found {
        Found::First(_) => Exit::Pass,
        Found::OneOf(..) => Exit::Inconclusive,
    };
    show(&found, &args.capsule, args.output.format, exit);
    Ok(exit)
}

/// Whether the capsule's failure is there in what is checked out.
fn fails(args: &FailureArgs, signature: &str) -> Result<Answer, Error> {
    let outcome = Subject::find(args, "bisect")
        .and_then(|subject| replay::as_the_capsule_says(&subject, args));
    let (_, outcome, _) = match outcome {
        Ok(ran) => ran,
        // A commit that does not build, or lacks the test or its plan, says nothing.
        Err(error) if error.exit != Exit::Internal => {
            let first = error.message.lines().next().unwrap_or_default();
            return Ok(Answer::Unknown(first.to_owned()));
        }
        Err(error) => return Err(error),
    };
    Ok(match outcome.signature() {
        Some(same) if same == signature => Answer::Bad,
        Some(other) => Answer::Unknown(format!("it fails with {other}")),
        None => Answer::Good,
    })
}

fn show(found: &Found<'_>, capsule: &Path, format: Format, exit: Exit) {
    let json =
        |commit: &Commit| serde_json::json!({ "commit": commit.name, "subject": commit.subject });
    match (format, found) {
        (Format::Human, Found::First(commit)) => {
            output::print(&format!("{} fails since\n{commit}\n", capsule.display()));
        }
        (Format::Human, Found::OneOf(commits, why)) => {
            let mut text = format!("{} fails since one of these: {why}\n", capsule.display());
            for commit in commits {
                text.push_str(&format!("{commit}\n"));
            }
            output::print(&text);
        }
        (Format::Json | Format::Jsonl, found) => {
            let (first, among, why) = match found {
                Found::First(commit) => (Some(json(commit)), Vec::new(), None),
                Found::OneOf(commits, why) => {
                    let among = commits.iter().map(|commit| json(commit)).collect();
                    (None, among, Some(why))
                }
            };
            output::print_json(&serde_json::json!({
                "command": "bisect",
                "first_bad": first,
                "one_of": among,
                "why": why,
                "exit_code": exit.code(),
            }));
        }
    }
}
