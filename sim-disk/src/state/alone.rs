//! A volume alone as a tree, with calls on paths: for the tests of the state.

use std::io;

use super::inode::InodeId;
use super::names::{Collision, OpenRequest};
use super::op::Attributes;
use super::volume::Volume;
use super::walk::{Point, Tree, Walked, find, walk};
use crate::config::VolumeId;

const ALONE: VolumeId = VolumeId(0);

impl Tree for Volume {
    fn volume(&mut self, _id: VolumeId) -> &mut Volume {
        self
    }

    fn root(&self) -> VolumeId {
        ALONE
    }

    fn mounted_on(&self, _at: Point) -> Option<VolumeId> {
        None
    }

    fn covered_by(&self, _volume: VolumeId) -> Option<Point> {
        None
    }
}

impl Volume {
    fn walked<'p>(&mut self, path: &'p [u8]) -> io::Result<Walked<'p>> {
        walk(self, Vec::new(), path, false)
    }

    pub(crate) fn find(&mut self, path: &[u8]) -> io::Result<InodeId> {
        Ok(find(self, Vec::new(), path, true)?.inode)
    }

    pub(crate) fn open_path(
        &mut self,
        path: &[u8],
        request: OpenRequest,
        now_ns: u64,
    ) -> io::Result<(InodeId, bool)> {
        let walked = self.walked(path)?;
        self.open_walked(&walked, request, now_ns)
    }

    pub(crate) fn make_dir(&mut self, path: &[u8], mode: u32, now_ns: u64) -> io::Result<()> {
        let walked = self.walked(path)?;
        self.make_dir_at(&walked, mode, now_ns)
    }

    pub(crate) fn remove_dir(&mut self, path: &[u8], now_ns: u64) -> io::Result<()> {
        let walked = self.walked(path)?;
        self.remove_dir_at(&walked, now_ns)
    }

    pub(crate) fn unlink(&mut self, path: &[u8], now_ns: u64) -> io::Result<()> {
        let walked = self.walked(path)?;
        self.unlink_at(&walked, now_ns)
    }

    pub(crate) fn rename(&mut self, from: &[u8], to: &[u8], now_ns: u64) -> io::Result<()> {
        self.rename_how(from, to, Collision::Replace, now_ns)
    }

    pub(crate) fn rename_how(
        &mut self,
        from: &[u8],
        to: &[u8],
        collision: Collision,
        now_ns: u64,
    ) -> io::Result<()> {
        let (old, new) = (self.walked(from)?, self.walked(to)?);
        self.rename_at(&old, &new, collision, now_ns)
    }

    pub(crate) fn set_mode(&mut self, id: InodeId, mode: u32, now_ns: u64) {
        let set = Attributes {
            mode: Some(mode),
            ..Attributes::default()
        };
        self.set_attributes(id, set, now_ns);
    }
}
