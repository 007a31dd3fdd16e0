//! The executor: runs ready tasks one poll at a time, and knows every task there is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use slab::Slab;

use crate::digest::EventKind;
use crate::ids::{Boot, NodeId};
use crate::ready::{ReadyQueue, Task};
use crate::task::{TaskId, TaskMeta, UnjoinedPanic};
use crate::world::{self, Current, World};

/// What is kept of a live task beside its allocation.
struct Record {
    id: TaskId,
    node: NodeId,
    boot: Boot,
    name: Option<Rc<str>>,
    location: &'static Location<'static>,
    aborted: bool,
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

pub(crate) struct Executor {
    ready: RefCell<ReadyQueue>,
    tasks: RefCell<Slab<Record>>,
    spawned: Cell<u64>,
    polls: Cell<u64>,
    /// Whether any task was ever aborted; until then no task has to be looked up to be run.
    any_aborted: Cell<bool>,
    /// Whether the world is being torn down: nothing that is spawned now is ever polled.
    ending: Cell<bool>,
    panics: RefCell<BTreeMap<TaskId, UnjoinedPanic>>,
    inbox: Arc<Inbox>,
}

/// Tasks woken by a thread outside the simulation.
#[derive(Default)]
struct Inbox {
    filled: AtomicBool,
    tasks: Mutex<Vec<Task>>,
}

/// The inbox of each world that is alive; touched only by wakes from outside.
static INBOXES: Mutex<BTreeMap<u64, Arc<Inbox>>> = Mutex::new(BTreeMap::new());

impl Executor {
    pub(crate) fn new(world: u64, ready: ReadyQueue) -> Self {
        let inbox = Arc::new(Inbox::default());
        let mut inboxes = INBOXES
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        inboxes.insert(world, Arc::clone(&inbox));
        Self {
            ready: RefCell::new(ready),
            tasks: RefCell::new(Slab::new()),
            spawned: Cell::new(0),
            polls: Cell::new(0),
            any_aborted: Cell::new(false),
            ending: Cell::new(false),
            panics: RefCell::new(BTreeMap::new()),
            inbox,
        }
    }

    pub(crate) fn close(&self, world: u64) {
        let mut inboxes = INBOXES
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        inboxes.remove(&world);
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
        // A task spawned while its process is being torn down is dropped at its first turn.
        let aborted = self.ending.get() || !world.is_alive(node, boot);
        if aborted {
            self.any_aborted.set(true);
        }
        let waker = Some(runnable.waker());
        let record = Record {
            id,
            node,
            boot,
            name,
            location,
            aborted,
            waker,
        };
        let taken = self.tasks.borrow_mut().insert(record);
        assert_eq!(
            taken, slot as usize,
            "a reserved place is taken before the next one"
        );
    }

    pub(crate) fn unregister(&self, meta: &TaskMeta) {
        let slot = meta.slot as usize;
        let mut tasks = self.tasks.borrow_mut();
        let record = match tasks.get(slot) {
            Some(record) if record.id == meta.id => tasks.remove(slot),
            _ => return,
        };
        drop(tasks);
        drop(record);
    }

    fn is_aborted(&self, meta: &TaskMeta) -> bool {
        if !self.any_aborted.get() {
            return false;
        }
        self.tasks
            .borrow()
            .get(meta.slot as usize)
            .is_none_or(|record| record.aborted)
    }

    /// Runs one ready task, or drops it when it was aborted. False: none is ready.
    pub(crate) fn turn(&self, world: &Rc<World>) -> bool {
        if self.inbox.filled.load(Ordering::Relaxed) {
            self.take_inbox();
        }
        let Some(task) = self.ready.borrow_mut().pop() else {
            return false;
        };
        let meta = *task.metadata();
        self.polls.set(self.polls.get() + 1);
        let outer = world.enter(Current {
            node: meta.node,
            boot: meta.boot,
            task: Some(meta.slot),
        });
        if self.is_aborted(&meta) {
            drop_task(world, task);
        } else {
            world.event(EventKind::Poll, meta.id.0, world.now().as_nanos());
            task.run();
            world.spend_poll(meta.node);
        }
        world.leave(outer);
        true
    }

    #[cold]
    fn take_inbox(&self) {
        self.inbox.filled.store(false, Ordering::Relaxed);
        let mut inbox = self
            .inbox
            .tasks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let tasks = std::mem::take(&mut *inbox);
        drop(inbox);
        let mut ready = self.ready.borrow_mut();
        tasks.into_iter().for_each(|task| ready.push(task));
    }

    /// Drops every task of a boot, now, each in its own context. The running task, if it is one
    /// of them, goes when its poll returns.
    pub(crate) fn drop_process(&self, world: &Rc<World>, node: NodeId, boot: Boot) {
        self.any_aborted.set(true);
        let mut wakers = Vec::new();
        for (_, record) in self.tasks.borrow_mut().iter_mut() {
            if record.node == node && record.boot == boot && !record.aborted {
                record.aborted = true;
                wakers.extend(record.waker.clone());
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        let tasks = self.ready.borrow_mut().take_node(node);
        for task in tasks {
            let meta = *task.metadata();
            if self.is_aborted(&meta) {
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

    /// Drops every task there is; new ones that drops spawn, too.
    pub(crate) fn drop_all(&self, world: &Rc<World>) {
        self.any_aborted.set(true);
        self.ending.set(true);
        loop {
            let mut wakers = Vec::new();
            for (_, record) in self.tasks.borrow_mut().iter_mut() {
                record.aborted = true;
                wakers.extend(record.waker.take());
            }
            wakers.into_iter().for_each(Waker::wake);
            if !self.turn(world) {
                break;
            }
            while self.turn(world) {}
        }
    }

    /// Tasks alive, in words, by node, in order of their places.
    pub(crate) fn describe(&self) -> Vec<(NodeId, String)> {
        let tasks = self.tasks.borrow();
        tasks
            .iter()
            .map(|(_, record)| (record.node, record.describe()))
            .collect()
    }

    pub(crate) fn describe_task(&self, slot: u32) -> String {
        let tasks = self.tasks.borrow();
        tasks
            .get(slot as usize)
            .map_or_else(String::new, Record::describe)
    }

    pub(crate) const fn polls(&self) -> u64 {
        self.polls.get()
    }

    pub(crate) fn unjoined_panics(&self) -> Vec<UnjoinedPanic> {
        self.panics.borrow().values().cloned().collect()
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
    let mut task = Some(task);
    world::try_with(|world| {
        if world.id == id
            && let Some(task) = task.take()
        {
            world.executor.ready.borrow_mut().push(task);
        }
    });
    if let Some(task) = task {
        schedule_from_outside(id, task);
    }
}

/// Hands a task to the thread its world lives on.
#[cold]
fn schedule_from_outside(world: u64, task: Task) {
    let inboxes = INBOXES
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(inbox) = inboxes.get(&world) else {
        // Its world has dropped all its tasks; what is woken now is an empty shell. It is not
        // dropped here because a drop belongs to a thread that is gone.
        std::mem::forget(task);
        return;
    };
    let mut tasks = inbox
        .tasks
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    tasks.push(task);
    inbox.filled.store(true, Ordering::Relaxed);
}

pub(crate) fn abort(meta: &TaskMeta) {
    world::try_with(|world| {
        if world.id != meta.world {
            return;
        }
        world.executor.any_aborted.set(true);
        let mut tasks = world.executor.tasks.borrow_mut();
        let waker = match tasks.get_mut(meta.slot as usize) {
            Some(record) if record.id == meta.id => {
                record.aborted = true;
                record.waker.clone()
            }
            _ => None,
        };
        drop(tasks);
        if let Some(waker) = waker {
            waker.wake();
        }
    });
}

pub(crate) fn is_finished(meta: &TaskMeta) -> bool {
    world::try_with(|world| {
        let tasks = world.executor.tasks.borrow();
        world.id != meta.world
            || tasks
                .get(meta.slot as usize)
                .is_none_or(|record| record.id != meta.id)
    })
    .unwrap_or(true)
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

pub(crate) fn panic_was_joined(meta: &TaskMeta) {
    world::try_with(|world| {
        if world.id == meta.world {
            world.executor.panics.borrow_mut().remove(&meta.id);
        }
    });
}
