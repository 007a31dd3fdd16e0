//! One body that uses `tokio::fs`, `std::fs` and the streams of C on one volume, in turns: on the
//! machine, in a simulation, and across the loss of its power.
#![expect(unsafe_code, reason = "calls the C library as C code does")]

use std::ffi::CString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sim_runtime::{Down, spawn_on, time};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{in_both_worlds, simulate_world, start};

in_both_worlds! {
    what_one_writes_the_others_read
}

fn c(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL")
}

/// Appends a line as C code does: buffered, then flushed when the stream is closed.
fn append_by_c(path: &Path, line: &str) {
    let line = CString::new(line).expect("no NUL");
    // SAFETY: path and mode end in NUL.
    let stream = unsafe { libc::fopen(c(path).as_ptr(), c"a".as_ptr()) };
    assert!(!stream.is_null(), "{}", std::io::Error::last_os_error());
    // SAFETY: the stream is open and the line ends in NUL.
    assert!(unsafe { libc::fputs(line.as_ptr(), stream) } >= 0);
    // SAFETY: the stream is open, and nobody has it afterwards.
    assert_eq!(unsafe { libc::fclose(stream) }, 0);
}

/// The first line, as C code reads it.
fn first_line_by_c(path: &Path) -> Vec<u8> {
    // SAFETY: path and mode end in NUL.
    let stream = unsafe { libc::fopen(c(path).as_ptr(), c"r".as_ptr()) };
    assert!(!stream.is_null(), "{}", std::io::Error::last_os_error());
    let mut line = [0; 64];
    // SAFETY: the buffer is as long as is said.
    let got = unsafe { libc::fgets(line.as_mut_ptr(), 64, stream) };
    assert!(!got.is_null());
    // SAFETY: the stream is open, and nobody has it afterwards.
    assert_eq!(unsafe { libc::fclose(stream) }, 0);
    let line = line.iter().take_while(|byte| **byte != 0);
    line.map(|byte| byte.cast_unsigned()).collect()
}

/// Each adds a line, by a path of its own to the same file.
async fn three_lines(folder: &Path) -> PathBuf {
    let file = folder.join("log");
    let mut by_tokio = tokio::fs::File::create(&file).await.unwrap();
    by_tokio.write_all(b"tokio\n").await.unwrap();
    by_tokio.flush().await.unwrap();
    let mut by_std = fs::OpenOptions::new().append(true).open(&file).unwrap();
    by_std.write_all(b"std\n").unwrap();
    append_by_c(&file, "c\n");
    by_std.write_all(b"std again\n").unwrap();
    by_tokio.sync_all().await.unwrap();
    file
}

const LINES: &str = "tokio\nstd\nc\nstd again\n";

async fn what_one_writes_the_others_read() {
    let name = format!("landfall-three-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    tokio::fs::create_dir_all(&folder).await.unwrap();
    let file = three_lines(&folder).await;
    assert_eq!(first_line_by_c(&file), b"tokio\n");
    assert_eq!(tokio::fs::read_to_string(&file).await.unwrap(), LINES);
    let mut text = String::new();
    let mut by_std = fs::File::open(&file).unwrap();
    by_std.read_to_string(&mut text).unwrap();
    assert_eq!(text, LINES);

    // A name that one gives is the name that the others find.
    fs::rename(&file, folder.join("renamed")).unwrap();
    assert!(!tokio::fs::try_exists(&file).await.unwrap());
    assert_eq!(first_line_by_c(&folder.join("renamed")), b"tokio\n");
    let mut by_tokio = tokio::fs::File::open(folder.join("renamed")).await.unwrap();
    // SAFETY: both paths end in NUL.
    let unlinked = unsafe { libc::unlink(c(&folder.join("renamed")).as_ptr()) };
    assert_eq!(unlinked, 0);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    text.clear();
    by_tokio.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, LINES, "unlinked while it is open");
    fs::remove_dir(&folder).unwrap();
}

async fn lines_and_more() {
    if fs::exists("/log").unwrap() {
        return std::future::pending().await;
    }
    let file = three_lines(Path::new("/")).await;
    fs::File::open("/").unwrap().sync_all().unwrap();
    append_by_c(&file, "not synced\n");
    std::future::pending().await
}

#[test]
fn what_any_of_them_synced_is_there_after_a_power_loss() {
    let mut lost = 0;
    for seed in 0..20 {
        let log = simulate_world(seed, move |world| async move {
            let node = start(&world, "writer", 1, lines_and_more);
            time::sleep(Duration::from_millis(10)).await;
            world.kill_node(node, Down::PowerLoss);
            time::sleep(Duration::from_millis(10)).await;
            world.restart_node(node);
            let read = spawn_on(node, "reader", async { fs::read_to_string("/log") });
            read.await.unwrap().unwrap()
        });
        assert!(log.starts_with(LINES), "{log:?}");
        lost += usize::from(log == LINES);
    }
    assert!(lost > 0, "no seed of 20 lost what was not synced");
}
