//! Which part of a sweep this process runs: told, or found out from whoever started many.

use landfall::sweep::Shard;

use crate::exit::Error;

/// What `--shard` and `LANDFALL_SHARD` take.
const WANTED: &str = "a part such as 0/4 (from 0), or auto to take it from the environment";

/// The variables in which those that start many processes say which one it is: the index, what it
/// counts from, and how many there are.
const ENVIRONMENTS: [(&str, &str, u32, &str); 7] = [
    ("Slurm", "SLURM_ARRAY_TASK_ID", 0, "SLURM_ARRAY_TASK_COUNT"),
    ("Kubernetes", "JOB_COMPLETION_INDEX", 0, "JOB_COMPLETIONS"),
    (
        "AWS Batch",
        "AWS_BATCH_JOB_ARRAY_INDEX",
        0,
        "AWS_BATCH_JOB_ARRAY_SIZE",
    ),
    ("GitLab", "CI_NODE_INDEX", 1, "CI_NODE_TOTAL"),
    (
        "Buildkite",
        "BUILDKITE_PARALLEL_JOB",
        0,
        "BUILDKITE_PARALLEL_JOB_COUNT",
    ),
    ("CircleCI", "CIRCLE_NODE_INDEX", 0, "CIRCLE_NODE_TOTAL"),
    ("Bazel", "TEST_SHARD_INDEX", 0, "TEST_TOTAL_SHARDS"),
];

/// Which part: by the flag, else by `LANDFALL_SHARD`, else all of it.
pub(crate) fn of(flag: Option<&str>) -> Result<Shard, Error> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this module owns which part it is"
    )]
    let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    find(flag, &get).map_err(Error::usage)
}

fn find(flag: Option<&str>, get: &dyn Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let (from, text) = match (flag, get("LANDFALL_SHARD")) {
        (Some(text), _) => ("--shard ", text.to_owned()),
        (None, Some(text)) => ("LANDFALL_SHARD=", text),
        (None, None) => return Ok(Shard::WHOLE),
    };
    if text == "auto" {
        return detected(get);
    }
    parse(&text).ok_or_else(|| format!("{from}{text} cannot be used: it takes {WANTED}"))
}

fn parse(text: &str) -> Option<Shard> {
    let (index, of) = text.split_once('/')?;
    let (index, of) = (index.parse().ok()?, of.parse().ok()?);
    (index < of).then_some(Shard { index, of })
}

fn detected(get: &dyn Fn(&str) -> Option<String>) -> Result<Shard, String> {
    for (who, index, first, count) in ENVIRONMENTS {
        let Some(said) = get(index) else {
            continue;
        };
        // Slurm's arrays begin where they are told to.
        let first = match who {
            "Slurm" => get("SLURM_ARRAY_TASK_MIN")
                .and_then(|min| min.parse().ok())
                .unwrap_or(0),
            _ => first,
        };
        let of = get(count).and_then(|of| of.parse().ok());
        let at = said
            .parse::<u32>()
            .ok()
            .and_then(|at| at.checked_sub(first));
        return match (at, of) {
            (Some(index), Some(of)) if index < of => Ok(Shard { index, of }),
            _ => Err(format!(
                "{who} says {index}={said} and {count}={}: that is no part of a sweep; set both, \
                 or give --shard i/n",
                get(count).unwrap_or_default()
            )),
        };
    }
    let names: Vec<_> = ENVIRONMENTS.iter().map(|(_, index, ..)| *index).collect();
    Err(format!(
        "this process is to find out which part of the sweep it is, and none of {} is set: give \
         --shard i/n",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(flag: Option<&str>, set: &[(&str, &str)]) -> Result<Shard, String> {
        find(flag, &|name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_part_is_told_or_found_out() {
        let part = |index, of| Ok(Shard { index, of });
        assert_eq!(found(None, &[]), Ok(Shard::WHOLE));
        assert_eq!(found(Some("2/5"), &[("LANDFALL_SHARD", "0/9")]), part(2, 5));
        assert_eq!(found(None, &[("LANDFALL_SHARD", "3/4")]), part(3, 4));
        for (_, index, first, count) in ENVIRONMENTS {
            let at = (first + 2).to_string();
            let set = [(index, at.as_str()), (count, "4")];
            assert_eq!(found(Some("auto"), &set), part(2, 4), "{index}");
        }
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "12"),
            ("SLURM_ARRAY_TASK_MIN", "10"),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
        ];
        assert_eq!(found(Some("auto"), &slurm), part(2, 3));
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for text in ["", "1", "4/4", "-1/3", "a/b", "1/0"] {
            let why = found(Some(text), &[]).unwrap_err();
            assert!(
                why.starts_with(&format!("--shard {text} cannot be used")),
                "{why}"
            );
        }
        let none = found(Some("auto"), &[]).unwrap_err();
        assert!(
            none.contains("JOB_COMPLETION_INDEX") && none.contains("--shard i/n"),
            "{none}"
        );
        let half = found(Some("auto"), &[("CI_NODE_INDEX", "1")]).unwrap_err();
        assert!(
            half.contains("GitLab") && half.contains("CI_NODE_TOTAL"),
            "{half}"
        );
        // GitLab counts from 1.
        assert!(
            found(
                Some("auto"),
                &[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "2")]
            )
            .is_err()
        );
    }
}
