//! Which responses a history without an order needs to have none, in one pass from the last back.
//!
//! Knowing less can not make a history illegal. So each response in turn, or some at once, is
//! forgotten if no order appears, and the rest is what is needed: that without any one of them
//! there is an order is certain from when it was tried, since only more has been forgotten since.
//!
//! A try begins at what can have happened when the operation is called, and takes what can have
//! happened from return to return, as the frontier does. From its own return on, the future of a
//! point is what it was without the try: points of which is known that no end can be reached, and
//! points from which one can, end it. The pass goes back in time so that what it knows of what
//! comes later stays true.

use super::Bag;
use super::defect::{Defect, planted};
use super::interned::Interned;
use super::machine::Machine;
use super::memory::of_list;
use super::partition::{Forgotten, Partition};
use crate::models::Model;
use crate::spec::ModelKind;

mod demand;
mod points;
mod world;

use points::{Point, Points};
use world::{Limits, NEVER, Needs, World};

/// Steps of the model for the pass, so many for each operation at the least, and bytes. To look
/// through so many points takes as long as a step. The budget may allow fewer bytes.
const WORK_MAX: u64 = 16_000_000;
const WORK_A_MEMBER: u64 = 2_000;
const SPARES_A_STEP: u64 = 4;
const BYTES_MAX: u64 = 48 << 20;
const BYTES_A_MEMBER: u64 = 8 << 10;
/// Responses forgotten at once, at most.
const CHUNK_MAX: usize = 512;

/// The members whose responses have no order though those of all but any one of them have; none
/// if all have one, or that is too much work.
pub(super) fn needed<M: Model>(
    partition: &Partition<'_>,
    model: &M,
    bytes_max: u64,
) -> Option<Vec<u32>> {
    let forgotten = Forgotten::of(partition.members.len());
    let twice = partition.twice(&forgotten);
    let unknown = &twice.members[partition.members.len()..];
    let vain = unknown.iter().map(|one| model.observes(one.op)).collect();
    let observes = |at: u32| model.observes(partition.members[at as usize].op);
    let members = partition.members.len() as u64;
    let limits = Limits {
        work_max: WORK_MAX.max(WORK_A_MEMBER * members),
        bytes_max: BYTES_MAX.max(BYTES_A_MEMBER * members).min(bytes_max),
    };
    match partition.kind {
        // Which of several elements was taken does not matter before one finds nothing.
        Some(ModelKind::Bag) => {
            let machine = Bag::new(&twice);
            Pass::of(World::new(partition, machine, observes, vain, limits)?).needed()
        }
        _ => {
            let machine = Interned::new(&twice, model);
            Pass::of(World::new(partition, machine, observes, vain, limits)?).needed()
        }
    }
}

struct Pass<'p, 'a, M> {
    world: World<'p, 'a, M>,
    /// By return, what can have happened before it while all was kept.
    reached: Vec<Vec<Point>>,
    /// By return, points from which the end can not be reached, and from which it can.
    dead: Vec<Points>,
    alive: Vec<Points>,
    /// Points of the try so far, up to the last return of what it forgets.
    tried: Vec<Points>,
}

/// Points from return to return, after one of those that were reached before the return `from`, to
/// the end or one that is alive.
struct Way {
    from: u32,
    start: usize,
    path: Vec<(u32, Point)>,
}

/// A point on the way, with what follows it and was not looked at yet.
struct Step {
    at: u32,
    point: Point,
    rest: Vec<(u32, Point)>,
}

impl<'p, 'a, M: Machine> Pass<'p, 'a, M> {
    fn of(world: World<'p, 'a, M>) -> Self {
        let points = || (0..world.ends.len()).map(|_| Points::default()).collect();
        Self {
            reached: Vec::new(),
            dead: points(),
            alive: points(),
            tried: points(),
            world,
        }
    }

    fn needed(mut self) -> Option<Vec<u32>> {
        self.reach()?;
        self.run()
    }

    /// Looks at what can happen while all is kept; none if that has an end, or is too much work.
    fn reach(&mut self) -> Option<()> {
        let mut now = vec![self.world.arrive(Point::FIRST, None, 0)];
        let count = self.world.ends.len() as u32;
        for at in 0..count {
            if now.is_empty() {
                break;
            }
            let (mut all, mut next) = (Vec::new(), Vec::new());
            let mut known = Points::default();
            for point in &now {
                self.world.held += self.dead[at as usize].put(point);
                self.world.following(*point, at, at + 1, &mut all);
                for (_, point) in all.drain(..) {
                    let spares = &self.world.spares;
                    if !known.any(&point, |spare| spares.covers(spare, point.spare)) {
                        self.world.held += known.put(&point);
                        next.push(point);
                    }
                }
            }
            self.world.held -= known.bytes();
            self.world.held += of_list(&now);
            self.reached.push(std::mem::replace(&mut now, next));
            if self.world.is_spent() {
                return None;
            }
        }
        now.is_empty().then_some(())
    }

    /// Forgets what can be forgotten, and gives the rest.
    fn run(mut self) -> Option<Vec<u32>> {
        // What is called later than there is anything left is of no matter.
        let reached = self.reached.len() as u32;
        let is_late = |at: &u32| self.world.first[*at as usize] >= reached;
        let ends = self.world.ends.iter();
        let (late, mut left): (Vec<u32>, Vec<u32>) = ends.partition(|at| is_late(at));
        for at in late {
            let op = self.world.partition.members[at as usize].op;
            self.world.demand.doubt(op);
            self.world.drop(at);
        }
        left.sort_unstable();
        let (mut needed, mut size) = (Vec::new(), 1);
        // From here on, if anywhere, is one of `left` that is needed.
        let mut suspect = None;
        while let Some(last) = left.len().checked_sub(1) {
            if planted(Defect::ShrinkerStopsEarly) {
                return Some(left);
            }
            if suspect == Some(last) {
                needed.extend(left.pop());
                suspect = None;
                continue;
            }
            let from = match suspect {
                Some(from) => from + (left.len() - from).div_ceil(2),
                None => left.len().saturating_sub(size),
            };
            if self.forget(&left[from..])? {
                left.truncate(from);
                if suspect.is_none() {
                    size = (size * 2).min(CHUNK_MAX);
                }
            } else {
                if suspect.is_none() {
                    size = (size / 2).max(1);
                }
                suspect = Some(from);
            }
        }
        needed.reverse();
        Some(needed)
    }

    /// Forgets some if that leads to no end; whether it did.
    fn forget(&mut self, members: &[u32]) -> Option<bool> {
        let partition = self.world.partition;
        let op = |at: &u32| partition.members[*at as usize].op;
        for at in members {
            self.world.kept[*at as usize] = false;
            self.world.demand.doubt(op(at));
        }
        let dues = members.iter().map(|at| self.world.due[*at as usize]);
        let last = dues.max().unwrap_or(NEVER);
        let from = self.world.first[members[0] as usize];
        self.world.change();
        let ends = self.leads_to_an_end(from, last)? && !planted(Defect::ShrinkerGoesTooFar);
        for level in from as usize..=last as usize {
            let tried = std::mem::take(&mut self.tried[level]);
            if ends {
                self.world.held -= tried.bytes();
            } else {
                self.world.held -= self.dead[level].bytes() + self.alive[level].bytes();
                self.dead[level] = tried;
                self.alive[level] = Points::default();
            }
        }
        for at in members {
            if ends {
                self.world.kept[*at as usize] = true;
                self.world.demand.trust(op(at));
            } else {
                self.world.drop(*at);
            }
        }
        Some(!ends)
    }

    /// Whether what was reached before a return leads to an end. Nothing is known of what lies
    /// between it and the return `last`.
    ///
    /// What is spare is not counted at first: where no way leads to an end although there is no end
    /// of it, none does. Of what a way takes more of than there is, more is counted from then on.
    fn leads_to_an_end(&mut self, from: u32, last: u32) -> Option<bool> {
        loop {
            self.world.count_all(false);
            let way = self.way(from, last)?;
            let spent = way.as_ref().map(|way| self.spend(way));
            self.world.count_all(true);
            let (Some(way), Some(spent)) = (way, spent) else {
                return Some(false);
            };
            // Points of a search that was given up say nothing.
            if self.world.is_spent() {
                return None;
            }
            match spent {
                Ok(needs) => {
                    self.survive(&way, needs, last);
                    return Some(true);
                }
                Err(short) => {
                    self.world.spares.count(short);
                    self.doubt(&way, last);
                }
            }
        }
    }

    /// The points of a way are to be looked at again.
    fn doubt(&mut self, way: &Way, last: u32) {
        for (at, point) in &way.path[..way.path.len() - 1] {
            let known = match *at > last {
                true => &mut self.dead[*at as usize],
                false => &mut self.tried[*at as usize],
            };
            known.take(point);
        }
    }

    /// A way to the end, or to a point from which there is one.
    fn way(&mut self, from: u32, last: u32) -> Option<Option<Way>> {
        let mut steps = vec![self.begin(from)];
        while let Some(step) = steps.last_mut() {
            let Some((at, point)) = step.rest.pop() else {
                steps.pop();
                continue;
            };
            if at as usize == self.world.ends.len() || self.is_alive(at, last, &point) {
                let path = steps[1..].iter().map(|step| (step.at, step.point));
                let path = path.chain([(at, point)]).collect();
                let start = steps[0].rest.len();
                return Some(Some(Way { from, start, path }));
            }
            if !self.enter(at, last, &point) {
                continue;
            }
            let mut rest = Vec::new();
            let to = self.world.next(at + 1);
            self.world.following(point, at, to, &mut rest);
            if self.world.is_spent() {
                return None;
            }
            rest.reverse();
            steps.push(Step { at, point, rest });
        }
        Some(None)
    }

    /// What has to be spare at each point of a way but the last, or a class of which it takes more
    /// than there is.
    fn spend(&mut self, way: &Way) -> Result<Vec<Needs>, u32> {
        let (at, end) = way.path[way.path.len() - 1];
        let spares = &self.world.spares;
        let alive = self.alive.get(at as usize);
        let alive = alive.and_then(|alive| alive.find(&end, |one| spares.covers(end.spare, one)));
        let mut needs = alive.map_or(Vec::new(), |spare| spares.get(spare).to_vec());
        let mut all = Vec::with_capacity(way.path.len());
        let mut next = (at, end);
        for (at, point) in way.path[..way.path.len() - 1].iter().rev() {
            needs = self.world.needs(*point, *at, next, needs);
            all.push(needs.clone());
            next = (*at, *point);
        }
        let needs = self.world.earlier(needs, way.from + 1..=way.path[0].0);
        let has = self.reached[way.from as usize][way.start].spare;
        if let Some(short) = self.world.short(needs, has, way.from) {
            return Err(short);
        }
        all.reverse();
        Ok(all)
    }

    /// Takes note of a point; whether it is worth a look.
    fn enter(&mut self, at: u32, last: u32, point: &Point) -> bool {
        let known = match at > last {
            true => &mut self.dead[at as usize],
            false => &mut self.tried[at as usize],
        };
        self.world.work += known.count(point) / SPARES_A_STEP;
        let spares = &self.world.spares;
        if known.any(point, |spare| spares.covers(spare, point.spare)) {
            return false;
        }
        self.world.held += known.put(point);
        true
    }

    /// What was reached before a return, before the first that is kept from it on.
    fn begin(&mut self, from: u32) -> Step {
        let to = self.world.next(from);
        let mut rest = Vec::new();
        for point in &self.reached[from as usize] {
            let point = self.world.without(*point, from);
            let point = match to == from {
                true => self.world.settle(point, to),
                false => self.world.arrive(point, Some(from), to),
            };
            rest.push((to, point));
        }
        Step {
            at: from,
            point: Point::FIRST,
            rest,
        }
    }

    fn is_alive(&self, at: u32, last: u32, point: &Point) -> bool {
        let spares = &self.world.spares;
        let alive = |spare| spares.covers(point.spare, spare);
        at > last && self.alive[at as usize].any(point, alive)
    }

    /// From all on the way the end can be reached.
    fn survive(&mut self, way: &Way, needs: Vec<Needs>, last: u32) {
        let later = way.path.iter().zip(needs).filter(|((at, _), _)| *at > last);
        for ((at, point), needs) in later {
            self.dead[*at as usize].take(point);
            let spare = self.world.spares.number(needs);
            self.world.held += self.alive[*at as usize].put(&Point { spare, ..*point });
        }
    }
}
