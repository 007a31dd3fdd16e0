//! A fiber as a future: each poll resumes its stack.
#![expect(unsafe_code, reason = "switches stacks and thread-locals")]

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_int, c_void};
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::holds::Holds;
use super::host::{self, Host};
use super::waiting::wait_for;
use super::{futex, keys, nested, tls};
use crate::ids::SimInstant;
use crate::interpose;
use crate::interpose::hooks::locks;
use crate::interpose::hooks::real::ThreadStart;
use crate::report::Waits;
use crate::stream;
use crate::world::{self, World};

/// What a fiber and those who wait for it share.
pub(crate) struct Fiber {
    /// Its place among the fibers of its world, from 1.
    pub(crate) number: u64,
    /// Called to have it polled again.
    waker: RefCell<Option<Waker>>,
    yielder: Cell<*const Yielder<(), ()>>,
    /// Destructors of its thread-locals, the last one first to run.
    destructors: RefCell<Vec<Destructor>>,
    /// Whether it is to say where it is, and what it said.
    asked: Cell<bool>,
    stack: RefCell<Option<String>>,
    /// The word that it waits for; 0 when none.
    pub(super) word: Cell<usize>,
    /// The mutex of C code that it waits for; 0 when none.
    mutex: Cell<usize>,
    /// Its host's thread-locals.
    base: usize,
    stack_bytes: (usize, usize),
    /// Told what the thread returned, when it does.
    done: RefCell<Option<Done>>,
    /// How often it came to where it may let others run.
    crossings: Cell<u64>,
    /// It has ended in the middle of its frames.
    has_exited: Cell<bool>,
}

type Done = Rc<dyn Fn(*mut c_void)>;

pub(crate) type Destructor = (unsafe extern "C" fn(*mut c_void), *mut c_void);

/// The fibers of a world, and stacks to use again.
#[derive(Default)]
pub(crate) struct Fibers {
    made: Cell<u64>,
    alive: RefCell<BTreeMap<u64, Rc<Fiber>>>,
    stacks: RefCell<Vec<DefaultStack>>,
    /// What mutexes of C code call their owners that died with their processes.
    dead_owners: RefCell<BTreeSet<c_int>>,
    pub(crate) holds: Holds,
    pub(crate) futexes: futex::Table,
    pub(crate) threads: super::threads::Table,
}

thread_local! {
    /// The fiber whose thread-locals these are; null on every other thread.
    static CURRENT: Cell<*const Fiber> = const { Cell::new(ptr::null()) };
}

static KEPT: AtomicU64 = AtomicU64::new(0);

/// How many killed fibers of this process keep their stack and their host, because a lock's queue
/// may still point there.
pub fn kept() -> u64 {
    KEPT.load(Ordering::Relaxed)
}

/// Stacks kept for use again.
const STACKS_MAX: usize = 64;

/// Notes which mutex of C code the running fiber waits for; 0: for none any more.
pub(crate) fn awaits(mutex: usize) {
    if let Some(fiber) = current() {
        fiber.mutex.set(mutex);
    }
}

/// Whether the caller is on a fiber, where it may block.
pub fn is_here() -> bool {
    !CURRENT.get().is_null()
}

/// The fiber that runs now, if one does.
#[inline]
pub(crate) fn current() -> Option<Rc<Fiber>> {
    let fiber = CURRENT.get();
    if fiber.is_null() {
        return None;
    }
    // SAFETY: set by `resume` from an Rc that its future holds for as long as the fiber runs.
    unsafe { Rc::increment_strong_count(fiber) };
    // SAFETY: the count that this owns was added above.
    Some(unsafe { Rc::from_raw(fiber) })
}

/// Lets everybody else run until the current fiber is polled again.
pub(crate) fn suspend(fiber: &Fiber) {
    let yielder = fiber.yielder.get();
    loop {
        // SAFETY: set when the fiber began, and valid on its own stack, where this runs.
        unsafe { (*yielder).suspend(()) };
        if !fiber.asked.replace(false) {
            return;
        }
        // std keeps a lock around it, which a thread outside may hold.
        let frames = interpose::outside(|| Backtrace::force_capture().to_string());
        *fiber.stack.borrow_mut() = Some(frames);
    }
}

impl Fiber {
    /// A waker of its task.
    pub(crate) fn waker(&self) -> Waker {
        let waker = self.waker.borrow();
        waker
            .as_ref()
            .map_or_else(|| Waker::noop().clone(), Waker::clone)
    }

    pub(crate) fn at_exit(&self, destructor: Destructor) {
        self.destructors.borrow_mut().push(destructor);
    }

    /// Runs the destructors of its thread-locals; more may be added meanwhile.
    fn run_destructors(&self) {
        loop {
            let next = self.destructors.borrow_mut().pop();
            let Some((destructor, object)) = next else {
                return;
            };
            // SAFETY: registered for this thread's end, which this is.
            unsafe { destructor(object) };
        }
    }

    /// The end of the thread, however it comes: destructors, then whoever joins.
    fn end(&self, returned: *mut c_void) {
        self.run_destructors();
        keys::destroy();
        let done = self.done.borrow_mut().take();
        if let Some(done) = done {
            done(returned);
        }
    }

    /// Ends the thread here. Its frames are left as they are.
    pub(crate) fn exit(&self, returned: *mut c_void) -> ! {
        self.end(returned);
        self.has_exited.set(true);
        loop {
            suspend(self);
        }
    }

    /// Whether this is what the C library calls it: the address of its thread-locals.
    pub(crate) const fn is_thread(&self, thread: libc::pthread_t) -> bool {
        thread as usize == self.base
    }

    /// Its stack without the page that guards it: the lowest address, and how many bytes.
    pub(crate) const fn stack(&self) -> (usize, usize) {
        const GUARD: usize = 4_096;
        let (low, high) = self.stack_bytes;
        (low + GUARD, high - low - GUARD)
    }

    /// Whether an address is in its thread-locals or on its stack.
    fn owns(&self, address: usize) -> bool {
        const THREAD_LOCALS: usize = 64 << 10;
        let locals = self.base.saturating_sub(THREAD_LOCALS)..self.base + 4_096;
        let (low, high) = self.stack_bytes;
        locals.contains(&address) || (low..high).contains(&address)
    }
}

/// Sleeps `nanos` of its node's time if a fiber runs; false if none does.
pub(crate) fn sleep(nanos: u64) -> bool {
    if CURRENT.get().is_null() {
        return false;
    }
    let end = world::with(|world| SimInstant(world.clock().as_nanos().saturating_add(nanos)));
    wait_for(Some(end), |_| {
        world::with(|world| world.waiting(Waits::Until(end)));
        false
    });
    true
}

/// Lets others run: a fiber goes to the end of the queue, a task stays where it is while one of the
/// others runs. False outside a simulation, and where nothing else can run.
pub(crate) fn yield_now() -> bool {
    let Some(fiber) = current() else {
        return world::try_with(nested::run_once).unwrap_or(false);
    };
    fiber.waker().wake();
    suspend(&fiber);
    true
}

/// Where a thread meets others, and a real one might be preempted: one time in four it goes to the
/// end of the queue, if a fiber runs. Drawn from seed, fiber and how often it came here.
pub(crate) fn crossing() {
    let Some(fiber) = current() else {
        return;
    };
    let count = fiber.crossings.get();
    fiber.crossings.set(count + 1);
    let seed = world::with(|world| world.seed().0);
    if stream::spread(seed ^ (fiber.number << 32) ^ count) >> 62 == 0 {
        yield_now();
    }
}

/// The future of a fiber.
pub(super) struct FiberFuture {
    fiber: Rc<Fiber>,
    coroutine: Option<Coroutine<(), (), (), DefaultStack>>,
    host: Option<Rc<Host>>,
    direct: bool,
}

/// Pointers that only the fiber they are for uses.
struct Body {
    start: ThreadStart,
    argument: *mut c_void,
}

impl FiberFuture {
    /// A fiber that runs `start(argument)` with the thread-locals of `host`, and tells `done` what
    /// it returned, after the destructors of its thread-locals.
    pub(super) fn new(
        world: &Rc<World>,
        host: Rc<Host>,
        stack_bytes: usize,
        (start, argument): (ThreadStart, *mut c_void),
        done: Done,
    ) -> std::io::Result<Self> {
        use corosensei::stack::Stack as _;
        let pooled = world.fibers.stacks.borrow_mut().pop();
        let stack =
            match pooled.filter(|stack| stack.base().get() - stack.limit().get() >= stack_bytes) {
                Some(stack) => stack,
                None => DefaultStack::new(stack_bytes)?,
            };
        let number = world.fibers.made.get() + 1;
        world.fibers.made.set(number);
        let fiber = Rc::new(Fiber {
            number,
            waker: RefCell::new(None),
            yielder: Cell::new(ptr::null()),
            destructors: RefCell::new(Vec::new()),
            asked: Cell::new(false),
            stack: RefCell::new(None),
            word: Cell::new(0),
            mutex: Cell::new(0),
            base: host.base(),
            stack_bytes: (stack.limit().get(), stack.base().get()),
            done: RefCell::new(Some(done)),
            crossings: Cell::new(0),
            has_exited: Cell::new(false),
        });
        world
            .fibers
            .alive
            .borrow_mut()
            .insert(number, Rc::clone(&fiber));
        let body = Body { start, argument };
        let (inner, inside) = (Rc::clone(&fiber), Rc::clone(world));
        let arms = interpose::dispatch::thread_arms();
        let coroutine = Coroutine::with_stack(stack, move |yielder, ()| {
            inner.yielder.set(ptr::from_ref(yielder));
            interpose::dispatch::inherit(arms);
            CURRENT.set(Rc::as_ptr(&inner));
            world::replace(Some(inside));
            let Body { start, argument } = body;
            let returned = start(argument);
            inner.end(returned);
            // What is dropped with this closure must not look for a world or a fiber.
            CURRENT.set(ptr::null());
            drop(world::replace(None));
            drop(inner);
        });
        Ok(Self {
            fiber,
            coroutine: Some(coroutine),
            host: Some(host),
            direct: tls::is_direct(),
        })
    }

    /// Runs the fiber until it suspends; true at its end.
    fn resume(&mut self) -> bool {
        let Some(coroutine) = &mut self.coroutine else {
            return true;
        };
        let (own, direct) = (tls::base(), self.direct);
        // SAFETY: the host sleeps, and nothing between here and the switch back uses a
        // thread-local but the fiber itself.
        unsafe { tls::switch(self.fiber.base, direct) };
        let result = coroutine.resume(());
        // SAFETY: it is this thread's own.
        unsafe { tls::switch(own, direct) };
        matches!(result, CoroutineResult::Return(())) || self.fiber.has_exited.get()
    }

    fn give_back(&mut self) {
        let Some(mut coroutine) = self.coroutine.take() else {
            return;
        };
        let is_done = coroutine.done();
        if !is_done && !coroutine.started() {
            // Nothing but what the first frame would have got: it is dropped as it is.
            coroutine.force_unwind();
        } else if !is_done {
            world::try_with(|world| {
                // SAFETY: the count that the fiber's thread-locals hold, which nobody reads again.
                unsafe { Rc::decrement_strong_count(Rc::as_ptr(world)) };
            });
            let (own, direct) = (tls::base(), self.direct);
            // SAFETY: the host sleeps, and `abandon` uses no thread-local but the C library's.
            unsafe { tls::switch(self.fiber.base, direct) };
            keys::abandon();
            let owner = locks::owner_here();
            // SAFETY: it is this thread's own.
            unsafe { tls::switch(own, direct) };
            world::try_with(|world| world.fibers.bury(world, owner));
            // SAFETY: the frames are abandoned, as a killed process abandons its own: nothing
            // that they own is used again, but for what `owns` keeps.
            unsafe { coroutine.force_reset() };
        }
        let stack = coroutine.into_stack();
        if !is_done && self.fiber.owns(self.fiber.word.get()) {
            KEPT.fetch_add(1, Ordering::Relaxed);
            std::mem::forget(stack);
            std::mem::forget(self.host.take());
            return;
        }
        self.host = None;
        world::try_with(|world| {
            let mut stacks = world.fibers.stacks.borrow_mut();
            if stacks.len() < STACKS_MAX {
                stacks.push(stack);
            }
        });
    }
}

impl Future for FiberFuture {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let is_same = self
            .fiber
            .waker
            .borrow()
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()));
        if !is_same {
            let old = self.fiber.waker.borrow_mut().replace(cx.waker().clone());
            drop(old);
        }
        match self.resume() {
            false => Poll::Pending,
            true => Poll::Ready(()),
        }
    }
}

impl Drop for FiberFuture {
    fn drop(&mut self) {
        world::try_with(|world| {
            world.fibers.alive.borrow_mut().remove(&self.fiber.number);
            world.fibers.futexes.forget(&self.fiber);
        });
        drop(self.fiber.waker.borrow_mut().take());
        self.give_back();
    }
}

impl Fibers {
    /// An owner of locks is dead: who waits for one of its locks looks again.
    fn bury(&self, world: &World, owner: c_int) {
        let (all, none_moved) = ((usize::MAX, u32::MAX), (0, 0));
        self.dead_owners.borrow_mut().insert(owner);
        for lock in self.holds.of(owner) {
            self.futexes.wake(world, lock, all, none_moved);
        }
        let alive = self.alive.borrow();
        let waited: BTreeSet<usize> = alive.values().map(|fiber| fiber.mutex.get()).collect();
        drop(alive);
        for mutex in waited.into_iter().filter(|mutex| *mutex != 0) {
            // SAFETY: a fiber waits for it, so it is alive.
            let owner = unsafe { locks::owner_of(mutex) };
            if self.is_dead(owner) {
                self.futexes.wake(world, mutex, all, none_moved);
            }
        }
    }

    /// Whether the owner of a mutex died with its process.
    pub(crate) fn is_dead(&self, owner: c_int) -> bool {
        self.dead_owners.borrow().contains(&owner)
    }

    /// Whether any fiber lives.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        !self.alive.borrow().is_empty()
    }

    /// Wakes fibers whose words were changed from outside; false if there are none.
    pub(crate) fn wake_changed(&self) -> bool {
        self.any() && self.futexes.wake_changed()
    }

    /// Nothing of the simulation can run. A thread outside may hold a lock that a fiber waits for:
    /// gives it half a second to change a word. False: nothing has changed.
    pub(crate) fn wait_for_outside(&self, has_other_threads: bool) -> bool {
        const ROUNDS: u32 = 500;
        let rounds = if has_other_threads && self.any() {
            ROUNDS
        } else {
            0
        };
        self.wake_changed()
            || (0..rounds).any(|_| {
                host::pause();
                self.wake_changed()
            })
    }

    /// Has every fiber tell where it is: (number, frames), by number. Each is polled once more.
    pub(crate) fn stacks(&self, world: &Rc<World>) -> Vec<(u64, String)> {
        let alive: Vec<_> = self.alive.borrow().values().cloned().collect();
        for fiber in &alive {
            fiber.asked.set(!fiber.yielder.get().is_null());
            fiber.waker().wake();
        }
        while world.executor.turn(world).is_some() {}
        let told = |fiber: &Rc<Fiber>| Some((fiber.number, fiber.stack.take()?));
        alive.iter().filter_map(told).collect()
    }
}
