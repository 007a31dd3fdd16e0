//! Layer 1 of the floor: what std sees inside a simulation, and beside one.
#![expect(unsafe_code, reason = "calls the C library as C code does")]
#![expect(
    clippy::disallowed_methods,
    reason = "threads beside the simulation are real"
)]
#![expect(
    clippy::disallowed_types,
    reason = "what is simulated is what is tested"
)]

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sim_runtime::interpose::floor::{self, LayerName};
use sim_runtime::interpose::{outside, outside_count};

use crate::support;

/// Runs `f` within a simulation, on this thread.
pub(crate) fn simulated<R: 'static>(seed: u64, f: impl FnOnce() -> R + 'static) -> R {
    support::run(seed, || async move { f() }).0
}

/// The same on a thread of its own, since std caches hash keys per thread.
fn on_fresh_thread<R: Send + 'static>(seed: u64, f: fn() -> R) -> R {
    thread::spawn(move || simulated(seed, f))
        .join()
        .expect("no panic")
}

/// The order in which a std `HashMap` of a hundred keys gives them back.
pub(crate) fn hash_order() -> Vec<u32> {
    let map: HashMap<u32, ()> = (0..100).map(|key| (key, ())).collect();
    map.into_keys().collect()
}

fn unix_ns() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_nanos()
}

fn random_bytes() -> [u8; 16] {
    let mut out = [0; 16];
    // SAFETY: the pointer and length are those of a live array.
    let got = unsafe { libc::getrandom(out.as_mut_ptr().cast(), out.len(), 0) };
    assert_eq!(got, 16);
    out
}

fn random_bytes_by_number() -> [u8; 16] {
    let mut out = [0u8; 16];
    // SAFETY: the pointer and length are those of a live array.
    let got = unsafe { libc::syscall(libc::SYS_getrandom, out.as_mut_ptr(), out.len(), 0) };
    assert_eq!(got, 16);
    out
}

fn monotonic_ns(clock: libc::clockid_t) -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live timespec.
    assert_eq!(unsafe { libc::clock_gettime(clock, &mut now) }, 0);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// All that a guest can learn from the sources of layer 1.
fn everything() -> (u128, Vec<Duration>, Vec<u32>, [u8; 16], [u8; 16], i64) {
    let started = Instant::now();
    let reads = (0..20).map(|_| started.elapsed()).collect();
    let wall = unix_ns();
    (
        wall,
        reads,
        hash_order(),
        random_bytes(),
        random_bytes_by_number(),
        monotonic_ns(libc::CLOCK_BOOTTIME),
    )
}

#[test]
fn a_seed_fixes_clocks_and_entropy_and_another_draws_other_entropy() {
    let first = on_fresh_thread(7, everything);
    assert_eq!(first, on_fresh_thread(7, everything));
    let other = on_fresh_thread(8, everything);
    assert_ne!(first.2, other.2, "HashMap order");
    assert_ne!(first.3, other.3, "getrandom");
    assert_ne!(first.4, other.4, "getrandom by number");
}

#[test]
fn clocks_creep_and_never_go_back() {
    let reads = on_fresh_thread(1, || {
        let started = Instant::now();
        (0..1_000).map(|_| started.elapsed()).collect::<Vec<_>>()
    });
    assert!(reads.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(reads[999] < Duration::from_millis(10), "{:?}", reads[999]);
}

#[test]
fn a_blocking_sleep_takes_virtual_time_only() {
    let hour = Duration::from_secs(3600);
    let real = Instant::now();
    let slept = on_fresh_thread(1, || {
        let started = Instant::now();
        thread::sleep(Duration::from_secs(3600));
        started.elapsed()
    });
    assert!(
        slept >= hour && slept < hour + Duration::from_secs(1),
        "{slept:?}"
    );
    assert!(real.elapsed() < hour);
}

#[test]
fn an_absolute_sleep_ends_at_its_time() {
    let (woke, again) = on_fresh_thread(1, || {
        let until = monotonic_ns(libc::CLOCK_MONOTONIC) + 5_000_000_000;
        let request = libc::timespec {
            tv_sec: until / 1_000_000_000,
            tv_nsec: until % 1_000_000_000,
        };
        let sleep = || {
            // SAFETY: the request is a live timespec, and null asks for no rest.
            let failed = unsafe {
                libc::clock_nanosleep(
                    libc::CLOCK_MONOTONIC,
                    libc::TIMER_ABSTIME,
                    &request,
                    std::ptr::null_mut(),
                )
            };
            assert_eq!(failed, 0);
            monotonic_ns(libc::CLOCK_MONOTONIC) - until
        };
        (sleep(), sleep())
    });
    assert!((0..1_000_000).contains(&woke), "{woke}");
    assert!(
        (0..1_000_000).contains(&again),
        "{again}: the second sleep is over at once"
    );
}

#[test]
fn a_thread_beside_a_simulation_has_the_real_time_and_entropy() {
    simulated(3, || {
        // A real thread: no simulation knows of it.
        let (wall, first, second) =
            outside(|| thread::spawn(|| (unix_ns(), random_bytes(), random_bytes())))
                .join()
                .expect("no panic");
        // SAFETY: null asks for the answer alone.
        let real_s = outside(|| unsafe { libc::time(std::ptr::null_mut()) });
        let wall_s = i64::try_from(wall / 1_000_000_000).expect("this century");
        assert!((real_s - wall_s).abs() < 60, "{real_s} {wall_s}");
        assert_ne!(first, second);
        assert_ne!(random_bytes(), first);
    });
    let before = monotonic_ns(libc::CLOCK_MONOTONIC);
    assert!(monotonic_ns(libc::CLOCK_MONOTONIC) >= before);
}

#[test]
fn the_hatch_gives_real_answers_and_is_counted() {
    let (virtual_before, real, virtual_after, entered) = on_fresh_thread(5, || {
        let entered = outside_count();
        let before = unix_ns();
        let real = outside(unix_ns);
        (before, real, unix_ns(), outside_count() - entered)
    });
    assert_eq!(entered, 1);
    assert!(virtual_after - virtual_before < 1_000_000_000);
    let here = unix_ns();
    assert!(here.abs_diff(real) < 600_000_000_000, "{here} {real}");
}

#[test]
fn a_simulation_within_the_hatch_is_one_all_the_same() {
    let seen = || {
        outside(|| {
            let virtual_ns = simulated(5, unix_ns);
            (virtual_ns, unix_ns())
        })
    };
    let (first, second) = (seen(), seen());
    assert_eq!(first.0, second.0);
    assert!(first.1 < second.1 && first.0 != first.1);
}

#[test]
fn what_the_kernel_refuses_is_refused_inside_too() {
    on_fresh_thread(2, || {
        let mut byte = 0u8;
        // SAFETY: the pointer and length are those of a live byte; the flags are wrong.
        let got = unsafe { libc::getrandom((&raw mut byte).cast(), 1, 0xff00) };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((got, error), (-1, Some(libc::EINVAL)));
        // SAFETY: a null pointer is what the kernel is asked to refuse.
        let got = unsafe { libc::getrandom(std::ptr::null_mut(), 1, 0) };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((got, error), (-1, Some(libc::EFAULT)));
        let mut now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointer is to a live timespec; the clock does not exist.
        let failed = unsafe { libc::clock_gettime(99, &mut now) };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((failed, error), (-1, Some(libc::EINVAL)));
        assert!(
            monotonic_ns(libc::CLOCK_THREAD_CPUTIME_ID) > 0,
            "CPU clocks are real"
        );
    });
}

#[test]
fn the_report_says_what_is_there() {
    let state = |name| {
        let layers = on_fresh_thread(1, floor::report);
        layers
            .into_iter()
            .find(|layer| layer.name == name)
            .expect("every layer is listed")
    };
    assert_eq!(state(LayerName::Symbols).to_string(), "symbols: active");
    assert!(state(LayerName::FreshThread).is_active());
    assert!(
        state(LayerName::FreshProcess)
            .to_string()
            .starts_with("fresh-process: missing (runs in the process that was started); uncov")
    );
    let drew_before = thread::spawn(|| {
        hash_order();
        simulated(1, floor::report)
    });
    let layers = drew_before.join().expect("no panic");
    let thread = layers
        .iter()
        .find(|layer| layer.name == LayerName::FreshThread);
    assert!(!thread.expect("every layer is listed").is_active());
}
