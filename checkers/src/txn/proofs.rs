//! Proofs that are looked for: that a level holds, that it fails.

mod fewest;

use super::analysis::{Verdict, Workload, analyze_levels, facts_of};
use super::certificate::{Case, Certificate, Precedence, Selection, refutation, verify_with};
use super::decide::{Cycle, kinds_of};
use super::edges;
use super::facts::Facts;
use super::graph::{DEPENDS, Graph, MISSES, WW};
use super::hidden::{Chosen, Hidden, Place};
use super::judged::{GUESSES, Judged};
use super::levels::{Base, Level, Order};
use super::options::Options;
use super::paths::Steps;
use super::polygraph::{self, Polygraph, Shape, Solved};
use super::saturate::{self, Pair, Saturated, Saturation};
use super::search::{self, Found, Ordered, Refuted, Search};
use super::sets;
use super::told::links;
use super::totals;
use super::transactions::{NONE, Transactions};
use crate::history::History;
use crate::report::Budget;
use crate::value::Value;

/// A proof that a level holds, for [`super::verify`]: an order of transactions if the history is
/// serializable with what else orders the level, else one of starts and commits if it satisfies
/// snapshot isolation, else an order of versions with which the level's axioms hold; with what
/// totals counted, or what reads that show nothing of an object saw, where that is not told. None
/// when the level does not hold or the budget does not suffice.
///
/// # Errors
/// The field that the history lacks.
pub fn certify(
    history: &History,
    workload: Workload,
    level: Level,
    budget: &Budget,
) -> Result<Option<Certificate>, String> {
    certify_with(history, workload, level, &Options::default(), budget)
}

/// As [`certify`], of objects that begin with a value, for [`super::verify_with`].
///
/// # Errors
/// The field that the history lacks.
pub fn certify_with(
    history: &History,
    workload: Workload,
    level: Level,
    options: &Options,
    budget: &Budget,
) -> Result<Option<Certificate>, String> {
    if workload == Workload::Counters {
        return totals::certify(history, level, &options.initial, budget);
    }
    let (registers, of) = sets::as_registers(history, workload)?;
    let all = Transactions::of(&registers)?;
    let facts = facts_of(&all, of, options, &Chosen::new())?;
    let proof = |facts: &Facts<'_>| {
        let stands =
            |proof: &Certificate| verify_with(history, workload, level, options, proof).is_ok();
        Proofs {
            all: &all,
            facts,
            level,
            stands: &stands,
        }
        .find(budget)
    };
    if facts.open.is_empty() {
        return Ok(proof(&facts));
    }
    let hidden = Hidden::of(&all, &facts, (of, options), budget);
    let likely = hidden.likely().into_iter();
    let mut choices: Vec<Chosen> = likely.chain(hidden.ways().into_iter().flatten()).collect();
    // What was found for another level may be what satisfies this one.
    let others = Level::all().filter(|of| of.implies(level) || level.implies(*of));
    let mut others = std::iter::once(level).chain(others);
    let mut next = 0;
    loop {
        while next == choices.len() {
            let Some(of) = others.next() else {
                break;
            };
            let found = hidden.repaired(of)?;
            choices.extend(found.filter(|found| !choices.contains(found)));
        }
        let Some(chosen) = choices.get(next) else {
            break;
        };
        next += 1;
        let facts = hidden.facts(chosen)?;
        let judged = Judged::of(&all, &facts, &[level], budget);
        if judged.holds(level)
            && let Some(proof) = proof(&facts)
        {
            return Ok(Some(proof));
        }
    }
    if level.base == Base::UpdateSerializable {
        for chosen in hidden.ways().iter().flatten() {
            if let Some(proof) = proof(&hidden.changes(chosen)?) {
                return Ok(Some(proof));
            }
        }
    }
    Ok(None)
}

/// A proof that a level fails, for [`super::verify_with`]: what shows that it fails, if that rests
/// on nothing but what the history says, else a cycle for each order of versions, else a proof for
/// each way in which totals can have counted. None when the level holds or is not decided, or the
/// budget does not suffice.
///
/// # Errors
/// The field that the history lacks.
pub fn refute(
    history: &History,
    workload: Workload,
    level: Level,
    options: &Options,
    budget: &Budget,
) -> Result<Option<Certificate>, String> {
    if workload == Workload::Counters {
        return totals::refute(history, level, &options.initial, budget);
    }
    let told = analyze_levels(history, workload, options, &[level], budget)?;
    if !matches!(told.verdict(level), Verdict::Fails { .. }) {
        return Ok(None);
    }
    if let Some(proof) = refutation(&told, level) {
        return Ok(Some(proof));
    }
    let (registers, of) = sets::as_registers(history, workload)?;
    let all = Transactions::of(&registers)?;
    let facts = facts_of(&all, of, options, &Chosen::new())?;
    // What a weaker level forbids is the sooner found.
    let mut below = told.fails.iter().copied();
    let weakest = below.find(|below| level.implies(*below)).unwrap_or(level);
    let stands =
        |proof: &Certificate| verify_with(history, workload, level, options, proof).is_ok();
    if !facts.open.is_empty() {
        let hidden = Hidden::of(&all, &facts, (of, options), budget);
        return Ok(each(&all, &hidden, weakest, budget)?.filter(stands));
    }
    if let Some(few) = fewest::fewest((&registers, of), &all, weakest, (options, budget)) {
        let all = Transactions::of(&few)?;
        let facts = facts_of(&all, of, options, &Chosen::new())?;
        if let Some(proof) = cases(&all, &facts, weakest, budget).filter(stands) {
            return Ok(Some(proof));
        }
    }
    Ok(cases(&all, &facts, weakest, budget).filter(stands))
}

/// A proof for each way in which reads can have seen what they do not show.
fn each(
    all: &Transactions<'_>,
    hidden: &Hidden<'_, '_>,
    level: Level,
    budget: &Budget,
) -> Result<Option<Certificate>, String> {
    let mut each = Vec::new();
    let Some(ways) = hidden.ways() else {
        return Ok(None);
    };
    for chosen in &ways {
        let facts = hidden.facts(chosen)?;
        let told = Judged::of(all, &facts, &[level], budget).told(all, &facts);
        let proof = match level.base {
            // What a read by a predicate misses matches it.
            Base::UpdateSerializable if !facts.plain.breaks(level) => {
                cases(all, &hidden.changes(chosen)?, level, budget)
            }
            _ => refutation(&told, level).or_else(|| cases(all, &facts, level, budget)),
        };
        let Some(proof) = proof else {
            return Ok(None);
        };
        let selection = |((txn, step, key), by): (&Place, &u32)| Selection {
            op: all.op(*txn).op_id,
            step: *step,
            key: all.keys[*key as usize].clone(),
            by: (*by != NONE).then(|| all.op(*by).op_id),
        };
        each.push(Certificate::Chosen {
            selected: chosen.iter().map(selection).collect(),
            proof: Box::new(proof),
        });
    }
    Ok(Some(Certificate::Each(each)))
}

/// A cycle that a level forbids for each order of versions, if every order has one.
fn cases(
    all: &Transactions<'_>,
    facts: &Facts<'_>,
    level: Level,
    budget: &Budget,
) -> Option<Certificate> {
    let graph = edges::graph(all, facts);
    let mut search = Search::new(all, facts, &graph, budget.steps_max);
    for kinds in [DEPENDS | kinds_of(level.order), DEPENDS, WW] {
        if search.rank(&graph, kinds) {
            break;
        }
    }
    let (Found::Fails(Refuted { cases, excluded }), _) = search.level(level) else {
        return None;
    };
    let precedence = |(first, second): &Pair| {
        let op = |version: u32| all.op(facts.writer[version as usize]).op_id;
        Precedence {
            key: all.keys[facts.key[*first as usize] as usize].clone(),
            first: op(*first),
            second: op(*second),
        }
    };
    let supposed = |pairs: &Vec<Pair>| pairs.iter().map(precedence).collect();
    let case = |(pairs, cycle): &(Vec<Pair>, Cycle)| Case {
        supposed: supposed(pairs),
        cycle: links(all, facts, cycle),
    };
    Some(Certificate::Cases {
        cases: cases.iter().map(case).collect(),
        excluded: excluded.iter().map(supposed).collect(),
    })
}

/// The search for a proof with what is certain.
struct Proofs<'p, 'h> {
    all: &'p Transactions<'h>,
    facts: &'p Facts<'h>,
    level: Level,
    stands: &'p dyn Fn(&Certificate) -> bool,
}

impl Proofs<'_, '_> {
    fn find(&self, budget: &Budget) -> Option<Certificate> {
        let (all, facts, level) = (self.all, self.facts, self.level);
        let of = |base: Base| Level { base, ..level };
        if facts.plain.breaks(level) || facts.untold > 0 {
            return None;
        }
        let graph = edges::graph(all, facts);
        let mut search = Search::new(all, facts, &graph, budget.steps_max);
        search.dirty = level.base == Base::ReadUncommitted;
        let order = kinds_of(level.order);
        let mut bases = vec![Base::Serializable, Base::SnapshotIsolation, level.base];
        bases.retain(|base| of(*base).implies(level));
        bases.dedup();
        for (base, shape) in polygraph::SHAPES {
            if !bases.contains(&base) || shape == Shape::Updates {
                continue;
            }
            let made = Polygraph::new((all, facts), &graph, (shape, order), budget.steps_max);
            match made.map_or(Solved::Unknown, |mut made| made.solve()) {
                Solved::Order(rank) => search.order_by(rank),
                Solved::Never => {
                    bases.retain(|other| *other != base);
                    continue;
                }
                Solved::Unknown => continue,
            }
            let ordered = search.ordered(&[]);
            if let Some(proof) = ordered.and_then(|ordered| self.proof(&ordered, base)) {
                return Some(proof);
            }
        }
        if let Some(proof) = self.likely(&graph, &mut search, budget.steps_max) {
            return Some(proof);
        }
        search.fixed = Vec::new();
        for guess in [DEPENDS | MISSES | order, DEPENDS | order, DEPENDS, WW] {
            if search.rank(&graph, guess) {
                break;
            }
        }
        for base in bases {
            if let (Found::Holds, Some(ordered)) = search.level(of(base))
                && let Some(proof) = self.proof(&ordered, base)
            {
                return Some(proof);
            }
        }
        self.guessed(&graph, budget.steps_max)
    }

    /// A graph with the pairs of versions that every causal order has, if there is one.
    fn causal(&self, graph: &Graph, steps: u64) -> (Graph, Vec<Pair>) {
        let saturation = Saturation::new(self.all, self.facts, graph);
        let causal = saturation.decide(Base::Causal, Order::None, &mut Steps(steps));
        let pairs = match causal {
            Saturated::Holds(pairs) => pairs,
            Saturated::Fails | Saturated::Unknown => Vec::new(),
        };
        (saturate::with(graph, self.facts, &pairs), pairs)
    }

    /// A proof by a search that begins with each of the likely orders of versions.
    fn guessed(&self, graph: &Graph, steps: u64) -> Option<Certificate> {
        let (with, _) = self.causal(graph, steps);
        for graph in [&with, graph] {
            for kinds in GUESSES {
                let mut search = Search::new(self.all, self.facts, graph, steps);
                search.dirty = self.level.base == Base::ReadUncommitted;
                if search.rank(graph, kinds)
                    && let (Found::Holds, Some(ordered)) = search.level(self.level)
                    && let Some(proof) = self.proof(&ordered, self.level.base)
                {
                    return Some(proof);
                }
            }
        }
        None
    }

    /// A proof by an order of versions in which another level holds, or by a likely one: the level
    /// may hold in it.
    fn likely(
        &self,
        graph: &Graph,
        search: &mut Search<'_, '_>,
        steps: u64,
    ) -> Option<Certificate> {
        let (all, facts, base) = (self.all, self.facts, self.level.base);
        if matches!(base, Base::Serializable | Base::SnapshotIsolation) {
            return None;
        }
        let shown = |search: &mut Search<'_, '_>| {
            let ordered = search.ordered(&[]);
            ordered.and_then(|ordered| self.proof(&ordered, base))
        };
        let (with, fixed) = self.causal(graph, steps);
        for (graph, fixed) in [(&with, fixed), (graph, Vec::new())] {
            search.fixed = fixed;
            for kinds in GUESSES {
                if search.rank(graph, kinds)
                    && let Some(proof) = shown(search)
                {
                    return Some(proof);
                }
            }
        }
        for order in Order::ALL.into_iter().rev() {
            for (_, shape) in polygraph::SHAPES {
                let kinds = (shape, kinds_of(order));
                let made = Polygraph::new((all, facts), graph, kinds, steps / 4);
                if let Some(Solved::Order(rank)) = made.map(|mut made| made.solve()) {
                    search.order_by(rank);
                    if let Some(proof) = shown(search) {
                        return Some(proof);
                    }
                }
            }
        }
        None
    }

    fn proof(&self, ordered: &Ordered<'_>, base: Base) -> Option<Certificate> {
        let of = Level { base, ..self.level };
        let proof = match search::proof(self.all, &ordered.facts, of)? {
            Certificate::Order(order) => match self.selected() {
                selected if selected.is_empty() => Certificate::Order(order),
                selected => Certificate::Selected { order, selected },
            },
            other => other,
        };
        (self.stands)(&proof).then_some(proof)
    }

    /// What reads saw that show nothing of an object.
    fn selected(&self) -> Vec<Selection> {
        let (all, facts) = (self.all, self.facts);
        let dead = (0..facts.key.len() as u32).filter(|version| facts.is_dead(*version));
        let mut dead: Vec<u32> = dead.map(|version| facts.key[version as usize]).collect();
        dead.dedup();
        let nothing = facts.reads.all().iter().filter(|read| {
            let step = &all.steps(read.txn)[read.step as usize];
            let key = facts.key[read.version as usize];
            *step.value == Value::Null && dead.binary_search(&key).is_ok()
        });
        let seen = nothing.chain(facts.selected.all());
        let told = seen.map(|read| {
            let writer = facts.writer[read.version as usize];
            Selection {
                op: all.op(read.txn).op_id,
                step: read.step,
                key: all.keys[facts.key[read.version as usize] as usize].clone(),
                by: (writer != NONE).then(|| all.op(writer).op_id),
            }
        });
        told.collect()
    }
}
