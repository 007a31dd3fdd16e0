//! How pending operations reach the media: fsync, write-back under memory pressure, and the
//! failed fsync that gives them up.

use std::collections::BTreeSet;

use super::inode::{Doomed, InodeId, Kind};
use super::op::{Change, OpId, Side, apply};
use super::order::closure;
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
        let weak = self.rules.profile == Profile::PosixWeak;
        let is_local = |op: &OpId| match &self.ops[op].change {
            Change::Names(names) => names.is_local(),
            _ => true,
        };
        if roots.is_empty() {
            return 0;
        }
        let whole = roots.len() == self.inodes[&id].pending.len();
        let durable = if weak && whole && roots.iter().all(is_local) {
            roots
        } else {
            self.closed(&roots)
        };
        self.persist(&durable);
        durable.len()
    }

    /// `roots` with all that they depend on, in order.
    fn closed(&self, roots: &[OpId]) -> Vec<OpId> {
        let (ids, _, deps) = self.pending();
        let at = |id: &OpId| ids.binary_search(id).expect("roots are pending");
        let kept = closure(&deps, roots.iter().map(at));
        ids.into_iter()
            .zip(kept)
            .filter_map(|(id, kept)| kept.then_some(id))
            .collect()
    }

    /// sync(2): everything.
    pub(crate) fn sync_all(&mut self) -> usize {
        let all: Vec<OpId> = self.ops.keys().copied().collect();
        self.persist(&all);
        all.len()
    }

    /// Makes operations durable. `ids` is in order and closed under dependencies.
    pub(crate) fn persist(&mut self, ids: &[OpId]) {
        let mut unlinked = Vec::new();
        let mut touched = BTreeSet::new();
        let mut named = BTreeSet::new();
        for id in ids {
            let op = self
                .ops
                .remove(id)
                .expect("only pending operations become durable");
            self.pending_bytes -= op.change.payload();
            if self.media.is_idle() || op.change.is_metadata() {
                apply(&mut self.inodes, Side::Media, &op, None, &mut unlinked);
            } else {
                self.write_to_media(&op);
            }
            touched.extend(op.change.file());
            if let Change::Names(names) = &op.change {
                touched.extend(names.slots.iter().map(|slot| slot.dir));
                named.extend(names.slots.iter().filter_map(|slot| slot.target));
            }
        }
        for id in touched {
            if let Some(inode) = self.inodes.get_mut(&id) {
                inode.pending.retain(|op| ids.binary_search(op).is_err());
            }
        }
        for id in &named {
            if let Some(inode) = self.inodes.get_mut(id) {
                inode.naming.retain(|op| ids.binary_search(op).is_err());
            }
        }
        for id in named.into_iter().chain(unlinked) {
            self.forget_if_invisible(id);
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
        let oldest: Vec<OpId> = self.ops.keys().copied().take(half).collect();
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
