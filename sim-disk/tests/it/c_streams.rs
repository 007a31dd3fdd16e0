//! What C libraries do by longer ways than calls on files: streams, names that nobody has yet,
//! listings and patterns; and what a simulated disk refuses, in words.
#![expect(unsafe_code, reason = "calls the C library as C code does")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs::{self, File};
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::ptr;

use sim_disk::DiskConfig;

use crate::c_files::{c, gave};
use crate::harness::Bench;
use crate::std_files::same_on_both;

#[test]
fn streams_of_the_c_library_are_buffered_over_simulated_files() {
    same_on_both("c-stdio", |log| {
        let path = c(&log.at("a"));
        // SAFETY: paths and modes end in NUL, and streams are open, in all calls here.
        let open = |mode: &CStr| unsafe { libc::fopen(path.as_ptr(), mode.as_ptr()) };
        log.note("missing", Ok(open(c"r").is_null()));
        log.note("why", gave(-1).map(|_| ()));
        let stream = open(c"w+");
        // SAFETY: as above.
        let put = unsafe { libc::fputs(c"first line\nsecond line\n".as_ptr(), stream) };
        log.note("put", Ok(put >= 0));
        log.note("not yet", fs::read_to_string(log.at("a")));
        // SAFETY: as above.
        log.note("flush", gave(unsafe { libc::fflush(stream) }));
        log.note("written", fs::read_to_string(log.at("a")));
        // SAFETY: as above.
        let fd = unsafe { libc::fileno(stream) };
        // SAFETY: as above.
        log.note("sync", gave(unsafe { libc::fsync(fd) }));
        // SAFETY: as above.
        log.note(
            "seek",
            gave(unsafe { libc::fseek(stream, 6, libc::SEEK_SET) }),
        );
        let mut line = [0; 32];
        // SAFETY: the buffer is as long as is said.
        let got = unsafe { libc::fgets(line.as_mut_ptr(), 32, stream) };
        // SAFETY: a line ends in NUL.
        log.note("line", Ok(unsafe { CStr::from_ptr(got) }.to_owned()));
        // SAFETY: as above.
        log.note("place", gave(unsafe { libc::ftell(stream) }));
        // SAFETY: as above.
        log.note("close", gave(unsafe { libc::fclose(stream) }));
        // SAFETY: as above.
        log.note("closed", gave(unsafe { libc::fsync(fd) }));
        let stream = open(c"a");
        // SAFETY: as above.
        unsafe { libc::fputs(c"end\n".as_ptr(), stream) };
        // SAFETY: as above.
        log.note("close", gave(unsafe { libc::fclose(stream) }));
        log.note("in the end", fs::read_to_string(log.at("a")));
        log.note("exclusive", Ok(open(c"wx").is_null()));
    });
}

#[test]
fn temporary_names_are_the_seeds() {
    let names = |seed| {
        let bench = Bench::new(seed, DiskConfig::default());
        let names = bench.on_node(|_| {
            let mut file = *b"/tmp/fileXXXXXX\0";
            // SAFETY: the template ends in NUL and is ours to change, in all calls here.
            let fd = unsafe { libc::mkstemp(file.as_mut_ptr().cast()) };
            // SAFETY: it was opened just now.
            let opened = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
            opened.write_at(b"mine", 0).unwrap();
            let mut directory = *b"/tmp/dirXXXXXX\0";
            // SAFETY: as above.
            let made = unsafe { libc::mkdtemp(directory.as_mut_ptr().cast()) };
            assert!(!made.is_null());
            let mut wrong = *b"/tmp/none\0";
            // SAFETY: as above.
            let refused = gave(unsafe { libc::mkstemp(wrong.as_mut_ptr().cast()) });
            assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EINVAL));
            let text = |bytes: &[u8]| CStr::from_bytes_with_nul(bytes).unwrap().to_owned();
            let (file, directory) = (text(&file), text(&directory));
            let path = |name: &CStr| Path::new(name.to_str().unwrap()).to_owned();
            assert_eq!(fs::read(path(&file)).unwrap(), b"mine");
            assert!(path(&directory).is_dir());
            (file, directory)
        });
        drop(bench.finish());
        names
    };
    assert_eq!(names(1), names(1));
    assert_ne!(names(1), names(2));
}

type Entry = *mut libc::dirent64;

// SAFETY: the types are those of the manual pages.
unsafe extern "C" {
    fn scandir64(
        path: *const c_char,
        out: *mut *mut Entry,
        filter: Option<unsafe extern "C" fn(*const libc::dirent64) -> c_int>,
        order: Option<unsafe extern "C" fn(*mut Entry, *mut Entry) -> c_int>,
    ) -> c_int;
    fn alphasort64(one: *mut Entry, other: *mut Entry) -> c_int;
    fn nftw(path: *const c_char, visit: *mut c_void, most: c_int, flags: c_int) -> c_int;
    fn mktemp(template: *mut c_char) -> *mut c_char;
    fn __open64_2(path: *const c_char, flags: c_int) -> c_int;
    fn __read_chk(fd: c_int, out: *mut c_void, length: usize, room: usize) -> isize;
    fn canonicalize_file_name(path: *const c_char) -> *mut c_char;
    fn get_current_dir_name() -> *mut c_char;
    fn close_range(first: u32, last: u32, flags: c_int) -> c_int;
}

unsafe extern "C" fn has_no_dot(entry: *const libc::dirent64) -> c_int {
    // SAFETY: the caller gives an entry.
    c_int::from(unsafe { (*entry).d_name[0] } != b'.'.cast_signed())
}

/// The names that `scandir` finds, in its order.
fn scanned(path: &Path) -> io::Result<Vec<CString>> {
    let (path, mut list) = (c(path), ptr::null_mut());
    // SAFETY: the path ends in NUL, and the functions are for entries.
    let count = unsafe {
        scandir64(
            path.as_ptr(),
            &raw mut list,
            Some(has_no_dot),
            Some(alphasort64),
        )
    };
    let count = gave(count)? as usize;
    let mut names = Vec::new();
    for at in 0..count {
        // SAFETY: the list has as many.
        let entry = unsafe { list.add(at).read() };
        // SAFETY: a name ends in NUL.
        names.push(unsafe { CStr::from_ptr((*entry).d_name.as_ptr()) }.to_owned());
        // SAFETY: it is the caller's, as the list is below.
        unsafe { libc::free(entry.cast()) };
    }
    // SAFETY: as above.
    unsafe { libc::free(list.cast()) };
    Ok(names)
}

/// The paths that a pattern matches.
fn matched(pattern: &Path) -> io::Result<Vec<CString>> {
    let pattern = c(pattern);
    // SAFETY: zeroes are a value of this plain structure.
    let mut found: libc::glob_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pattern ends in NUL.
    match unsafe { libc::glob(pattern.as_ptr(), 0, None, &raw mut found) } {
        0 => {}
        code => return Err(io::Error::from_raw_os_error(1000 + code)),
    }
    let paths = (0..found.gl_pathc).map(|at| {
        // SAFETY: the list has as many.
        let path = unsafe { found.gl_pathv.add(at).read() };
        // SAFETY: a path ends in NUL.
        unsafe { CStr::from_ptr(path) }.to_owned()
    });
    let paths = paths.collect();
    // SAFETY: it was filled by `glob`.
    unsafe { libc::globfree(&raw mut found) };
    Ok(paths)
}

#[test]
fn listings_and_patterns_of_the_c_library_are_of_simulated_files() {
    same_on_both("c-listings", |log| {
        for name in ["one.log", "two.log", "three.txt", ".hidden"] {
            fs::write(log.at(name), name).unwrap();
        }
        fs::create_dir(log.at("dir")).unwrap();
        fs::write(log.at("dir/four.log"), "").unwrap();
        log.note("all", scanned(&log.at("")));
        log.note("missing", scanned(&log.at("none")));
        log.note("no directory", scanned(&log.at("one.log")));
        log.note("logs", matched(&log.at("*.log")));
        log.note("below", matched(&log.at("*/f*.log")));
        log.note("one of two", matched(&log.at("t[vw]o.*")));
        log.note("nothing", matched(&log.at("*.none")));
    });
}

#[test]
fn names_of_checked_and_of_old_c_code_are_of_simulated_files() {
    same_on_both("c-old-names", |log| {
        fs::write(log.at("a"), "content").unwrap();
        let path = c(&log.at("a"));
        // SAFETY: the path ends in NUL, in all calls here.
        let fd = unsafe { __open64_2(path.as_ptr(), libc::O_RDONLY) };
        log.note("opened", gave(c_int::from(fd >= 0)));
        let mut bytes = [0_u8; 16];
        // SAFETY: the buffer has room for as many.
        let read = unsafe { __read_chk(fd, bytes.as_mut_ptr().cast(), 16, 16) };
        log.note("read", Ok((read, bytes)));
        // SAFETY: it is open.
        log.note("closed", gave(unsafe { libc::close(fd) }));
        let times = libc::utimbuf {
            actime: 1_000,
            modtime: 2_000,
        };
        // SAFETY: the times live until the call returns.
        log.note(
            "times",
            gave(unsafe { libc::utime(path.as_ptr(), &raw const times) }),
        );
        let told = fs::metadata(log.at("a"));
        log.note("told", told.map(|told| (told.atime(), told.mtime())));
        // SAFETY: as above.
        let found = unsafe { canonicalize_file_name(path.as_ptr()) };
        // SAFETY: a path ends in NUL.
        log.note("canonical", Ok(unsafe { CStr::from_ptr(found) }.to_owned()));
        // SAFETY: it is the caller's.
        unsafe { libc::free(found.cast()) };
        // SAFETY: takes nothing.
        let file = unsafe { libc::tmpfile() };
        // SAFETY: it is open, as below.
        log.note(
            "put",
            Ok(unsafe { libc::fputs(c"unnamed".as_ptr(), file) } >= 0),
        );
        // SAFETY: as above.
        log.note(
            "back",
            gave(unsafe { libc::fseek(file, 2, libc::SEEK_SET) }),
        );
        // SAFETY: as above.
        log.note("next", gave(unsafe { libc::fgetc(file) }));
        // SAFETY: as above.
        log.note("closed", gave(unsafe { libc::fclose(file) }));
        log.note("all", scanned(&log.at("")));
    });
}

#[test]
fn what_a_simulated_disk_cannot_do_is_refused() {
    let bench = Bench::new(1, DiskConfig::default());
    let refused = bench.on_node(|_| {
        fs::create_dir_all("/d").unwrap();
        fs::write("/d/a", "x").unwrap();
        let path = c"/d/a".as_ptr();
        let mut template = *b"/d/fileXXXXXX\0";
        let pointer = |given: *mut c_char| if given.is_null() { -1 } else { 0 };
        let code = |answer: c_int| gave(answer).unwrap_err().raw_os_error();
        macro_rules! codes {
            ($($call:expr),* $(,)?) => {[$(
                // SAFETY: paths and names end in NUL; null is for no room.
                code(unsafe { $call } as c_int)
            ),*]};
        }
        let refused = codes![
            nftw(c"/d".as_ptr(), ptr::null_mut(), 4, 0),
            libc::mkfifo(c"/d/pipe".as_ptr(), 0o600),
            libc::mknod(c"/d/node".as_ptr(), 0o600, 0),
            pointer(mktemp(template.as_mut_ptr().cast())),
            libc::chroot(c"/d".as_ptr()),
            close_range(3, u32::MAX, 0),
            libc::getxattr(path, c"user.x".as_ptr(), ptr::null_mut(), 0),
            libc::setxattr(path, c"user.x".as_ptr(), ptr::null(), 0, 0),
            libc::listxattr(path, ptr::null_mut(), 0),
        ];
        // SAFETY: takes nothing.
        unsafe { libc::sync() };
        // SAFETY: takes nothing.
        let directory = unsafe { get_current_dir_name() };
        // SAFETY: a path ends in NUL.
        assert_eq!(unsafe { CStr::from_ptr(directory) }, c"/");
        refused
    });
    drop(bench.finish());
    assert_eq!(refused, [Some(libc::EOPNOTSUPP); 9]);
}
