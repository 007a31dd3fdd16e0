//! Consistency weaker than linearizability, for registers that are read and written one at a time.
//!
//! Each value of a key is written once, so that a read says which write it read from. A model then
//! says which operations must come before which, and what may be read. With one order of the
//! writes *for each session*, in which only the reads of that session must fit:
//!
//! | model | what an order keeps |
//! |---|---|
//! | monotonic reads | the session's reads as it made them |
//! | read your writes | the session's writes, and each before its later reads |
//! | monotonic writes | the writes of every session, and the session's reads |
//! | writes follow reads | each write after what its session had read, and the session's reads |
//! | PRAM | everything that a session did, in its order |
//! | causal | everything after all that caused it |
//!
//! With one order for all: causal convergence (what is before a read by its causes is before what
//! it read), read atomic (as that, for the session's own writes), read committed (causes have no
//! cycle), and sequential (every read returns the last write before it).
//!
//! Sources: Ahamad and others on causal memory and PRAM (1995); Bouajjani, Enea, Guerraoui, Hamza,
//! *On verifying causal consistency* (2017); Biswas and Enea on the transactional levels (2019);
//! Terry and others on session guarantees (1994). An order for a session exists exactly when what
//! it must keep, and what follows from its reads, has no cycle: its reads are in sequence, so each
//! can be given the writes that it needs and no more.
//!
//! Cost: near linear for each session that reads, so sessions times operations; memory 60 bytes an
//! operation. Only *sequential* searches, within the budget.

use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::report::{Budget, CheckReport, Finding, Outcome};

mod convergence;
mod cycle;
mod explain;
mod global;
mod names;
mod sequential;
mod sessions;
mod view;

use sessions::Sessions;

/// A model weaker than linearizability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weak {
    /// One order of all operations that keeps each session's.
    Sequential,
    /// Causal memory: each session sees all writes in an order that keeps causes.
    Causal,
    /// Causal, and all sessions agree on the order of writes that do not cause one another.
    CausalConvergence,
    /// Each session sees the writes of each other in their order.
    Pram,
    /// A session's read is not older than its own last write.
    ReadYourWrites,
    /// A session's reads of a key do not go back.
    MonotonicReads,
    /// A session's writes are seen in their order.
    MonotonicWrites,
    /// A write is seen after what its session had read before it.
    WritesFollowReads,
    /// Nothing is read that did not happen, and causes have no cycle.
    ReadCommitted,
    /// And a session's own writes are not undone for it.
    ReadAtomic,
    /// At the end all nodes have the same.
    Convergence,
}

/// What a level finds wrong.
pub(crate) struct Violation {
    /// The kind.
    pub(crate) anomaly: &'static str,
    /// The nodes that prove it, in a sensible order.
    pub(crate) nodes: Vec<u32>,
    /// Why each comes before the next, and the last before the first; empty when one sentence
    /// says all.
    pub(crate) edges: Vec<cycle::Why>,
}

/// What a level says.
pub(crate) enum Verdict {
    Holds,
    Broken(Violation),
    /// The budget is spent.
    Spent(String),
}

impl Weak {
    /// What a level says of a history whose reads all have their writes.
    fn decide(self, sessions: &Sessions<'_>, budget: &Budget) -> Verdict {
        match self {
            Weak::Sequential => sequential::decide(sessions, budget),
            Weak::ReadYourWrites => view::read_your_writes(sessions),
            Weak::MonotonicReads => view::monotonic_reads(sessions),
            Weak::Causal | Weak::Pram | Weak::MonotonicWrites | Weak::WritesFollowReads => {
                view::decide(self, sessions, budget)
            }
            Weak::CausalConvergence => global::causal_convergence(sessions, budget),
            Weak::ReadAtomic => global::read_atomic(sessions),
            Weak::ReadCommitted => global::read_committed(sessions),
            Weak::Convergence => Verdict::Holds,
        }
    }
}

/// Judges a history by a weaker model.
pub(crate) fn check(history: &History, weak: Weak, budget: &Budget) -> CheckReport {
    let row = weak.row();
    if weak == Weak::Convergence {
        return convergence::check(history, row);
    }
    let sessions = match Sessions::of(history) {
        Ok(sessions) => sessions,
        Err(field) => {
            let mut report = CheckReport::new(row.name, Outcome::Weak { field }, 0, 0);
            report.scope = format!("{}; nothing was judged", row.claim);
            return report;
        }
    };
    let total = sessions.nodes.len() as u64;
    let mut report = CheckReport::new(row.name, Outcome::Ok, total, total);
    report.scope = format!("{}; cannot see {}", row.claim, row.blind);
    let unread = sessions.unread;
    if unread > 0 {
        let note = format!("; {unread} writes of unknown outcome that nobody read are left out");
        report.scope.push_str(&note);
    }
    report.engine = match weak {
        Weak::Sequential => "search".to_owned(),
        _ => "saturation".to_owned(),
    };
    let findings = sessions.impossible();
    if !findings.is_empty() {
        report.outcome = Outcome::Violation;
        report.findings = findings;
        report.cap_findings();
        return report;
    }
    if sessions.reads == 0 {
        let field = "acknowledged reads".to_owned();
        report.outcome = Outcome::Weak { field };
        (report.consumed, report.total) = (0, total);
        return report;
    }
    match weak.decide(&sessions, budget) {
        Verdict::Holds => {}
        Verdict::Spent(why) => {
            report.outcome = Outcome::Unknown { why };
            report.consumed = 0;
        }
        Verdict::Broken(violation) => {
            report.outcome = Outcome::Violation;
            let finding: Finding = explain::finding(&sessions, weak, &violation, budget);
            report.findings.push(finding);
        }
    }
    report
}
