//! What guests tell by probes and by metrics.

use sim_runtime::SimInstant;

use super::is_within;
use crate::log::LogLine;
use crate::metrics::value_of;
use crate::nemesis::Opened;

/// The windows that a condition is about, and how soon after each.
type After<'a> = (&'a [&'a Opened], Option<u64>);

/// Whether a probe held so often soon enough after some window.
pub(super) fn held(
    times: &[SimInstant],
    min: u64,
    (windows, within_ns): After<'_>,
    name: &str,
) -> (bool, String) {
    let mut most = 0;
    for window in windows {
        let is_soon = |at: &&SimInstant| is_within(**at, window.at, within_ns);
        let mut soon = times.iter().filter(is_soon);
        let last = usize::try_from(min.max(1) - 1)
            .ok()
            .and_then(|nth| soon.clone().nth(nth));
        if let Some(at) = last {
            return (true, format!("{at} probe {name:?} held, {min} times"));
        }
        most = most.max(soon.by_ref().count());
    }
    let what = format!("the probe {name:?} held {most} times after a fault, in time");
    (false, what)
}

/// Whether a metric came to so much soon enough after some window: what counters count from there
/// on, the values of gauges and histograms one by one.
pub(super) fn metric(
    log: &[LogLine],
    min: u64,
    (windows, within_ns): After<'_>,
    name: &str,
) -> (bool, String) {
    let mut most: Option<f64> = None;
    for window in windows {
        let mut sum = 0.0;
        let lines = log.iter();
        for line in lines.filter(|line| is_within(SimInstant(line.at), window.at, within_ns)) {
            let Some((value, adds)) = value_of(&line.text, name) else {
                continue;
            };
            sum = if adds { sum + value } else { value };
            most = Some(most.map_or(sum, |most| most.max(sum)));
            if sum >= min as f64 {
                let (at, node) = (SimInstant(line.at), &line.node);
                return (true, format!("{at} {node} {name} is {sum}"));
            }
        }
    }
    let what = match most {
        Some(most) => format!("the metric {name:?} was {most} at most, in time"),
        None => format!("no guest told a metric {name:?} in time"),
    };
    (false, what)
}

#[cfg(test)]
mod tests {
    use sim_runtime::NodeId;

    use super::*;

    fn opened(at: u64) -> Opened {
        Opened {
            fault: "S1.f1".to_owned(),
            at: SimInstant(at),
            targets: vec![NodeId(1)],
        }
    }

    fn line(at: u64, text: &str) -> LogLine {
        LogLine {
            at,
            node: "n2".to_owned(),
            task: 0,
            level: "INFO".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_probe_holds_so_often_after_a_fault_and_soon_enough() {
        let window = opened(10);
        let times = [5, 10, 12, 20].map(SimInstant);
        let judged = |min, within| held(&times, min, (&[&window], within), "x").0;
        assert!(judged(1, None) && judged(3, None) && !judged(4, None));
        assert!(judged(2, Some(2)) && !judged(3, Some(2)));
        assert!(!held(&times[..1], 1, (&[&window], None), "x").0);
        assert!(!held(&times, 1, (&[], None), "x").0);
    }

    #[test]
    fn counters_add_up_from_the_fault_on_and_gauges_do_not() {
        let window = opened(10);
        let log = [
            line(9, "told monotonic_counter.retries=50"),
            line(11, "told monotonic_counter.retries=2"),
            line(12, "told monotonic_counter.retries=3 node=1"),
            line(13, "told gauge.depth=4"),
            line(14, "told gauge.depth=3"),
            line(15, "told metric=\"lag\" value=1.5"),
            line(16, "told metric=elections"),
            line(17, "told monotonic_counter.retries_more=900"),
        ];
        let judged = |name, min, within| metric(&log, min, (&[&window], within), name);
        assert!(judged("retries", 5, None).0);
        assert!(!judged("retries", 6, None).0);
        assert!(!judged("retries", 5, Some(1)).0);
        assert!(judged("depth", 4, None).0);
        let (held, what) = judged("depth", 5, None);
        assert!(!held && what.contains("was 4 at most"), "{what}");
        assert!(judged("lag", 1, None).0 && !judged("lag", 2, None).0);
        assert!(judged("elections", 1, None).0);
        let (held, what) = judged("nothing", 1, None);
        assert!(!held && what.contains("no guest told"), "{what}");
    }
}
