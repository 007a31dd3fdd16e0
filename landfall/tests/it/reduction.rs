//! A failing seed becomes little, says when it was decided, and is found again from its capsule.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use landfall::capsule::{BadCapsule, Capsule, regressions};
use landfall::coordinate::{Pool, RunRequest, Tier};
use landfall::explain::{self, Explanation, explain};
use landfall::reduce::{Effort, ReduceError, Reduced, reduce};
use landfall::report::SeedOutcome;
use landfall::runtime::{JoinHandle, Policy, Reseed, Seed, SimInstant, spawn, time, with};
use landfall::script::Script;

use crate::sweeps::pool;

const UNSYNCED: &str = "failures::unsynced::s1_acknowledged_writes_survive";
const SYNCED: &str = "failures::synced::s1_acknowledged_writes_survive";

fn request(test: &str, seed: u64) -> RunRequest {
    RunRequest::new(test, seed, Tier::Smoke)
}

/// The first seed that fails.
fn failing(pool: &mut Pool) -> SeedOutcome {
    for seed in 0..20 {
        let request = request(UNSYNCED, seed).with_recording();
        let outcome = pool.run_one(request).expect("the worker holds");
        if outcome.failed() {
            return outcome;
        }
    }
    panic!("writes that are not synced are lost within 20 seeds");
}

fn reduced(pool: &mut Pool, seed: u64, runs_max: u64) -> Result<Reduced, ReduceError> {
    let mut effort = Effort {
        runs_max,
        is_over: &|| false,
        progress: &mut |_| {},
    };
    reduce(
        pool,
        request(UNSYNCED, seed),
        &Script::default(),
        3,
        &mut effort,
    )
}

#[test]
fn a_failing_seed_becomes_a_few_operations_and_none_of_them_too_many() {
    let mut pool = pool(2);
    let seed = failing(&mut pool).seed();
    let small = reduced(&mut pool, seed, 5_000).expect("it fails");
    assert!(small.is_complete, "{small:?}");
    let (before, after) = small.sizes;
    assert!(before.windows > 1 && before.operations > 50, "{before}");
    assert!(after.windows <= 3 && after.operations <= 10, "{after}");
    assert_eq!(after.deviations, 0, "{after}");
    assert_eq!(small.outcome.signature(), Some(small.signature.clone()));
    assert_eq!(small.script.policy, Some(Policy::Fifo));
    // No window and no operation of it can be left out.
    let mut all_less = Vec::new();
    for place in 0..after.windows {
        let mut less = small.script.clone();
        less.windows.as_mut().expect("pinned").remove(place);
        all_less.push(less);
    }
    for place in 0..after.operations {
        let mut less = small.script.clone();
        less.operations.as_mut().expect("pinned").remove(place);
        all_less.push(less);
    }
    for less in all_less {
        let request = request(UNSYNCED, seed).with_script(&less);
        let outcome = pool.run_one(request).expect("the worker holds");
        assert_ne!(
            outcome.signature(),
            Some(small.signature.clone()),
            "{less:?}"
        );
    }
    // And the fix makes it pass.
    let fixed = request(SYNCED, seed).with_script(&small.script);
    let outcome = pool.run_one(fixed).expect("the worker holds");
    assert_eq!(outcome.failures(), Vec::<String>::new());
}

#[test]
fn a_reduction_does_not_depend_on_the_workers_and_gives_what_it_has_when_stopped() {
    let mut one = pool(1);
    let mut two = pool(2);
    let seed = failing(&mut one).seed();
    let alone = reduced(&mut one, seed, 5_000).expect("it fails");
    let together = reduced(&mut two, seed, 5_000).expect("it fails");
    assert_eq!(alone.script, together.script);
    let asked = Cell::new(0_u32);
    let mut effort = Effort {
        runs_max: 5_000,
        is_over: &|| {
            asked.set(asked.get() + 1);
            asked.get() > 12
        },
        progress: &mut |_| {},
    };
    let request = request(UNSYNCED, seed);
    let stopped = reduce(&mut two, request, &Script::default(), 3, &mut effort);
    let stopped = stopped.expect("it fails");
    assert!(
        !stopped.is_complete && stopped.runs < alone.runs,
        "{}",
        stopped.runs
    );
    assert_eq!(stopped.outcome.signature(), Some(alone.signature));
}

#[test]
fn what_passes_is_not_reduced() {
    let mut effort = Effort {
        runs_max: 10,
        is_over: &|| false,
        progress: &mut |_| {},
    };
    let mut pool = pool(1);
    let refused = reduce(
        &mut pool,
        request(SYNCED, 0),
        &Script::default(),
        3,
        &mut effort,
    );
    let why = refused.expect_err("it passes").to_string();
    assert!(why.contains("does not fail"), "{why}");
}

#[test]
fn a_window_less_leaves_the_others_where_they_were() {
    let mut pool = pool(1);
    let run = |pool: &mut Pool, script: &Script| {
        let request = request(SYNCED, 3).with_script(script).with_recording();
        let outcome = pool.run_one(request).expect("the worker holds");
        let report = outcome.report().expect("it runs").clone();
        report.recording.expect("it was asked for")
    };
    let all = run(&mut pool, &Script::default());
    assert!(all.windows.len() > 2, "{all:?}");
    let mut fewer = all.windows.clone();
    fewer.remove(1);
    let script = Script {
        windows: Some(fewer.clone()),
        ..Script::default()
    };
    assert_eq!(run(&mut pool, &script).windows, fewer);
    let none = Script {
        without: vec![all.windows[0].fault.clone()],
        ..Script::default()
    };
    assert_eq!(run(&mut pool, &none).windows, []);
}

/// A failing request, and the script that makes it so short.
fn short_failure(pool: &mut Pool) -> (RunRequest, Script) {
    // Long enough for one power loss, which not always takes a write along.
    let short = Script {
        workload_ns: Some(1_000_000_000),
        ..Script::default()
    };
    let fails = |seed: &u64| {
        let request = request(UNSYNCED, *seed).with_script(&short);
        pool.run_one(request).expect("the worker holds").failed()
    };
    let seed = (0..40).find(fails).expect("one of 40 seeds fails");
    (request(UNSYNCED, seed), short)
}

/// A test under the first of so many seeds that fails.
fn first_failing(pool: &mut Pool, test: &str, seeds: u64) -> RunRequest {
    let fails = |request: &RunRequest| pool.run_one(request.clone()).expect("it holds").failed();
    let mut requests = (0..seeds).map(|seed| request(test, seed));
    requests.find(fails).expect("one of the seeds fails")
}

/// A failure, explained by four runs for each moment and for as long as it takes.
fn explained(pool: &mut Pool, request: &RunRequest, script: &Script) -> Explanation {
    let mut effort = explain::Effort {
        runs_a_point: 4,
        is_over: &|| false,
        progress: &mut |_| {},
    };
    explain(pool, request, script, &mut effort).expect("it fails")
}

#[test]
fn a_fault_that_a_failure_takes_and_the_nearest_pass_are_told() {
    let mut pool = pool(2);
    let (request, short) = short_failure(&mut pool);
    let told = explained(&mut pool, &request, &short);
    let points = told.curve.points();
    assert!(points.len() >= 32, "{}", points.len());
    assert!(points.iter().all(|point| point.runs == 4));
    let last = points.last().expect("there are some");
    assert_eq!(last.failed, last.runs, "at its end a run is what it was");
    assert!(
        points.iter().any(|point| point.failed < point.runs),
        "{points:?}"
    );
    let [power] = &told.without[..] else {
        panic!("{:?}", told.without);
    };
    assert!(
        power.landed && power.is_decisive(&told.signature),
        "{power:?}"
    );
    assert!(power.parting.is_some());
    let nearest = told.nearest.expect("some run passes");
    let again = request.with_script(&nearest.script);
    assert!(!pool.run_one(again).expect("the worker holds").failed());
}

/// When the failure of `drawn_at_one_moment` is drawn, and when it shows.
const DRAWN_AT: Duration = Duration::from_millis(400);
const SHOWN_AT: Duration = Duration::from_secs(1);

#[landfall::test(test = false)]
async fn drawn_at_one_moment() {
    time::sleep(DRAWN_AT).await;
    let is_lost = with(|world| world.stream("fate", 0).chance(1, 8));
    time::sleep(SHOWN_AT.saturating_sub(DRAWN_AT)).await;
    assert!(!is_lost, "drawn to be lost");
}

#[test]
fn the_curve_rises_where_the_failure_was_decided() {
    let mut pool = pool(2);
    let request = first_failing(&mut pool, "reduction::drawn_at_one_moment", 100);
    let told = explained(&mut pool, &request, &Script::default());
    let explain::Decided::Between(jump) = told.decided() else {
        panic!("{:?}", told.curve);
    };
    let drawn = u64::try_from(DRAWN_AT.as_nanos()).expect("it fits");
    assert!(jump.from_ns <= drawn && drawn <= jump.to_ns, "{jump:?}");
    assert!(jump.before_permille < 400, "{jump:?}");
    assert_eq!(jump.after_permille, 1_000);
    let width = jump.to_ns - jump.from_ns;
    assert!(
        width < 1_000_000_000 / 100,
        "it was looked at closer: {jump:?}"
    );
    assert_eq!(told.schedule, Some(explain::ScheduleNeeds::Nothing));
}

/// A reduced capsule may have moments of its own from which on all is drawn anew.
#[test]
fn the_curve_of_a_run_that_was_drawn_anew_is_of_that_run() {
    let mut pool = pool(2);
    let request = request("reduction::drawn_at_one_moment", 0);
    let anew = |draw| {
        let at = SimInstant::ZERO + DRAWN_AT / 2;
        let seed = Seed(draw);
        Script {
            reseed: vec![Reseed { at, seed }],
            ..Script::default()
        }
    };
    let mut fails = |script: &Script| {
        let request = request.clone().with_script(script);
        pool.run_one(request).expect("it holds").failed()
    };
    assert!(!fails(&Script::default()), "of itself it passes");
    let script = (0..100).map(anew).find(fails).expect("one of 100 fails");
    let told = explained(&mut pool, &request, &script);
    let decided = told.decided();
    let explain::Decided::Between(jump) = decided else {
        panic!("{:?}", told.curve);
    };
    assert_eq!(jump.after_permille, 1_000, "{decided}");
}

#[test]
fn an_explanation_whose_time_is_over_has_the_whole_curve_in_less_depth() {
    let mut pool = pool(2);
    let (request, short) = short_failure(&mut pool);
    let ran = Cell::new(0);
    let mut effort = explain::Effort {
        runs_a_point: 8,
        is_over: &|| ran.get() >= 200,
        progress: &mut |runs| ran.set(runs),
    };
    let told = explain(&mut pool, &request, &short, &mut effort).expect("it fails");
    let points = told.curve.points();
    assert_eq!(points.len(), 32);
    assert!(points.iter().all(|point| (4..8).contains(&point.runs)));
    assert_eq!(told.without.len(), 1);
    assert!(told.nearest.is_some());
    assert_eq!(told.schedule, Some(explain::ScheduleNeeds::Nothing));
}

/// One task uses what another sets up, and nothing says that it waits for that.
#[landfall::test(test = false)]
async fn used_before_it_is_set_up() {
    for _ in 0..10 {
        spawn(async {
            for _ in 0..20 {
                time::sleep(Duration::from_micros(100)).await;
            }
        });
    }
    time::sleep(Duration::from_millis(1)).await;
    let is_set_up = Rc::new(Cell::new(false));
    let sets_up = spawn_set_up(&is_set_up);
    let uses = spawn_use(&is_set_up);
    sets_up.await.expect("it ends");
    uses.await.expect("it ends");
}

const SET_UP_AT: u32 = line!() + 4;

fn spawn_set_up(flag: &Rc<Cell<bool>>) -> JoinHandle<()> {
    let flag = Rc::clone(flag);
    spawn(async move { flag.set(true) })
}

const USE_AT: u32 = line!() + 4;

fn spawn_use(flag: &Rc<Cell<bool>>) -> JoinHandle<()> {
    let flag = Rc::clone(flag);
    spawn(async move { assert!(flag.get(), "used before it was set up") })
}

#[test]
fn the_critical_pair_of_a_schedule_is_named() {
    let mut pool = pool(2);
    let request = first_failing(&mut pool, "reduction::used_before_it_is_set_up", 20);
    let told = explained(&mut pool, &request, &Script::default());
    let needs = told.schedule.expect("there is time");
    let explain::ScheduleNeeds::Pairs { pairs, is_least } = &needs else {
        panic!("{needs}");
    };
    assert!(is_least, "{needs}");
    let [pair] = &pairs[..] else {
        panic!("{needs}");
    };
    let at = |line: u32| format!("landfall/tests/it/reduction.rs:{line}:");
    assert!(pair.ran.contains(&at(USE_AT)), "{needs}");
    assert!(pair.passed.contains(&at(SET_UP_AT)), "{needs}");
    let unsynced = failing(&mut pool).seed();
    let request = RunRequest::new(UNSYNCED, unsynced, Tier::Smoke);
    let needs = explained(&mut pool, &request, &Script::default()).schedule;
    assert_eq!(needs, Some(explain::ScheduleNeeds::Nothing));
}

#[test]
fn a_reseeded_run_is_the_same_up_to_the_moment() {
    let mut pool = pool(1);
    let run = |pool: &mut Pool, reseed: Vec<Reseed>| {
        let script = Script {
            reseed,
            ..Script::default()
        };
        let request = request(SYNCED, 3).with_script(&script).with_recording();
        let outcome = pool.run_one(request).expect("the worker holds");
        let recording = outcome.report().expect("it runs").recording.clone();
        recording.expect("it was asked for")
    };
    let plain = run(&mut pool, Vec::new());
    let at = plain.started_ns + 2_000_000_000;
    let later = |after_ns, seed| Reseed {
        at: SimInstant(at + after_ns),
        seed: Seed(seed),
    };
    let reseed = |seed| vec![later(0, seed)];
    let (one, two) = (run(&mut pool, reseed(1)), run(&mut pool, reseed(2)));
    let until = |recording: &landfall::script::Recording, at_ns| {
        let all = recording.operations.iter().cloned();
        all.take_while(|one| one.at_ns < at_ns).collect::<Vec<_>>()
    };
    let before = |recording| until(recording, 2_000_000_000);
    assert!(before(&plain).len() > 20);
    assert_eq!(before(&one), before(&plain));
    assert_eq!(before(&two), before(&plain));
    assert_ne!(one.operations, plain.operations);
    assert_ne!(one.operations, two.operations);
    // What was drawn anew already stays, until all is drawn anew once more.
    let again = run(&mut pool, vec![later(0, 1), later(1_000_000_000, 2)]);
    let first = until(&one, 3_000_000_000);
    assert!(first.len() > before(&one).len() + 20);
    assert_eq!(until(&again, 3_000_000_000), first);
    assert_ne!(again.operations, one.operations);
}

#[test]
fn a_capsule_is_read_as_it_was_written_and_refused_if_it_was_not() {
    let text = include_str!("../../testdata/capsules/v1.capsule");
    let capsule = Capsule::read(text).expect("the golden file of version 1");
    assert_eq!(capsule.write(), text, "version 1 is written as it was");
    assert_eq!(
        Capsule::read(&text.replace('\n', "\r\n")),
        Ok(capsule.clone())
    );
    assert!(capsule.file_name().ends_with(".capsule"));
    assert_eq!(Capsule::read("{}\n"), Err(BadCapsule::Foreign));
    assert_eq!(Capsule::read(""), Err(BadCapsule::Foreign));
    let later = text.replacen("landfall-capsule 1", "landfall-capsule 2", 1);
    let why = Capsule::read(&later).unwrap_err().to_string();
    assert!(
        why.contains("version 2") && why.contains("version 1"),
        "{why}"
    );
    let damaged = text.replacen("\"seed\": ", "\"seed\": 1", 1);
    let why = Capsule::read(&damaged).unwrap_err().to_string();
    assert!(why.contains("damaged"), "{why}");
    for cut in (0..text.len()).step_by(97) {
        assert!(Capsule::read(&text[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn seeds_that_failed_once_are_told_by_the_capsules_of_a_directory() {
    let home = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("regressions");
    let _ = std::fs::remove_dir_all(&home);
    assert_eq!(regressions(&home, "some::test"), Ok(Vec::new()));
    std::fs::create_dir_all(&home).expect("a directory");
    let text = include_str!("../../testdata/capsules/v1.capsule");
    let mut capsule = Capsule::read(text).expect("it is one");
    let (test, seed) = (capsule.test.clone(), capsule.seed);
    let write = |name: &str, text: &str| std::fs::write(home.join(name), text).expect("a file");
    write("a.capsule", text);
    write("again.capsule", text);
    write("notes.txt", "of another kind");
    capsule.seed = 3;
    write("b.capsule", &capsule.write());
    assert_eq!(regressions(&home, &test), Ok(vec![seed, 3]));
    assert_eq!(regressions(&home, "another::test"), Ok(Vec::new()));
    write("broken.capsule", &text[..text.len() - 1]);
    let error = regressions(&home, &test).expect_err("one is damaged");
    assert!(
        error.starts_with("broken.capsule: this capsule is damaged"),
        "{error}"
    );
}
