//! How two states of a volume differ, as a guest would see it.

use std::collections::BTreeMap;

use super::inode::{InodeId, Name};
use super::pages::PAGE;
use super::scars::Met;
use super::volume::Volume;
use sim_runtime::FaultId;

/// Differences that are looked for, at most: more of them prove no more.
const DIFFERENCES_MAX: usize = 1_000;

/// Leaves scars in `new` where it differs from `old`, for the guest to meet; returns the paths
/// that differ.
pub(crate) fn differences(
    old: &Volume,
    new: &mut Volume,
    fault: FaultId,
    how: &'static str,
) -> Vec<String> {
    let mut changed = Vec::new();
    let mut todo = Vec::from([(InodeId::ROOT, InodeId::ROOT, String::new())]);
    while let Some((was_dir, is_dir, at)) = todo.pop() {
        let entries = |volume: &Volume, dir| -> BTreeMap<Name, InodeId> {
            volume.cache(dir).entries().cloned().unwrap_or_default()
        };
        let (was, is) = (entries(old, was_dir), entries(new, is_dir));
        for name in was
            .keys()
            .chain(is.keys().filter(|name| !was.contains_key(*name)))
        {
            if changed.len() >= DIFFERENCES_MAX {
                return changed;
            }
            let path = format!("{at}/{}", String::from_utf8_lossy(name));
            let met = Met {
                fault,
                counter: "crash-state-read",
                what: format!("{path} ({how})"),
            };
            match (was.get(name), is.get(name)) {
                (Some(&was), Some(&is)) if same_kind(old, was, new, is) => {
                    if old.cache(was).is_dir() {
                        todo.push((was, is, path));
                    } else if let Some(len) = content_differs(old, was, new, is) {
                        new.scars.add_range(is, 0, len, met);
                        changed.push(path);
                    }
                }
                _ => {
                    new.scars.add_name(is_dir, Name::clone(name), met);
                    changed.push(path);
                }
            }
        }
    }
    changed
}

fn same_kind(old: &Volume, was: InodeId, new: &Volume, is: InodeId) -> bool {
    let (was, is) = (old.cache(was), new.cache(is));
    was.is_dir() == is.is_dir() && was.is_file() == is.is_file()
}

/// How many bytes to look at to see the difference; None: there is none.
fn content_differs(old: &Volume, was: InodeId, new: &Volume, is: InodeId) -> Option<u64> {
    let (was, is) = (old.cache(was), new.cache(is));
    let len = was.size().max(is.size());
    let mut differs = was.size() != is.size() || was.link_target() != is.link_target();
    if let (Some(was), Some(is)) = (was.pages(), is.pages()) {
        let end = len.div_ceil(PAGE);
        let mut bytes = ([0; PAGE as usize], [0; PAGE as usize]);
        for page in was.written(0..end).chain(is.written(0..end)) {
            was.read(page * PAGE, &mut bytes.0);
            is.read(page * PAGE, &mut bytes.1);
            differs |= bytes.0 != bytes.1;
        }
    }
    differs.then_some(len.max(1))
}

impl Volume {
    /// The volume as a power loss that keeps nothing pending would leave it.
    pub(crate) fn as_durable(&self) -> Volume {
        let mut durable = self.clone();
        let pending = durable.ops.len();
        durable.crash(&super::select::Selection {
            kind: super::select::CrashKind::Nothing,
            kept: vec![false; pending],
            torn: None,
            garbage: None,
        });
        durable.scars = super::scars::Scars::default();
        durable
    }
}
