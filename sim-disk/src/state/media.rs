//! What media do to data that reached them. Damage sticks until the sector is written again; a
//! sector is hit or not by (volume, sector, content), so no retry heals it and no other fault
//! moves it.
//!
//! May break: sectors of files, on the media. May never break: names, sizes, what is dirty.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use super::inode::{Body, InodeId, Kind};
use super::op::{Change, Op, Side, apply};
use super::pages::{PAGE, Payload, SECTOR};
use super::scars::Met;
use super::volume::Volume;
use crate::budget::Budget;
use crate::config::MediaFault;
use crate::hash::{digest_of, scatter};
use sim_runtime::{FaultId, NodeId};

/// A sector of a file, by its number in the file.
pub(crate) type Sector = (InodeId, u64);

/// An open window of a media fault.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) fault: FaultId,
    pub(crate) kind: MediaFault,
    /// How many sectors of a million are hit.
    pub(crate) ppm: u64,
    /// Drawn for volume and fault.
    pub(crate) key: u64,
    /// Whose damage it counts as, and how much of that there may be.
    pub(crate) node: NodeId,
    pub(crate) budget: Option<Rc<RefCell<Budget>>>,
}

/// Damage that was done, for the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Receipt {
    pub(crate) fault: FaultId,
    pub(crate) counter: &'static str,
    pub(crate) what: String,
}

/// The damage of a volume, and the windows in which there may be more.
#[derive(Clone, Default, Debug)]
pub(crate) struct Media {
    rules: Vec<Rule>,
    latent: BTreeMap<Sector, FaultId>,
    redirected: BTreeMap<Sector, (FaultId, Sector)>,
    /// Sectors that rotted, or that were never initialised: once is enough.
    changed: BTreeSet<Sector>,
    receipts: Vec<Receipt>,
}

impl Media {
    /// Nothing is damaged, nothing can be.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.rules.is_empty()
            && self.latent.is_empty()
            && self.redirected.is_empty()
            && self.changed.is_empty()
    }

    pub(crate) fn open(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Ends a window; the damage stays.
    pub(crate) fn close(&mut self, fault: FaultId) {
        self.rules.retain(|rule| rule.fault != fault);
    }

    pub(crate) fn take_receipts(&mut self) -> Vec<Receipt> {
        std::mem::take(&mut self.receipts)
    }

    pub(crate) fn has_receipts(&self) -> bool {
        !self.receipts.is_empty()
    }

    fn heal(&mut self, sector: Sector) {
        self.latent.remove(&sector);
        self.redirected.remove(&sector);
        self.changed.remove(&sector);
    }

    /// Another disk takes the place of this one: the windows stay open, the damage goes.
    pub(crate) fn inherit(&mut self, old: &Media) {
        self.rules.clone_from(&old.rules);
    }

    /// The damage of inodes that are gone is gone.
    pub(crate) fn retain_inodes(&mut self, exists: impl Fn(InodeId) -> bool) {
        self.latent.retain(|(id, _), _| exists(*id));
        self.changed.retain(|(id, _)| exists(*id));
        self.redirected
            .retain(|(id, _), (_, (to, _))| exists(*id) && exists(*to));
    }
}

impl Rule {
    /// Is this sector hit, with this content? Some: a number to place the damage by.
    fn hits(&self, sector: Sector, content: &[u8]) -> Option<u64> {
        let place = scatter(sector.0.0) ^ sector.1;
        let hash = scatter(self.key ^ digest_of([place, 0], content));
        (hash % 1_000_000 < self.ppm).then(|| scatter(hash))
    }
}

/// The bytes of a sector; beyond the end of the file they are zero.
fn sector_of(body: &Body, sector: u64) -> [u8; SECTOR as usize] {
    let mut bytes = [0; SECTOR as usize];
    if let Some(pages) = body.pages() {
        pages.read(sector * SECTOR, &mut bytes);
    }
    bytes
}

impl Volume {
    /// What a guest reads is served by the media where it is not dirty. `past_cache`: what is dirty
    /// has to be on the media to be read, so a latent error hits there, too. Returns how many
    /// bytes from `offset` on can be read: none when the first sector is bad.
    pub(crate) fn meet_media(
        &mut self,
        id: InodeId,
        offset: u64,
        len: u64,
        past_cache: bool,
    ) -> Option<u64> {
        let end = offset.saturating_add(len).min(self.cache(id).size());
        if offset >= end {
            return Some(len);
        }
        for number in offset / SECTOR..=(end - 1) / SECTOR {
            let sector = (id, number);
            if self.is_clean(sector) {
                self.damage_by_reading(sector);
            } else if !past_cache {
                continue;
            }
            if let Some(&fault) = self.media.latent.get(&sector) {
                let readable = (number * SECTOR).saturating_sub(offset);
                if readable > 0 {
                    return Some(readable);
                }
                let what = format!("read of {} failed", self.spell(sector));
                self.scars.meet(Met {
                    fault,
                    counter: "errors-returned",
                    what,
                });
                return None;
            }
        }
        Some(len)
    }

    /// Is what the guest sees of a sector what the media hold? Then it may come from there.
    fn is_clean(&self, (id, number): Sector) -> bool {
        let inode = &self.inodes[&id];
        sector_of(&inode.cache, number) == sector_of(&inode.media, number)
    }

    fn damage_by_reading(&mut self, sector: Sector) {
        let (id, number) = sector;
        let is_written = |body: &Body| {
            let page = number * SECTOR / PAGE;
            body.pages().is_some_and(|pages| pages.is_written(page))
        };
        let written = is_written(&self.inodes[&id].media);
        let content = sector_of(&self.inodes[&id].media, number);
        for at in 0..self.media.rules.len() {
            let rule = &self.media.rules[at];
            let fits = match rule.kind {
                MediaFault::LatentError | MediaFault::Rot | MediaFault::MisdirectedRead => written,
                MediaFault::Uninitialised => !written,
                MediaFault::LostWrite | MediaFault::MisdirectedWrite => false,
            };
            let known = self.media.latent.contains_key(&sector)
                || self.media.changed.contains(&sector)
                || self.media.redirected.contains_key(&sector);
            if !fits || known {
                continue;
            }
            let Some(number) = rule.hits(sector, &content) else {
                continue;
            };
            let rule = rule.clone();
            if self.may_damage(&rule, sector) {
                self.damage(&rule, sector, number);
            }
        }
    }

    fn may_damage(&self, rule: &Rule, (id, number): Sector) -> bool {
        let Some(budget) = &rule.budget else {
            return true;
        };
        let path = self.path_to(id);
        let page = number * SECTOR / PAGE;
        budget.borrow_mut().take(rule.node, &path, page)
    }

    fn damage(&mut self, rule: &Rule, sector: Sector, place: u64) {
        let (id, number) = sector;
        let spelled = self.spell(sector);
        let counter = match rule.kind {
            MediaFault::LatentError => {
                self.media.latent.insert(sector, rule.fault);
                "latent-errors"
            }
            MediaFault::MisdirectedRead => {
                let Some(other) = self.other_sector(sector, place) else {
                    return;
                };
                self.media.redirected.insert(sector, (rule.fault, other));
                "reads-misdirected"
            }
            MediaFault::Rot => {
                let mut bytes = sector_of(&self.inodes[&id].media, number);
                let end = self.inodes[&id]
                    .media
                    .size()
                    .saturating_sub(number * SECTOR);
                let bits = end.min(SECTOR) * 8;
                if bits == 0 {
                    return;
                }
                let bit = place % bits;
                bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
                self.put_on_both(sector, &bytes);
                "sectors-rotted"
            }
            MediaFault::Uninitialised => {
                let mut bytes = [0; SECTOR as usize];
                for (at, chunk) in bytes.chunks_mut(8).enumerate() {
                    let garbage = scatter(place.wrapping_add(at as u64)).to_le_bytes();
                    chunk.copy_from_slice(&garbage[..chunk.len()]);
                }
                self.put_on_both(sector, &bytes);
                "sectors-uninitialised"
            }
            MediaFault::LostWrite | MediaFault::MisdirectedWrite => return,
        };
        if matches!(rule.kind, MediaFault::Rot | MediaFault::Uninitialised) {
            self.media.changed.insert(sector);
            self.scar(rule.fault, sector, counter);
        }
        self.media.receipts.push(Receipt {
            fault: rule.fault,
            counter,
            what: spelled,
        });
    }

    fn scar(&mut self, fault: FaultId, sector: Sector, how: &str) {
        let met = Met {
            fault,
            counter: "damage-read",
            what: format!("{} ({how})", self.spell(sector)),
        };
        let (id, number) = sector;
        self.scars.add_range(id, number * SECTOR, SECTOR, met);
    }

    fn spell(&self, (id, number): Sector) -> String {
        let path = self.path_to(id);
        format!(
            "{path} bytes {}..{}",
            number * SECTOR,
            (number + 1) * SECTOR
        )
    }

    /// The media change below a clean cache, which has no more than they have.
    fn put_on_both(&mut self, (id, number): Sector, bytes: &[u8]) {
        let inode = self.inode_mut(id);
        let mut taken = 0;
        for (body, is_cache) in [(&mut inode.media, false), (&mut inode.cache, true)] {
            if let Kind::File { pages, .. } = &mut body.kind {
                let more = pages.write(number * SECTOR, bytes);
                taken += if is_cache { more as i64 } else { 0 };
            }
        }
        self.take_pages(taken);
    }

    /// Another sector of the volume with data, by number.
    fn other_sector(&self, not: Sector, place: u64) -> Option<Sector> {
        let pages = self.inodes.iter().filter_map(|(&id, inode)| {
            let size = inode.media.size();
            let held = inode.media.pages()?;
            Some(
                held.written(0..size.div_ceil(PAGE))
                    .map(move |page| (id, page)),
            )
        });
        let pages: Vec<(InodeId, u64)> = pages.flatten().collect();
        let within = PAGE / SECTOR;
        let count = pages.len() as u64 * within;
        (0..count.min(2)).find_map(|next| {
            let chosen = (place + next) % count;
            let (id, page) = pages[(chosen / within) as usize];
            let sector = (id, page * within + chosen % within);
            (sector != not).then_some(sector)
        })
    }

    /// Replaces in `buf`, read from `offset` on, what the media serve from elsewhere.
    pub(crate) fn misread(&mut self, id: InodeId, offset: u64, buf: &mut [u8]) {
        let end = offset + buf.len() as u64;
        let range = (id, offset / SECTOR)..(id, end.div_ceil(SECTOR));
        let redirected = self.media.redirected.range(range);
        let redirected: Vec<_> = redirected.map(|(at, to)| (*at, *to)).collect();
        for (sector, (fault, other)) in redirected {
            if !self.is_clean(sector) {
                continue;
            }
            let bytes = sector_of(&self.inodes[&other.0].media, other.1);
            let start = sector.1 * SECTOR;
            for (at, byte) in bytes.into_iter().enumerate() {
                let to = start + at as u64;
                if (offset..end).contains(&to) {
                    buf[(to - offset) as usize] = byte;
                }
            }
            let what = format!("{} read from {}", self.spell(sector), self.spell(other));
            self.scars.meet(Met {
                fault,
                counter: "damage-read",
                what,
            });
        }
    }

    /// A write reaches the media, or does not.
    pub(crate) fn write_to_media(&mut self, op: &Op) {
        let Change::Write {
            inode: id,
            offset,
            bytes,
        } = &op.change
        else {
            apply(&mut self.inodes, Side::Media, op, None, &mut Vec::new());
            return;
        };
        let mut kept: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        while start < bytes.len() {
            let at = offset + start as u64;
            let len = (SECTOR - at % SECTOR).min((bytes.len() - start) as u64) as usize;
            let piece = start..start + len;
            start += len;
            let sector = (*id, at / SECTOR);
            self.media.heal(sector);
            let is_hole = matches!(bytes, Payload::Hole);
            let lost = !is_hole && self.loses(sector, at, &bytes[piece.clone()]);
            if !lost {
                kept.push(piece);
            }
        }
        let whole: usize = kept.iter().map(Range::len).sum();
        let torn = (whole < bytes.len()).then_some(&kept[..]);
        apply(&mut self.inodes, Side::Media, op, torn, &mut Vec::new());
        if torn.is_some() {
            self.evict(*id, *offset, bytes, &kept);
        }
    }

    /// Is this piece of a write acknowledged and not written where it should be?
    fn loses(&mut self, sector: Sector, at: u64, piece: &[u8]) -> bool {
        let writing = |rule: &&Rule| {
            matches!(
                rule.kind,
                MediaFault::LostWrite | MediaFault::MisdirectedWrite
            )
        };
        let rules = self.media.rules.iter().filter(writing);
        let hit = rules.filter_map(|rule| Some((rule, rule.hits(sector, piece)?)));
        let Some((rule, place)) = hit.map(|(rule, place)| (rule.clone(), place)).next() else {
            return false;
        };
        if !self.inodes.contains_key(&sector.0) || !self.may_damage(&rule, sector) {
            return false;
        }
        let mut counter = "writes-lost";
        let mut what = self.spell(sector);
        if rule.kind == MediaFault::MisdirectedWrite {
            let Some(other) = self.other_sector(sector, place) else {
                return false;
            };
            counter = "writes-misdirected";
            what = format!("{what} written to {}", self.spell(other));
            let mut bytes = sector_of(&self.inodes[&other.0].media, other.1);
            let within = (at % SECTOR) as usize;
            bytes[within..within + piece.len()].copy_from_slice(piece);
            if self.is_clean(other) {
                self.put_on_both(other, &bytes);
                self.scar(rule.fault, other, "hit by a misdirected write");
            } else if let Kind::File { pages, .. } = &mut self.inode_mut(other.0).media.kind {
                pages.write(other.1 * SECTOR, &bytes);
            }
        }
        self.media.receipts.push(Receipt {
            fault: rule.fault,
            counter,
            what,
        });
        self.scar(rule.fault, sector, counter);
        true
    }

    /// What was not written is read from the media again, unless it is dirty anew.
    fn evict(&mut self, id: InodeId, offset: u64, bytes: &[u8], kept: &[Range<usize>]) {
        let Some(inode) = self.inodes.get_mut(&id) else {
            return;
        };
        let mut at = 0;
        let end = std::iter::once(bytes.len()..bytes.len());
        for gap in kept.iter().cloned().chain(end) {
            let lost = at..gap.start;
            at = gap.end;
            let mut now = vec![0; lost.len()];
            let from = offset + lost.start as u64;
            let Some(pages) = inode.cache.pages() else {
                return;
            };
            pages.read(from, &mut now);
            let pending = inode.pending.iter().filter_map(|op| self.ops.get(op));
            let dirty = pending.into_iter().any(|op| match &op.change {
                Change::Write { offset, bytes, .. } => {
                    *offset < from + lost.len() as u64 && from < offset + bytes.len() as u64
                }
                _ => false,
            });
            if lost.is_empty() || dirty || now != bytes[lost.clone()] {
                continue;
            }
            if let Some(pages) = inode.media.pages() {
                pages.read(from, &mut now);
            }
            if let Kind::File { pages, .. } = &mut inode.cache.kind {
                pages.write(from, &now);
            }
        }
    }
}
