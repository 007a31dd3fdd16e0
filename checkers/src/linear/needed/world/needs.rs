//! What has to be spare for what happens, counted: a class of a member that follows one that is
//! open is that of the others that do the same.

use std::ops::RangeInclusive;

use super::{BOUND, NEVER, Point, World, points};
use crate::linear::machine::Machine;

/// How many of each class, by class in order.
pub(in crate::linear::needed) type Needs = Vec<(u32, u32)>;

impl<M: Machine> World<'_, '_, M> {
    /// What has to be spare at a point that is followed by one from which on `needs` have to be.
    pub(in crate::linear::needed) fn needs(
        &mut self,
        point: Point,
        at: u32,
        next: (u32, Point),
        needs: Needs,
    ) -> Needs {
        let mut needs = self.earlier(needs, at + 1..=next.0);
        let mut all = Vec::new();
        self.following(point, at, next.0, &mut all);
        let place = all.iter().position(|one| *one == next);
        let mut head = place.map(|place| self.heads[place]);
        let count = self.partition.members.len() as u32;
        while let Some((from, last)) = head.and_then(|head| self.nodes[head as usize].from) {
            if let Some(member) = last.checked_sub(count) {
                points::add(&mut needs, self.may_do[member as usize]);
            }
            head = Some(from);
        }
        needs
    }

    /// What has to be spare before what is called right before some returns is.
    pub(in crate::linear::needed) fn earlier(
        &self,
        mut needs: Needs,
        levels: RangeInclusive<u32>,
    ) -> Needs {
        let called = levels.flat_map(|at| &self.called[at as usize]);
        for member in called.filter(|one| !self.kept[**one as usize]) {
            self.spend(&mut needs, *member);
        }
        needs
    }

    /// A class of which more is needed right before a return than is spare at a point of
    /// [`World::without`], before that.
    pub(in crate::linear::needed) fn short(
        &self,
        mut needs: Needs,
        spare: u32,
        at: u32,
    ) -> Option<u32> {
        for member in &self.called[at as usize] {
            if !self.kept[*member as usize] && self.due[*member as usize] != NEVER {
                self.spend(&mut needs, *member);
            }
        }
        for (class, count) in self.spares.get(spare) {
            let does = match class & BOUND {
                0 => *class,
                _ => self.may_do[(class & !BOUND) as usize],
            };
            (0..*count).for_each(|_| points::take(&mut needs, does));
        }
        needs.first().map(|(class, _)| *class)
    }

    /// A member of unknown outcome is there.
    fn spend(&self, needs: &mut Needs, member: u32) {
        if !self.vain[member as usize] {
            points::take(needs, self.may_do[member as usize]);
        }
    }
}
