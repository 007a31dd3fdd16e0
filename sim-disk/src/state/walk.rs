//! Path resolution as path_resolution(7) has it, without symbolic links.

use std::io;

use super::inode::InodeId;
use super::volume::Volume;
use crate::errno::errno;

/// Longest path in bytes, its NUL included.
const PATH_MAX: usize = 4096;
/// Longest name in bytes.
const NAME_MAX: usize = 255;

/// The last component of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Last<'p> {
    Name(&'p [u8]),
    /// `/` itself.
    Root,
    /// `.`
    Dot,
    /// `..`
    DotDot,
}

/// Where a path leads.
#[derive(Clone, Debug)]
pub(crate) struct Walked<'p> {
    /// The directories from the root to the one that holds the last component.
    pub(crate) chain: Vec<InodeId>,
    pub(crate) last: Last<'p>,
    /// What the path names, if it is there.
    pub(crate) inode: Option<InodeId>,
    /// The path ends in a slash.
    pub(crate) slash: bool,
}

impl Walked<'_> {
    /// The directory that holds the last component.
    pub(crate) fn dir(&self) -> InodeId {
        *self.chain.last().expect("a walk starts at the root")
    }
}

impl Volume {
    /// Resolves `path`; relative paths start at `/`. That the last component is missing is no
    /// error here.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR` on the way, `ENAMETOOLONG`, `EINVAL` for a NUL byte.
    pub(crate) fn walk<'p>(&mut self, path: &'p [u8]) -> io::Result<Walked<'p>> {
        if path.contains(&0) {
            return Err(errno(libc::EINVAL));
        }
        if path.is_empty() {
            return Err(errno(libc::ENOENT));
        }
        if path.len() >= PATH_MAX {
            return Err(errno(libc::ENAMETOOLONG));
        }
        let mut chain = Vec::with_capacity(8);
        chain.push(InodeId::ROOT);
        let mut parts = path
            .split(|&byte| byte == b'/')
            .filter(|part| !part.is_empty())
            .peekable();
        let slash = path.ends_with(b"/") && parts.peek().is_some();
        while let Some(part) = parts.next() {
            let is_last = parts.peek().is_none();
            let last = match part {
                b"." => Last::Dot,
                b".." => Last::DotDot,
                name => Last::Name(name),
            };
            let inode = self.step(&mut chain, last)?;
            if is_last {
                return Ok(Walked {
                    chain,
                    last,
                    inode,
                    slash,
                });
            }
            if let Last::Name(_) = last {
                let dir = inode.ok_or_else(|| errno(libc::ENOENT))?;
                if !self.cache(dir).is_dir() {
                    return Err(errno(libc::ENOTDIR));
                }
                chain.push(dir);
            }
        }
        Ok(Walked {
            chain,
            last: Last::Root,
            inode: Some(InodeId::ROOT),
            slash,
        })
    }

    /// Looks up one component; `..` shortens the chain.
    fn step(&mut self, chain: &mut Vec<InodeId>, part: Last<'_>) -> io::Result<Option<InodeId>> {
        if part == Last::DotDot && chain.len() > 1 {
            chain.pop();
        }
        let dir = *chain.last().expect("never shorter than the root");
        let Last::Name(name) = part else {
            return Ok(Some(dir));
        };
        if name.len() > NAME_MAX {
            return Err(errno(libc::ENAMETOOLONG));
        }
        if !self.scars.is_empty() {
            self.scars.meet_name(dir, name);
        }
        let entries = self
            .cache(dir)
            .entries()
            .expect("a chain holds directories");
        Ok(entries.get(name).copied())
    }

    /// The inode that a path names.
    ///
    /// # Errors
    /// As [`walk`](Self::walk); `ENOENT` when nothing is there; `ENOTDIR` for `file/`.
    pub(crate) fn find(&mut self, path: &[u8]) -> io::Result<InodeId> {
        let walked = self.walk(path)?;
        let id = walked.inode.ok_or_else(|| errno(libc::ENOENT))?;
        if walked.slash && !self.cache(id).is_dir() {
            return Err(errno(libc::ENOTDIR));
        }
        Ok(id)
    }
}
