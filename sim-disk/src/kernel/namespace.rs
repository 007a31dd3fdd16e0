//! What a process sees as one tree: the volumes of its node, put together by mounts.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sim_runtime::{Boot, Fd, NodeId, World, with};

use super::device::{Disk, State};
use super::open_file::OpenFile;
use super::path::bytes_of;
use crate::config::{Profile, VolumeId};
use crate::errno::errno;
use crate::state::inode::InodeId;
use crate::state::volume::Volume;
use crate::state::walk::{Point, Tree, Walked, chain_to, find, walk};

/// Which volumes nodes have, and where.
#[derive(Default)]
pub(crate) struct Mounts {
    /// First volumes that are not those of their nodes' numbers.
    pub(crate) roots: BTreeMap<NodeId, VolumeId>,
    on: BTreeMap<Point, VolumeId>,
    covered: BTreeMap<VolumeId, Point>,
    /// Working directories that were changed.
    pub(crate) working: BTreeMap<(NodeId, Boot), Point>,
}

impl Mounts {
    pub(crate) fn root_of(&self, node: NodeId) -> VolumeId {
        let own = VolumeId(u64::from(node.0));
        self.roots.get(&node).copied().unwrap_or(own)
    }

    /// The node whose tree a volume is in; None: no node's.
    pub(crate) fn owner(&self, volume: VolumeId) -> Option<NodeId> {
        let mut root = volume;
        while let Some(covered) = self.covered.get(&root) {
            root = covered.volume;
        }
        let given = self.roots.iter().find(|(_, id)| **id == root);
        let own = || u32::try_from(root.0).ok().map(NodeId);
        given.map(|(&node, _)| node).or_else(own)
    }

    /// The volumes that hang below this one, itself first.
    pub(crate) fn below(&self, root: VolumeId) -> Vec<VolumeId> {
        let mut found = Vec::from([root]);
        let mut at = 0;
        while at < found.len() {
            let on = self
                .on
                .iter()
                .filter(|(point, _)| point.volume == found[at]);
            let more: Vec<VolumeId> = on.map(|(_, &volume)| volume).collect();
            found.extend(more);
            at += 1;
        }
        found
    }

    /// The directories of a volume that others are mounted on.
    pub(crate) fn on(&self, volume: VolumeId) -> Vec<Point> {
        let on = self.on.keys().filter(|at| at.volume == volume);
        on.copied().collect()
    }

    /// The directory of a mount is another inode now.
    pub(crate) fn move_to(&mut self, at: Point, inode: InodeId) {
        if let Some(volume) = self.on.remove(&at) {
            let now = Point { inode, ..at };
            self.on.insert(now, volume);
            self.covered.insert(volume, now);
        }
    }

    /// The mount itself survives every crash: what it is on is kept.
    pub(crate) fn is_covered(&self, at: Point) -> bool {
        self.on.contains_key(&at)
    }
}

/// The tree of one node.
pub(crate) struct Namespace<'s> {
    volumes: &'s mut BTreeMap<VolumeId, Volume>,
    mounts: &'s Mounts,
    root: VolumeId,
}

impl<'s> Namespace<'s> {
    pub(crate) fn of(
        volumes: &'s mut BTreeMap<VolumeId, Volume>,
        mounts: &'s Mounts,
        root: VolumeId,
    ) -> Namespace<'s> {
        Namespace {
            volumes,
            mounts,
            root,
        }
    }
}

impl Tree for Namespace<'_> {
    fn volume(&mut self, id: VolumeId) -> &mut Volume {
        let volume = self.volumes.get_mut(&id);
        volume.expect("what is mounted or open exists")
    }

    fn root(&self) -> VolumeId {
        self.root
    }

    fn mounted_on(&self, at: Point) -> Option<VolumeId> {
        if self.mounts.on.is_empty() {
            return None;
        }
        self.mounts.on.get(&at).copied()
    }

    fn covered_by(&self, volume: VolumeId) -> Option<Point> {
        if volume == self.root {
            return None;
        }
        self.mounts.covered.get(&volume).copied()
    }
}

/// A path with the directory that it starts at, as the calls whose names end in `at` take it.
#[derive(Clone, Copy, Debug)]
pub struct At<'p> {
    /// An open directory; None: the working directory.
    pub dir: Option<Fd>,
    /// Absolute, or from the directory on.
    pub path: &'p Path,
}

impl<'p> At<'p> {
    /// A path from an open directory on.
    pub fn of(dir: Fd, path: &'p Path) -> At<'p> {
        At {
            dir: Some(dir),
            path,
        }
    }

    pub(crate) fn bytes(&self) -> &'p [u8] {
        bytes_of(self.path)
    }
}

impl<'p, P: AsRef<Path> + ?Sized> From<&'p P> for At<'p> {
    fn from(path: &'p P) -> At<'p> {
        At {
            dir: None,
            path: path.as_ref(),
        }
    }
}

impl State {
    /// The directories from the root to where a path starts.
    fn start(&mut self, world: &World, at: At<'_>) -> io::Result<Vec<Point>> {
        let node = world.current_node();
        let root = self.mounts.root_of(node);
        let top = Point {
            volume: root,
            inode: InodeId::ROOT,
        };
        if at.bytes().starts_with(b"/") {
            return Ok(Vec::from([top]));
        }
        let from = match at.dir {
            Some(fd) => {
                let file = world.description_as::<OpenFile>(fd);
                let file = file.map_err(not_a_directory)?;
                file.point()
            }
            None => {
                let process = (node, world.current_boot());
                match self.mounts.working.get(&process) {
                    Some(point) => *point,
                    None => return Ok(Vec::from([top])),
                }
            }
        };
        let mut tree = Namespace::of(&mut self.volumes, &self.mounts, root);
        if !tree.volume(from.volume).cache(from.inode).is_dir() {
            return Err(errno(libc::ENOTDIR));
        }
        Ok(chain_to(&mut tree, from))
    }

    /// Resolves a path of the running process.
    pub(crate) fn walk<'p>(
        &mut self,
        world: &World,
        at: At<'p>,
        follow: bool,
    ) -> io::Result<Walked<'p>> {
        let chain = self.start(world, at)?;
        let root = self.mounts.root_of(world.current_node());
        let mut tree = Namespace::of(&mut self.volumes, &self.mounts, root);
        walk(&mut tree, chain, at.bytes(), follow)
    }

    /// What a path of the running process names.
    pub(crate) fn find(&mut self, world: &World, at: At<'_>, follow: bool) -> io::Result<Point> {
        let chain = self.start(world, at)?;
        let root = self.mounts.root_of(world.current_node());
        let mut tree = Namespace::of(&mut self.volumes, &self.mounts, root);
        find(&mut tree, chain, at.bytes(), follow)
    }

    /// The path of a directory.
    ///
    /// # Errors
    /// `ENOENT` when it was removed.
    fn path_of(&mut self, root: VolumeId, dir: Point) -> io::Result<PathBuf> {
        let mut tree = Namespace::of(&mut self.volumes, &self.mounts, root);
        let chain = chain_to(&mut tree, dir);
        let mut path = Vec::new();
        for pair in chain.windows(2) {
            let (above, below) = (pair[0], pair[1]);
            let target = if below.volume == above.volume {
                below
            } else {
                tree.covered_by(below.volume).expect("the chain came here")
            };
            let name = tree.volume(above.volume).name_of(above.inode, target.inode);
            path.push(b'/');
            path.extend_from_slice(&name.ok_or_else(|| errno(libc::ENOENT))?);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        Ok(super::path::path_from(path))
    }
}

/// A descriptor that is open, but of no file.
fn not_a_directory(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EINVAL) => errno(libc::ENOTDIR),
        _ => error,
    }
}

impl Disk {
    /// Puts a volume where `path` is on `node`, directories and all, durably; what was below is
    /// covered. A volume that does not exist yet is made, empty.
    ///
    /// # Errors
    /// `EBUSY` when the volume is mounted already, or something on this directory; `ENOTDIR`.
    pub fn mount(&self, node: NodeId, path: &Path, volume: VolumeId) -> io::Result<()> {
        with(|world| {
            self.make_volume(world, volume);
            world.on_node(node, || {
                let root = self.root_volume(world, node);
                let state = &mut *self.state.borrow_mut();
                if state.mounts.covered.contains_key(&volume) || volume == root {
                    return Err(errno(libc::EBUSY));
                }
                let now = world.wall_clock();
                let at = make_all(state, root, path, now)?;
                state.mounts.on.insert(at, volume);
                state.mounts.covered.insert(volume, at);
                Ok(())
            })
        })
    }

    /// Gives the node's first volume another order of un-synced operations, from now on; other
    /// volumes keep that of the simulation. For a test to call before the node writes.
    pub fn set_profile(&self, node: NodeId, profile: Profile) {
        with(|world| {
            let root = self.root_volume(world, node);
            let volumes = &mut self.state.borrow_mut().volumes;
            let volume = volumes.get_mut(&root).expect("it was just made");
            volume.rules.profile = profile;
        });
    }

    /// chdir(2).
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    pub fn change_dir<'p>(&self, at: impl Into<At<'p>>) -> io::Result<()> {
        let at = at.into();
        with(|world| {
            self.own_volume(world)?;
            let state = &mut *self.state.borrow_mut();
            let point = state.find(world, at, true)?;
            if !state.volumes[&point.volume].cache(point.inode).is_dir() {
                return Err(errno(libc::ENOTDIR));
            }
            let process = (world.current_node(), world.current_boot());
            state.mounts.working.insert(process, point);
            Ok(())
        })
    }

    /// fchdir(2).
    ///
    /// # Errors
    /// `EBADF`, `ENOTDIR`.
    pub fn change_dir_to(&self, dir: Fd) -> io::Result<()> {
        self.change_dir(At::of(dir, Path::new(".")))
    }

    /// getcwd(2).
    ///
    /// # Errors
    /// `ENOENT` when the directory was removed.
    pub fn current_dir(&self) -> io::Result<PathBuf> {
        with(|world| {
            let root = self.own_volume(world)?;
            let state = &mut *self.state.borrow_mut();
            let process = (world.current_node(), world.current_boot());
            match state.mounts.working.get(&process).copied() {
                Some(point) => state.path_of(root, point),
                None => Ok(PathBuf::from("/")),
            }
        })
    }

    /// realpath(3): absolute, without `.`, `..`, doubled slashes and symbolic links.
    ///
    /// # Errors
    /// Those of [`stat`](Disk::stat).
    pub fn canonicalize<'p>(&self, at: impl Into<At<'p>>) -> io::Result<PathBuf> {
        let at = at.into();
        self.stat(at)?;
        with(|world| {
            let root = self.own_volume(world)?;
            let state = &mut *self.state.borrow_mut();
            let walked = state.walk(world, at, true)?;
            let found = walked.found.ok_or_else(|| errno(libc::ENOENT))?;
            if state.volumes[&found.volume].cache(found.inode).is_dir() {
                return state.path_of(root, found);
            }
            let dir = state.path_of(root, walked.dir())?;
            Ok(dir.join(super::path::path_from(walked.name().to_vec())))
        })
    }
}

/// The directory at an absolute path of one volume, made durably where it is missing.
fn make_all(state: &mut State, root: VolumeId, path: &Path, now_ns: u64) -> io::Result<Point> {
    let mut at = Vec::from(*b"/");
    let mut point = Point {
        volume: root,
        inode: InodeId::ROOT,
    };
    for part in bytes_of(path).split(|&byte| byte == b'/') {
        at.extend_from_slice(part);
        let top = Vec::from([Point {
            volume: root,
            inode: InodeId::ROOT,
        }]);
        let mut tree = Namespace::of(&mut state.volumes, &state.mounts, root);
        let walked = walk(&mut tree, top.clone(), &at, true)?;
        let dir = walked.dir();
        if walked.found.is_none() {
            let volume = tree.volume(dir.volume);
            volume.make_dir_at(&walked, 0o755, now_ns)?;
            volume.sync(dir.inode);
        }
        point = find(&mut tree, top, &at, true)?;
        at.push(b'/');
    }
    let is_dir = state.volumes[&point.volume].cache(point.inode).is_dir();
    if !is_dir {
        return Err(errno(libc::ENOTDIR));
    }
    if point.inode == InodeId::ROOT || state.mounts.is_covered(point) {
        return Err(errno(libc::EBUSY));
    }
    Ok(point)
}
