//! Which picks of the schedule a failure needs: its critical pairs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use sim_runtime::Deviation;

use super::Probe;
use crate::coordinate::CoordinateError;
use crate::reduce;
use crate::report::SeedReport;
use crate::script::Preemption;

/// How many runs the search for critical pairs may take for each run of a moment.
const RUNS_SHARE: u64 = 16;

/// What a failure needs of the order in which tasks run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleNeeds {
    /// Nothing: it is there first in, first out, too.
    Nothing,
    /// These pairs, each turned round: without any one of them the failure is gone, or another.
    /// Where the search was cut short, some may not be needed.
    Pairs {
        /// Each pair.
        pairs: Vec<Preemption>,
        /// Whether none is left that is not needed.
        is_least: bool,
    },
    /// More than could be taken apart: so many picks out of order.
    Many(usize),
}

impl fmt::Display for ScheduleNeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => {
                f.write_str("the order of tasks does not matter: it fails first in, first out, too")
            }
            Self::Many(count) => write!(
                f,
                "it needs more of its schedule than could be taken apart: {count} picks are out \
                 of order"
            ),
            Self::Pairs { pairs, is_least } => {
                f.write_str("it needs this order of tasks, else first in, first out:")?;
                for pair in pairs {
                    write!(f, "\n  {pair}")?;
                }
                if !is_least {
                    f.write_str("\n  stopped early: some of these may not be needed")?;
                }
                Ok(())
            }
        }
    }
}

impl Probe<'_, '_> {
    /// Puts the schedule back to first in, first out, but for the picks that are needed.
    pub(super) fn schedule(
        &mut self,
        report: &SeedReport,
    ) -> Result<Option<ScheduleNeeds>, CoordinateError> {
        let deviations = match &self.script.deviations {
            Some(scripted) => scripted.clone(),
            None => report
                .recording
                .as_ref()
                .map(|recording| recording.deviations.clone())
                .unwrap_or_default(),
        };
        if (self.effort.is_over)() {
            return Ok(None);
        }
        let found = self.least(&deviations)?;
        let Some((kept, is_least)) = found else {
            return Ok(Some(ScheduleNeeds::Many(deviations.len())));
        };
        if kept.is_empty() {
            return Ok(Some(ScheduleNeeds::Nothing));
        }
        self.runs += 1;
        let script = self.script.fifo_but(kept);
        let request = self.base.clone().with_script(&script).with_recording();
        let outcome = self.pool.run_one(request)?;
        let recording = outcome.report().and_then(|report| report.recording.clone());
        let pairs = recording.unwrap_or_default().preemptions;
        Ok(Some(ScheduleNeeds::Pairs { pairs, is_least }))
    }

    /// The fewest picks with which it still fails, and whether none is left out by chance; none
    /// where they cannot be taken apart.
    fn least(
        &mut self,
        deviations: &[Deviation],
    ) -> Result<Option<(Vec<Deviation>, bool)>, CoordinateError> {
        let before = self.runs;
        let progress = &mut self.effort.progress;
        let mut effort = reduce::Effort {
            runs_max: RUNS_SHARE * u64::from(self.effort.runs_a_point),
            is_over: self.effort.is_over,
            progress: &mut |done| progress(before + done.runs),
        };
        let mut trials = reduce::Trials {
            pool: self.pool,
            base: self.base.clone(),
            signature: self.signature.to_owned(),
            nodes: 0,
            effort: &mut effort,
            progress: reduce::Progress {
                stage: "schedule",
                runs: 0,
                windows: 0,
                operations: 0,
            },
            others: BTreeMap::new(),
            broken: None,
        };
        let kept = trials.least_deviations(self.script, deviations.to_vec());
        let is_least = !trials.is_over();
        self.runs += trials.progress.runs;
        match trials.broken {
            Some(error) => Err(error),
            None => Ok(kept.map(|kept| (kept, is_least))),
        }
    }
}
