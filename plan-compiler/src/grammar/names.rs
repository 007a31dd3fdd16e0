//! A fault's name: of what it does and to whom, so that a clause more leaves it as it is.

use crate::scenario::{FaultKind, Target};

/// `S3.partition-leader`; with a number when the scenario has such a fault already.
pub(crate) fn fault(scenario: &str, kind: FaultKind, target: Target, taken: &[&str]) -> String {
    let words = kind.to_string();
    let end = words.find(['(', ':', ',']).unwrap_or(words.len());
    let short = words[..end].split(" of ").next().unwrap_or("");
    let letters = short
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty());
    let what: Vec<String> = letters.map(str::to_lowercase).collect();
    let name = format!("{scenario}.{}{}", what.join("-"), whom(target));
    let same = |id: &&&str| {
        let base = id.trim_end_matches(|c: char| c.is_ascii_digit());
        **id == name || base.strip_suffix('-') == Some(name.as_str())
    };
    match taken.iter().filter(same).count() {
        0 => name,
        before => format!("{name}-{}", before + 1),
    }
}

fn whom(target: Target) -> String {
    match target {
        Target::Node { number } => format!("-n{number}"),
        Target::Leader => "-leader".to_owned(),
        Target::Follower => "-follower".to_owned(),
        Target::Random => "-any".to_owned(),
        Target::Minority => "-minority".to_owned(),
        Target::MinorityThird => "-third".to_owned(),
        Target::Majority => "-majority".to_owned(),
        Target::All => String::new(),
        Target::Rolling => "-rolling".to_owned(),
        Target::RollingReverse => "-reverse".to_owned(),
        Target::Several { count } => format!("-some{count}"),
        Target::Role => "-role".to_owned(),
        Target::Idle => "-idle".to_owned(),
        Target::Followers => "-followers".to_owned(),
        Target::Nodes { nodes } => nodes
            .numbers()
            .map(|number| format!("-n{number}"))
            .collect(),
        Target::AllBut { number } => format!("-but-n{number}"),
    }
}
