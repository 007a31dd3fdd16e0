//! Who and where a guest is, and the files that would tell it otherwise.
#![expect(unsafe_code, reason = "calls the C library as C code does")]

use std::fs;
use std::io::Read as _;
use std::process;
use std::rc::Rc;
use std::thread::available_parallelism;

use sim_runtime::{Config, Down, Seed, Simulation, time};
use std::cell::RefCell;
use std::time::Duration;

use crate::floor::simulated;

fn host_name() -> String {
    let mut out = [0_u8; 64];
    // SAFETY: the pointer and length are those of a live array.
    assert_eq!(
        unsafe { libc::gethostname(out.as_mut_ptr().cast(), out.len()) },
        0
    );
    let end = out.iter().position(|byte| *byte == 0).expect("ends in NUL");
    String::from_utf8_lossy(&out[..end]).into_owned()
}

fn uname() -> String {
    // SAFETY: zeroes are a valid, empty answer.
    let mut out: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live structure.
    assert_eq!(unsafe { libc::uname(&mut out) }, 0);
    let text = |field: &[libc::c_char]| -> String {
        let bytes = field.iter().take_while(|byte| **byte != 0);
        bytes.map(|byte| char::from(byte.cast_unsigned())).collect()
    };
    format!("{} {}", text(&out.nodename), text(&out.release))
}

fn bytes_of(path: &str) -> [u8; 16] {
    let mut out = [0; 16];
    let mut file = fs::File::open(path).expect("it is there");
    file.read_exact(&mut out).expect("it has 16 bytes");
    out
}

fn text_of(path: &str) -> String {
    fs::read_to_string(path).expect("it is text")
}

#[test]
fn the_random_devices_are_the_nodes_entropy() {
    let read = || (bytes_of("/dev/urandom"), bytes_of("/dev/random"));
    let first = simulated(1, read);
    assert_eq!(first, simulated(1, read));
    assert_ne!(first, simulated(2, read));
    assert_ne!(first.0, first.1);
    assert_ne!(bytes_of("/dev/urandom"), bytes_of("/dev/urandom"));
}

#[test]
fn identifiers_of_machine_and_boot_follow_the_seed() {
    const UUID: &str = "/proc/sys/kernel/random/uuid";
    let read = || {
        let once = [
            text_of("/proc/sys/kernel/random/boot_id"),
            text_of("/etc/machine-id"),
            text_of(UUID),
        ];
        let boot = text_of("/proc/sys/kernel/random/boot_id");
        (once, boot, text_of(UUID))
    };
    let (once, boot, uuid) = simulated(1, read);
    assert_eq!(
        (once.clone(), boot.clone(), uuid.clone()),
        simulated(1, read)
    );
    assert_eq!(once[0], boot);
    assert_ne!(once[2], uuid);
    assert_eq!((once[0].len(), once[1].len(), uuid.len()), (37, 33, 37));
    assert_ne!(simulated(2, read).0, once);
}

#[test]
fn a_process_is_told_apart_by_its_boot_and_knows_its_host() {
    let simulation = Simulation::new(Config::new(Seed(1)));
    let seen = Rc::new(RefCell::new(Vec::new()));
    let told = Rc::clone(&seen);
    simulation
        .block_on(async move {
            let world = sim_runtime::world();
            let node = world.create_node("db1", [10, 0, 0, 1].into());
            let told = Rc::clone(&told);
            let main: sim_runtime::NodeMain = Rc::new(move || {
                let told = Rc::clone(&told);
                Box::pin(async move {
                    told.borrow_mut()
                        .push((process::id(), host_name(), uname()));
                    std::future::pending::<()>().await;
                })
            });
            world.start_node(node, main);
            time::sleep(Duration::from_secs(1)).await;
            world.kill_node(node, Down::Kill);
            world.restart_node(node);
            time::sleep(Duration::from_secs(1)).await;
        })
        .expect("it ends");
    let _summary = simulation.finish();
    let of = |pid| (pid, "db1".to_owned(), "db1 6.1.0-simulated".to_owned());
    assert_eq!(*seen.borrow(), [of(101), of(102)]);
    assert_ne!(process::id(), 101);
}

#[test]
fn a_node_has_four_processors() {
    let count = || available_parallelism().expect("it is known").get();
    assert_eq!(simulated(1, count), 4);
}

#[test]
fn descriptors_of_the_simulation_are_nothing_outside_it() {
    let number = simulated(1, || {
        // SAFETY: the path ends in NUL.
        let fd = unsafe { libc::open(c"/dev/urandom".as_ptr(), libc::O_RDONLY) };
        assert!(sim_runtime::Fd::is_simulated(fd));
        // SAFETY: closes what was opened.
        assert_eq!(unsafe { libc::close(fd) }, 0);
        // SAFETY: as above: the kernel refuses it.
        assert_eq!(unsafe { libc::close(fd) }, -1);
        fd
    });
    let mut byte = 0_u8;
    // SAFETY: the pointer is to a live byte.
    let read = unsafe { libc::read(number, (&raw mut byte).cast(), 1) };
    let errno = std::io::Error::last_os_error().raw_os_error();
    assert_eq!((read, errno), (-1, Some(libc::EBADF)));
}
