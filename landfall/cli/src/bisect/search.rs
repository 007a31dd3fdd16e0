//! The search for the first bad commit, where some cannot be judged.

use std::fmt;

use super::worktree::Commit;
use crate::exit::Error;

/// What a commit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The failure is not there.
    Good,
    /// It is.
    Bad,
    /// It cannot be judged, and why.
    Unknown(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::Bad => f.write_str("bad"),
            Self::Unknown(why) => write!(f, "skipped: {why}"),
        }
    }
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'c> {
    /// The first bad commit.
    First(&'c Commit),
    /// It is one of these, and why no more is known.
    OneOf(Vec<&'c Commit>, String),
}

/// The first bad one of `commits`, of which the first is to be good and the last bad. Each is
/// tried once at most; both ends are tried.
///
/// # Errors
/// The ends are not what they are to be, or a commit cannot be tried at all.
pub(super) fn search<'c>(
    commits: &'c [Commit],
    attempt: &mut dyn FnMut(&Commit) -> Result<Answer, Error>,
    is_over: &dyn Fn() -> bool,
) -> Result<Found<'c>, Error> {
    let (first, last) = (&commits[0], &commits[commits.len() - 1]);
    match attempt(last)? {
        Answer::Bad => {}
        other => return Err(Error::usage(format!("{last} is not bad: {other}"))),
    }
    match attempt(first)? {
        Answer::Good => {}
        other => return Err(Error::usage(format!("{first} is not good: {other}"))),
    }
    let (mut good, mut bad) = (0, commits.len() - 1);
    let mut unknown = vec![false; commits.len()];
    while !is_over() {
        let middle = usize::midpoint(good, bad);
        // The one nearest to the middle that may still tell.
        let open = (good + 1..bad).filter(|place| !unknown[*place]);
        let Some(place) = open.min_by_key(|place| (place.abs_diff(middle), *place)) else {
            break;
        };
        match attempt(&commits[place])? {
            Answer::Good => good = place,
            Answer::Bad => bad = place,
            Answer::Unknown(_) => unknown[place] = true,
        }
    }
    if bad == good + 1 {
        return Ok(Found::First(&commits[bad]));
    }
    let why = match is_over() {
        true => "it was stopped before they were tried",
        false => "all but the last were skipped",
    };
    let left = commits[good + 1..=bad].iter().collect();
    Ok(Found::OneOf(left, why.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn commits(count: usize) -> Vec<Commit> {
        let commit = |n: usize| Commit {
            name: format!("{n:040}"),
            subject: format!("change {n}"),
        };
        (0..count).map(commit).collect()
    }

    /// A history that is bad from a place on, where some commits do not build.
    fn answer(commit: &Commit, bad_from: usize, broken: &[usize]) -> Answer {
        let place: usize = commit.name.parse().expect("a number");
        match place {
            place if broken.contains(&place) => Answer::Unknown("broken".to_owned()),
            place if place < bad_from => Answer::Good,
            _ => Answer::Bad,
        }
    }

    #[test]
    fn the_first_bad_commit_is_found_in_few_attempts() {
        for count in 2..40 {
            let commits = commits(count);
            for bad_from in 1..count {
                let tries = Cell::new(0_u32);
                let mut attempt = |commit: &Commit| {
                    tries.set(tries.get() + 1);
                    Ok(answer(commit, bad_from, &[]))
                };
                let found = search(&commits, &mut attempt, &|| false).expect("the ends hold");
                assert_eq!(found, Found::First(&commits[bad_from]));
                assert!(tries.get() <= 3 + (count as u32).ilog2(), "{count}");
            }
        }
    }

    #[test]
    fn skipped_commits_are_gone_around_and_told_where_they_hide_the_answer() {
        let commits = commits(10);
        for bad_from in 1..10 {
            for broken in [
                vec![4],
                vec![4, 5],
                vec![2, 3, 4, 5, 6, 7],
                (1..9).collect(),
            ] {
                let mut attempt = |commit: &Commit| Ok(answer(commit, bad_from, &broken));
                let found = search(&commits, &mut attempt, &|| false).expect("the ends hold");
                let could_be: Vec<_> = match found {
                    Found::First(commit) => vec![commit],
                    Found::OneOf(commits, _) => commits,
                };
                // Every commit that no answer excludes, and none that one does.
                let judged = |place: &usize| !broken.contains(place);
                let good = (0..bad_from)
                    .filter(judged)
                    .max()
                    .expect("the first is good");
                let bad = (bad_from..10).find(judged).expect("the last is bad");
                let expected: Vec<_> = commits[good + 1..=bad].iter().collect();
                assert_eq!(could_be, expected, "{bad_from} {broken:?}");
            }
        }
    }

    #[test]
    fn ends_that_are_not_what_they_should_be_are_refused() {
        let commits = commits(5);
        let error = |bad_from, broken: &[usize]| {
            let mut attempt = |commit: &Commit| Ok(answer(commit, bad_from, broken));
            search(&commits, &mut attempt, &|| false)
                .expect_err("an end is wrong")
                .message
        };
        assert!(error(9, &[]).ends_with("change 4 is not bad: good"));
        assert!(error(0, &[]).ends_with("change 0 is not good: bad"));
        assert!(error(2, &[4]).ends_with("change 4 is not bad: skipped: broken"));
    }

    #[test]
    fn what_is_stopped_tells_what_is_left() {
        let commits = commits(9);
        let tries = Cell::new(0);
        let mut attempt = |commit: &Commit| {
            tries.set(tries.get() + 1);
            Ok(answer(commit, 7, &[]))
        };
        let found = search(&commits, &mut attempt, &|| tries.get() == 3);
        let Ok(Found::OneOf(left, why)) = found else {
            panic!("{found:?}");
        };
        assert_eq!(left, commits[5..].iter().collect::<Vec<_>>());
        assert!(why.contains("stopped"));
    }
}
