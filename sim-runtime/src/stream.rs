//! Keyed randomness: every draw is addressed by (root seed, purpose, entity, ordinal).
//!
//! A [`Stream`] is ChaCha8 with its key from the root seed and its stream number from a stable
//! hash of (purpose, entity). Two streams never share a draw, so removing a fault, an operation
//! or a node leaves every other draw as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::ids::{FaultId, NodeId, Seed};

/// What a stream's draws are about, within their purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entity(u64);

impl From<u64> for Entity {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl From<NodeId> for Entity {
    fn from(node: NodeId) -> Self {
        Self(u64::from(node.0))
    }
}

impl From<FaultId> for Entity {
    fn from(fault: FaultId) -> Self {
        Self(u64::from(fault.0))
    }
}

impl From<(u64, u64)> for Entity {
    fn from((a, b): (u64, u64)) -> Self {
        Self(mix(a ^ mix(b)))
    }
}

impl From<(NodeId, NodeId)> for Entity {
    fn from((from, to): (NodeId, NodeId)) -> Self {
        Self((u64::from(from.0) << 32) | u64::from(to.0))
    }
}

impl From<&str> for Entity {
    fn from(name: &str) -> Self {
        Self(hash(name.as_bytes()))
    }
}

/// FNV-1a: stable for ever, good enough to tell names apart.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A bijection of 64 bits in which every input bit moves about half of the output's.
const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Spreads a word over all bits, the upper ones best: for draws that are too many and too small for
/// a stream. Cheaper than [`mix`], and not as good.
#[inline]
pub(crate) const fn spread(word: u64) -> u64 {
    let mixed = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// How many words of 32 bits are taken from the generator at a time.
const WORDS: usize = 16;

/// A sequence of draws for one (purpose, entity). About 3 ns a draw.
#[derive(Clone, Debug)]
pub struct Stream {
    rng: ChaCha8Rng,
    /// What was taken and is not drawn yet, from `at` on: a draw is not to save the registers that
    /// the generator needs.
    words: [u32; WORDS],
    at: usize,
    /// What the world's streams are mixed with from some moment on, and what this one was last.
    salt: Option<(Arc<AtomicU64>, u64)>,
}

/// The root of a world's streams. Its salt is 0 until the world is reseeded; from then on every
/// stream goes on as if its root were another, and those not yet made begin so.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    seed: Seed,
    salt: Arc<AtomicU64>,
}

impl Root {
    pub(crate) fn new(seed: Seed) -> Self {
        let salt = Arc::new(AtomicU64::new(0));
        Self { seed, salt }
    }

    pub(crate) const fn seed(&self) -> Seed {
        self.seed
    }

    /// The seed as it is by now: for draws that are too small for a stream.
    #[inline]
    pub(crate) fn key(&self) -> u64 {
        self.seed.0 ^ self.salt.load(Ordering::Relaxed)
    }

    pub(crate) fn stream(&self, purpose: &str, entity: impl Into<Entity>) -> Stream {
        let mut stream = Stream::of(self.seed, purpose, entity);
        stream.salt = Some((Arc::clone(&self.salt), 0));
        stream
    }

    /// From now on every draw is another: those of this root under `seed`.
    pub(crate) fn reseed(&self, seed: Seed) {
        // An odd number is not 0, and 0 is no salt.
        self.salt
            .store(mix(seed.0 ^ 0x7265_7365_6564) | 1, Ordering::Relaxed);
    }
}

impl Stream {
    /// The stream of `purpose` and `entity` under `root`.
    ///
    /// ```
    /// use sim_runtime::{Seed, Stream};
    /// let mut latency = Stream::of(Seed(7), "net.latency", 3);
    /// let mut again = Stream::of(Seed(7), "net.latency", 3);
    /// assert_eq!(latency.next_u64(), again.next_u64());
    /// ```
    #[must_use]
    pub fn of(root: Seed, purpose: &str, entity: impl Into<Entity>) -> Self {
        let entity = entity.into().0;
        let stream = mix(hash(purpose.as_bytes()) ^ mix(entity.wrapping_add(1)));
        Self {
            rng: keyed(root.0, stream),
            words: [0; WORDS],
            at: WORDS,
            salt: None,
        }
    }

    /// 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.settle();
        match self.words.get(self.at..) {
            Some([low, high, ..]) => {
                let word = u64::from(*high) << 32 | u64::from(*low);
                self.at += 2;
                word
            }
            _ => self.next_u64_across(),
        }
    }

    /// [`Stream::next_u64`] where not both halves are at hand.
    #[cold]
    #[inline(never)]
    fn next_u64_across(&mut self) -> u64 {
        let low = u64::from(self.next_word());
        u64::from(self.next_word()) << 32 | low
    }

    fn next_word(&mut self) -> u32 {
        if self.at >= WORDS {
            let mut bytes = [0; 4 * WORDS];
            self.rng.fill_bytes(&mut bytes);
            for (word, bytes) in self.words.iter_mut().zip(bytes.as_chunks().0) {
                *word = u32::from_le_bytes(*bytes);
            }
            self.at = 0;
        }
        let word = self.words[self.at];
        self.at += 1;
        word
    }

    #[inline]
    fn settle(&mut self) {
        if let Some((salt, seen)) = &self.salt
            && salt.load(Ordering::Relaxed) != *seen
        {
            self.take_salt();
        }
    }

    /// Goes on under the world's present salt.
    #[cold]
    #[inline(never)]
    fn take_salt(&mut self) {
        // The old place is mixed in, so that streams of one name and two worlds stay apart.
        let place = self.next_u64_across();
        if let Some((salt, seen)) = &mut self.salt {
            *seen = salt.load(Ordering::Relaxed);
            self.rng = keyed(place ^ *seen, self.rng.get_stream());
            self.at = WORDS;
        }
    }

    /// Uniform in `0..n`, without bias (Lemire's multiply and reject).
    ///
    /// # Panics
    /// When `n` is 0: there is nothing to draw from.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "a draw from an empty range");
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if low(product) < n {
            let threshold = n.wrapping_neg() % n;
            while low(product) < threshold {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        high(product)
    }

    /// Uniform in `low..=high`.
    ///
    /// # Panics
    /// When `low > high`.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "a draw from an empty range");
        match (high - low).checked_add(1) {
            Some(n) => low + self.below(n),
            None => self.next_u64(),
        }
    }

    /// True `numerator` times in `denominator`.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// Fills `buf` with random bytes; whole blocks come from the generator as they are.
    pub fn fill(&mut self, buf: &mut [u8]) {
        self.settle();
        let (words, tail) = buf.as_chunks_mut();
        let at_hand = words.len().min(WORDS - self.at);
        let (first, rest) = words.split_at_mut(at_hand);
        for (into, word) in first.iter_mut().zip(&self.words[self.at..]) {
            *into = word.to_le_bytes();
        }
        self.at += at_hand;
        let (blocks, rest) = rest.split_at_mut(rest.len() / WORDS * WORDS);
        self.rng.fill_bytes(blocks.as_flattened_mut());
        for into in rest {
            *into = self.next_word().to_le_bytes();
        }
        if !tail.is_empty() {
            let word = self.next_word().to_le_bytes();
            tail.copy_from_slice(&word[..tail.len()]);
        }
    }

    /// A duration between `low` and `high`, both included, to the nanosecond.
    pub fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.range(nanos(low), nanos(high)))
    }

    /// Puts `items` in a random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    /// One of `items`.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Uniform in `0..len`.
    #[inline]
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("an index is smaller than a length")
    }
}

/// ChaCha8 under a key of the house and `root`.
fn keyed(root: u64, stream: u64) -> ChaCha8Rng {
    let mut key = *b"landfall keyed stream v1........";
    key[24..].copy_from_slice(&root.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(stream);
    rng
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
const fn low(product: u128) -> u64 {
    product as u64
}

const fn high(product: u128) -> u64 {
    (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(purpose: &str, entity: u64) -> u64 {
        Stream::of(Seed(1), purpose, entity).next_u64()
    }

    #[test]
    fn purpose_entity_and_seed_each_change_the_stream() {
        let base = first("net.latency", 1);
        assert_ne!(base, first("net.loss", 1));
        assert_ne!(base, first("net.latency", 2));
        assert_ne!(base, Stream::of(Seed(2), "net.latency", 1).next_u64());
        assert_eq!(base, first("net.latency", 1));
    }

    #[test]
    fn draws_are_the_same_for_ever() {
        // A change here breaks every stored seed: it must be a decision, written in the CHANGELOG.
        assert_eq!(first("sched", 1), PINNED, "keyed draws changed");
    }

    #[test]
    fn draws_are_the_generator_s_own_however_they_are_taken() {
        let mut stream = Stream::of(Seed(9), "test", 5);
        let mut plain = stream.rng.clone();
        for round in 0..2_000_usize {
            if round.is_multiple_of(3) {
                let mut ours = vec![0; round * 7 % 150];
                let mut theirs = ours.clone();
                stream.fill(&mut ours);
                plain.fill_bytes(&mut theirs);
                assert_eq!(ours, theirs, "round {round}");
            } else {
                assert_eq!(stream.next_u64(), plain.next_u64(), "round {round}");
            }
        }
    }

    const PINNED: u64 = 6_367_084_486_004_321_138;

    #[test]
    fn below_reaches_every_value_and_no_other() {
        let mut stream = Stream::of(Seed(3), "test", 0);
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[usize::try_from(stream.below(7)).unwrap()] += 1;
        }
        assert!(
            seen.iter().all(|count| (800..1_200).contains(count)),
            "{seen:?}"
        );
    }

    #[test]
    fn shuffle_keeps_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Stream::of(Seed(4), "test", 0).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
