//! Every state that a power loss could leave now, each once.

use std::collections::BTreeSet;
use std::ops::Range;

use super::inode::{Body, InodeId, Kind};
use super::op::Op;
use super::order::Dependencies;
use super::pages::PAGE;
use super::select::{CrashKind, Selection, pieces};
use super::volume::Volume;
use crate::config::TearUnit;
use crate::hash::digest_of;

/// One of the states that a power loss may leave.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Of names and contents; equal states have equal ones.
    pub(crate) digest: u64,
    pub(crate) volume: Volume,
    pub(crate) selection: Selection,
}

/// Selections looked at for each state asked for, at most: many lead to the same state.
const SELECTIONS_PER_STATE: usize = 64;

impl Volume {
    /// The states that the profile allows, at most `cap` that are not in `known` yet, whose
    /// digests are added. True: these are all. O(selections * volume).
    pub(crate) fn crash_states(&self, cap: usize, known: &mut BTreeSet<u64>) -> (Vec<State>, bool) {
        let (_, ops, deps) = self.pending();
        let mut search = Search {
            volume: self,
            ops: &ops,
            deps: &deps,
            cap,
            selections_left: cap.saturating_mul(SELECTIONS_PER_STATE),
            found: Vec::new(),
            known,
        };
        let complete = search.extend(&mut Vec::with_capacity(ops.len()));
        (search.found, complete)
    }

    /// A digest of names and contents, of what a guest sees.
    pub(crate) fn content_digest(&self) -> u64 {
        let mut text = Vec::new();
        let mut numbers = Vec::new();
        self.digest_dir(InodeId::ROOT, &mut text, &mut numbers);
        digest_of([text.len() as u64, 0], &text)
    }

    fn digest_dir(&self, dir: InodeId, text: &mut Vec<u8>, seen: &mut Vec<InodeId>) {
        for (name, &child) in self.cache(dir).entries().into_iter().flatten() {
            text.extend_from_slice(&(name.len() as u32).to_le_bytes());
            text.extend_from_slice(name);
            // Two names of one file are another state than two files.
            let number = seen.iter().position(|&id| id == child);
            let number = number.unwrap_or_else(|| {
                seen.push(child);
                seen.len() - 1
            });
            text.extend_from_slice(&(number as u32).to_le_bytes());
            let body = self.cache(child);
            text.extend_from_slice(&body.mode.to_le_bytes());
            digest_body(body, text);
            if body.is_dir() {
                self.digest_dir(child, text, seen);
                text.push(b'/');
            }
        }
    }
}

fn digest_body(body: &Body, text: &mut Vec<u8>) {
    match &body.kind {
        Kind::Dir { .. } => text.push(b'd'),
        Kind::Symlink { target } => {
            text.push(b'l');
            text.extend_from_slice(target);
        }
        Kind::File { size, pages } => {
            text.push(b'f');
            text.extend_from_slice(&size.to_le_bytes());
            let mut bytes = [0; PAGE as usize];
            for page in pages.written(0..size.div_ceil(PAGE)) {
                pages.read(page * PAGE, &mut bytes);
                if bytes.iter().any(|&byte| byte != 0) {
                    text.extend_from_slice(&digest_of([page, 0], &bytes).to_le_bytes());
                }
            }
        }
    }
}

struct Search<'s> {
    volume: &'s Volume,
    ops: &'s [&'s Op],
    deps: &'s Dependencies,
    cap: usize,
    selections_left: usize,
    found: Vec<State>,
    known: &'s mut BTreeSet<u64>,
}

impl Search<'_> {
    /// Goes on with what is kept so far; false when the cap was reached.
    fn extend(&mut self, kept: &mut Vec<bool>) -> bool {
        let at = kept.len();
        if at == self.ops.len() {
            return self.add_all(kept);
        }
        let possible = self.deps[at].iter().all(|&need| kept[need]);
        for keeps in [true, false] {
            if keeps && !possible {
                continue;
            }
            kept.push(keeps);
            let goes_on = self.extend(kept);
            kept.pop();
            if !goes_on {
                return false;
            }
        }
        true
    }

    /// The state of a closed set, and those with one more write torn.
    fn add_all(&mut self, kept: &[bool]) -> bool {
        if !self.add(kept, CrashKind::Subset, None) {
            return false;
        }
        for at in 0..kept.len() {
            if kept[at] || !self.deps[at].iter().all(|&need| kept[need]) {
                continue;
            }
            let Some(units) = pieces(&self.ops[at].change, self.volume.rules.tear) else {
                continue;
            };
            for ranges in tears(&units, self.volume.rules.tear) {
                if !self.add(kept, CrashKind::Torn, Some((at, ranges))) {
                    return false;
                }
            }
        }
        true
    }

    fn add(
        &mut self,
        kept: &[bool],
        kind: CrashKind,
        torn: Option<(usize, Vec<Range<usize>>)>,
    ) -> bool {
        if self.selections_left == 0 || self.found.len() >= self.cap {
            return false;
        }
        self.selections_left -= 1;
        let selection = Selection {
            kind,
            kept: kept.to_vec(),
            torn,
            garbage: None,
        };
        let mut volume = self.volume.clone();
        volume.crash(&selection);
        let digest = volume.content_digest();
        if self.known.insert(digest) {
            self.found.push(State {
                digest,
                volume,
                selection,
            });
        }
        true
    }
}

/// The ways in which a write is torn. Where it may be cut at any byte: after the first, in the
/// middle, before the last.
fn tears(units: &[Range<usize>], tear: TearUnit) -> Vec<Vec<Range<usize>>> {
    if tear == TearUnit::None {
        let len = units[0].end;
        let cuts = BTreeSet::from([1, len / 2, len - 1]);
        let cuts = cuts.into_iter().filter(|cut| (1..len).contains(cut));
        return cuts.map(|cut| std::iter::once(0..cut).collect()).collect();
    }
    let all = (1u64 << units.len()) - 1;
    let of = |mask: u64| {
        let survives = |at: &usize| mask >> at & 1 == 1;
        let survivors = (0..units.len()).filter(survives);
        survivors.map(|at| units[at].clone()).collect()
    };
    (1..all).map(of).collect()
}
