//! The exhaustive mode: every crash state at every persistence call of a small scenario, once.

use std::collections::BTreeSet;

use sim_runtime::{NodeId, World, with};

use super::device::Disk;
use crate::config::VolumeId;
use crate::state::volume::Volume;

/// A state that a power loss may leave of a node's first volume.
#[derive(Clone, Debug)]
pub struct CrashState {
    /// Of names and contents: equal states have equal digests.
    pub digest: u64,
    /// How many persistence calls were made, or begun, when the power went.
    pub syncs: usize,
    /// Operations that were pending then.
    pub pending: usize,
    /// Those of them that survived whole.
    pub kept: usize,
    /// Whether a part of one more write survived.
    pub is_torn: bool,
    volume: Volume,
}

/// What was found so far.
pub(crate) struct Exploration {
    volume: VolumeId,
    cap: usize,
    syncs: usize,
    known: BTreeSet<u64>,
    states: Vec<CrashState>,
    is_complete: bool,
}

impl Exploration {
    fn look(&mut self, volume: &Volume) {
        let left = self.cap.saturating_sub(self.states.len());
        let (found, complete) = volume.crash_states(left, &mut self.known);
        self.is_complete &= complete;
        self.states
            .extend(found.into_iter().map(|state| CrashState {
                digest: state.digest,
                syncs: self.syncs,
                pending: state.selection.kept.len(),
                kept: state.selection.kept.iter().filter(|&&kept| kept).count(),
                is_torn: state.selection.torn.is_some(),
                volume: state.volume,
            }));
    }
}

impl Disk {
    /// Collects, from now on, before and after each fsync, fdatasync, syncfs and sync of `node`,
    /// every state that a power loss could leave of its first volume, each once, `cap` at most.
    /// Cost grows with the number of sets of operations that the profile lets survive: for small
    /// scenarios. [`crash_states`](crate::crash_states) does all of it for a test.
    pub fn explore(&self, node: NodeId, cap: usize) {
        let volume = with(|world| self.root_volume(world, node));
        let exploration = Exploration {
            volume,
            cap,
            syncs: 0,
            known: BTreeSet::new(),
            states: Vec::new(),
            is_complete: true,
        };
        self.state.borrow_mut().exploration = Some(exploration);
        self.is_watching.set(true);
    }

    /// What [`explore`](Disk::explore) found, the states of this moment included. True: there
    /// are no others. Ends the exploration; nothing when there was none.
    pub fn explored(&self) -> (Vec<CrashState>, bool) {
        let state = &mut *self.state.borrow_mut();
        let Some(mut exploration) = state.exploration.take() else {
            return (Vec::new(), true);
        };
        exploration.look(&state.volumes[&exploration.volume]);
        (exploration.states, exploration.is_complete)
    }

    /// Gives `node` the disk that a power loss left: of this simulation or of another.
    pub fn load(&self, node: NodeId, from: &CrashState) {
        with(|world| {
            let id = self.root_volume(world, node);
            let mut volume = from.volume.clone();
            volume.rules = self.rules();
            self.state.borrow_mut().volumes.insert(id, volume);
        });
    }

    /// Before (and after) a persistence call.
    pub(crate) fn look_at_crashes(&self, world: &World, is_done: bool) {
        let state = &mut *self.state.borrow_mut();
        let Some(exploration) = &mut state.exploration else {
            return;
        };
        if exploration.volume != state.mounts.root_of(world.current_node()) {
            return;
        }
        if !is_done {
            exploration.syncs += 1;
        }
        exploration.look(&state.volumes[&exploration.volume]);
    }
}
