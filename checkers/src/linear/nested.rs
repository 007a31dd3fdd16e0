//! A stack whose elements do not say which push they come from, by how pushes and pops nest.
//!
//! What happens between a push and the pop of its element does not depend on what lies below. So
//! it is looked for once for each push, of some value, and each set of operations that came before
//! it: after which sets can the element be on top again, and after which be gone? There are no
//! more of these than pairs of such sets at one height of the stack, which is few where few
//! operations overlap. It is known as reachability in pushdown systems (Bouajjani, Esparza, Maler:
//! *Reachability analysis of pushdown automata*, 1997).
//!
//! A push of unknown outcome is only of use to a pop that does not find its value: it comes right
//! before that. A pop of unknown outcome is only of use where the element on top is in the way of
//! a pop that can come next: it comes right before that one, or before others that do the same. Of
//! operations that do the same and can come next the one that returns first does.

use rustc_hash::{FxHashMap, FxHashSet};

use super::defect::{Defect, planted};
use super::memory::{of_list, of_map, of_piece, of_set};
use super::monitor::Spans;
use super::partition::Partition;
use super::search::{Ending, Found, looking_over};
use crate::models;
use crate::report::Budget;
use crate::value::Value;

mod cuts;

use cuts::{Cuts, One, What};

/// The value of the frame that has no element.
const BOTTOM: u32 = u32::MAX;

/// An element on the stack, whatever lies below it.
struct Frame {
    value: u32,
    /// Where it was pushed: a node, and an operation.
    callers: Vec<(u32, u32)>,
    /// How it can be gone.
    exits: Vec<Exit>,
}

/// How an element goes.
#[derive(Clone, Copy)]
struct Exit {
    /// The node before it.
    node: u32,
    taker: Taker,
    /// The operations that came before what follows.
    cut: u32,
}

/// Who takes an element.
#[derive(Clone, Copy)]
enum Taker {
    /// A member.
    Pop(u32),
    /// The next pop that may never have taken effect.
    Wild,
}

/// A set of operations after which the element of a frame is on top.
#[derive(Clone, Copy)]
struct Node {
    frame: u32,
    cut: u32,
    why: Why,
}

/// How a node was come to.
#[derive(Clone, Copy)]
enum Why {
    /// The element was pushed.
    Begin,
    /// From another node, by a pop that takes from the next spare push of a class, or by a pop
    /// that found nothing: a member.
    Step(u32, Option<usize>, u32),
    /// From another node, by an operation that pushed an element, and an exit of its frame.
    Nest(u32, u32, u32, u32),
}

struct Nested {
    cuts: Cuts,
    /// By class, pushes of one value that may never have taken effect: call, member; the last
    /// are such pops.
    spares: Vec<Vec<(u32, u32)>>,
    /// By value, the class of its spare pushes.
    classes: Vec<Option<usize>>,
    frames: Vec<Frame>,
    frame_ids: FxHashMap<(u32, u32), u32>,
    nodes: Vec<Node>,
    reached: FxHashSet<(u32, u32)>,
    /// Nodes that were not looked at.
    work: Vec<u32>,
    steps: u64,
    /// What the callers and exits of all frames take.
    bytes: u64,
    bytes_max: u64,
    /// Whether there was no room for something.
    is_full: bool,
}

/// Searches a stack; none if its values or its size do not fit.
pub(super) fn search(partition: &Partition<'_>, budget: &Budget) -> Option<Found> {
    let mut nested = Nested::of(partition, budget.memory_bytes_max)?;
    let (ending, node) = nested.run(budget);
    Some(Found {
        ending,
        steps: nested.steps,
        order: nested.order(node),
        state: 0,
    })
}

impl Nested {
    fn of(partition: &Partition<'_>, bytes_max: u64) -> Option<Self> {
        let members = &partition.members;
        if members.len() >= 1 << 29 {
            return None;
        }
        let spans = Spans::new(partition);
        let mut values: FxHashMap<&Value, u32> = FxHashMap::default();
        let (mut ops, mut wild) = (Vec::new(), Vec::new());
        let mut spares: Vec<Vec<(u32, u32)>> = Vec::new();
        let mut classes: Vec<Option<usize>> = Vec::new();
        for (at, member) in members.iter().enumerate() {
            let takes = models::is_taking(member.op);
            let (call, index) = (spans.call[at], at as u32);
            if takes && !member.certain {
                wild.push((call, index));
                continue;
            }
            let value = match takes {
                true => member.op.observed(),
                false => &member.op.input,
            };
            let next = classes.len() as u32;
            let number = *values.entry(value).or_insert(next);
            if number == next {
                classes.push(None);
            }
            let what = match (takes, *value == Value::Null) {
                // A null that is taken looks like nothing at all.
                (false, true) => return None,
                (true, true) => What::Nothing,
                (true, false) => What::Pop(number),
                (false, false) if member.certain => What::Push(number),
                (false, false) => {
                    let class = *classes[number as usize].get_or_insert(spares.len());
                    if class == spares.len() {
                        spares.push(Vec::new());
                    }
                    spares[class].push((call, index));
                    continue;
                }
            };
            ops.push(One {
                call,
                ret: spans.ret[at],
                member: index,
                what,
            });
        }
        spares.push(wild);
        spares.iter_mut().for_each(|spares| spares.sort_unstable());
        let most = spares.iter().map(Vec::len).max().unwrap_or(0);
        let counted = if most == 0 { 0 } else { spares.len() };
        (most < usize::from(u16::MAX)).then(|| Self {
            cuts: Cuts::new(ops, counted),
            spares,
            classes,
            frames: Vec::new(),
            frame_ids: FxHashMap::default(),
            nodes: Vec::new(),
            reached: FxHashSet::default(),
            work: Vec::new(),
            steps: 0,
            bytes: 0,
            bytes_max,
            is_full: false,
        })
    }

    /// How it ended, and at which node: the last one, or one that came furthest.
    fn run(&mut self, budget: &Budget) -> (Ending, u32) {
        let all = self.cuts.ops.len() as u32;
        self.frame(0, BOTTOM, None);
        let (mut best, mut size) = (0, 0);
        let (mut open, mut moves) = (Vec::new(), Vec::new());
        while let Some(node) = self.work.pop() {
            let done = self.cuts.size(self.nodes[node as usize].cut);
            if done > size {
                (best, size) = (node, done);
            }
            if done == all {
                return (Ending::Legal, node);
            }
            if self.steps > budget.steps_max {
                return (Ending::OutOfSteps, best);
            }
            if !self.has_room() {
                return (Ending::OutOfMemory, best);
            }
            self.moves(node, &mut open, &mut moves);
            self.steps += 1 + moves.len() as u64 + looking_over(open.len());
            // The last that is noted is looked at first.
            for next in moves.drain(..).rev() {
                self.make(node, next);
            }
        }
        match self.has_room() {
            true => (Ending::Illegal, best),
            false => (Ending::OutOfMemory, best),
        }
    }

    /// Whether the budget lets in something more; once not, never again.
    fn has_room(&mut self) -> bool {
        self.is_full |= self.bytes() > self.bytes_max;
        !self.is_full
    }

    fn bytes(&self) -> u64 {
        let frames = of_list(&self.frames) + of_map(&self.frame_ids) + self.bytes;
        let nodes = of_list(&self.nodes) + of_set(&self.reached) + of_list(&self.work);
        self.cuts.bytes() + frames + nodes
    }

    /// Whether a spare operation of a class is left that was called before a rank.
    fn has_spare(&self, cut: u32, class: usize, horizon: u32) -> bool {
        if planted(Defect::NestsTakeNothingOptional) {
            return false;
        }
        let spares = &self.spares[class];
        let spare = (!spares.is_empty()).then(|| spares.get(self.cuts.used(cut, class)));
        spare.flatten().is_some_and(|(call, _)| *call < horizon)
    }

    /// What can come next at a node, the best first.
    fn moves(&self, node: u32, open: &mut Vec<u32>, moves: &mut Vec<Move>) {
        let Node { frame, cut, .. } = self.nodes[node as usize];
        let top = self.frames[frame as usize].value;
        let horizon = self.cuts.open(cut, open);
        let op = |at: &u32| self.cuts.ops[*at as usize];
        open.sort_unstable_by_key(|at| op(at).ret);
        let nothing = open.iter().find(|at| op(at).what == What::Nothing);
        if let (Some(at), BOTTOM) = (nothing, top) {
            // What changes nothing may as well come next.
            moves.push(Move::Nothing(*at));
            return;
        }
        let mut blocked = nothing.is_some();
        let (mut first, mut later) = (None, Vec::new());
        let mut seen: Vec<What> = Vec::new();
        // What is due first, and what it takes.
        let due = open.first().map(|at| op(at).what);
        for at in &*open {
            let what = op(at).what;
            if seen.contains(&what) {
                continue;
            }
            seen.push(what);
            match what {
                What::Pop(value) if value == top => first = Some(Move::Pop(*at)),
                What::Pop(value) => {
                    blocked = true;
                    let class = self.classes[value as usize];
                    let spare = class.filter(|class| self.has_spare(cut, *class, horizon));
                    later.extend(spare.map(|class| Move::Spare(*at, class)));
                }
                What::Push(value) if due == Some(What::Pop(value)) && value != top => {
                    moves.insert(0, Move::Push(*at));
                }
                What::Push(_) => moves.push(Move::Push(*at)),
                What::Nothing => {}
            }
        }
        if let Some(first) = first {
            moves.insert(0, first);
        }
        moves.append(&mut later);
        if blocked && top != BOTTOM {
            let wild = self.has_spare(cut, self.spares.len() - 1, horizon);
            moves.extend(wild.then_some(Move::Wild));
        }
    }

    fn make(&mut self, node: u32, next: Move) {
        let Node { frame, cut, .. } = self.nodes[node as usize];
        match next {
            Move::Nothing(at) => {
                let member = self.cuts.ops[at as usize].member;
                let cut = self.cuts.with(cut, Some(at), None);
                self.reach(frame, cut, Why::Step(node, None, member));
            }
            Move::Spare(at, class) => {
                let member = self.cuts.ops[at as usize].member;
                let cut = self.cuts.with(cut, Some(at), Some(class));
                self.reach(frame, cut, Why::Step(node, Some(class), member));
            }
            Move::Push(at) => {
                let What::Push(value) = self.cuts.ops[at as usize].what else {
                    unreachable!("it pushes");
                };
                let cut = self.cuts.with(cut, Some(at), None);
                self.frame(cut, value, Some((node, at)));
            }
            Move::Pop(at) => {
                let taker = Taker::Pop(self.cuts.ops[at as usize].member);
                let cut = self.cuts.with(cut, Some(at), None);
                self.exit(frame, Exit { node, taker, cut });
            }
            Move::Wild => {
                let (taker, class) = (Taker::Wild, self.spares.len() - 1);
                let cut = self.cuts.with(cut, None, Some(class));
                self.exit(frame, Exit { node, taker, cut });
            }
        }
    }

    /// Pushes an element.
    fn frame(&mut self, cut: u32, value: u32, caller: Option<(u32, u32)>) {
        let next = self.frames.len() as u32;
        let known = if planted(Defect::NestsForgetValues) {
            0
        } else {
            value
        };
        let frame = *self.frame_ids.entry((cut, known)).or_insert(next);
        if frame == next {
            let callers: Vec<(u32, u32)> = caller.into_iter().collect();
            self.bytes += of_piece(size_of_val(callers.as_slice()));
            self.frames.push(Frame {
                value,
                callers,
                exits: Vec::new(),
            });
            self.reach(frame, cut, Why::Begin);
            return;
        }
        let Some((node, op)) = caller else {
            return;
        };
        self.bytes += push(&mut self.frames[frame as usize].callers, (node, op));
        let below = self.nodes[node as usize].frame;
        for place in 0..self.frames[frame as usize].exits.len() {
            if !self.has_room() {
                return;
            }
            let exit = self.frames[frame as usize].exits[place];
            self.reach(below, exit.cut, Why::Nest(node, op, frame, place as u32));
        }
    }

    /// Takes the element of a frame.
    fn exit(&mut self, frame: u32, exit: Exit) {
        let exits = &mut self.frames[frame as usize].exits;
        if exits.iter().any(|other| other.cut == exit.cut) {
            return;
        }
        let place = exits.len() as u32;
        self.bytes += push(exits, exit);
        for caller in 0..self.frames[frame as usize].callers.len() {
            if !self.has_room() {
                return;
            }
            let (node, op) = self.frames[frame as usize].callers[caller];
            let below = self.nodes[node as usize].frame;
            self.steps += 1;
            self.reach(below, exit.cut, Why::Nest(node, op, frame, place));
        }
    }

    /// Notes a node, unless it was there before.
    fn reach(&mut self, frame: u32, cut: u32, why: Why) {
        if self.reached.insert((frame, cut)) {
            self.work.push(self.nodes.len() as u32);
            self.nodes.push(Node { frame, cut, why });
        }
    }

    /// The members that lead to a node.
    fn order(&self, node: u32) -> Vec<u32> {
        // Backwards; what is on top comes first.
        let mut tasks = vec![Task::All(node)];
        let mut order = Vec::new();
        while let Some(task) = tasks.pop() {
            let (node, all) = match task {
                Task::Give(given) => {
                    order.push(given);
                    continue;
                }
                Task::All(node) => (node, true),
                Task::Within(node) => (node, false),
            };
            let on = |node| {
                if all {
                    Task::All(node)
                } else {
                    Task::Within(node)
                }
            };
            let Node { frame, why, .. } = self.nodes[node as usize];
            let push = |op: u32| Task::Give(Given::Member(self.cuts.ops[op as usize].member));
            match why {
                Why::Begin => {
                    let callers = self.frames[frame as usize].callers.first();
                    if let (true, Some((node, op))) = (all, callers) {
                        tasks.extend([Task::All(*node), push(*op)]);
                    }
                }
                Why::Step(from, spare, member) => {
                    tasks.push(on(from));
                    tasks.extend(spare.map(|class| Task::Give(Given::Spare(class))));
                    tasks.push(Task::Give(Given::Member(member)));
                }
                Why::Nest(from, op, frame, exit) => {
                    let exit = self.frames[frame as usize].exits[exit as usize];
                    let taker = match exit.taker {
                        Taker::Pop(member) => Given::Member(member),
                        Taker::Wild => Given::Spare(self.spares.len() - 1),
                    };
                    let within = Task::Within(exit.node);
                    tasks.extend([on(from), push(op), within, Task::Give(taker)]);
                }
            }
        }
        let mut used = vec![0; self.spares.len()];
        let member = |given: &Given| match *given {
            Given::Member(member) => Some(member),
            Given::Spare(class) => {
                used[class] += 1;
                self.spares[class].get(used[class] - 1).map(|(_, at)| *at)
            }
        };
        order.iter().rev().filter_map(member).collect()
    }
}

/// Adds to a list; how much more it takes.
fn push<T>(list: &mut Vec<T>, one: T) -> u64 {
    let before = list.capacity();
    list.push(one);
    match list.capacity() - before {
        0 => 0,
        more => of_piece(more * size_of::<T>()),
    }
}

/// What can come next: operations by their places, spare ones by class.
#[derive(Clone, Copy)]
enum Move {
    Push(u32),
    Pop(u32),
    Nothing(u32),
    /// A pop, and the pushes of which it takes from one.
    Spare(u32, usize),
    /// A pop that may never have taken effect.
    Wild,
}

/// A member, or the next spare one of a class.
#[derive(Clone, Copy)]
enum Given {
    Member(u32),
    Spare(usize),
}

/// What is left to give, backwards.
enum Task {
    Give(Given),
    /// What leads to a node from the beginning.
    All(u32),
    /// From the push of its element.
    Within(u32),
}
