//! A queue whose elements do not say which enqueue they come from.
//!
//! The elements leave in the order in which they came, so that one order is looked for: of
//! elements, each an enqueue with a dequeue of the same value. An order of elements is one of the
//! operations if it contradicts no return before a call among the enqueues, none among the
//! dequeues, and no enqueue is called after the dequeue of its element, or of a later one, has
//! returned; any longer way around contains one of these. What found nothing stands between
//! elements, where all that came before may have gone before all that comes after.
//!
//! Of enqueues of one value that can come next the one that returns first does, and so with
//! dequeues; what may never have taken effect comes last, the first called first. So there are no
//! more ways to go on than values. But while some dequeue that found nothing is left, a dequeue
//! that was called late may have to come after it, so that one that is due later and was called
//! sooner is tried as well. When an enqueue was called does not matter any more once it can come
//! next. A configuration is two sets of operations; of what was used of those that may never have
//! taken effect only the least counts are kept.

use rustc_hash::FxHashMap;

use super::defect::{Defect, planted};
use super::memory::{of_map, of_piece};
use super::monitor::Spans;
use super::partition::Partition;
use super::search::{Ending, Found};
use super::visited::{Least, NOTHING};
use crate::models;
use crate::report::Budget;
use crate::value::Value;

mod interleave;
mod side;

use interleave::interleave;
use side::{One, Side};

/// So many operations that may come next cost a step.
const OPEN_A_STEP: u64 = 256;

/// Where a value is that was not met.
const NOWHERE: u32 = u32::MAX;

/// What stands at one place of the order.
#[derive(Clone, Copy)]
enum Node {
    /// An enqueue and a dequeue, by their places among the certain ones; without one, the next of
    /// those that may never have taken effect.
    Element {
        put: Option<u32>,
        take: Option<u32>,
        value: u32,
    },
    /// A dequeue that found nothing.
    Nothing(u32),
}

impl Node {
    fn element(put: Option<u32>, take: Option<u32>, value: u32) -> Self {
        Node::Element { put, take, value }
    }
}

/// A node on the stack.
struct Frame {
    node: Node,
    /// Which of the ways to go on it was; none when there was no other.
    way: Option<u32>,
    /// The last call of a dequeue before it.
    taken_from: u32,
}

/// One way to go on: how late it is tried, the rank by which it is due, and its node.
type Way = (Turn, u32, Node);

/// When a way is tried.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// All of it has to take effect.
    Certain,
    /// Some of it may never have taken effect.
    Spare,
    /// Its dequeue was called sooner than the one that is due first.
    CalledSooner,
}

struct Fifo {
    puts: Side,
    takes: Side,
    empties: Side,
    /// By value, enqueues that may never have taken effect: call, member.
    spares: Vec<Vec<(u32, u32)>>,
    /// Such dequeues.
    wild: Vec<(u32, u32)>,
    /// By value, how many of these enqueues are used; then, of the dequeues.
    used: Vec<u16>,
    /// The last call of a dequeue that is placed.
    taken_from: u32,
    stack: Vec<Frame>,
    deepest: Vec<Node>,
    /// By value, where it is among those that may come next, while they are gathered.
    places: Vec<u32>,
    known: FxHashMap<Box<[u64]>, u32>,
    least: Least,
    key: Vec<u64>,
    /// What the keys of the known ones take.
    bytes: u64,
    steps: u64,
}

/// Searches a queue; none if its values or its size do not fit.
pub(super) fn search(partition: &Partition<'_>, budget: &Budget) -> Option<Found> {
    let mut fifo = Fifo::of(partition)?;
    let ending = fifo.run(budget);
    fifo.note_depth();
    let whole = ending == Ending::Legal;
    let order = interleave(&fifo, &fifo.deepest, whole);
    Some(Found {
        ending,
        steps: fifo.steps,
        order,
        state: 0,
    })
}

impl Fifo {
    fn of(partition: &Partition<'_>) -> Option<Self> {
        let members = &partition.members;
        if members.len() >= 1 << 29 {
            return None;
        }
        let spans = Spans::new(partition);
        let mut values: FxHashMap<&Value, u32> = FxHashMap::default();
        let (mut puts, mut takes, mut empties) = (Vec::new(), Vec::new(), Vec::new());
        let (mut spares, mut wild) = (Vec::<Vec<(u32, u32)>>::new(), Vec::new());
        for (at, member) in members.iter().enumerate() {
            let takes_one = models::is_taking(member.op);
            let value = match takes_one {
                true => member.op.observed(),
                false => &member.op.input,
            };
            let (call, index) = (spans.call[at], at as u32);
            if takes_one && !member.certain {
                wild.push((call, index));
                continue;
            }
            let next = spares.len() as u32;
            let number = *values.entry(value).or_insert(next);
            if number == next {
                spares.push(Vec::new());
            }
            let one = One {
                call,
                ret: spans.ret[at],
                member: index,
                value: number,
            };
            match (takes_one, *value == Value::Null) {
                // A null that is taken looks like nothing at all.
                (false, true) => return None,
                (true, true) => empties.push(one),
                (true, false) => takes.push(one),
                (false, false) if member.certain => puts.push(one),
                (false, false) => spares[number as usize].push((call, index)),
            }
        }
        spares.iter_mut().for_each(|spares| spares.sort_unstable());
        wild.sort_unstable();
        let most = spares
            .iter()
            .map(Vec::len)
            .max()
            .unwrap_or(0)
            .max(wild.len());
        let used = match most {
            0 => Vec::new(),
            _ => vec![0; spares.len() + 1],
        };
        (most < usize::from(u16::MAX)).then(|| Self {
            places: vec![NOWHERE; spares.len()],
            puts: Side::new(puts),
            takes: Side::new(takes),
            empties: Side::new(empties),
            spares,
            wild,
            used,
            taken_from: 0,
            stack: Vec::new(),
            deepest: Vec::new(),
            known: FxHashMap::default(),
            least: Least::default(),
            key: Vec::new(),
            bytes: 0,
            steps: 0,
        })
    }

    fn run(&mut self, budget: &Budget) -> Ending {
        let mut from = 0;
        while !self.takes.is_done() || !self.empties.is_done() {
            if self.steps > budget.steps_max {
                return Ending::OutOfSteps;
            }
            let bytes = self.bytes + of_map(&self.known) + self.least.bytes();
            if bytes > budget.memory_bytes_max {
                return Ending::OutOfMemory;
            }
            if (from == 0 && self.advance_nothing()) || self.advance(from) {
                from = 0;
                continue;
            }
            self.note_depth();
            from = loop {
                let Some(frame) = self.stack.pop() else {
                    return Ending::Illegal;
                };
                let way = frame.way;
                self.undo(&frame);
                if let Some(way) = way {
                    break way + 1;
                }
            };
        }
        Ending::Legal
    }

    /// Places a dequeue that found nothing, if it may come next: it may as well.
    fn advance_nothing(&mut self) -> bool {
        let (puts, takes) = (self.puts.due(), self.takes.due());
        if u64::from(self.taken_from) > puts {
            return false;
        }
        let horizon = puts.min(takes).min(self.empties.due());
        let Some(at) = self.empties.open(horizon).next() else {
            return false;
        };
        self.steps += 1;
        self.place(Node::Nothing(at), None);
        true
    }

    /// Places the first element from a way on that leads somewhere new.
    fn advance(&mut self, from: u32) -> bool {
        let mut places = std::mem::take(&mut self.places);
        let (ways, open) = self.ways(&mut places);
        self.places = places;
        self.steps += open / OPEN_A_STEP;
        for (way, (_, _, node)) in (0..).zip(ways).skip(from as usize) {
            self.steps += 1;
            self.place(node, Some(way));
            if self.is_new() {
                return true;
            }
            if let Some(frame) = self.stack.pop() {
                self.undo(&frame);
            }
        }
        false
    }

    /// The elements that may come next, one of a value: those of certain operations first, and of
    /// these what is due sooner.
    /// Says also how many operations are open.
    fn ways(&self, places: &mut [u32]) -> (Vec<Way>, u64) {
        let empties = self.empties.due();
        let takes_by = self.takes.due().min(empties);
        let puts_by = self.puts.due().min(takes_by);
        let (mut puts, open_puts) = soonest(&self.puts, puts_by, places);
        let (mut takes, open_takes) = soonest(&self.takes, takes_by, places);
        let mut ways: Vec<Way> = Vec::new();
        let wild = self.next_wild(takes_by);
        for (value, (ret, put)) in puts.drain(..) {
            let known = takes.iter().position(|(other, _)| *other == value);
            let take = known.map(|place| takes.swap_remove(place).1);
            let put = Some(put);
            match take {
                Some((other, take)) => {
                    let node = Node::element(put, Some(take), value);
                    ways.push((Turn::Certain, ret.min(other), node));
                    self.called_sooner(put, take, takes_by, &mut ways);
                }
                None if wild.is_some() => {
                    ways.push((Turn::Spare, ret, Node::element(put, None, value)));
                }
                None => {}
            }
        }
        for (value, (ret, take)) in takes {
            let used = self.used.get(value as usize).copied().unwrap_or(0);
            let spare = self.spares[value as usize].get(usize::from(used));
            if spare.is_some_and(|(call, _)| u64::from(*call) < puts_by) {
                let node = Node::element(None, Some(take), value);
                ways.push((Turn::Spare, ret, node));
                self.called_sooner(None, take, takes_by, &mut ways);
            }
        }
        ways.sort_by_key(|(turn, due, _)| (*turn, *due));
        (ways, open_puts + open_takes)
    }

    /// The call of the dequeue of unknown outcome that is taken next, if it can come next.
    fn next_wild(&self, takes_by: u64) -> Option<u32> {
        let (call, _) = self.wild.get(self.used_wild())?;
        let open = u64::from(*call) < takes_by && !planted(Defect::ItemsTakeNothingOptional);
        open.then_some(*call)
    }

    /// Instead of a dequeue, those that are due later and were called sooner, as long as that may
    /// matter to one that found nothing.
    fn called_sooner(&self, put: Option<u32>, take: u32, takes_by: u64, ways: &mut Vec<Way>) {
        let One {
            mut call, value, ..
        } = self.takes.get(take);
        let forgets = planted(Defect::ItemsForgetWhoCameSooner);
        if forgets || self.empties.is_done() || call <= self.taken_from {
            return;
        }
        let open = self.takes.open(takes_by).map(|at| (self.takes.get(at), at));
        let mut others: Vec<(One, u32)> = open.filter(|(one, _)| one.value == value).collect();
        others.sort_unstable_by_key(|(one, _)| one.ret);
        for (one, at) in others {
            if one.call < call && call > self.taken_from {
                call = one.call;
                let node = Node::element(put, Some(at), value);
                ways.push((Turn::CalledSooner, one.ret, node));
            }
        }
        let wild = self.next_wild(takes_by).filter(|wild| *wild < call);
        if put.is_some() && wild.is_some() && call > self.taken_from {
            let node = Node::element(put, None, value);
            ways.push((Turn::CalledSooner, u32::MAX, node));
        }
    }

    fn used_wild(&self) -> usize {
        self.used.last().map_or(0, |used| usize::from(*used))
    }

    fn place(&mut self, node: Node, way: Option<u32>) {
        let taken_from = self.taken_from;
        match node {
            Node::Nothing(at) => self.empties.put(at),
            Node::Element { put, take, value } => {
                match put {
                    Some(put) => self.puts.put(put),
                    None => self.used[value as usize] += 1,
                }
                let call = match take {
                    Some(take) => {
                        self.takes.put(take);
                        self.takes.get(take).call
                    }
                    None => {
                        let wild = self.wild[self.used_wild()].0;
                        let last = self.used.len() - 1;
                        self.used[last] += 1;
                        wild
                    }
                };
                self.taken_from = taken_from.max(call);
            }
        }
        self.stack.push(Frame {
            node,
            way,
            taken_from,
        });
    }

    fn undo(&mut self, frame: &Frame) {
        self.taken_from = frame.taken_from;
        match frame.node {
            Node::Nothing(at) => self.empties.take_back(at),
            Node::Element { put, take, value } => {
                match put {
                    Some(put) => self.puts.take_back(put),
                    None => self.used[value as usize] -= 1,
                }
                match take {
                    Some(take) => self.takes.take_back(take),
                    None => {
                        let last = self.used.len() - 1;
                        self.used[last] -= 1;
                    }
                }
            }
        }
    }

    /// Notes the configuration; false when it, or one that can do as much, was there before.
    fn is_new(&mut self) -> bool {
        self.key.clear();
        self.puts.key(&mut self.key);
        if !planted(Defect::ItemsForgetStates) {
            self.takes.key(&mut self.key);
        }
        self.empties.key(&mut self.key);
        if let Some(chain) = self.known.get_mut(self.key.as_slice()) {
            return *chain != NOTHING && self.least.insert(chain, &self.used);
        }
        let mut chain = NOTHING;
        if !self.used.is_empty() {
            self.least.insert(&mut chain, &self.used);
        }
        self.bytes += of_piece(size_of_val(self.key.as_slice()));
        self.known.insert(self.key.as_slice().into(), chain);
        true
    }

    /// Remembers what is placed if it is the most so far.
    fn note_depth(&mut self) {
        if self.stack.len() > self.deepest.len() {
            let nodes = self.stack.iter().map(|frame| frame.node);
            self.deepest = nodes.collect();
        }
    }
}

/// By value, the return of an operation and its place.
type Soonest = Vec<(u32, (u32, u32))>;

/// By value, the operation that returns first of those that are left and called before a rank; and
/// how many there are. `places` has nothing by every value, before and after.
fn soonest(side: &Side, horizon: u64, places: &mut [u32]) -> (Soonest, u64) {
    let mut soonest = Soonest::new();
    let mut count = 0;
    for at in side.open(horizon) {
        let one = side.get(at);
        count += 1;
        let place = &mut places[one.value as usize];
        match soonest.get_mut(*place as usize) {
            Some((_, first)) => {
                let sooner = ((one.ret, at) < *first) != planted(Defect::ItemsTakeTheLastFirst);
                if sooner {
                    *first = (one.ret, at);
                }
            }
            None => {
                *place = soonest.len() as u32;
                soonest.push((one.value, (one.ret, at)));
            }
        }
    }
    for (value, _) in &soonest {
        places[*value as usize] = NOWHERE;
    }
    (soonest, count)
}
