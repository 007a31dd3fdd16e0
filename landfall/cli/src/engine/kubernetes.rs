//! An Indexed Job: one pod for each part, each with its index in `JOB_COMPLETION_INDEX`.

use serde::Serialize;

use super::{Parts, yaml};

/// How often a part is tried whose pod was lost.
const RETRIES: u32 = 3;

/// Where the parts leave their databases.
const RESULTS: &str = "/results";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: JobSpec,
}

#[derive(Serialize)]
struct Metadata {
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobSpec {
    completion_mode: &'static str,
    completions: u32,
    parallelism: u32,
    backoff_limit_per_index: u32,
    template: Template,
}

#[derive(Serialize)]
struct Template {
    spec: PodSpec,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    restart_policy: &'static str,
    containers: Vec<Container>,
    volumes: Vec<Volume>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: &'static str,
    image: String,
    command: Vec<String>,
    env: Vec<Variable>,
    volume_mounts: Vec<Mount>,
}

#[derive(Serialize)]
struct Variable {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mount {
    name: &'static str,
    mount_path: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    name: &'static str,
    persistent_volume_claim: Claim,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claim {
    claim_name: &'static str,
}

/// The Job, for `kubectl apply -f -`.
pub(super) fn manifest(parts: &Parts) -> String {
    let line = parts.line(&format!("{RESULTS}/part-$JOB_COMPLETION_INDEX.db"));
    let name = "landfall";
    let container = Container {
        name,
        image: parts.image.clone(),
        command: vec!["sh".to_owned(), "-c".to_owned(), line],
        env: vec![Variable {
            name: "JOB_COMPLETIONS",
            value: parts.count.to_string(),
        }],
        volume_mounts: vec![Mount {
            name: "results",
            mount_path: RESULTS,
        }],
    };
    let job = Job {
        api_version: "batch/v1",
        kind: "Job",
        metadata: Metadata { name },
        spec: JobSpec {
            completion_mode: "Indexed",
            completions: parts.count,
            parallelism: parts.count,
            backoff_limit_per_index: RETRIES,
            template: Template {
                spec: PodSpec {
                    restart_policy: "Never",
                    containers: vec![container],
                    volumes: vec![Volume {
                        name: "results",
                        persistent_volume_claim: Claim {
                            claim_name: "landfall-results",
                        },
                    }],
                },
            },
        },
    };
    let job = serde_json::to_value(&job).expect("plain data has a JSON form");
    format!(
        "# The parts of one sweep. Their databases are left in the claim landfall-results; then:\n\
         # cargo landfall merge part-*.db\n{}",
        yaml::write(&job)
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{expect, parts};
    use super::manifest;

    #[test]
    fn the_manifest_is_the_golden_one() {
        expect("kubernetes.yaml", &manifest(&parts()));
    }
}
