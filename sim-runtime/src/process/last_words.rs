//! What is known of a run whose process died: the black box as lines of text, and read back.
//!
//! ```text
//! phase 1                      0 before the simulation, 1 in it, 2 after it
//! events 12345
//! now 1200000000               virtual nanoseconds at the last poll
//! running 17                   number of the running task, 0 where none ran
//! overflowed 0                 1 if its stack has overflowed
//! more 0                       tasks alive that are not listed
//! task 17 2 1 10 src/x.rs raft number, node, boot, line, file, name (the rest of the line)
//! event 12345 1 17 1200000000  number, kind, two arguments
//! ```

use std::fmt::{self, Write};
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};

use super::black_box::{BlackBox, EVENTS_KEPT, NAME_MAX};
use crate::digest::EventKind;
use crate::ids::{Boot, NodeId, SimInstant};

/// The longest file name that is passed on, in bytes.
const FILE_MAX: usize = 256;

/// How far a process was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// No simulation had begun.
    Before,
    /// A simulation ran.
    Simulating,
    /// It had ended.
    After,
}

/// A task that was alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveTask {
    /// Its number in the run.
    pub id: u64,
    /// Whose it is.
    pub node: NodeId,
    /// In which life of the node it was spawned.
    pub boot: Boot,
    /// Its name, cut at 24 bytes; empty without one.
    pub name: String,
    /// File and line that it was spawned at.
    pub spawned_at: String,
}

impl fmt::Display for LiveTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            node,
            name,
            spawned_at,
            ..
        } = self;
        write!(f, "task {id}")?;
        if !name.is_empty() {
            write!(f, " {name}")?;
        }
        write!(f, " ({node}, spawned at {spawned_at})")
    }
}

/// One of the last events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastEvent {
    /// Its number in the run, from 1.
    pub number: u64,
    /// What happened.
    pub kind: EventKind,
    /// Its two arguments.
    pub arguments: (u64, u64),
}

/// What is known of a run whose process died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWords {
    /// How far it was.
    pub phase: Phase,
    /// How many events had happened.
    pub events: u64,
    /// Virtual time at the last poll.
    pub at: SimInstant,
    /// Whether its stack has overflowed.
    pub overflowed: bool,
    /// The task that ran, if one did.
    pub running: Option<LiveTask>,
    /// The last events, oldest first.
    pub recent: Vec<LastEvent>,
    /// The other tasks alive: ready or waiting.
    pub tasks: Vec<LiveTask>,
    /// How many more tasks were alive.
    pub more_tasks: u64,
}

/// Writes what the box says into `out`, as much as fits; returns the length. Allocates nothing.
/// `read` copies from an address of this process into a slice and says how much could be read.
pub(super) fn encode(
    black_box: &BlackBox,
    out: &mut [u8],
    read: &mut dyn FnMut(u64, &mut [u8]) -> usize,
) -> usize {
    let mut cursor = Cursor { out, length: 0 };
    // Lines that do not fit are left out.
    let _full = head(black_box, &mut cursor);
    let _full = events(black_box, &mut cursor);
    let _full = tasks(black_box, &mut cursor, read);
    cursor.length
}

fn head(black_box: &BlackBox, out: &mut Cursor<'_>) -> fmt::Result {
    out.line(format_args!("phase {}", black_box.phase.load(Relaxed)))?;
    out.line(format_args!("events {}", black_box.events.load(Relaxed)))?;
    out.line(format_args!("now {}", now_ns(black_box)))?;
    out.line(format_args!("running {}", black_box.running.load(Relaxed)))?;
    let overflowed = black_box.overflowed.load(Relaxed);
    out.line(format_args!("overflowed {overflowed}"))?;
    out.line(format_args!("more {}", black_box.more_tasks.load(Relaxed)))
}

/// Virtual time at the last poll; a task that is dropped is polled at no time.
fn now_ns(black_box: &BlackBox) -> u64 {
    let last = black_box.now_ns.load(Relaxed);
    if last != u64::MAX {
        return last;
    }
    let polls = black_box
        .recent
        .iter()
        .filter(|event| event.kind.load(Relaxed) == EventKind::Poll as u64);
    let at = polls.map(|event| event.b.load(Relaxed));
    at.filter(|at| *at != u64::MAX).max().unwrap_or(0)
}

fn events(black_box: &BlackBox, out: &mut Cursor<'_>) -> fmt::Result {
    let last = black_box.events.load(Relaxed);
    let first = last.saturating_sub(EVENTS_KEPT as u64) + 1;
    for number in first..=last {
        let event = &black_box.recent[number as usize % EVENTS_KEPT];
        let (kind, a) = (event.kind.load(Relaxed), event.a.load(Relaxed));
        let b = event.b.load(Relaxed);
        out.line(format_args!("event {number} {kind} {a} {b}"))?;
    }
    Ok(())
}

fn tasks(
    black_box: &BlackBox,
    out: &mut Cursor<'_>,
    read: &mut dyn FnMut(u64, &mut [u8]) -> usize,
) -> fmt::Result {
    for task in &black_box.tasks {
        let id = task.id.load(Relaxed);
        if id == 0 {
            continue;
        }
        let mut file = [0; FILE_MAX];
        let length = usize::try_from(task.file_length.load(Relaxed)).unwrap_or(0);
        let length = read(task.file.load(Relaxed), &mut file[..length.min(FILE_MAX)]);
        let file = text(&file[..length]);
        let mut name = [0; NAME_MAX];
        for (to, from) in name.iter_mut().zip(&task.name) {
            *to = from.load(Relaxed);
        }
        let length = task.name_length.load(Relaxed) as usize;
        let name = text(&name[..length.min(NAME_MAX)]);
        let (node, boot) = (task.node.load(Relaxed), task.boot.load(Relaxed));
        let line = task.line.load(Relaxed);
        out.line(format_args!(
            "task {id} {node} {boot} {line} {file}\t{name}"
        ))?;
    }
    Ok(())
}

/// What of `bytes` can stand in a line.
fn text(bytes: &[u8]) -> &str {
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.split(['\n', '\t']).next().unwrap_or_default()
}

struct Cursor<'a> {
    out: &'a mut [u8],
    length: usize,
}

impl Cursor<'_> {
    /// Writes a line, whole or not at all.
    fn line(&mut self, line: fmt::Arguments<'_>) -> fmt::Result {
        let before = self.length;
        let written = writeln!(self, "{line}");
        if written.is_err() {
            self.length = before;
        }
        written
    }
}

impl Write for Cursor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.out.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl LastWords {
    /// Reads what a worker wrote. What it can't read is left out: a dying process may have
    /// written anything.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let mut words = Self {
            phase: Phase::Before,
            events: 0,
            at: SimInstant(0),
            overflowed: false,
            running: None,
            recent: Vec::new(),
            tasks: Vec::new(),
            more_tasks: 0,
        };
        let mut running = 0;
        for line in String::from_utf8_lossy(bytes).lines() {
            let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
            let number = rest.parse().unwrap_or(0);
            match what {
                "phase" if number == 1 => words.phase = Phase::Simulating,
                "phase" if number > 1 => words.phase = Phase::After,
                "events" => words.events = number,
                "now" => words.at = SimInstant(number),
                "running" => running = number,
                "overflowed" => words.overflowed = number != 0,
                "more" => words.more_tasks = number,
                "task" => words.tasks.extend(live_task(rest)),
                "event" => words.recent.extend(last_event(rest)),
                _ => {}
            }
        }
        let place = words.tasks.iter().position(|task| task.id == running);
        words.running = place.map(|place| words.tasks.remove(place));
        words
    }
}

fn live_task(rest: &str) -> Option<LiveTask> {
    let (place, name) = rest.split_once('\t')?;
    let mut parts = place.splitn(5, ' ');
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (id, node, boot, line) = (number()?, number()?, number()?, number()?);
    let file = parts.next()?;
    Some(LiveTask {
        id,
        node: NodeId(u32::try_from(node).ok()?),
        boot: Boot(u32::try_from(boot).ok()?),
        name: name.to_owned(),
        spawned_at: format!("{file}:{line}"),
    })
}

fn last_event(rest: &str) -> Option<LastEvent> {
    let mut numbers = rest.split(' ').map(|number| number.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    Some(LastEvent {
        number: next()?,
        kind: EventKind::from_number(next()?)?,
        arguments: (next()?, next()?),
    })
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;

    #[test]
    fn what_is_put_in_comes_out() {
        let black_box = &*Box::new(BlackBox::new());
        black_box.begin();
        let here = Location::caller();
        black_box.task_begins(
            0,
            7,
            (2, 1),
            Some("a name that is longer than is kept"),
            here,
        );
        black_box.task_begins(1, 8, (3, 4), None, here);
        black_box.task_begins(1 << 20, 9, (3, 4), None, here);
        for number in 1..=100 {
            black_box.event(number, EventKind::Net, number, 0);
        }
        black_box.event(101, EventKind::Poll, 8, 5_000);
        let mut out = [0; 1 << 14];
        let mut read = |address: u64, out: &mut [u8]| {
            let file = here.file();
            assert_eq!(address, file.as_ptr().addr() as u64);
            out.copy_from_slice(file.as_bytes());
            out.len()
        };
        let length = encode(black_box, &mut out, &mut read);
        let words = LastWords::decode(&out[..length]);
        assert_eq!(words.phase, Phase::Simulating);
        assert_eq!((words.events, words.at), (101, SimInstant(5_000)));
        assert_eq!(words.more_tasks, 1);
        let running = words.running.expect("a task runs");
        assert_eq!(
            (running.id, running.node, running.boot),
            (8, NodeId(3), Boot(4))
        );
        assert_eq!(
            running.spawned_at,
            format!("{}:{}", here.file(), here.line())
        );
        assert_eq!(words.tasks.len(), 1);
        assert_eq!(words.tasks[0].name, "a name that is longer th");
        assert_eq!(words.recent.len(), EVENTS_KEPT);
        assert_eq!(words.recent[0].arguments, (38, 0));
        assert_eq!(words.recent[63].kind, EventKind::Poll);

        black_box.task_ends(0);
        let length = encode(black_box, &mut out[..100], &mut read);
        let words = LastWords::decode(&out[..length]);
        assert!(
            words.tasks.is_empty(),
            "what does not fit is left out: {words:?}"
        );
        assert_eq!(words.events, 101);
    }

    #[test]
    fn garbage_is_left_out() {
        let words =
            LastWords::decode(b"task\nevent 1 99 2 3\n\xff\nphase x\ntask 1 2\t\nevents 3\n");
        assert_eq!((words.phase, words.events), (Phase::Before, 3));
        assert!(words.tasks.is_empty() && words.recent.is_empty());
    }
}
