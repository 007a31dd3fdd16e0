//! Which faults a landing condition is evidence of.

use plan_compiler::compile;

const DISKS: &str = "bit rot of 5% on node 1 at T+1s for 1s; \
                     fsync failures on node 2 at T+3s for 1s";

/// The faults of a scenario with rot on one node and failing fsyncs on another that the landing
/// conditions are about.
fn about(landing: &str) -> Vec<Vec<String>> {
    about_of(DISKS, landing)
}

/// The same of other faults.
fn about_of(faults: &str, landing: &str) -> Vec<Vec<String>> {
    let plan = format!(
        "# Test Plan: disks\n\n\
         ## 1b. Claims under test\n\n\
         | ID | Claim | Category |\n|---|---|---|\n\
         | C1 | A write succeeds within 5 s of every heal | liveness |\n\n\
         ## 7. Scenarios\n\n\
         ### Scenario S1: disks\n\
         - Falsifies if it FAILs: C1\n\
         - Workload: 2 clients, 20% read / 80% write over 2 keys, 6s, \
         40 ops/s per client, 3 nodes\n\
         - Faults: {faults}\n\
         - Landing: {landing}\n\
         - Oracle: a write succeeds within 5s of heal\n\
         - Budgets: smoke 3 seeds; hardening 5 seeds\n"
    );
    let compiled = compile(&plan);
    assert!(!compiled.has_errors(), "{:#?}", compiled.diagnostics);
    let landing = compiled.scenarios[0].landing.iter();
    landing.map(|condition| condition.faults.clone()).collect()
}

const ROT: &str = "S1.disk-rot-n1";
const SYNC: &str = "S1.fsync-errors-n2";

#[test]
fn what_is_said_of_one_fault_of_a_disk_is_not_about_another() {
    assert_eq!(about("bit rot: a client operation fails"), [[ROT]]);
    assert_eq!(about("fsync failures: a client operation fails"), [[SYNC]]);
    assert_eq!(about("bit rot: guest log line \"bad page\""), [[ROT]]);
    assert_eq!(about("disk errors > 0"), [[SYNC]], "rot returns none");
}

#[test]
fn what_is_said_of_two_faults_is_about_both() {
    let each = "bit rot: a client operation fails; fsync failures: a client operation fails";
    assert_eq!(about(each), [[ROT, SYNC]]);
}

#[test]
fn losses_are_met_of_the_power_that_took_them() {
    let faults = "power loss on node 1 every 2-3s, restart after 300ms; \
                  kill -9 node 2 every 2-3s, restart after 300ms";
    let landing = "un-synced writes lost or torn > 0 AND losses met by a restart > 0";
    let power = ["S1.power-loss-n1"];
    assert_eq!(about_of(faults, landing), [power, power]);
}

#[test]
fn what_is_said_of_one_hook_is_not_about_another() {
    let hooks = "compaction of node 1 at T+1s; config divergence on node 2 at T+3s for 1s";
    let compacted = about_of(hooks, "compaction: guest log line \"dropped segments\"");
    assert_eq!(compacted, [["S1.compaction-n1"]]);
    let configured = about_of(hooks, "config divergence: guest log line \"reloaded\"");
    assert_eq!(configured, [["S1.config-change-n2"]]);
}
