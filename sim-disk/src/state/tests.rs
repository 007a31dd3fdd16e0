//! Crash states of small traces, enumerated: every state that a profile allows, and no other.

use std::collections::BTreeSet;
use std::io::Write;

use super::inode::InodeId;
use super::names::OpenRequest;
use super::order::is_closed;
use super::select::{CrashKind, Selection, pieces};
use super::volume::{Rules, Volume};
use crate::config::{Profile, TearUnit};

const CREATE: OpenRequest = OpenRequest {
    write: true,
    truncate: false,
    create: true,
    create_new: false,
    only_dir: false,
    only_path: false,
    mode: 0o644,
};
const REWRITE: OpenRequest = OpenRequest {
    truncate: true,
    ..CREATE
};
const PROFILES: [Profile; 3] = [
    Profile::PosixWeak,
    Profile::Ext4Ordered,
    Profile::Sequential,
];

fn volume(profile: Profile, tear: TearUnit) -> Volume {
    let rules = Rules {
        profile,
        tear,
        capacity_pages: None,
        dirty_ops_max: 1 << 16,
        dirty_bytes_max: 1 << 28,
    };
    Volume::new(rules, 0)
}

fn put(volume: &mut Volume, path: &str, request: OpenRequest, content: &[u8]) -> InodeId {
    let (id, _) = volume.open_path(path.as_bytes(), request, 0).unwrap();
    assert_eq!(volume.write(id, 0, content, 0).unwrap().0, content.len());
    id
}

fn sync_dir(volume: &mut Volume, path: &str) {
    let id = volume.find(path.as_bytes()).unwrap();
    volume.sync(id);
}

/// All names with the contents of the files, runs of one byte as `9*100`.
fn describe(volume: &Volume) -> String {
    let mut text = Vec::new();
    describe_dir(volume, InodeId::ROOT, "", &mut text);
    String::from_utf8(text).unwrap().trim_end().to_owned()
}

fn describe_dir(volume: &Volume, dir: InodeId, at: &str, text: &mut Vec<u8>) {
    for (name, &child) in volume.cache(dir).entries().unwrap() {
        let path = format!("{at}/{}", str::from_utf8(name).unwrap());
        if volume.cache(child).is_dir() {
            if path != "/tmp" {
                write!(text, "{path}/ ").unwrap();
            }
            describe_dir(volume, child, &path, text);
            continue;
        }
        let mut content = vec![0; volume.cache(child).size() as usize];
        volume.cache(child).read(0, &mut content);
        let runs: Vec<String> = content
            .chunk_by(|a, b| a == b)
            .map(|run| {
                let byte = if run[0] == 0 { '0' } else { run[0] as char };
                if run.len() == 1 {
                    byte.to_string()
                } else {
                    format!("{byte}*{}", run.len())
                }
            })
            .collect();
        write!(text, "{path}={} ", runs.join("+")).unwrap();
    }
}

/// What is left after every selection that the profile allows, torn ones included.
fn crash_states(volume: &Volume) -> BTreeSet<String> {
    let (_, ops, deps) = volume.pending();
    let n = ops.len();
    assert!(n <= 16, "{n} operations are too many to enumerate");
    let mut states = BTreeSet::new();
    for bits in 0..1u32 << n {
        let kept: Vec<bool> = (0..n).map(|at| bits >> at & 1 == 1).collect();
        if !is_closed(&deps, &kept) {
            continue;
        }
        let mut tears = Vec::from([None]);
        for at in (0..n).filter(|&at| !kept[at] && deps[at].iter().all(|&need| kept[need])) {
            let Some(units) = pieces(&ops[at].change, volume.rules.tear) else {
                continue;
            };
            for mask in 1..(1u32 << units.len()) - 1 {
                let survives = |unit: &usize| mask >> unit & 1 == 1;
                let ranges = (0..units.len())
                    .filter(survives)
                    .map(|unit| units[unit].clone());
                tears.push(Some((at, ranges.collect())));
            }
        }
        for torn in tears {
            let mut after = volume.clone();
            let kind = if torn.is_some() {
                CrashKind::Torn
            } else {
                CrashKind::Subset
            };
            after.crash(&Selection {
                kind,
                kept: kept.clone(),
                torn,
                garbage: None,
            });
            states.insert(describe(&after));
        }
    }
    states
}

/// The crash states of what `body` leaves pending are exactly these.
fn check(profile: Profile, tear: TearUnit, body: impl Fn(&mut Volume), expected: &[&str]) {
    let mut volume = volume(profile, tear);
    body(&mut volume);
    let expected: BTreeSet<String> = expected.iter().map(|&state| state.to_owned()).collect();
    assert_eq!(crash_states(&volume), expected, "{}", profile.name());
}

#[test]
fn a_new_file_without_any_sync() {
    let body = |volume: &mut Volume| {
        put(volume, "/f", CREATE, b"x");
    };
    let tear = TearUnit::Atomic512;
    check(Profile::PosixWeak, tear, body, &["", "/f=", "/f=0", "/f=x"]);
    check(Profile::Ext4Ordered, tear, body, &["", "/f=", "/f=x"]);
    check(Profile::Sequential, tear, body, &["", "/f=", "/f=x"]);
}

#[test]
fn fsync_of_a_file_persists_its_name_only_where_the_profile_says_so() {
    let body = |volume: &mut Volume| {
        let id = put(volume, "/f", CREATE, b"x");
        volume.sync(id);
    };
    let tear = TearUnit::Atomic512;
    check(Profile::PosixWeak, tear, body, &["", "/f=x"]);
    check(Profile::Ext4Ordered, tear, body, &["/f=x"]);
    check(Profile::Sequential, tear, body, &["/f=x"]);
}

#[test]
fn a_synced_file_in_a_synced_directory_is_never_lost() {
    for profile in PROFILES {
        let body = |volume: &mut Volume| {
            let id = put(volume, "/f", CREATE, b"x");
            volume.sync(id);
            sync_dir(volume, "/");
        };
        check(profile, TearUnit::None, body, &["/f=x"]);
    }
}

#[test]
fn fdatasync_makes_data_and_size_durable() {
    let run = |volume: &mut Volume| {
        let (id, _) = volume.open_path(b"/f", CREATE, 0).unwrap();
        sync_dir(volume, "/");
        volume.write(id, 0, b"abc", 0).unwrap();
        volume.set_mode(id, 0o600, 0);
        volume.sync_data(id);
        assert_eq!(volume.ops.len(), 1, "the mode is still pending");
    };
    check(Profile::PosixWeak, TearUnit::None, run, &["/f=a+b+c"]);
}

#[test]
fn rename_is_atomic_and_not_ordered_after_data() {
    let body = |volume: &mut Volume| {
        let old = put(volume, "/f", CREATE, b"o");
        volume.sync(old);
        sync_dir(volume, "/");
        put(volume, "/new", CREATE, b"n");
        volume.rename(b"/new", b"/f", 0).unwrap();
    };
    let tear = TearUnit::Atomic512;
    let weak = [
        "/f=o",
        "/f=o /new=",
        "/f=o /new=0",
        "/f=o /new=n",
        // The classic: the name is there before the data.
        "/f=",
        "/f=0",
        "/f=n",
    ];
    check(Profile::PosixWeak, tear, body, &weak);
    let ordered = ["/f=o", "/f=o /new=", "/f=o /new=n", "/f=n"];
    check(Profile::Ext4Ordered, tear, body, &ordered);
    check(Profile::Sequential, tear, body, &ordered);
}

#[test]
fn write_sync_rename_sync_dir_shows_old_or_new_and_nothing_else() {
    for profile in PROFILES {
        let prepare = |volume: &mut Volume| {
            let old = put(volume, "/f", CREATE, b"o");
            volume.sync(old);
            sync_dir(volume, "/");
            let new = put(volume, "/new", CREATE, b"n");
            volume.sync(new);
            volume.rename(b"/new", b"/f", 0).unwrap();
        };
        let mut volume = volume(profile, TearUnit::None);
        prepare(&mut volume);
        for state in crash_states(&volume) {
            assert!(
                state.starts_with("/f=o") || state == "/f=n",
                "{}: {state}",
                profile.name()
            );
        }
        sync_dir(&mut volume, "/");
        assert_eq!(crash_states(&volume), BTreeSet::from(["/f=n".to_owned()]));
    }
}

#[test]
fn an_append_without_sync_shows_size_and_data_apart() {
    let body = |volume: &mut Volume| {
        let id = put(volume, "/log", CREATE, b"a");
        volume.sync(id);
        sync_dir(volume, "/");
        volume.write(id, 1, b"b", 0).unwrap();
    };
    let tear = TearUnit::Atomic512;
    check(
        Profile::PosixWeak,
        tear,
        body,
        &["/log=a", "/log=a+0", "/log=a+b"],
    );
    check(Profile::Ext4Ordered, tear, body, &["/log=a", "/log=a+b"]);
    check(Profile::Sequential, tear, body, &["/log=a", "/log=a+b"]);
}

#[test]
fn an_overwrite_tears_at_sectors() {
    let body = |volume: &mut Volume| {
        let id = put(volume, "/f", CREATE, &[b'o'; 1024]);
        volume.sync(id);
        sync_dir(volume, "/");
        volume.write(id, 0, &[b'n'; 1024], 0).unwrap();
    };
    let whole = ["/f=o*1024", "/f=n*1024"];
    let torn = ["/f=o*1024", "/f=n*1024", "/f=n*512+o*512", "/f=o*512+n*512"];
    check(Profile::PosixWeak, TearUnit::Atomic512, body, &torn);
    check(Profile::Ext4Ordered, TearUnit::Atomic512, body, &torn);
    check(Profile::PosixWeak, TearUnit::Atomic4096, body, &whole);
}

#[test]
fn a_write_of_two_pages_tears_between_them_under_every_unit() {
    let body = |volume: &mut Volume| {
        let id = put(volume, "/f", CREATE, &[b'o'; 8192]);
        volume.sync(id);
        sync_dir(volume, "/");
        volume.write(id, 0, &[b'n'; 8192], 0).unwrap();
    };
    let weak = [
        "/f=o*8192",
        "/f=n*8192",
        "/f=n*4096+o*4096",
        "/f=o*4096+n*4096",
    ];
    check(Profile::PosixWeak, TearUnit::Atomic4096, body, &weak);
    check(Profile::Sequential, TearUnit::Atomic4096, body, &weak[..3]);
}

#[test]
fn a_later_write_to_the_same_sector_needs_the_earlier_one() {
    let body = |volume: &mut Volume| {
        let id = put(volume, "/f", CREATE, b"oo");
        volume.sync(id);
        sync_dir(volume, "/");
        volume.write(id, 0, b"1", 0).unwrap();
        volume.write(id, 1, b"2", 0).unwrap();
    };
    let expected = ["/f=o*2", "/f=1+o", "/f=1+2"];
    check(Profile::PosixWeak, TearUnit::Atomic512, body, &expected);
}

#[test]
fn truncate_and_rewrite_never_mixes_old_and_new() {
    let body = |volume: &mut Volume| {
        let id = put(volume, "/f", CREATE, b"old");
        volume.sync(id);
        sync_dir(volume, "/");
        put(volume, "/f", REWRITE, b"n");
    };
    let tear = TearUnit::Atomic512;
    check(
        Profile::PosixWeak,
        tear,
        body,
        &["/f=o+l+d", "/f=", "/f=0", "/f=n"],
    );
    check(
        Profile::Ext4Ordered,
        tear,
        body,
        &["/f=o+l+d", "/f=", "/f=n"],
    );
}

#[test]
fn a_rename_into_a_new_directory_loses_nothing() {
    for profile in PROFILES {
        let mut volume = volume(profile, TearUnit::Atomic512);
        let id = put(&mut volume, "/f", CREATE, b"x");
        volume.sync(id);
        sync_dir(&mut volume, "/");
        volume.make_dir(b"/a", 0o755, 0).unwrap();
        volume.make_dir(b"/a/b", 0o755, 0).unwrap();
        volume.rename(b"/f", b"/a/b/f", 0).unwrap();
        for state in crash_states(&volume) {
            assert!(state.contains("/f=x"), "{}: {state}", profile.name());
        }
        sync_dir(&mut volume, "/a/b");
        let kept = BTreeSet::from(["/a/ /a/b/ /a/b/f=x".to_owned()]);
        assert_eq!(crash_states(&volume), kept);
    }
}

#[test]
fn moving_directories_into_each_other_in_turn_makes_no_loop() {
    for profile in PROFILES {
        let mut volume = volume(profile, TearUnit::Atomic512);
        for (dir, file) in [("/a", "/a/f"), ("/b", "/b/g")] {
            volume.make_dir(dir.as_bytes(), 0o755, 0).unwrap();
            put(&mut volume, file, CREATE, b"x");
        }
        volume.sync_all();
        volume.rename(b"/a", b"/b/a", 0).unwrap();
        volume.rename(b"/b/a", b"/c", 0).unwrap();
        volume.rename(b"/b", b"/c/b", 0).unwrap();
        for state in crash_states(&volume) {
            assert!(state.contains("/f=x") && state.contains("/g=x"), "{state}");
        }
    }
}

#[test]
fn removing_a_directory_waits_for_what_left_it() {
    for profile in PROFILES {
        let mut volume = volume(profile, TearUnit::Atomic512);
        volume.make_dir(b"/d", 0o755, 0).unwrap();
        put(&mut volume, "/d/f", CREATE, b"x");
        volume.sync_all();
        volume.rename(b"/d/f", b"/f", 0).unwrap();
        volume.remove_dir(b"/d", 0).unwrap();
        let expected: Vec<&str> = Vec::from(["/d/ /d/f=x", "/d/ /f=x", "/f=x"]);
        let expected = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(crash_states(&volume), expected, "{}", profile.name());
    }
}

#[test]
fn a_failed_fsync_dooms_what_it_should_have_written() {
    let fault = sim_runtime::FaultId(1);
    for profile in PROFILES {
        let mut volume = volume(profile, TearUnit::Atomic512);
        let id = put(&mut volume, "/f", CREATE, b"x");
        sync_dir(&mut volume, "/");
        assert_eq!(volume.sync_failed(id, fault), 1);
        volume.write(id, 1, b"y", 0).unwrap();
        assert_eq!(volume.sync_failed(id, fault), 1);
        let reverts = profile == Profile::Sequential;
        let visible = if reverts { "/f=0*2" } else { "/f=x+y" };
        assert_eq!(describe(&volume), visible, "{}", profile.name());
        volume.sync(id);
        assert!(
            volume.ops.is_empty(),
            "the fsync after the failed ones said Ok"
        );
        let left = BTreeSet::from(["/f=0*2".to_owned()]);
        assert_eq!(crash_states(&volume), left, "{}", profile.name());
    }
}

#[test]
fn synced_and_forgotten_files_cost_nothing() {
    let mut volume = volume(Profile::PosixWeak, TearUnit::Atomic512);
    let inodes = volume.inodes.len();
    for _ in 0..10 {
        let id = put(&mut volume, "/f", CREATE, &[1; 10_000]);
        volume.unlink(b"/f", 0).unwrap();
        volume.release(id);
    }
    assert_eq!(volume.pages_used, 0);
    sync_dir(&mut volume, "/");
    assert_eq!(
        (volume.inodes.len(), volume.ops.len(), volume.pending_bytes),
        (inodes, 0, 0)
    );
}

#[test]
fn write_back_keeps_memory_in_bounds_and_order() {
    for profile in PROFILES {
        let mut volume = volume(profile, TearUnit::Atomic512);
        volume.rules.dirty_ops_max = 10;
        let (id, _) = volume.open_path(b"/log", CREATE, 0).unwrap();
        for at in 0..1_000 {
            volume.write(id, at, b"x", 0).unwrap();
            assert!(volume.ops.len() <= 11);
        }
        for state in crash_states(&volume) {
            assert!(
                state.starts_with("/log=x*99") || state == "/log=x*1000",
                "{state}"
            );
        }
    }
}

/// Random traces: whatever the kind of crash, what was synced is there, and the state is one
/// that the profile allows.
#[test]
fn drawn_crashes_are_among_the_enumerated_ones() {
    for profile in PROFILES {
        let mut volume = volume(profile, TearUnit::Atomic512);
        let id = put(&mut volume, "/f", CREATE, &[b'o'; 1536]);
        volume.sync(id);
        sync_dir(&mut volume, "/");
        volume.write(id, 0, &[b'n'; 1536], 0).unwrap();
        put(&mut volume, "/g", CREATE, b"g");
        volume.rename(b"/g", b"/h", 0).unwrap();
        volume.make_dir(b"/d", 0o755, 0).unwrap();
        let allowed = crash_states(&volume);
        let mut drawn = BTreeSet::new();
        let mut kinds = BTreeSet::new();
        let mut stream = sim_runtime::Stream::of(sim_runtime::Seed(1), "test", 0);
        for _ in 0..2_000 {
            let mut after = volume.clone();
            kinds.insert(after.power_loss(false, &mut |n| stream.below(n)).kind);
            drawn.insert(describe(&after));
        }
        assert!(drawn.is_subset(&allowed), "{}", profile.name());
        assert_eq!(kinds.len(), 5, "every kind but `Clean` is drawn: {kinds:?}");
        assert!(
            drawn.len() * 2 >= allowed.len(),
            "{} of {}",
            drawn.len(),
            allowed.len()
        );
    }
}
