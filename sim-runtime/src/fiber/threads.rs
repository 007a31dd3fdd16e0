//! Threads of guests: `pthread_create` and its kin as fibers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::io;
use std::panic::Location;
use std::ptr;
use std::rc::Rc;
use std::task::Waker;

use libc::pthread_t;

use super::host::Host;
use super::nested;
use super::run::{FiberFuture, current, suspend, yield_now};
use crate::interpose::hooks::real::ThreadStart;
use crate::report::Waits;
use crate::task::spawn_in;
use crate::world::{self, World};

/// A guest's thread until it is joined, or detached and done.
struct Thread {
    /// What it returned, once it has.
    returned: Cell<Option<*mut c_void>>,
    detached: Cell<bool>,
    /// Lends its thread-locals, and its name to the C library, for as long as guests may name it.
    host: RefCell<Option<Rc<Host>>>,
    joiner: RefCell<Option<Waker>>,
}

/// The threads of a world, by what the C library calls them.
#[derive(Default)]
pub(crate) struct Table {
    threads: RefCell<BTreeMap<pthread_t, Rc<Thread>>>,
}

/// How many threads one simulation may have at a time.
const THREADS_MAX: usize = 4_096;

/// Makes a fiber of a guest's thread.
///
/// # Errors
/// `EAGAIN` when there are too many, or the machine gives no more.
pub(crate) fn create(
    world: &Rc<World>,
    stack_bytes: usize,
    detached: bool,
    entry: (ThreadStart, *mut c_void),
) -> io::Result<pthread_t> {
    if world.fibers.threads.threads.borrow().len() >= THREADS_MAX {
        return Err(io::Error::from_raw_os_error(libc::EAGAIN));
    }
    let host = Rc::new(Host::start()?);
    let id = host.thread();
    let thread = Rc::new(Thread {
        returned: Cell::new(None),
        detached: Cell::new(detached),
        host: RefCell::new(Some(Rc::clone(&host))),
        joiner: RefCell::new(None),
    });
    let done: Rc<dyn Fn(*mut c_void)> = {
        let thread = Rc::clone(&thread);
        Rc::new(move |returned| {
            thread.returned.set(Some(returned));
            let joiner = thread.joiner.borrow_mut().take();
            if let Some(joiner) = joiner {
                joiner.wake();
            }
        })
    };
    let future = FiberFuture::new(world, host, stack_bytes, entry, done)?;
    world
        .fibers
        .threads
        .threads
        .borrow_mut()
        .insert(id, Rc::clone(&thread));
    let body = async move {
        // Left behind by a kill as well: nobody can name the thread any more.
        let _entry = Entry { id, thread };
        future.await;
    };
    let (node, boot) = (world.current_node(), world.current_boot());
    let name = Some(Rc::from("thread"));
    drop(spawn_in(world, node, boot, name, Location::caller(), body));
    maybe_yield(world);
    Ok(id)
}

/// Half of the time the new thread may run at once.
fn maybe_yield(world: &Rc<World>) {
    let made = world.fibers.threads.threads.borrow().len() as u64;
    let mut stream = world.stream("fiber.yield", (world.now().as_nanos(), made));
    if stream.chance(1, 2) {
        yield_now();
    }
}

/// Takes a thread off the table when its fiber is gone, unless it can still be joined.
struct Entry {
    id: pthread_t,
    thread: Rc<Thread>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let was_killed = self.thread.returned.get().is_none();
        if was_killed || self.thread.detached.get() {
            forget(self.id);
        }
    }
}

fn forget(id: pthread_t) {
    world::try_with(|world| {
        let thread = world.fibers.threads.threads.borrow_mut().remove(&id);
        if let Some(thread) = thread {
            drop(thread.host.borrow_mut().take());
        }
    });
}

fn find(id: pthread_t) -> Option<Rc<Thread>> {
    world::try_with(|world| world.fibers.threads.threads.borrow().get(&id).cloned())?
}

/// Joins a thread of the simulation; `None` if it is none of ours.
pub(crate) fn join(id: pthread_t) -> Option<Result<*mut c_void, i32>> {
    let thread = find(id)?;
    if thread.detached.get() {
        return Some(Err(libc::EINVAL));
    }
    if let Some(fiber) = current() {
        while thread.returned.get().is_none() {
            *thread.joiner.borrow_mut() = Some(fiber.waker());
            world::with(|world| world.waiting(Waits::Other("the end of a thread", 0)));
            suspend(&fiber);
        }
    } else {
        let done = || thread.returned.get().is_some();
        let ended = world::with(|world| nested::run_until(world, None, done));
        if ended != nested::Ended::Done {
            return Some(Err(libc::EDEADLK));
        }
    }
    let returned = thread.returned.get().unwrap_or(ptr::null_mut());
    forget(id);
    Some(Ok(returned))
}

/// Detaches a thread of the simulation; `None` if it is none of ours.
pub(crate) fn detach(id: pthread_t) -> Option<Result<(), i32>> {
    let thread = find(id)?;
    if thread.detached.replace(true) {
        return Some(Err(libc::EINVAL));
    }
    if thread.returned.get().is_some() {
        forget(id);
    }
    Some(Ok(()))
}
