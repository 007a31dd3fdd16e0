//! A task that blocks: its poll cannot be suspended, so everything else is run within it.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;

use crate::ids::SimInstant;
use crate::world::{Current, World};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// What was waited for has come.
    Done,
    /// The time is over.
    TimedOut,
    /// Nothing can run and no timer is armed.
    Stuck,
}

/// How deep tasks may block within each other: each takes stack.
const DEPTH_MAX: u32 = 64;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Ends the process: a task blocks the one thread there is, for something that cannot come.
pub(super) fn give_up(world: &Rc<World>) -> ! {
    end(world, "deadlock", "nothing can run and no timer is armed")
}

/// Ends the process, since a poll cannot be left in the middle: says who blocks, and who else is
/// there.
fn end(world: &Rc<World>, what: &str, why: &str) -> ! {
    let who = world.who();
    let waiting = world.executor.waiting();
    let blocked = waiting.iter().map(|task| task.describe(world));
    let tasks: Vec<_> = blocked.map(|task| format!("  blocked: {task}")).collect();
    let frames = crate::interpose::outside(std::backtrace::Backtrace::force_capture);
    eprintln!(
        "landfall: {what}: {who} blocks, {why}\n{}\n{frames}",
        tasks.join("\n")
    );
    std::process::abort()
}

/// How many rounds pass between looks at the budget.
const BUDGET_EVERY_ROUNDS: u32 = 64;

/// Runs everything else until `done`, on the stack of the task that blocks.
pub(crate) fn run_until(
    world: &Rc<World>,
    deadline: Option<SimInstant>,
    done: impl Fn() -> bool,
) -> Ended {
    if DEPTH.get() >= DEPTH_MAX {
        eprintln!(
            "landfall: {DEPTH_MAX} tasks block within each other; \
             block on threads (spawn_blocking) instead"
        );
        return Ended::Stuck;
    }
    DEPTH.set(DEPTH.get() + 1);
    let arm = |at| world.wake_at(at, Waker::noop().clone());
    let mut timer = deadline.map(arm);
    let blocked = world.enter(Current::HARNESS);
    let mut rounds: u32 = 0;
    let ended = loop {
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(BUDGET_EVERY_ROUNDS) {
            check_budget(world, blocked);
        }
        if done() {
            break Ended::Done;
        }
        if let (Some(at), Some(armed)) = (deadline, timer) {
            if world.clock_of(blocked.node) >= at {
                break Ended::TimedOut;
            }
            if !world.timer_is_armed(armed) {
                // A clock that was slowed leaves the timer early.
                timer = Some(world.on_node(blocked.node, || arm(at)));
            }
        }
        world.fire_due();
        if world.executor.turn(world).is_none() && !world.move_on() {
            break Ended::Stuck;
        }
    };
    world.leave(blocked);
    if let Some(timer) = timer {
        world.cancel_timer(timer);
    }
    DEPTH.set(DEPTH.get() - 1);
    ended
}

/// A task that is not done but lets others run, as spinning code does: one of them runs, or time
/// moves on. False: nothing could.
pub(super) fn run_once(world: &Rc<World>) -> bool {
    if DEPTH.get() >= DEPTH_MAX {
        return false;
    }
    DEPTH.set(DEPTH.get() + 1);
    let spinning = world.enter(Current::HARNESS);
    world.fire_due();
    let moved = world.executor.turn(world).is_some() || world.move_on();
    world.leave(spinning);
    check_budget(world, spinning);
    DEPTH.set(DEPTH.get() - 1);
    moved
}

fn check_budget(world: &Rc<World>, blocked: Current) {
    let exceeded = match world.exceeded() {
        Some(what) => format!("and the budget of {what} is used up"),
        None if world.may_be_spinning() => "and others run, but no timer fires".to_owned(),
        None => return,
    };
    world.leave(blocked);
    end(world, "budget", &exceeded)
}
