//! The replicated log in memory. Indexes start at 1; index 0 stands before the first entry.

use crate::message::{Command, Entry};

/// Entries 1 to `last_index`, without gaps.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Vec<Entry>,
}

impl Log {
    /// `entries` must be numbered from 1 without gaps.
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        debug_assert!(
            entries
                .iter()
                .zip(1..)
                .all(|(entry, index)| entry.index == index)
        );
        Self { entries }
    }

    pub(crate) fn last_index(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn last_term(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.term)
    }

    pub(crate) fn get(&self, index: u64) -> Option<&Entry> {
        self.entries
            .get(usize::try_from(index.checked_sub(1)?).ok()?)
    }

    /// The term of the entry at `index`; 0 at index 0, none past the end.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        if index == 0 {
            Some(0)
        } else {
            self.get(index).map(|entry| entry.term)
        }
    }

    /// The first of the run of entries around `index` that share its term.
    pub(crate) fn first_of_term(&self, index: u64) -> u64 {
        let term = self.term_at(index);
        let mut first = index;
        while first > 1 && self.term_at(first - 1) == term {
            first -= 1;
        }
        first
    }

    pub(crate) fn push(&mut self, term: u64, command: Command) -> u64 {
        let index = self.last_index() + 1;
        self.entries.push(Entry {
            index,
            term,
            command,
        });
        index
    }

    /// Drops every entry after `last`.
    pub(crate) fn truncate_after(&mut self, last: u64) {
        self.entries.truncate(last as usize);
    }

    /// Every entry after `index`.
    pub(crate) fn after(&self, index: u64) -> &[Entry] {
        &self.entries[(index as usize).min(self.entries.len())..]
    }

    /// The entries after `index` that fit one message: at least one, if there is one.
    pub(crate) fn batch_after(&self, index: u64, count_max: usize, bytes_max: usize) -> Vec<Entry> {
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            let first = bytes == 0;
            bytes += 32 + entry.size();
            first || bytes <= bytes_max
        };
        self.after(index)
            .iter()
            .take(count_max)
            .take_while(fits)
            .cloned()
            .collect()
    }
}

impl Entry {
    fn size(&self) -> usize {
        match &self.command {
            Command::Noop => 0,
            Command::Apply(request) => request.op.size(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ClientRequest, Op};

    fn put(bytes: usize) -> Command {
        let op = Op::Put {
            key: String::new(),
            value: "v".repeat(bytes),
        };
        Command::Apply(ClientRequest {
            client: 1,
            seq: 1,
            op,
        })
    }

    #[test]
    fn terms_and_truncation() {
        let mut log = Log::default();
        for term in [1, 1, 2, 2, 2, 5] {
            log.push(term, Command::Noop);
        }
        assert_eq!((log.last_index(), log.last_term()), (6, 5));
        assert_eq!(
            (log.term_at(0), log.term_at(3), log.term_at(7)),
            (Some(0), Some(2), None)
        );
        assert_eq!(
            (
                log.first_of_term(5),
                log.first_of_term(2),
                log.first_of_term(6)
            ),
            (3, 1, 6)
        );
        log.truncate_after(2);
        assert_eq!(
            (log.last_index(), log.last_term(), log.after(1).len()),
            (2, 1, 1)
        );
    }

    #[test]
    fn a_batch_is_bounded_but_never_empty() {
        let mut log = Log::default();
        for bytes in [5000, 10, 10, 10] {
            log.push(1, put(bytes));
        }
        assert_eq!(log.batch_after(0, 64, 1000).len(), 1);
        assert_eq!(log.batch_after(1, 64, 1000).len(), 3);
        assert_eq!(log.batch_after(1, 2, 1000).len(), 2);
        assert_eq!(log.batch_after(4, 64, 1000).len(), 0);
    }
}
