//! When the worker ends a child, and what it does before.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::sys;
use crate::process::black_box::BlackBox;
use crate::process::protocol::{CommandLimits, Ended};

/// How often the worker looks at a child that runs.
const TICK: Duration = Duration::from_millis(200);
/// How often it looks while the child says where it is.
const SPEAKING_TICK: Duration = Duration::from_millis(10);
/// How long a child is without an event until it is looked whether it is out of memory: std's
/// message about that may be the last thing it does, as the backtrace after it needs memory.
const QUIET_NS: u64 = 1_000_000_000;
/// How much of a child's output is looked at for that message, and how it begins.
const MESSAGE_MAX: usize = 256;
const OUT_OF_MEMORY: &[u8] = b"memory allocation of ";
/// How long a child may take to say where it is.
const SPEAKING_MAX_NS: u64 = 10_000_000_000;

const NS_PER_MS: u64 = 1_000_000;

/// How many times its limit of real time a child may be under way, however long it has waited for
/// a processor.
pub(super) const STARVED_MAX: u64 = 10;

/// Real time of a child, but for what it waited for a processor: others may use them all, and a
/// seed is not to blame for that.
#[derive(Clone, Copy)]
struct Moment {
    now_ns: u64,
    starved_ns: u64,
}

impl Moment {
    /// Of a child that has just begun, and has waited for nothing. Most are over before they are
    /// looked at again: for those the kernel need not make, and take down, a folder of `/proc`.
    fn first() -> Self {
        Self {
            now_ns: sys::now_ns(),
            starved_ns: 0,
        }
    }

    fn of(watched: &Watched) -> Self {
        let thread = watched.black_box.thread.load(Relaxed).cast_signed();
        // Before there is a simulation, the first thread gets ready for one.
        let thread = if thread == 0 { watched.child } else { thread };
        Self {
            now_ns: sys::now_ns(),
            starved_ns: sys::starved_ns(watched.child, thread),
        }
    }

    /// How long it could run since `earlier`. Of another thread, which began later, what it waited
    /// since then is known alone.
    fn since(self, earlier: Self) -> u64 {
        let starved_ns = self.starved_ns.saturating_sub(earlier.starved_ns);
        let ns = self.now_ns.saturating_sub(earlier.now_ns);
        ns.saturating_sub(starved_ns)
    }
}

/// Why the worker stopped waiting.
pub(super) enum End {
    /// The child is dead.
    Itself,
    /// It must be killed, for this reason.
    Must(Ended),
    /// It was dying of this signal and did not come to an end with it.
    Dying(i32),
    /// There is nobody to tell.
    NobodyReads,
}

/// What the worker watches.
pub(super) struct Watched {
    pub(super) child: sys::pid_t,
    pub(super) replies: i32,
    pub(super) output: i32,
    pub(super) black_box: &'static BlackBox,
}

/// What a look at the descriptors shows.
enum Seen {
    Dead,
    NobodyReads,
    Alive,
}

/// Waits until the child is dead, over a limit, or not worth going on with. A child over a limit
/// has been asked where it is when this returns.
pub(super) fn wait_for_end(watched: &Watched, limits: CommandLimits) -> End {
    let Some(process) = sys::process_descriptor(watched.child) else {
        // An old kernel: `reap` waits, and the coordinator watches the limit.
        return End::Itself;
    };
    let end = watch(watched, process, limits);
    if matches!(end, End::Must(_)) {
        ask_where_it_is(watched, process);
    }
    sys::close(process);
    end
}

fn watch(watched: &Watched, process: i32, limits: CommandLimits) -> End {
    let started = Moment::first();
    let mut now = started;
    let wall_ns = u64::from(limits.wall_ms) * NS_PER_MS;
    let (mut events, mut moved) = (0, started);
    let (mut quiet_events, mut quiet_ns) = (0, started.now_ns);
    let mut dying_ns = None;
    loop {
        let left = wall_ns.saturating_sub(now.since(started));
        match look(watched, process, TICK.min(Duration::from_nanos(left))) {
            Seen::Dead => return End::Itself,
            Seen::NobodyReads => return End::NobodyReads,
            Seen::Alive => {}
        }
        now = Moment::of(watched);
        let signal = watched.black_box.signal.load(Relaxed);
        if signal != 0 {
            let since_ns = *dying_ns.get_or_insert(now.now_ns);
            if now.now_ns.saturating_sub(since_ns) >= SPEAKING_MAX_NS {
                return End::Dying(signal.cast_signed());
            }
        }
        let real_ns = now.now_ns.saturating_sub(started.now_ns);
        if now.since(started) >= wall_ns || real_ns >= wall_ns.saturating_mul(STARVED_MAX) {
            return End::Must(Ended::OverLimit);
        }
        let is_simulating = watched.black_box.phase.load(Relaxed) == 1;
        let now_events = watched.black_box.events.load(Relaxed);
        if now_events != quiet_events {
            (quiet_events, quiet_ns) = (now_events, now.now_ns);
        } else if now.now_ns - quiet_ns >= QUIET_NS && is_out_of_memory(watched.output) {
            return End::Dying(sys::ABORTED);
        }
        if !is_simulating || signal != 0 || now_events != events {
            (events, moved) = (now_events, now);
        } else if now.since(moved) >= u64::from(limits.stall_ms) * NS_PER_MS {
            return End::Must(Ended::Stalled);
        }
    }
}

fn is_out_of_memory(output: i32) -> bool {
    let mut tail = [0; MESSAGE_MAX];
    let length = sys::read_tail(output, &mut tail);
    tail[..length]
        .windows(OUT_OF_MEMORY.len())
        .any(|part| part == OUT_OF_MEMORY)
}

fn look(watched: &Watched, process: i32, at_most: Duration) -> Seen {
    let mut fds = [
        sys::pollfd {
            fd: process,
            events: sys::POLLIN,
            revents: 0,
        },
        // Asks for nothing: an error is told anyway, and means that the other end is closed.
        sys::pollfd {
            fd: watched.replies,
            events: 0,
            revents: 0,
        },
    ];
    match sys::poll(&mut fds, Some(at_most)) {
        Ok(false) => Seen::Alive,
        Ok(true) if fds[0].revents == 0 && fds[1].revents & sys::POLLERR != 0 => Seen::NobodyReads,
        // An error leaves nothing to watch by: `reap` waits.
        Ok(true) | Err(_) => Seen::Dead,
    }
}

/// Has the thread of the simulation print where it is, if it can.
fn ask_where_it_is(watched: &Watched, process: i32) {
    let thread = watched.black_box.thread.load(Relaxed);
    let is_simulating = watched.black_box.phase.load(Relaxed) == 1;
    let has_spoken = || watched.black_box.has_spoken.load(Relaxed) != 0;
    if !is_simulating || has_spoken() {
        return;
    }
    sys::ask(watched.child, thread.cast_signed());
    let until_ns = sys::now_ns().saturating_add(SPEAKING_MAX_NS);
    while !has_spoken() && sys::now_ns() < until_ns {
        if !matches!(look(watched, process, SPEAKING_TICK), Seen::Alive) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn who_waits_for_a_processor_gets_no_older() {
        let at = |now_ns, starved_ns| Moment { now_ns, starved_ns };
        assert_eq!(at(100, 20).since(at(10, 5)), 75);
        assert_eq!(at(100, 5).since(at(10, 20)), 90);
        assert_eq!(at(100, 200).since(at(10, 0)), 0);
    }
}
