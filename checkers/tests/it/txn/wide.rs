//! Databases of every level in every form, whose truth is known by how they are made.

use checkers::txn::{Analysis, Base, Level, Order, Verdict};

use super::notation::{self, Tx};
use super::reference::Known;
use super::simulated::databases::forms::{Form, Names, recorded};
use super::simulated::databases::truth::{Hides, Tally, certified, check, defective, judged, wide};
use super::simulated::databases::wide::{End, Row, Step, Wide, promises, run};
use super::simulated::databases::{DEFECTS, Defect};

#[test]
fn databases_of_every_level_keep_what_they_promise() {
    let mut tally = Tally::default();
    for (seed, promise) in (0..).zip(promises()) {
        let names = Names::ALL[seed as usize % Names::ALL.len()];
        let right = check(&wide(promise, seed, 40), names, &mut tally);
        right.unwrap_or_else(|why| panic!("{why}"));
    }
    assert!(
        tally.histories > 150 && tally.holds > 2_000 && tally.fails > 1_000,
        "{tally:?}"
    );
    // Only what predicates did not match is not always found.
    assert!(
        tally.certificates > 500 && tally.undecided < tally.holds / 100,
        "{tally:?}"
    );
}

#[test]
fn what_things_are_called_is_nothing() {
    for (seed, promise) in (50..).zip(promises()) {
        let ran = run(&wide(promise, seed, 60), None);
        for form in [Form::Registers, Form::Sets, Form::Counters] {
            let told = Names::ALL.map(|names| verdicts(&judged(&recorded(&ran, form, names))));
            assert_eq!(told[0], told[1], "{promise} {form:?}");
            assert_eq!(told[0], told[2], "{promise} {form:?}");
        }
    }
}

/// By level, whether it holds.
fn verdicts(told: &Result<Analysis, String>) -> Vec<(Level, bool)> {
    let told = told.as_ref().expect("transactions");
    let levels = told.levels.iter();
    levels
        .map(|(level, verdict)| (*level, *verdict == Verdict::Holds))
        .collect()
}

/// The transactions of a defect alone, as the reference reads them: of two objects that begin with
/// nothing.
fn alone(rows: &[Row], form: Form) -> Vec<Tx> {
    let written = |row: &Row| {
        row.steps
            .iter()
            .filter_map(|step| match step {
                Step::Write(key, element) => Some((*key, *element)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let all: Vec<(i64, i64)> = rows.iter().flat_map(written).collect();
    let least = all.iter().map(|(key, _)| *key).min().expect("a write");
    let letter = |key: i64| if key == least { 'x' } else { 'y' };
    let element_of = |element: i64| {
        let place = all.iter().position(|(_, other)| *other == element);
        char::from(b'a' + u8::try_from(place.expect("a write")).expect("few"))
    };
    let step = |step: &Step| match (step, form) {
        (Step::Write(key, element), Form::Lists) => {
            vec![notation::Step::Append(letter(*key), *element)]
        }
        (Step::Write(_, element), Form::Sets) => {
            vec![notation::Step::Write(element_of(*element), *element)]
        }
        (Step::Write(key, element), _) => vec![notation::Step::Write(letter(*key), *element)],
        (Step::Read(key, shown), _) => {
            let of = |element: &&i64| all.contains(&(*key, **element));
            let own: Vec<i64> = shown.iter().filter(of).copied().collect();
            match form {
                Form::Lists => vec![notation::Step::List(letter(*key), own)],
                Form::Sets => {
                    let one = |(_, element): &(i64, i64)| {
                        let seen = own.contains(element).then_some(*element);
                        notation::Step::Read(element_of(*element), seen)
                    };
                    all.iter().filter(|(of, _)| of == key).map(one).collect()
                }
                _ => vec![notation::Step::Read(letter(*key), own.last().copied())],
            }
        }
        (Step::Scan(_), _) => Vec::new(),
    };
    let tx = |row: &Row| Tx {
        steps: row.steps.iter().flat_map(step).collect(),
        end: match row.end {
            End::Ok => notation::End::Ok,
            End::Fail => notation::End::Fail,
            End::Info => notation::End::Info,
        },
        process: row.process,
        from: row.from,
        to: row.to,
    };
    rows.iter().map(tx).collect()
}

/// A level holds of a database with a defect if the database keeps it and the defect by itself
/// satisfies it, by the reference; it fails if that does not.
fn exact(wide: &Wide, defect: &Defect, form: Form, tally: &mut Tally) {
    let ran = run(wide, Some((defect, wide.transactions / 2)));
    let context = || format!("{} {wide:?} {form:?}", defect.name);
    let txs = match defect.name {
        "garbage-read" => Vec::new(),
        _ => alone(&ran.rows[ran.wrong.clone()], form),
    };
    let known = (!txs.is_empty()).then(|| Known::of(&txs));
    let of = recorded(&ran, form, Names::ALL[wide.seed as usize % 3]);
    let told = judged(&of).unwrap_or_else(|why| panic!("{why}: {}", context()));
    for (level, verdict) in &told.levels {
        let allowed = known.as_ref().is_some_and(|known| known.satisfies(*level));
        let right = match verdict {
            Verdict::Holds => allowed,
            Verdict::Fails { .. } => !allowed || !wide.promise.implies(*level),
            Verdict::Unknown { .. } => false,
        };
        assert!(right, "{level}: {verdict:?}, but {allowed}, {}", context());
    }
    let strict = wide.promise == Level::STRICT_SERIALIZABLE && form == Form::Lists;
    let there = !strict || defective(wide, defect, Names::Numbers).is_ok();
    let named = there && told.counts.contains_key(defect.name);
    assert!(
        named || form == Form::Sets,
        "{:?} {}",
        told.counts,
        context()
    );
    certified(&of, &told, (wide.promise, Hides::Nothing), tally)
        .unwrap_or_else(|why| panic!("{why}: {}", context()));
    tally.histories += 1;
}

#[test]
fn each_level_forbids_just_the_defects_that_it_forbids() {
    let mut tally = Tally::default();
    let one_order = |level: &Level| {
        let apart = [
            Base::ReadUncommitted,
            Base::Causal,
            Base::ParallelSnapshotIsolation,
        ];
        !apart.contains(&level.base)
    };
    let promises: Vec<Level> = promises().into_iter().filter(one_order).collect();
    for (seed, defect) in (0..).zip(DEFECTS.iter().cycle()).take(DEFECTS.len() * 6) {
        let strict = seed as usize / DEFECTS.len() < 2;
        let promise = match strict {
            true => Level {
                base: Base::Serializable,
                order: Order::Realtime,
            },
            false => promises[seed as usize * 5 % promises.len()],
        };
        for form in [Form::Lists, Form::Registers, Form::Sets] {
            if defect.is_seen(form.workload()) || form == Form::Sets && !defect.lists {
                exact(&wide(promise, seed, 40), defect, form, &mut tally);
            }
        }
    }
    assert!(
        tally.histories > 150 && tally.certificates > 300,
        "{tally:?}"
    );
}
