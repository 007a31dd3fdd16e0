//! What exit criteria take for granted, an oracle must judge.

use checkers::spec::{CheckerSpec, ModelKind};
use plan_compiler::{Code, Compiled, compile};

fn plan(workload: &str, model: &str, oracle: &str, criteria: &str) -> Compiled {
    compile(&format!(
        "# Test Plan: criteria\n\n## 1b. Claims under test\n\n\
         | ID | Claim | Category |\n|---|---|---|\n| C1 | it works | operational |\n\n\
         ## 7. Scenarios\n\n### Scenario S1: criteria\n\n\
         - Falsifies if it FAILs: C1\n- Workload: {workload}\n- Faults: none\n\
         - Model under test: {model}\n- Oracle: {oracle}\n- Exit criteria: {criteria}\n"
    ))
}

/// The oracle that is asked for, where an exit criterion is judged by none of them.
fn remedies(compiled: &Compiled) -> Vec<String> {
    let found = compiled.diagnostics.iter();
    let unjudged = found.filter(|found| found.code == Code::NoOracle);
    let help = unjudged.filter_map(|found| found.help.as_deref());
    let named = help.filter_map(|help| help.split("`Oracle: ").nth(1)?.strip_suffix('`'));
    named.map(str::to_owned).collect()
}

fn codes(compiled: &Compiled) -> Vec<Code> {
    let found = compiled.diagnostics.iter();
    let errors = found.filter(|found| found.severity == plan_compiler::Severity::Error);
    errors.map(|found| found.code).collect()
}

const LOAD: &str = "3 clients, 50% read / 50% write, 10s";
const TXNS: &str = "3 clients, 100% list-append transactions, 10s";

/// Of reads or of values, of registers or of transactions? A plan says which.
const HALF: [&str; 2] = ["monotonic", "read-committed"];

#[test]
fn a_criterion_that_nobody_judges_names_the_oracle_that_would() {
    for name in CheckerSpec::names()
        .into_iter()
        .filter(|name| !HALF.contains(name))
    {
        // Something that finds nothing of what the others find.
        let other = match name {
            "trace" => "saga",
            _ => "trace validation",
        };
        let alone = plan(LOAD, "map", other, name);
        let remedies = remedies(&alone);
        let [remedy] = remedies.as_slice() else {
            panic!("{name}: {:?}", alone.diagnostics);
        };
        let oracles = format!("{other}; {remedy}");
        let mended = plan(LOAD, "map", &oracles, name);
        assert_eq!(codes(&mended), [], "{name}: {remedy}");
    }
}

#[test]
fn a_checker_and_a_model_are_read_by_their_own_names() {
    for name in CheckerSpec::names() {
        let wanted = CheckerSpec::parse(name).expect("its own name");
        let compiled = plan(LOAD, "map", name, "no violations");
        let found = compiled.scenarios.first().map(|s| s.checkers.clone());
        let wanted = (!HALF.contains(&name)).then(|| vec![wanted]);
        assert_eq!(found, wanted, "{name}: {:?}", compiled.diagnostics);
    }
    for name in [
        "set-full=strict",
        "retry=3:50ms:2s:10%",
        "rw-register=snapshot-isolation",
    ] {
        let wanted = CheckerSpec::parse(name).expect("its own name");
        let compiled = plan(
            LOAD,
            "map",
            &format!("{name}, linearizability"),
            "no violations",
        );
        let checkers = [wanted, CheckerSpec::Linearizability];
        assert_eq!(compiled.scenarios[0].checkers, checkers, "{name}");
    }
    for kind in ModelKind::ALL {
        let compiled = plan(
            "3 clients, 10s",
            kind.name(),
            "trace validation",
            "no violations",
        );
        let scenario = compiled.scenarios.first();
        let found = scenario.map(|scenario| scenario.model);
        // Who holds a lock is known of most: `ownerless lock` is the other.
        let wanted = match kind {
            ModelKind::Mutex => ModelKind::OwnedMutex,
            kind => kind,
        };
        assert_eq!(found, Some(wanted), "{:?}", compiled.diagnostics);
    }
    let compiled = plan("3 clients, 10s", "lease=3s:20ms", "leases", "no violations");
    let wanted = ModelKind::parse("lease=3s:20ms").expect("its own name");
    assert_eq!(compiled.scenarios[0].model, wanted);
}

/// A model, a criterion, an oracle that judges it, and one that does not.
const ROWS: &str = "\
map | no lost acknowledged writes | linearizability | causal consistency
map | monotonic reads hold | linearizability | no data loss
map | monotonic reads | causal consistency | read your writes
map | no stale reads | linearizability | sequential consistency
map | recovered within 15s of heal | a write succeeds within 15s of heal \
    | a write succeeds within 16s of heal
map | a new leader is elected within 5s | leader elected within 2s | leader elected within 10s
map | leader is elected | leader elected within 10s | at most one leader
map | split brain: 0 | at most one leader per term | linearizability
queue | 0 duplicates | total queue | bank
counter | no duplicates | linearizability | convergence
set | no lost or duplicated elements | set-full | convergence
map | no duplicate ids | unique ids | exactly-once delivery
map | all jobs are executed exactly once | exactly-once | unique ids
lease | never two holders | linearizability | fencing tokens
map | never two holders | mutual exclusion | linearizability
map | cache stampede at most 2 | stampede=2 | stampede=3
map | no cross-tenant row | boundary | linearizability
map | replicas converge | eventual consistency | linearizability
ledger | no lost transfers | bank | fairness
ledger | total constant; no negative balance | bank | double entry
transactions | serializable | strict serializability | snapshot isolation
transactions | no write skew, no dirty reads | serializability | snapshot isolation
map | serializability | linearizability; elle list-append histories | linearizability
map | session guarantees | pram; writes follow reads | pram
map | availability is restored | clients resume within 30s of heal | linearizability
";

#[test]
fn a_stronger_oracle_judges_what_a_weaker_one_claims() {
    for row in ROWS.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [model, criteria, judged, not] = cells.as_slice() else {
            panic!("{row}");
        };
        let workload = if *model == "transactions" { TXNS } else { LOAD };
        let good = plan(workload, model, judged, criteria);
        assert_eq!(remedies(&good), Vec::<String>::new(), "{row}");
        let bad = plan(workload, model, not, criteria);
        assert_ne!(remedies(&bad), Vec::<String>::new(), "{row}");
        for compiled in [good, bad] {
            let codes = codes(&compiled);
            let known = [Code::NoOracle, Code::ModelMismatch];
            assert!(
                codes.iter().all(|code| known.contains(code)),
                "{row}: {codes:?}"
            );
        }
    }
}
