//! How long a workload lasts, how fast it goes, and after how many operations it is done.

use std::ops::Range;

use crate::compile::fields;
use crate::diagnostic::Code;
use crate::grammar::workload::{Iterations, Rate, Size, WorkloadDraft};
use crate::human::duration;
use crate::plan::{Field, FieldKind, PlanScenario};
use crate::scenario::RATE_DEFAULT;
use crate::sink::Sink;

const SECOND: u64 = 1_000_000_000;

/// What a workload's clients do in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) duration_ns: u64,
    pub(crate) rate_per_client: Option<u32>,
    pub(crate) operations_per_client: Option<u32>,
}

/// The pace, with what the plan leaves open made to fit what it says.
pub(crate) fn settle(
    written: &PlanScenario,
    said: &WorkloadDraft,
    clients: Size,
    sink: &mut Sink<'_>,
) -> Pace {
    let said_rate = rate(written, said.rate, clients.least, sink);
    let operations = iterations(written, said.iterations, clients.least, sink);
    if operations == Some(0) && (!said.mix.is_empty() || said.rate.is_some()) {
        sink.conflict(&place(written), "load of clients that are idle");
    }
    let count = u64::from(operations.unwrap_or(0));
    // Pauses are drawn, and operations take their time.
    let ample = count + count / 2;
    let duration_ns = said.duration_ns.unwrap_or_else(|| {
        let rate = u64::from(said_rate.unwrap_or(RATE_DEFAULT));
        let takes = ample.div_ceil(rate).max(1) * SECOND;
        let length = if count == 0 { 30 * SECOND } else { takes };
        sink.default(FieldKind::Workload, format!("for {}", duration(length)));
        length
    });
    let needed = u128::from(ample) * u128::from(SECOND) / u128::from(duration_ns.max(1));
    let needed = u32::try_from(needed + 1).unwrap_or(u32::MAX);
    let rate_per_client = match said_rate {
        None if needed > RATE_DEFAULT => {
            let fits = format!("{needed} operations a second for each client, so that all fit");
            sink.default(FieldKind::Workload, fits);
            Some(needed)
        }
        None if said.rate.is_none() => {
            let own = "each client at the runner's own think time";
            sink.default(FieldKind::Workload, own);
            None
        }
        rate => rate,
    };
    if let Some(rate) = said_rate
        && u128::from(count) * u128::from(SECOND) > u128::from(duration_ns) * u128::from(rate)
    {
        let length = duration(duration_ns);
        let message = format!("{count} operations at {rate} a second are not done in {length}");
        let help = Some("lengthen the workload, or leave its length or its rate open".to_owned());
        let label = "does not fit";
        sink.error(Code::BadNumber, &place(written), message, label, help);
    }
    Pace {
        duration_ns,
        rate_per_client,
        operations_per_client: operations,
    }
}

/// Where the workload is said.
fn place(written: &PlanScenario) -> Range<usize> {
    let field = fields(written, FieldKind::Workload).next();
    field.map_or(written.heading.clone(), Field::span)
}

fn iterations(
    written: &PlanScenario,
    said: Option<Iterations>,
    clients: u32,
    sink: &mut Sink<'_>,
) -> Option<u32> {
    match said? {
        Iterations::PerClient(count) => Some(count),
        Iterations::Total(total) => {
            let help = "write how many each client does: `500 operations each`";
            shared(written, (total, "operations", help), clients, sink)
        }
    }
}

fn rate(
    written: &PlanScenario,
    rate: Option<Rate>,
    clients: u32,
    sink: &mut Sink<'_>,
) -> Option<u32> {
    match rate? {
        Rate::PerClient(rate) => Some(rate),
        Rate::Total(total) => {
            let help = "write the rate per client: `20 ops/s per client`";
            shared(written, (total, "operations a second", help), clients, sink)
        }
    }
}

/// A client's part of what is said of all of them.
fn shared(
    written: &PlanScenario,
    (total, what, help): (u32, &str, &str),
    clients: u32,
    sink: &mut Sink<'_>,
) -> Option<u32> {
    if total.is_multiple_of(clients) {
        return Some(total / clients);
    }
    let message = format!("{total} {what} do not divide by {clients} clients");
    let help = Some(help.to_owned());
    let label = "uneven rate";
    sink.error(Code::BadNumber, &place(written), message, label, help);
    None
}
