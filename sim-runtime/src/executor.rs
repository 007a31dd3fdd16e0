//! The executor: runs ready tasks one poll at a time, and knows every task there is.

mod picks;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use async_task::Runnable;
use slab::Slab;

use crate::digest::EventKind;
use crate::ids::{Boot, NodeId, SimInstant};
use crate::pauses::Pauses;
use crate::policy::{Overtaking, Ready, ReadyQueue, Site};
use crate::process::black_box;
use crate::report::{Waiting, Waits};
use crate::task::{self, Payload, TaskId, TaskMeta, UnjoinedPanic};
use crate::world::{self, Current, World};

/// A task that can run.
pub(crate) type Task = Runnable<TaskMeta>;

impl Ready for Task {
    #[inline]
    fn node(&self) -> NodeId {
        self.metadata().node
    }

    #[inline]
    fn slot(&self) -> u32 {
        self.metadata().slot
    }
}

/// What is kept of a live task beside its allocation.
struct Record {
    id: TaskId,
    node: NodeId,
    boot: Boot,
    name: Option<Rc<str>>,
    location: &'static Location<'static>,
    waker: Option<Waker>,
}

impl Record {
    fn describe(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.location),
            None => self.location.to_string(),
        }
    }
}

/// What is looked at or written at each poll of the task in this place.
struct Turn {
    aborted: Cell<bool>,
    /// It is blocking code that has begun, which nobody but the end of its node stops.
    blocks: Cell<bool>,
    /// When its last poll began, in virtual nanoseconds.
    polled: Cell<u64>,
    /// When it noted what it waits for, plus one; not after `polled`: it has not since.
    noted: Cell<u64>,
    waits: Cell<Waits>,
}

impl Turn {
    const fn new() -> Self {
        Self {
            aborted: Cell::new(false),
            blocks: Cell::new(false),
            polled: Cell::new(0),
            noted: Cell::new(0),
            waits: Cell::new(Waits::Other("", 0)),
        }
    }
}

pub(crate) struct Executor {
    ready: RefCell<ReadyQueue<Task>>,
    pauses: Pauses<Task>,
    tasks: RefCell<Slab<Record>>,
    /// By place, like `tasks`.
    turns: RefCell<Vec<Turn>>,
    spawned: Cell<u64>,
    polls: Cell<u64>,
    /// Whether the picks come from a script.
    scripted: bool,
    overtakings: RefCell<Vec<Overtaking>>,
    /// Whether the world is being torn down: nothing that is spawned now is ever polled.
    ending: Cell<bool>,
    panics: RefCell<BTreeMap<TaskId, UnjoinedPanic>>,
    /// What destructors of dropped tasks panicked with, until somebody joins.
    payloads: RefCell<BTreeMap<TaskId, Payload>>,
    /// Of wakers and devices, between tasks.
    other_panics: RefCell<Vec<UnjoinedPanic>>,
    inbox: Arc<Inbox>,
}

/// What threads outside the simulation ask for.
#[derive(Default)]
struct Inbox {
    filled: AtomicBool,
    letters: Mutex<Vec<Letter>>,
}

enum Letter {
    Wake(Task),
    Abort(TaskMeta),
}

impl Inbox {
    fn send(&self, letter: Letter) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        letters.push(letter);
        self.filled.store(true, Ordering::Relaxed);
    }
}

/// The inbox of each world that is alive; touched only by wakes from outside.
static INBOXES: Mutex<BTreeMap<u64, Arc<Inbox>>> = Mutex::new(BTreeMap::new());

impl Executor {
    pub(crate) fn new(world: u64, ready: ReadyQueue<Task>, scripted: bool) -> Self {
        let inbox = Arc::new(Inbox::default());
        let mut inboxes = INBOXES.lock().unwrap_or_else(PoisonError::into_inner);
        inboxes.insert(world, Arc::clone(&inbox));
        Self {
            ready: RefCell::new(ready),
            pauses: Pauses::default(),
            tasks: RefCell::new(Slab::new()),
            turns: RefCell::new(Vec::new()),
            spawned: Cell::new(0),
            polls: Cell::new(0),
            scripted,
            overtakings: RefCell::new(Vec::new()),
            ending: Cell::new(false),
            panics: RefCell::new(BTreeMap::new()),
            payloads: RefCell::new(BTreeMap::new()),
            other_panics: RefCell::new(Vec::new()),
            inbox,
        }
    }

    pub(crate) fn close(&self, world: u64) {
        let mut inboxes = INBOXES.lock().unwrap_or_else(PoisonError::into_inner);
        inboxes.remove(&world);
    }

    #[inline(always)]
    pub(crate) fn push(&self, task: Task) {
        self.ready.borrow_mut().push(task);
    }

    /// Gives a task its number and its place.
    pub(crate) fn reserve(&self, world: &World, node: NodeId, boot: Boot) -> TaskMeta {
        let id = TaskId(self.spawned.get() + 1);
        self.spawned.set(id.0);
        let slot = self.tasks.borrow().vacant_key();
        let slot = u32::try_from(slot).expect("fewer than 2^32 tasks at a time");
        TaskMeta {
            world: world.id,
            id,
            slot,
            node,
            boot,
        }
    }

    pub(crate) fn register(
        &self,
        world: &World,
        runnable: &Task,
        name: Option<Rc<str>>,
        location: &'static Location<'static>,
    ) {
        let TaskMeta {
            id,
            slot,
            node,
            boot,
            ..
        } = *runnable.metadata();
        let waker = Some(runnable.waker());
        world.recorder().black_box().task_begins(
            slot as usize,
            id.0,
            (node.0, boot.0),
            name.as_deref(),
            location,
        );
        let record = Record {
            id,
            node,
            boot,
            name,
            location,
            waker,
        };
        let mut tasks = self.tasks.borrow_mut();
        let taken = tasks.insert(record);
        assert_eq!(
            taken, slot as usize,
            "a reserved place is taken before the next one"
        );
        let record = &tasks[taken];
        self.ready.borrow_mut().spawned(slot, || Site {
            location,
            name: record.name.clone(),
        });
        drop(tasks);
        let mut turns = self.turns.borrow_mut();
        if turns.len() <= taken {
            turns.resize_with(taken + 1, Turn::new);
        }
        let turn = &turns[taken];
        // A task spawned while its process is being torn down is dropped at its first turn.
        turn.aborted
            .set(self.ending.get() || !world.is_alive(node, boot));
        turn.blocks.set(false);
        turn.polled.set(world.now().as_nanos());
        turn.noted.set(0);
    }

    pub(crate) fn unregister(&self, meta: &TaskMeta) {
        let slot = meta.slot as usize;
        let mut tasks = self.tasks.borrow_mut();
        let record = match tasks.get(slot) {
            Some(record) if record.id == meta.id => tasks.remove(slot),
            _ => return,
        };
        black_box().task_ends(slot);
        drop(tasks);
        // Runs that are still queued for it find it dropped.
        self.ready.borrow_mut().finished(meta.slot);
        drop(record);
    }

    /// From now on the running task cannot be aborted.
    pub(crate) fn begin_blocking(&self, world: &World) {
        if let Some(slot) = world.current_slot() {
            self.turns.borrow()[slot as usize].blocks.set(true);
        }
    }

    fn is_aborted(&self, slot: u32) -> bool {
        self.turns.borrow()[slot as usize].aborted.get()
    }

    /// Runs one ready task, or drops it when it was aborted, and says which it was.
    #[inline(never)]
    pub(crate) fn turn(&self, world: &Rc<World>) -> Option<u32> {
        self.turn_in_place(world)
    }

    /// [`Executor::turn`], for the one loop that calls it most.
    #[inline(always)]
    pub(crate) fn turn_in_place(&self, world: &Rc<World>) -> Option<u32> {
        if self.inbox.filled.load(Ordering::Relaxed) {
            self.take_inbox();
        }
        let task = match self.pauses.are_none() {
            true => self.ready.borrow_mut().pop()?,
            false => self.pop_unpaused()?,
        };
        let meta = *task.metadata();
        self.polls.set(self.polls.get() + 1);
        world.enter(Current {
            node: meta.node,
            boot: meta.boot,
            task: Some(meta.slot),
        });
        let now = world.now().as_nanos();
        let turns = self.turns.borrow();
        let turn = &turns[meta.slot as usize];
        turn.polled.set(now);
        let aborted = turn.aborted.get();
        drop(turns);
        if self.scripted {
            self.note_overtaking(&meta, now);
        }
        if aborted {
            drop_task(world, task);
        } else {
            world.event(EventKind::Poll, meta.id.0, now);
            task.run();
            world.spend_poll();
        }
        world.leave(Current::HARNESS);
        Some(meta.slot)
    }

    /// The next task of a node that is not paused; those of the others are held.
    #[cold]
    fn pop_unpaused(&self) -> Option<Task> {
        loop {
            let task = self.ready.borrow_mut().pop()?;
            if let Some(task) = self.pauses.pass(task) {
                return Some(task);
            }
        }
    }

    pub(crate) fn pause(&self, node: NodeId) {
        self.pauses.begin(node);
    }

    pub(crate) fn is_paused(&self, node: NodeId) -> bool {
        self.pauses.is_on(node)
    }

    /// Ends one pause of a node; gives back how many turns of its tasks were held, if it was the
    /// last.
    pub(crate) fn resume(&self, node: NodeId) -> u64 {
        self.requeue(self.pauses.end(node))
    }

    /// Ends every pause of a node.
    pub(crate) fn release(&self, node: NodeId) {
        self.requeue(self.pauses.end_all(node));
    }

    fn requeue(&self, held: Vec<Task>) -> u64 {
        let count = held.len() as u64;
        held.into_iter().for_each(|task| self.push(task));
        count
    }

    #[cold]
    fn take_inbox(&self) {
        self.inbox.filled.store(false, Ordering::Relaxed);
        let mut letters = self
            .inbox
            .letters
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *letters);
        drop(letters);
        for letter in taken {
            match letter {
                Letter::Wake(task) => self.ready.borrow_mut().push(task),
                Letter::Abort(meta) => self.abort(&meta),
            }
        }
    }

    /// Drops every task of a boot, now, each in its own context. The running task, if it is one
    /// of them, goes when its poll returns.
    pub(crate) fn drop_process(&self, world: &Rc<World>, node: NodeId, boot: Boot) {
        let mut wakers = Vec::new();
        let turns = self.turns.borrow();
        for (slot, record) in self.tasks.borrow().iter() {
            let of_boot = record.node == node && record.boot == boot;
            if of_boot && !turns[slot].aborted.replace(true) {
                wakers.extend(record.waker.clone());
            }
        }
        drop(turns);
        wakers.into_iter().for_each(Waker::wake);
        let tasks = self.ready.borrow_mut().take_node(node);
        for task in tasks {
            let meta = *task.metadata();
            if self.is_aborted(meta.slot) {
                let current = Current {
                    node: meta.node,
                    boot: meta.boot,
                    task: Some(meta.slot),
                };
                let outer = world.enter(current);
                drop_task(world, task);
                world.leave(outer);
            } else {
                self.ready.borrow_mut().push(task);
            }
        }
    }

    /// Whether [`drop_all`](Self::drop_all) has begun.
    pub(crate) const fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Drops every task there is; new ones that drops spawn, too.
    pub(crate) fn drop_all(&self, world: &Rc<World>) {
        self.ending.set(true);
        self.requeue(self.pauses.end_each());
        loop {
            let mut wakers = Vec::new();
            let turns = self.turns.borrow();
            for (slot, record) in self.tasks.borrow_mut().iter_mut() {
                turns[slot].aborted.set(true);
                wakers.extend(record.waker.take());
            }
            drop(turns);
            wakers.into_iter().for_each(Waker::wake);
            if self.turn(world).is_none() {
                break;
            }
            while self.turn(world).is_some() {}
        }
    }

    /// Notes what the running task waits for, until its next poll.
    #[inline]
    pub(crate) fn note_wait(&self, slot: u32, now: u64, waits: Waits) {
        if let Some(turn) = self.turns.borrow().get(slot as usize) {
            turn.noted.set(now + 1);
            turn.waits.set(waits);
        }
    }

    /// Tasks alive, by node, in order of their places.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let turns = self.turns.borrow();
        let tasks = self.tasks.borrow();
        let each = tasks.iter();
        each.map(|(slot, record)| {
            let turn = &turns[slot];
            let since = turn.polled.get();
            Waiting {
                slot: u32::try_from(slot).expect("fewer than 2^32 tasks at a time"),
                node: record.node,
                task: record.describe(),
                since: SimInstant(since),
                waits: (turn.noted.get() > since).then(|| turn.waits.get()),
            }
        })
        .collect()
    }

    /// The number of the task in a place; none where the list is being changed.
    pub(crate) fn id_of(&self, slot: u32) -> Option<TaskId> {
        let tasks = self.tasks.try_borrow().ok()?;
        tasks.get(slot as usize).map(|record| record.id)
    }

    pub(crate) fn alive(&self, node: NodeId) -> usize {
        let tasks = self.tasks.borrow();
        tasks.iter().filter(|(_, task)| task.node == node).count()
    }

    pub(crate) fn describe_task(&self, slot: u32) -> String {
        let tasks = self.tasks.borrow();
        tasks
            .get(slot as usize)
            .map_or_else(String::new, Record::describe)
    }

    /// The task of this number, in words, while it is alive.
    pub(crate) fn describe_id(&self, id: TaskId) -> Option<String> {
        let tasks = self.tasks.borrow();
        let (_, record) = tasks.iter().find(|(_, record)| record.id == id)?;
        Some(record.describe())
    }

    #[inline]
    pub(crate) const fn polls(&self) -> u64 {
        self.polls.get()
    }

    pub(crate) fn unjoined_panics(&self) -> Vec<UnjoinedPanic> {
        let panics = self.panics.borrow();
        let others = self.other_panics.borrow();
        panics.values().chain(&*others).cloned().collect()
    }

    /// A waker or a device panicked, between tasks.
    #[cold]
    pub(crate) fn note_other_panic(&self, node: NodeId, message: String) {
        self.other_panics.borrow_mut().push(UnjoinedPanic {
            node,
            task: "a waker or a device, between tasks".to_owned(),
            message,
        });
    }

    fn abort(&self, meta: &TaskMeta) {
        let tasks = self.tasks.borrow();
        let waker = match tasks.get(meta.slot as usize) {
            Some(record) if record.id == meta.id => {
                let turns = self.turns.borrow();
                let turn = &turns[meta.slot as usize];
                if turn.blocks.get() {
                    return;
                }
                turn.aborted.set(true);
                record.waker.clone()
            }
            _ => None,
        };
        drop(tasks);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Drops a task's future in its own context.
fn drop_task(world: &Rc<World>, task: Task) {
    let meta = *task.metadata();
    world.event(EventKind::Poll, meta.id.0, u64::MAX);
    drop(task);
}

/// What async-task calls when a task is to run.
pub(crate) fn schedule(task: Task) {
    let id = task.metadata().world;
    match task::here() {
        Some(here) if here.world_id() == id => here.push(task),
        _ => schedule_from_outside(id, task),
    }
}

/// Hands a task to the thread its world lives on.
#[cold]
#[inline(never)]
fn schedule_from_outside(world: u64, task: Task) {
    match inbox_of(world) {
        Some(inbox) => inbox.send(Letter::Wake(task)),
        // Its world has dropped all its tasks; what is woken now is an empty shell. It is not
        // dropped here because a drop belongs to a thread that is gone.
        None => std::mem::forget(task),
    }
}

fn inbox_of(world: u64) -> Option<Arc<Inbox>> {
    let inboxes = INBOXES.lock().unwrap_or_else(PoisonError::into_inner);
    inboxes.get(&world).cloned()
}

/// From another thread, the task is aborted when its world next looks at its inbox.
pub(crate) fn abort(meta: &TaskMeta) {
    match world::current() {
        Some(world) if world.id == meta.world => world.executor.abort(meta),
        _ => {
            if let Some(inbox) = inbox_of(meta.world) {
                inbox.send(Letter::Abort(*meta));
            }
        }
    }
}

/// From another thread only the end of the world is seen.
pub(crate) fn is_finished(meta: &TaskMeta) -> bool {
    match world::current() {
        Some(world) if world.id == meta.world => {
            let tasks = world.executor.tasks.borrow();
            let record = tasks.get(meta.slot as usize);
            record.is_none_or(|record| record.id != meta.id)
        }
        _ => inbox_of(meta.world).is_none(),
    }
}

pub(crate) fn note_panic(meta: &TaskMeta, message: String) {
    world::try_with(|world| {
        let task = world.executor.describe_task(meta.slot);
        let panic = UnjoinedPanic {
            node: meta.node,
            task,
            message,
        };
        world.executor.panics.borrow_mut().insert(meta.id, panic);
    });
}

/// Keeps what the destructor of a dropped task panicked with.
#[cold]
pub(crate) fn keep_payload(meta: &TaskMeta, payload: Payload) {
    let kept = world::try_with(|world| {
        let mut payloads = world.executor.payloads.borrow_mut();
        payloads.insert(meta.id, payload)
    });
    // A payload that panics when it is dropped would go on for ever.
    std::mem::forget(kept);
}

/// What the destructor of a dropped task panicked with, if it did.
pub(crate) fn take_payload(meta: &TaskMeta) -> Option<Payload> {
    world::try_with(|world| {
        let is_its_own = world.id == meta.world;
        let mut payloads = world.executor.payloads.borrow_mut();
        is_its_own.then(|| payloads.remove(&meta.id)).flatten()
    })
    .flatten()
}

pub(crate) fn panic_was_joined(meta: &TaskMeta) {
    world::try_with(|world| {
        if world.id == meta.world {
            world.executor.panics.borrow_mut().remove(&meta.id);
        }
    });
}
