//! How threads of C code meet, begin and end: barriers, once, thread-specific data, `pthread_exit`,
//! the stack they are told of.
#![expect(
    clippy::disallowed_methods,
    reason = "a guest makes threads as it likes"
)]
#![expect(unsafe_code, reason = "calls the C library, as C code does")]

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::BTreeSet;
use std::ffi::c_void;
use std::mem;
use std::net::IpAddr;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sim_runtime::{Down, NodeMain, time, world};

use crate::fibers::twice;
use crate::support;

unsafe extern "C" {
    fn pthread_once(control: *mut i32, routine: unsafe extern "C" fn()) -> i32;
}

struct Barrier(UnsafeCell<libc::pthread_barrier_t>);

// SAFETY: it is made to be shared.
unsafe impl Sync for Barrier {}
// SAFETY: as above; it stays where its `Arc` put it.
unsafe impl Send for Barrier {}

#[test]
fn a_c_barrier_lets_all_go_together_and_names_one() {
    let rounds = twice(1, || {
        // SAFETY: zeroes are a value of this plain structure.
        let barrier = Arc::new(Barrier(UnsafeCell::new(unsafe { mem::zeroed() })));
        // SAFETY: a live structure.
        let made = unsafe { libc::pthread_barrier_init(barrier.0.get(), ptr::null(), 0) };
        assert_eq!(made, libc::EINVAL);
        // SAFETY: a live structure.
        let made = unsafe { libc::pthread_barrier_init(barrier.0.get(), ptr::null(), 4) };
        assert_eq!(made, 0);
        let log = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = (0..4_u64)
            .map(|n| {
                let (barrier, log) = (Arc::clone(&barrier), Arc::clone(&log));
                thread::spawn(move || {
                    for round in 0..3_u64 {
                        thread::sleep(Duration::from_secs(n * (round + 1)));
                        // SAFETY: initialised.
                        let answer = unsafe { libc::pthread_barrier_wait(barrier.0.get()) };
                        let chosen = answer == libc::PTHREAD_BARRIER_SERIAL_THREAD;
                        assert!(chosen || answer == 0);
                        let second = time::now().as_nanos() / 1_000_000_000;
                        log.lock().unwrap().push((round, second, chosen));
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        // SAFETY: nobody waits for it any more.
        assert_eq!(unsafe { libc::pthread_barrier_destroy(barrier.0.get()) }, 0);
        let mut log = log.lock().unwrap().clone();
        log.sort_unstable();
        log
    });
    let expected: Vec<_> = [(0, 3), (1, 9), (2, 18)]
        .into_iter()
        .flat_map(|(round, at)| [false, false, false, true].map(|chosen| (round, at, chosen)))
        .collect();
    assert_eq!(rounds, expected);
}

static RAN: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" fn slowly() {
    thread::sleep(Duration::from_secs(1));
    RAN.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn who_comes_while_it_is_done_once_waits() {
    let seen = twice(1, || {
        RAN.store(0, Ordering::Relaxed);
        let control = Arc::new(AtomicI32::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let control = Arc::clone(&control);
                thread::spawn(move || {
                    // SAFETY: zero is how it begins; it outlives the call.
                    assert_eq!(unsafe { pthread_once(control.as_ptr(), slowly) }, 0);
                    (
                        RAN.load(Ordering::Relaxed),
                        time::now().as_nanos() / 1_000_000_000,
                    )
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect::<Vec<_>>()
    });
    assert_eq!(seen, [(1, 1), (1, 1), (1, 1)]);
}

/// What destructors saw: the node they ran on, or `u64::MAX` outside.
static DESTROYED: Mutex<Vec<(usize, u64)>> = Mutex::new(Vec::new());
/// Tests that look there, one at a time.
static LOOKING: Mutex<()> = Mutex::new(());

unsafe extern "C" fn destroy(value: *mut c_void) {
    let node = sim_runtime::try_with(|world| u64::from(world.current_node().0));
    DESTROYED
        .lock()
        .unwrap()
        .push((value as usize, node.unwrap_or(u64::MAX)));
}

fn key() -> libc::pthread_key_t {
    let mut key = 0;
    // SAFETY: a live number.
    assert_eq!(
        unsafe { libc::pthread_key_create(&mut key, Some(destroy)) },
        0
    );
    key
}

fn set(key: libc::pthread_key_t, value: usize) {
    // SAFETY: any value may be kept.
    assert_eq!(
        unsafe { libc::pthread_setspecific(key, value as *const c_void) },
        0
    );
}

#[test]
fn thread_specific_data_is_destroyed_within_the_simulation_or_not_at_all() {
    let _alone = LOOKING.lock().unwrap();
    DESTROYED.lock().unwrap().clear();
    let (outside, _) = support::run(1, || async {
        let before = key();
        let n1 = world().create_node("n1", IpAddr::from([10, 0, 0, 1]));
        let main: NodeMain = Rc::new(move || {
            Box::pin(async move {
                let within = key();
                drop(thread::spawn(move || {
                    set(before, 1);
                    set(within, 2);
                }));
                drop(thread::spawn(move || {
                    set(before, 3);
                    set(within, 4);
                    thread::sleep(Duration::from_secs(9));
                }));
                std::future::pending::<()>().await;
            })
        });
        world().start_node(n1, main);
        time::sleep(Duration::from_secs(1)).await;
        world().kill_node(n1, Down::Kill);
        time::sleep(Duration::from_secs(1)).await;
        n1
    });
    let node = u64::from(outside.0);
    let destroyed = mem::take(&mut *DESTROYED.lock().unwrap());
    assert_eq!(destroyed, [(1, node), (2, node)]);
}

struct Noisy(Arc<AtomicU64>);

impl Drop for Noisy {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

thread_local! {
    static LOCAL: RefCell<Option<Noisy>> = const { RefCell::new(None) };
}

struct Entry {
    dropped: Arc<AtomicU64>,
    key: libc::pthread_key_t,
}

/// Ends in the middle of its frames.
extern "C" fn exits(entry: *mut c_void) -> *mut c_void {
    // SAFETY: made of a box below, for this call.
    let Entry { dropped, key } = *unsafe { Box::from_raw(entry.cast::<Entry>()) };
    LOCAL.set(Some(Noisy(dropped)));
    set(key, 7);
    thread::sleep(Duration::from_secs(1));
    // SAFETY: nothing on this stack is owed a destructor.
    unsafe { libc::pthread_exit(42 as *mut c_void) }
}

#[test]
fn a_thread_may_end_in_the_middle() {
    let _alone = LOOKING.lock().unwrap();
    DESTROYED.lock().unwrap().clear();
    let (returned, dropped) = twice(1, || {
        let dropped = Arc::new(AtomicU64::new(0));
        let entry = Entry {
            dropped: Arc::clone(&dropped),
            key: key(),
        };
        let entry = Box::into_raw(Box::new(entry)).cast::<c_void>();
        let (mut id, mut returned) = (0, ptr::null_mut());
        // SAFETY: the entry is for this thread alone.
        let made = unsafe { libc::pthread_create(&mut id, ptr::null(), exits, entry) };
        assert_eq!(made, 0);
        // SAFETY: made above, and joined once.
        assert_eq!(unsafe { libc::pthread_join(id, &raw mut returned) }, 0);
        (returned as usize, dropped.load(Ordering::Relaxed))
    });
    assert_eq!((returned, dropped), (42, 1));
    let destroyed = mem::take(&mut *DESTROYED.lock().unwrap());
    assert_eq!(
        destroyed,
        [(7, 0), (7, 0)],
        "once in each run, by the harness"
    );
}

/// The stack that the running thread is told of.
fn stack() -> (usize, usize) {
    // SAFETY: zeroes are a value of this plain structure.
    let mut attributes: libc::pthread_attr_t = unsafe { mem::zeroed() };
    // SAFETY: a live structure, and the thread that calls.
    let asked = unsafe { libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) };
    assert_eq!(asked, 0);
    let (mut low, mut bytes) = (ptr::null_mut(), 0);
    // SAFETY: initialised above.
    unsafe { libc::pthread_attr_getstack(&raw const attributes, &mut low, &mut bytes) };
    // SAFETY: initialised above, and not used again.
    unsafe { libc::pthread_attr_destroy(&mut attributes) };
    (low as usize, bytes)
}

#[test]
fn a_thread_is_told_of_the_stack_that_it_runs_on() {
    let sizes: BTreeSet<bool> = twice(1, || {
        let within = |asked: usize| {
            move || {
                let here = Cell::new(0_u8);
                let (low, bytes) = stack();
                assert!((low..low + bytes).contains(&(here.as_ptr() as usize)));
                bytes >= asked
            }
        };
        let small = thread::spawn(within(1 << 20));
        let builder = thread::Builder::new().stack_size(16 << 20);
        let large = builder.spawn(within(16 << 20)).unwrap();
        let joined = [small, large].map(|thread| thread.join().unwrap());
        joined.into_iter().collect()
    });
    assert_eq!(sizes, [true].into());
    assert!(with_nothing(), "outside, the C library answers");
}

fn with_nothing() -> bool {
    let here = Cell::new(0_u8);
    let (low, bytes) = stack();
    !sim_runtime::in_simulation() && (low..low + bytes).contains(&(here.as_ptr() as usize))
}
