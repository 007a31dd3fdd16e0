//! The world: clock, timers, tasks, nodes, descriptors, ledger and digest of one simulation.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Waker;
use std::vec;

use crate::clock::Clocks;
use crate::device::{Device, DeviceId};
use crate::digest::{EventKind, Recorder, TraceEvent};
use crate::executor::Executor;
use crate::fiber::Fibers;
use crate::files::WorldFiles;
use crate::guest::GuestState;
use crate::heap::Memory;
use crate::ids::{Boot, NodeId, Seed, SimInstant};
use crate::ledger::Ledger;
use crate::mappings::Mappings;
use crate::nodes::Nodes;
use crate::policy::{ReadyQueue, Schedule};
use crate::probe::Probes;
use crate::report::Waits;
use crate::simulation::{Budget, Config, Reseed};
use crate::sockets::Sockets;
use crate::stream::{self, Entity, Root, Stream};
use crate::table::Table;
use crate::task;
use crate::timers::{Due, TimerKey, Timers};

/// Whose code is running. Two words: it is exchanged at every poll.
#[derive(Clone, Copy)]
pub(crate) struct Current {
    pub(crate) node: NodeId,
    pub(crate) boot: Boot,
    /// The task's place in the executor's list.
    pub(crate) task: Option<u32>,
}

impl Current {
    pub(crate) const HARNESS: Self = Self {
        node: NodeId::HARNESS,
        boot: Boot(1),
        task: None,
    };
}

/// One simulation's world. Reached through [`with`]; never leaves its thread.
pub struct World {
    pub(crate) id: u64,
    root: Root,
    /// When the root is to change, until it has.
    /// The next one, and those after it.
    reseed: Cell<Option<Reseed>>,
    reseeds: RefCell<vec::IntoIter<Reseed>>,
    now: Cell<u64>,
    next_due: Cell<u64>,
    /// How many polls there had been when a timer last fired.
    polls_at_last_timer: Cell<u64>,
    budget: Budget,
    current: Cell<Current>,
    recorder: Recorder,
    timers: RefCell<Timers>,
    /// With the type of each, to be found by.
    devices: RefCell<Vec<(TypeId, Rc<dyn Device>)>>,
    ledger: Ledger,
    pub(crate) executor: Executor,
    pub(crate) nodes: RefCell<Nodes>,
    pub(crate) table: RefCell<Table>,
    pub(crate) guest: GuestState,
    pub(crate) clocks: Clocks,
    pub(crate) memory: Memory,
    /// The turn in which something was noted, and what.
    turn_note: Cell<(u64, u64)>,
    pub(crate) sockets: RefCell<Option<Rc<dyn Sockets>>>,
    pub(crate) files: WorldFiles,
    pub(crate) mappings: Mappings,
    pub(crate) fibers: Fibers,
    pub(crate) probes: Probes,
}

/// A poll's least cost, and the step in which it varies, 256 times.
const POLL_COST_MIN_NS: u64 = 200;
const POLL_COST_STEP_NS: u64 = 8;

thread_local! {
    /// This thread's world. Without a destructor, so that hooks can read it at any time and
    /// reading it is a load: a `Simulation` takes its world out when it is dropped.
    static CURRENT: RefCell<ManuallyDrop<Option<Rc<World>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
    /// Whether there is one; can be read while `CURRENT` is exchanged.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a simulation.
#[inline]
#[must_use]
pub fn in_simulation() -> bool {
    INSIDE.get()
}

/// This thread's world.
#[inline]
#[must_use]
pub fn try_world() -> Option<Rc<World>> {
    current()
}

/// This thread's world.
///
/// # Panics
/// Outside a simulation.
#[must_use]
pub fn world() -> Rc<World> {
    with(Rc::clone)
}

/// Calls `f` with this thread's world.
///
/// # Panics
/// Outside a simulation.
#[inline]
pub fn with<R>(f: impl FnOnce(&Rc<World>) -> R) -> R {
    try_with(f).expect("this is only possible inside a simulation")
}

/// Calls `f` with this thread's world; `None` outside a simulation.
#[inline]
pub fn try_with<R>(f: impl FnOnce(&Rc<World>) -> R) -> Option<R> {
    // `f` stays out of the closure: `LocalKey::with` is a call through a pointer unless what it
    // is given is small, and would move whatever `f` has captured.
    current().map(|world| f(&world))
}

/// Calls `f` with this thread's world, if there is one and it is not being exchanged. Allocates
/// nothing.
#[inline]
pub(crate) fn peek<R>(f: impl FnOnce(&World) -> R) -> Option<R> {
    CURRENT.with(|current| {
        let current = current.try_borrow().ok()?;
        (*current).as_ref().map(|world| f(world))
    })
}

#[inline]
pub(crate) fn current() -> Option<Rc<World>> {
    CURRENT.with(|current| current.borrow().as_ref().map(Rc::clone))
}

/// Makes `world` this thread's world, or none; gives back what it was.
pub(crate) fn replace(world: Option<Rc<World>>) -> Option<Rc<World>> {
    task::point_at(world.as_ref());
    INSIDE.set(world.is_some());
    let world = ManuallyDrop::new(world);
    ManuallyDrop::into_inner(CURRENT.with(|current| current.replace(world)))
}

impl World {
    pub(crate) fn new(id: u64, config: Config) -> Self {
        let Config {
            seed,
            policy,
            epoch_unix_ns: epoch,
            trace: traced,
            buggify,
            budget,
            schedule,
            reseeds,
        } = config;
        let mut reseeds = reseeds.into_iter();
        let root = Root::new(seed);
        Self {
            id,
            reseed: Cell::new(reseeds.next()),
            reseeds: RefCell::new(reseeds),
            now: Cell::new(0),
            next_due: Cell::new(u64::MAX),
            polls_at_last_timer: Cell::new(0),
            budget,
            current: Cell::new(Current::HARNESS),
            recorder: Recorder::new(traced),
            timers: RefCell::new(Timers::default()),
            devices: RefCell::new(Vec::new()),
            ledger: Ledger::new(),
            executor: Executor::new(
                id,
                ReadyQueue::new(policy, &root, &schedule),
                matches!(schedule, Schedule::Scripted(_)),
            ),
            nodes: RefCell::new(Nodes::new()),
            table: RefCell::new(Table::default()),
            guest: GuestState::new(&root, epoch),
            clocks: Clocks::default(),
            memory: Memory::default(),
            turn_note: Cell::new((u64::MAX, 0)),
            sockets: RefCell::new(None),
            files: WorldFiles::default(),
            mappings: Mappings::default(),
            fibers: Fibers::default(),
            probes: Probes::new(&root, buggify),
            root,
        }
    }

    /// The root seed.
    pub const fn seed(&self) -> Seed {
        self.root.seed()
    }

    /// Virtual time. Reading it this way costs none.
    #[inline]
    pub const fn now(&self) -> SimInstant {
        SimInstant(self.now.get())
    }

    /// Whose code runs.
    pub(crate) fn current(&self) -> Current {
        self.current.get()
    }

    /// The node of the running task; [`NodeId::HARNESS`] outside tasks.
    pub fn current_node(&self) -> NodeId {
        self.current.get().node
    }

    /// The running task, if one runs.
    pub fn current_task(&self) -> Option<crate::task::TaskId> {
        let slot = self.current.get().task?;
        self.executor.id_of(slot)
    }

    /// The running task's place in the executor's list.
    pub(crate) fn current_slot(&self) -> Option<u32> {
        self.current.get().task
    }

    /// How many turns tasks have had, this one included.
    #[inline]
    pub const fn turns(&self) -> u64 {
        self.executor.polls()
    }

    /// What was noted in this turn, if anything was: a front end's count of what the task did.
    #[inline]
    pub fn turn_note(&self) -> Option<u64> {
        let (turn, note) = self.turn_note.get();
        (turn == self.turns()).then_some(note)
    }

    /// Notes something until the turn ends.
    #[inline]
    pub fn note_turn(&self, note: u64) {
        self.turn_note.set((self.turns(), note));
    }

    /// Whether the simulation is over, and its tasks are dropped where they are.
    pub const fn is_ending(&self) -> bool {
        self.executor.is_ending()
    }

    /// How many tasks of a node are alive. O(n) in all tasks.
    pub fn tasks_alive(&self, node: NodeId) -> usize {
        self.executor.alive(node)
    }

    /// The boot of the running task.
    pub fn current_boot(&self) -> Boot {
        self.current.get().boot
    }

    /// The keyed stream of (`purpose`, `entity`), from its beginning.
    pub fn stream(&self, purpose: &str, entity: impl Into<Entity>) -> Stream {
        self.root.stream(purpose, entity)
    }

    /// Enters an event into the digest. 10 to 15 instructions.
    #[inline(always)]
    pub fn event(&self, kind: EventKind, a: u64, b: u64) {
        if self.recorder.record(kind, a, b) {
            self.trace(kind, a, b);
        }
    }

    #[cold]
    #[inline(never)]
    fn trace(&self, kind: EventKind, a: u64, b: u64) {
        let current = self.current.get();
        let task = current.task.map(|slot| self.executor.describe_task(slot));
        self.recorder.push_trace(TraceEvent {
            number: self.recorder.events(),
            at: self.now.get(),
            kind,
            node: current.node.0,
            task: task.unwrap_or_default(),
            arguments: (a, b),
        });
    }

    pub(crate) const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The fault ledger.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    // Whose code runs.

    #[inline]
    pub(crate) fn enter(&self, current: Current) -> Current {
        self.current.replace(current)
    }

    #[inline]
    pub(crate) fn leave(&self, outer: Current) {
        self.current.set(outer);
    }

    /// Who runs, in words: the node and the task.
    pub(crate) fn who(&self) -> String {
        let current = self.current.get();
        let task = current.task.map(|slot| self.executor.describe_task(slot));
        format!("{} {}", current.node, task.unwrap_or_default())
    }

    /// Calls `f` as if it ran on `node`; used by devices and by the harness to act for a node.
    pub fn on_node<R>(&self, node: NodeId, f: impl FnOnce() -> R) -> R {
        let boot = self.boot_of(node);
        let outer = self.enter(Current {
            node,
            boot,
            task: None,
        });
        let result = f();
        self.leave(outer);
        result
    }

    /// Notes what the running task waits for, for reports of deadlocks and leaks. Forgotten at its
    /// next poll. About 15 instructions; nothing outside tasks.
    #[inline]
    pub fn waiting(&self, waits: Waits) {
        if let Some(slot) = self.current.get().task {
            self.executor.note_wait(slot, self.now.get(), waits);
        }
    }

    // Time.

    /// Arms a timer that wakes `waker` when the running node's monotonic clock shows `at`; that is
    /// virtual time, unless the clock is skewed. An event: when two runs differ, whoever armed a
    /// timer differently is who is asked, not whoever was running when it fired.
    #[inline]
    pub fn wake_at(&self, at: SimInstant, waker: Waker) -> TimerKey {
        let at = match self.clocks.are_right() {
            true => at,
            false => self.virtual_instant(at),
        };
        self.event(EventKind::Arm, at.0, 0);
        self.arm(at, Due::Wake(self.current_node(), waker))
    }

    /// Arms a timer that calls a device at `at`.
    #[inline]
    pub fn device_event_at(&self, at: SimInstant, device: DeviceId, token: u64) -> TimerKey {
        self.arm(at, Due::Device(device, token))
    }

    pub(crate) fn arm_clock(&self, at: SimInstant, node: NodeId) {
        self.arm(at, Due::Slewed(node));
    }

    /// Moves the deadlines of a node's timers; gives back how many.
    pub(crate) fn retime(&self, node: NodeId, to: impl Fn(u64) -> u64) -> u64 {
        let (moved, earliest) = self.timers.borrow_mut().retime(node, to);
        self.next_due.set(self.next_due.get().min(earliest));
        moved
    }

    #[inline]
    fn arm(&self, at: SimInstant, due: Due) -> TimerKey {
        self.next_due.set(self.next_due.get().min(at.0));
        self.timers.borrow_mut().arm(at.0, due)
    }

    /// Whether a timer has neither fired nor been cancelled.
    #[inline]
    pub(crate) fn timer_is_armed(&self, key: TimerKey) -> bool {
        self.timers.borrow().is_armed(key)
    }

    /// Takes a timer back. True: it had not fired.
    pub fn cancel_timer(&self, key: TimerKey) -> bool {
        let due = self.timers.borrow_mut().cancel(key);
        // A waker may own the last of a task; it is dropped with nothing borrowed.
        due.is_some()
    }

    /// Replaces a timer's waker. False: it has fired.
    pub fn update_timer_waker(&self, key: TimerKey, waker: &Waker) -> bool {
        let mut timers = self.timers.borrow_mut();
        let Some(current) = timers.waker_mut(key) else {
            return false;
        };
        if current.will_wake(waker) {
            return true;
        }
        let old = std::mem::replace(current, waker.clone());
        drop(timers);
        drop(old);
        true
    }

    /// Fires every timer that is due.
    #[inline]
    pub(crate) fn fire_due(self: &Rc<Self>) {
        if self.next_due.get() <= self.now.get() {
            self.fire_all_due();
        }
    }

    #[inline(never)]
    fn fire_all_due(self: &Rc<Self>) {
        self.polls_at_last_timer.set(self.executor.polls());
        while let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.fire_each_due())) {
            self.note_waker_panic(&*payload);
        }
    }

    /// A waker of the guest's own may panic: that is a finding, and the others' turn comes.
    #[cold]
    fn note_waker_panic(&self, payload: &(dyn Any + Send)) {
        let node = self.current_node();
        self.executor.note_other_panic(node, task::message(payload));
        self.leave(Current::HARNESS);
    }

    #[inline]
    fn fire_each_due(self: &Rc<Self>) {
        loop {
            let due = self.timers.borrow_mut().pop_due(self.now.get());
            match due {
                Err(bound) => {
                    self.next_due.set(bound);
                    return;
                }
                Ok((at, due)) => self.fire(at, due),
            }
        }
    }

    #[inline(always)]
    fn fire(self: &Rc<Self>, at: u64, due: Due) {
        match due {
            Due::Wake(_, waker) => {
                self.event(EventKind::Timer, at, 0);
                waker.wake();
            }
            Due::Device(device, token) => {
                self.event(EventKind::Timer, at, token);
                let device = Rc::clone(&self.devices.borrow()[device.0 as usize].1);
                device.on_event(self, token);
            }
            Due::Slewed(node) => {
                self.event(EventKind::Timer, at, u64::from(node.0));
                self.slewing_is_done(node);
            }
        }
    }

    pub(crate) const fn polls_at_last_timer(&self) -> u64 {
        self.polls_at_last_timer.get()
    }

    /// Which budget is used up, if one is.
    #[inline]
    pub(crate) fn exceeded(&self) -> Option<&'static str> {
        let budget = &self.budget;
        if self.executor.polls() > budget.polls_max {
            return Some("polls");
        }
        if self.now.get() > budget.virtual_ns_max {
            return Some("virtual time");
        }
        (self.recorder.events() > budget.events_max).then_some("events")
    }

    /// Whether so much has run since a timer last fired that tasks may be spinning.
    pub(crate) fn may_be_spinning(&self) -> bool {
        let since = self.executor.polls() - self.polls_at_last_timer.get();
        since > self.budget.polls_without_timer_max
    }

    /// Jumps to the next timer and fires what is due then. False: none is armed.
    #[inline]
    fn jump(self: &Rc<Self>) -> bool {
        let next = self.timers.borrow_mut().pop_next();
        let Some((at, due)) = next else {
            return false;
        };
        self.now.set(self.now.get().max(at));
        self.reseed_if_due();
        self.polls_at_last_timer.set(self.executor.polls());
        let fired = catch_unwind(AssertUnwindSafe(|| {
            self.fire(at, due);
            self.fire_each_due();
        }));
        if let Err(payload) = fired {
            self.note_waker_panic(&*payload);
            self.fire_all_due();
        }
        true
    }

    /// Draws what follows from another root, once the moment for that has come.
    #[inline]
    fn reseed_if_due(&self) {
        while let Some(Reseed { at, seed }) = self.reseed.get()
            && self.now.get() >= at.0
        {
            self.reseed.set(self.reseeds.borrow_mut().next());
            self.root.reseed(seed);
        }
    }

    /// Nothing can run: wakes fibers whose words were changed from outside, or else jumps to the
    /// next timer. False: neither could be done.
    pub(crate) fn move_on(self: &Rc<Self>) -> bool {
        let has_other_threads = self.fibers.any() && crate::process::fresh().is_err();
        if has_other_threads && self.fibers.wake_changed() {
            return true;
        }
        self.jump() || self.fibers.wait_for_outside(has_other_threads)
    }

    /// Moves the clock on by `nanos` without running anything.
    pub(crate) fn advance(&self, nanos: u64) {
        self.now.set(self.now.get().saturating_add(nanos));
    }

    /// A poll takes between 200 ns and a little over 2 us, by seed and time: no stream that one
    /// poll more would shift.
    #[inline]
    pub(crate) fn spend_poll(&self) {
        let now = self.now.get();
        let cost =
            POLL_COST_MIN_NS + (stream::spread(now ^ self.root.key()) >> 56) * POLL_COST_STEP_NS;
        self.now.set(now.saturating_add(cost));
    }

    // Devices.

    /// Adds a device.
    pub fn install<D: Device>(&self, make: impl FnOnce(DeviceId) -> D) -> Rc<D> {
        let count = self.devices.borrow().len();
        let id = DeviceId(u32::try_from(count).expect("a handful of devices"));
        let device = Rc::new(make(id));
        let entry = (TypeId::of::<D>(), Rc::<D>::clone(&device) as Rc<dyn Device>);
        self.devices.borrow_mut().push(entry);
        device
    }

    /// The device of type `D`, when one is installed.
    #[inline]
    pub fn device<D: Device>(&self) -> Option<Rc<D>> {
        let devices = self.devices.borrow();
        let (_, device) = devices
            .iter()
            .find(|(kind, _)| *kind == TypeId::of::<D>())?;
        let device: Rc<dyn Any> = Rc::<dyn Device>::clone(device);
        device.downcast().ok()
    }

    pub(crate) fn each_device(&self, mut f: impl FnMut(&dyn Device)) {
        let devices = self.devices.borrow().clone();
        devices.iter().for_each(|(_, device)| f(&**device));
    }

    /// Everything that could keep a guest's value alive is dropped, with nothing borrowed.
    pub(crate) fn drop_everything(self: &Rc<Self>) {
        self.executor.drop_all(self);
        self.each_device(|device| device.finish(self));
        let processes = self.table.borrow().processes();
        for (node, boot) in processes {
            self.abandon_descriptors(node, boot, crate::Down::Exit);
        }
        self.executor.drop_all(self);
        drop(self.nodes.borrow_mut().take_mains());
        let timers = self.timers.borrow_mut().take_all();
        drop(timers);
        self.executor.drop_all(self);
        drop(self.sockets.take());
        let devices = self.devices.take();
        drop(devices);
        self.executor.close(self.id);
    }
}
