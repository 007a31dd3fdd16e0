//! What happens to a disk while its machine is down: it is wiped, swapped with another's, or put
//! back to an older state.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use sim_runtime::{FaultId, NodeId, World, with};

use super::device::{Disk, State};
use crate::budget::Budget;
use crate::config::VolumeId;
use crate::errno::errno;
use crate::state::compare::differences;
use crate::state::volume::Volume;

/// What was durable on a node's volumes at some time.
#[derive(Clone)]
pub struct Snapshot {
    volumes: BTreeMap<VolumeId, Volume>,
}

impl Disk {
    /// What is durable on the volumes of `node` now: what a backup, or a snapshot of a virtual
    /// machine's disk, would hold. Pages are shared, not copied.
    pub fn snapshot(&self, node: NodeId) -> Snapshot {
        with(|world| self.root_volume(world, node));
        let state = self.state.borrow();
        let ids = state.mounts.below(state.mounts.root_of(node));
        let durable = |id: VolumeId| (id, state.volumes[&id].as_durable());
        Snapshot {
            volumes: ids.into_iter().map(durable).collect(),
        }
    }

    /// Puts the volumes of `node` back to a snapshot of it. Files that are different from now on
    /// are entered as injected (`files-reverted`), and as observed when the guest meets them.
    ///
    /// # Errors
    /// `EBUSY` while the node runs; `EDQUOT` when the budget holds no more damage.
    pub fn restore(
        &self,
        fault: FaultId,
        node: NodeId,
        snapshot: &Snapshot,
        budget: Option<&Rc<RefCell<Budget>>>,
    ) -> io::Result<()> {
        self.replace(node, budget, |world, state| {
            for (&id, older) in &snapshot.volumes {
                put(world, state, id, older.clone(), (fault, "files-reverted"));
            }
        })
    }

    /// Empties the volumes of `node`, as a new disk is (`files-wiped`).
    ///
    /// # Errors
    /// As [`restore`](Disk::restore).
    pub fn wipe(
        &self,
        fault: FaultId,
        node: NodeId,
        budget: Option<&Rc<RefCell<Budget>>>,
    ) -> io::Result<()> {
        self.replace(node, budget, |world, state| {
            for id in state.mounts.below(state.mounts.root_of(node)) {
                let rules = state.volumes.get(&id).map_or(self.rules(), |old| old.rules);
                let empty = Volume::new(rules, world.wall_clock());
                put(world, state, id, empty, (fault, "files-wiped"));
            }
        })
    }

    /// Two nodes get each other's disk (`files-swapped`).
    ///
    /// # Errors
    /// As [`restore`](Disk::restore), for either of them.
    pub fn swap(
        &self,
        fault: FaultId,
        (one, other): (NodeId, NodeId),
        budget: Option<&Rc<RefCell<Budget>>>,
    ) -> io::Result<()> {
        with(|world| self.root_volume(world, other));
        self.replace(other, budget, |_, _| ())?;
        self.replace(one, budget, |world, state| {
            let ids = [one, other].map(|node| state.mounts.root_of(node));
            let [first, second] = ids.map(|id| state.volumes[&id].clone());
            put(world, state, ids[0], second, (fault, "files-swapped"));
            put(world, state, ids[1], first, (fault, "files-swapped"));
        })
    }

    fn replace(
        &self,
        node: NodeId,
        budget: Option<&Rc<RefCell<Budget>>>,
        change: impl FnOnce(&World, &mut State),
    ) -> io::Result<()> {
        with(|world| {
            self.root_volume(world, node);
            if world.is_alive(node, world.boot_of(node)) {
                return Err(errno(libc::EBUSY));
            }
            let fits = |budget: &Rc<RefCell<Budget>>| budget.borrow_mut().take_node(node);
            if !budget.is_none_or(fits) {
                return Err(errno(libc::EDQUOT));
            }
            change(world, &mut self.state.borrow_mut());
            self.enter_met(world);
            Ok(())
        })
    }
}

/// Puts a volume in the place of another; the differences are the fault's.
fn put(
    world: &World,
    state: &mut State,
    id: VolumeId,
    mut volume: Volume,
    (fault, counter): (FaultId, &'static str),
) {
    let old = &state.volumes[&id];
    let changed = differences(old, &mut volume, fault, counter);
    let what = || changed.join(", ");
    if !changed.is_empty() {
        let count = changed.len() as u64;
        world.ledger().inject(fault, counter, count, what);
    }
    let old = state.volumes.insert(id, volume).expect("it was there");
    let volume = state.volumes.get_mut(&id).expect("inserted above");
    volume.media.inherit(&old.media);
    for at in state.mounts.on(id) {
        let path = old.path_to(at.inode);
        let now = volume.ensure_dir(path.as_bytes(), world.wall_clock());
        state.mounts.move_to(at, now);
    }
}
