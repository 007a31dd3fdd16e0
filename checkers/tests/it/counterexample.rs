//! What a reader sees of a violation.

use checkers::spec::{CheckerSpec, ModelKind};
use checkers::{Budget, check};
use expect_test::{Expect, expect};

use super::verdicts::history;

fn told(name: &str, spec: CheckerSpec, model: ModelKind, expected: Expect) {
    expected.assert_eq(&check(&history(name), &spec, model, &Budget::default()).to_string());
}

#[test]
fn the_longest_legal_prefix_and_what_can_not_follow() {
    told(
        "register-stale-read",
        CheckerSpec::Linearizability,
        ModelKind::Register,
        expect![[r#"
            linearizability: violation (3 of 3 operations)
              scope: objects judged as register, each by itself: 1
            not-linearizable: key 0: no order explains the response of #2 (2 of 3 placed)
              longest legal prefix, 2 operations
                #0 p1 [0 .. 0.000001 ms] write 0 1 -> ok
                #1 p1 [0.000002 .. 0.000003 ms] write 0 2 -> ok
              state after it: 2
              can not follow, nor come earlier:
                #2 p2 [0.000004 .. 0.000005 ms] read 0 -> 1
              these alone have no order, whatever the others did, and each of them is needed:
                #0 p1 [0 .. 0.000001 ms] write 0 1 -> ok
                #1 p1 [0.000002 .. 0.000003 ms] write 0 2 -> ok
                #2 p2 [0.000004 .. 0.000005 ms] read 0 -> 1
              Read #2 of 0 by process 2 returned 1 at 0.000005 ms, but write 2 (#1, process
                1) had been acknowledged at 0.000003 ms, when write 1 (#0, process 1) was
                over.
              Write 1 (#0, process 1) ended at 0.000001 ms, before write 2 (#1, process 1)
                was invoked at 0.000002 ms.
              Write 2 (#1, process 1) ended at 0.000003 ms, before read -> 1 (#2, process 2)
                was invoked at 0.000004 ms."#]],
    );
}

#[test]
fn only_the_broken_key_is_shown() {
    told(
        "map-one-key-stale",
        CheckerSpec::Linearizability,
        ModelKind::Map,
        expect![[r#"
            linearizability: violation (5 of 5 operations)
              scope: objects judged as map, each by itself: 2
            not-linearizable: key "y": no order explains the response of #3 (2 of 3 placed)
              longest legal prefix, 2 operations
                #1 p2 [0.000002 .. 0.000003 ms] write "y" 2 -> ok
                #2 p2 [0.000004 .. 0.000005 ms] write "y" 3 -> ok
              state after it: 3
              can not follow, nor come earlier:
                #3 p3 [0.000006 .. 0.000007 ms] read "y" -> 2
              these alone have no order, whatever the others did, and each of them is needed:
                #1 p2 [0.000002 .. 0.000003 ms] write "y" 2 -> ok
                #2 p2 [0.000004 .. 0.000005 ms] write "y" 3 -> ok
                #3 p3 [0.000006 .. 0.000007 ms] read "y" -> 2
              Read #3 of "y" by process 3 returned 2 at 0.000007 ms, but write 3 (#2, process
                2) had been acknowledged at 0.000005 ms, when write 2 (#1, process 2) was
                over.
              Write 2 (#1, process 2) ended at 0.000003 ms, before write 3 (#2, process 2)
                was invoked at 0.000004 ms.
              Write 3 (#2, process 2) ended at 0.000005 ms, before read -> 2 (#3, process 3)
                was invoked at 0.000006 ms."#]],
    );
}

#[test]
fn a_lost_acknowledgement() {
    told(
        "log-lost-ack",
        CheckerSpec::NoLostAck,
        ModelKind::Log,
        expect![[r#"
            no-lost-ack: violation (3 of 3 operations)
              scope: objects with a final read: 1
            lost-ack: 1 of 3 acknowledged appends are missing from final read #3: 2
              operations:
                #3 p9 [0.000006 .. 0.000007 ms] final-read "l" -> [1,3]
                #1 p2 [0.000002 .. 0.000003 ms] append "l" 2 -> ok"#]],
    );
}

#[test]
fn two_leaders() {
    told(
        "leaders-two-in-a-term",
        CheckerSpec::SingleLeader,
        ModelKind::Map,
        expect![[r#"
            single-leader: violation (3 of 3 operations)
              scope: 2 terms; only observed leaders are seen
            two-leaders: term 2 has 2 leaders: "n2", "n3"
              operations:
                #1 p2 [4 .. 4 ms] lead 2 -> "n2"
                #2 p3 [9 .. 9 ms] lead 2 -> "n3""#]],
    );
}

#[test]
fn no_progress_with_the_faults_and_errors() {
    told(
        "progress-none-after-heal",
        CheckerSpec::Progress {
            within_ns: 10_000_000,
        },
        ModelKind::Map,
        expect![[r#"
            progress: violation (2 of 2 operations)
              scope: 1 of 1 heals judged, by what was invoked within 10 ms; 0 under another fault
            no-progress: nothing succeeded within 10 ms of the heal at 10 ms; 2 tried
              operations:
                #0 p1 [12 .. ? ms] write 0 2 -> unknown: timed out
                #1 p2 [13 .. 17 ms] write 0 3 -> failed: no leader
              these alone are refused, and without any one of them they are not:
                #1 p2 [13 .. 17 ms] write 0 3 -> failed: no leader
                #2 p1 [25 .. 26 ms] write 0 3 -> ok"#]],
    );
}
