//! Calls of the C library that few make: each is as much a guest's as those that all make.
#![expect(unsafe_code, reason = "calls the C library as C code does")]

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use sim_runtime::Fd;

use crate::floor::simulated;

// SAFETY: the types are those of the manual pages.
unsafe extern "C" {
    fn arc4random() -> u32;
    fn arc4random_buf(out: *mut c_void, length: usize);
    fn arc4random_uniform(bound: u32) -> u32;
    fn timespec_get(out: *mut libc::timespec, base: c_int) -> c_int;
}

fn draws() -> (u32, [u8; 9], Vec<u32>) {
    let mut bytes = [0; 9];
    // SAFETY: the pointer and length are those of a live array.
    unsafe { arc4random_buf(bytes.as_mut_ptr().cast(), bytes.len()) };
    let below = |bound| {
        // SAFETY: takes any number.
        unsafe { arc4random_uniform(bound) }
    };
    // SAFETY: takes nothing.
    let word = unsafe { arc4random() };
    (word, bytes, (0..100).map(below).collect())
}

#[test]
fn the_c_librarys_own_generator_draws_the_nodes_entropy() {
    let first = simulated(1, draws);
    assert_eq!(first, simulated(1, draws));
    assert_ne!(first, simulated(2, draws));
    assert_ne!(draws(), draws());
    let mut bounds = first.2.iter().zip(0_u32..);
    assert!(bounds.all(|(drawn, bound)| *drawn < bound.max(1)));
    let third = simulated(1, || {
        // SAFETY: takes any number.
        let draw = || unsafe { arc4random_uniform(3) };
        let mut count = [0_u32; 3];
        (0..3_000).for_each(|_| count[draw() as usize] += 1);
        count
    });
    assert!(
        third.iter().all(|count| (900..1_100).contains(count)),
        "{third:?}"
    );
}

/// Wall clock, ticks since boot and seconds since boot, each by the C library and by number.
fn seldom_clocks() -> (libc::timespec, [i64; 2], [i64; 2]) {
    // SAFETY: zeroes are valid answers of all three.
    let (mut now, mut spent, mut load): (libc::timespec, libc::tms, libc::sysinfo) =
        unsafe { mem::zeroed() };
    // SAFETY: the pointer is to a live timespec.
    assert_eq!(unsafe { timespec_get(&mut now, 1) }, 1);
    // SAFETY: the pointer is to a live structure.
    let ticks = unsafe { libc::times(&mut spent) };
    // SAFETY: as above.
    let by_number = unsafe { libc::syscall(libc::SYS_times, &raw mut spent) };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::sysinfo(&mut load) }, 0);
    let uptime = load.uptime;
    assert_eq!((load.procs, load.loads), (1, [0; 3]));
    assert!(load.totalram > load.freeram);
    // SAFETY: as above.
    assert_eq!(
        unsafe { libc::syscall(libc::SYS_sysinfo, &raw mut load) },
        0
    );
    (now, [ticks, by_number], [uptime, load.uptime])
}

#[test]
fn seldom_clocks_are_the_guests() {
    let (now, ticks, uptime) = simulated(1, seldom_clocks);
    let again = simulated(1, seldom_clocks);
    assert_eq!((now.tv_sec, now.tv_nsec), (again.0.tv_sec, again.0.tv_nsec));
    assert_eq!((ticks, uptime), (again.1, again.2));
    // A node has been up for a million seconds.
    assert_eq!((ticks, uptime), ([100_000_000; 2], [1_000_000; 2]));
    // SAFETY: zeroes are a valid time.
    let mut real: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: the pointer is to a live timespec.
    assert_eq!(unsafe { timespec_get(&mut real, 1) }, 1);
    assert_ne!((real.tv_sec, real.tv_nsec), (now.tv_sec, now.tv_nsec));
}

#[test]
fn every_clock_of_a_guest_counts_nanoseconds() {
    let resolution = |clock| {
        // SAFETY: zeroes are a valid time.
        let mut out: libc::timespec = unsafe { mem::zeroed() };
        // SAFETY: the pointer is to a live timespec.
        let by_name = unsafe { libc::clock_getres(clock, &mut out) };
        // SAFETY: null asks for nothing but whether the clock exists.
        let by_number =
            unsafe { libc::syscall(libc::SYS_clock_getres, clock, std::ptr::null_mut::<()>()) };
        (by_name, by_number, out.tv_sec, out.tv_nsec)
    };
    for clock in [libc::CLOCK_REALTIME_COARSE, libc::CLOCK_MONOTONIC] {
        assert_eq!(simulated(1, move || resolution(clock)), (0, 0, 0, 1));
    }
    assert_eq!(simulated(1, move || resolution(99)).0, -1);
}

#[test]
fn a_simulated_file_says_what_it_is_and_where_it_stands() {
    simulated(1, || {
        let random = File::open("/dev/urandom").expect("it is there");
        assert!(Fd::is_simulated(random.as_raw_fd()));
        let told = random.metadata().expect("it is told");
        assert!(told.file_type().is_char_device());
        let mut file = File::open("/proc/sys/kernel/random/boot_id").expect("it is there");
        assert!(file.metadata().expect("it is told").is_file());
        assert_ne!(file.metadata().expect("it is told").ino(), told.ino());
        let (mut first, mut second) = (String::new(), String::new());
        file.read_to_string(&mut first).expect("text");
        assert_eq!(file.stream_position().expect("it has one"), 37);
        assert_eq!(file.seek(SeekFrom::End(-5)).expect("it has one"), 32);
        file.read_to_string(&mut second).expect("text");
        assert_eq!(first[32..], second);
        assert!(file.seek(SeekFrom::Current(-38)).is_err());
        // SAFETY: takes any number.
        let copy = unsafe { libc::dup(file.as_raw_fd()) };
        assert!(Fd::is_simulated(copy) && copy != file.as_raw_fd());
        // SAFETY: closes what was copied.
        assert_eq!(unsafe { libc::close(copy) }, 0);
        file.rewind().expect("it has a start");
        second.clear();
        file.read_to_string(&mut second).expect("text");
        assert_eq!(first, second);
    });
}

#[test]
fn real_files_are_told_by_the_kernel_inside_too() {
    let tell = || {
        let exe = std::env::current_exe().expect("a path");
        let file = File::open(exe).expect("it is there");
        let told = file.metadata().expect("it is told");
        // What std asks to learn whether the call exists.
        // SAFETY: null pointers are what the kernel is asked to refuse.
        let probe = unsafe {
            libc::statx(
                0,
                std::ptr::null(),
                0,
                libc::STATX_BASIC_STATS,
                std::ptr::null_mut(),
            )
        };
        let refused = io::Error::last_os_error().raw_os_error();
        (told.len(), told.ino(), probe, refused)
    };
    assert_eq!(simulated(1, tell), tell());
}

/// What the kernel says to who wants to watch files, by the C library and by number.
fn watchers() -> [Result<(), Option<c_int>>; 3] {
    let asked = |fd: c_int| {
        if fd < 0 {
            return Err(io::Error::last_os_error().raw_os_error());
        }
        // SAFETY: it was just made, and nobody else knows it.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });
        Ok(())
    };
    // SAFETY: takes nothing.
    let plain = asked(unsafe { libc::inotify_init() });
    // SAFETY: takes any flags.
    let flagged = asked(unsafe { libc::inotify_init1(libc::IN_CLOEXEC) });
    // SAFETY: as above.
    let number = unsafe { libc::syscall(libc::SYS_inotify_init1, libc::IN_CLOEXEC) };
    [plain, flagged, asked(number as c_int)]
}

#[test]
fn a_guest_is_refused_a_watcher_of_files() {
    let refused = Err(Some(libc::ENOSYS));
    assert_eq!(simulated(1, watchers), [refused; 3]);
    assert_eq!(watchers(), [Ok(()); 3]);
}
