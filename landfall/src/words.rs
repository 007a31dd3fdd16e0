//! Events in words.

use std::time::Duration;

use sim_runtime::process::LiveTask;
use sim_runtime::{EventKind, SimInstant, TraceEvent};

use crate::render::grouped;

/// What happened. `task_of` knows tasks by their number.
pub(crate) fn event<'a>(
    kind: EventKind,
    (a, b): (u64, u64),
    task_of: &dyn Fn(u64) -> Option<&'a LiveTask>,
) -> String {
    let task = |id: u64| task_of(id).map_or_else(|| format!("task {id}"), ToString::to_string);
    match kind {
        EventKind::Poll if b == u64::MAX => format!("{} is dropped", task(a)),
        EventKind::Poll => format!("{} is polled at {}", task(a), SimInstant(b)),
        EventKind::Spawn => format!("{} is spawned", task(a)),
        EventKind::Arm => format!("a timer for {} is armed", SimInstant(a)),
        EventKind::Timer => format!("the timer of {} fires", SimInstant(a)),
        EventKind::Node => format!("node {a} changes its state ({b:#x})"),
        EventKind::Net => format!("the network acts ({a:#x}, {b:#x})"),
        EventKind::Disk => format!("the disk acts ({a:#x}, {b:#x})"),
        EventKind::Entropy => format!("entropy is drawn ({a:#x}, {b:#x})"),
        EventKind::Clock => format!("a thread sleeps for {:?}", Duration::from_nanos(a)),
        EventKind::Fault => format!("a fault moves on ({a:#x}, {b:#x})"),
        EventKind::User => format!("an operation or an event of the test ({a:#x}, {b:#x})"),
    }
}

/// An event that was written out, with whose task ran.
pub(crate) fn traced(event: &TraceEvent) -> String {
    let what = self::event(event.kind, event.arguments, &|_| None);
    let (number, at, node) = (event.number, SimInstant(event.at), event.node);
    let task = if event.task.is_empty() {
        "no task"
    } else {
        &event.task
    };
    format!(
        "event {} at {at}: {what}; node {node}, task {task}",
        grouped(number)
    )
}
