//! The real kernel, by its own calls.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    self as kernel, Access, AtFlags, CWD, FallocateFlags, FileType, FlockOperation, Mode, OFlags,
    RenameFlags, SeekFrom, Timespec, Timestamps,
};
use rustix::io::Errno;

use super::{
    Answer, Handles, Kernel, allocate_mode, filling, flag_letters, open_bits, shown, text,
};

pub(crate) struct Real {
    base: PathBuf,
    root: OwnedFd,
    handles: Handles<OwnedFd>,
}

fn told(said: Result<impl ToString, Errno>) -> Answer {
    said.map(|said| said.to_string())
        .map_err(Errno::raw_os_error)
}

fn done(said: Result<(), Errno>) -> Answer {
    told(said.map(|()| "ok"))
}

fn flags(letters: &str) -> OFlags {
    OFlags::from_bits_retain(open_bits(letters) as u32)
}

fn facts(facts: kernel::Stat) -> String {
    let kind = match FileType::from_raw_mode(facts.st_mode) {
        FileType::Directory => "dir".to_owned(),
        FileType::Symlink => format!("link of {}", facts.st_size),
        _ => format!("file of {}", facts.st_size),
    };
    format!(
        "{kind}, {:o}, {} links",
        facts.st_mode & 0o7777,
        facts.st_nlink
    )
}

impl Real {
    pub(crate) fn new(base: &Path) -> Real {
        match fs::remove_dir_all(base) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
            _ => fs::create_dir_all(base).unwrap(),
        }
        let how = OFlags::DIRECTORY | OFlags::RDONLY;
        Real {
            root: kernel::openat(CWD, base, how, Mode::empty()).unwrap(),
            base: base.to_owned(),
            handles: Handles::new(),
        }
    }

    fn with(&self, word: &str, call: impl FnOnce(BorrowedFd<'_>) -> Answer) -> Answer {
        match self.handles.get(word) {
            Some(fd) => call(fd.as_fd()),
            None => Err(libc::EBADF),
        }
    }

    fn keep(&mut self, word: &str, opened: Result<OwnedFd, Errno>) -> Answer {
        let fd = opened.map_err(Errno::raw_os_error)?;
        self.handles.insert(word.to_owned(), fd);
        Ok("ok".to_owned())
    }

    fn names(&self, opened: Result<OwnedFd, Errno>) -> Answer {
        let list = |fd: OwnedFd| -> Result<Vec<String>, Errno> {
            let mut names = Vec::new();
            for entry in kernel::Dir::new(fd)? {
                let name = entry?.file_name().to_str().unwrap().to_owned();
                if name != "." && name != ".." {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        };
        told(
            opened
                .and_then(list)
                .map(|names| format!("[{}]", names.join(" "))),
        )
    }

    fn listed(&self, path: &str) -> Answer {
        let how = OFlags::RDONLY | OFlags::DIRECTORY;
        self.names(kernel::openat(&self.root, path, how, Mode::empty()))
    }

    fn seek(&self, fd: BorrowedFd<'_>, by: &str, whence: &str) -> Answer {
        let by: i64 = by.parse().unwrap();
        told(match whence {
            "set" if by < 0 => Err(Errno::INVAL),
            "set" => kernel::seek(fd, SeekFrom::Start(by as u64)),
            "cur" => kernel::seek(fd, SeekFrom::Current(by)),
            "end" => kernel::seek(fd, SeekFrom::End(by)),
            "data" => kernel::seek(fd, SeekFrom::Data(by as u64)),
            _ => kernel::seek(fd, SeekFrom::Hole(by as u64)),
        })
    }

    fn tree(&self, path: &str) -> String {
        let mut names: Vec<String> = fs::read_dir(self.base.join(path))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut all = String::new();
        for name in names {
            let child = format!("{path}/{name}");
            let at = self.base.join(&child);
            let metadata = kernel::statat(&self.root, &child, AtFlags::SYMLINK_NOFOLLOW).unwrap();
            all += &match FileType::from_raw_mode(metadata.st_mode) {
                FileType::Directory => format!("{child} {{{}}} ", self.tree(&child)),
                FileType::Symlink => {
                    format!("{child} -> {} ", fs::read_link(at).unwrap().display())
                }
                _ => {
                    let bytes = fs::read(at).unwrap();
                    let (links, blocks) = (metadata.st_nlink, metadata.st_blocks);
                    format!("{child} {links} {blocks} {} ", shown(&bytes))
                }
            };
        }
        all
    }

    fn on_names(&self, words: &[&str]) -> Option<Answer> {
        let root = &self.root;
        let (one, two) = (text(words.get(1)?), text(words.get(2).unwrap_or(&"~")));
        let (from, to) = (one.as_str(), two.as_str());
        let how = |flags| done(kernel::renameat_with(root, from, root, to, flags));
        let link = |flags| done(kernel::linkat(root, from, root, to, flags));
        let stat = |flags| kernel::statat(root, from, flags);
        let times = |flags| {
            let at = |at: usize| Timespec {
                tv_sec: words[at].parse().unwrap(),
                tv_nsec: 0,
            };
            let times = Timestamps {
                last_access: at(2),
                last_modification: at(3),
            };
            done(kernel::utimensat(root, from, &times, flags))
        };
        let none = AtFlags::empty();
        let itself = AtFlags::SYMLINK_NOFOLLOW;
        Some(match words[0] {
            "mkdir" => done(kernel::mkdirat(root, from, Mode::from_raw_mode(0o755))),
            "rmdir" => done(kernel::unlinkat(root, from, AtFlags::REMOVEDIR)),
            "unlink" => done(kernel::unlinkat(root, from, none)),
            "rename" => how(RenameFlags::empty()),
            "noreplace" => how(RenameFlags::NOREPLACE),
            "exchange" => how(RenameFlags::EXCHANGE),
            "renameboth" => how(RenameFlags::EXCHANGE | RenameFlags::NOREPLACE),
            "link" => link(none),
            "linkfollow" => link(AtFlags::SYMLINK_FOLLOW),
            "symlink" => done(kernel::symlinkat(from, root, to)),
            "readlink" => {
                let target = kernel::readlinkat(root, from, Vec::new());
                told(target.map(|target| target.into_string().unwrap()))
            }
            "stat" => told(stat(none).map(facts)),
            "lstat" => told(stat(itself).map(facts)),
            "chmod" => {
                let mode = Mode::from_raw_mode(u32::from_str_radix(to, 8).unwrap());
                done(kernel::chmodat(root, from, mode, none))
            }
            "times" => times(none),
            "ltimes" => times(itself),
            "mtime" => told(stat(none).map(|facts| facts.st_mtime)),
            "lmtime" => told(stat(itself).map(|facts| facts.st_mtime)),
            "newer" => {
                let than: i64 = words[2].parse().unwrap();
                told(stat(none).map(|facts| facts.st_mtime > than))
            }
            "access" => {
                let bits = [
                    ('r', Access::READ_OK),
                    ('w', Access::WRITE_OK),
                    ('x', Access::EXEC_OK),
                ];
                let asked = bits.iter().filter(|(letter, _)| to.contains(*letter));
                let mode = asked.fold(Access::EXISTS, |mode, (_, bit)| mode | *bit);
                done(kernel::accessat(root, from, mode, none))
            }
            "list" => self.listed(from),
            "tree" => Ok(self.tree(from)),
            _ => return None,
        })
    }

    fn data(&self, fd: BorrowedFd<'_>, words: &[&str]) -> Option<Answer> {
        let number = |at: usize| words[at].parse::<u64>();
        let buffer = || vec![0u8; number(2).unwrap() as usize];
        Some(match words[0] {
            "read" => {
                let mut bytes = buffer();
                told(rustix::io::read(fd, &mut bytes[..]).map(|read| shown(&bytes[..read])))
            }
            "pread" => {
                let mut bytes = buffer();
                let read = rustix::io::pread(fd, &mut bytes[..], number(3).unwrap());
                told(read.map(|read| shown(&bytes[..read])))
            }
            "write" => told(rustix::io::write(fd, text(words[2]).as_bytes())),
            "pwrite" => {
                let at = number(3).unwrap();
                told(rustix::io::pwrite(fd, text(words[2]).as_bytes(), at))
            }
            "fill" => {
                let (at, len) = (number(2).unwrap(), number(3).unwrap() as usize);
                told(rustix::io::pwrite(fd, &filling(at, len), at))
            }
            "seek" => self.seek(fd, words[2], words[3]),
            "trunc" => match number(2) {
                Ok(len) => done(kernel::ftruncate(fd, len)),
                Err(_) => Err(libc::EINVAL),
            },
            "falloc" => match (number(3), number(4)) {
                (Ok(at), Ok(len)) => {
                    let mode = FallocateFlags::from_bits_retain(allocate_mode(words[2]) as u32);
                    done(kernel::fallocate(fd, mode, at, len))
                }
                _ => Err(libc::EINVAL),
            },
            "copy" => self.with(words[3], |to| {
                let (mut from_at, mut to_at) = (number(2).ok(), number(4).ok());
                let len = number(5).unwrap() as usize;
                told(kernel::copy_file_range(
                    fd,
                    from_at.as_mut(),
                    to,
                    to_at.as_mut(),
                    len,
                ))
            }),
            _ => return None,
        })
    }

    fn on_handles(&mut self, words: &[&str]) -> Option<Answer> {
        match words[0] {
            "close" => {
                let closed = self.handles.remove(words[1]);
                return Some(closed.map(|_| "ok".to_owned()).ok_or(libc::EBADF));
            }
            "dup" => {
                let fd = self.handles.get(words[1]).ok_or(Errno::BADF);
                let dup = fd.and_then(rustix::io::dup);
                return Some(self.keep(words[2], dup));
            }
            "openat" => {
                let fd = self.handles.get(words[1]).ok_or(Errno::BADF);
                let mode = Mode::from_raw_mode(0o644);
                let open = |fd| kernel::openat(fd, words[3], flags(words[4]), mode);
                let opened = fd.and_then(open);
                return Some(self.keep(words[2], opened));
            }
            _ => {}
        }
        let Some(fd) = self.handles.get(words[1]).map(AsFd::as_fd) else {
            return Some(Err(libc::EBADF));
        };
        if let Some(said) = self.data(fd, words) {
            return Some(said);
        }
        Some(match words[0] {
            "fsync" => done(kernel::fsync(fd)),
            "fdatasync" => done(kernel::fdatasync(fd)),
            "syncfs" => done(kernel::syncfs(fd)),
            "fstat" => told(kernel::fstat(fd).map(facts)),
            "blocks" => {
                told(
                    kernel::fstat(fd).map(|facts| match FileType::from_raw_mode(facts.st_mode) {
                        FileType::RegularFile => facts.st_blocks,
                        _ => 0,
                    }),
                )
            }
            "fchmod" => {
                let mode = u32::from_str_radix(words[2], 8).unwrap();
                done(kernel::fchmod(fd, Mode::from_raw_mode(mode)))
            }
            "flags" => {
                let bits = kernel::fcntl_getfl(fd);
                told(bits.map(|bits| flag_letters(bits.bits() as i32)))
            }
            "setflags" => done(kernel::fcntl_setfl(fd, flags(words[2]))),
            "flock" => {
                let operation = match words[2] {
                    "sh" => FlockOperation::NonBlockingLockShared,
                    "ex" => FlockOperation::NonBlockingLockExclusive,
                    _ => FlockOperation::NonBlockingUnlock,
                };
                done(kernel::flock(fd, operation))
            }
            "listfd" => self.names(kernel::openat(fd, ".", OFlags::DIRECTORY, Mode::empty())),
            "linkfd" => {
                let empty = AtFlags::EMPTY_PATH;
                done(kernel::linkat(fd, "", &self.root, words[2], empty))
            }
            "mkdirat" => done(kernel::mkdirat(fd, words[2], Mode::from_raw_mode(0o755))),
            "unlinkat" => done(kernel::unlinkat(fd, words[2], AtFlags::empty())),
            _ => return None,
        })
    }
}

impl Kernel for Real {
    fn call(&mut self, words: &[&str]) -> Option<Answer> {
        if words[0] == "open" {
            let mode = Mode::from_raw_mode(0o644);
            let opened = kernel::openat(&self.root, text(words[2]), flags(words[3]), mode);
            return Some(self.keep(words[1], opened));
        }
        if let Some(said) = self.on_names(words) {
            return Some(said);
        }
        self.on_handles(words)
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.base).unwrap();
    }
}
