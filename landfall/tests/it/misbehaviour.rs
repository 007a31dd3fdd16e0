//! Whatever a guest does to its process is its seed's result, and the sweep goes on.

use std::time::Duration;

use landfall::judge::Verdict;
use landfall::render;
use landfall::report::SeedOutcome;
use landfall::runtime::{spawn, time, with};

use crate::sweeps::{outcomes, pool, sweep_all};
use crate::toy::{Quirk, Toy};

mod client_panics {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/one_fault.md",
        system = Toy(Quirk::ClientPanics),
        test = false
    );
}

mod client_hangs {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/one_fault.md",
        system = Toy(Quirk::ClientHangs),
        test = false
    );
}

mod task_panics {
    use super::{Quirk, Toy};
    landfall::plan!(
        "tests/it/plans/one_fault.md",
        system = Toy(Quirk::TaskPanics),
        test = false
    );
}

/// Of real time; plenty for seeds that end.
const LIMIT: Duration = Duration::from_secs(5);

#[expect(clippy::disallowed_methods, reason = "what guests may do")]
#[landfall::test(test = false)]
async fn each_seed_in_its_own_way() -> Result<(), String> {
    match with(|world| world.seed()).0 {
        1 => {
            drop(spawn(async { panic!("nobody joins this") }));
            time::sleep(Duration::from_secs(1)).await;
        }
        2 => std::process::abort(),
        3 => loop {
            std::hint::spin_loop();
        },
        4 => std::future::pending().await,
        5 => std::process::exit(0),
        6 => std::process::exit(9),
        7 => return Err("an error of its own".to_owned()),
        8 => panic!("a panic of its own"),
        9 => loop {
            time::sleep(Duration::from_secs(3_600)).await;
        },
        10 => {
            drop(spawn(async { panic!("one of two") }));
            time::sleep(Duration::from_secs(1)).await;
            return Err("two of two".to_owned());
        }
        _ => {}
    }
    Ok(())
}

#[test]
fn each_is_the_result_of_its_seed() {
    let mut pool = pool(2);
    pool.wall_limit = LIMIT;
    let name = "misbehaviour::each_seed_in_its_own_way";
    let all = outcomes(&mut pool, name, 12);
    assert_eq!(all.len(), 12);
    let told = |seed: usize| match &all[seed] {
        SeedOutcome::Ran(report) => report.failures().join("; "),
        SeedOutcome::Crashed { how, .. } => format!("crashed: {how}"),
    };
    for (seed, expected) in [
        (1, "nobody joins this"),
        (2, "crashed: killed by signal 6"),
        (3, "crashed: made no end in 5s of real time"),
        (4, "deadlock: nothing can run and no timer is armed"),
        (5, "crashed: exited with code 0"),
        (6, "crashed: exited with code 9"),
        (7, "an error of its own"),
        (8, "a panic of its own"),
        (9, "the budget of virtual time is used up"),
        (10, "one of two"),
        (10, "two of two"),
    ] {
        assert!(all[seed].failed(), "seed {seed}");
        assert!(told(seed).contains(expected), "seed {seed}: {}", told(seed));
    }
    assert!(told(4).contains("blocked: harness: main"), "{}", told(4));
    assert_eq!(
        told(8).matches("a panic of its own").count(),
        1,
        "{}",
        told(8)
    );
    for seed in [0, 11] {
        assert!(!all[seed].failed(), "{}", told(seed));
    }
}

#[test]
fn a_sweep_counts_them_all() {
    let mut pool = pool(2);
    pool.wall_limit = LIMIT;
    let result = sweep_all(&mut pool, "misbehaviour::each_seed_in_its_own_way", 12);
    assert_eq!((result.tally.seeds, result.tally.failed), (12, 10));
    assert_eq!(
        result.tally.signatures.len(),
        10,
        "{:?}",
        result.tally.signatures
    );
    let judgement = &result.judgement;
    assert_eq!(
        judgement.verdict,
        Verdict::FailReproducible,
        "{judgement:?}"
    );
    assert!(
        judgement
            .reason
            .starts_with("10 of 12 seeds failed, first seed 1")
    );
    let kept: Vec<_> = result
        .tally
        .failures
        .iter()
        .map(SeedOutcome::seed)
        .collect();
    assert_eq!(kept, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_panic_that_no_scenario_joins_fails_it() {
    let result = sweep_all(&mut pool(1), "misbehaviour::task_panics::s1_short", 3);
    assert_eq!(result.judgement.verdict, Verdict::FailReproducible);
    let text = render::failure(&result, &|seed| format!("seed {seed}"));
    assert!(text.contains("panic nobody joined"), "{text}");
    assert!(
        text.contains("nobody hears this") && text.contains("toy.rs"),
        "{text}"
    );
}

#[test]
fn clients_that_panic_or_are_never_made_end_the_run() {
    let panics = sweep_all(&mut pool(1), "misbehaviour::client_panics::s1_short", 3);
    assert_eq!(panics.judgement.verdict, Verdict::FailReproducible);
    let text = render::failure(&panics, &|seed| format!("seed {seed}"));
    assert!(text.contains("the client gives up"), "{text}");
    let report = panics.tally.failures[0]
        .report()
        .expect("it ran to its end");
    assert!(report.virtual_ns < 60_000_000_000, "{}", report.virtual_ns);

    let hangs = outcomes(&mut pool(1), "misbehaviour::client_hangs::s1_short", 1);
    let failures = hangs[0].report().expect("it ran to its end").failures();
    assert_eq!(
        failures,
        ["panicked: 3 clients made no end in 150s after the workload's"]
    );
}
