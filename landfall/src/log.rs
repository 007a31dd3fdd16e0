//! The guests' log, captured by node: a `tracing` subscriber that knows the simulation.
//!
//! One subscriber is installed for the process; it writes to the run of its thread, and nowhere
//! on a thread without one.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// How many lines a run keeps: the last ones.
const LINES_MAX: usize = 50_000;

/// A line of a guest's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Virtual nanoseconds.
    pub at: u64,
    /// Host name of the node.
    pub node: String,
    /// `INFO`, ...
    pub level: String,
    /// Message and fields.
    pub text: String,
}

thread_local! {
    static LINES: RefCell<Option<VecDeque<LogLine>>> = const { RefCell::new(None) };
}

/// Begins to capture on this thread.
pub(crate) fn start() {
    // A second call, or a subscriber of the user's own, leaves things as they are; without ours
    // there are no lines, and a plan that needs them says so.
    let _already_set = tracing::subscriber::set_global_default(Capture);
    LINES.set(Some(VecDeque::new()));
}

/// Ends capturing on this thread.
pub(crate) fn take() -> Vec<LogLine> {
    LINES.take().unwrap_or_default().into()
}

struct Capture;

static SPANS: AtomicU64 = AtomicU64::new(1);

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(SPANS.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let Some((at, node)) = sim_runtime::try_with(|world| {
            (
                world.now().as_nanos(),
                world.node(world.current_node()).name.to_string(),
            )
        }) else {
            return;
        };
        let mut text = Text(String::new());
        event.record(&mut text);
        let level = event.metadata().level().to_string();
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                if lines.len() == LINES_MAX {
                    lines.pop_front();
                }
                lines.push_back(LogLine {
                    at,
                    node,
                    level,
                    text: text.0,
                });
            }
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message, then the fields.
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = if field.name() == "message" {
            let fields = std::mem::take(&mut self.0);
            write!(self.0, "{value:?}{fields}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
        written.expect("writing to a string succeeds");
    }
}
