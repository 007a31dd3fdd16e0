//! A closure that may block, as a task.
#![expect(unsafe_code, reason = "passes a closure through a C pointer")]

use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::ptr;
use std::rc::Rc;
use std::thread;

use super::host::Host;
use super::run::FiberFuture;
use crate::ids::NodeId;
use crate::task::{JoinHandle, spawn_in};
use crate::world;

/// What a thread of tokio's pool has by default.
const STACK_BYTES: usize = 2 << 20;

type Closure = Box<dyn FnOnce()>;

/// Runs `f` on a fiber of `node`'s present boot: it may block as a thread may. Makes a thread to
/// borrow thread-locals from, which takes some tens of microseconds.
///
/// A panic of `f` is the task's. Aborting the task does nothing once `f` has begun, as with tokio.
/// Killing the node abandons `f` where it waits: no destructor of its frames runs.
///
/// # Panics
/// Outside a simulation, or when the machine gives no more threads.
#[track_caller]
pub fn spawn_blocking<F, R>(node: NodeId, f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + 'static,
    R: 'static,
{
    let location = Location::caller();
    world::with(|world| {
        let returned: Rc<RefCell<Option<thread::Result<R>>>> = Rc::default();
        let slot = Rc::clone(&returned);
        let closure: Closure = Box::new(move || {
            world::try_with(|world| world.executor.begin_blocking(world));
            let result = catch_unwind(AssertUnwindSafe(f));
            *slot.borrow_mut() = Some(result);
        });
        let argument = Box::into_raw(Box::new(closure)).cast::<c_void>();
        let host = Host::start().expect("the machine gives one more thread");
        let done = Rc::new(|_: *mut c_void| ());
        let fiber = FiberFuture::new(world, Rc::new(host), STACK_BYTES, (call, argument), done);
        let fiber = fiber.expect("the machine gives one more stack");
        let task = async move {
            fiber.await;
            match returned.take() {
                Some(Ok(output)) => output,
                Some(Err(payload)) => resume_unwind(payload),
                None => unreachable!("a fiber that has ended has left its result"),
            }
        };
        let boot = world.boot_of(node);
        spawn_in(world, node, boot, None, location, task)
    })
}

/// The first frame of such a fiber.
extern "C" fn call(closure: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn_blocking` made the pointer of a box, for this one call.
    let closure = unsafe { Box::from_raw(closure.cast::<Closure>()) };
    closure();
    ptr::null_mut()
}
