//! What std's functions do where a program does not expect it: the same body on the machine's files
//! and on simulated ones says the same, errors by number.

use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs as unix;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::time::{Duration, UNIX_EPOCH};

use sim_disk::DiskConfig;

use crate::harness::Bench;
use crate::std_files::{Log, same_on_both};

/// All names below the root, with what they are: `d/`, `f=bytes`, `l->target`.
fn tree(log: &Log) -> Vec<String> {
    let mut told = Vec::new();
    let mut left = vec![String::new()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(log.at(&dir)).unwrap() {
            let name = format!("{dir}{}", entry.unwrap().file_name().to_str().unwrap());
            let kind = fs::symlink_metadata(log.at(&name)).unwrap().file_type();
            if kind.is_dir() {
                told.push(format!("{name}/"));
                left.push(format!("{name}/"));
            } else if kind.is_symlink() {
                let target = fs::read_link(log.at(&name)).unwrap();
                told.push(format!("{name}->{}", target.display()));
            } else {
                let bytes = fs::read(log.at(&name)).unwrap();
                told.push(format!("{name}={}", String::from_utf8_lossy(&bytes)));
            }
        }
    }
    told.sort();
    told
}

/// A file, a directory with a file, an empty one, links to each and to nothing.
fn plant(log: &Log) {
    fs::write(log.at("file"), b"file").unwrap();
    fs::write(log.at("other"), b"other").unwrap();
    fs::create_dir_all(log.at("full/inner")).unwrap();
    fs::write(log.at("full/a"), b"a").unwrap();
    fs::create_dir(log.at("empty")).unwrap();
    for (target, link) in [
        ("file", "to-file"),
        ("full", "to-full"),
        ("nothing", "to-nothing"),
        ("loop", "loop"),
    ] {
        unix::symlink(target, log.at(link)).unwrap();
    }
}

const NAMES: [&str; 12] = [
    "file",
    "other",
    "full",
    "empty",
    "full/inner",
    "to-file",
    "to-full",
    "to-nothing",
    "loop",
    "nothing",
    "file/",
    "full/",
];

#[test]
fn everything_is_renamed_over_everything() {
    same_on_both("odd-renames", |log| {
        for from in NAMES {
            for to in NAMES {
                fs::remove_dir_all(log.at("")).unwrap();
                fs::create_dir(log.at("")).unwrap();
                plant(log);
                let renamed = fs::rename(log.at(from), log.at(to));
                let what = format!("{from} over {to}");
                log.note(&what, renamed.map(|()| tree(log)));
            }
        }
    });
}

#[test]
fn everything_is_linked_copied_and_resolved() {
    same_on_both("odd-links", |log| {
        for from in NAMES {
            for to in NAMES {
                fs::remove_dir_all(log.at("")).unwrap();
                fs::create_dir(log.at("")).unwrap();
                plant(log);
                let what = format!("{from} as {to}");
                log.note(&what, fs::hard_link(log.at(from), log.at(to)));
                log.note(&what, unix::symlink(from, log.at(to)));
                log.note(&what, Ok(tree(log)));
            }
            log.note(from, fs::canonicalize(log.at(from)));
            log.note(
                from,
                fs::canonicalize(log.at(&format!("{from}/..")).join("file")),
            );
            log.note(from, fs::read_link(log.at(from)));
            log.note(from, fs::metadata(log.at(from)).map(|told| told.is_dir()));
            let itself = fs::symlink_metadata(log.at(from));
            log.note(from, itself.map(|told| (told.is_file(), told.is_symlink())));
        }
        log.note("an empty target", unix::symlink("", log.at("x")));
        log.note("an empty name", fs::canonicalize(""));
    });
}

#[test]
fn everything_is_copied_over_everything() {
    same_on_both("odd-copies", |log| {
        for from in NAMES {
            for to in NAMES {
                fs::remove_dir_all(log.at("")).unwrap();
                fs::create_dir(log.at("")).unwrap();
                plant(log);
                let mode = Permissions::from_mode(0o751);
                fs::set_permissions(log.at("file"), mode).unwrap();
                let copied = fs::copy(log.at(from), log.at(to));
                let what = format!("{from} to {to}");
                let mode = fs::metadata(log.at(to)).map(|told| told.mode());
                log.note(&what, copied.map(|bytes| (bytes, tree(log))));
                log.note(&what, mode.map(|mode| mode & 0o170_700));
            }
        }
        let sparse = File::create(log.at("sparse")).unwrap();
        sparse.write_all_at(b"end", 1 << 20).unwrap();
        log.note("sparse", fs::copy(log.at("sparse"), log.at("dense")));
        let same = fs::read(log.at("sparse")).unwrap() == fs::read(log.at("dense")).unwrap();
        log.note("the same", Ok(same));
    });
}

#[test]
fn everything_is_removed_by_every_call() {
    same_on_both("odd-removals", |log| {
        for name in NAMES {
            for call in 0..5 {
                fs::remove_dir_all(log.at("")).unwrap();
                fs::create_dir(log.at("")).unwrap();
                plant(log);
                let path = log.at(name);
                let (what, done) = match call {
                    0 => ("file", fs::remove_file(path)),
                    1 => ("dir", fs::remove_dir(path)),
                    2 => ("all", fs::remove_dir_all(path)),
                    3 => ("made", fs::create_dir(path)),
                    _ => ("made with all above", fs::create_dir_all(path.join("x/y"))),
                };
                log.note(&format!("{name}: {what}"), done);
                log.note(name, Ok(tree(log)));
            }
        }
    });
}

/// Whatever is asked for at once, of whatever there is.
#[test]
fn files_are_opened_by_every_combination_of_options() {
    same_on_both("odd-options", |log| {
        for bits in 0..64 {
            let has = |bit: u32| bits >> bit & 1 == 1;
            let mut options = OpenOptions::new();
            options.read(has(0)).write(has(1)).append(has(2));
            options.truncate(has(3)).create(has(4)).create_new(has(5));
            for name in ["file", "empty", "to-nothing", "nothing"] {
                fs::remove_dir_all(log.at("")).unwrap();
                fs::create_dir(log.at("")).unwrap();
                plant(log);
                let what = format!("{name} {bits:06b}");
                let opened = options.open(log.at(name));
                let done = opened.map(|mut file| {
                    let mut read = [0; 2];
                    let code = |error: io::Error| error.raw_os_error();
                    let read = file.read(&mut read).map_err(code);
                    let written = file.write(b"XYZ").map_err(code);
                    (read, written, file.set_len(6).map_err(code))
                });
                log.note(&what, done);
                log.note(&what, Ok(tree(log)));
            }
        }
    });
}

#[test]
fn positions_and_lengths_are_where_nobody_looks_for_them() {
    same_on_both("odd-positions", |log| {
        let path = log.at("a");
        let open = |options: &mut OpenOptions| options.open(&path).unwrap();
        fs::write(&path, b"0123456789").unwrap();
        let mut file = open(OpenOptions::new().read(true).append(true));
        log.note("it begins", file.stream_position());
        let mut two = [0; 2];
        log.note("read", file.read(&mut two).map(|n| (n, two)));
        log.note("appended", file.write(b"AB"));
        log.note("then it is", file.stream_position());
        log.note("cut", file.set_len(4));
        log.note("it stays", file.stream_position());
        log.note("appended again", file.write(b"CD"));
        log.note("at an offset, too", file.write_at(b"EF", 0));
        log.note("all", fs::read(&path));
        log.note("made longer", file.set_len(12));
        log.note("appended behind that", file.write(b"G"));
        log.note("all", fs::read(&path));
        let mut file = open(OpenOptions::new().read(true).write(true));
        for to in [
            SeekFrom::Start(u64::MAX),
            SeekFrom::Current(1),
            SeekFrom::Current(i64::MIN),
            SeekFrom::End(-14),
            SeekFrom::End(5),
        ] {
            log.note("sought", file.seek(to));
        }
        log.note("nothing is there", file.read(&mut two));
        log.note("written behind the end", file.write(b"!"));
        log.note("all", fs::read(&path));
        log.note("nothing written there", file.write_at(b"", 100));
        log.note("length", file.metadata().map(|told| told.len()));
        let reader = File::open(&path).unwrap();
        log.note("cut by a reader", reader.set_len(1));
        log.note("too long", reader.set_len(u64::MAX));
        log.note("written by a reader", reader.write_at(b"x", 0));
        let writer = open(OpenOptions::new().write(true));
        log.note("read by a writer", writer.read_at(&mut two, 0));
        log.note("synced by a reader", reader.sync_all());
        log.note("nothing is read", fs::read(log.at("")).map(|_| ()));
        log.note("nothing is written", fs::write(log.at(""), b""));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        log.note("no text", fs::read_to_string(&path));
    });
}

#[test]
fn clones_share_what_they_are_clones_of() {
    same_on_both("odd-clones", |log| {
        let path = log.at("a");
        fs::write(&path, b"0123456789").unwrap();
        let options = || OpenOptions::new().read(true).write(true).open(&path);
        let mut one = options().unwrap();
        let mut two = one.try_clone().unwrap();
        let mut four = [0; 4];
        log.note("one", one.read(&mut four).map(|_| four));
        log.note("two goes on", two.read(&mut four).map(|_| four));
        log.note("both", one.stream_position());
        log.note("back", two.rewind());
        log.note("one, too", one.write(b"ab"));
        log.note("locked", one.lock().map(|()| two.try_lock().is_ok()));
        let other = options().unwrap();
        let is_kept_out = |by: &File| (by.try_lock().is_err(), by.try_lock_shared().is_err());
        log.note("another is not let in", Ok(is_kept_out(&other)));
        drop(one);
        log.note("while one is left", Ok(is_kept_out(&other)));
        log.note("given back by it", two.unlock());
        log.note("again", two.unlock());
        log.note("shared", other.lock_shared());
        log.note("shared by both", two.lock_shared());
        let more = two.try_lock();
        log.note("not for itself", Ok(more.is_err()));
        drop(two);
        log.note("taken over", Ok(other.try_lock().is_ok()));
        let reader = File::open(&path).unwrap();
        log.note("a reader is kept out", Ok(is_kept_out(&reader)));
        drop(other);
        log.note("a reader locks", Ok(reader.try_lock().is_ok()));
        let mut clone = reader.try_clone().unwrap();
        fs::remove_file(&path).unwrap();
        drop(reader);
        log.note("it has no name", clone.read(&mut four).map(|_| four));
        log.note(
            "none",
            clone.metadata().map(|told| (told.len(), told.nlink())),
        );
        log.note("none by path", fs::metadata(&path).map(|told| told.len()));
    });
}

#[test]
fn directories_are_listed_while_they_change() {
    same_on_both("odd-listings", |log| {
        for name in 0..300 {
            fs::write(log.at(&format!("{name:03}")), b"").unwrap();
        }
        let mut listed = 0;
        for entry in fs::read_dir(log.at("")).unwrap() {
            let entry = entry.unwrap();
            fs::remove_file(entry.path()).unwrap();
            let told = entry.metadata().map(|told| told.len());
            assert_eq!(told.unwrap_err().raw_os_error(), Some(libc::ENOENT));
            listed += 1;
        }
        log.note("each once", Ok(listed));
        log.note("none is left", fs::remove_dir(log.at("")));
        fs::create_dir_all(log.at("d/e")).unwrap();
        fs::write(log.at("d/f"), b"f").unwrap();
        let open = fs::read_dir(log.at("d")).unwrap();
        let mut names: Vec<_> = open.map(|entry| entry.unwrap()).collect();
        names.sort_by_key(|entry| entry.file_name());
        fs::rename(log.at("d"), log.at("moved")).unwrap();
        for entry in &names {
            // An entry is of the directory, wherever that is now; its path is as it was.
            log.note("kind", entry.file_type().map(|kind| kind.is_dir()));
            log.note("path", Ok(entry.path()));
            log.note("path", fs::metadata(entry.path()).map(|told| told.len()));
        }
        drop(names);
        let gone = fs::read_dir(log.at("moved/e")).unwrap();
        log.note(
            "removed while it is open",
            fs::remove_dir(log.at("moved/e")),
        );
        log.note("it is empty", Ok(gone.count()));
        log.note("a file", fs::read_dir(log.at("moved/f")).map(|_| ()));
        log.note("nothing", fs::read_dir(log.at("nothing")).map(|_| ()));
        log.note("not empty", fs::remove_dir(log.at("moved")));
        let as_file = File::open(log.at("moved")).unwrap();
        log.note("opened", as_file.metadata().map(|told| told.is_dir()));
        log.note("read", io::read_to_string(&as_file));
        log.note("cut", as_file.set_len(0));
        log.note("synced", as_file.sync_all());
    });
}

#[test]
fn modes_and_times_are_set_through_whatever_leads_to_them() {
    same_on_both("odd-attributes", |log| {
        plant(log);
        let at = |seconds, ns| UNIX_EPOCH + Duration::new(seconds, ns);
        let times = FileTimes::new()
            .set_accessed(at(1, 1))
            .set_modified(at(2, 999_999_999));
        for name in ["file", "full", "to-file", "to-full"] {
            for mode in [0o600, 0o7777, 0o1755, 0o2644] {
                let set = fs::set_permissions(log.at(name), Permissions::from_mode(mode));
                log.note(name, set);
                let told = |path| fs::metadata(path).map(|told| told.mode() & 0o7777);
                log.note(name, told(log.at(name)));
            }
            let set = File::open(log.at(name)).and_then(|file| file.set_times(times));
            log.note(name, set);
            let told = fs::metadata(log.at(name)).unwrap();
            log.note(
                name,
                Ok((told.accessed().unwrap(), told.modified().unwrap())),
            );
            log.note(name, Ok(told.permissions().readonly()));
            let back = Permissions::from_mode(0o755);
            fs::set_permissions(log.at(name), back).unwrap();
        }
        for name in ["to-nothing", "loop", "nothing", "file/"] {
            log.note(
                name,
                fs::set_permissions(log.at(name), Permissions::from_mode(0o600)),
            );
        }
        let links = |name| fs::symlink_metadata(log.at(name)).map(|told| told.nlink());
        let one = links("file");
        fs::hard_link(log.at("file"), log.at("again")).unwrap();
        let two = (links("file").ok(), links("again").ok());
        log.note("links", one.map(|one| (one, two)));
    });
}

/// Times are not negative here, as on file systems whose `s_time_min` is the epoch: the kernel sets
/// what is before it to that (`timestamp_truncate`). ext4 and tmpfs keep it.
#[test]
fn a_time_before_the_epoch_is_the_epoch() {
    let bench = Bench::new(1, DiskConfig::default());
    let told = bench.on_node(|_| {
        let file = File::create("/a").unwrap();
        let before = UNIX_EPOCH - Duration::new(5, 250_000_000);
        file.set_modified(before).unwrap();
        let told = file.metadata().unwrap();
        (told.modified().unwrap(), told.mtime_nsec())
    });
    drop(bench.finish());
    assert_eq!(told, (UNIX_EPOCH, 0));
}
