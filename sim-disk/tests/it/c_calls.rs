//! Each call that files have below std, by its own name and by C code's hand: the same on the
//! machine's files and on a node's volume.
#![expect(unsafe_code, reason = "calls the C library as C code does")]

use std::ffi::{CStr, c_int, c_long};
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use libc::{iovec, stat};

use crate::c_files::{c, gave};
use crate::std_files::{Log, same_on_both};

/// What must be called by name, here or in `c_files` and `c_streams`.
const CALLS: &str = "open openat read write pread pwrite readv writev preadv pwritev fsync \
     fdatasync sync_file_range ftruncate truncate fallocate posix_fallocate rename renameat \
     renameat2 link linkat unlink unlinkat mkdir mkdirat rmdir opendir readdir stat lstat fstat \
     fstatat statx access faccessat flock fcntl dup dup2 dup3 lseek copy_file_range sendfile mmap \
     munmap msync symlink readlink chmod fchmod statvfs fstatvfs syncfs sync creat";

#[test]
fn every_call_is_made_by_some_test() {
    let texts = [
        include_str!("c_calls.rs"),
        include_str!("c_files.rs"),
        include_str!("c_streams.rs"),
    ];
    let is_made = |name: &&str| {
        let call = format!("libc::{name}(");
        texts.iter().any(|text| text.contains(&call))
    };
    let missing: Vec<&str> = CALLS
        .split_whitespace()
        .filter(|name| !is_made(name))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(!is_made(&"no_such_call"));
}

fn counted(result: isize) -> io::Result<c_long> {
    gave(result as c_long)
}

/// A descriptor of a file of the root; the test's end closes what is left open.
fn open(log: &Log, name: &str, flags: c_int) -> io::Result<RawFd> {
    // SAFETY: the path ends in NUL.
    let fd = unsafe { libc::open(c(&log.at(name)).as_ptr(), flags, 0o644) };
    gave(fd).map(|fd| fd as RawFd)
}

fn close(fd: RawFd) {
    // SAFETY: a number; nobody else has it.
    gave(unsafe { libc::close(fd) }).unwrap();
}

const RDWR: c_int = libc::O_RDWR | libc::O_CREAT;

#[test]
fn bytes_move_by_every_call_that_moves_them() {
    same_on_both("c-bytes", |log| {
        let fd = open(log, "a", RDWR).unwrap();
        // SAFETY: buffers are as long as is said, in all calls here.
        log.note(
            "write",
            counted(unsafe { libc::write(fd, b"0123456789".as_ptr().cast(), 10) }),
        );
        // SAFETY: as above.
        log.note(
            "pwrite",
            counted(unsafe { libc::pwrite(fd, b"AB".as_ptr().cast(), 2, 12) }),
        );
        // What is beyond what is read stays.
        let mut bytes = [9_u8; 20];
        // SAFETY: as above.
        let read = unsafe { libc::pread(fd, bytes.as_mut_ptr().cast(), 20, 8) };
        log.note("pread", counted(read).map(|n| (n, bytes)));
        // SAFETY: as above.
        let sought = unsafe { libc::lseek(fd, 5, libc::SEEK_SET) };
        log.note("lseek", gave(sought));
        let mut parts = ([8_u8; 2], [8_u8; 3]);
        let pieces = [piece(&mut parts.0), piece(&mut parts.1)];
        // SAFETY: the pieces live until the call returns, in all calls here.
        let read = unsafe { libc::readv(fd, pieces.as_ptr(), 2) };
        log.note("readv", counted(read).map(|n| (n, parts)));
        // SAFETY: as above.
        let read = unsafe { libc::preadv(fd, pieces.as_ptr(), 2, 11) };
        log.note("preadv", counted(read).map(|n| (n, parts)));
        // SAFETY: as above.
        log.note(
            "writev",
            counted(unsafe { libc::writev(fd, pieces.as_ptr(), 2) }),
        );
        // SAFETY: as above.
        log.note(
            "pwritev",
            counted(unsafe { libc::pwritev(fd, pieces.as_ptr(), 2, 30) }),
        );
        // SAFETY: as above.
        log.note(
            "pwritev before the start",
            counted(unsafe { libc::pwritev(fd, pieces.as_ptr(), 2, -1) }),
        );
        // SAFETY: as above.
        let read = unsafe { libc::read(fd, bytes.as_mut_ptr().cast(), 20) };
        log.note("read", counted(read).map(|n| (n, bytes)));
        // SAFETY: numbers only, here and below.
        log.note("ftruncate", gave(unsafe { libc::ftruncate(fd, 33) }));
        // SAFETY: as above.
        log.note("fdatasync", gave(unsafe { libc::fdatasync(fd) }));
        // SAFETY: the path ends in NUL.
        let cut = unsafe { libc::truncate(c(&log.at("a")).as_ptr(), 31) };
        log.note("truncate", gave(cut));
        log.note("in the end", fs::read(log.at("a")));
        close(fd);
        // SAFETY: as above.
        log.note(
            "closed",
            counted(unsafe { libc::write(fd, b"x".as_ptr().cast(), 1) }),
        );
        // SAFETY: as above.
        let made = unsafe { libc::creat(c(&log.at("a")).as_ptr(), 0o600) };
        log.note("creat", gave(made).map(|_| ()));
        log.note("emptied", fs::read(log.at("a")));
        close(made);
    });
}

fn piece(bytes: &mut [u8]) -> iovec {
    iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    }
}

#[test]
fn names_change_by_every_call_that_changes_them() {
    same_on_both("c-names", |log| {
        let folder = log.root.clone();
        let at = |name: &str| c(&folder.join(name));
        let mut said = Vec::new();
        let mut note = |what: &str, result: c_int| said.push((what.to_owned(), gave(result)));
        let root = open(log, "", libc::O_RDONLY | libc::O_DIRECTORY).unwrap();
        // SAFETY: the path ends in NUL.
        let made = unsafe { libc::openat(root, c"f".as_ptr(), RDWR, 0o644) };
        note("openat", made.min(0));
        close(made);
        // SAFETY: every path ends in NUL, in all calls here.
        note("mkdir", unsafe { libc::mkdir(at("d").as_ptr(), 0o755) });
        // SAFETY: as above.
        note("mkdir again", unsafe {
            libc::mkdir(at("d").as_ptr(), 0o755)
        });
        // SAFETY: as above.
        note("mkdirat", unsafe {
            libc::mkdirat(root, c"d/e".as_ptr(), 0o700)
        });
        // SAFETY: as above.
        note("rmdir", unsafe { libc::rmdir(at("d").as_ptr()) });
        // SAFETY: as above.
        note("link", unsafe {
            libc::link(at("f").as_ptr(), at("g").as_ptr())
        });
        // SAFETY: as above.
        note("link again", unsafe {
            libc::link(at("f").as_ptr(), at("g").as_ptr())
        });
        // SAFETY: as above.
        note("linkat", unsafe {
            libc::linkat(root, c"f".as_ptr(), root, c"d/h".as_ptr(), 0)
        });
        // SAFETY: as above.
        note("symlink", unsafe {
            libc::symlink(c"f".as_ptr(), at("l").as_ptr())
        });
        // SAFETY: as above.
        note("rename", unsafe {
            libc::rename(at("g").as_ptr(), at("d").as_ptr())
        });
        // SAFETY: as above.
        note("renameat", unsafe {
            libc::renameat(root, c"g".as_ptr(), root, c"d/g".as_ptr())
        });
        // SAFETY: as above.
        note("renameat2", unsafe {
            libc::renameat2(
                root,
                c"f".as_ptr(),
                root,
                c"d/g".as_ptr(),
                libc::RENAME_NOREPLACE,
            )
        });
        // SAFETY: as above.
        note("exchange", unsafe {
            libc::renameat2(
                root,
                c"f".as_ptr(),
                root,
                c"d".as_ptr(),
                libc::RENAME_EXCHANGE,
            )
        });
        // SAFETY: as above.
        note("unlink a directory", unsafe {
            libc::unlink(at("f").as_ptr())
        });
        // SAFETY: as above.
        note("unlink", unsafe { libc::unlink(at("f/g").as_ptr()) });
        // SAFETY: as above.
        note("unlinkat", unsafe {
            libc::unlinkat(root, c"f/e".as_ptr(), libc::AT_REMOVEDIR)
        });
        // SAFETY: as above.
        note("access", unsafe {
            libc::access(at("f/h").as_ptr(), libc::R_OK)
        });
        // SAFETY: as above.
        note("access what is gone", unsafe {
            libc::access(at("f/g").as_ptr(), libc::F_OK)
        });
        // SAFETY: as above.
        note("faccessat", unsafe {
            libc::faccessat(root, c"f/h".as_ptr(), libc::W_OK, 0)
        });
        for (what, result) in said {
            log.note(&what, result);
        }
        let mut target = [0_u8; 8];
        // SAFETY: the buffer is as long as is said.
        let length = unsafe { libc::readlink(at("l").as_ptr(), target.as_mut_ptr().cast(), 8) };
        log.note("readlink", counted(length).map(|n| (n, target)));
        close(root);
    });
}

/// What a call that fills a structure said; the structure's fields that both kernels share.
fn told(result: c_int, into: &MaybeUninit<stat>) -> io::Result<(u32, u64, i64)> {
    gave(result)?;
    // SAFETY: the call succeeded, so it was filled.
    let told = unsafe { into.assume_init_ref() };
    Ok((told.st_mode, told.st_nlink, told.st_size))
}

#[test]
fn attributes_are_told_by_every_call_that_tells_them() {
    same_on_both("c-status", |log| {
        fs::write(log.at("f"), b"12345").unwrap();
        std::os::unix::fs::symlink("f", log.at("l")).unwrap();
        let (file, link) = (c(&log.at("f")), c(&log.at("l")));
        let fd = open(log, "f", libc::O_RDWR).unwrap();
        let mut into = MaybeUninit::<stat>::uninit();
        // SAFETY: paths end in NUL and the structure is of the call's kind, in all calls here.
        let said = unsafe { libc::stat(link.as_ptr(), into.as_mut_ptr()) };
        log.note("stat", told(said, &into));
        // SAFETY: as above.
        let said = unsafe { libc::lstat(link.as_ptr(), into.as_mut_ptr()) };
        log.note("lstat", told(said, &into));
        // SAFETY: as above.
        let said = unsafe { libc::fstat(fd, into.as_mut_ptr()) };
        log.note("fstat", told(said, &into));
        let (here, not) = (libc::AT_FDCWD, libc::AT_SYMLINK_NOFOLLOW);
        // SAFETY: as above.
        let said = unsafe { libc::fstatat(here, link.as_ptr(), into.as_mut_ptr(), not) };
        log.note("fstatat", told(said, &into));
        // SAFETY: as above.
        let said =
            unsafe { libc::fstatat(fd, c"".as_ptr(), into.as_mut_ptr(), libc::AT_EMPTY_PATH) };
        log.note("fstatat of itself", told(said, &into));
        let mut more = MaybeUninit::<libc::statx>::uninit();
        let basic = libc::STATX_BASIC_STATS;
        // SAFETY: as above.
        let said = unsafe { libc::statx(here, file.as_ptr(), 0, basic, more.as_mut_ptr()) };
        // SAFETY: filled where the call succeeded, and it did on the left of the comma.
        let fields = gave(said).map(|_| unsafe { more.assume_init_ref() });
        log.note(
            "statx",
            fields.map(|more| (more.stx_mode, more.stx_nlink, more.stx_size)),
        );
        // SAFETY: as above.
        log.note("chmod", gave(unsafe { libc::chmod(file.as_ptr(), 0o600) }));
        // SAFETY: numbers only.
        log.note("fchmod", gave(unsafe { libc::fchmod(fd, 0o4640) }));
        // SAFETY: as above.
        let said = unsafe { libc::fstat(fd, into.as_mut_ptr()) };
        log.note("afterwards", told(said, &into));
        let mut room = MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: as above.
        let said = unsafe { libc::statvfs(file.as_ptr(), room.as_mut_ptr()) };
        // SAFETY: filled by the call, whose result is looked at first.
        let fields = gave(said).map(|_| unsafe { room.assume_init_ref() });
        log.note(
            "statvfs",
            fields.map(|room| (room.f_frsize, room.f_namemax)),
        );
        // SAFETY: as above.
        let said = unsafe { libc::fstatvfs(fd, room.as_mut_ptr()) };
        log.note("fstatvfs", gave(said));
        close(fd);
    });
}

#[test]
fn descriptors_are_locked_and_doubled() {
    same_on_both("c-locks", |log| {
        let (one, other) = (open(log, "f", RDWR).unwrap(), open(log, "f", RDWR).unwrap());
        let exclusive = libc::LOCK_EX | libc::LOCK_NB;
        // SAFETY: numbers only, in all calls here.
        log.note("lock", gave(unsafe { libc::flock(one, exclusive) }));
        // SAFETY: as above.
        log.note("taken", gave(unsafe { libc::flock(other, exclusive) }));
        // SAFETY: as above.
        let twin = unsafe { libc::dup(one) };
        log.note("dup", gave(twin).map(|_| ()));
        let spare = open(log, "f", RDWR).unwrap();
        // SAFETY: as above.
        let moved = unsafe { libc::dup3(twin, spare, libc::O_CLOEXEC) };
        log.note("dup3", Ok(moved == spare));
        // SAFETY: as above.
        log.note("flags", gave(unsafe { libc::fcntl(moved, libc::F_GETFD) }));
        close(one);
        close(twin);
        // SAFETY: as above.
        let taken = unsafe { libc::flock(other, exclusive) };
        log.note("held by the last of three", gave(taken));
        // SAFETY: as above.
        log.note("unlock", gave(unsafe { libc::flock(moved, libc::LOCK_UN) }));
        // SAFETY: as above.
        log.note("free", gave(unsafe { libc::flock(other, exclusive) }));
        close(moved);
        // A number that no other thread is given when it is free.
        // SAFETY: as above.
        let high = unsafe { libc::fcntl(other, libc::F_DUPFD_CLOEXEC, 900) };
        close(high);
        // SAFETY: as above.
        let again = unsafe { libc::dup2(other, high) };
        log.note("dup2 onto a closed one", Ok(again == high));
        // SAFETY: as above.
        let flags = unsafe { libc::fcntl(again, libc::F_GETFL) };
        log.note("it is open", gave(flags).map(|_| ()));
        close(again);
        // SAFETY: as above.
        let flags = unsafe { libc::fcntl(again, libc::F_GETFL) };
        log.note("and closed again", gave(flags).map(|_| ()));
        close(other);
        // SAFETY: the path ends in NUL.
        let directory = unsafe { libc::opendir(c(&log.root).as_ptr()) };
        let mut names = Vec::new();
        loop {
            // SAFETY: the stream is open.
            let entry = unsafe { libc::readdir(directory) };
            if entry.is_null() {
                break;
            }
            // SAFETY: the entry lives until the next call.
            let name = unsafe { CStr::from_ptr((*entry).d_name.as_ptr()) };
            names.push(name.to_owned());
        }
        names.sort();
        log.note("readdir", Ok(names));
        // SAFETY: as above, and nobody has it any more.
        log.note("closedir", gave(unsafe { libc::closedir(directory) }));
    });
}
