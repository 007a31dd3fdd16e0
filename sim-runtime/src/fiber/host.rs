//! A host: a real thread that lends a fiber its thread-locals, and otherwise sleeps.
#![expect(unsafe_code, reason = "starts a thread, and waits for it, by hand")]

use std::ffi::{c_int, c_void};
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use libc::{pthread_attr_t, pthread_t};

use super::tls;
use crate::interpose::hooks::real::{self, PTHREAD_CREATE, PTHREAD_JOIN};

/// The stack that a host sleeps on; the C library's thread-locals are on it, too.
const STACK_BYTES: usize = 128 << 10;

const STARTING: u32 = 0;
const PARKED: u32 = 1;
const ENDING: u32 = 2;

/// What a host and its simulation tell each other.
struct Mailbox {
    state: AtomicU32,
    base: AtomicUsize,
}

/// A parked thread. It ends when this is dropped.
pub(super) struct Host {
    thread: pthread_t,
    mailbox: Box<Mailbox>,
}

impl Host {
    /// Starts a thread and waits until it sleeps. Some tens of microseconds.
    pub(super) fn start() -> io::Result<Self> {
        let mailbox = Box::new(Mailbox {
            state: AtomicU32::new(STARTING),
            base: AtomicUsize::new(0),
        });
        let argument = ptr::from_ref(&*mailbox).cast_mut().cast::<c_void>();
        let thread = create(argument)?;
        while mailbox.state.load(Ordering::Acquire) == STARTING {
            wait(&mailbox.state, STARTING);
        }
        Ok(Self { thread, mailbox })
    }

    /// Its `pthread_t`.
    pub(super) const fn thread(&self) -> pthread_t {
        self.thread
    }

    /// Where its thread-locals are.
    pub(super) fn base(&self) -> usize {
        self.mailbox.base.load(Ordering::Relaxed)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.mailbox.state.store(ENDING, Ordering::Release);
        wake(&self.mailbox.state);
        if let Some(join) = PTHREAD_JOIN.get() {
            // SAFETY: the thread was made joinable, and nobody else has the right to join it.
            unsafe { join(self.thread, ptr::null_mut()) };
        }
    }
}

fn create(argument: *mut c_void) -> io::Result<pthread_t> {
    let Some(create) = PTHREAD_CREATE.get() else {
        return Err(io::Error::from_raw_os_error(libc::EAGAIN));
    };
    // SAFETY: zeroes are a value of this plain structure.
    let mut attributes: pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live structure.
    unsafe { libc::pthread_attr_init(&mut attributes) };
    // SAFETY: initialised above.
    unsafe { libc::pthread_attr_setstacksize(&mut attributes, STACK_BYTES) };
    let mut thread: pthread_t = 0;
    // SAFETY: the attributes are initialised; the mailbox lives until the thread is joined.
    let error = unsafe { create(&mut thread, &attributes, sleep, argument) };
    // SAFETY: initialised above, and used by nobody any more.
    unsafe { libc::pthread_attr_destroy(&mut attributes) };
    match error {
        0 => Ok(thread),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// The life of a host.
extern "C" fn sleep(mailbox: *mut c_void) -> *mut c_void {
    // SAFETY: `Host::start` passed its mailbox, which outlives this thread.
    let mailbox = unsafe { &*mailbox.cast::<Mailbox>() };
    mailbox.base.store(tls::base(), Ordering::Relaxed);
    mailbox.state.store(PARKED, Ordering::Release);
    wake(&mailbox.state);
    while mailbox.state.load(Ordering::Acquire) != ENDING {
        wait(&mailbox.state, PARKED);
    }
    ptr::null_mut()
}

/// The kernel's futex, not the simulation's.
fn wait(word: &AtomicU32, value: u32) {
    real_futex(
        word,
        libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
        value,
        ptr::null(),
    );
}

/// Has the kernel wait for a word that a thread outside may change, for some milliseconds. True:
/// it is not `value` any more.
pub(super) fn wait_a_moment(word: usize, value: u32) -> bool {
    let limit = libc::timespec {
        tv_sec: 0,
        tv_nsec: 20_000_000,
    };
    // SAFETY: who waits for a word keeps it alive; others use it as an atomic.
    let word = unsafe { &*(word as *const AtomicU32) };
    real_futex(
        word,
        libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
        value,
        &raw const limit,
    );
    word.load(Ordering::SeqCst) != value
}

/// Lets threads outside run for a millisecond.
pub(super) fn pause() {
    let limit = libc::timespec {
        tv_sec: 0,
        tv_nsec: 1_000_000,
    };
    let word = AtomicU32::new(0);
    let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    real_futex(&word, wait, 0, &raw const limit);
}

fn wake(word: &AtomicU32) {
    real_futex(
        word,
        libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
        1,
        ptr::null(),
    );
}

fn real_futex(word: &AtomicU32, operation: c_int, value: u32, limit: *const libc::timespec) {
    let Some(syscall) = real::SYSCALL.get() else {
        return;
    };
    let (word, operation) = (ptr::from_ref(word) as usize, operation as usize);
    let limit = limit as usize;
    // SAFETY: the word is live, and so is the limit unless it is null.
    unsafe {
        syscall(
            libc::SYS_futex,
            word,
            operation,
            value as usize,
            limit,
            0,
            0,
        )
    };
}
