//! Operations by an instant, of which the first that is left is asked for.

/// Operations in the order of an instant, of which some are linearized.
#[derive(Default)]
pub(super) struct Line {
    instants: Vec<u64>,
    done: Vec<bool>,
    /// All before it are linearized.
    first: usize,
}

impl Line {
    /// Of instants in order.
    pub(super) fn of(instants: Vec<u64>) -> Self {
        let done = vec![false; instants.len()];
        Self {
            instants,
            done,
            first: 0,
        }
    }

    /// Adds the last one, and gives its place.
    pub(super) fn push(&mut self, instant: u64) -> u32 {
        self.instants.push(instant);
        self.done.push(false);
        self.done.len() as u32 - 1
    }

    /// The first instant of those not linearized, but for one place.
    pub(super) fn next(&self, but: Option<u32>) -> Option<u64> {
        let mut places = self.first..self.instants.len();
        let next = places.find(|place| !self.done[*place] && Some(*place as u32) != but);
        next.map(|place| self.instants[place])
    }

    /// Linearizes the one at a place.
    pub(super) fn put(&mut self, place: u32) {
        self.done[place as usize] = true;
        while self.done.get(self.first) == Some(&true) {
            self.first += 1;
        }
    }

    /// Takes that back.
    pub(super) fn take(&mut self, place: u32) {
        self.done[place as usize] = false;
        self.first = self.first.min(place as usize);
    }
}
