//! Calls on files: sim-disk's own, std's, which the floor brings to it, and those of the drop-in.

use std::fs::{File, OpenOptions};
use std::io::SeekFrom;
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;

use sim_disk::{Disk, disk};
use sim_runtime::{Fd, Summary};
use sim_tokio::fs;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::lab::{self, TASKS, rounds};
use crate::map::{PAGE, PAGES};

const PATH: &str = "/file";

/// A file of pages that are durable, open.
fn prepare() -> (Rc<Disk>, Fd) {
    let disk = disk().expect("the lab has one");
    let flags = libc::O_RDWR | libc::O_CREAT;
    let fd = disk.open_with(PATH, flags, 0o644).expect("a new file");
    for page in 0..PAGES {
        let written = disk.pwrite(fd, &[1; PAGE], page * PAGE as u64);
        assert_eq!(written.expect("there is room"), PAGE);
    }
    disk.sync_everything();
    (disk, fd)
}

fn prepare_std() -> File {
    let (disk, fd) = prepare();
    disk.close(fd).expect("it is open");
    open_std()
}

fn open_std() -> File {
    let file = OpenOptions::new().read(true).write(true).open(PATH);
    file.expect("it is there")
}

/// Where the `nth` operation is.
const fn place(nth: u64) -> u64 {
    nth % PAGES * PAGE as u64
}

pub(crate) fn writes(count: u64) -> Summary {
    lab::run_stored(async move {
        let (disk, fd) = prepare();
        for _ in 0..rounds(count) {
            for nth in 0..TASKS {
                let written = disk.pwrite(fd, &[2; PAGE], place(nth));
                assert_eq!(written.expect("there is room"), PAGE);
            }
            disk.fsync(fd).expect("no fault");
        }
    })
}

pub(crate) fn reads(count: u64) -> Summary {
    lab::run_stored(async move {
        let (disk, fd) = prepare();
        let mut page = [0; PAGE];
        for nth in 0..count {
            let read = disk.pread(fd, &mut page, place(nth));
            assert_eq!(read.expect("no fault"), PAGE);
        }
    })
}

pub(crate) fn syncs(count: u64) -> Summary {
    lab::run_stored(async move {
        let (disk, fd) = prepare();
        for nth in 0..count {
            let written = disk.pwrite(fd, &[2; PAGE], place(nth));
            assert_eq!(written.expect("there is room"), PAGE);
            disk.fsync(fd).expect("no fault");
        }
    })
}

pub(crate) fn opens(count: u64) -> Summary {
    lab::run_stored(async move {
        let (disk, _) = prepare();
        for _ in 0..count {
            let fd = disk.open_with(PATH, libc::O_RDWR, 0).expect("it is there");
            disk.close(fd).expect("it is open");
        }
    })
}

pub(crate) fn std_writes(count: u64) -> Summary {
    lab::run_stored(async move {
        let file = prepare_std();
        for _ in 0..rounds(count) {
            for nth in 0..TASKS {
                let written = file.write_all_at(&[2; PAGE], place(nth));
                written.expect("there is room");
            }
            file.sync_all().expect("no fault");
        }
    })
}

pub(crate) fn std_reads(count: u64) -> Summary {
    lab::run_stored(async move {
        let file = prepare_std();
        let mut page = [0; PAGE];
        for nth in 0..count {
            file.read_exact_at(&mut page, place(nth)).expect("no fault");
        }
    })
}

pub(crate) fn std_syncs(count: u64) -> Summary {
    lab::run_stored(async move {
        let file = prepare_std();
        for nth in 0..count {
            let written = file.write_all_at(&[2; PAGE], place(nth));
            written.expect("there is room");
            file.sync_all().expect("no fault");
        }
    })
}

pub(crate) fn std_opens(count: u64) -> Summary {
    lab::run_stored(async move {
        drop(prepare_std());
        for _ in 0..count {
            drop(open_std());
        }
    })
}

async fn prepare_tokio() -> fs::File {
    drop(prepare_std());
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).write(true).open(PATH).await;
    file.expect("it is there")
}

/// Back to the start, once in so many pages as there are: tokio's files have no `pwrite`.
async fn rewind(file: &mut fs::File, nth: u64) {
    if nth.is_multiple_of(PAGES) {
        file.seek(SeekFrom::Start(0)).await.expect("no fault");
    }
}

async fn write(file: &mut fs::File, nth: u64) {
    rewind(file, nth).await;
    file.write_all(&[2; PAGE]).await.expect("there is room");
    file.flush().await.expect("there is room");
}

pub(crate) fn tokio_writes(count: u64) -> Summary {
    lab::run_stored(async move {
        let mut file = prepare_tokio().await;
        for round in 0..rounds(count) {
            for nth in 0..TASKS {
                write(&mut file, round * TASKS + nth).await;
            }
            file.sync_all().await.expect("no fault");
        }
    })
}

pub(crate) fn tokio_reads(count: u64) -> Summary {
    lab::run_stored(async move {
        let mut file = prepare_tokio().await;
        let mut page = [0; PAGE];
        for nth in 0..count {
            rewind(&mut file, nth).await;
            file.read_exact(&mut page).await.expect("no fault");
        }
    })
}

pub(crate) fn tokio_syncs(count: u64) -> Summary {
    lab::run_stored(async move {
        let mut file = prepare_tokio().await;
        for nth in 0..count {
            write(&mut file, nth).await;
            file.sync_all().await.expect("no fault");
        }
    })
}

pub(crate) fn tokio_opens(count: u64) -> Summary {
    lab::run_stored(async move {
        drop(prepare_tokio().await);
        for _ in 0..count {
            drop(fs::File::open(PATH).await.expect("it is there"));
        }
    })
}
