//! A child: one command, one thread, one end.

use std::any::Any;
use std::ffi::c_int;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{dump, sys};
use crate::process::black_box::black_box;
use crate::process::handler::{self, Reply};
use crate::process::protocol::{Kind, OUTPUT_TAIL_MAX};

/// Stack of the thread that runs the handler, in bytes. A seed's stack is the same wherever the
/// thread was made, which the main thread's is not.
const STACK: usize = 16 << 20;
/// Exit code after a panic, as of a Rust program.
const PANICKED: c_int = 101;
/// Exit code of a child that is an orphan or has no descriptors.
const BROKEN: c_int = 70;

static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked by a worker for one command.
pub fn is_child() -> bool {
    IS_CHILD.load(Ordering::Relaxed)
}

/// The same, for the floor report.
pub(crate) fn fresh() -> Result<(), String> {
    if is_child() {
        Ok(())
    } else {
        Err("runs in the process that was started".to_owned())
    }
}

/// What a child takes from the worker.
pub(super) struct Pipes {
    pub(super) replies: c_int,
    pub(super) output: c_int,
}

/// The life of a child.
pub(super) fn run(command: &[u8], pipes: &Pipes, parent: sys::pid_t, memory_mib: u32) -> ! {
    if !sys::die_with(parent) || take_output(pipes.output).is_err() {
        sys::exit_now(BROKEN);
    }
    sys::lead_group(0);
    IS_CHILD.store(true, Ordering::Relaxed);
    dump::install();
    if memory_mib > 0 {
        sys::limit_memory(memory_mib);
    }
    sys::share_one_heap();
    let replies = pipes.replies;
    let mut reply = Reply::new(Box::new(move |frame| sys::write_all(replies, frame)));
    let code = match on_fresh_thread(command, &mut reply) {
        Ok(()) => 0,
        Err(message) => {
            reply.send(Kind::Error, message.as_bytes());
            PANICKED
        }
    };
    // A failure means that nobody can read it.
    let _unflushed = io::stdout().flush();
    sys::flush_c_streams();
    if code == 0 && reply.keeps_output() {
        let mut tail = vec![0; OUTPUT_TAIL_MAX];
        let length = sys::read_tail(pipes.output, &mut tail);
        reply.send(Kind::Output, &tail[..length]);
    }
    if code == 0 {
        black_box().done();
    }
    sys::exit_now(code)
}

/// Prints go to the worker's file from its start.
fn take_output(output: c_int) -> io::Result<()> {
    sys::rewind(output);
    sys::duplicate_onto(output, 1)?;
    sys::duplicate_onto(output, 2)
}

/// Runs the handler on a thread of its own; an error is the message of its panic.
fn on_fresh_thread(command: &[u8], reply: &mut Reply) -> Result<(), String> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("landfall-seed".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, || handler::handle(command, reply))
            .map_err(|error| format!("no thread for the handler: {error}"))?
            .join()
            .map_err(|panic| panic_message(&*panic))
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
