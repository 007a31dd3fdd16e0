//! Path resolution as path_resolution(7) has it: symbolic links, `..`, mount points.

use std::borrow::Cow;
use std::io;

use super::inode::InodeId;
use super::volume::Volume;
use crate::config::VolumeId;
use crate::errno::errno;

/// Longest path in bytes, its NUL included.
const PATH_MAX: usize = 4096;
/// Longest name in bytes.
const NAME_MAX: usize = 255;
/// Symbolic links that one resolution may follow.
const LINKS_MAX: u32 = 40;

/// An inode of one of several volumes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Point {
    pub(crate) volume: VolumeId,
    pub(crate) inode: InodeId,
}

/// The volumes that a process sees as one tree.
pub(crate) trait Tree {
    fn volume(&mut self, id: VolumeId) -> &mut Volume;
    /// The volume that holds `/`.
    fn root(&self) -> VolumeId;
    /// The volume that is mounted on a directory.
    fn mounted_on(&self, at: Point) -> Option<VolumeId>;
    /// The directory that a volume is mounted on.
    fn covered_by(&self, volume: VolumeId) -> Option<Point>;
}

/// The last component of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Last<'p> {
    Name(Cow<'p, [u8]>),
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
    pub(crate) chain: Vec<Point>,
    pub(crate) last: Last<'p>,
    /// What the path names, if it is there.
    pub(crate) found: Option<Point>,
    /// The path ends in a slash.
    pub(crate) slash: bool,
}

impl Walked<'_> {
    /// The directory that holds the last component.
    pub(crate) fn dir(&self) -> Point {
        *self.chain.last().expect("a walk starts at a directory")
    }

    /// The name to be made, moved or removed in the directory.
    pub(crate) fn name(&self) -> &[u8] {
        match &self.last {
            Last::Name(name) => name,
            _ => panic!("`.`, `..` and the root exist and were refused before"),
        }
    }

    /// The inode that is found, on the volume of the directory.
    pub(crate) fn inode(&self) -> Option<InodeId> {
        self.found.map(|found| found.inode)
    }

    /// What is found is the root of a volume that is mounted here.
    pub(crate) fn is_mount_point(&self) -> bool {
        self.found
            .is_some_and(|found| found.volume != self.dir().volume)
    }

    fn into_owned(self) -> Walked<'static> {
        let last = match self.last {
            Last::Name(name) => Last::Name(Cow::Owned(name.into_owned())),
            Last::Root => Last::Root,
            Last::Dot => Last::Dot,
            Last::DotDot => Last::DotDot,
        };
        Walked {
            chain: self.chain,
            last,
            found: self.found,
            slash: self.slash,
        }
    }
}

/// The directories from the root of the tree to this one.
pub(crate) fn chain_to(tree: &mut impl Tree, mut at: Point) -> Vec<Point> {
    let mut chain = Vec::from([at]);
    loop {
        if at.inode == InodeId::ROOT {
            match tree.covered_by(at.volume) {
                Some(covered) => at = covered,
                None => break,
            }
        }
        let Some(parent) = tree.volume(at.volume).parent(at.inode) else {
            break;
        };
        if parent == at.inode {
            break;
        }
        at.inode = parent;
        chain.push(at);
    }
    chain.reverse();
    chain
}

/// Resolves `path` from the end of `chain` on. With `follow`, a symbolic link at the end is
/// followed. That the last component is missing is no error here.
///
/// # Errors
/// `ENOENT`, `ENOTDIR` on the way, `ENAMETOOLONG`, `ELOOP`, `EINVAL` for a NUL byte.
pub(crate) fn walk<'p>(
    tree: &mut impl Tree,
    chain: Vec<Point>,
    path: &'p [u8],
    follow: bool,
) -> io::Result<Walked<'p>> {
    if path.contains(&0) {
        return Err(errno(libc::EINVAL));
    }
    if path.is_empty() {
        return Err(errno(libc::ENOENT));
    }
    if path.len() >= PATH_MAX {
        return Err(errno(libc::ENAMETOOLONG));
    }
    step_through(tree, chain, path, follow, LINKS_MAX)
}

fn step_through<'p>(
    tree: &mut impl Tree,
    mut chain: Vec<Point>,
    path: &'p [u8],
    follow: bool,
    links_left: u32,
) -> io::Result<Walked<'p>> {
    if path.starts_with(b"/") {
        chain.clear();
        chain.push(Point {
            volume: tree.root(),
            inode: InodeId::ROOT,
        });
    }
    let mut at = 0;
    while let Some((from, to)) = next_part(path, at) {
        at = to;
        let rest = next_part(path, at);
        let last = match &path[from..to] {
            b"." => Last::Dot,
            b".." => Last::DotDot,
            name => Last::Name(Cow::Borrowed(name)),
        };
        let found = step(tree, &mut chain, &last)?;
        if let Some(found) = found
            && (rest.is_some() || follow)
            && let Some(target) = tree.volume(found.volume).link_target(found.inode)
        {
            if links_left == 0 {
                return Err(errno(libc::ELOOP));
            }
            let path = [&target[..], &path[to..]].concat();
            let walked = step_through(tree, chain, &path, follow, links_left - 1)?;
            return Ok(walked.into_owned());
        }
        if rest.is_none() {
            let slash = to < path.len();
            return Ok(Walked {
                chain,
                last,
                found,
                slash,
            });
        }
        if let Last::Name(_) = last {
            let dir = found.ok_or_else(|| errno(libc::ENOENT))?;
            if !tree.volume(dir.volume).cache(dir.inode).is_dir() {
                return Err(errno(libc::ENOTDIR));
            }
            chain.push(dir);
        }
    }
    let found = chain.last().copied();
    Ok(Walked {
        chain,
        last: Last::Root,
        found,
        slash: false,
    })
}

/// Start and end of the component at or after `at`.
fn next_part(path: &[u8], at: usize) -> Option<(usize, usize)> {
    let from = at + path[at..].iter().position(|&byte| byte != b'/')?;
    let len = path[from..].iter().position(|&byte| byte == b'/');
    Some((from, len.map_or(path.len(), |len| from + len)))
}

/// Looks up one component; `..` shortens the chain.
fn step(
    tree: &mut impl Tree,
    chain: &mut Vec<Point>,
    part: &Last<'_>,
) -> io::Result<Option<Point>> {
    if *part == Last::DotDot && chain.len() > 1 {
        chain.pop();
    }
    let dir = *chain.last().expect("never shorter than the root");
    let Last::Name(name) = part else {
        return Ok(Some(dir));
    };
    if name.len() > NAME_MAX {
        return Err(errno(libc::ENAMETOOLONG));
    }
    let volume = tree.volume(dir.volume);
    if !volume.scars.is_empty() {
        volume.scars.meet_name(dir.inode, name);
    }
    let entries = volume.cache(dir.inode).entries();
    let entries = entries.ok_or_else(|| errno(libc::ENOTDIR))?;
    let Some(&inode) = entries.get(&name[..]) else {
        return Ok(None);
    };
    let point = Point {
        volume: dir.volume,
        inode,
    };
    Ok(Some(match tree.mounted_on(point) {
        Some(volume) => Point {
            volume,
            inode: InodeId::ROOT,
        },
        None => point,
    }))
}

/// What a path names.
///
/// # Errors
/// As [`walk`]; `ENOENT` when nothing is there; `ENOTDIR` for `file/`.
pub(crate) fn find(
    tree: &mut impl Tree,
    chain: Vec<Point>,
    path: &[u8],
    follow: bool,
) -> io::Result<Point> {
    let follow = follow || path.ends_with(b"/");
    let walked = walk(tree, chain, path, follow)?;
    let found = walked.found.ok_or_else(|| errno(libc::ENOENT))?;
    if walked.slash && !tree.volume(found.volume).cache(found.inode).is_dir() {
        return Err(errno(libc::ENOTDIR));
    }
    Ok(found)
}
