//! One interface over the real file system and ours, so that one test body runs on both.

use std::cell::Cell;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sim_disk::{Disk, OpenFlags};
use sim_runtime::Fd;

/// What both file systems can do. Paths are relative to a directory of the test's own.
pub(crate) trait Fs {
    type File;
    fn open(&self, path: &str, flags: OpenFlags) -> io::Result<Self::File>;
    fn close(&self, file: Self::File);
    fn read(&self, file: &Self::File, len: usize) -> io::Result<Vec<u8>>;
    fn write(&self, file: &Self::File, bytes: &[u8]) -> io::Result<usize>;
    fn seek(&self, file: &Self::File, to: SeekFrom) -> io::Result<u64>;
    fn pread(&self, file: &Self::File, len: usize, offset: u64) -> io::Result<Vec<u8>>;
    fn pwrite(&self, file: &Self::File, bytes: &[u8], offset: u64) -> io::Result<usize>;
    fn sync(&self, file: &Self::File, only_data: bool) -> io::Result<()>;
    fn set_len(&self, file: &Self::File, len: u64) -> io::Result<()>;
    /// Is it a directory, its length, its links; 0 for what differs between file systems.
    fn metadata(&self, file: &Self::File) -> io::Result<(bool, u64, u64)>;
    fn stat(&self, path: &str) -> io::Result<(bool, u64, u64)>;
    fn create_dir(&self, path: &str) -> io::Result<()>;
    fn create_dir_all(&self, path: &str) -> io::Result<()>;
    fn remove_dir(&self, path: &str) -> io::Result<()>;
    fn remove_dir_all(&self, path: &str) -> io::Result<()>;
    fn remove_file(&self, path: &str) -> io::Result<()>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn hard_link(&self, from: &str, to: &str) -> io::Result<()>;
    /// Sorted names.
    fn read_dir(&self, path: &str) -> io::Result<Vec<String>>;
    fn copy(&self, from: &str, to: &str) -> io::Result<u64>;
    fn exists(&self, path: &str) -> io::Result<bool>;
    fn canonicalize(&self, path: &str) -> io::Result<String>;
}

/// A directory of the machine's that nobody else has, empty, and gone afterwards.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// One below Cargo's temporary directory.
    pub(crate) fn new(name: &str) -> Folder {
        /// Tells tests apart that chose one name.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{number}"));
        match fs::remove_dir_all(&root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
            _ => fs::create_dir_all(&root).unwrap(),
        }
        Folder(root.canonicalize().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let gone = fs::remove_dir_all(&self.0);
        assert!(gone.is_ok() || std::thread::panicking(), "{gone:?}");
    }
}

/// The file system under Cargo's temporary directory.
pub(crate) struct Real {
    root: Folder,
}

impl Real {
    pub(crate) fn new(name: &str) -> Real {
        let root = Folder::new(name);
        Real { root }
    }

    fn at(&self, path: &str) -> PathBuf {
        join(self.root.path(), path)
    }
}

/// Joins without understanding `path`, so that an empty one stays empty.
fn join(root: &Path, path: &str) -> PathBuf {
    if path.is_empty() {
        PathBuf::new()
    } else {
        root.join(path)
    }
}

fn facts(metadata: &fs::Metadata) -> (bool, u64, u64) {
    if metadata.is_dir() {
        (true, 0, 0)
    } else {
        (false, metadata.len(), metadata.nlink())
    }
}

impl Fs for Real {
    type File = fs::File;

    fn open(&self, path: &str, flags: OpenFlags) -> io::Result<fs::File> {
        fs::OpenOptions::new()
            .read(flags.read)
            .write(flags.write)
            .append(flags.append)
            .truncate(flags.truncate)
            .create(flags.create)
            .create_new(flags.create_new)
            .open(self.at(path))
    }
    fn close(&self, file: fs::File) {
        drop(file);
    }
    fn read(&self, mut file: &fs::File, len: usize) -> io::Result<Vec<u8>> {
        let mut buf = vec![0; len];
        let read = file.read(&mut buf)?;
        buf.truncate(read);
        Ok(buf)
    }
    fn write(&self, mut file: &fs::File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }
    fn seek(&self, mut file: &fs::File, to: SeekFrom) -> io::Result<u64> {
        file.seek(to)
    }
    fn pread(&self, file: &fs::File, len: usize, offset: u64) -> io::Result<Vec<u8>> {
        let mut buf = vec![0; len];
        let read = file.read_at(&mut buf, offset)?;
        buf.truncate(read);
        Ok(buf)
    }
    fn pwrite(&self, file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<usize> {
        file.write_at(bytes, offset)
    }
    fn sync(&self, file: &fs::File, only_data: bool) -> io::Result<()> {
        if only_data {
            file.sync_data()
        } else {
            file.sync_all()
        }
    }
    fn set_len(&self, file: &fs::File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }
    fn metadata(&self, file: &fs::File) -> io::Result<(bool, u64, u64)> {
        Ok(facts(&file.metadata()?))
    }
    fn stat(&self, path: &str) -> io::Result<(bool, u64, u64)> {
        Ok(facts(&fs::metadata(self.at(path))?))
    }
    fn create_dir(&self, path: &str) -> io::Result<()> {
        fs::create_dir(self.at(path))
    }
    fn create_dir_all(&self, path: &str) -> io::Result<()> {
        fs::create_dir_all(self.at(path))
    }
    fn remove_dir(&self, path: &str) -> io::Result<()> {
        fs::remove_dir(self.at(path))
    }
    fn remove_dir_all(&self, path: &str) -> io::Result<()> {
        fs::remove_dir_all(self.at(path))
    }
    fn remove_file(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.at(path))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }
    fn hard_link(&self, from: &str, to: &str) -> io::Result<()> {
        fs::hard_link(self.at(from), self.at(to))
    }
    fn read_dir(&self, path: &str) -> io::Result<Vec<String>> {
        let names =
            fs::read_dir(self.at(path))?.map(|entry| Ok(entry?.file_name().into_string().unwrap()));
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }
    fn copy(&self, from: &str, to: &str) -> io::Result<u64> {
        fs::copy(self.at(from), self.at(to))
    }
    fn exists(&self, path: &str) -> io::Result<bool> {
        fs::exists(self.at(path))
    }
    fn canonicalize(&self, path: &str) -> io::Result<String> {
        let real = fs::canonicalize(self.at(path))?;
        Ok(real
            .strip_prefix(self.root.path())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned())
    }
}

/// Our file system, under a directory of its own. Works inside a simulation, on a node.
pub(crate) struct Ours<'a> {
    disk: &'a Disk,
    /// Calls made; to show that a test did something.
    pub(crate) calls: Cell<u64>,
}

impl<'a> Ours<'a> {
    pub(crate) fn new(disk: &'a Disk) -> Ours<'a> {
        disk.create_dir_all(Path::new(Self::ROOT), 0o755).unwrap();
        Ours {
            disk,
            calls: Cell::new(0),
        }
    }

    const ROOT: &'static str = "/base";

    fn at(&self, path: &str) -> PathBuf {
        self.calls.set(self.calls.get() + 1);
        join(Path::new(Self::ROOT), path)
    }
}

fn our_facts(metadata: &sim_disk::Metadata) -> (bool, u64, u64) {
    if metadata.is_dir() {
        (true, 0, 0)
    } else {
        (false, metadata.len, u64::from(metadata.links))
    }
}

impl Fs for Ours<'_> {
    type File = Fd;

    fn open(&self, path: &str, flags: OpenFlags) -> io::Result<Fd> {
        self.disk.open(&self.at(path), flags)
    }
    fn close(&self, file: Fd) {
        self.disk.close(file).unwrap();
    }
    fn read(&self, file: &Fd, len: usize) -> io::Result<Vec<u8>> {
        let mut buf = vec![0; len];
        let read = self.disk.read(*file, &mut buf)?;
        buf.truncate(read);
        Ok(buf)
    }
    fn write(&self, file: &Fd, bytes: &[u8]) -> io::Result<usize> {
        self.disk.write(*file, bytes)
    }
    fn seek(&self, file: &Fd, to: SeekFrom) -> io::Result<u64> {
        self.disk.seek(*file, to)
    }
    fn pread(&self, file: &Fd, len: usize, offset: u64) -> io::Result<Vec<u8>> {
        let mut buf = vec![0; len];
        let read = self.disk.pread(*file, &mut buf, offset)?;
        buf.truncate(read);
        Ok(buf)
    }
    fn pwrite(&self, file: &Fd, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.disk.pwrite(*file, bytes, offset)
    }
    fn sync(&self, file: &Fd, only_data: bool) -> io::Result<()> {
        if only_data {
            self.disk.fdatasync(*file)
        } else {
            self.disk.fsync(*file)
        }
    }
    fn set_len(&self, file: &Fd, len: u64) -> io::Result<()> {
        self.disk.set_len(*file, len)
    }
    fn metadata(&self, file: &Fd) -> io::Result<(bool, u64, u64)> {
        Ok(our_facts(&self.disk.metadata(*file)?))
    }
    fn stat(&self, path: &str) -> io::Result<(bool, u64, u64)> {
        Ok(our_facts(&self.disk.stat(&self.at(path))?))
    }
    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.disk.create_dir(&self.at(path), 0o755)
    }
    fn create_dir_all(&self, path: &str) -> io::Result<()> {
        self.disk.create_dir_all(&self.at(path), 0o755)
    }
    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.disk.remove_dir(&self.at(path))
    }
    fn remove_dir_all(&self, path: &str) -> io::Result<()> {
        self.disk.remove_dir_all(&self.at(path))
    }
    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.disk.remove_file(&self.at(path))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(&self.at(from), &self.at(to))
    }
    fn hard_link(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.hard_link(&self.at(from), &self.at(to))
    }
    fn read_dir(&self, path: &str) -> io::Result<Vec<String>> {
        let entries = self.disk.read_dir(&self.at(path))?.into_iter();
        let mut names: Vec<String> = entries
            .map(|entry| entry.name.into_string().unwrap())
            .collect();
        names.sort();
        Ok(names)
    }
    fn copy(&self, from: &str, to: &str) -> io::Result<u64> {
        self.disk.copy(&self.at(from), &self.at(to))
    }
    fn exists(&self, path: &str) -> io::Result<bool> {
        self.disk.exists(&self.at(path))
    }
    fn canonicalize(&self, path: &str) -> io::Result<String> {
        let real = self.disk.canonicalize(&self.at(path))?;
        Ok(real
            .strip_prefix(Self::ROOT)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned())
    }
}
