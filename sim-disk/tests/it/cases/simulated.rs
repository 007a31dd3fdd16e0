//! The simulated kernel.

use std::io::{self, SeekFrom};
use std::path::Path;

use sim_disk::{At, Disk, FileKind, LockKind, Metadata, SetTime};
use sim_runtime::{Fd, with};

use super::{
    Answer, Handles, Kernel, allocate_mode, filling, flag_letters, open_bits, shown, text,
};

pub(crate) struct Simulated<'d> {
    disk: &'d Disk,
    root: Fd,
    handles: Handles<Fd>,
}

/// No handle of that name: as a closed descriptor.
const CLOSED: Fd = Fd(i32::MAX);

fn told(said: Result<impl ToString, io::Error>) -> Answer {
    said.map(|said| said.to_string())
        .map_err(|error| error.raw_os_error().unwrap_or(-1))
}

fn done(said: io::Result<()>) -> Answer {
    told(said.map(|()| "ok"))
}

fn facts(facts: Metadata) -> String {
    let kind = match facts.kind {
        FileKind::File => format!("file of {}", facts.len),
        FileKind::Dir => "dir".to_owned(),
        FileKind::Symlink => format!("link of {}", facts.len),
    };
    format!("{kind}, {:o}, {} links", facts.mode, facts.links)
}

impl<'d> Simulated<'d> {
    pub(crate) fn new(disk: &'d Disk, root: &str) -> Simulated<'d> {
        disk.create_dir(root, 0o755).unwrap();
        let root = disk.open_with(root, libc::O_DIRECTORY, 0).unwrap();
        Simulated {
            disk,
            root,
            handles: Handles::new(),
        }
    }

    fn handle(&self, word: &str) -> Fd {
        self.handles.get(word).copied().unwrap_or(CLOSED)
    }

    fn keep(&mut self, word: &str, opened: io::Result<Fd>) -> Answer {
        let fd = opened.map_err(|error| error.raw_os_error().unwrap())?;
        if let Some(old) = self.handles.insert(word.to_owned(), fd) {
            self.disk.close(old).unwrap();
        }
        Ok("ok".to_owned())
    }

    fn read(&self, len: &str, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> Answer {
        let mut bytes = vec![0; len.parse().unwrap()];
        told(read(&mut bytes).map(|read| shown(&bytes[..read])))
    }

    fn names(&self, entries: io::Result<Vec<sim_disk::DirEntry>>) -> Answer {
        let name = |entry: sim_disk::DirEntry| entry.name.into_string().unwrap();
        let names = entries.map(|all| all.into_iter().map(name).collect::<Vec<_>>());
        told(names.map(|mut names| {
            names.sort();
            format!("[{}]", names.join(" "))
        }))
    }

    fn seek(&self, fd: Fd, by: &str, whence: &str) -> Answer {
        let by: i64 = by.parse().unwrap();
        let disk = self.disk;
        told(match whence {
            "set" if by < 0 => Err(io::Error::from_raw_os_error(libc::EINVAL)),
            "set" => disk.seek(fd, SeekFrom::Start(by as u64)),
            "cur" => disk.seek(fd, SeekFrom::Current(by)),
            "end" => disk.seek(fd, SeekFrom::End(by)),
            _ => disk.seek_space(fd, by as u64, whence == "data"),
        })
    }

    fn tree(&self, path: &str) -> String {
        let at = At::of(self.root, Path::new(path));
        let mut entries = self.disk.read_dir(at).unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let mut all = String::new();
        for entry in entries {
            let child = format!("{path}/{}", entry.name.to_str().unwrap());
            let at = At::of(self.root, Path::new(&child));
            all += &match entry.kind {
                FileKind::Dir => format!("{child} {{{}}} ", self.tree(&child)),
                FileKind::Symlink => {
                    format!("{child} -> {} ", self.disk.read_link(at).unwrap().display())
                }
                FileKind::File => {
                    let fd = self.disk.open_with(at, libc::O_RDONLY, 0).unwrap();
                    let metadata = self.disk.metadata(fd).unwrap();
                    let mut bytes = vec![0; metadata.len as usize];
                    self.disk.pread(fd, &mut bytes, 0).unwrap();
                    self.disk.close(fd).unwrap();
                    let (links, blocks) = (metadata.links, metadata.blocks);
                    format!("{child} {links} {blocks} {} ", shown(&bytes))
                }
            };
        }
        all
    }

    fn on_names(&self, words: &[&str]) -> Option<Answer> {
        let disk = self.disk;
        let (one, two) = (text(words.get(1)?), text(words.get(2).unwrap_or(&"~")));
        let from = At::of(self.root, Path::new(&one));
        let to = At::of(self.root, Path::new(&two));
        let secs = |at: usize| SetTime::At(words[at].parse::<u64>().unwrap() * 1_000_000_000);
        let whole = |ns: u64| ns / 1_000_000_000;
        Some(match words[0] {
            "mkdir" => done(disk.create_dir(from, 0o755)),
            "rmdir" => done(disk.remove_dir(from)),
            "unlink" => done(disk.remove_file(from)),
            "rename" => done(disk.rename(from, to)),
            "noreplace" => done(disk.rename_with(from, to, libc::RENAME_NOREPLACE)),
            "exchange" => done(disk.rename_with(from, to, libc::RENAME_EXCHANGE)),
            "renameboth" => {
                let both = libc::RENAME_EXCHANGE | libc::RENAME_NOREPLACE;
                done(disk.rename_with(from, to, both))
            }
            "link" => done(disk.hard_link(from, to)),
            "linkfollow" => done(disk.hard_link_with(from, to, true)),
            "symlink" => done(disk.symlink(Path::new(&one), to)),
            "readlink" => told(disk.read_link(from).map(|to| to.display().to_string())),
            "stat" => told(disk.stat(from).map(facts)),
            "lstat" => told(disk.symlink_metadata(from).map(facts)),
            "chmod" => {
                let mode = u32::from_str_radix(&two, 8).unwrap();
                done(disk.chmod(from, mode))
            }
            "times" => done(disk.set_path_times(from, secs(2), secs(3), true)),
            "ltimes" => done(disk.set_path_times(from, secs(2), secs(3), false)),
            "mtime" => told(disk.stat(from).map(|facts| whole(facts.modified_unix_ns))),
            "lmtime" => {
                let facts = disk.symlink_metadata(from);
                told(facts.map(|facts| whole(facts.modified_unix_ns)))
            }
            "newer" => {
                let than: u64 = words[2].parse().unwrap();
                told(
                    disk.stat(from)
                        .map(|facts| whole(facts.modified_unix_ns) > than),
                )
            }
            "access" => {
                let bits = [('r', libc::R_OK), ('w', libc::W_OK), ('x', libc::X_OK)];
                let asked = bits.iter().filter(|(letter, _)| two.contains(*letter));
                let mode = asked.fold(0, |mode, (_, bit)| mode | bit);
                done(disk.access(from, mode))
            }
            "list" => self.names(disk.read_dir(from)),
            "tree" => Ok(self.tree(&one)),
            _ => return None,
        })
    }

    fn on_handles(&mut self, words: &[&str]) -> Option<Answer> {
        let disk = self.disk;
        let fd = self.handle(words.get(1)?);
        let number = |at: usize| words[at].parse::<u64>();
        Some(match words[0] {
            "close" => {
                self.handles.remove(words[1]);
                done(disk.close(fd))
            }
            "dup" => {
                let dup = with(|world| world.dup(fd));
                self.keep(words[2], dup)
            }
            "read" => self.read(words[2], |bytes| disk.read(fd, bytes)),
            "pread" => self.read(words[2], |bytes| disk.pread(fd, bytes, number(3).unwrap())),
            "write" => told(disk.write(fd, text(words[2]).as_bytes())),
            "pwrite" => told(disk.pwrite(fd, text(words[2]).as_bytes(), number(3).unwrap())),
            "fill" => {
                let (at, len) = (number(2).unwrap(), number(3).unwrap() as usize);
                told(disk.pwrite(fd, &filling(at, len), at))
            }
            "put" => {
                let bytes = words[4].repeat(number(3).unwrap() as usize);
                told(disk.pwrite(fd, bytes.as_bytes(), number(2).unwrap()))
            }
            "seek" => self.seek(fd, words[2], words[3]),
            "trunc" => match number(2) {
                Ok(len) => done(disk.set_len(fd, len)),
                Err(_) => Err(libc::EINVAL),
            },
            "falloc" => match (number(3), number(4)) {
                (Ok(at), Ok(len)) => done(disk.allocate(fd, allocate_mode(words[2]), at, len)),
                _ => Err(libc::EINVAL),
            },
            "copy" => {
                let place = |at: usize| number(at).ok();
                let (to, len) = (self.handle(words[3]), number(5).unwrap() as usize);
                told(disk.copy_file_range((fd, place(2)), (to, place(4)), len))
            }
            "fsync" => done(disk.fsync(fd)),
            "fdatasync" => done(disk.fdatasync(fd)),
            "syncfs" => done(disk.sync_volume(fd)),
            "fstat" => told(disk.metadata(fd).map(facts)),
            "blocks" => told(disk.metadata(fd).map(|facts| match facts.kind {
                FileKind::File => facts.blocks,
                _ => 0,
            })),
            "fchmod" => {
                let mode = u32::from_str_radix(words[2], 8).unwrap();
                done(disk.set_mode(fd, mode))
            }
            "flags" => told(disk.flags(fd).map(flag_letters)),
            "setflags" => done(disk.set_flags(fd, open_bits(words[2]))),
            "flock" => {
                let kind = match words[2] {
                    "sh" => LockKind::Shared,
                    "ex" => LockKind::Exclusive,
                    _ => LockKind::Unlocked,
                };
                done(disk.lock_file(fd, kind))
            }
            "listfd" => self.names(disk.list(fd)),
            "linkfd" => done(disk.link_file(fd, At::of(self.root, Path::new(words[2])))),
            "mkdirat" => done(disk.create_dir(At::of(fd, Path::new(words[2])), 0o755)),
            "unlinkat" => done(disk.remove_file(At::of(fd, Path::new(words[2])))),
            "openat" => {
                let at = At::of(fd, Path::new(words[3]));
                let opened = disk.open_with(at, open_bits(words[4]), 0o644);
                self.keep(words[2], opened)
            }
            _ => return None,
        })
    }
}

impl Kernel for Simulated<'_> {
    fn call(&mut self, words: &[&str]) -> Option<Answer> {
        if words[0] == "open" {
            let path = text(words[2]);
            let at = At::of(self.root, Path::new(&path));
            let opened = self.disk.open_with(at, open_bits(words[3]), 0o644);
            return Some(self.keep(words[1], opened));
        }
        if let Some(said) = self.on_names(words) {
            return Some(said);
        }
        self.on_handles(words)
    }
}

impl Drop for Simulated<'_> {
    fn drop(&mut self) {
        for fd in std::mem::take(&mut self.handles).into_values() {
            self.disk.close(fd).unwrap();
        }
        self.disk.close(self.root).unwrap();
    }
}
