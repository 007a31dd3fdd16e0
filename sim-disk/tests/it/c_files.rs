//! Calls of the C library that std does not make, of C code: the same on the machine's files and on
//! a node's volume. By name and, where it is said, by number.
#![expect(unsafe_code, reason = "calls the C library as C code does")]

use std::ffi::{CStr, CString, c_int, c_long, c_short, c_void};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::ptr;
use std::slice;

use sim_disk::DiskConfig;
use sim_runtime::Down;

use crate::harness::Bench;
use crate::std_files::{Log, same_on_both};

/// What a call gave, or its error.
pub(crate) fn gave(result: impl Into<c_long>) -> io::Result<c_long> {
    match result.into() {
        -1 => Err(io::Error::last_os_error()),
        count => Ok(count),
    }
}

pub(crate) fn c(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL")
}

fn both(log: &Log, name: &str) -> File {
    let open = OpenOptions::new().read(true).write(true).open(log.at(name));
    open.expect("it is there")
}

/// Memory that shows a file.
struct Map {
    at: *mut u8,
    length: usize,
}

impl Map {
    fn new(fd: RawFd, length: usize, protection: c_int, flags: c_int) -> io::Result<Map> {
        // SAFETY: the kernel chooses a place that nobody uses.
        let at = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, fd, 0) };
        match at == libc::MAP_FAILED {
            true => Err(io::Error::last_os_error()),
            false => Ok(Map {
                at: at.cast(),
                length,
            }),
        }
    }

    fn shared(fd: RawFd, length: usize) -> io::Result<Map> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        Map::new(fd, length, protection, libc::MAP_SHARED)
    }

    fn read(&self, at: usize, count: usize) -> Vec<u8> {
        assert!(at + count <= self.length);
        // SAFETY: within what is mapped; copied before anybody stores there.
        unsafe { slice::from_raw_parts(self.at.add(at), count) }.to_vec()
    }

    fn store(&self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.length);
        // SAFETY: within what is mapped.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.at.add(at), bytes.len()) };
    }

    fn sync(&self) -> io::Result<c_long> {
        // SAFETY: it is mapped.
        gave(unsafe { libc::msync(self.at.cast(), self.length, libc::MS_SYNC) })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: it is mapped, and nobody has it any more.
        let done = unsafe { libc::munmap(self.at.cast(), self.length) };
        assert_eq!(done, 0);
    }
}

#[test]
fn mapped_memory_and_calls_show_one_file() {
    same_on_both("c-maps", |log| {
        fs::write(log.at("a"), vec![b'.'; 10_000]).unwrap();
        let file = both(log, "a");
        let one = Map::shared(file.as_raw_fd(), 10_000).unwrap();
        let two = Map::shared(both(log, "a").as_raw_fd(), 4_096).unwrap();
        one.store(100, b"stored");
        log.note("by the other", Ok(two.read(98, 10)));
        let mut seen = [0; 10];
        log.note("by a call", file.read_at(&mut seen, 98).map(|n| (n, seen)));
        log.note("by name", fs::read(log.at("a")).map(|all| all[100]));
        log.note("written", file.write_at(b"WRITTEN", 9_000));
        log.note("is shown", Ok(one.read(8_998, 11)));
        log.note("longer", file.set_len(20_000));
        drop(two);
        one.store(0, b"first");
        drop(file);
        one.store(10, b"later");
        log.note("sync", one.sync());
        drop(one);
        log.note(
            "in the end",
            fs::read(log.at("a")).map(|all| all[..20].to_vec()),
        );
        log.note("length", fs::metadata(log.at("a")).map(|told| told.len()));
    });
}

#[test]
fn maps_are_refused_and_kept_to_oneself_as_asked() {
    same_on_both("c-maps-refused", |log| {
        fs::write(log.at("a"), b"content").unwrap();
        let map = |file: &File, protection, flags| {
            Map::new(file.as_raw_fd(), 7, protection, flags).map(|map| map.read(0, 7))
        };
        let (read, write) = (libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE);
        let reader = File::open(log.at("a")).unwrap();
        log.note("read", map(&reader, read, libc::MAP_SHARED));
        log.note("write", map(&reader, write, libc::MAP_SHARED));
        log.note("private", map(&reader, write, libc::MAP_PRIVATE));
        let writer = OpenOptions::new().write(true).open(log.at("a")).unwrap();
        log.note("of a writer", map(&writer, read, libc::MAP_SHARED));
        let directory = File::open(&log.root).unwrap();
        log.note("of a directory", map(&directory, read, libc::MAP_SHARED));
        let nothing = Map::new(reader.as_raw_fd(), 0, read, libc::MAP_SHARED);
        log.note("of nothing", nothing.map(|_| ()));
        let own = Map::new(reader.as_raw_fd(), 7, write, libc::MAP_PRIVATE).unwrap();
        own.store(0, b"CON");
        log.note("its own", Ok(own.read(0, 7)));
        log.note("the file", fs::read(log.at("a")));
    });
}

#[test]
fn what_is_stored_in_a_map_outlives_the_process_and_is_durable_once_synced() {
    for seed in 0..10 {
        let bench = Bench::new(seed, DiskConfig::default());
        let map = bench.on_node(|_| {
            let file = File::create_new("/a").unwrap();
            file.set_len(8_192).unwrap();
            file.sync_all().unwrap();
            File::open("/").unwrap().sync_all().unwrap();
            let open = OpenOptions::new().read(true).write(true).open("/a");
            let map = Map::shared(open.unwrap().as_raw_fd(), 8_192).unwrap();
            map.store(5_000, b"synced");
            map.sync().unwrap();
            map.store(10, b"stored");
            map
        });
        let after = |bench: &Bench| bench.on_node(|_| fs::read("/a").unwrap());
        bench.down_and_up(Down::Kill);
        assert_eq!(
            after(&bench)[10..16],
            *b"stored",
            "the page cache outlives the process"
        );
        bench.down_and_up(Down::PowerLoss);
        assert_eq!(after(&bench)[5_000..5_006], *b"synced");
        drop(map);
        drop(bench.finish());
    }
}

/// `fcntl` for a lock of a range.
fn lock(fd: RawFd, command: c_int, kind: c_int, (start, length): (i64, i64)) -> io::Result<String> {
    let mut range = libc::flock {
        l_type: kind as c_short,
        l_whence: libc::SEEK_SET as c_short,
        l_start: start,
        l_len: length,
        l_pid: 0,
    };
    // SAFETY: the structure lives until the call returns.
    gave(unsafe { libc::fcntl(fd, command, &raw mut range) })?;
    let asked = matches!(command, libc::F_GETLK | libc::F_OFD_GETLK);
    let told = (range.l_type, range.l_start, range.l_len, range.l_pid != 0);
    Ok(if asked {
        format!("{told:?}")
    } else {
        String::new()
    })
}

#[test]
fn ranges_are_locked_by_process_and_by_description() {
    same_on_both("c-locks", |log| {
        fs::write(log.at("a"), b"0123456789").unwrap();
        let (one, two) = (both(log, "a"), both(log, "a"));
        let (one, two) = (one.as_raw_fd(), two.as_raw_fd());
        let (read, write, none) = (libc::F_RDLCK, libc::F_WRLCK, libc::F_UNLCK);
        log.note("mine", lock(one, libc::F_SETLK, write, (0, 10)));
        log.note("mine, too", lock(two, libc::F_SETLK, write, (0, 10)));
        log.note("nobody", lock(two, libc::F_GETLK, write, (0, 10)));
        log.note("another's", lock(two, libc::F_OFD_SETLK, write, (5, 1)));
        log.note("who", lock(two, libc::F_OFD_GETLK, write, (5, 1)));
        log.note("beyond", lock(two, libc::F_OFD_SETLK, write, (10, 0)));
        log.note("free", lock(one, libc::F_SETLK, none, (3, 4)));
        log.note("in between", lock(two, libc::F_OFD_SETLK, read, (3, 4)));
        log.note("share", lock(one, libc::F_SETLK, read, (3, 4)));
        log.note("up", lock(one, libc::F_SETLKW, read, (4, 1)));
        log.note("before the start", lock(one, libc::F_SETLK, read, (-1, 1)));
        log.note("unknown", lock(one, libc::F_SETLK, 9, (0, 1)));
        let reader = File::open(log.at("a")).unwrap();
        log.note(
            "a reader",
            lock(reader.as_raw_fd(), libc::F_SETLK, write, (0, 1)),
        );
        // The process's locks go with any descriptor of the file.
        drop(reader);
        log.note("gone", lock(two, libc::F_OFD_GETLK, write, (0, 2)));
        // SAFETY: takes any numbers.
        log.note("lockf", gave(unsafe { libc::lockf(one, libc::F_TLOCK, 2) }));
        // SAFETY: as above.
        log.note("lockf", gave(unsafe { libc::lockf(one, libc::F_ULOCK, 0) }));
    });
}

#[test]
fn space_is_allocated_and_found() {
    same_on_both("c-space", |log| {
        fs::write(log.at("a"), b"").unwrap();
        let file = both(log, "a");
        let fd = file.as_raw_fd();
        // SAFETY: takes any numbers, as all calls here do.
        let said = |code: c_int| Ok::<_, io::Error>(code);
        log.note(
            "posix",
            said(unsafe { libc::posix_fallocate(fd, 0, 5_000) }),
        );
        log.note("length", file.metadata().map(|told| told.len()));
        let keep = libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: as above.
        log.note("keep", gave(unsafe { libc::fallocate(fd, keep, 0, 9_000) }));
        log.note("length", file.metadata().map(|told| told.len()));
        // SAFETY: as above.
        log.note("nothing", gave(unsafe { libc::fallocate(fd, 0, 0, 0) }));
        // SAFETY: as above.
        log.note(
            "posix nothing",
            said(unsafe { libc::posix_fallocate(fd, 0, 0) }),
        );
        file.set_len(1 << 20).unwrap();
        file.write_at(b"data", 512 << 10).unwrap();
        // SAFETY: as above.
        let seek = |at, whence| gave(unsafe { libc::lseek(fd, at, whence) });
        log.note("data", seek(100_000, libc::SEEK_DATA));
        log.note("hole", seek(512 << 10, libc::SEEK_HOLE));
        log.note("past the end", seek(2 << 20, libc::SEEK_DATA));
        log.note("no such way", seek(0, 77));
        // SAFETY: as above.
        let advised = unsafe { libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_DONTNEED) };
        log.note("advice", said(advised));
        // SAFETY: as above.
        log.note("sync", gave(unsafe { libc::sync_file_range(fd, 0, 0, 2) }));
        // SAFETY: as above.
        log.note("all", gave(unsafe { libc::syncfs(fd) }));
        // SAFETY: the path ends in NUL.
        let cut = unsafe { libc::truncate(c(&log.at("a")).as_ptr(), 7) };
        log.note("truncate", gave(cut));
        log.note("length", file.metadata().map(|told| told.len()));
    });
}

#[test]
fn descriptors_are_copied_and_told_apart() {
    same_on_both("c-descriptors", |log| {
        fs::write(log.at("a"), b"0123456789").unwrap();
        fs::write(log.at("b"), b"other").unwrap();
        let (one, two) = (both(log, "a"), both(log, "b"));
        // SAFETY: takes any numbers, as all calls here do.
        let same = unsafe { libc::dup2(one.as_raw_fd(), two.as_raw_fd()) };
        log.note("dup2", Ok(same == two.as_raw_fd()));
        log.note("reads", io::read_to_string(&two));
        log.note("at the end", io::read_to_string(&one));
        // SAFETY: as above.
        let flags = |fd| gave(unsafe { libc::fcntl(fd, libc::F_GETFL) });
        let shown = |flags: c_long| flags & c_long::from(libc::O_ACCMODE | libc::O_APPEND);
        log.note("flags", flags(one.as_raw_fd()).map(shown));
        // SAFETY: as above.
        let set = unsafe { libc::fcntl(one.as_raw_fd(), libc::F_SETFL, libc::O_APPEND) };
        log.note("append", gave(set));
        log.note("flags", flags(two.as_raw_fd()).map(shown));
        log.note("appends", one.write_at(b"!", 0));
        log.note("all", fs::read_to_string(log.at("a")));
        let mut chunk = [0_u8; 4];
        // SAFETY: the buffer is as long as is said.
        let read = unsafe { libc::read(one.as_raw_fd(), chunk.as_mut_ptr().cast(), 4) };
        log.note("read", gave(read as c_long));
        // SAFETY: as above.
        log.note("closed", gave(unsafe { libc::fsync(1 << 29) }));
    });
}

#[test]
fn files_without_a_name_get_one() {
    same_on_both("c-unnamed", |log| {
        let root = c(&log.root);
        let flags = libc::O_TMPFILE | libc::O_RDWR;
        // SAFETY: the path ends in NUL.
        let fd = unsafe { libc::open(root.as_ptr(), flags, 0o600) };
        log.note("open", gave(fd).map(|_| ()));
        // SAFETY: it was opened just now.
        let file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        file.write_at(b"content", 0).unwrap();
        log.note("names", fs::read_dir(&log.root).map(Iterator::count));
        let own = CString::new(format!("/proc/self/fd/{fd}")).unwrap();
        let name = c(&log.at("named"));
        let (here, follow) = (libc::AT_FDCWD, libc::AT_SYMLINK_FOLLOW);
        // SAFETY: both paths end in NUL.
        let linked = unsafe { libc::linkat(here, own.as_ptr(), here, name.as_ptr(), follow) };
        log.note("link", gave(linked));
        log.note("content", fs::read_to_string(log.at("named")));
    });
}

#[test]
fn streams_of_directories_go_back_to_where_they_were() {
    same_on_both("c-streams", |log| {
        for name in ["a", "b", "c", "d"] {
            fs::write(log.at(name), b"").unwrap();
        }
        // SAFETY: the path ends in NUL.
        let directory = unsafe { libc::opendir(c(&log.root).as_ptr()) };
        assert!(!directory.is_null());
        let next = || {
            // SAFETY: the stream is open, and the entry lives until the next call.
            let entry = unsafe { libc::readdir(directory) };
            // SAFETY: as above.
            (!entry.is_null())
                .then(|| unsafe { CStr::from_ptr((*entry).d_name.as_ptr()) }.to_owned())
        };
        let first: Vec<_> = (0..3).filter_map(|_| next()).collect();
        // SAFETY: the stream is open.
        let place = unsafe { libc::telldir(directory) };
        let rest: Vec<_> = std::iter::from_fn(next).collect();
        // SAFETY: as above; the place is of this stream.
        unsafe { libc::seekdir(directory, place) };
        log.note(
            "the same",
            Ok(std::iter::from_fn(next).collect::<Vec<_>>() == rest),
        );
        // SAFETY: as above.
        unsafe { libc::rewinddir(directory) };
        let mut all: Vec<_> = std::iter::from_fn(next).collect();
        log.note("in order", Ok(all == [first, rest].concat()));
        all.sort();
        log.note("all", Ok(all));
        // SAFETY: as above.
        let fd = unsafe { libc::dirfd(directory) };
        // SAFETY: the path ends in NUL.
        let at = unsafe { libc::unlinkat(fd, c"a".as_ptr(), 0) };
        log.note("by its number", gave(at));
        // SAFETY: as above, and nobody has it any more.
        log.note("close", gave(unsafe { libc::closedir(directory) }));
    });
}

#[test]
fn calls_by_number_are_served_too() {
    same_on_both("c-numbers", |log| {
        let path = c(&log.at("a"));
        let flags = libc::O_CREAT | libc::O_RDWR;
        // SAFETY: the path ends in NUL; buffers are as long as is said, in all calls here.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_openat,
                libc::AT_FDCWD,
                path.as_ptr(),
                flags,
                0o644,
            )
        };
        log.note("open", gave(fd).map(|_| ()));
        // SAFETY: as above.
        let wrote = unsafe { libc::syscall(libc::SYS_pwrite64, fd, b"numbers".as_ptr(), 7, 3) };
        log.note("write", gave(wrote));
        let mut bytes = [9_u8; 10];
        // SAFETY: as above.
        let read = unsafe { libc::syscall(libc::SYS_read, fd, bytes.as_mut_ptr(), 10) };
        log.note("read", gave(read).map(|n| (n, bytes)));
        // SAFETY: as above.
        log.note("sync", gave(unsafe { libc::syscall(libc::SYS_fsync, fd) }));
        // SAFETY: as above.
        let advice = unsafe { libc::syscall(libc::SYS_fadvise64, fd, 0, 0, 0) };
        log.note("advice", gave(advice));
        let mut entries = [0_u8; 1024];
        let root = File::open(&log.root).unwrap();
        // SAFETY: as above.
        let listed = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                root.as_raw_fd(),
                entries.as_mut_ptr(),
                1024,
            )
        };
        let names = ["a", ".", ".."].map(|name| {
            let with_end = [name.as_bytes(), &[0]].concat();
            entries
                .windows(with_end.len())
                .any(|window| window == with_end)
        });
        log.note("names", gave(listed).map(|_| names));
        // SAFETY: as above.
        let more = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                root.as_raw_fd(),
                entries.as_mut_ptr(),
                1024,
            )
        };
        log.note("no more", gave(more));
        // SAFETY: as above.
        log.note("close", gave(unsafe { libc::syscall(libc::SYS_close, fd) }));
        // SAFETY: as above.
        let gone = unsafe { libc::syscall(libc::SYS_unlinkat, libc::AT_FDCWD, path.as_ptr(), 0) };
        log.note("unlink", gave(gone));
    });
}

#[test]
fn a_file_is_sent_to_another_descriptor() {
    same_on_both("c-send", |log| {
        fs::write(log.at("a"), vec![7; 100_000]).unwrap();
        let (from, to) = (both(log, "a"), File::create(log.at("b")).unwrap());
        let mut place: i64 = 50_000;
        let (out, fd) = (to.as_raw_fd(), from.as_raw_fd());
        // SAFETY: the offset lives until the call returns, in all calls here.
        let sent = unsafe { libc::sendfile(out, fd, &raw mut place, 20_000) };
        log.note("from a place", gave(sent as c_long).map(|n| (n, place)));
        // SAFETY: as above.
        let sent = unsafe { libc::sendfile(out, fd, ptr::null_mut(), 200_000) };
        log.note("from the start", gave(sent as c_long));
        log.note("length", to.metadata().map(|told| told.len()));
        let mut into: i64 = 5;
        // SAFETY: as above.
        let copied =
            unsafe { libc::copy_file_range(fd, &raw mut place, out, &raw mut into, 10, 0) };
        log.note("range", gave(copied as c_long).map(|n| (n, place, into)));
        let pieces = [libc::iovec {
            iov_base: ptr::null_mut::<c_void>(),
            iov_len: 0,
        }];
        // SAFETY: the piece is empty.
        log.note(
            "nothing",
            gave(unsafe { libc::writev(out, pieces.as_ptr(), 1) } as c_long),
        );
    });
}
