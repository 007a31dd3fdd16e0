//! Blocking calls that wait for something else than a word: a socket, several of them.

use std::task::Waker;

use super::run::{current, suspend};
use super::{futex::Waited, nested};
use crate::ids::SimInstant;
use crate::world;

/// Waits until `poll` says yes. It registers the waker with what it looks at, and holds nothing of
/// the world when it returns: a killed fiber never comes back.
pub(crate) fn wait_for(deadline: Option<SimInstant>, poll: impl Fn(&Waker) -> bool) -> Waited {
    let Some(fiber) = current() else {
        let done = || poll(Waker::noop());
        let ended = world::with(|world| match nested::run_until(world, deadline, done) {
            nested::Ended::Stuck if crate::process::fresh().is_ok() => nested::give_up(world),
            ended => ended,
        });
        return match ended {
            nested::Ended::Done => Waited::Woken,
            nested::Ended::TimedOut => Waited::TimedOut,
            nested::Ended::Stuck => Waited::NotHere,
        };
    };
    let mut timer = None;
    let waited = loop {
        if poll(&fiber.waker()) {
            break Waited::Woken;
        }
        if let Some(at) = deadline {
            if world::with(|world| world.clock() >= at) {
                break Waited::TimedOut;
            }
            timer = world::with(|world| {
                let is_armed = timer.is_some_and(|timer| world.timer_is_armed(timer));
                match is_armed {
                    true => timer,
                    false => Some(world.wake_at(at, fiber.waker())),
                }
            });
        }
        suspend(&fiber);
    };
    if let Some(timer) = timer {
        world::with(|world| world.cancel_timer(timer));
    }
    waited
}
