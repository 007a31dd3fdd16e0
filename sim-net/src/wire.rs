//! Where packets on the wire are kept, by the numbers that their events carry.

use std::mem;
use std::ops::{Index, IndexMut};

use sim_runtime::SimInstant;

use crate::packet::{Hand, InFlight, Packet};

/// Packets by place. A place that is free keeps a packet without contents, or one whose contents
/// are plain numbers: putting one in and taking it out moves no more than the packet itself.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    places: Vec<Place>,
    /// The free ones; the last is the next to be taken.
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place {
    is_taken: bool,
    flying: InFlight,
}

/// What is left where a packet was.
const fn nothing() -> InFlight {
    InFlight {
        link: 0,
        sent: SimInstant(0),
        order: 0,
        word: 0,
        packet: Packet::Syn { conn: 0 },
        judged: false,
        hand: Hand::Off,
        detained: false,
    }
}

impl Wire {
    /// Puts a packet on the wire; gives back its place.
    #[inline]
    pub(crate) fn insert(&mut self, flying: InFlight) -> usize {
        let Some(place) = self.free.pop() else {
            self.places.push(Place {
                is_taken: true,
                flying,
            });
            return self.places.len() - 1;
        };
        let place = place as usize;
        self.places[place] = Place {
            is_taken: true,
            flying,
        };
        place
    }

    /// Takes a packet off the wire.
    pub(crate) fn remove(&mut self, place: usize) -> InFlight {
        let taken = mem::replace(&mut self[place], nothing());
        self.release(place);
        taken
    }

    /// Frees the place of a packet that nothing is left to be done with, where it stands.
    #[inline]
    pub(crate) fn release(&mut self, place: usize) {
        self.places[place].is_taken = false;
        self.free.push(place as u32);
    }

    /// Each packet with its place, in order of places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &InFlight)> {
        let taken = self.places.iter().enumerate();
        let taken = taken.filter(|(_, place)| place.is_taken);
        taken.map(|(number, place)| (number, &place.flying))
    }

    /// As [`Wire::iter`], to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut InFlight)> {
        let taken = self.places.iter_mut().enumerate();
        let taken = taken.filter(|(_, place)| place.is_taken);
        taken.map(|(number, place)| (number, &mut place.flying))
    }
}

impl Index<usize> for Wire {
    type Output = InFlight;

    #[inline]
    fn index(&self, place: usize) -> &InFlight {
        let found = &self.places[place];
        debug_assert!(found.is_taken, "nothing is on the wire there");
        &found.flying
    }
}

impl IndexMut<usize> for Wire {
    fn index_mut(&mut self, place: usize) -> &mut InFlight {
        let found = &mut self.places[place];
        debug_assert!(found.is_taken, "nothing is on the wire there");
        &mut found.flying
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(order: u64) -> InFlight {
        InFlight { order, ..nothing() }
    }

    #[test]
    fn places_are_taken_again_the_last_that_was_freed_first() {
        let mut wire = Wire::default();
        let places: Vec<usize> = (0..4).map(|order| wire.insert(numbered(order))).collect();
        assert_eq!(places, [0, 1, 2, 3]);
        assert_eq!(wire.remove(1).order, 1);
        wire.release(3);
        assert_eq!(wire.insert(numbered(7)), 3);
        assert_eq!(wire.insert(numbered(8)), 1);
        wire.remove(0);
        let there: Vec<(usize, u64)> = wire.iter().map(|(at, it)| (at, it.order)).collect();
        assert_eq!(there, [(1, 8), (2, 2), (3, 7)]);
        wire[2].order = 9;
        assert_eq!(wire[2].order, 9);
        assert_eq!(wire.iter_mut().count(), 3);
    }
}
