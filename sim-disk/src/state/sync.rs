//! How pending operations reach the media: fsync, write-back under memory pressure, and the
//! failed fsync that gives them up.

use std::collections::BTreeSet;

use super::inode::{Doomed, InodeId, Kind};
use super::op::{Change, Op, Side, apply, body_mut};
use super::order::{closure, dependencies};
use super::pending::{OpId, Written};
use super::scars::Met;
use super::select::{Below, random_closed};
use super::volume::Volume;
use crate::config::Profile;
use sim_runtime::FaultId;

impl Volume {
    /// fsync(2): data, size and attributes of a file, or the entries of a directory, with all
    /// that they depend on. Returns how many operations that made durable.
    pub(crate) fn sync(&mut self, id: InodeId) -> usize {
        let roots = self.sync_roots(id);
        self.sync_operations(id, roots)
    }

    /// fdatasync(2): as [`sync`](Self::sync), without attributes that no read needs.
    pub(crate) fn sync_data(&mut self, id: InodeId) -> usize {
        let mut roots = self.sync_roots(id);
        roots.retain(|op| !matches!(self.ops[op].change, Change::Attributes { .. }));
        self.sync_operations(id, roots)
    }

    fn sync_roots(&self, id: InodeId) -> Vec<OpId> {
        let inode = &self.inodes[&id];
        let mut roots = inode.pending.clone();
        if self.rules.profile != Profile::PosixWeak {
            roots.extend(&inode.naming);
            roots.sort_unstable();
        }
        roots
    }

    fn sync_operations(&mut self, id: InodeId, roots: Vec<OpId>) -> usize {
        let Some(&last) = roots.last() else {
            return 0;
        };
        let is_dir = self.inodes[&id].cache.is_dir();
        let durable = match self.rules.profile {
            Profile::Sequential => self.ops.ids().take_while(|id| *id <= last).collect(),
            // What a file's operations need are earlier ones of the same file.
            Profile::PosixWeak if !is_dir || self.are_local(&roots) => roots,
            Profile::PosixWeak | Profile::Ext4Ordered => self.closed(&roots),
        };
        self.persist(&durable);
        durable.len()
    }

    fn are_local(&self, roots: &[OpId]) -> bool {
        roots.iter().all(|op| match &self.ops[op].change {
            Change::Names(names) => names.is_local(),
            _ => true,
        })
    }

    /// `roots` with all that they depend on, in order.
    fn closed(&self, roots: &[OpId]) -> Vec<OpId> {
        let ids = self.candidates(roots);
        let ops: Vec<&Op> = ids.iter().map(|id| &self.ops[id]).collect();
        let deps = dependencies(&ops, self.rules.profile, self.rules.tear);
        let at = |id: &OpId| ids.binary_search(id).expect("roots are candidates");
        let kept = closure(&deps, roots.iter().map(at));
        ids.iter()
            .zip(kept)
            .filter_map(|(&id, kept)| kept.then_some(id))
            .collect()
    }

    /// `roots`, and all that they could depend on, in order: of other files, that is what is
    /// entangled and not later, and under ordered data the writes that a size among it reveals.
    fn candidates(&self, roots: &[OpId]) -> Vec<OpId> {
        let entangled = |op: &&OpId| self.entangled.contains(op);
        let Some(&last) = roots.iter().rev().find(entangled) else {
            return roots.to_vec();
        };
        let mut ids = BTreeSet::from_iter(roots.iter().copied());
        let mut revealing = BTreeSet::new();
        for &id in self.entangled.range(..=last) {
            ids.insert(id);
            if let Change::Resize { inode, .. } = &self.ops[&id].change
                && revealing.insert(*inode)
            {
                let pending = self.inodes[inode].pending.iter();
                ids.extend(pending.filter(|op| !self.ops[op].change.is_metadata()));
            }
        }
        ids.into_iter().collect()
    }

    /// sync(2): everything.
    pub(crate) fn sync_all(&mut self) -> usize {
        let all: Vec<OpId> = self.ops.ids().collect();
        self.persist(&all);
        all.len()
    }

    /// Makes operations durable. `ids` is in order and closed under dependencies.
    pub(crate) fn persist(&mut self, ids: &[OpId]) {
        let mut unlinked = Vec::new();
        let mut touched: Vec<InodeId> = Vec::new();
        let mut named = BTreeSet::new();
        let is_idle = self.media.is_idle();
        for id in ids {
            if is_idle && let Some(written) = self.ops.remove_write(id) {
                touched.extend(Some(written.inode).filter(|id| touched.last() != Some(id)));
                self.write_for_good(written);
                continue;
            }
            let op = self.take_op(*id);
            let file = op.change.file();
            touched.extend(file.filter(|file| touched.last() != Some(file)));
            match op.change.is_metadata() {
                true => apply(&mut self.inodes, Side::Media, &op, None, &mut unlinked),
                false => self.write_to_media(&op),
            }
            if let Change::Names(names) = &op.change {
                touched.extend(names.slots.iter().map(|slot| slot.dir));
                named.extend(names.slots.iter().filter_map(|slot| slot.target));
            }
        }
        touched.sort_unstable();
        touched.dedup();
        for id in touched {
            if let Some(inode) = self.inodes.get_mut(&id) {
                without(&mut inode.pending, ids);
            }
        }
        for id in &named {
            if let Some(inode) = self.inodes.get_mut(id) {
                without(&mut inode.naming, ids);
            }
        }
        for id in named.into_iter().chain(unlinked) {
            self.forget_if_invisible(id);
        }
    }

    /// Makes a write durable on media without faults.
    fn write_for_good(&mut self, written: Written) {
        self.pending_bytes -= written.bytes.len() as u64;
        let Some(body) = body_mut(&mut self.inodes, Side::Media, written.inode) else {
            return;
        };
        body.times.modify(written.time_ns);
        if let Kind::File { pages, .. } = &mut body.kind {
            pages.store_for_good(written.offset, written.bytes, &mut self.spare);
        }
    }

    /// Under memory pressure the kernel writes back the oldest dirty pages by itself. Half of
    /// the operations, in order: a prefix is closed under every profile.
    pub(crate) fn write_back_if_dirty(&mut self) {
        let rules = &self.rules;
        if self.ops.len() <= rules.dirty_ops_max && self.pending_bytes <= rules.dirty_bytes_max {
            return;
        }
        let half = self.ops.len().div_ceil(2);
        let oldest: Vec<OpId> = self.ops.ids().take(half).collect();
        self.persist(&oldest);
    }

    /// The kernel writes back by itself: a random set, closed under what the profile orders,
    /// becomes durable. Returns how many operations that were. O(pending).
    pub(crate) fn write_back_some(&mut self, below: Below<'_>) -> usize {
        let (ids, _, deps) = self.pending();
        if ids.is_empty() {
            return 0;
        }
        let kept = random_closed(&deps, below);
        let chosen = ids.into_iter().zip(kept);
        let chosen: Vec<OpId> = chosen.filter_map(|(id, kept)| kept.then_some(id)).collect();
        self.persist(&chosen);
        chosen.len()
    }

    /// A failed fsync of a file: its dirty pages are marked clean without having been written.
    /// They stay visible, no later fsync writes them, a power loss takes them; under
    /// `sequential`, as file systems that copy on write do, they read as before at once. Sizes
    /// and names stay pending. Returns how many writes were given up.
    pub(crate) fn sync_failed(&mut self, id: InodeId, fault: FaultId) -> usize {
        let given_up = self.give_up_writes(id, fault);
        if self.rules.profile == Profile::Sequential && given_up > 0 {
            self.revert_doomed(id);
        }
        given_up
    }

    /// What was given up reads as the media have it.
    fn revert_doomed(&mut self, id: InodeId) {
        let path = self.path_to(id);
        let inode = self.inodes.get_mut(&id).expect("fsync has a descriptor");
        for doomed in std::mem::take(&mut inode.doomed) {
            let mut bytes = vec![0; doomed.len as usize];
            if let Some(pages) = inode.media.pages() {
                pages.read(doomed.offset, &mut bytes);
            }
            if let Kind::File { pages, .. } = &mut inode.cache.kind {
                pages.write(doomed.offset, &bytes);
            }
            let end = doomed.offset + doomed.len;
            let met = Met {
                fault: doomed.fault,
                counter: "damage-read",
                what: format!("{path} bytes {}..{end} (reverted)", doomed.offset),
            };
            self.scars.add_range(id, doomed.offset, doomed.len, met);
        }
    }

    fn give_up_writes(&mut self, id: InodeId, fault: FaultId) -> usize {
        let inode = self.inodes.get_mut(&id).expect("fsync has a descriptor");
        let before = inode.pending.len();
        let (ops, doomed) = (&mut self.ops, &mut inode.doomed);
        let pending_bytes = &mut self.pending_bytes;
        inode.pending.retain(|op| {
            let Change::Write { offset, bytes, .. } = &ops[op].change else {
                return true;
            };
            let len = bytes.len() as u64;
            doomed.push(Doomed {
                offset: *offset,
                len,
                fault,
            });
            *pending_bytes -= len;
            ops.remove(op);
            false
        });
        before - inode.pending.len()
    }
}

/// Takes `ids` out of `list`; both are in order.
fn without(list: &mut Vec<OpId>, ids: &[OpId]) {
    let first = list
        .first()
        .map_or(0, |first| ids.partition_point(|id| id < first));
    // A sync of everything that is pending, as most are.
    if ids[first..].starts_with(list) {
        list.clear();
        return;
    }
    list.retain(|op| ids.binary_search(op).is_err());
}

#[cfg(test)]
mod tests {
    use super::{Volume, closure};
    use crate::config::{Profile, TearUnit};
    use crate::hash::scatter;
    use crate::state::inode::InodeId;
    use crate::state::names::OpenRequest;
    use crate::state::pending::OpId;
    use crate::state::volume::Rules;

    const PROFILES: [Profile; 3] = [
        Profile::PosixWeak,
        Profile::Ext4Ordered,
        Profile::Sequential,
    ];

    const CREATE: OpenRequest = OpenRequest {
        write: true,
        truncate: false,
        create: true,
        create_new: false,
        only_dir: false,
        only_path: false,
        mode: 0o644,
    };

    fn volume(profile: Profile) -> Volume {
        let rules = Rules {
            profile,
            tear: TearUnit::Atomic512,
            capacity_pages: None,
            dirty_ops_max: usize::MAX,
            dirty_bytes_max: u64::MAX,
        };
        Volume::new(rules, 0)
    }

    fn file(volume: &mut Volume, path: &str) -> InodeId {
        volume.open_path(path.as_bytes(), CREATE, 0).unwrap().0
    }

    /// What a sync of `roots` makes durable by the whole graph.
    fn closed_by_all(volume: &Volume, roots: &[OpId]) -> Vec<OpId> {
        let (ids, _, deps) = volume.pending();
        let at = |id: &OpId| ids.binary_search(id).unwrap();
        let kept = closure(&deps, roots.iter().map(at));
        let kept = ids.iter().zip(kept).filter(|(_, kept)| *kept);
        kept.map(|(&id, _)| id).collect()
    }

    /// Some call on one of a few files and directories, by a number.
    fn act(volume: &mut Volume, number: u64) {
        let pick = |shift: u32, below: u64| (number >> shift) % below;
        let names = ["/a", "/b", "/d/a", "/d/b", "/d/e/a", "/f"];
        let dirs = ["/d", "/d/e", "/g", "/tmp"];
        let name = names[pick(8, 6) as usize].as_bytes();
        let dir = dirs[pick(16, 4) as usize].as_bytes();
        let open = volume.open_path(name, CREATE, 0);
        let is_file = |id: &InodeId| volume.cache(*id).is_file();
        let id = open.ok().map(|(id, _)| id).filter(is_file);
        match (pick(0, 9), id) {
            (0..=2, Some(id)) => {
                let written = volume.write(id, pick(24, 9_000), &[1; 700], 0);
                assert_eq!(written.unwrap().0, 700);
            }
            (3, Some(id)) => volume.resize(id, pick(24, 6_000), 0).unwrap(),
            (4, Some(id)) => volume.set_mode(id, 0o600, 0),
            // What cannot be done changes nothing.
            (5, _) => drop(volume.make_dir(dir, 0o755, 0)),
            (6, _) => drop(volume.rename(name, names[pick(32, 6) as usize].as_bytes(), 0)),
            (7, _) => drop(volume.unlink(name, 0)),
            (8, _) => drop(volume.rename(dir, dirs[pick(32, 4) as usize].as_bytes(), 0)),
            _ => {}
        }
    }

    #[test]
    fn a_sync_takes_what_the_whole_graph_says() {
        for profile in PROFILES {
            let mut more_than_its_own = 0;
            for seed in 0..150 {
                let mut volume = volume(profile);
                for step in 0..40 {
                    act(&mut volume, scatter(scatter(seed) ^ step));
                }
                let ids: Vec<InodeId> = volume.inodes.keys().copied().collect();
                for id in ids {
                    let roots = volume.sync_roots(id);
                    let expected = closed_by_all(&volume, &roots);
                    let mut synced = volume.clone();
                    assert_eq!(
                        synced.sync(id),
                        expected.len(),
                        "{profile:?}, {seed}, {id:?}"
                    );
                    assert!(expected.iter().all(|op| synced.ops.get(op).is_none()));
                    more_than_its_own += usize::from(expected.len() > roots.len());
                }
            }
            assert!(more_than_its_own > 0, "{profile:?}: {more_than_its_own}");
        }
    }

    /// How many operations a sync of a file with one write looks at.
    fn looked_at(profile: Profile, others: u64) -> usize {
        let mut volume = volume(profile);
        let (one, other) = (file(&mut volume, "/one"), file(&mut volume, "/other"));
        volume.write(one, 0, &[1; 512], 0).unwrap();
        volume.resize(other, others * 4096, 0).unwrap();
        volume.sync_all();
        for page in 0..others {
            volume.write(other, page * 4096, &[2; 512], 0).unwrap();
        }
        volume.write(one, 0, &[2; 512], 0).unwrap();
        volume.candidates(&volume.sync_roots(one)).len()
    }

    #[test]
    fn a_sync_does_not_look_at_what_is_pending_elsewhere() {
        for profile in PROFILES {
            assert_eq!(looked_at(profile, 10), 1, "{profile:?}");
            assert_eq!(looked_at(profile, 1_000), 1, "{profile:?}");
        }
    }
}
