//! The search for one way of every choice with which no edges make a circle: a choice is made as
//! the order of the nodes has it, what a circle teaches is kept as a clause, and the search goes
//! back to where that decides something. Source: Marques-Silva and Sakallah, *GRASP*, and Bayless
//! et al., *SAT Modulo Monotonic Theories*, for graphs.

use super::super::transactions::NONE;
use super::topology::Topology;

/// A way of a choice: twice its number, and one more for the second way.
type Literal = u32;

/// Gives the edges of a literal, and how many of them may be in one circle with others; the rest
/// must close none of those.
type Ways<'w> = &'w dyn Fn(Literal, &mut Vec<(u32, u32)>) -> usize;

/// Choices in a row of which the first ways add up to something.
#[derive(Clone)]
pub(in crate::txn) struct Sum {
    first: usize,
    amounts: Vec<i128>,
    /// What is left to be come to, and what those can come to that are open.
    left: i128,
    low: i128,
    high: i128,
}

impl Sum {
    pub(in crate::txn) fn new(first: usize, amounts: Vec<i128>, wanted: i128) -> Self {
        Self {
            first,
            left: wanted,
            low: amounts.iter().filter(|amount| **amount < 0).sum(),
            high: amounts.iter().filter(|amount| **amount > 0).sum(),
            amounts,
        }
    }

    /// Counts a literal, or takes it back.
    fn count(&mut self, literal: Literal, sign: i128) {
        let amount = sign * self.amounts[literal as usize / 2 - self.first];
        match (amount * sign).cmp(&0) {
            std::cmp::Ordering::Less => self.low -= amount,
            _ => self.high -= amount,
        }
        if literal.is_multiple_of(2) {
            self.left -= amount;
        }
    }
}

pub(in crate::txn) struct Solver<'w> {
    pub(super) topology: Topology,
    ways: Ways<'w>,
    /// Whether there are edges that must close no circle with the others; and such as come of no
    /// choice.
    alone: bool,
    misses: &'w [(u32, u32)],
    /// By choice, the literal that was taken, or none.
    taken: Vec<Literal>,
    /// By choice, how many had been decided when it was taken, and the clause that took it.
    level: Vec<u32>,
    reason: Vec<u32>,
    /// What was taken, in order; of those whose edges were added, how many edges there were.
    trail: Vec<Literal>,
    marks: Vec<usize>,
    /// Where each decision stands in the trail.
    decisions: Vec<usize>,
    clauses: Vec<Vec<Literal>>,
    /// By literal, the clauses of which it is one of the first two.
    watches: Vec<Vec<u32>>,
    seen: Vec<bool>,
    /// No choice before it is open.
    next: usize,
    edges: Vec<(u32, u32)>,
    /// What choices have to add up to, and by choice which of these it is in.
    sums: Vec<Sum>,
    sum_of: Vec<u32>,
    /// The clauses that circles taught, if they are kept for proofs.
    learned: Option<Vec<Vec<Literal>>>,
    steps: u64,
}

impl<'w> Solver<'w> {
    /// `alone` is whether there are edges that must close no circle with the others; `misses` are
    /// such as come of no choice.
    pub(in crate::txn) fn new(
        topology: Topology,
        choices: usize,
        ways: Ways<'w>,
        (alone, misses): (bool, &'w [(u32, u32)]),
        steps: u64,
    ) -> Self {
        Self {
            topology,
            ways,
            alone,
            misses,
            taken: vec![NONE; choices],
            level: vec![0; choices],
            reason: vec![NONE; choices],
            trail: Vec::new(),
            marks: Vec::new(),
            decisions: Vec::new(),
            clauses: Vec::new(),
            watches: vec![Vec::new(); 2 * choices],
            seen: vec![false; choices],
            next: 0,
            edges: Vec::new(),
            sums: Vec::new(),
            sum_of: vec![NONE; choices],
            learned: None,
            steps,
        }
    }

    /// Choices have to add up to something.
    pub(in crate::txn) fn add_up(&mut self, sums: Vec<Sum>) {
        for (number, sum) in (0..).zip(&sums) {
            self.sum_of[sum.first..sum.first + sum.amounts.len()].fill(number);
        }
        self.sums = sums;
    }

    /// Before the search: what it learns is to be kept.
    pub(in crate::txn) fn keeps_learned(&mut self) {
        self.learned = Some(Vec::new());
    }

    /// After the search: what it learned, one of the literals of each clause being true.
    pub(in crate::txn) fn learned(&self) -> &[Vec<Literal>] {
        self.learned.as_deref().unwrap_or(&[])
    }

    /// After the search: what it cost.
    pub(in crate::txn) fn spent(&self) -> u64 {
        self.topology.spent
    }

    /// Before the search: some literals can not be together. False when nothing is left.
    pub(in crate::txn) fn forbid(&mut self, literals: &[Literal]) -> bool {
        let clause: Vec<Literal> = literals.iter().map(|literal| literal ^ 1).collect();
        match clause[..] {
            [] => return false,
            [one] if self.is_false(one) => return false,
            [one] => self.fix(one),
            [first, second, ..] => {
                let number = self.clauses.len() as u32;
                self.watches[first as usize].push(number);
                self.watches[second as usize].push(number);
                self.clauses.push(clause);
            }
        }
        true
    }

    /// Before the search: a literal is known.
    pub(in crate::txn) fn fix(&mut self, literal: Literal) {
        if self.taken[literal as usize / 2] == NONE {
            self.take(literal, NONE);
        }
    }

    /// After the search: whether the first way of a choice was taken.
    pub(in crate::txn) fn first_way(&self, choice: usize) -> bool {
        self.taken[choice].is_multiple_of(2)
    }

    /// Whether every choice has a way; none when the steps do not suffice. `ends` gives the nodes
    /// of a choice of which the first way puts the first first.
    pub(in crate::txn) fn solve(&mut self, ends: impl Fn(usize) -> (u32, u32)) -> Option<bool> {
        loop {
            let mut circle = self.propagate();
            while self.taken.get(self.next).is_some_and(|t| *t != NONE) {
                self.next += 1;
            }
            if circle.is_none() && self.next == self.taken.len() {
                circle = self.missed();
                if circle.is_none() {
                    return Some(true);
                }
            }
            if let Some(circle) = circle {
                let level = |literal: &Literal| self.level[*literal as usize / 2] as usize;
                let level = circle.iter().map(level).max().unwrap_or(0);
                if level == 0 {
                    return Some(false);
                }
                self.back(level);
                self.learn(circle);
                continue;
            }
            if self.topology.spent > self.steps {
                return None;
            }
            let (first, second) = ends(self.next);
            let second = self.topology.place(first) > self.topology.place(second);
            self.decisions.push(self.trail.len());
            self.take(2 * self.next as u32 + u32::from(second), NONE);
        }
    }

    fn take(&mut self, literal: Literal, reason: u32) {
        let choice = literal as usize / 2;
        self.taken[choice] = literal;
        self.level[choice] = self.decisions.len() as u32;
        self.reason[choice] = reason;
        self.trail.push(literal);
    }

    fn is_false(&self, literal: Literal) -> bool {
        self.taken[literal as usize / 2] == literal ^ 1
    }

    /// Adds the edges of what was taken, and takes what follows; what can not be together, if
    /// anything.
    fn propagate(&mut self) -> Option<Vec<Literal>> {
        while let Some(literal) = self.trail.get(self.marks.len()).copied() {
            self.marks.push(self.topology.added());
            self.topology.spent += 1;
            if let Some(wrong) = self.count(literal) {
                return Some(wrong);
            }
            self.edges.clear();
            let edges_max = (self.ways)(literal, &mut self.edges);
            for (at, (from, to)) in self.edges.iter().enumerate() {
                let circle = match at < edges_max {
                    true => self.topology.insert(*from, *to, literal).err(),
                    false => self.topology.closes(*from, *to, literal),
                };
                if circle.is_some() {
                    return circle;
                }
            }
            if let Some(clause) = self.follow(literal ^ 1) {
                let literals = self.clauses[clause as usize].iter();
                return Some(literals.map(|literal| literal ^ 1).collect());
            }
        }
        None
    }

    /// Counts a literal; what can not be together, if what is left can not be come to.
    fn count(&mut self, literal: Literal) -> Option<Vec<Literal>> {
        let sum = self.sum_of[literal as usize / 2];
        let sum = self.sums.get_mut(sum as usize)?;
        sum.count(literal, 1);
        if (sum.low..=sum.high).contains(&sum.left) {
            return None;
        }
        self.topology.spent += sum.amounts.len() as u64;
        let taken = self.taken[sum.first..].iter().zip(&sum.amounts);
        let taken = taken.filter(|(literal, amount)| **literal != NONE && **amount != 0);
        Some(taken.map(|(literal, _)| *literal).collect())
    }

    /// With all choices made: a circle of edges and one that must close none, if there is one.
    fn missed(&mut self) -> Option<Vec<Literal>> {
        for (from, to) in self.misses {
            if let Some(circle) = self.topology.closes(*from, *to, NONE) {
                return Some(circle);
            }
        }
        if !self.alone {
            return None;
        }
        for choice in 0..self.taken.len() {
            let literal = self.taken[choice];
            self.edges.clear();
            let edges_max = (self.ways)(literal, &mut self.edges);
            for (from, to) in self.edges.iter().skip(edges_max) {
                if let Some(circle) = self.topology.closes(*from, *to, literal) {
                    return Some(circle);
                }
            }
        }
        None
    }

    /// Takes what clauses leave when a literal is false; a clause that leaves nothing, if any.
    fn follow(&mut self, literal: Literal) -> Option<u32> {
        let watching = std::mem::take(&mut self.watches[literal as usize]);
        let mut kept = Vec::with_capacity(watching.len());
        let mut broken = None;
        for clause in watching {
            self.topology.spent += 1;
            if broken.is_some() {
                kept.push(clause);
                continue;
            }
            let mut literals = std::mem::take(&mut self.clauses[clause as usize]);
            if literals[0] == literal {
                literals.swap(0, 1);
            }
            let first = literals[0];
            let free = (2..literals.len()).find(|at| !self.is_false(literals[*at]));
            match free {
                Some(at) if self.taken[first as usize / 2] != first => {
                    literals.swap(1, at);
                    self.watches[literals[1] as usize].push(clause);
                }
                _ => kept.push(clause),
            }
            let unit = free.is_none();
            self.clauses[clause as usize] = literals;
            if unit && self.is_false(first) {
                broken = Some(clause);
            } else if unit && self.taken[first as usize / 2] == NONE {
                self.take(first, clause);
            }
        }
        self.watches[literal as usize].extend(kept);
        broken
    }

    /// Makes a clause of literals that can not be together, goes back, and takes what it says.
    fn learn(&mut self, conflict: Vec<Literal>) {
        let now = self.decisions.len() as u32;
        let (mut clause, mut here) = (vec![0], 0);
        let (mut rest, mut at) = (conflict, self.trail.len());
        let last = loop {
            for literal in rest {
                let choice = literal as usize / 2;
                if self.level[choice] == 0 || std::mem::replace(&mut self.seen[choice], true) {
                    continue;
                }
                match self.level[choice] == now {
                    true => here += 1,
                    false => clause.push(literal ^ 1),
                }
            }
            // The last that was taken of those at this level.
            let literal = loop {
                at -= 1;
                if self.seen[self.trail[at] as usize / 2] {
                    break self.trail[at];
                }
            };
            self.seen[literal as usize / 2] = false;
            here -= 1;
            if here == 0 {
                break literal;
            }
            let reason = self.reason[literal as usize / 2];
            let others = self.clauses[reason as usize].iter();
            rest = others
                .filter(|other| **other != literal)
                .map(|other| other ^ 1)
                .collect();
        };
        clause[0] = last ^ 1;
        for literal in &clause[1..] {
            self.seen[*literal as usize / 2] = false;
        }
        let level_of = |literal: &Literal| self.level[*literal as usize / 2];
        let deepest = (1..clause.len()).max_by_key(|at| level_of(&clause[*at]));
        let level = deepest.map_or(0, |at| level_of(&clause[at]));
        self.back(level as usize);
        let mut reason = NONE;
        if let Some(deepest) = deepest {
            clause.swap(1, deepest);
            reason = self.clauses.len() as u32;
            self.watches[clause[0] as usize].push(reason);
            self.watches[clause[1] as usize].push(reason);
        }
        let literal = clause[0];
        if let Some(learned) = &mut self.learned {
            learned.push(clause.clone());
        }
        if reason != NONE {
            self.clauses.push(clause);
        }
        self.take(literal, reason);
    }

    /// Takes back all but so many decisions.
    fn back(&mut self, level: usize) {
        let Some(keep) = self.decisions.get(level).copied() else {
            return;
        };
        self.decisions.truncate(level);
        for (at, literal) in self.trail.drain(keep..).enumerate() {
            let choice = literal as usize / 2;
            self.taken[choice] = NONE;
            self.next = self.next.min(choice);
            let counted = keep + at < self.marks.len();
            if let Some(sum) = self
                .sums
                .get_mut(self.sum_of[choice] as usize)
                .filter(|_| counted)
            {
                sum.count(literal, -1);
            }
        }
        if let Some(edges) = self.marks.get(keep) {
            self.topology.shrink(*edges);
        }
        self.marks.truncate(keep);
    }
}
