//! What the weather is like and how large the buffers are: data only, fixed for a simulation.

use std::time::Duration;

/// A probability as an integer ratio; `num` of `den` draws succeed. `num == 0` never draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance {
    /// How many draws of `den` succeed.
    pub num: u32,
    /// Out of how many.
    pub den: u32,
}

impl Chance {
    /// Never happens, and never draws.
    pub const NEVER: Self = Self { num: 0, den: 1 };

    /// Is the drawn word `roll` a success? The bias of the remainder is below `den / 2^32`.
    pub(crate) fn hit(self, roll: u32) -> bool {
        self.num > 0 && roll % self.den.max(1) < self.num
    }

    /// Is a drawn word of 16 bits a success? To a part of 65,536, and never less than one.
    #[inline]
    pub(crate) fn hit_by(self, roll: u16) -> bool {
        u64::from(roll) * u64::from(self.den.max(1)) < u64::from(self.num) << 16
    }
}

/// One-way latency of a packet: uniform between two bounds, or exponential above a least, with a
/// heavy tail or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Least one-way latency in nanoseconds.
    pub min_ns: u64,
    /// Greatest one-way latency in nanoseconds, but for what follows.
    pub max_ns: u64,
    /// Mean in nanoseconds of what comes on top, exponentially distributed; 0 for nothing.
    pub mean_ns: u64,
    /// How often a packet falls into the tail.
    pub tail: Chance,
    /// A packet in the tail takes `tail_min..=tail_max` times its latency.
    pub tail_min: u32,
    /// See `tail_min`.
    pub tail_max: u32,
}

impl Latency {
    /// Every packet takes exactly `latency`.
    pub fn constant(latency: Duration) -> Self {
        let ns = nanos(latency);
        Self {
            min_ns: ns,
            max_ns: ns,
            mean_ns: 0,
            tail: Chance::NEVER,
            tail_min: 1,
            tail_max: 1,
        }
    }

    /// Every packet takes `least`, and an exponentially distributed time of a `mean` more.
    pub fn exponential(least: Duration, mean: Duration) -> Self {
        Self {
            mean_ns: nanos(mean),
            ..Self::constant(least)
        }
    }

    /// The latency in nanoseconds that one drawn word stands for.
    #[inline(always)]
    pub(crate) fn of(&self, word: u64) -> u64 {
        let roll = (word >> 32) as u32;
        let width = self.max_ns.saturating_sub(self.min_ns) + 1;
        let mut base = self.min_ns + scale(word as u32, width);
        if self.mean_ns > 0 {
            base = base.saturating_add(exponential(word as u32, self.mean_ns));
        }
        if !self.tail.hit(roll) {
            return base;
        }
        let span = u64::from(self.tail_max.saturating_sub(self.tail_min)) + 1;
        let factor = u64::from(self.tail_min) + scale(roll.rotate_left(16), span);
        base.saturating_mul(factor)
    }

    /// Is every packet's latency the same, so that nothing needs to be drawn?
    pub(crate) fn is_constant(&self) -> bool {
        self.max_ns <= self.min_ns && self.mean_ns == 0 && self.tail.num == 0
    }
}

/// `part / 2^32` of `span`, rounded down: a number in `[0, span)`.
pub(crate) fn scale(part: u32, span: u64) -> u64 {
    ((u128::from(part) * u128::from(span)) >> 32) as u64
}

/// An exponentially distributed number of this mean, by a drawn word: `-ln(part / 2^32)` times it,
/// to one in a hundred. In whole numbers, because what is decided must not hang on how a machine
/// rounds.
fn exponential(part: u32, mean: u64) -> u64 {
    const LN_2: u64 = 45_426; // Of 2^16.
    let zeros = part.leading_zeros().min(31);
    // The fraction behind the leading one, and by it the binary logarithm of 1 to 2.
    let fraction = u64::from((part << zeros) & 0x7fff_ffff) >> 15;
    let bend = (22_512 * fraction * (0x1_0000 - fraction)) >> 32;
    let halvings = (u64::from(zeros + 1) << 16) - fraction - bend;
    ((u128::from(mean) * u128::from(halvings * LN_2)) >> 32) as u64
}

/// Nanoseconds of a duration, saturating.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Everything that can be set about a simulated network. Sizes are bytes, times are virtual.
///
/// The time-outs follow Linux (`tcp(7)`, `ip-sysctl`): `tcp_syn_retries = 6`,
/// `tcp_synack_retries = 5`, `tcp_retries2 = 15`, `TCP_RTO_MIN` 200 ms, `TCP_RTO_MAX` 120 s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetConfig {
    /// One-way latency between two nodes.
    pub latency: Latency,
    /// Chance that two nodes are far from each other for good, drawn when the first packet goes
    /// between them.
    pub far_pair: Chance,
    /// How many times longer packets take between two such nodes.
    pub far_factor: u32,
    /// Bytes a second, headers of 40 bytes a packet included, that each direction between two
    /// nodes lets through; `None` for any number.
    pub bandwidth: Option<u64>,
    /// How many datagrams may be under way at a time from one node to another; where there is one
    /// more, any of them is lost, by chance. `None` for any number.
    pub path_capacity: Option<u32>,
    /// One-way latency within a node (127.0.0.1 and its own address).
    pub loopback: Duration,
    /// Chance that a packet between two nodes is lost though no fault is armed. Pure
    /// acknowledgements are exempt: they are cumulative.
    pub loss: Chance,
    /// Bytes a socket takes from its writer that the peer has not acknowledged.
    pub send_buffer: usize,
    /// Bytes a socket holds that its reader has not read; the advertised window.
    pub receive_buffer: usize,
    /// Bytes of datagrams a UDP socket holds; what comes on top is lost.
    pub datagram_buffer: usize,
    /// The largest segment put on the wire at once (as with segmentation offload).
    pub segment_max: usize,
    /// Wait after the first SYN; doubles with each retry.
    pub syn_timeout: Duration,
    /// SYN retries before `connect` fails: 6 retries after 1, 3, 7, 15, 31, 63 s, `ETIMEDOUT` at
    /// 127 s.
    pub syn_retries: u32,
    /// SYN-ACK retries before the listener forgets a half-made connection.
    pub synack_retries: u32,
    /// Least retransmission time-out; doubles with each retry.
    pub rto_min: Duration,
    /// Greatest retransmission time-out.
    pub rto_max: Duration,
    /// Retransmissions before a connection fails with `ETIMEDOUT`: 15 give about 924 s.
    pub retries: u32,
    /// How long the port of a connection that this side closed first is taken for who binds to it
    /// without `SO_REUSEADDR`: `TCP_TIMEWAIT_LEN`, 60 s.
    pub time_wait: Duration,
    /// The most connections a listener keeps for `accept`, whatever it asks for (`somaxconn`).
    pub backlog_max: u32,
    /// Chance that a read or write moves fewer bytes than it could (at least one): to a part of
    /// 65,536, and never less than one unless it is none.
    pub partial_io: Chance,
}

impl Default for NetConfig {
    fn default() -> Self {
        Self {
            latency: Latency {
                min_ns: 250_000,
                max_ns: 1_500_000,
                mean_ns: 0,
                tail: Chance { num: 1, den: 100 },
                tail_min: 2,
                tail_max: 20,
            },
            far_pair: Chance::NEVER,
            far_factor: 1,
            bandwidth: None,
            path_capacity: None,
            loopback: Duration::from_micros(10),
            loss: Chance::NEVER,
            send_buffer: 128 * 1024,
            receive_buffer: 128 * 1024,
            datagram_buffer: 208 * 1024,
            segment_max: 64 * 1024,
            syn_timeout: Duration::from_secs(1),
            syn_retries: 6,
            synack_retries: 5,
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(120),
            retries: 15,
            time_wait: Duration::from_secs(60),
            backlog_max: 4096,
            partial_io: Chance { num: 1, den: 16 },
        }
    }
}

/// The backlog `std` and tokio ask for when the guest names none.
pub const BACKLOG: u32 = 1024;

/// A wait that doubles: `base * 2^tries`, at most `most`.
pub(crate) fn back_off(base: Duration, tries: u32, most: Duration) -> Duration {
    base.checked_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX))
        .unwrap_or(most)
        .min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_stays_within_its_bounds() {
        let latency = NetConfig::default().latency;
        for word in (0..2_000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
            let ns = latency.of(word);
            assert!(ns >= latency.min_ns);
            assert!(ns <= latency.max_ns * u64::from(latency.tail_max));
        }
        assert_eq!(
            Latency::constant(Duration::from_millis(3)).of(u64::MAX),
            3_000_000
        );
    }

    #[test]
    fn retransmission_gives_up_after_924_seconds() {
        let config = NetConfig::default();
        let total: Duration = (0..=config.retries)
            .map(|tries| back_off(config.rto_min, tries, config.rto_max))
            .sum();
        assert_eq!(total, Duration::from_millis(924_600));
        let syn: Duration = (0..=config.syn_retries)
            .map(|tries| back_off(config.syn_timeout, tries, Duration::MAX))
            .sum();
        assert_eq!(syn, Duration::from_secs(127));
    }
}
