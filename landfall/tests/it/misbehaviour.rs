//! Whatever a guest does to its process is its seed's result, and the sweep goes on.

use std::time::Duration;

use landfall::coordinate::Pool;
use landfall::judge::Verdict;
use landfall::render;
use landfall::report::SeedOutcome;
use landfall::runtime::process::Limits;
use landfall::runtime::{interpose, spawn, time, with};

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

/// Of real time; plenty for seeds that end, or say where they are.
const LIMITS: Limits = Limits {
    wall: Duration::from_secs(10),
    stall: Duration::from_secs(3),
    memory_mib: 512,
};

/// Fills its stack; the depth never comes.
fn dig(depth: u64) -> u64 {
    if std::hint::black_box(depth) == u64::MAX {
        return 0;
    }
    dig(depth + 1) + std::hint::black_box(1)
}

fn seed() -> u64 {
    with(|world| world.seed()).0
}

#[expect(clippy::disallowed_methods, reason = "what guests may do")]
#[landfall::test(test = false)]
async fn each_seed_in_its_own_way() -> Result<(), String> {
    drop(spawn(std::future::pending::<()>()));
    match seed() {
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
        11 => {
            // A task that blocks its thread for good, and one that goes on: no poll ends.
            drop(spawn(async {
                loop {
                    time::sleep(Duration::from_secs(3_600)).await;
                }
            }));
            std::thread::park();
        }
        _ => {}
    }
    Ok(())
}

/// What `std` has no safe function for is done by programs.
fn kill_me(signal: &str) {
    interpose::outside(|| {
        let me = std::fs::read_link("/proc/self").expect("it is there");
        let status = std::process::Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", me.display())])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "sh kills");
        // Any thread may have got it.
        loop {
            std::thread::park();
        }
    });
}

/// What takes the process along, each in a task of node 0 that is spawned in this file.
#[landfall::test(test = false)]
async fn each_seed_dies_its_own_death() {
    drop(spawn(std::future::pending::<()>()));
    time::sleep(Duration::from_millis(1_500)).await;
    let death = spawn(async {
        match seed() {
            0 => std::process::abort(),
            1 => assert_ne!(dig(0), 7),
            2 => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![0_u8; 64 << 20]);
                }
            }
            3 => loop {
                std::hint::spin_loop();
            },
            4 => kill_me("KILL"),
            5 => kill_me("SEGV"),
            6 => interpose::outside(|| {
                loop {
                    std::thread::park();
                }
            }),
            7 => loop {
                time::sleep(Duration::from_micros(1)).await;
            },
            _ => {}
        }
    });
    death.await.expect("it goes on living");
}

fn mortal_pool() -> Pool {
    let mut pool = pool(2);
    pool.limits = LIMITS;
    pool
}

#[test]
fn each_is_the_result_of_its_seed() {
    let name = "misbehaviour::each_seed_in_its_own_way";
    let all = outcomes(&mut mortal_pool(), name, 13);
    assert_eq!(all.len(), 13);
    let told = |seed: usize| match &all[seed] {
        SeedOutcome::Ran(report) => report.failures().join("; "),
        SeedOutcome::Crashed(death) => format!("crashed: {}", death.cause),
    };
    for (seed, expected) in [
        (1, "nobody joins this"),
        (2, "crashed: died of SIGABRT"),
        (3, "crashed: spins within one poll: no event for 3s"),
        (4, "deadlock: nothing can run and no timer is armed"),
        (5, "crashed: exited with code 0"),
        (6, "crashed: exited with code 9"),
        (7, "an error of its own"),
        (8, "a panic of its own"),
        (9, "the budget of virtual time is used up"),
        (10, "one of two"),
        (10, "two of two"),
        (11, "crashed: died of SIGABRT"),
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
    for seed in [0, 12] {
        assert!(!all[seed].failed(), "{}", told(seed));
    }
}

#[test]
fn a_death_tells_its_cause_where_it_came_and_who_was_left() {
    let name = "misbehaviour::each_seed_dies_its_own_death";
    let all = outcomes(&mut mortal_pool(), name, 9);
    let dead: Vec<String> = all
        .iter()
        .filter_map(|outcome| outcome.death().map(ToString::to_string))
        .collect();
    let causes = [
        "died of SIGABRT",
        "overflowed its stack (SIGSEGV)",
        "ran out of memory (limit 512 MiB, LANDFALL_MEMORY_MB): an allocation of 67,108,864 bytes",
        "spins within one poll: no event for 3s",
        "died of SIGKILL: another process sent it",
        "died of SIGSEGV",
        "is blocked in the kernel within one poll: no event for 3s",
        "made no end in 10s of real time",
    ];
    assert_eq!(dead.len(), causes.len(), "{dead:#?}");
    for (seed, (text, cause)) in dead.iter().zip(causes).enumerate() {
        let begin = format!("seed {seed}: the process {cause}");
        assert!(text.starts_with(&begin), "{text}");
        let place = "(node 0, spawned at landfall/tests/it/misbehaviour.rs:";
        let first = text.lines().next().expect("a line");
        // The last one may have ended between two polls.
        let is_here = first.contains(" events at 1.50") && first.contains(" in task 3 (node 0, ");
        assert!(is_here || seed == 7, "{text}");
        assert!(text.matches(place).count() >= 2, "{text}");
        assert!(text.contains("\n  last events:\n"), "{text}");
        assert!(text.contains("is polled at "), "{text}");
        assert!(
            text.contains("\n    task 1 main (node 0, spawned at "),
            "{text}"
        );
    }
    assert!(dead[3].contains("ended by landfall here:\n"), "{}", dead[3]);
    assert!(
        dead[3].contains("each_seed_dies_its_own_death"),
        "{}",
        dead[3]
    );
    assert!(!all[8].failed(), "the sweep went on");
}

#[test]
fn a_death_has_a_signature_and_dies_it_again() {
    let mut pool = mortal_pool();
    let name = "misbehaviour::each_seed_dies_its_own_death";
    let result = sweep_all(&mut pool, name, 2);
    let judgement = &result.judgement;
    assert_eq!(
        judgement.verdict,
        Verdict::FailReproducible,
        "{judgement:?}"
    );
    let signatures: Vec<_> = result.tally.signatures.keys().collect();
    for (signature, cause) in signatures.iter().zip(["SIGABRT", "stack overflow"]) {
        let begin = format!("crash/{cause}/landfall/tests/it/misbehaviour.rs:");
        assert!(signature.starts_with(&begin), "{signature}");
    }
    let text = render::failure(&result, &|seed| format!("again with {seed}"));
    assert!(
        text.contains("\nseed 0: the process died of SIGABRT after "),
        "{text}"
    );
    assert!(text.ends_with("\nreplay: again with 0"), "{text}");
}

#[test]
fn a_sweep_counts_them_all() {
    let name = "misbehaviour::each_seed_in_its_own_way";
    let result = sweep_all(&mut mortal_pool(), name, 12);
    assert_eq!((result.tally.seeds, result.tally.failed), (12, 11));
    assert_eq!(
        result.tally.signatures.len(),
        11,
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
            .starts_with("11 of 12 seeds failed, first seed 1")
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
