//! Databases of every level that a database can be made for: what each read may see, and which
//! transactions may commit, is what the level asks and no more, as far as that can be drawn.

use std::collections::BTreeMap;

use checkers::txn::{Base, Level, Order};

use super::defects::Defect;
use super::{Numbers, views};

/// What such databases promise, and keep.
pub(crate) fn promises() -> Vec<Level> {
    let plain = [
        Base::ReadUncommitted,
        Base::ReadCommitted,
        Base::CursorStability,
    ];
    let views = [
        Base::MonotonicAtomicView,
        Base::MonotonicSnapshotRead,
        Base::ReadAtomic,
        Base::UpdateAtomic,
        Base::Prefix,
        Base::SnapshotIsolation,
        Base::UpdateSerializable,
        Base::Serializable,
    ];
    let sites = [Base::Causal, Base::ParallelSnapshotIsolation];
    let strong = plain.map(|base| (base, Order::Realtime)).into_iter();
    let each = views
        .into_iter()
        .flat_map(|base| Order::ALL.map(|order| (base, order)));
    let orders = [Order::None, Order::Process];
    let of = sites
        .into_iter()
        .flat_map(|base| orders.map(|order| (base, order)));
    let all = strong.chain(each).chain(of);
    all.map(|(base, order)| Level { base, order }).collect()
}

/// A database, and how it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wide {
    pub(crate) promise: Level,
    pub(crate) transactions: usize,
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    /// Objects in use at once, and writes of one before another takes its place.
    pub(crate) keys: u64,
    pub(crate) writes: u64,
    /// Whether who writes an object has read it.
    pub(crate) reads_first: bool,
    /// Whether all objects are read at once, now and then.
    pub(crate) scans: bool,
    /// Whether transactions abort, or end in what is not known.
    pub(crate) outcomes: bool,
}

/// A step, with what it showed: the elements of an object, in the order of its versions.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write(i64, i64),
    Read(i64, Vec<i64>),
    /// Of all objects at once.
    Scan(Vec<(i64, Vec<i64>)>),
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Ok,
    Fail,
    Info,
}

/// A transaction as its client saw it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    pub(crate) process: u64,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// What became of a database: its transactions, which of them show a defect, and by object the
/// elements that were committed, in order.
pub(crate) struct Run {
    pub(crate) rows: Vec<Row>,
    pub(crate) wrong: std::ops::Range<usize>,
    pub(crate) versions: BTreeMap<i64, Vec<i64>>,
}

/// A commit: where it was made, as which there, how many of each place it had seen, how many came
/// before it in its session or in real time, and what it touched.
pub(super) struct Commit {
    pub(super) site: usize,
    pub(super) place: u64,
    pub(super) seen: [u64; SITES],
    pub(super) after: u64,
    pub(super) reads: Vec<i64>,
    pub(super) writes: Vec<i64>,
}

/// Places that exchange commits, for levels that have no one order of them.
pub(super) const SITES: usize = 3;

/// What a client does.
pub(super) struct Open {
    row: usize,
    pub(super) steps: Vec<Step>,
    /// How many commits there were when it began, and which its place had.
    pub(super) begun: u64,
    pub(super) seen: [u64; SITES],
    site: usize,
    pub(super) done: bool,
}

impl Open {
    /// Whether it only reads.
    pub(super) fn only_reads(&self) -> bool {
        !self
            .steps
            .iter()
            .any(|step| matches!(step, Step::Write(..)))
    }

    /// Whether it writes an object at a step or after it.
    pub(super) fn writes_from(&self, from: usize, key: i64) -> bool {
        let mut rest = self.steps[from..].iter();
        rest.any(|step| matches!(step, Step::Write(of, _) if *of == key))
    }
}

pub(super) struct State {
    pub(super) wide: Wide,
    pub(super) numbers: Numbers,
    pub(super) commits: Vec<Commit>,
    /// By object, the number of a commit and the element.
    pub(super) versions: BTreeMap<i64, Vec<(u64, i64)>>,
    /// By place, the commits made there, and how many of each it has.
    made: [Vec<u64>; SITES],
    applied: [[u64; SITES]; SITES],
    pub(super) open: Vec<Option<Open>>,
    /// By client, its process and the last commit that it knows of.
    processes: Vec<u64>,
    pub(super) known: Vec<u64>,
    /// Objects in use, each with how often it was written.
    keys: Vec<(i64, u64)>,
    /// The next of objects, elements and processes.
    next: (i64, i64, u64),
    clock: u64,
    rows: Vec<Row>,
}

/// The history of a database in use; with a defect once, after so many transactions.
pub(crate) fn run(wide: &Wide, defect: Option<(&Defect, usize)>) -> Run {
    let mut state = State::new(*wide);
    let mut wrong = 0..0;
    while state.rows.len() < wide.transactions || state.open.iter().any(Option::is_some) {
        state.clock += state.numbers.below(2);
        state.exchange();
        let client = state.numbers.below(wide.clients as u64) as usize;
        if let Some(open) = state.open[client].take() {
            state.open[client] = state.advance(client, open);
        } else if let Some((defect, _)) =
            defect.filter(|(_, at)| wrong.is_empty() && state.rows.len() >= *at)
        {
            let first = state.rows.len();
            state.inject(defect);
            wrong = first..state.rows.len();
        } else if state.rows.len() < wide.transactions {
            state.begin(client);
        }
    }
    let elements = |(key, versions): (&i64, &Vec<(u64, i64)>)| {
        (*key, versions.iter().map(|(_, element)| *element).collect())
    };
    let versions = state.versions.iter().map(elements).collect();
    Run {
        rows: state.rows,
        wrong,
        versions,
    }
}

impl State {
    fn new(wide: Wide) -> Self {
        let clients = wide.clients;
        Self {
            wide,
            numbers: Numbers(0x51de + 77 * wide.seed),
            commits: Vec::new(),
            versions: BTreeMap::new(),
            made: [const { Vec::new() }; SITES],
            applied: [[0; SITES]; SITES],
            open: (0..clients).map(|_| None).collect(),
            processes: (0..clients as u64).collect(),
            known: vec![0; clients],
            keys: (0..wide.keys as i64).map(|key| (key, 0)).collect(),
            next: (wide.keys as i64, 1, clients as u64),
            clock: 0,
            rows: Vec::new(),
        }
    }

    /// One place gets the next commit of another, if it has all that this one had seen.
    fn exchange(&mut self) {
        let [from, to] = [0, 1].map(|_| self.numbers.below(SITES as u64) as usize);
        let next = self.made[from].get(self.applied[to][from] as usize);
        let next = next.map(|number| &self.commits[*number as usize - 1].seen);
        let has = |seen: &[u64; SITES]| (0..SITES).all(|at| seen[at] <= self.applied[to][at]);
        if next.is_some_and(has) {
            self.applied[to][from] += 1;
        }
    }

    /// The objects in use.
    pub(super) fn keys(&self) -> impl Iterator<Item = i64> {
        self.keys.iter().map(|(key, _)| *key)
    }

    /// Whether what its own transaction wrote may be read.
    fn reads_own(&self) -> bool {
        matches!(
            self.wide.promise.base,
            Base::ReadUncommitted
                | Base::SnapshotIsolation
                | Base::ParallelSnapshotIsolation
                | Base::UpdateSerializable
                | Base::Serializable
        )
    }

    fn begin(&mut self, client: usize) {
        let only_reads = self.numbers.below(2) == 0;
        let count = match self.numbers.below(12) {
            0 => 0,
            _ => 1 + self.numbers.below(4),
        };
        let (mut steps, mut own): (Vec<Step>, Vec<i64>) = (Vec::new(), Vec::new());
        for _ in 0..count {
            if self.wide.scans && self.numbers.below(4) == 0 && (own.is_empty() || self.reads_own())
            {
                steps.push(Step::Scan(Vec::new()));
                continue;
            }
            let slot = self.numbers.below(self.wide.keys) as usize;
            let key = self.keys[slot].0;
            let written = own.contains(&key);
            let writes = !only_reads && self.numbers.below(2) == 0 && !self.locked(client, key);
            let reads = !writes || self.wide.reads_first && !written;
            if reads && (!written || self.reads_own()) {
                steps.push(Step::Read(key, Vec::new()));
            }
            if writes {
                steps.push(Step::Write(key, self.next.1));
                own.push(key);
                self.next.1 += 1;
                self.keys[slot].1 += 1;
                if self.keys[slot].1 >= self.wide.writes {
                    self.keys[slot] = (self.next.0, 0);
                    self.next.0 += 1;
                }
            }
        }
        let site = match self.wide.promise.order {
            Order::None => self.numbers.below(SITES as u64) as usize,
            _ => client % SITES,
        };
        self.rows.push(Row {
            steps: steps.clone(),
            end: End::Info,
            process: self.processes[client],
            from: self.clock,
            to: self.clock,
        });
        self.open[client] = Some(Open {
            row: self.rows.len() - 1,
            steps,
            begun: self.commits.len() as u64,
            seen: self.applied[site],
            site,
            done: false,
        });
    }

    /// Whether another client is about to write an object, where that keeps others from it.
    fn locked(&self, client: usize, key: i64) -> bool {
        let locks = self.wide.promise.base == Base::ReadUncommitted;
        let others = self.open.iter().enumerate().filter(|(at, _)| *at != client);
        let mut others = others.filter_map(|(_, open)| open.as_ref());
        locks && others.any(|open| !open.done && open.writes_from(0, key))
    }

    /// Lets a client commit, or go on.
    fn advance(&mut self, client: usize, mut open: Open) -> Option<Open> {
        let row = open.row;
        self.rows[row].to = self.clock;
        if open.done {
            self.rows[row].end = End::Ok;
            return None;
        }
        let fate = match self.wide.outcomes {
            true => self.numbers.below(20),
            false => 19,
        };
        let views = views::of(self, client, &open);
        // What is seen before it is known to be committed is taken for committed, or it aborts.
        let aborts = fate == 0 || fate == 1 && self.wide.promise.base == Base::ReadUncommitted;
        if aborts || views::conflicts(self, &open, &views) {
            self.rows[row].end = End::Fail;
            return None;
        }
        if fate == 1 {
            self.forget(client);
            return None;
        }
        let mut own: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for at in 0..open.steps.len() {
            let step = match &open.steps[at] {
                Step::Write(key, element) => {
                    own.entry(*key).or_default().push(*element);
                    continue;
                }
                Step::Read(key, _) => Step::Read(*key, self.shown(&views[&(at, *key)], *key, &own)),
                Step::Scan(_) => {
                    let all = self.keys.iter();
                    let all =
                        all.map(|(key, _)| (*key, self.shown(&views[&(at, *key)], *key, &own)));
                    Step::Scan(all.collect())
                }
            };
            open.steps[at] = step;
        }
        let latest = views
            .values()
            .map(|view| view.latest(self.commits.len() as u64));
        self.known[client] = self.known[client].max(latest.max().unwrap_or(0));
        self.commit(client, &open, own);
        if fate == 2 {
            self.forget(client);
            return None;
        }
        self.rows[row].steps = open.steps.clone();
        open.done = true;
        Some(open)
    }

    /// A client does not learn what became of its transaction, and goes on as another process.
    fn forget(&mut self, client: usize) {
        self.processes[client] = self.next.2;
        self.next.2 += 1;
        self.known[client] = 0;
    }

    fn shown(&self, view: &views::View, key: i64, own: &BTreeMap<i64, Vec<i64>>) -> Vec<i64> {
        let mut shown = view.elements(self, key);
        shown.extend(own.get(&key).into_iter().flatten());
        shown
    }

    fn commit(&mut self, client: usize, open: &Open, own: BTreeMap<i64, Vec<i64>>) {
        if own.is_empty() {
            return;
        }
        let reads = open.steps.iter().filter_map(|step| match step {
            Step::Read(key, _) => Some(*key),
            _ => None,
        });
        let scans = open.steps.iter().any(|step| matches!(step, Step::Scan(_)));
        let all = self.keys.iter().filter(|_| scans).map(|(key, _)| *key);
        self.applied[open.site][open.site] += 1;
        self.commits.push(Commit {
            site: open.site,
            place: self.applied[open.site][open.site],
            seen: open.seen,
            after: self.after(client, open),
            reads: reads.chain(all).collect(),
            writes: own.keys().copied().collect(),
        });
        let number = self.commits.len() as u64;
        self.made[open.site].push(number);
        self.known[client] = self.known[client].max(number);
        for (key, elements) in own {
            let versions = self.versions.entry(key).or_default();
            versions.extend(elements.into_iter().map(|element| (number, element)));
        }
    }

    /// How many commits come before a transaction by what its promise says of sessions and of real
    /// time.
    pub(super) fn after(&self, client: usize, open: &Open) -> u64 {
        match self.wide.promise.order {
            Order::None => 0,
            Order::Process => self.known[client],
            Order::Realtime => open.begun.max(self.known[client]),
        }
    }

    /// Adds the transactions of a defect, on two of the objects in use, which nobody else uses
    /// from then on.
    fn inject(&mut self, defect: &Defect) {
        let two = [self.keys[0].0, self.keys[1].0];
        let now = views::View::Until(self.commits.len() as u64);
        let before = two.map(|key| now.elements(self, key));
        let first = self.next.1;
        for line in defect.lines {
            let (head, body) = line.split_once(": ").unwrap_or(("", line));
            let step = |word: &str| {
                let place = usize::from(&word[1..2] == "y");
                let numbers = word[2..].split(',').filter(|number| !number.is_empty());
                let mut elements =
                    numbers.map(|number| first + number.parse::<i64>().expect("a number"));
                match word.starts_with('w') {
                    true => Step::Write(two[place], elements.next_back().expect("an element")),
                    false => {
                        let shown = before[place].iter().copied().chain(elements);
                        Step::Read(two[place], shown.collect())
                    }
                }
            };
            let late = if head == "late" { 4 } else { 0 };
            self.rows.push(Row {
                steps: body.split(' ').map(step).collect(),
                end: if head == "fail" { End::Fail } else { End::Ok },
                process: self.next.2,
                from: self.clock + late,
                to: self.clock + late + 2,
            });
            self.next.2 += 1;
        }
        self.commits.push(Commit {
            site: 0,
            place: 0,
            seen: [0; SITES],
            after: 0,
            reads: two.to_vec(),
            writes: two.to_vec(),
        });
        let number = self.commits.len() as u64;
        for (key, elements) in two.into_iter().zip(defect.stay) {
            let versions = self.versions.entry(key).or_default();
            versions.extend(elements.iter().map(|element| (number, first + element)));
        }
        self.next.1 += 10;
        self.clock += 8;
        for slot in &mut self.keys[..2] {
            *slot = (self.next.0, 0);
            self.next.0 += 1;
        }
    }
}
