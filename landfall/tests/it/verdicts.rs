//! The tree of the ten verdicts: each state, each precedence, each boundary.

use checkers::spec::{CheckerSpec, ModelKind};
use landfall::coordinate::Tier;
use landfall::judge::audit::{Answer, audit};
use landfall::judge::{Circumstances, Judgement, Verdict, judge};
use landfall::report::{Cause, Death, SeedOutcome};
use landfall::tally::{CheckTally, FaultTally, LandingTally, Tally};
use plan_compiler::scenario::{
    Ambiguity, Budget, Budgets, Disks, ExitCriteria, FaultKind, FaultSpec, Heal, Scenario, Skew,
    Span, Target, Topology, Weather, When, Workload,
};

/// Seeds that the hardening budget asks for.
const HARDENING: u32 = 10;
/// Seeds in which faults must have landed.
const LANDED: u32 = 4;

/// All that a verdict is drawn from.
#[derive(Clone)]
struct Case {
    scenario: Scenario,
    tally: Tally,
    known: Circumstances,
}

impl Case {
    fn judge(&self) -> Judgement {
        judge(Some(&self.scenario), &self.tally, &self.known)
    }

    fn seeds(&mut self, seeds: u64) {
        self.tally.seeds = seeds;
        self.land(seeds);
        for fault in &mut self.tally.faults {
            fault.landed = seeds;
        }
        for check in self.tally.checks.values_mut() {
            check.seeds = seeds;
        }
    }

    /// In so many seeds every fault landed, and all of them were told enough of.
    fn land(&mut self, seeds: u64) {
        self.tally.landed = seeds;
        self.tally.proven = seeds;
    }

    /// In so many seeds the history lacks what a checker needs.
    fn weaken(&mut self, seeds: u64) {
        self.tally.proven = self.tally.landed.saturating_sub(seeds);
        let check = self.check("no-lost-ack");
        check.weak_seeds = seeds;
        check.weak = Some("final reads".to_owned());
    }

    fn fail(&mut self, reproduced: Option<bool>) {
        self.tally.failed = 1;
        self.tally.failures = vec![SeedOutcome::Crashed(Box::new(Death {
            seed: 7,
            cause: Cause::Signal(6),
            last_words: None,
            output: String::new(),
        }))];
        self.known.failure_reproduced = reproduced;
    }

    fn check(&mut self, name: &str) -> &mut CheckTally {
        self.tally.checks.get_mut(name).expect("it is declared")
    }
}

/// Everything was run, landed and judged.
fn hardened() -> Case {
    let budget = Budget::of_seeds;
    let span = |ns| Span { min: ns, max: ns };
    let fault = FaultSpec {
        id: "S1.f1".to_owned(),
        kind: FaultKind::Kill,
        target: Target::Leader,
        frames: None,
        role: None,
        setting: None,
        after: None,
        when: When {
            start_ns: span(1),
            duration_ns: span(1),
            repeat: None,
        },
        line: 3,
    };
    let scenario = Scenario {
        id: "S1".to_owned(),
        name: "it_holds".to_owned(),
        line: 1,
        arm: None,
        falsifies: Vec::new(),
        closes: Vec::new(),
        topology: Topology {
            nodes: 3,
            clients: 2,
            nodes_max: None,
            clients_max: None,
        },
        weather: Weather::Usual,
        disks: Disks::default(),
        every_fault: false,
        heal: Heal::All,
        converge_ns: None,
        workload: Workload {
            mix: Vec::new(),
            duration_ns: 10,
            keys: 1,
            skew: Skew::Uniform,
            rate_per_client: None,
            operations_per_client: None,
            op_timeout_ns: 1,
            names: Vec::new(),
            transactions: Default::default(),
        },
        faults: vec![fault],
        model: ModelKind::Map,
        checkers: vec![CheckerSpec::Linearizability, CheckerSpec::NoLostAck],
        landing: Vec::new(),
        ambiguity: Ambiguity {
            timeouts_may_succeed: true,
            retries_separate: true,
        },
        budgets: Budgets {
            smoke: budget(3),
            hardening: budget(HARDENING),
            release: budget(HARDENING),
        },
        exit: ExitCriteria::default(),
        landed_seeds_min: LANDED,
        allow: Vec::new(),
        observability: Vec::new(),
    };
    let check = CheckTally {
        consumed: 500,
        total: 500,
        ..CheckTally::default()
    };
    let mut tally = Tally::default();
    for spec in &scenario.checkers {
        let name = checkers::name_of(spec).to_owned();
        tally.checks.insert(name, check.clone());
    }
    tally.operations.ok = 500;
    tally.faults = vec![FaultTally {
        name: "S1.f1".to_owned(),
        kind: "kill".to_owned(),
        ..FaultTally::default()
    }];
    let known = Circumstances {
        tier: Some(Tier::Harden),
        ..Circumstances::default()
    };
    let mut case = Case {
        scenario,
        tally,
        known,
    };
    case.seeds(HARDENING.into());
    case
}

/// A condition: its name, how it comes about, and the verdict that it alone leads to.
type Condition = (&'static str, fn(&mut Case), Verdict);

/// First to last: of two that apply, the earlier one decides.
const CONDITIONS: [Condition; 17] = [
    (
        "something is missing",
        |case| case.known.missing = Some("ptrace".to_owned()),
        Verdict::InconclusiveEnv,
    ),
    (
        "no seed was run",
        |case| case.tally = Tally::default(),
        Verdict::NotRun,
    ),
    (
        "a seed failed, and again the same",
        |case| case.fail(Some(true)),
        Verdict::FailReproducible,
    ),
    (
        "a seed failed, and not the same again",
        |case| case.fail(Some(false)),
        Verdict::FailNondeterministic,
    ),
    (
        "a seed failed and was not run again",
        |case| case.fail(None),
        Verdict::FailNondeterministic,
    ),
    (
        "two runs of a seed differ",
        |case| case.known.diverged = Some(3),
        Verdict::FailNondeterministic,
    ),
    (
        "the fault never landed",
        |case| case.land(0),
        Verdict::InconclusiveFaultNotProven,
    ),
    (
        "the fault landed in too few seeds",
        |case| case.land(case.tally.seeds.min(LANDED.into()) - 1),
        Verdict::InconclusiveFaultNotProven,
    ),
    (
        "a checker left a seed out",
        |case| case.check("no-lost-ack").seeds -= 1,
        Verdict::PartialSurface,
    ),
    (
        "a checker never ran",
        |case| drop(case.tally.checks.remove("linearizability")),
        Verdict::PartialSurface,
    ),
    (
        "the histories are too weak",
        |case| case.weaken(case.tally.seeds),
        Verdict::InconclusiveOracleTooWeak,
    ),
    (
        "a checker did not decide",
        |case| case.check("no-lost-ack").unknown = Some("memory".to_owned()),
        Verdict::PartialModel,
    ),
    (
        "a checker left an operation out",
        |case| case.check("no-lost-ack").consumed -= 1,
        Verdict::PartialModel,
    ),
    ("two seeds", |case| case.seeds(2), Verdict::PartialModel),
    (
        "the smoke budget was run",
        |case| case.known.tier = Some(Tier::Smoke),
        Verdict::PassSmoke,
    ),
    (
        "one landed seed short of the hardening budget",
        |case| case.land(case.tally.landed.min(u64::from(HARDENING) - 1)),
        Verdict::PassSmoke,
    ),
    (
        "no fault is planned",
        |case| case.scenario.faults.clear(),
        Verdict::PassSmoke,
    ),
];

#[test]
fn all_well_is_a_hardened_pass() {
    let judgement = hardened().judge();
    assert_eq!(judgement.verdict, Verdict::PassHardening);
    assert_eq!(judgement.reason, "landed in 10 of 10 seeds");
}

#[test]
fn each_condition_alone_decides() {
    for (name, apply, verdict) in CONDITIONS {
        let mut case = hardened();
        apply(&mut case);
        assert_eq!(case.judge().verdict, verdict, "{name}");
    }
}

#[test]
fn of_two_conditions_the_earlier_decides() {
    for (place, (name, apply, verdict)) in CONDITIONS.into_iter().enumerate() {
        for (other, apply_other, _) in CONDITIONS.into_iter().skip(place + 1) {
            let mut case = hardened();
            apply_other(&mut case);
            apply(&mut case);
            // Nothing that is not planned must land.
            let is_void = other == "no fault is planned" && name.contains("the fault ");
            let expected = if is_void { Verdict::PassSmoke } else { verdict };
            assert_eq!(case.judge().verdict, expected, "{name}, and {other}");
        }
    }
}

#[test]
fn every_state_but_none_other_is_reached() {
    let mut reached: Vec<Verdict> = CONDITIONS.iter().map(|(_, _, verdict)| *verdict).collect();
    reached.push(Verdict::PassHardening);
    reached.sort_unstable();
    reached.dedup();
    assert_eq!(reached.len(), 10);
    let names: Vec<_> = reached.iter().map(|verdict| verdict.name()).collect();
    let expected = [
        "PASS-smoke",
        "PASS-hardening",
        "FAIL-reproducible",
        "FAIL-nondeterministic",
        "INCONCLUSIVE-env",
        "INCONCLUSIVE-oracle-too-weak",
        "INCONCLUSIVE-fault-not-proven",
        "PARTIAL-surface",
        "PARTIAL-model",
        "NOT-RUN",
    ];
    assert_eq!(names, expected);
    for verdict in reached {
        let json = serde_json::to_string(&verdict).expect("a name");
        assert_eq!(json, format!("\"{verdict}\""));
        assert_eq!(verdict.is_pass(), verdict.name().starts_with("PASS"));
        assert_eq!(verdict.is_fail(), verdict.name().starts_with("FAIL"));
    }
}

#[test]
fn three_seeds_pass_and_fewer_say_little() {
    for (seeds, expected) in [
        (1, Verdict::PartialModel),
        (2, Verdict::PartialModel),
        (3, Verdict::PassSmoke),
        (9, Verdict::PassSmoke),
        (10, Verdict::PassHardening),
    ] {
        let mut case = hardened();
        case.seeds(seeds);
        assert_eq!(case.judge().verdict, expected, "{seeds} seeds");
    }
    let mut case = hardened();
    case.seeds(2);
    assert_eq!(case.judge().reason, "2 of at least 3 seeds");
}

#[test]
fn landing_is_asked_of_k_seeds_or_of_all_when_there_are_fewer() {
    let at = |seeds, landed| {
        let mut case = hardened();
        case.seeds(seeds);
        case.land(landed);
        case.judge().verdict
    };
    assert_eq!(at(20, 3), Verdict::InconclusiveFaultNotProven);
    assert_eq!(at(20, 4), Verdict::PassSmoke);
    assert_eq!(at(20, 9), Verdict::PassSmoke);
    assert_eq!(at(20, 10), Verdict::PassHardening);
    assert_eq!(at(3, 2), Verdict::InconclusiveFaultNotProven);
    assert_eq!(at(3, 3), Verdict::PassSmoke);
    assert_eq!(at(1, 0), Verdict::InconclusiveFaultNotProven);
    assert_eq!(at(1, 1), Verdict::PartialModel);
}

#[test]
fn a_fault_that_did_not_land_is_told_how_far_it_came() {
    for (armed, injected, landed, expected) in [
        (0, 0, 0, "S1.f1 (kill) never armed"),
        (10, 0, 0, "S1.f1 (kill) vacuous: armed, never injected"),
        (10, 10, 0, "S1.f1 (kill) masked: injected, never observed"),
        (10, 10, 3, "S1.f1 (kill) landed too rarely"),
    ] {
        let mut case = hardened();
        case.land(landed);
        let fault = &mut case.tally.faults[0];
        (fault.armed, fault.injected, fault.landed) = (armed, injected, landed);
        let reason = case.judge().reason;
        assert!(reason.contains(expected), "{reason}");
        assert!(reason.starts_with(&format!("every fault landed in {landed} of 10 seeds")));
    }
}

#[test]
fn a_fault_is_asked_of_the_seeds_that_have_it_and_of_one_at_least() {
    let at = |left_out, landed| {
        let mut case = hardened();
        let fault = &mut case.tally.faults[0];
        (fault.left_out, fault.landed) = (left_out, landed);
        case.judge()
    };
    // Of ten seeds four must show it; of two that have it, both.
    assert_eq!(at(3, 4).verdict, Verdict::PassHardening);
    assert_eq!(at(3, 3).verdict, Verdict::InconclusiveFaultNotProven);
    assert_eq!(at(8, 2).verdict, Verdict::PassHardening);
    assert_eq!(at(8, 1).verdict, Verdict::InconclusiveFaultNotProven);
    let never = at(10, 0);
    assert_eq!(never.verdict, Verdict::InconclusiveFaultNotProven);
    assert!(
        never.reason.ends_with("left out by every seed: run more"),
        "{}",
        never.reason
    );
}

#[test]
fn a_landing_condition_that_did_not_hold_is_quoted() {
    let mut case = hardened();
    case.land(2);
    case.tally.faults[0].landed = 10;
    case.tally.landing = vec![LandingTally {
        text: "leader re-elected within 2s".to_owned(),
        waived: 0,
        held: 2,
        seen: None,
        missed: Some("no other node became leader in time".to_owned()),
    }];
    let reason = case.judge().reason;
    assert!(
        reason.ends_with(
            "; \"leader re-elected within 2s\" held in 2 seeds \
             (seen: no other node became leader in time)"
        ),
        "{reason}"
    );
    assert!(!reason.contains("S1.f1"), "{reason}");
}

#[test]
fn a_seed_that_told_too_little_does_not_count_and_spoils_no_other() {
    let at = |seeds, weak| {
        let mut case = hardened();
        case.seeds(seeds);
        case.weaken(weak);
        case.judge()
    };
    let passed = at(20, 10);
    assert_eq!(passed.verdict, Verdict::PassHardening);
    let silent = "landed in 20 of 20 seeds, 10 of which told the checkers too little";
    assert_eq!(passed.reason, silent);
    // What is left is not enough to harden, then not enough to pass.
    assert_eq!(at(20, 11).verdict, Verdict::PassSmoke);
    assert_eq!(at(20, 16).verdict, Verdict::PassSmoke);
    let weak = at(20, 17);
    assert_eq!(weak.verdict, Verdict::InconclusiveOracleTooWeak);
    let lacks = "no-lost-ack: in 17 of 20 seeds the history lacks final reads";
    assert_eq!(weak.reason, lacks);
    // Of few seeds each must tell.
    assert_eq!(at(3, 1).verdict, Verdict::InconclusiveOracleTooWeak);
    assert_eq!(at(3, 0).verdict, Verdict::PassSmoke);
}

#[test]
fn hardening_may_ask_for_fault_windows_too() {
    let at = |windows| {
        let mut case = hardened();
        case.scenario.budgets.hardening.faults = Some(25);
        case.tally.windows = windows;
        case.judge()
    };
    assert_eq!(at(25).verdict, Verdict::PassHardening);
    let short = at(24);
    assert_eq!(short.verdict, Verdict::PassSmoke);
    let why = "landed in 10 of 10 seeds; 24 fault windows, hardening asks for 25";
    assert_eq!(short.reason, why);
}

#[test]
fn a_workload_of_which_nothing_was_acknowledged_shows_nothing() {
    let mut case = hardened();
    case.tally.operations.ok = 0;
    case.tally.operations.failed = 500;
    let judgement = case.judge();
    assert_eq!(judgement.verdict, Verdict::InconclusiveOracleTooWeak);
    assert!(judgement.reason.contains("acknowledged"));
}

#[test]
fn a_system_that_hardly_ever_answered_shows_nothing() {
    let mut case = hardened();
    case.tally.operations.unknown = 500 * 9;
    assert_eq!(case.judge().verdict, Verdict::PassHardening);
    case.tally.operations.failed = 1;
    assert_eq!(case.judge().verdict, Verdict::InconclusiveOracleTooWeak);
}

#[test]
fn two_checkers_of_one_name_both_judge_every_seed() {
    let mut case = hardened();
    let deadline = |within_ns| CheckerSpec::Progress { within_ns };
    case.scenario.checkers = vec![deadline(5), deadline(9)];
    let seeds = case.tally.seeds;
    let mut check = case.check("linearizability").clone();
    check.seeds = 2 * seeds;
    let name = checkers::name_of(&deadline(5)).to_owned();
    case.tally.checks.insert(name, check);
    assert_eq!(case.judge().verdict, Verdict::PassHardening);
    let name = checkers::name_of(&deadline(5));
    case.check(name).seeds = 2 * seeds - 1;
    assert_eq!(case.judge().verdict, Verdict::PartialSurface);
}

#[test]
fn exit_criteria_that_are_not_met_cap_the_verdict() {
    let mut case = hardened();
    case.scenario.exit.acknowledged_min = Some(500);
    assert_eq!(case.judge().verdict, Verdict::PassHardening);
    case.scenario.exit.acknowledged_min = Some(501);
    let judgement = case.judge();
    assert_eq!(judgement.verdict, Verdict::PassSmoke);
    assert!(judgement.reason.contains("501"), "{}", judgement.reason);
    let mut case = hardened();
    case.scenario.exit.virtual_ns_min = Some(case.tally.virtual_ns + 1);
    assert_eq!(case.judge().verdict, Verdict::PassSmoke);
    let mut case = hardened();
    case.tally.operations.failed = 30;
    case.scenario.exit.acknowledged_percent_min = Some(94);
    assert_eq!(case.judge().verdict, Verdict::PassHardening);
    case.scenario.exit.acknowledged_percent_min = Some(95);
    assert_eq!(case.judge().verdict, Verdict::InconclusiveOracleTooWeak);
}

#[test]
fn the_audit_finds_what_a_pass_hides() {
    let mut case = hardened();
    let concerned = |case: &Case| -> Vec<String> {
        let questions = audit(&case.scenario, &case.tally);
        let no = questions.into_iter().filter(|q| q.answer == Answer::No);
        no.map(|question| question.asked).collect()
    };
    case.tally.faults[0].landed = 3;
    case.tally.virtual_ns = u64::MAX / 2;
    assert_eq!(concerned(&case), Vec::<String>::new());
    case.tally.faults[0].landed = 0;
    case.check("no-lost-ack").consumed -= 1;
    case.tally.exits = 1;
    case.tally.virtual_ns = 1;
    assert_eq!(concerned(&case).len(), 4, "{:?}", concerned(&case));
}

#[test]
fn a_node_that_ends_by_itself_is_no_pass_unless_its_disk_was_broken() {
    let mut case = hardened();
    case.tally.exits = 3;
    case.tally.exit = Some("n3 ended with: no log".to_owned());
    let judgement = case.judge();
    assert_eq!(judgement.verdict, Verdict::PartialSurface);
    assert!(judgement.reason.contains("n3 ended with: no log"));
    case.scenario.faults[0].kind = FaultKind::DiskFull;
    assert_eq!(case.judge().verdict, Verdict::PassHardening);
}

#[test]
fn reasons_name_what_was_short() {
    for (place, expected) in [
        (0, "missing: ptrace"),
        (1, "no seed was run"),
        (
            2,
            "1 of 10 seeds failed, first seed 7; it fails again, same digest",
        ),
        (
            3,
            "1 of 10 seeds failed, first seed 7; it did not fail the same again",
        ),
        (5, "two runs of seed 3 differ"),
        (8, "no-lost-ack did not judge every seed"),
        (9, "linearizability did not judge every seed"),
        (
            10,
            "no-lost-ack: in 10 of 10 seeds the history lacks final reads",
        ),
        (11, "no-lost-ack did not decide: memory"),
        (12, "no-lost-ack consumed 499 of 500 operations"),
        (14, "landed in 10 of 10 seeds; the smoke budget was run"),
        (15, "landed in 9 of 10 seeds; hardening asks for 10"),
        (16, "10 seeds, no fault planned"),
    ] {
        let mut case = hardened();
        CONDITIONS[place].1(&mut case);
        assert_eq!(case.judge().reason, expected);
    }
}

#[test]
fn a_simulation_by_hand_passes_smoke_fails_or_says_little() {
    let verdict = |case: &Case| judge(None, &case.tally, &case.known).verdict;
    let mut case = hardened();
    case.tally.landed = 0;
    assert_eq!(verdict(&case), Verdict::PassSmoke);
    case.seeds(2);
    assert_eq!(verdict(&case), Verdict::PartialModel);
    case.known.diverged = Some(1);
    assert_eq!(verdict(&case), Verdict::FailNondeterministic);
    case.fail(Some(true));
    assert_eq!(verdict(&case), Verdict::FailReproducible);
    case.tally = Tally::default();
    assert_eq!(verdict(&case), Verdict::NotRun);
}
