//! The disk as a device of the world: one for all nodes, with a volume for each.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use sim_runtime::{
    Boot, Device, DeviceId, Down, EventKind, FaultId, NodeId, SimInstant, Stream, World, time,
    try_with, with,
};

use super::explore::Exploration;
use super::faults::Failing;
use super::lints::Watch;
use super::locks::Locks;
use super::namespace::Mounts;
use super::op_kind::OpKind;
use super::report::{CrashReport, DiskStats, PendingSummary, Stats, enter_losses};
use super::strikes::Strike;
use crate::config::{DiskConfig, LatencyRange, VolumeId};
use crate::errno::errno;
use crate::state::pages::PAGE;
use crate::state::volume::{Rules, Volume};

/// All disks of a simulation.
///
/// Calls act for the running task's node, on that node's volume, which is made empty, with a
/// `/tmp`, when it is first used. Measured without faults, copies and digest included:
/// 40 ns a small read, 120 ns a small overwrite, 190 ns a small append, 450 ns a 4 KiB append.
///
/// ```
/// use std::path::Path;
/// use sim_disk::{Disk, DiskConfig, OpenFlags};
/// use sim_runtime::{Config, NodeId, Seed, Simulation};
///
/// let simulation = Simulation::new(Config::new(Seed(1)));
/// let disk = Disk::install(simulation.world(), DiskConfig::default());
/// let fd = disk.open(Path::new("/wal"), OpenFlags::creating())?;
/// disk.write(fd, b"entry")?;
/// disk.fsync(fd)?;
/// let pending = disk.pending_summary(NodeId::HARNESS);
/// assert_eq!((pending.writes, pending.names), (0, 1), "the name waits for a directory sync");
/// # drop(disk);
/// # drop(simulation);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Disk {
    id: DeviceId,
    pub(crate) config: DiskConfig,
    pub(crate) state: RefCell<State>,
    /// Is any fault open that makes calls fail? The one check that a call without faults pays.
    pub(crate) is_failing: Cell<bool>,
    /// The call that is being made, for evidence of what it meets.
    pub(crate) call: Cell<OpKind>,
    /// Is a crash looked for at each persistence call?
    pub(crate) is_watching: Cell<bool>,
}

/// What a timer of the disk is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The power of a node goes.
    Strike(NodeId),
    /// The kernel writes back.
    WriteBack(VolumeId),
}

/// How the kernel writes a volume back by itself.
struct WriteBack {
    draws: Stream,
    is_due: bool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) mounts: Mounts,
    pub(crate) locks: Locks,
    descriptions: u64,
    pub(crate) volumes: BTreeMap<VolumeId, Volume>,
    pub(crate) errors: BTreeMap<(FaultId, NodeId), Failing>,
    pub(crate) strikes: BTreeMap<NodeId, Strike>,
    /// Nodes that lose power in the middle of a sync.
    pub(crate) partial: BTreeSet<NodeId>,
    pub(crate) exploration: Option<Exploration>,
    pub(crate) watch: Watch,
    pub(crate) short: BTreeMap<NodeId, Stream>,
    pub(crate) slow: BTreeMap<NodeId, Stream>,
    /// Until when devices are busy, in ns.
    pub(crate) busy: BTreeMap<NodeId, u64>,
    /// The same of those that a fault makes do less.
    pub(crate) throttled: BTreeMap<(FaultId, NodeId), u64>,
    writing_back: BTreeMap<VolumeId, WriteBack>,
    timers: BTreeMap<u64, Timer>,
    next_timer: u64,
    pub(crate) blame: BTreeMap<NodeId, FaultId>,
    pub(crate) stats: Stats,
    latency: BTreeMap<NodeId, Stream>,
    crash: BTreeMap<VolumeId, Stream>,
    crashes: BTreeMap<VolumeId, CrashReport>,
}

/// The disk of the simulation that this thread is in.
///
/// # Errors
/// `ENODEV` outside a simulation, or when none is installed.
pub fn disk() -> io::Result<Rc<Disk>> {
    try_with(|world| world.device::<Disk>())
        .flatten()
        .ok_or_else(|| errno(libc::ENODEV))
}

impl Disk {
    /// Gives a world its disks.
    pub fn install(world: &Rc<World>, config: DiskConfig) -> Rc<Disk> {
        let disk = world.install(|id| Disk {
            id,
            config,
            state: RefCell::default(),
            is_failing: Cell::new(false),
            call: Cell::new(OpKind::Open),
            is_watching: Cell::new(false),
        });
        world.serve_files(Rc::<Disk>::clone(&disk));
        disk
    }

    /// What it was installed with.
    pub fn config(&self) -> &DiskConfig {
        &self.config
    }

    /// How long a call of this kind takes now, drawn from (`disk.latency`, running node), and
    /// longer by faults. For callers that can wait, before they make the call, which itself takes
    /// no time. A range of zero draws nothing. [`Duration::MAX`]: the call is never to be made.
    pub fn latency(&self, op: OpKind) -> Duration {
        let latency = &self.config.latency;
        let LatencyRange { lo, hi } = match op {
            OpKind::Read | OpKind::ReadDir => latency.read,
            OpKind::Write | OpKind::SetLen => latency.write,
            OpKind::Sync => latency.sync,
            _ => latency.metadata,
        };
        let has_queue = self.config.throughput.is_some();
        if hi.is_zero() && !self.is_failing.get() && !has_queue {
            return Duration::ZERO;
        }
        with(|world| {
            self.lint_begin(world, op);
            let mut longer = self.delay(world, op);
            if has_queue && matches!(op, OpKind::Read | OpKind::Sync) {
                longer = longer.saturating_add(self.queued(world));
            }
            if hi.is_zero() || longer == Duration::MAX {
                return longer;
            }
            let node = world.current_node();
            let mut state = self.state.borrow_mut();
            let stream = state
                .latency
                .entry(node)
                .or_insert_with(|| world.stream("disk.latency", node));
            stream.duration(lo, hi).saturating_add(longer)
        })
    }

    /// What the guests of `node` did so far.
    pub fn stats(&self, node: NodeId) -> DiskStats {
        self.state.borrow().stats.get(node)
    }

    /// What a power loss of `node` could take now. O(pending).
    pub fn pending_summary(&self, node: NodeId) -> PendingSummary {
        let state = self.state.borrow();
        let volumes = state.mounts.below(state.mounts.root_of(node));
        let volumes = volumes.iter().filter_map(|id| state.volumes.get(id));
        volumes.fold(PendingSummary::default(), |sum, volume| {
            sum.plus(PendingSummary::of(volume))
        })
    }

    /// What the last power loss of `node` did to its first volume; None if there was none.
    pub fn last_crash(&self, node: NodeId) -> Option<CrashReport> {
        let state = self.state.borrow();
        state.crashes.get(&state.mounts.root_of(node)).copied()
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            profile: self.config.profile,
            tear: self.config.tear,
            capacity_pages: self.config.capacity_bytes.map(|bytes| bytes / PAGE),
            dirty_ops_max: self.config.dirty_ops_max,
            dirty_bytes_max: self.config.dirty_bytes_max,
        }
    }

    /// Calls `f` on a volume, then enters into the ledger what the guest met of earlier crashes.
    pub(crate) fn on_volume<T>(
        &self,
        world: &World,
        id: VolumeId,
        f: impl FnOnce(&mut Volume, &mut DiskStats) -> T,
    ) -> T {
        let mut state = self.state.borrow_mut();
        let State { volumes, stats, .. } = &mut *state;
        let volume = volumes.get_mut(&id).expect("what is open is somewhere");
        let result = f(volume, stats.of(world.current_node()));
        let has_news = volume.has_news();
        if !self.config.write_back.hi.is_zero() && !volume.ops.is_empty() {
            self.will_write_back(&mut state, world, id);
        }
        if has_news {
            drop(state);
            self.enter_met(world);
        }
        result
    }

    /// Enters into the ledger what media did and what the guest met.
    pub(crate) fn enter_met(&self, world: &World) {
        let mut state = self.state.borrow_mut();
        let (mut receipts, mut met) = (Vec::new(), Vec::new());
        for volume in state
            .volumes
            .values_mut()
            .filter(|volume| volume.has_news())
        {
            receipts.extend(volume.media.take_receipts());
            met.extend(volume.scars.take_met());
        }
        drop(state);
        let ledger = world.ledger();
        for receipt in receipts {
            ledger.inject(receipt.fault, receipt.counter, 1, || receipt.what);
        }
        for met in met {
            ledger.observe(met.fault, met.counter, || {
                let node = world.node(world.current_node()).name;
                format!("{}, met by {} on {node}", met.what, self.call.get().name())
            });
        }
    }

    /// A call on names is done: arms the write-back of what it left pending, enters what it met.
    pub(crate) fn settle(&self, world: &World) {
        if !self.config.write_back.hi.is_zero() {
            let mut state = self.state.borrow_mut();
            let pending = state
                .volumes
                .iter()
                .filter(|(_, volume)| !volume.ops.is_empty());
            for id in pending.map(|(&id, _)| id).collect::<Vec<_>>() {
                self.will_write_back(&mut state, world, id);
            }
        }
        let has_news = self.state.borrow().volumes.values().any(Volume::has_news);
        if has_news {
            self.enter_met(world);
        }
    }

    /// Something is pending: the kernel will write some of it back, by itself.
    pub(crate) fn will_write_back(&self, state: &mut State, world: &World, id: VolumeId) {
        let entry = state.writing_back.entry(id);
        let back = entry.or_insert_with(|| WriteBack {
            draws: world.stream("disk.write-back", id.0),
            is_due: false,
        });
        if std::mem::replace(&mut back.is_due, true) {
            return;
        }
        let range = self.config.write_back;
        let after = back.draws.duration(range.lo, range.hi);
        self.arm_timer(state, world, Timer::WriteBack(id), time::now() + after);
    }

    fn write_back(&self, world: &World, id: VolumeId) {
        let mut state = self.state.borrow_mut();
        let State {
            volumes,
            writing_back,
            stats,
            mounts,
            ..
        } = &mut *state;
        let back = writing_back.get_mut(&id).expect("one that was due");
        back.is_due = false;
        let Some(volume) = volumes.get_mut(&id) else {
            return;
        };
        let durable = volume.write_back_some(&mut |n| back.draws.below(n));
        let more = !volume.ops.is_empty();
        if let Some(node) = mounts.owner(id) {
            stats.of(node).written_back += durable as u64;
        }
        event(world, OpKind::SyncRange, id.0, durable as u64);
        if more {
            self.will_write_back(&mut state, world, id);
        }
        drop(state);
        self.enter_met(world);
    }

    pub(crate) fn arm_timer(&self, state: &mut State, world: &World, timer: Timer, at: SimInstant) {
        let token = state.next_timer;
        state.next_timer += 1;
        state.timers.insert(token, timer);
        world.device_event_at(at, self.id, token);
    }

    /// The first volume of the running process, made if it is new.
    ///
    /// # Errors
    /// `ESRCH` when the process is dead: destructors that run after it change no disk.
    pub(crate) fn own_volume(&self, world: &World) -> io::Result<VolumeId> {
        let node = world.current_node();
        if !world.is_alive(node, world.current_boot()) {
            return Err(errno(libc::ESRCH));
        }
        Ok(self.root_volume(world, node))
    }

    /// The first volume of a node, made if it is new.
    pub(crate) fn root_volume(&self, world: &World, node: NodeId) -> VolumeId {
        let root = self.state.borrow().mounts.root_of(node);
        self.make_volume(world, root);
        root
    }

    pub(crate) fn make_volume(&self, world: &World, id: VolumeId) {
        let volumes = &mut self.state.borrow_mut().volumes;
        volumes
            .entry(id)
            .or_insert_with(|| Volume::new(self.rules(), world.wall_clock()));
    }

    pub(crate) fn next_description(&self) -> u64 {
        let next = &mut self.state.borrow_mut().descriptions;
        *next += 1;
        *next
    }

    fn power_loss(&self, world: &World, id: VolumeId, partial: bool, blame: Option<FaultId>) {
        let mut state = self.state.borrow_mut();
        let State {
            volumes,
            crash,
            crashes,
            ..
        } = &mut *state;
        let Some(volume) = volumes.get_mut(&id) else {
            return;
        };
        let stream = crash
            .entry(id)
            .or_insert_with(|| world.stream("disk.crash", id.0));
        let outcome = volume.power_loss(partial, &mut |n| stream.below(n));
        let report = CrashReport::of(&outcome);
        crashes.insert(id, report);
        let kept = (outcome.kept as u64) << 32 | outcome.pending as u64;
        event(world, OpKind::PowerLoss, id.0, kept);
        event(
            world,
            OpKind::PowerLoss,
            outcome.kind as u64,
            outcome.losses.len() as u64,
        );
        enter_losses(world, volume, &outcome.losses, blame);
    }
}

/// Enters a call into the digest.
pub(crate) fn event(world: &World, op: OpKind, of: u64, detail: u64) {
    world.event(EventKind::Disk, (op as u64) << 56 | of, detail);
}

impl Device for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn on_event(&self, world: &Rc<World>, token: u64) {
        let timer = self.state.borrow_mut().timers.remove(&token);
        match timer.expect("each timer fires once") {
            Timer::Strike(node) => self.strike(node),
            Timer::WriteBack(volume) => self.write_back(world, volume),
        }
    }

    /// A kill or an exit leaves the page cache as it is; a power loss takes what it takes.
    fn node_down(&self, world: &Rc<World>, node: NodeId, _boot: Boot, down: Down) {
        let (blame, partial) = {
            let state = &mut *self.state.borrow_mut();
            let strike = state.strikes.remove(&node);
            self.is_failing.set(state.is_troubled());
            let volumes = state.mounts.below(state.mounts.root_of(node));
            state.watch.forget(&volumes);
            drop(strike);
            (state.blame.remove(&node), state.partial.contains(&node))
        };
        if down != Down::PowerLoss {
            return;
        }
        let (volumes, waiting) = {
            let state = &mut *self.state.borrow_mut();
            state.stats.of(node).power_losses += 1;
            let volumes = state.mounts.below(state.mounts.root_of(node));
            let waiting = state.locks.forget(|at| volumes.contains(&at.volume));
            (volumes, waiting)
        };
        drop(waiting);
        for id in volumes {
            self.power_loss(world, id, partial, blame);
        }
    }

    fn finish(&self, _world: &Rc<World>) {
        *self.state.borrow_mut() = State::default();
    }
}

#[cfg(test)]
mod tests {
    use sim_runtime::{Config, NodeId, Seed, Simulation};

    use super::{Disk, OpKind, State};
    use crate::config::{DiskConfig, MediaFault};
    use crate::kernel::faults::FailMode;

    /// Streams that were made; a draw needs one.
    fn streams(state: &State) -> usize {
        state.latency.len()
            + state.crash.len()
            + state.writing_back.len()
            + state.short.len()
            + state.slow.len()
    }

    fn work(disk: &Disk) {
        for name in ["/a", "/b"] {
            let flags = libc::O_RDWR | libc::O_CREAT;
            let fd = disk.open_with(name, flags, 0o644).unwrap();
            for op in [OpKind::Open, OpKind::Write, OpKind::Sync, OpKind::Read] {
                assert!(disk.latency(op).is_zero());
            }
            let mut page = [7; 4096];
            for at in 0..20 {
                assert!(disk.pwrite(fd, &page, at * 4096).unwrap() > 0);
                assert!(disk.pread(fd, &mut page, at * 4096).unwrap() > 0);
            }
            disk.fsync(fd).unwrap();
            disk.close(fd).unwrap();
            disk.rename(name, "/c").unwrap();
        }
        assert_eq!(disk.read_dir("/").unwrap().len(), 2);
        disk.remove_file("/c").unwrap();
    }

    #[test]
    fn a_call_draws_nothing_but_for_faults_that_are_open_on_its_node() {
        let simulation = Simulation::new(Config::new(Seed(1)));
        let disk = Disk::install(simulation.world(), DiskConfig::default());
        work(&disk);
        assert_eq!(streams(&disk.state.borrow()), 0);
        // Media faults hit by what is where, drawn when they begin.
        let ledger = simulation.world().ledger();
        let (rot, short) = (ledger.plan("rot", "rot"), ledger.plan("short", "short"));
        disk.damage(rot, NodeId::HARNESS, (MediaFault::Rot, 1_000_000), None);
        work(&disk);
        assert_eq!(streams(&disk.state.borrow()), 0);
        disk.fail(short, NodeId(9), FailMode::Short);
        work(&disk);
        assert_eq!(streams(&disk.state.borrow()), 0, "of another node");
        disk.fail(short, NodeId::HARNESS, FailMode::Short);
        work(&disk);
        assert_eq!(streams(&disk.state.borrow()), 1);
    }
}
