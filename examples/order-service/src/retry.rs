//! Exponential backoff with full jitter.

use std::time::Duration;

/// How long to wait before the next attempt.
#[derive(Debug)]
pub struct Backoff {
    longest: Duration,
    limit: Duration,
}

impl Backoff {
    /// Waits at most `first`, then at most twice as long, up to `limit`.
    pub fn new(first: Duration, limit: Duration) -> Self {
        Self {
            longest: first,
            limit,
        }
    }

    /// Any time up to the longest, so that those who failed together do not return together.
    pub fn next(&mut self) -> Duration {
        let longest = self.longest;
        self.longest = (longest * 2).min(self.limit);
        rand::random_range(Duration::ZERO..=longest)
    }

    /// Waits for [`Backoff::next`].
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next()).await;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(20), Duration::from_millis(500))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_limit() {
        let (first, limit) = (Duration::from_millis(10), Duration::from_millis(70));
        let mut backoff = Backoff::new(first, limit);
        for longest in [10, 20, 40, 70, 70] {
            assert_eq!(backoff.longest, Duration::from_millis(longest));
            assert!(backoff.next() <= Duration::from_millis(longest));
        }
    }
}
