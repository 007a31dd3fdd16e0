//! What is said of a database whose truth is known, held against that.

use checkers::Budget;
use checkers::txn::{
    Analysis, Base, Level, Order, Verdict, analyze_with, certify_with, refute, verify_with,
};

use super::defects::Defect;
use super::forms::{Form, Names, Recorded, recorded};
use super::wide::{Wide, run};

/// How much was right.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) histories: u32,
    pub(crate) holds: u32,
    pub(crate) fails: u32,
    pub(crate) unknown: u32,
    /// Of what was not decided, what holds.
    pub(crate) undecided: u32,
    pub(crate) certificates: u32,
    /// Answers without one, where they need not have one.
    pub(crate) unshown: u32,
}

/// A database of a level, which differs from seed to seed.
pub(crate) fn wide(promise: Level, seed: u64, transactions: usize) -> Wide {
    let (keys, scans) = (2 + seed % 5, (seed / 2).is_multiple_of(2));
    Wide {
        promise,
        transactions,
        seed,
        clients: 2 + (seed / 2 % 6) as usize,
        keys,
        // Of all objects that there were, those are read at once that are in use.
        writes: match scans {
            true => u64::MAX,
            false => [u64::MAX, 12, 3, 30][seed as usize / 3 % 4],
        },
        reads_first: seed % 2 == 1,
        scans,
        outcomes: seed % 4 < 3,
    }
}

/// Judges what a database did, in every form in which it can be recorded.
///
/// # Errors
/// What is wrong with answers.
pub(crate) fn check(wide: &Wide, names: Names, tally: &mut Tally) -> Result<(), String> {
    let ran = run(wide, None);
    let mut lists: Option<Analysis> = None;
    let mut wrong = Vec::new();
    for form in Form::ALL {
        if form == Form::Lists && wide.promise.base == Base::Causal {
            continue;
        }
        let of = recorded(&ran, form, names);
        match checked(&of, wide.promise, form, lists.as_ref(), tally) {
            Ok(told) if form == Form::Lists => lists = Some(told),
            Ok(_) => {}
            Err(why) => wrong.push(format!("{wide:?} {form:?} {names:?}: {why}")),
        }
        tally.histories += 1;
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

/// Judges a strict database that has a defect once: whether that is told by its name, of what
/// shows it.
///
/// # Errors
/// What is told instead.
pub(crate) fn defective(wide: &Wide, defect: &Defect, names: Names) -> Result<(), String> {
    let ran = run(wide, Some((defect, wide.transactions / 2)));
    for form in [Form::Lists, Form::Registers] {
        if !defect.is_seen(form.workload()) {
            continue;
        }
        let told = judged(&recorded(&ran, form, names))?;
        let inside = |id: &&u64| ran.wrong.contains(&(**id as usize));
        let named = told.anomalies.iter().any(|anomaly| {
            // A later read may be what shows it.
            let within = anomaly.ops.iter().filter(inside).count();
            anomaly.name == defect.name && within >= anomaly.ops.len().min(2)
        });
        if !named {
            let context = format!("{} {wide:?} {form:?} {names:?}", defect.name);
            return Err(format!("{context}: {:?}", told.counts));
        }
    }
    Ok(())
}

/// What a history does not tell of what was read, and is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hides {
    Nothing,
    /// Which changes a total counts.
    Amounts,
    /// Which version it was that a predicate did not match.
    Versions,
}

fn checked(
    of: &Recorded,
    promise: Level,
    form: Form,
    lists: Option<&Analysis>,
    tally: &mut Tally,
) -> Result<Analysis, String> {
    let told = judged(of)?;
    let hides = match form {
        Form::Predicates => Hides::Versions,
        Form::Counters | Form::Bank => Hides::Amounts,
        _ => Hides::Nothing,
    };
    right(&told, (&|level| promise.implies(level), hides), tally)?;
    certified(of, &told, (promise, hides), tally)?;
    // Registers tell less than lists.
    if let Some(lists) = lists.filter(|_| matches!(form, Form::Registers | Form::Predicates)) {
        let holds = |level: Level| *lists.verdict(level) == Verdict::Holds;
        let all = told.levels.iter();
        let mut fails = all.filter(|(_, verdict)| matches!(verdict, Verdict::Fails { .. }));
        if let Some((level, verdict)) = fails.find(|(level, _)| holds(*level)) {
            return Err(format!("{level}: {verdict:?}, but it holds of lists"));
        }
    }
    Ok(told)
}

/// What is said of a history.
///
/// # Errors
/// The field that it lacks.
pub(crate) fn judged(of: &Recorded) -> Result<Analysis, String> {
    analyze_with(&of.history, of.workload, &of.options, &Budget::default())
}

/// Every level is decided but where something is hidden, those that the database keeps hold, and
/// no anomaly is named that one which holds forbids.
pub(crate) fn right(
    told: &Analysis,
    (keeps, hides): (&dyn Fn(Level) -> bool, Hides),
    tally: &mut Tally,
) -> Result<(), String> {
    for (level, verdict) in &told.levels {
        match verdict {
            Verdict::Unknown { why } if hides == Hides::Nothing => {
                return Err(format!("{level} is not decided: {why}"));
            }
            Verdict::Unknown { .. } => {
                tally.unknown += 1;
                tally.undecided += u32::from(keeps(*level));
            }
            Verdict::Fails { anomaly } if keeps(*level) => {
                return Err(format!("{level} fails by {:?}", told.anomalies[*anomaly]));
            }
            Verdict::Fails { .. } => tally.fails += 1,
            Verdict::Holds => tally.holds += 1,
        }
    }
    for name in told.counts.keys() {
        let level = forbids(name);
        if *told.verdict(level) == Verdict::Holds {
            return Err(format!("{name}, but {level} holds"));
        }
    }
    Ok(())
}

/// What holds or fails the furthest, and what was promised, has a certificate that stands.
pub(crate) fn certified(
    of: &Recorded,
    told: &Analysis,
    (promise, hides): (Level, Hides),
    tally: &mut Tally,
) -> Result<(), String> {
    let (history, workload, options) = (&of.history, of.workload, &of.options);
    let mut levels = [&told.holds[..], &told.fails, &[promise]].concat();
    levels.sort_unstable();
    levels.dedup();
    for level in levels {
        let budget = Budget::default();
        let verdict = told.verdict(level);
        let given = match verdict {
            Verdict::Holds => certify_with(history, workload, level, options, &budget)?,
            _ => refute(history, workload, level, options, &budget)?,
        };
        if hides != Hides::Nothing && given.is_none() {
            tally.unshown += 1;
            continue;
        }
        let given = given.ok_or_else(|| format!("no certificate of {level}: {verdict:?}"))?;
        verify_with(history, workload, level, options, &given)
            .map_err(|why| format!("{given:?} of {level} does not stand: {why}"))?;
        tally.certificates += 1;
    }
    Ok(())
}

/// The weakest level that an anomaly is against.
pub(crate) fn forbids(name: &str) -> Level {
    let (kind, order) = match (
        name.strip_suffix("-process"),
        name.strip_suffix("-realtime"),
    ) {
        (Some(kind), _) => (kind, Order::Process),
        (_, Some(kind)) => (kind, Order::Realtime),
        _ => (name, Order::None),
    };
    let (base, order) = match kind {
        "G-SIa" => (Base::ReadCommitted, Order::Realtime),
        "G-SIb" => (Base::ForwardConsistentView, Order::Realtime),
        "garbage-read" | "duplicate-elements" | "G0" => (Base::ReadUncommitted, order),
        "lost-update" | "G-cursor" => (Base::CursorStability, order),
        "fractured-read" if order == Order::None => (Base::ReadAtomic, order),
        "fractured-read" => (Base::Causal, order),
        "internal" => (Base::ReadAtomic, order),
        "G-monotonic" => (Base::MonotonicView, order),
        "G-MSR" => (Base::MonotonicSnapshotRead, order),
        "G-single" => (Base::ConsistentView, order),
        "G-nonadjacent" | "long-fork" => (Base::SnapshotIsolation, order),
        "G-update" => (Base::UpdateSerializable, order),
        "G2-item" => (Base::RepeatableRead, order),
        "G2" | "write-skew" | "predicate-read-miss" => (Base::Serializable, order),
        _ => (Base::ReadCommitted, order),
    };
    Level { base, order }
}
