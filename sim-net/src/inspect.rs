//! For tests: what is on the wire, and one packet at a time held, let go, delivered or dropped.
//!
//! See [`Net::in_flight`] for an example of all that a test can look at.

use std::mem;

use sim_runtime::{NodeId, SimInstant, World};

use crate::net::Net;
use crate::packet::{Hand, InFlight};
use crate::state::State;

/// Where a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// It has not come to the far end yet.
    OnTheWay,
    /// A fault holds it back at the far end.
    Jammed,
    /// A test holds it, on its way or at the far end.
    Held,
}

/// A packet that was sent and has not been delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flying {
    /// Names it, for [`Net::hold`] and the others. Packets are numbered as they were sent.
    pub id: u64,
    /// The node that sent it.
    pub from: NodeId,
    /// The node it goes to.
    pub to: NodeId,
    /// Both addresses, as in `10.0.0.1:80 -> 10.0.0.2:32768`.
    pub path: String,
    /// `SYN`, `data`, `FIN`, `RST`, `datagram` and so on.
    pub what: &'static str,
    /// Its frame's kind, where a classifier tells one.
    pub kind: Option<String>,
    /// Bytes of payload.
    pub bytes: u64,
    /// When it was sent.
    pub sent: SimInstant,
    /// Where it is.
    pub at: Whereabouts,
}

impl Net {
    /// Every packet between two nodes that is under way, in the order they were sent. Pure
    /// acknowledgements are no packets of their own here.
    ///
    /// A test that names its frames, drops every `append` from node 2 to node 3, takes one packet
    /// in hand, and looks at sockets and links:
    ///
    /// ```
    /// use std::net::{IpAddr, SocketAddr};
    /// use std::rc::Rc;
    /// use std::time::Duration;
    /// use sim_net::{Effect, Net, NetConfig, Whereabouts};
    /// use sim_runtime::{Config, NodeId, Seed, Simulation, spawn_on, time};
    ///
    /// let simulation = Simulation::new(Config::new(Seed(1)));
    /// let world = Rc::clone(simulation.world());
    /// let net = Net::install(&world, NetConfig::calm());
    /// for (name, host) in [("n1", 1), ("n2", 2), ("n3", 3)] {
    ///     let node = world.create_node(name, IpAddr::from([10, 0, 0, host]));
    ///     world.start_node(node, Rc::new(|| Box::pin(std::future::pending())));
    /// }
    /// // The first word of a message is its kind.
    /// net.classify(|frame| {
    ///     let text = std::str::from_utf8(frame.bytes).ok()?;
    ///     text.split(' ').next().map(str::to_owned)
    /// });
    /// let fault = world.ledger().plan("no appends", "drop append from 2 to 3");
    /// world.ledger().arm(fault, "n2 -> n3");
    /// net.disturb_kind(fault, (Effect::Cut, "append"), &[NodeId(2)], &[NodeId(3)]);
    ///
    /// let heard = simulation.block_on(async move {
    ///     let at = |host| SocketAddr::from(([10, 0, 0, host], 7));
    ///     let bind = |host: u8| {
    ///         let net = Rc::clone(&net);
    ///         spawn_on(NodeId(u32::from(host)), "bind", async move { net.udp_bind(at(host)) })
    ///     };
    ///     let sender = bind(2).await.unwrap().unwrap();
    ///     let reader = bind(3).await.unwrap().unwrap();
    ///     for text in ["append 1", "vote 2", "vote 3"] {
    ///         net.send_to(sender, text.as_bytes(), at(3)).unwrap();
    ///     }
    ///     let flying = net.in_flight();
    ///     assert_eq!(flying[0].kind.as_deref(), Some("append"));
    ///     assert_eq!(flying[1].path, "10.0.0.2:7 -> 10.0.0.3:7");
    ///     assert_eq!(flying[1].at, Whereabouts::OnTheWay);
    ///     assert!(net.hold(flying[1].id), "the first vote waits");
    ///     assert!(net.deliver(flying[2].id), "the second comes at once");
    ///     time::sleep(Duration::from_millis(10)).await;
    ///     assert!(net.release(flying[1].id));
    ///     time::sleep(Duration::from_millis(10)).await;
    ///
    ///     let bound = net.netstat();
    ///     assert_eq!((bound[0].protocol, bound[0].local), ("udp", Some(at(2))));
    ///     let link = net.link_stats(NodeId(2), NodeId(3));
    ///     assert_eq!((link.offered, link.delivered, link.dropped), (3, 2, 1));
    ///     assert_eq!(link.dropped_by[&fault], 1);
    ///     let mut into = [0; 16];
    ///     let mut heard = Vec::new();
    ///     while let Ok((count, _)) = net.recv_from(reader, &mut into, false) {
    ///         heard.push(String::from_utf8_lossy(&into[..count]).into_owned());
    ///     }
    ///     heard
    /// });
    /// assert_eq!(heard.unwrap(), ["vote 3", "vote 2"]);
    /// assert_eq!(simulation.finish().ledger[0].injected["packets-dropped"], 1);
    /// ```
    pub fn in_flight(&self) -> Vec<Flying> {
        self.run(|state, _| state.all_flying()).unwrap_or_default()
    }

    /// Has a packet wait at the far end until it is released or delivered. A stream takes it for
    /// lost meanwhile, and sends it again after a time-out. False: it is not under way.
    pub fn hold(&self, id: u64) -> bool {
        self.run(|state, _| state.hold(id)).unwrap_or(false)
    }

    /// Lets a packet that is held go on: it comes when it would have, or now. False: none is held
    /// by that number.
    pub fn release(&self, id: u64) -> bool {
        let released = self.run(|state, world| state.release_one(world, id));
        released.unwrap_or(false)
    }

    /// Has a packet arrive now, before others that were sent earlier; faults judge it as any other.
    /// False: it is not under way.
    pub fn deliver(&self, id: u64) -> bool {
        let delivered = self.run(|state, world| state.deliver_one(world, id));
        delivered.unwrap_or(false)
    }

    /// Has a packet vanish, as bad weather does. False: it is not under way.
    pub fn discard(&self, id: u64) -> bool {
        let discarded = self.run(|state, world| state.discard_one(world, id));
        discarded.unwrap_or(false)
    }
}

impl State {
    fn all_flying(&self) -> Vec<Flying> {
        let wire = self.packets.iter().map(|(_, flying)| {
            let at = match flying.hand {
                Hand::Held => Whereabouts::Held,
                _ => Whereabouts::OnTheWay,
            };
            (flying, at)
        });
        let jammed = self.jammed.iter().map(|f| (f, Whereabouts::Jammed));
        let held = self.held.iter().map(|f| (f, Whereabouts::Held));
        let all = wire.chain(jammed).chain(held);
        let between = all.filter(|(flying, _)| {
            flying.hand != Hand::Void && !self.links.get(flying.link).is_loopback()
        });
        let mut found: Vec<Flying> = between
            .map(|(flying, at)| {
                let link = self.links.get(flying.link);
                Flying {
                    id: flying.order,
                    from: link.from,
                    to: link.to,
                    path: self.path_of(&flying.packet).to_string(),
                    what: flying.packet.name(),
                    kind: self.kind_of(&flying.packet),
                    bytes: flying.packet.len(),
                    sent: flying.sent,
                    at,
                }
            })
            .collect();
        found.sort_by_key(|flying| flying.id);
        found
    }

    /// The place of a packet on the wire.
    fn place_of(&self, id: u64) -> Option<usize> {
        let named = |flying: &InFlight| flying.order == id && flying.hand != Hand::Void;
        let mut all = self.packets.iter();
        all.find(|(_, flying)| named(flying))
            .map(|(place, _)| place)
    }

    fn take_held(&mut self, id: u64) -> Option<InFlight> {
        let place = self.held.iter().position(|flying| flying.order == id)?;
        Some(self.held.remove(place))
    }

    fn hold(&mut self, id: u64) -> bool {
        let Some(place) = self.place_of(id) else {
            return self.held.iter().any(|flying| flying.order == id);
        };
        self.packets[place].hand = Hand::Held;
        true
    }

    fn release_one(&mut self, world: &World, id: u64) -> bool {
        if let Some(mut flying) = self.take_held(id) {
            flying.hand = Hand::Off;
            self.arrives_at(world, world.now(), flying);
            return true;
        }
        let place = self.place_of(id);
        let Some(flying) = place.map(|place| &mut self.packets[place]) else {
            return false;
        };
        mem::replace(&mut flying.hand, Hand::Off) == Hand::Held
    }

    fn deliver_one(&mut self, world: &World, id: u64) -> bool {
        if self.take_held_now(world, id) {
            return true;
        }
        let Some(place) = self.place_of(id) else {
            return false;
        };
        // The event that was to bring it finds it void.
        let void = &mut self.packets[place];
        let packet = void.packet.clone();
        let early = InFlight {
            packet,
            hand: Hand::Off,
            ..*void
        };
        void.hand = Hand::Void;
        void.detained = false;
        if let Some((conn, _)) = early.packet.conn() {
            self.conns[conn].in_flight += 1;
        }
        self.arrives_at(world, world.now(), early);
        true
    }

    fn take_held_now(&mut self, world: &World, id: u64) -> bool {
        let held = self.held.iter().any(|flying| flying.order == id);
        held && self.release_one(world, id)
    }

    pub(crate) fn discard_one(&mut self, world: &World, id: u64) -> bool {
        if let Some(flying) = self.take_held(id) {
            self.void(world, &flying);
            return true;
        }
        let Some(place) = self.place_of(id) else {
            return false;
        };
        self.packets[place].hand = Hand::Lost;
        true
    }

    /// What a test did to a packet that arrives; gives it back where it may go on.
    #[cold]
    pub(crate) fn handle(&mut self, world: &World, mut flying: InFlight) -> Option<InFlight> {
        match mem::replace(&mut flying.hand, Hand::Off) {
            Hand::Off => Some(flying),
            Hand::Void => {
                self.void(world, &flying);
                None
            }
            Hand::Lost => {
                self.note_loss(world, &flying);
                let stats = &mut self.links.get_mut(flying.link).stats;
                stats.offered += 1;
                stats.dropped += 1;
                self.lost(world, &flying, &[]);
                self.void(world, &flying);
                None
            }
            Hand::Held => {
                self.lost(world, &flying, &[]);
                self.held.push(flying);
                None
            }
        }
    }

    /// Forgets a packet.
    fn void(&mut self, world: &World, flying: &InFlight) {
        let Some((conn, side)) = flying.packet.conn() else {
            return;
        };
        let c = &mut self.conns[conn];
        c.in_flight -= 1;
        if flying.detained {
            c.flows[side].detained -= 1;
        }
        self.reap(world, conn);
    }
}
