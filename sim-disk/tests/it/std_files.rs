//! `std::fs` of code that knows nothing of the simulation: the same body on the machine's file
//! system and on a node's volume logs the same.

use std::fmt::Debug;
use std::fs::{self, File, FileTimes, OpenOptions, Permissions, TryLockError};
use std::io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs as unix;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use sim_disk::DiskConfig;
use sim_runtime::{Down, NodeMain};

use crate::fs::Folder;
use crate::harness::{Bench, get};

/// What a body saw, and what it is about.
pub(crate) struct Log {
    pub(crate) root: PathBuf,
    lines: Vec<String>,
}

impl Log {
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Notes a result, by errno where it is an error, with paths from the root on.
    pub(crate) fn note<T: Debug>(&mut self, what: &str, result: io::Result<T>) {
        let said = match result {
            Ok(value) => format!("{value:?}"),
            Err(error) => match error.raw_os_error() {
                Some(code) => format!("errno {code}"),
                None => format!("{:?}", error.kind()),
            },
        };
        let root = self.root.to_string_lossy().into_owned();
        self.lines
            .push(format!("{what}: {}", said.replace(&root, "")));
    }
}

/// Runs a body on the machine and on a node, and compares what it logged.
pub(crate) fn same_on_both(name: &str, body: impl Fn(&mut Log)) {
    let run = |root: PathBuf| {
        let lines = Vec::new();
        let mut log = Log { root, lines };
        body(&mut log);
        log.lines
    };
    let folder = Folder::new(name);
    let real = run(folder.path().to_path_buf());
    let bench = Bench::new(1, DiskConfig::default());
    let ours = bench.on_node(|_| {
        fs::create_dir_all("/volume/here").unwrap();
        run(PathBuf::from("/volume/here"))
    });
    drop(bench.finish());
    assert!(!real.is_empty());
    for (at, (real, ours)) in real.iter().zip(&ours).enumerate() {
        assert_eq!(real, ours, "line {at}: the machine's is on the left");
    }
    assert_eq!(real.len(), ours.len());
}

#[test]
fn files_are_written_read_and_sought() {
    same_on_both("std-files", |log| {
        let path = log.at("a");
        log.note("write", fs::write(&path, b"hello, world"));
        log.note("read", fs::read_to_string(&path));
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let mut file = file.unwrap();
        let mut start = [0; 5];
        log.note("read 5", file.read(&mut start).map(|n| (n, start)));
        log.note("position", file.stream_position());
        log.note("seek", file.seek(SeekFrom::End(-5)));
        let mut end = String::new();
        log.note("rest", file.read_to_string(&mut end).map(|n| (n, end)));
        log.note("before the start", file.seek(SeekFrom::Current(-100)));
        log.note("write at", file.write_at(b"HELLO", 0));
        log.note("past the end", file.write_at(b"!", 20));
        let mut at = [1; 4];
        log.note("hole", file.read_at(&mut at, 14).map(|n| (n, at)));
        log.note("beyond", file.read_at(&mut at, 1_000));
        log.note("length", file.metadata().map(|told| told.len()));
        log.note("set length", file.set_len(3));
        log.note("now", fs::read(&path));
        let (mut one, mut two) = ([0; 2], [0; 9]);
        file.rewind().unwrap();
        let mut both = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        log.note("vectored", file.read_vectored(&mut both));
        log.note("filled", Ok((one, two)));
        let pieces = [IoSlice::new(b"xy"), IoSlice::new(b""), IoSlice::new(b"zz")];
        log.note("write vectored", file.write_vectored(&pieces));
        log.note("sync", file.sync_all());
        log.note("sync data", file.sync_data());
        log.note("in the end", fs::read(&path));
    });
}

#[test]
fn files_are_opened_as_asked() {
    same_on_both("std-open", |log| {
        let path = log.at("a");
        log.note("missing", File::open(&path).map(|_| ()));
        log.note("new", File::create_new(&path).map(|_| ()));
        log.note("not new", File::create_new(&path).map(|_| ()));
        fs::write(&path, b"content").unwrap();
        let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
        let mut other = OpenOptions::new().append(true).open(&path).unwrap();
        log.note("append", writer.write(b" one"));
        log.note("append", other.write(b" two"));
        log.note("append", writer.write(b" three"));
        log.note("read of a writer", writer.read(&mut [0; 3]));
        log.note("together", fs::read_to_string(&path));
        log.note("write of a reader", File::open(&path).unwrap().write(b"x"));
        log.note("below a file", File::open(log.at("a/b")).map(|_| ()));
        log.note("file as directory", File::open(log.at("a/")).map(|_| ()));
        log.note("write a directory", File::create(&log.root).map(|_| ()));
        let directory = File::open(&log.root).unwrap();
        log.note("read a directory", (&directory).read(&mut [0; 3]));
        log.note("sync a directory", directory.sync_all());
        let only = |flag| OpenOptions::new().read(true).custom_flags(flag).to_owned();
        let directories = only(libc_flags::O_DIRECTORY);
        log.note("only directories", directories.open(&path).map(|_| ()));
        unix::symlink("a", log.at("link")).unwrap();
        let no_links = only(libc_flags::O_NOFOLLOW);
        log.note("no links", no_links.open(log.at("link")).map(|_| ()));
        let mode = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .open(log.at("m"));
        let bits = mode.and_then(|file| Ok(file.metadata()?.permissions().mode() & 0o777));
        log.note("mode", bits);
        let copy = writer.try_clone().unwrap();
        log.note("copy", (&copy).write(b" four"));
        log.note("long", File::open(log.at(&"x".repeat(300))).map(|_| ()));
        log.note("NUL", File::open(log.at("a\0b")).map(|_| ()));
        log.note("empty", File::open("").map(|_| ()));
    });
}

/// Numbers of Linux, to be asked for by std's own options.
mod libc_flags {
    pub(super) const O_DIRECTORY: i32 = 0o200_000;
    pub(super) const O_NOFOLLOW: i32 = 0o400_000;
}

#[test]
fn directories_are_made_listed_and_removed() {
    same_on_both("std-directories", |log| {
        log.note("make", fs::create_dir(log.at("d")));
        log.note("again", fs::create_dir(log.at("d")));
        log.note("no parent", fs::create_dir(log.at("x/y")));
        log.note("all", fs::create_dir_all(log.at("d/e/f")));
        for name in ["b", "a", "c"] {
            fs::write(log.at(&format!("d/{name}")), name).unwrap();
        }
        unix::symlink("a", log.at("d/link")).unwrap();
        let mut names: Vec<_> = fs::read_dir(log.at("d"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let (kind, told) = (entry.file_type().unwrap(), entry.metadata().unwrap());
                let same = told.ino() == std::os::unix::fs::DirEntryExt::ino(&entry);
                (entry.file_name(), kind.is_dir(), kind.is_symlink(), same)
            })
            .collect();
        names.sort();
        log.note("names", Ok(names));
        log.note("not a directory", fs::read_dir(log.at("d/a")).map(|_| ()));
        log.note("missing", fs::read_dir(log.at("nothing")).map(|_| ()));
        log.note("not empty", fs::remove_dir(log.at("d")));
        log.note("a file", fs::remove_dir(log.at("d/a")));
        log.note("a directory", fs::remove_file(log.at("d/e")));
        log.note("remove", fs::remove_dir(log.at("d/e/f")));
        log.note("remove all", fs::remove_dir_all(log.at("d")));
        log.note("gone", fs::exists(log.at("d")));
        let private = fs::DirBuilder::new().mode(0o700).create(log.at("p"));
        log.note("private", private);
        let mode = fs::metadata(log.at("p")).unwrap().permissions().mode();
        log.note("mode", Ok(mode & 0o777));
    });
}

#[test]
fn many_names_survive_being_removed_while_they_are_listed() {
    same_on_both("std-many", |log| {
        fs::create_dir(log.at("d")).unwrap();
        for number in 0..300 {
            fs::write(log.at(&format!("d/{number}")), b"").unwrap();
        }
        let mut removed = 0;
        for entry in fs::read_dir(log.at("d")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
            removed += 1;
        }
        log.note("removed", Ok(removed));
        log.note("empty", fs::remove_dir(log.at("d")));
    });
}

#[test]
fn names_are_moved_linked_and_removed() {
    same_on_both("std-names", |log| {
        fs::write(log.at("a"), b"one").unwrap();
        fs::write(log.at("b"), b"two").unwrap();
        fs::create_dir(log.at("d")).unwrap();
        fs::create_dir(log.at("e")).unwrap();
        fs::write(log.at("e/full"), b"").unwrap();
        log.note("over", fs::rename(log.at("a"), log.at("b")));
        log.note("what is there", fs::read_to_string(log.at("b")));
        log.note("over a directory", fs::rename(log.at("b"), log.at("d")));
        log.note(
            "a directory over a file",
            fs::rename(log.at("d"), log.at("b")),
        );
        log.note("over a full one", fs::rename(log.at("d"), log.at("e")));
        log.note("into itself", fs::rename(log.at("d"), log.at("d/x")));
        log.note("missing", fs::rename(log.at("a"), log.at("c")));
        log.note("link", fs::hard_link(log.at("b"), log.at("c")));
        log.note("links", fs::metadata(log.at("b")).map(|told| told.nlink()));
        log.note("link again", fs::hard_link(log.at("b"), log.at("c")));
        log.note("link a directory", fs::hard_link(log.at("d"), log.at("f")));
        log.note("symlink", unix::symlink("b", log.at("s")));
        log.note("target", fs::read_link(log.at("s")));
        log.note("not a link", fs::read_link(log.at("b")));
        log.note("through", fs::read_to_string(log.at("s")));
        let told = fs::symlink_metadata(log.at("s")).unwrap();
        log.note("itself", Ok((told.is_symlink(), told.len())));
        log.note("real", fs::canonicalize(log.at("d/../s")));
        log.note("loop", unix::symlink("loop", log.at("loop")));
        log.note("round", fs::read(log.at("loop")));
        log.note("unlink", fs::remove_file(log.at("b")));
        log.note("dangling", fs::read(log.at("s")));
        log.note("still", fs::read_to_string(log.at("c")));
        let open = File::open(log.at("c")).unwrap();
        log.note("unlink open", fs::remove_file(log.at("c")));
        log.note("still", io::read_to_string(&open));
        log.note("links", open.metadata().map(|told| told.nlink()));
    });
}

#[test]
fn attributes_and_times_are_kept() {
    same_on_both("std-attributes", |log| {
        let path = log.at("a");
        fs::write(&path, b"0123456789").unwrap();
        log.note(
            "chmod",
            fs::set_permissions(&path, Permissions::from_mode(0o400)),
        );
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        log.note("mode", Ok(mode));
        let file = File::open(&path).unwrap();
        log.note(
            "fchmod",
            file.set_permissions(Permissions::from_mode(0o644)),
        );
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let when = UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
        let times = FileTimes::new().set_accessed(when).set_modified(when);
        log.note("times", file.set_times(times));
        let told = fs::metadata(&path).unwrap();
        log.note("accessed", told.accessed());
        log.note("modified", told.modified());
        log.note("made", told.created().map(|made| made > UNIX_EPOCH));
        let kind = told.file_type();
        log.note(
            "kind",
            Ok((kind.is_file(), kind.is_dir(), told.nlink(), told.len())),
        );
        log.note("missing", fs::metadata(log.at("b")).map(|_| ()));
        log.note(
            "missing",
            fs::set_permissions(log.at("b"), Permissions::from_mode(0o000)),
        );
        let same = file.metadata().unwrap().ino() == told.ino();
        log.note(
            "one number",
            Ok((same, file.metadata().unwrap().dev() == told.dev())),
        );
        let other = fs::metadata(&log.root).unwrap();
        log.note("another", Ok(other.ino() == told.ino()));
    });
}

#[test]
fn copies_hold_what_was_there() {
    same_on_both("std-copies", |log| {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        fs::write(log.at("a"), &bytes).unwrap();
        fs::set_permissions(log.at("a"), Permissions::from_mode(0o600)).unwrap();
        log.note("copy", fs::copy(log.at("a"), log.at("b")));
        log.note("equal", fs::read(log.at("b")).map(|copy| copy == bytes));
        let mode = fs::metadata(log.at("b")).unwrap().permissions().mode();
        log.note("mode", Ok(mode & 0o777));
        log.note("a directory", fs::copy(&log.root, log.at("c")));
        log.note("missing", fs::copy(log.at("nothing"), log.at("c")));
        let mut from = File::open(log.at("a")).unwrap();
        let mut to = File::create(log.at("d")).unwrap();
        from.seek(SeekFrom::Start(199_000)).unwrap();
        log.note("io::copy", io::copy(&mut from, &mut to));
        log.note("length", to.metadata().map(|told| told.len()));
        log.note("at its end", from.stream_position());
    });
}

#[test]
fn locks_exclude_who_does_not_hold_them() {
    fn state(result: Result<(), TryLockError>) -> io::Result<&'static str> {
        match result {
            Ok(()) => Ok("held"),
            Err(TryLockError::WouldBlock) => Ok("taken"),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
    same_on_both("std-locks", |log| {
        let path = log.at("a");
        let one = File::create(&path).unwrap();
        let two = File::open(&path).unwrap();
        log.note("first", state(one.try_lock()));
        log.note("second", state(two.try_lock()));
        log.note("shared", state(two.try_lock_shared()));
        log.note("down", state(one.try_lock_shared()));
        log.note("shared", state(two.try_lock_shared()));
        log.note("up", state(one.try_lock()));
        log.note("gone", one.unlock());
        log.note("up", state(two.try_lock()));
        let copy = two.try_clone().unwrap();
        drop(two);
        log.note("by its copy", state(one.try_lock()));
        drop(copy);
        log.note("free", state(one.try_lock()));
        log.note("waits for nobody", one.lock());
    });
}

#[test]
fn std_and_the_disk_see_one_tree_which_outlives_the_process() {
    let bench = Bench::new(1, DiskConfig::default());
    bench.on_node(|disk| {
        fs::write("/by-std", b"std").unwrap();
        assert_eq!(get(disk, "/by-std").as_deref(), Some(&b"std"[..]));
        crate::harness::put(disk, "/by-disk", b"disk", false);
        assert_eq!(fs::read("/by-disk").unwrap(), b"disk");
    });
    bench.down_and_up(Down::Kill);
    bench.on_node(|_| assert_eq!(fs::read("/by-std").unwrap(), b"std"));
    bench.down_and_up(Down::PowerLoss);
    let kept = bench.disk.last_crash(bench.node).expect("there was one");
    assert!(kept.pending > 0, "nothing was synced");
    drop(bench.finish());
}

#[test]
fn what_std_synced_survives_a_power_loss() {
    for seed in 0..20 {
        let bench = Bench::new(seed, DiskConfig::default());
        bench.on_node(|_| {
            let mut file = File::create("/wal").unwrap();
            file.write_all(b"entry").unwrap();
            file.sync_all().unwrap();
            File::open("/").unwrap().sync_all().unwrap();
            file.write_all(b" and more").unwrap();
        });
        bench.down_and_up(Down::PowerLoss);
        bench.on_node(|_| assert!(fs::read("/wal").unwrap().starts_with(b"entry")));
        drop(bench.finish());
    }
}

#[test]
fn each_node_has_its_own_tree_and_directory() {
    let bench = Bench::new(1, DiskConfig::default());
    let world = bench.simulation.world();
    let other = world.create_node("two", [10, 0, 0, 2].into());
    let main: NodeMain = Rc::new(|| Box::pin(std::future::pending()));
    world.start_node(other, main);
    bench.on_node(|_| {
        fs::create_dir("/data").unwrap();
        std::env::set_current_dir("/data").unwrap();
        fs::write("relative", b"one").unwrap();
        assert_eq!(std::env::current_dir().unwrap(), Path::new("/data"));
        assert_eq!(fs::canonicalize(".").unwrap(), Path::new("/data"));
    });
    world.on_node(other, || {
        assert_eq!(std::env::current_dir().unwrap(), Path::new("/"));
        assert!(!fs::exists("/data/relative").unwrap_or(false));
    });
    bench.on_node(|_| assert_eq!(fs::read("/data/relative").unwrap(), b"one"));
    bench.down_and_up(Down::Kill);
    bench.on_node(|_| assert_eq!(std::env::current_dir().unwrap(), Path::new("/")));
    drop(bench.finish());
}

#[test]
fn the_machine_is_read_only_and_its_other_files_are_hidden_until_they_are_allowed() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let bench = Bench::new(1, DiskConfig::default());
    let world = bench.simulation.world();
    bench.on_node(|_| {
        assert!(fs::exists("/proc/self").unwrap());
        let code = |result: io::Result<()>| result.unwrap_err().raw_os_error();
        let read_only = Some(30);
        assert_eq!(code(fs::write("/etc/landfall", b"x")), read_only);
        assert_eq!(code(fs::create_dir("/usr/landfall")), read_only);
        assert_eq!(code(fs::rename("/tmp", "/usr/landfall")), read_only);
        assert_eq!(code(File::open(manifest).map(|_| ())), Some(2));
    });
    world.allow_real_files(env!("CARGO_MANIFEST_DIR"));
    bench.on_node(|_| {
        let text = fs::read_to_string(manifest).unwrap();
        assert!(text.contains("sim-disk"));
        let into = fs::copy(manifest, "/copy").unwrap();
        assert_eq!(into, text.len() as u64);
        assert_eq!(fs::read_to_string("/copy").unwrap(), text);
        let across = fs::hard_link(manifest, "/link").unwrap_err();
        assert_eq!(across.kind(), io::ErrorKind::CrossesDevices);
    });
    let counted = world.real_files();
    assert!(matches!(&counted[..], [(root, n)] if root.contains("sim-disk") && *n >= 3));
    drop(bench.finish());
}
