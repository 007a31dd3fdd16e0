//! Weather by seed: what a swarm of runs meets on networks that no plan disturbs.

use std::time::Duration;

use sim_runtime::{Seed, Stream};

use crate::config::{Chance, Latency, NetConfig};

/// An ordinary packet between two nodes that are far from each other takes no longer: clients that
/// give up after seconds are answered, and a run tells something.
const FARTHEST_NS: u64 = 1_000_000_000;

impl NetConfig {
    /// No weather: every packet takes half a millisecond, every read and write moves all it can,
    /// and nothing is drawn.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            latency: Latency::constant(Duration::from_micros(500)),
            partial_io: Chance::NEVER,
            ..Self::default()
        }
    }

    /// Weather that the seed draws, each quantity by orders of magnitude: from one rack to another
    /// continent, from no loss to one packet of a hundred, with pairs of nodes that are far from
    /// each other, narrow links, small buffers and short reads. Time-outs stay those of Linux.
    #[must_use]
    pub fn drawn(seed: Seed) -> Self {
        let mut draw = Stream::of(seed, "net.weather", 0);
        let mut config = Self::default();
        let min_ns = 20_000 << draw.range(0, 10);
        let of = [50, 100, 1_000][draw.below(3) as usize];
        config.latency = Latency {
            min_ns,
            max_ns: min_ns * draw.range(1, 8),
            mean_ns: 0,
            tail: Chance { num: 1, den: of },
            tail_min: 2,
            tail_max: 2 << draw.range(0, 5),
        };
        if draw.chance(1, 2) {
            let den = 10_u32.pow(draw.range(2, 5) as u32);
            config.loss = Chance { num: 1, den };
        }
        if draw.chance(1, 2) {
            config.far_pair = Chance { num: 1, den: 8 };
            config.far_factor = 2 << draw.range(0, 4);
        }
        if draw.chance(1, 4) {
            config.bandwidth = Some(1_000_000 << draw.range(0, 10));
        }
        let buffer = |draw: &mut Stream| 4_096 << draw.range(0, 8);
        config.send_buffer = buffer(&mut draw);
        config.receive_buffer = buffer(&mut draw);
        config.partial_io = [
            Chance::NEVER,
            Chance { num: 1, den: 16 },
            Chance { num: 1, den: 2 },
        ][draw.below(3) as usize];
        if draw.chance(1, 4) {
            config.latency.mean_ns = min_ns * draw.range(1, 8);
        }
        if draw.chance(1, 8) {
            config.path_capacity = Some(4 << draw.range(0, 6));
        }
        let ordinary = config.latency.max_ns.max(config.latency.mean_ns);
        let farthest = u32::try_from(FARTHEST_NS / ordinary).unwrap_or(u32::MAX);
        config.far_factor = config.far_factor.min(farthest).max(1);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_by_orders_of_magnitude() {
        let drawn: Vec<NetConfig> = (0..500).map(|seed| NetConfig::drawn(Seed(seed))).collect();
        let least = drawn.iter().map(|config| config.latency.min_ns).min();
        let most = drawn.iter().map(|config| config.latency.min_ns).max();
        assert_eq!((least, most), (Some(20_000), Some(20_480_000)));
        let far = drawn.iter().map(|config| {
            let latency = config.latency;
            latency.max_ns.max(latency.mean_ns) * u64::from(config.far_factor)
        });
        assert!((500_000_000..=1_000_000_000).contains(&far.max().unwrap()));
        let lossy = drawn.iter().filter(|config| config.loss != Chance::NEVER);
        assert!((150..350).contains(&lossy.count()));
        let narrow = drawn.iter().filter(|config| config.bandwidth.is_some());
        assert!((50..200).contains(&narrow.count()));
        assert_eq!(NetConfig::drawn(Seed(7)), NetConfig::drawn(Seed(7)));
    }
}
