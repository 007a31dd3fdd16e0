//! The network's part of the nemesis: what a scenario says of links, as calls of the network.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use plan_compiler::scenario::{
    Direction, FaultKind, FaultSpec, NameFault, NetEffect, Shape, Span, Target, Weather,
};
use sim_net::{Chance, Effect, Latency, NetConfig};
use sim_runtime::{FaultId, NodeId, NodeState, Seed, SimInstant, Stream, spawn, time, with};

use crate::run::RunState;

/// How long a packet that others are to overtake waits: a few times what packets take.
const OVERTAKEN_NS: (u64, u64) = (1_000_000, 50_000_000);

/// How much may wait before a narrow link: a router's small buffer.
const QUEUE_BYTES: u64 = 64 * 1_024;

/// The network that a seed runs on where no fault lies. Weather that is not drawn draws nothing.
pub(crate) fn config(seed: Seed, weather: Weather) -> NetConfig {
    match weather {
        Weather::Calm => NetConfig::calm(),
        Weather::Usual => NetConfig::default(),
        Weather::Drawn => NetConfig::drawn(seed),
    }
}

/// Lays an effect on the links of the targets.
pub(crate) fn disturb(
    run: &Rc<RunState>,
    fault: FaultId,
    spec: &FaultSpec,
    targets: &[NodeId],
    draw: &mut Stream,
) {
    let FaultKind::Network {
        effect,
        direction,
        clients_too,
    } = spec.kind
    else {
        return;
    };
    let others: Vec<NodeId> = if spec.target == Target::Idle {
        run.idle.clone()
    } else {
        let clients = run.clients.iter().filter(|_| clients_too);
        run.servers.iter().chain(clients).copied().collect()
    };
    let (out, back) = ways(direction, draw);
    let others = onto(run, spec).unwrap_or(others);
    let mut lanes = Vec::new();
    if out {
        lanes.push((targets, &others[..]));
    }
    if back {
        lanes.push((&others[..], targets));
    }
    let effect = match effect {
        NetEffect::Reset => {
            // A connection goes both ways, whichever the clause names.
            run.net.reset(fault, targets, &others);
            return;
        }
        other => drawn(other, draw),
    };
    for (from, to) in lanes {
        lay(run, fault, spec, effect, (from, to));
    }
}

/// Whom the clause names at the other end of its target's links, and no more are hit.
pub(crate) fn onto(run: &RunState, spec: &FaultSpec) -> Option<Vec<NodeId>> {
    Some(named(run, spec.frames.as_ref()?.to?))
}

/// The servers that a target names of which nothing is drawn.
pub(crate) fn named(run: &RunState, target: Target) -> Vec<NodeId> {
    let leader = run.leader();
    let all = run.servers.iter().copied().zip(1..);
    let is_meant = |(node, at): &(NodeId, u32)| match target {
        Target::Node { number } => *at == number,
        Target::Nodes { nodes } => nodes.contains(*at),
        Target::AllBut { number } => *at != number,
        Target::Leader => Some(*node) == leader,
        Target::Followers => Some(*node) != leader,
        _ => true,
    };
    all.filter(is_meant).map(|(node, _)| node).collect()
}

/// Lays an effect on links, for the frames that the clause names.
pub(crate) fn lay(
    run: &RunState,
    fault: FaultId,
    spec: &FaultSpec,
    effect: Effect,
    (from, to): (&[NodeId], &[NodeId]),
) {
    let kind = spec
        .frames
        .as_ref()
        .and_then(|frames| frames.kind.as_deref());
    match kind {
        Some(kind) => run.net.disturb_kind(fault, (effect, kind), from, to),
        None => run.net.disturb(fault, effect, from, to),
    }
}

/// Which way packets are hit, seen from the targets: outbound, inbound.
pub(crate) fn ways(direction: Direction, draw: &mut Stream) -> (bool, bool) {
    match direction {
        Direction::Both => (true, true),
        Direction::Outbound => (true, false),
        Direction::Inbound => (false, true),
        Direction::OneWay => {
            let out = draw.chance(1, 2);
            (out, !out)
        }
    }
}

/// An effect of a size that the seed draws from what the plan leaves open.
fn drawn(effect: NetEffect, draw: &mut Stream) -> Effect {
    let mut chance = |ppm: Span| Chance {
        num: u32::try_from(magnitude(draw, ppm).min(1_000_000)).expect("at most a million"),
        den: 1_000_000,
    };
    match effect {
        NetEffect::Loss { ppm } => Effect::Loss(chance(ppm)),
        NetEffect::Duplicate { ppm } => Effect::Duplicate(chance(ppm)),
        NetEffect::Corrupt { ppm } => Effect::Corrupt(chance(ppm)),
        NetEffect::Reorder { ppm } => Effect::Reorder {
            chance: chance(ppm),
            by: uniform(OVERTAKEN_NS.0, OVERTAKEN_NS.1),
        },
        NetEffect::Latency { by_ns, each: true } => Effect::Delay(uniform(by_ns.min, by_ns.max)),
        NetEffect::Latency { by_ns, each: false } => {
            Effect::delay(Duration::from_nanos(magnitude(draw, by_ns)))
        }
        NetEffect::Bandwidth { rate } => Effect::Bandwidth {
            bytes_per_second: magnitude(draw, rate).max(1),
            queue: QUEUE_BYTES,
        },
        NetEffect::Reject => Effect::Reject,
        NetEffect::Jam | NetEffect::Reset => Effect::Jam,
    }
}

fn uniform(min_ns: u64, max_ns: u64) -> Latency {
    Latency {
        min_ns,
        max_ns,
        mean_ns: 0,
        tail: Chance::NEVER,
        tail_min: 1,
        tail_max: 1,
    }
}

/// Draws a size: where the ends lie orders apart, first the order, so that small ones come as
/// often as large ones.
pub(crate) fn magnitude(draw: &mut Stream, span: Span) -> u64 {
    let (min, max) = (span.min.max(1), span.max.max(1));
    if min >= max {
        return span.min;
    }
    let doublings = (max / min).ilog2();
    if doublings < 3 {
        return draw.range(min, max);
    }
    let low = min << draw.range(0, u64::from(doublings));
    draw.range(low, low.saturating_mul(2).min(max).max(low))
}

/// Takes a cluster apart, until `until` at the latest.
pub(crate) fn split(
    run: &Rc<RunState>,
    fault: FaultId,
    (shape, one_way, until): (Shape, bool, SimInstant),
    draw: &mut Stream,
) {
    let mut nodes = run.servers.clone();
    draw.shuffle(&mut nodes);
    if shape == Shape::Swizzle {
        let count = draw.range(1, nodes.len() as u64) as usize;
        nodes.truncate(count);
        let mut back = nodes.clone();
        draw.shuffle(&mut back);
        swizzle(Rc::clone(run), fault, (nodes, back), until);
        return;
    }
    for (one, other) in apart(shape, &nodes, (&run.servers, &run.clients), draw) {
        let forth = !one_way || draw.chance(1, 2);
        if forth {
            run.net.cut(fault, &[one], &[other]);
        }
        if !one_way || !forth {
            run.net.cut(fault, &[other], &[one]);
        }
    }
}

/// Which pairs do not reach each other; `nodes` are the servers as they were drawn. A swizzle has
/// no such pairs: it moves.
fn apart(
    shape: Shape,
    nodes: &[NodeId],
    (servers, clients): (&[NodeId], &[NodeId]),
    draw: &mut Stream,
) -> Vec<(NodeId, NodeId)> {
    match shape {
        Shape::Halves => halves(nodes),
        Shape::Ring => ring(nodes),
        Shape::Bridge => halves(&nodes[1..]),
        Shape::Partial => {
            let mut all = pairs_of(nodes);
            draw.shuffle(&mut all);
            let most = (all.len() as u64).saturating_sub(1).max(1);
            all.truncate(draw.range(1, most) as usize);
            all
        }
        Shape::Clients => {
            let servers = servers.iter();
            servers
                .flat_map(|server| clients.iter().map(|client| (*client, *server)))
                .collect()
        }
        Shape::Swizzle => Vec::new(),
    }
}

fn pairs_of(nodes: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let each = nodes.iter().enumerate();
    each.flat_map(|(place, one)| nodes[place + 1..].iter().map(|other| (*one, *other)))
        .collect()
}

fn halves(nodes: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let (left, right) = nodes.split_at(nodes.len() / 2);
    left.iter()
        .flat_map(|one| right.iter().map(|other| (*one, *other)))
        .collect()
}

/// Every node keeps its nearest neighbours in a circle: with itself, a majority. Of three, where
/// a circle is everybody, two do not reach each other.
fn ring(nodes: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let count = nodes.len();
    if count == 3 {
        return vec![(nodes[0], nodes[1])];
    }
    let kept = count / 2;
    let reach = kept.div_ceil(2);
    let near = |one: usize, other: usize| {
        let apart = one.abs_diff(other);
        apart.min(count - apart) <= reach
    };
    let mut pairs = Vec::new();
    for one in 0..count {
        for other in one + 1..count {
            if !near(one, other) {
                pairs.push((nodes[one], nodes[other]));
            }
        }
    }
    pairs
}

/// Isolates nodes one by one over the first half of the window, and lets them back over the
/// second, in another order.
fn swizzle(
    run: Rc<RunState>,
    fault: FaultId,
    (out, back): (Vec<NodeId>, Vec<NodeId>),
    until: SimInstant,
) {
    let start = time::now();
    let steps = (out.len() + back.len()) as u64;
    let step_ns = until.0.saturating_sub(start.0) / (steps + 1);
    isolate(&run, fault, &out[..1]);
    drop(spawn(async move {
        for n in 1..steps {
            time::sleep_until(start + Duration::from_nanos(n * step_ns)).await;
            if !with(|world| world.ledger().is_open(fault)) {
                return;
            }
            let n = n as usize;
            let gone: Vec<NodeId> = match n.checked_sub(out.len()) {
                None => out[..=n].to_vec(),
                Some(returned) => back[returned + 1..].to_vec(),
            };
            run.net.heal(fault);
            isolate(&run, fault, &gone);
        }
    }));
}

/// Has look-ups by the targets go wrong; by clients too, where everybody is meant.
pub(crate) fn mislead(
    run: &RunState,
    fault: FaultId,
    how: NameFault,
    (targets, everybody): (&[NodeId], bool),
    draw: &mut Stream,
) {
    let clients = run.clients.iter().filter(|_| everybody);
    let hosts: Vec<NodeId> = targets.iter().chain(clients).copied().collect();
    let what = match how {
        NameFault::Silent => sim_net::NameFault::Silent,
        NameFault::Unknown => sim_net::NameFault::Unknown,
        NameFault::Slow { by_ns } => {
            sim_net::NameFault::Slow(Duration::from_nanos(magnitude(draw, by_ns)))
        }
        NameFault::Elsewhere => {
            let node = *draw.pick(&run.servers);
            sim_net::NameFault::Elsewhere(with(|world| world.node(node).ip))
        }
        NameFault::Stale => sim_net::NameFault::Stale,
    };
    run.net.disturb_names(fault, what, &hosts);
}

/// Gives targets that are down addresses that nobody had before: 10.64.0.1 and so on.
pub(crate) fn readdress(run: &RunState, fault: FaultId, targets: &[NodeId]) {
    for node in targets {
        if with(|world| world.node(*node).state) == NodeState::Running {
            continue;
        }
        let number = run.moves.get() + 1;
        run.moves.set(number);
        let [high, low] = number.to_be_bytes();
        let ip = IpAddr::from([10, 64, high, low]);
        run.net.readdress(fault, *node, ip);
    }
}

fn isolate(run: &RunState, fault: FaultId, gone: &[NodeId]) {
    for node in gone {
        run.net.cut(fault, &[*node], &run.servers);
        run.net.cut(fault, &run.servers, &[*node]);
    }
}

/// An effect in the words of reports.
pub(crate) const fn describe(effect: NetEffect) -> &'static str {
    match effect {
        NetEffect::Loss { .. } => "packet loss",
        NetEffect::Latency { .. } => "latency",
        NetEffect::Duplicate { .. } => "duplication",
        NetEffect::Reorder { .. } => "reordering",
        NetEffect::Corrupt { .. } => "packet corruption",
        NetEffect::Bandwidth { .. } => "bandwidth limit",
        NetEffect::Jam => "jam",
        NetEffect::Reject => "rejection",
        NetEffect::Reset => "connection resets",
    }
}

/// What becomes of look-ups in the words of reports.
pub(crate) const fn describe_names(how: NameFault) -> &'static str {
    match how {
        NameFault::Silent => "DNS outage",
        NameFault::Unknown => "unknown names",
        NameFault::Slow { .. } => "slow DNS",
        NameFault::Elsewhere => "misdirected DNS",
        NameFault::Stale => "stale DNS",
    }
}

/// A shape in the words of reports.
pub(crate) const fn describe_shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Halves => "partition into halves",
        Shape::Ring => "majorities ring",
        Shape::Bridge => "bridge partition",
        Shape::Partial => "partial partition",
        Shape::Clients => "client-side partition",
        Shape::Swizzle => "swizzle",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn nodes(count: u32) -> Vec<NodeId> {
        (1..=count).map(NodeId).collect()
    }

    /// Whom each node reaches, itself included.
    fn reached(nodes: &[NodeId], cut: &[(NodeId, NodeId)]) -> Vec<BTreeSet<NodeId>> {
        let open = |one, other| !cut.contains(&(one, other)) && !cut.contains(&(other, one));
        nodes
            .iter()
            .map(|one| nodes.iter().copied().filter(|n| open(*one, *n)).collect())
            .collect()
    }

    #[test]
    fn in_a_ring_everybody_sees_a_majority_and_from_five_on_no_two_the_same() {
        for count in 3..12 {
            let nodes = nodes(count);
            let views = reached(&nodes, &ring(&nodes));
            assert!(
                views.iter().all(|view| view.len() * 2 > nodes.len()),
                "{count}"
            );
            if count >= 5 {
                let different: BTreeSet<_> = views.iter().collect();
                assert_eq!(different.len(), nodes.len(), "{count}: {views:?}");
            }
        }
    }

    #[test]
    fn a_network_is_drawn_only_where_it_is_to_be() {
        let usual = |of| {
            let all = (0..200).map(|n| config(Seed(n), of));
            all.filter(|config| *config == NetConfig::default()).count()
        };
        assert_eq!((usual(Weather::Drawn), usual(Weather::Usual)), (0, 200));
        let calm = config(Seed(1), Weather::Calm);
        assert!((2..50).all(|n| config(Seed(n), Weather::Calm) == calm));
        let never = [calm.loss, calm.far_pair, calm.partial_io, calm.latency.tail];
        assert_eq!(never, [Chance::NEVER; 4]);
    }

    #[test]
    fn halves_do_not_reach_each_other_and_a_bridge_reaches_both() {
        for count in 2..9 {
            let nodes = nodes(count);
            let views = reached(&nodes, &halves(&nodes));
            let (left, right) = nodes.split_at(nodes.len() / 2);
            assert!(
                views[..left.len()]
                    .iter()
                    .all(|view| view.len() == left.len())
            );
            assert!(
                views[left.len()..]
                    .iter()
                    .all(|view| view.len() == right.len())
            );
            let bridge = reached(&nodes, &halves(&nodes[1..]));
            assert_eq!(bridge[0].len(), nodes.len());
        }
    }

    #[test]
    fn a_partial_partition_cuts_some_links_and_leaves_some() {
        let nodes = nodes(5);
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let mut draw = Stream::of(Seed(seed), "test", 0);
            let cut = apart(Shape::Partial, &nodes, (&nodes, &[]), &mut draw);
            let different: BTreeSet<_> = cut.iter().collect();
            assert_eq!(
                different.len(),
                cut.len(),
                "no link is named twice: {cut:?}"
            );
            assert!((1..10).contains(&cut.len()), "{cut:?}");
            seen.insert(cut.len());
        }
        assert_eq!(seen.len(), 9, "every number of links is drawn: {seen:?}");
    }

    #[test]
    fn a_partition_of_the_clients_is_of_each_from_each_server_and_nothing_else() {
        let (servers, clients) = (nodes(3), [NodeId(7), NodeId(8)]);
        let mut draw = Stream::of(Seed(1), "test", 0);
        let cut = apart(Shape::Clients, &servers, (&servers, &clients), &mut draw);
        assert_eq!(cut.len(), 6);
        let between = |(one, other)| clients.contains(&one) && servers.contains(&other);
        assert!(cut.into_iter().all(between));
    }

    #[test]
    fn sizes_differ_by_orders_and_stay_within_their_ends() {
        let mut draw = Stream::of(Seed(1), "test", 0);
        let span = Span {
            min: 20_000_000,
            max: 5_000_000_000,
        };
        let drawn: Vec<u64> = (0..1_000).map(|_| magnitude(&mut draw, span)).collect();
        assert!(drawn.iter().all(|ns| (span.min..=span.max).contains(ns)));
        let small = drawn.iter().filter(|ns| **ns < 200_000_000).count();
        assert!((250..650).contains(&small), "{small} of 1,000 are small");
        let one = Span { min: 7, max: 7 };
        assert_eq!(magnitude(&mut draw, one), 7);
    }
}
