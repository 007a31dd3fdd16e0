//! Faults on demand, in a window, on a node: calls that fail, come up short or take long; media
//! that damage what they hold.
//!
//! May break: the calls named by the mode, the sectors that the media fault hits. May never
//! break: what was synced before, by anything but media faults.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use sim_runtime::{FaultId, NodeId, SimInstant, World, time, with};

use super::device::{Disk, State, event};
use super::namespace::At;
use super::op_kind::OpKind;
use super::open_file::OpenFile;
use crate::budget::Budget;
use crate::config::{LatencyRange, MediaFault, Throughput};
use crate::errno::errno;
use crate::hash::{digest_of, scatter};
use crate::state::media::Rule;
use crate::state::pages::PAGE;

/// How the disk of a node fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailMode {
    /// `EIO` from the kinds of calls named.
    Eio {
        /// read, pread, listing a directory.
        reads: bool,
        /// write, pwrite, ftruncate.
        writes: bool,
        /// fsync and fdatasync. Those of a file mark its dirty pages clean: the next fsync
        /// returns Ok without persisting them (fsync(2), *Rebello et al., ATC 2020*).
        fsync: bool,
    },
    /// `EIO` from some call sites, each time. A site is known by what it does: the kind of call
    /// and the path, runs of digits taken as one, so that it is the same in every build.
    Sites {
        /// How many sites of a million.
        ppm: u32,
    },
    /// `ENOSPC` from whatever needs new space: writes that allocate, and new names.
    Enospc,
    /// Somebody else fills the volume and empties it again: the space that is left of what was
    /// free drifts, and `ENOSPC` comes and goes.
    Crowded {
        /// The most that is ever left.
        free_bytes_max: u64,
    },
    /// `EMFILE` from every open.
    Emfile,
    /// `EROFS` from whatever changes something: the kernel remounted the volume after an error.
    ReadOnly,
    /// Every second read and write, drawn, moves less than it was asked to.
    Short,
    /// Calls take longer.
    Slow {
        /// By how much.
        by: LatencyRange,
    },
    /// The device does less: reads and syncs wait for those before them.
    Throttle {
        /// What it still does.
        to: Throughput,
    },
    /// Calls do not come back: until the end of the window, or ever, as those of a device that is
    /// dead.
    Stall {
        /// Until then; None: never.
        until: Option<SimInstant>,
    },
}

/// How often the space that somebody else leaves changes.
const CROWD_PERIOD_NS: u64 = 50_000_000;

/// What a call asks of the disk.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asks {
    /// New space.
    pub(crate) space: bool,
    /// Something changes.
    pub(crate) changes: bool,
}

impl Asks {
    /// Of a call that changes something, and may need space for it.
    pub(crate) fn space(space: bool) -> Asks {
        Asks {
            space,
            changes: true,
        }
    }
}

/// A mode in its window.
pub(crate) struct Failing {
    mode: FailMode,
    key: u64,
    /// Pages in use when the window opened.
    used: u64,
}

impl Failing {
    fn error_for(&self, op: OpKind, path: &[u8], asks: Asks, used: u64) -> Option<i32> {
        let (code, fails) = match self.mode {
            FailMode::Eio {
                reads,
                writes,
                fsync,
            } => {
                let fails = match op {
                    OpKind::Read | OpKind::ReadDir => reads,
                    OpKind::Write | OpKind::SetLen => writes,
                    OpKind::Sync => fsync,
                    _ => false,
                };
                (libc::EIO, fails)
            }
            FailMode::Sites { ppm } => {
                let site = site_of(op, path);
                (
                    libc::EIO,
                    scatter(self.key ^ site) % 1_000_000 < u64::from(ppm),
                )
            }
            FailMode::Enospc => (libc::ENOSPC, asks.space),
            FailMode::Crowded { free_bytes_max } => {
                let period = time::now().as_nanos() / CROWD_PERIOD_NS;
                let left = scatter(self.key ^ period) % (free_bytes_max / PAGE + 1);
                (
                    libc::ENOSPC,
                    asks.space && used.saturating_sub(self.used) >= left,
                )
            }
            FailMode::Emfile => (libc::EMFILE, op == OpKind::Open),
            FailMode::ReadOnly => (libc::EROFS, asks.changes),
            FailMode::Short
            | FailMode::Slow { .. }
            | FailMode::Throttle { .. }
            | FailMode::Stall { .. } => return None,
        };
        fails.then_some(code)
    }
}

/// A call site, as far as the disk can tell them apart.
fn site_of(op: OpKind, path: &[u8]) -> u64 {
    let digits = |byte: &u8| byte.is_ascii_digit();
    let mut place = Vec::with_capacity(path.len());
    for run in path.chunk_by(|a, b| digits(a) == digits(b)) {
        if digits(&run[0]) {
            place.push(b'#');
        } else {
            place.extend_from_slice(run);
        }
    }
    digest_of([op as u64, 0], &place)
}

/// An injected error, with the fault that it belongs to.
pub(crate) struct Injected {
    pub(crate) fault: FaultId,
    pub(crate) error: io::Error,
}

impl State {
    fn pages_used(&self, node: NodeId) -> u64 {
        let volumes = self.mounts.below(self.mounts.root_of(node));
        let volumes = volumes.iter().filter_map(|id| self.volumes.get(id));
        volumes.map(|volume| volume.pages_used).sum()
    }
}

impl Disk {
    /// The disk of `node` fails from now on, beside those that this fault hit before, until
    /// [`heal`](Disk::heal). Each error that a guest gets is entered into the ledger as injected
    /// (`disk-errors`, `calls-shortened`, `calls-delayed`, `calls-stalled`) and observed.
    pub fn fail(&self, fault: FaultId, node: NodeId, mode: FailMode) {
        let key = with(|world| world.stream("disk.fail", u64::from(fault.0)).next_u64());
        let key = scatter(key ^ u64::from(node.0));
        let mut state = self.state.borrow_mut();
        let used = state.pages_used(node);
        state
            .errors
            .insert((fault, node), Failing { mode, key, used });
        self.is_failing.set(true);
    }

    /// The media of all volumes of `node` damage `ppm` of a million sectors that are written
    /// (lost and misdirected writes) or read (all others) from now on, until
    /// [`heal`](Disk::heal); what is damaged stays so until it is written again. Each is entered
    /// as injected with file and offset, and as observed when the guest reads it. A budget says
    /// how much may be damaged in all; None: everything (`beyond-budget`).
    pub fn damage(
        &self,
        fault: FaultId,
        node: NodeId,
        (kind, ppm): (MediaFault, u32),
        budget: Option<&Rc<RefCell<Budget>>>,
    ) {
        with(|world| {
            self.root_volume(world, node);
            let mut state = self.state.borrow_mut();
            for id in state.mounts.below(state.mounts.root_of(node)) {
                let mut stream = world.stream("disk.media", id.0);
                let volume = state.volumes.get_mut(&id).expect("it is mounted");
                volume.media.open(Rule {
                    fault,
                    kind,
                    ppm: u64::from(ppm),
                    key: scatter(stream.next_u64() ^ u64::from(fault.0)),
                    node,
                    budget: budget.map(Rc::clone),
                });
            }
        });
    }

    /// Ends what [`fail`](Disk::fail) and [`damage`](Disk::damage) began. Nothing to end is no
    /// error.
    pub fn heal(&self, fault: FaultId) {
        let state = &mut *self.state.borrow_mut();
        state.errors.retain(|(open, _), _| *open != fault);
        state.throttled.retain(|(open, _), _| *open != fault);
        for volume in state.volumes.values_mut() {
            volume.media.close(fault);
        }
        self.is_failing.set(state.is_troubled());
    }

    /// Says which fault the next kill or power loss of `node` belongs to: what it takes is
    /// entered under that fault. Holds until the node goes down.
    pub fn blame_down(&self, node: NodeId, fault: FaultId) {
        self.state.borrow_mut().blame.insert(node, fault);
    }

    /// Does a fault hit this call of `node`? Enters it into the ledger if so.
    pub(crate) fn injected(
        &self,
        world: &World,
        op: OpKind,
        path: &[u8],
        asks: impl FnOnce() -> Asks,
    ) -> Option<Injected> {
        if !self.is_failing.get() {
            return None;
        }
        let node = world.current_node();
        let asks = asks();
        let (fault, code) = {
            let mut state = self.state.borrow_mut();
            let used = state.pages_used(node);
            let hit = state.errors.iter().find_map(|(&(fault, on), failing)| {
                let code = failing.error_for(op, path, asks, used);
                Some((fault, code.filter(|_| on == node)?))
            })?;
            state.stats.of(node).errors_injected += 1;
            hit
        };
        let error = errno(code);
        let path = String::from_utf8_lossy(path);
        let evidence = format!("{} of {path} failed: {error}", op.name());
        let ledger = world.ledger();
        ledger.inject(fault, "disk-errors", 1, || evidence.clone());
        ledger.observe(fault, "errors-returned", || evidence);
        Some(Injected { fault, error })
    }

    /// As [`injected`](Disk::injected), for calls on descriptors.
    #[inline]
    pub(crate) fn check(
        &self,
        world: &World,
        op: OpKind,
        file: &OpenFile,
        asks: impl FnOnce() -> Asks,
    ) -> io::Result<()> {
        self.call.set(op);
        if !self.is_failing.get() {
            return Ok(());
        }
        match self.injected(world, op, &file.path, asks) {
            Some(hit) => {
                event(world, op, file.inode.0, u64::MAX);
                Err(hit.error)
            }
            None => Ok(()),
        }
    }

    /// As [`injected`](Disk::injected), for calls on paths.
    pub(crate) fn check_path(
        &self,
        op: OpKind,
        at: At<'_>,
        asks: impl FnOnce() -> Asks,
    ) -> io::Result<()> {
        if !self.is_failing.get() {
            return Ok(());
        }
        match with(|world| self.injected(world, op, at.bytes(), asks)) {
            Some(injected) => Err(injected.error),
            None => Ok(()),
        }
    }

    /// How much of a read or write is done.
    #[inline]
    pub(crate) fn shorten(&self, world: &World, op: OpKind, file: &OpenFile, len: usize) -> usize {
        if !self.is_failing.get() || len < 2 {
            return len;
        }
        self.draw_short(world, op, file, len)
    }

    fn draw_short(&self, world: &World, op: OpKind, file: &OpenFile, len: usize) -> usize {
        let node = world.current_node();
        let state = &mut *self.state.borrow_mut();
        let short = |(key, failing): (&(FaultId, NodeId), &Failing)| {
            (key.1 == node && failing.mode == FailMode::Short).then_some(key.0)
        };
        let Some(fault) = state.errors.iter().find_map(short) else {
            return len;
        };
        let stream = state.short.entry(node);
        let stream = stream.or_insert_with(|| world.stream("disk.short", node));
        if stream.chance(1, 2) {
            return len;
        }
        let less = 1 + stream.index(len - 1);
        let ledger = world.ledger();
        let what = || format!("{} of {} moved {less} of {len}", op.name(), file.name());
        ledger.inject(fault, "calls-shortened", 1, what);
        ledger.observe(fault, "short-counts", what);
        less
    }

    /// How much longer a call takes by faults. [`Duration::MAX`]: it does not come back.
    pub(crate) fn delay(&self, world: &World, op: OpKind) -> Duration {
        if !self.is_failing.get() {
            return Duration::ZERO;
        }
        if self.strikes_before(world, op) {
            return Duration::MAX;
        }
        let node = world.current_node();
        let state = &mut *self.state.borrow_mut();
        let mut longer = Duration::ZERO;
        for (&(fault, on), failing) in &state.errors {
            let (by, counter) = match failing.mode {
                _ if on != node => continue,
                FailMode::Slow { by } => {
                    let stream = state.slow.entry(node);
                    let stream = stream.or_insert_with(|| world.stream("disk.slow", node));
                    (stream.duration(by.lo, by.hi), "calls-delayed")
                }
                FailMode::Throttle { .. } if !matches!(op, OpKind::Read | OpKind::Sync) => continue,
                FailMode::Throttle { .. } => {
                    let busy = state.throttled.get(&(fault, node)).copied();
                    let left = busy.unwrap_or(0).saturating_sub(time::now().as_nanos());
                    (Duration::from_nanos(left), "calls-delayed")
                }
                FailMode::Stall { until: None } => (Duration::MAX, "calls-stalled"),
                FailMode::Stall { until: Some(until) } => {
                    let left = until.as_nanos().saturating_sub(time::now().as_nanos());
                    (Duration::from_nanos(left), "calls-stalled")
                }
                _ => continue,
            };
            if by.is_zero() {
                continue;
            }
            let ledger = world.ledger();
            let what = || format!("{} takes {by:?} longer", op.name());
            ledger.inject(fault, counter, 1, what);
            ledger.observe(fault, "waits", what);
            longer = longer.saturating_add(by);
        }
        longer
    }
}

impl Disk {
    /// The device of the running node reads or makes durable so many bytes: what comes later waits
    /// for it.
    #[inline]
    pub(crate) fn occupy(&self, world: &World, bytes: u64) {
        if self.config.throughput.is_some() || self.is_failing.get() {
            self.occupy_device(world, bytes);
        }
    }

    fn occupy_device(&self, world: &World, bytes: u64) {
        let (node, now) = (world.current_node(), time::now().as_nanos());
        let after = |busy: &mut u64, rate: Throughput| {
            *busy = (*busy).max(now).saturating_add(rate.takes_ns(bytes));
        };
        let state = &mut *self.state.borrow_mut();
        if let Some(rate) = self.config.throughput {
            after(state.busy.entry(node).or_default(), rate);
        }
        for (&(fault, on), failing) in &state.errors {
            if let FailMode::Throttle { to } = failing.mode
                && on == node
            {
                after(state.throttled.entry((fault, on)).or_default(), to);
            }
        }
    }

    /// How long the device of the running node is busy yet.
    pub(crate) fn queued(&self, world: &World) -> Duration {
        let state = self.state.borrow();
        let busy = state.busy.get(&world.current_node()).copied();
        Duration::from_nanos(busy.unwrap_or(0).saturating_sub(time::now().as_nanos()))
    }
}

impl State {
    /// Is anything open that makes calls fail, or take long?
    pub(crate) fn is_troubled(&self) -> bool {
        !self.errors.is_empty() || !self.strikes.is_empty()
    }
}
