//! The guests' log, captured by node: a `tracing` subscriber that knows the simulation.
//!
//! A sweep captures nothing, unless a plan looks for a line: a guest's `info!` costs a load and
//! a comparison. A seed that failed and a replay are run with it. What is captured goes into one
//! buffer that every run has, so that the guest's memory is laid out alike with and without: the
//! same seed stays the same run. A clock that is read while a line is written takes no time.
//! Where a guest works out what it logs before it hands it over, and that does something, its
//! logged run is another one: a failure is then reported as it was without, and says so.
//!
//! What goes through the `log` crate is captured where the guest hands it to `tracing`.

mod spans;

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use sim_runtime::only_looking;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use self::spans::Spans;

/// How many bytes of lines a run keeps: the last ones. Not touched, they cost nothing.
const BYTES_MAX: usize = 16 << 20;

/// The longest text of a directive, in bytes.
pub(crate) const DIRECTIVES_MAX: usize = 120;

/// A line of a guest's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Virtual nanoseconds.
    pub at: u64,
    /// Host name of the node.
    pub node: String,
    /// Number of the task, 0 for none.
    pub task: u64,
    /// `INFO`, ...
    pub level: String,
    /// Message and fields, then those of the spans that it stands in.
    pub text: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = sim_runtime::SimInstant(self.at);
        let Self {
            node,
            task,
            level,
            text,
            ..
        } = self;
        write!(f, "{at} {node} task {task} {level} {text}")
    }
}

/// Which lines are captured: `info`, `raft=debug,warn`, `off`. A target stands for all below it;
/// the longest that fits decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    /// By target; the empty one is for the rest.
    levels: Vec<(String, LevelFilter)>,
    /// What is captured in any case.
    least: LevelFilter,
}

impl FromStr for Directives {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > DIRECTIVES_MAX {
            return Err(format!("longer than {DIRECTIVES_MAX} bytes"));
        }
        let mut levels = Vec::new();
        for directive in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            let (target, level) = directive.split_once('=').unwrap_or(("", directive));
            let level = level
                .parse()
                .map_err(|_| format!("{level} is not off, error, warn, info, debug or trace"))?;
            levels.push((target.to_owned(), level));
        }
        Ok(Self {
            levels,
            least: LevelFilter::OFF,
        })
    }
}

impl Directives {
    fn level_of(&self, target: &str) -> LevelFilter {
        let fits = |of: &str| {
            let rest = target.strip_prefix(of);
            of.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let fitting = self.levels.iter().filter(|(of, _)| fits(of));
        fitting
            .max_by_key(|(of, _)| of.len())
            .map_or(LevelFilter::OFF, |(_, level)| *level)
            .max(self.least)
    }

    /// The same, and in any case what a plan may look for.
    pub(crate) fn with_info(mut self) -> Self {
        self.least = LevelFilter::INFO;
        self
    }

    fn most(&self) -> LevelFilter {
        let levels = self.levels.iter().map(|(_, level)| *level);
        levels.max().unwrap_or(LevelFilter::OFF).max(self.least)
    }
}

/// Lines as bytes: `[u64 time][u64 task][u32 node][u32 level][u32 length][text]` each.
struct Lines {
    bytes: Vec<u8>,
    /// How many bytes of older lines are gone.
    dropped: usize,
    captures: bool,
}

thread_local! {
    static LINES: RefCell<Option<Lines>> = const { RefCell::new(None) };
    static OPEN_SPANS: RefCell<Option<Spans>> = const { RefCell::new(None) };
}

/// Does something with the spans of this thread; a span that is made while another's fields are
/// formatted is not seen.
fn with_spans(act: impl FnOnce(&mut Spans)) {
    OPEN_SPANS.with(|spans| {
        if let Ok(mut spans) = spans.try_borrow_mut()
            && let Some(spans) = spans.as_mut()
        {
            act(spans);
        }
    });
}

/// What the process captures, as its first run has it.
static DIRECTIVES: OnceLock<Chosen> = OnceLock::new();

struct Chosen {
    directives: Directives,
    captures: bool,
}

impl Chosen {
    fn most(&self) -> LevelFilter {
        if self.captures {
            self.directives.most()
        } else {
            LevelFilter::OFF
        }
    }
}

/// Begins to capture on this thread what the directives ask for.
pub(crate) fn start(directives: Directives, captures: bool) {
    OPEN_SPANS.set(Some(Spans::new()));
    LINES.set(Some(Lines {
        bytes: Vec::with_capacity(BYTES_MAX),
        dropped: 0,
        captures,
    }));
    let _as_before = DIRECTIVES.set(Chosen {
        directives,
        captures,
    });
    // A second call, or a subscriber of the user's own, leaves things as they are; without ours
    // there are no lines, and a plan that needs them says so.
    let _already_set = tracing::subscriber::set_global_default(Capture);
}

/// Whether a line since a time contains a text, without regard to case; looks at lines from the
/// place `read` on, which it moves behind the last of them.
pub(crate) fn has_line(read: &mut usize, since_ns: u64, contains: &str) -> bool {
    let wanted = contains.to_lowercase();
    LINES.with(|lines| {
        let Ok(lines) = lines.try_borrow() else {
            return false;
        };
        let Some(lines) = lines.as_ref() else {
            return false;
        };
        // What was dropped meanwhile is behind the place.
        let from = read.saturating_sub(lines.dropped).min(lines.bytes.len());
        let mut rest = &lines.bytes[from..];
        let found = std::iter::from_fn(|| next_line(&mut rest, &|_| String::new()))
            .any(|line| line.at >= since_ns && line.text.to_lowercase().contains(&wanted));
        *read = lines.dropped + lines.bytes.len();
        found
    })
}

/// Ends capturing on this thread. Nodes have the names that `name_of` knows.
pub(crate) fn take(name_of: &dyn Fn(u32) -> String) -> Vec<LogLine> {
    OPEN_SPANS.set(None);
    let Some(lines) = LINES.take() else {
        return Vec::new();
    };
    let mut rest = &lines.bytes[..];
    std::iter::from_fn(|| next_line(&mut rest, name_of)).collect()
}

const HEADER: usize = 28;

fn next_line(rest: &mut &[u8], name_of: &dyn Fn(u32) -> String) -> Option<LogLine> {
    let (header, after) = rest.split_at_checked(HEADER)?;
    let u64_at = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("8 bytes"));
    let u32_at = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("4 bytes"));
    let (text, after) = after.split_at_checked(u32_at(24) as usize)?;
    *rest = after;
    let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];
    Some(LogLine {
        at: u64_at(0),
        task: u64_at(8),
        node: name_of(u32_at(16)),
        level: levels[u32_at(20) as usize].to_owned(),
        text: String::from_utf8_lossy(text).into_owned(),
    })
}

impl Lines {
    /// Makes room by dropping the older half.
    fn make_room(&mut self) {
        if self.bytes.len() < BYTES_MAX - (BYTES_MAX >> 4) {
            return;
        }
        let mut cut = 0;
        while cut < self.bytes.len() / 2 {
            let length = self.bytes[cut + 24..cut + 28].try_into().expect("4 bytes");
            cut += HEADER + u32::from_le_bytes(length) as usize;
        }
        self.bytes.drain(..cut);
        self.dropped += cut;
    }

    fn push(&mut self, event: &Event<'_>, at: (u64, u64, u32)) {
        self.make_room();
        let levels = [
            tracing::Level::TRACE,
            tracing::Level::DEBUG,
            tracing::Level::INFO,
            tracing::Level::WARN,
        ];
        let level = event.metadata().level();
        let level = levels.iter().take_while(|below| *below > level).count() as u32;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&at.0.to_le_bytes());
        self.bytes.extend_from_slice(&at.1.to_le_bytes());
        self.bytes.extend_from_slice(&at.2.to_le_bytes());
        self.bytes.extend_from_slice(&level.to_le_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        let end = start + HEADER + (BYTES_MAX >> 5);
        // The message, then the fields.
        for message in [true, false] {
            let mut text = Text {
                bytes: &mut self.bytes,
                end,
                message,
            };
            event.record(&mut text);
        }
        // What the spans around it say, the outermost first.
        with_spans(|spans| {
            for fields in spans.fields() {
                let room = end.saturating_sub(self.bytes.len());
                let fields = &fields[..fields.len().min(room)];
                self.bytes.extend_from_slice(fields);
            }
        });
        let length = (self.bytes.len() - start - HEADER) as u32;
        self.bytes[start + 24..start + HEADER].copy_from_slice(&length.to_le_bytes());
    }
}

struct Capture;

static SPANS: AtomicU64 = AtomicU64::new(1);

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        DIRECTIVES.get().is_some_and(|chosen| {
            *metadata.level() <= chosen.directives.level_of(metadata.target())
        })
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        DIRECTIVES.get().map(Chosen::most)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = SPANS.fetch_add(1, Ordering::Relaxed);
        only_looking(|| with_spans(|spans| spans.begin(id, attributes)));
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        only_looking(|| with_spans(|spans| spans.record(id.into_u64(), values)));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let at = sim_runtime::try_with(|world| {
            let task = world.current_task().map_or(0, |task| task.0);
            (world.now().as_nanos(), task, world.current_node().0)
        });
        let Some(at) = at else {
            return;
        };
        LINES.with(|lines| {
            // A value that logs while it is formatted is not heard.
            if let Ok(mut lines) = lines.try_borrow_mut()
                && let Some(lines) = lines.as_mut().filter(|lines| lines.captures)
            {
                only_looking(|| lines.push(event, at));
            }
        });
    }

    fn enter(&self, id: &Id) {
        with_spans(|spans| spans.enter(id.into_u64()));
    }

    fn exit(&self, id: &Id) {
        with_spans(|spans| spans.exit(id.into_u64()));
    }
}

/// Writes the message, or the other fields, up to a place.
struct Text<'a> {
    bytes: &'a mut Vec<u8>,
    end: usize,
    message: bool,
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.bytes.len());
        let text = &text.as_bytes()[..text.len().min(room)];
        self.bytes.extend_from_slice(text);
        Ok(())
    }
}

impl Visit for Text<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match (self.message, field.name()) {
            (true, "message") => write!(self, "{value:?}"),
            (false, name) if name != "message" => write!(self, " {name}={value:?}"),
            _ => Ok(()),
        };
        // What a value's own formatting refuses is left out.
        let _as_much_as_there_is = written;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(directives: &str, target: &str) -> LevelFilter {
        let directives: Directives = directives.parse().expect("directives");
        directives.level_of(target)
    }

    #[test]
    fn the_longest_target_that_fits_decides() {
        assert_eq!(level("info", "raft"), LevelFilter::INFO);
        assert_eq!(level("raft=debug,warn", "raft::log"), LevelFilter::DEBUG);
        assert_eq!(level("raft=debug,warn", "raftery"), LevelFilter::WARN);
        assert_eq!(
            level("raft=debug,raft::log=off", "raft::log"),
            LevelFilter::OFF
        );
        assert_eq!(level("", "raft"), LevelFilter::OFF);
        assert!("loud".parse::<Directives>().is_err());
        assert!("a".repeat(200).parse::<Directives>().is_err());
    }
}
