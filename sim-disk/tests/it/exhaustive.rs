//! Rule 11: every crash state of a small program, once, handed to a check.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use sim_disk::{CrashState, DiskConfig, Exhaustive, Explored, Profile, TearUnit, crash_states};

fn how(profile: Profile) -> Exhaustive {
    Exhaustive {
        disk: DiskConfig {
            profile,
            tear: TearUnit::Atomic4096,
            ..DiskConfig::default()
        },
        ..Exhaustive::default()
    }
}

async fn nothing() {}

async fn append_two_records() {
    let mut log = OpenOptions::new().append(true).create(true).open("/log");
    for record in [b"1", b"2"] {
        log.as_mut().unwrap().write_all(record).unwrap();
        log.as_mut().unwrap().sync_all().unwrap();
    }
}

/// The contents that a log may have, and what was looked at.
fn logs(how: &Exhaustive) -> (BTreeSet<String>, Explored) {
    let seen: Rc<RefCell<BTreeSet<String>>> = Rc::default();
    let noted = Rc::clone(&seen);
    let note = move |_: CrashState| {
        let noted = Rc::clone(&noted);
        async move {
            let content = fs::read_to_string("/log");
            let content = content.unwrap_or_else(|error| error.kind().to_string());
            assert!(noted.borrow_mut().insert(content), "each state once");
        }
    };
    let explored = crash_states(how, nothing, append_two_records, note);
    (seen.take(), explored)
}

#[test]
fn rule_11_a_check_sees_each_state_once() {
    // fsync of a new file keeps its name only where the profile says so.
    for (profile, expected) in [
        (
            Profile::PosixWeak,
            &["", "1", "12", "1\0", "\0", "entity not found"][..],
        ),
        (Profile::Ext4Ordered, &["", "1", "12", "entity not found"]),
        (Profile::Sequential, &["", "1", "12", "entity not found"]),
    ] {
        let (seen, explored) = logs(&how(profile));
        let expected: BTreeSet<String> = expected.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(seen, expected, "{}", profile.name());
        assert!(explored.is_complete);
        assert_eq!(explored.states, expected.len());
    }
}

#[test]
fn rule_11_a_cap_holds_and_says_so() {
    let capped = Exhaustive {
        states_max: 3,
        ..how(Profile::PosixWeak)
    };
    let (seen, explored) = logs(&capped);
    assert_eq!((seen.len(), explored.states), (3, 3));
    assert!(!explored.is_complete);
}

#[test]
fn rule_11_what_the_setup_did_is_durable_and_a_failed_check_names_its_state() {
    let setup = || async { fs::write("/kept", "before").unwrap() };
    let program = || async {
        fs::write("/kept", "after!").unwrap();
        File::open("/kept").unwrap().sync_all().unwrap();
    };
    let explored = crash_states(&how(Profile::Sequential), setup, program, |_| async {
        let kept = fs::read_to_string("/kept").unwrap();
        assert!(["before", "", "after!"].contains(&&*kept), "{kept:?}");
    });
    assert_eq!(explored.states, 3);
    let failing = || {
        crash_states(&how(Profile::Sequential), setup, program, |_| async {
            assert_ne!(fs::read_to_string("/kept").unwrap(), "", "truncated");
        })
    };
    let payload = catch_unwind(AssertUnwindSafe(failing)).unwrap_err();
    let message = payload.downcast_ref::<String>().unwrap();
    assert!(message.starts_with("crash state "), "{message}");
    assert!(message.contains(" of 3, "), "{message}");
    assert!(
        message.contains(" operations kept, 1 syncs made: "),
        "{message}"
    );
    assert!(message.contains("truncated"), "{message}");
}
