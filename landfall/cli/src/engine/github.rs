//! A workflow: a matrix of parts, then a job that puts them together and judges.

use serde_json::json;

use super::{Parts, yaml};

/// The workflow's file.
pub(super) fn workflow(parts: &Parts) -> String {
    let set_up: Vec<_> = parts
        .setup
        .iter()
        .map(|line| json!({ "run": line }))
        .collect();
    let steps = |more: Vec<serde_json::Value>| {
        let mut steps = vec![json!({ "uses": "actions/checkout@v4" })];
        steps.extend(set_up.iter().cloned());
        steps.extend(more);
        steps
    };
    let indexes: Vec<u32> = (0..parts.count).collect();
    let part = parts.line("part.db").replace(
        " --shard auto",
        &format!(" --shard ${{{{ matrix.part }}}}/{}", parts.count),
    );
    let sweep = json!({
        "runs-on": "ubuntu-latest",
        "strategy": { "fail-fast": false, "matrix": { "part": indexes } },
        "steps": steps(vec![
            json!({ "run": part }),
            json!({
                "uses": "actions/upload-artifact@v4",
                "with": { "name": "part-${{ matrix.part }}", "path": "part.db" },
            }),
        ]),
    });
    let merge = json!({
        "runs-on": "ubuntu-latest",
        "needs": "sweep",
        "steps": steps(vec![
            json!({
                "uses": "actions/download-artifact@v4",
                "with": { "path": "parts" },
            }),
            json!({
                "run": "cargo landfall merge parts/*/part.db --github \
                        --summary \"$GITHUB_STEP_SUMMARY\"",
            }),
        ]),
    });
    let workflow = json!({
        "name": "landfall",
        "on": { "workflow_dispatch": {}, "schedule": [{ "cron": "17 3 * * *" }] },
        "jobs": { "sweep": sweep, "merge": merge },
    });
    format!(
        "# .github/workflows/landfall.yml: the parts of one sweep, and their verdict.\n{}",
        yaml::write(&workflow)
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{expect, parts};
    use super::workflow;

    #[test]
    fn the_workflow_is_the_golden_one() {
        expect("github.yml", &workflow(&parts()));
    }
}
