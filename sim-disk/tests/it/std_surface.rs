//! Every stable public function of `std::fs` and `std::os::unix::fs` is called by a test on the
//! machine's files and on simulated ones; here are those that no other test has a use for.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs as unix;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};

use sim_disk::DiskConfig;

use crate::harness::Bench;
use crate::std_files::{Log, same_on_both};

/// By type or module: what is stable as of Rust 1.95. `chroot` is refused, see the last test.
const SURFACE: &[(&str, &str)] = &[
    (
        "std::fs",
        "canonicalize copy create_dir create_dir_all exists hard_link metadata read read_dir \
         read_link read_to_string remove_dir remove_dir_all remove_file rename set_permissions \
         symlink_metadata write",
    ),
    (
        "std::fs::File",
        "create create_new lock lock_shared metadata open options set_len set_modified \
         set_permissions set_times sync_all sync_data try_clone try_lock try_lock_shared unlock",
    ),
    (
        "Read, Write and Seek of File",
        "read read_to_end read_to_string read_exact read_vectored write write_all write_vectored \
         flush seek rewind stream_position seek_relative",
    ),
    (
        "std::fs::OpenOptions",
        "append create create_new new open read truncate write custom_flags mode",
    ),
    (
        "std::fs::Metadata",
        "accessed created file_type is_dir is_file is_symlink len modified permissions",
    ),
    (
        "MetadataExt",
        "dev ino mode nlink uid gid rdev size atime atime_nsec mtime mtime_nsec ctime ctime_nsec \
         blksize blocks",
    ),
    ("std::fs::DirBuilder", "new recursive create mode"),
    ("std::fs::DirEntry", "path file_name file_type metadata ino"),
    ("std::fs::FileTimes", "new set_accessed set_modified"),
    (
        "FileType",
        "is_dir is_file is_symlink is_block_device is_char_device is_fifo is_socket",
    ),
    (
        "Permissions",
        "readonly set_readonly mode set_mode from_mode",
    ),
    ("FileExt", "read_at read_exact_at write_at write_all_at"),
    ("std::os::unix::fs", "chown fchown lchown symlink chroot"),
];

/// Whether some test calls a function or a method of this name.
fn is_called(name: &str) -> bool {
    let texts = [include_str!("std_files.rs"), include_str!("std_surface.rs")];
    let calls = [format!(".{name}("), format!("::{name}(")];
    texts
        .iter()
        .any(|text| calls.iter().any(|call| text.contains(call)))
}

#[test]
fn every_function_of_std_is_called_by_a_test() {
    let mut missing = BTreeSet::new();
    for (of, names) in SURFACE {
        let of_these = names.split_whitespace().filter(|name| !is_called(name));
        missing.extend(of_these.map(|name| format!("{of}: {name}")));
    }
    assert_eq!(missing, BTreeSet::new());
    assert!(!is_called("no_such_function"));
}

#[test]
fn whole_reads_and_writes_end_where_the_file_does() {
    same_on_both("std-whole", |log| {
        fs::write(log.at("a"), b"0123456789").unwrap();
        let path = log.at("a");
        let open = || File::options().read(true).write(true).open(&path).unwrap();
        let mut file = open();
        let mut four = [0; 4];
        let exact = file.read_exact(&mut four).map(|()| four);
        let moved = file.seek_relative(2);
        let mut rest = Vec::new();
        let read = file.read_to_end(&mut rest);
        let short = file.read_exact(&mut four);
        log.note("exact", exact);
        log.note("moved", moved);
        log.note("rest", read.map(|count| (count, rest)));
        log.note("no more", short);
        log.note("before the start", open().seek_relative(-1));
        log.note("flush", open().flush());
        let file = open();
        log.note("exact at", file.read_exact_at(&mut four, 3).map(|()| four));
        log.note("behind the end", file.read_exact_at(&mut four, 8));
        log.note("all at", file.write_all_at(b"AB", 9));
        let (mut one, mut two) = ([0; 3], [0; 9]);
        let mut pieces = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        log.note("pieces", io::Read::read_vectored(&mut &file, &mut pieces));
        log.note("first", Ok(one));
        log.note("second", Ok(two));
        let end = (&file).seek(SeekFrom::End(0));
        log.note("end", end);
        let pieces = [IoSlice::new(b"x"), IoSlice::new(b"yz")];
        log.note("written", (&file).write_vectored(&pieces));
        log.note("in the end", fs::read_to_string(log.at("a")));
    });
}

#[test]
fn attributes_are_told_and_set() {
    same_on_both("std-attributes", |log| {
        fs::write(log.at("a"), vec![b'x'; 5_000]).unwrap();
        let told = fs::metadata(log.at("a")).unwrap();
        log.note("size", Ok((told.size(), told.blksize(), told.rdev())));
        log.note(
            "fine",
            Ok([told.atime_nsec(), told.mtime_nsec(), told.ctime_nsec()]
                .map(|ns| (0..1_000_000_000).contains(&ns))),
        );
        log.note(
            "order",
            Ok(told.atime() <= told.ctime() && told.mtime() <= told.ctime()),
        );
        log.note("blocks", Ok(told.blocks()));
        let own = fs::metadata(log.at("")).unwrap();
        log.note(
            "owner",
            Ok((told.uid() == own.uid(), told.gid() == own.gid())),
        );
        let kind = told.file_type();
        log.note(
            "kind",
            Ok([
                kind.is_block_device(),
                kind.is_char_device(),
                kind.is_fifo(),
                kind.is_socket(),
            ]),
        );
        let mut permissions = told.permissions();
        permissions.set_mode(0o640);
        log.note(
            "mode",
            fs::set_permissions(log.at("a"), permissions.clone()),
        );
        permissions.set_readonly(true);
        log.note("read only", fs::set_permissions(log.at("a"), permissions));
        let now = fs::metadata(log.at("a")).unwrap().permissions();
        log.note("now", Ok((now.mode(), now.readonly())));
        log.note(
            "back",
            fs::set_permissions(log.at("a"), Permissions::from_mode(0o600)),
        );
        owners(log);
        let made = DirBuilder::new().recursive(true).create(log.at("d/e/f"));
        log.note("made", made);
        log.note(
            "again",
            DirBuilder::new().recursive(true).create(log.at("d/e/f")),
        );
        log.note(
            "not so",
            DirBuilder::new().recursive(false).create(log.at("d/x/y")),
        );
    });
}

/// The owners that files have, which anybody may give them.
fn owners(log: &mut Log) {
    let told = fs::metadata(log.at("a")).unwrap();
    let (user, group) = (Some(told.uid()), Some(told.gid()));
    log.note("chown", unix::chown(log.at("a"), user, group));
    log.note("nobody", unix::chown(log.at("none"), user, group));
    log.note(
        "fchown",
        File::open(log.at("a")).and_then(|file| unix::fchown(file, None, None)),
    );
    unix::symlink("none", log.at("link")).unwrap();
    log.note("lchown", unix::lchown(log.at("link"), user, group));
    log.note("through it", unix::chown(log.at("link"), user, group));
}

#[test]
fn locks_are_shared() {
    same_on_both("std-locks-shared", |log| {
        let path = log.at("a");
        let open = || File::create(&path).unwrap();
        let (one, two, three) = (open(), open(), open());
        let shared = [one.lock_shared().is_ok(), two.lock_shared().is_ok()];
        let kept_out = three.try_lock().is_err();
        let back = [one.unlock().is_ok(), two.unlock().is_ok()];
        let taken = three.try_lock().is_ok();
        log.note("shared", Ok((shared, kept_out, back, taken)));
    });
}

#[test]
fn another_root_is_refused() {
    let bench = Bench::new(1, DiskConfig::default());
    let refused = bench.on_node(|_| unix::chroot("/tmp").unwrap_err().raw_os_error());
    drop(bench.finish());
    assert_eq!(refused, Some(95));
}
