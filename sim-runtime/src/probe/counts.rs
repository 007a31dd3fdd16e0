//! What sites did in one simulation.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::site::{SITES, Site, SiteKind};
use crate::digest::EventKind;
use crate::ids::SimInstant;
use crate::stream::{Root, Stream, hash};
use crate::world::{self, World};

/// How often a site was reached, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What it says.
    pub kind: SiteKind,
    /// Its name.
    pub name: String,
    /// `file:line`.
    pub place: String,
    /// How often it was reached.
    pub reached: u64,
    /// How often it held, or fired.
    pub held: u64,
    /// Of a comparison: the difference between its sides that was nearest to the other verdict.
    /// Of a knob: what was drawn.
    pub number: Option<i128>,
}

/// A condition that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The site's name.
    pub name: String,
    /// `file:line`.
    pub place: String,
    /// On which node.
    pub node: String,
    /// When first.
    pub at: SimInstant,
    /// In the guest's words, or the two sides of a comparison.
    pub message: String,
    /// How often.
    pub times: u64,
}

#[derive(Clone, Copy, Default)]
struct Count {
    reached: u64,
    held: u64,
    number: Option<i128>,
}

/// The sites of a world.
pub(crate) struct Probes {
    root: Root,
    /// Whether buggify sites may fire.
    buggify: bool,
    /// By place among [`SITES`].
    counts: RefCell<Vec<Count>>,
    violations: RefCell<Vec<(usize, Violation)>>,
    /// When those held that somebody wants to know it of.
    watched: RefCell<Vec<(&'static str, Vec<SimInstant>)>>,
    streams: RefCell<Vec<Option<Buggify>>>,
}

/// A buggify site in this seed.
struct Buggify {
    armed: bool,
    stream: Stream,
}

/// Of four seeds, a site is armed in one.
const ARMED_ONE_IN: u64 = 4;
/// How many different violations are kept.
const VIOLATIONS_MAX: usize = 32;
/// How many moments are kept of a site that is watched: the first ones.
const TIMES_MAX: usize = 1 << 16;

impl Probes {
    pub(crate) fn new(root: &Root, buggify: bool) -> Self {
        Self {
            root: root.clone(),
            buggify,
            counts: RefCell::new(vec![Count::default(); SITES.len()]),
            violations: RefCell::default(),
            watched: RefCell::default(),
            streams: RefCell::default(),
        }
    }

    fn count(&self, site: &Site, held: bool, now: SimInstant) {
        let mut counts = self.counts.borrow_mut();
        let count = &mut counts[site.index()];
        count.reached += 1;
        count.held += u64::from(held);
        if held {
            let mut watched = self.watched.borrow_mut();
            let of_site = watched.iter_mut().find(|(name, _)| *name == site.name);
            if let Some((_, times)) = of_site
                && times.len() < TIMES_MAX
            {
                times.push(now);
            }
        }
    }

    fn watch(&self, wanted: &str) -> bool {
        let site = SITES.iter().find(|site| site.name == wanted);
        if let Some(site) = site {
            self.watched.borrow_mut().push((site.name, Vec::new()));
        }
        site.is_some()
    }

    /// Keeps the number that is nearest to the other verdict.
    fn note(&self, site: &Site, number: i128) {
        let kept = &mut self.counts.borrow_mut()[site.index()].number;
        *kept = Some(kept.map_or(number, |kept| kept.min(number)));
    }

    fn violate(&self, world: &World, site: &Site, message: String) {
        let index = site.index();
        world.event(EventKind::User, VIOLATED, hash(site.name.as_bytes()));
        let mut violations = self.violations.borrow_mut();
        if let Some((_, known)) = violations.iter_mut().find(|(known, _)| *known == index) {
            known.times += 1;
        } else if violations.len() < VIOLATIONS_MAX {
            let violation = Violation {
                name: site.name.to_owned(),
                place: place(site),
                node: world.node(world.current_node()).name.to_string(),
                at: world.now(),
                message,
                times: 1,
            };
            violations.push((index, violation));
        }
    }

    fn fires(&self, site: &Site, (numerator, denominator): (u64, u64)) -> bool {
        if !self.buggify {
            return false;
        }
        let mut streams = self.streams.borrow_mut();
        if streams.len() < SITES.len() {
            streams.resize_with(SITES.len(), || None);
        }
        let state = streams[site.index()].get_or_insert_with(|| {
            let mut stream = self.root.stream("buggify", site.name);
            Buggify {
                armed: stream.chance(1, ARMED_ONE_IN),
                stream,
            }
        });
        state.armed && state.stream.chance(numerator, denominator)
    }

    /// Every site with what it did, by name.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let counts = self.counts.borrow();
        let mut seen: Vec<_> = SITES
            .iter()
            .zip(counts.iter())
            .map(|(site, count)| Seen {
                kind: site.kind,
                name: site.name.to_owned(),
                place: place(site),
                reached: count.reached,
                held: count.held,
                number: count.number,
            })
            .collect();
        // The linker's order means nothing.
        seen.sort_by(|a, b| (&a.name, &a.place, a.kind).cmp(&(&b.name, &b.place, b.kind)));
        seen
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        let violations = self.violations.borrow();
        violations
            .iter()
            .map(|(_, violation)| violation.clone())
            .collect()
    }
}

impl World {
    /// From now on it is kept when the sites of a name hold, the first 65,536 times; `false`: this
    /// binary has no such site.
    pub fn watch_probe(&self, name: &str) -> bool {
        self.probes.watch(name)
    }

    /// When the sites of a name held since they are watched; `None`: they are not.
    pub fn probe_times(&self, name: &str) -> Option<Vec<SimInstant>> {
        let watched = self.probes.watched.borrow();
        let found = watched.iter().find(|(watched, _)| *watched == name);
        found.map(|(_, times)| times.clone())
    }
}

/// Tells these events from others.
const VIOLATED: u64 = 0x7669_6f6c;
const FIRED: u64 = 0x6275_6767;

fn place(site: &Site) -> String {
    format!("{}:{}", site.file, site.line)
}

/// How the sides of a comparison relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Relation {
    /// How far the sides are from the other verdict: negative when the relation does not hold.
    const fn margin(self, left: i128, right: i128) -> i128 {
        match self {
            Self::Lt => right.saturating_sub(left).saturating_sub(1),
            Self::Le => right.saturating_sub(left),
            Self::Gt => left.saturating_sub(right).saturating_sub(1),
            Self::Ge => left.saturating_sub(right),
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

/// What `always!` comes to.
pub fn always(site: &'static Site, holds: bool, message: impl FnOnce() -> String) {
    world::try_with(|world| {
        world.probes.count(site, holds, world.now());
        if !holds {
            world.probes.violate(world, site, message());
        }
    });
}

/// What `sometimes!` comes to.
pub fn sometimes(site: &'static Site, holds: bool) {
    world::try_with(|world| world.probes.count(site, holds, world.now()));
}

/// What `reachable!` and `unreachable!` come to.
pub fn reach(site: &'static Site, message: impl FnOnce() -> String) {
    world::try_with(|world| {
        world.probes.count(site, true, world.now());
        if site.kind == SiteKind::Unreachable {
            world.probes.violate(world, site, message());
        }
    });
}

/// What the numeric forms come to.
pub fn compare(site: &'static Site, left: i128, relation: Relation, right: i128) {
    world::try_with(|world| {
        let margin = relation.margin(left, right);
        world.probes.count(site, margin >= 0, world.now());
        // Of `sometimes`, the nearest to holding is the largest.
        let is_always = site.kind == SiteKind::Always;
        world
            .probes
            .note(site, if is_always { margin } else { -margin });
        if is_always && margin < 0 {
            let sign = relation.sign();
            let message = format!("{left} {sign} {right} does not hold");
            world.probes.violate(world, site, message);
        }
    });
}

/// What `buggify!` comes to.
pub fn buggify(site: &'static Site, odds: (u64, u64)) -> bool {
    let fired = world::try_with(|world| {
        let fires = world.probes.fires(site, odds);
        world.probes.count(site, fires, world.now());
        if fires {
            world.event(EventKind::User, FIRED, hash(site.name.as_bytes()));
        }
        fires
    });
    fired.unwrap_or(false)
}

/// What `knob!` comes to: one of `choices` numbers, the same all through a seed; `None` outside a
/// simulation, or when knobs stay as they are.
pub fn knob(site: &'static Site, choices: u64) -> Option<u64> {
    world::try_with(|world| {
        if !world.probes.buggify || choices == 0 {
            return None;
        }
        let drawn = world.stream("knob", site.name).below(choices);
        world.probes.count(site, true, world.now());
        world.probes.counts.borrow_mut()[site.index()].number = Some(i128::from(drawn));
        Some(drawn)
    })?
}

/// An integer that a knob can be.
pub trait KnobInteger: Copy {
    /// The distance from `self` up to `high`.
    fn up_to(self, high: Self) -> u64;
    /// `self` and `steps` more.
    fn plus(self, steps: u64) -> Self;
}

macro_rules! knob_integers {
    ($($integer:ty),*) => {$(
        impl KnobInteger for $integer {
            fn up_to(self, high: Self) -> u64 {
                u64::try_from(high as i128 - self as i128).unwrap_or(0)
            }

            fn plus(self, steps: u64) -> Self {
                (self as i128 + i128::from(steps)) as Self
            }
        }
    )*};
}

knob_integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

/// What `knob!` comes to for a range.
pub fn knob_in<T: KnobInteger>(site: &'static Site, default: T, range: RangeInclusive<T>) -> T {
    let low = *range.start();
    let choices = low.up_to(*range.end()).saturating_add(1);
    knob(site, choices).map_or(default, |drawn| low.plus(drawn))
}

#[cfg(test)]
mod tests {
    use super::Relation::{Ge, Gt, Le, Lt};

    #[test]
    fn the_margin_is_what_is_left_until_the_other_verdict() {
        assert_eq!(
            (Le.margin(3, 5), Le.margin(5, 5), Le.margin(6, 5)),
            (2, 0, -1)
        );
        assert_eq!((Lt.margin(4, 5), Lt.margin(5, 5)), (0, -1));
        assert_eq!((Ge.margin(5, 3), Ge.margin(2, 3)), (2, -1));
        assert_eq!((Gt.margin(4, 3), Gt.margin(3, 3)), (0, -1));
    }
}
