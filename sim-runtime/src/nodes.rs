//! Nodes: hosts with an address, a main future that is run again at each start, and a generation
//! number for each boot.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Waker;

use serde::{Deserialize, Serialize};

use crate::digest::EventKind;
use crate::ids::{Boot, NodeId};
use crate::task::spawn_in;
use crate::world::{Current, World};

/// How a node went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Down {
    /// The process was killed; kernel and page cache live on.
    Kill,
    /// The machine lost power: silence, and what was not synced is at risk.
    PowerLoss,
    /// Its main future ended.
    Exit,
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// Never started.
    Idle,
    /// Its process is alive.
    Running,
    /// Its process is not.
    Down(Down),
}

/// A node as it is now.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// Its number.
    pub id: NodeId,
    /// Its host name.
    pub name: Rc<str>,
    /// Its address.
    pub ip: IpAddr,
    /// Its generation.
    pub boot: Boot,
    /// What it is doing.
    pub state: NodeState,
}

/// Makes a node's main future, at each start.
pub type NodeMain = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>>;

struct Node {
    name: Rc<str>,
    ip: IpAddr,
    boot: Boot,
    state: NodeState,
    main: Option<NodeMain>,
    stop: StopSignal,
}

/// The node's `SIGINT`.
#[derive(Default)]
pub(crate) struct StopSignal {
    /// Whether this boot has ever listened; a process that has not dies of the signal.
    pub(crate) handled: bool,
    /// How often it was sent to this boot.
    pub(crate) sent: u64,
    /// Of those that wait, by the order they came in.
    pub(crate) wakers: BTreeMap<u64, Waker>,
    pub(crate) waited: u64,
}

pub(crate) struct Nodes {
    list: Vec<Node>,
}

impl Nodes {
    pub(crate) fn new() -> Self {
        let mut nodes = Self { list: Vec::new() };
        nodes.add("harness", IpAddr::from([10, 0, 0, 254]));
        nodes.list[0].state = NodeState::Running;
        nodes.list[0].boot = Boot(1);
        nodes
    }

    fn add(&mut self, name: &str, ip: IpAddr) -> NodeId {
        let id = NodeId(u32::try_from(self.list.len()).expect("fewer than 2^32 nodes"));
        self.list.push(Node {
            name: Rc::from(name),
            ip,
            boot: Boot(0),
            state: NodeState::Idle,
            main: None,
            stop: StopSignal::default(),
        });
        id
    }

    fn get(&self, id: NodeId) -> &Node {
        self.list
            .get(id.0 as usize)
            .unwrap_or_else(|| panic!("there is no {id}"))
    }

    #[inline]
    fn get_mut(&mut self, id: NodeId) -> &mut Node {
        self.list
            .get_mut(id.0 as usize)
            .unwrap_or_else(|| panic!("there is no {id}"))
    }

    fn info(&self, index: usize) -> NodeInfo {
        let node = &self.list[index];
        NodeInfo {
            id: NodeId(u32::try_from(index).expect("fewer than 2^32 nodes")),
            name: Rc::clone(&node.name),
            ip: node.ip,
            boot: node.boot,
            state: node.state,
        }
    }

    pub(crate) fn name(&self, id: NodeId) -> Rc<str> {
        Rc::clone(&self.get(id).name)
    }

    pub(crate) fn stop_signal(&mut self, id: NodeId) -> &mut StopSignal {
        &mut self.get_mut(id).stop
    }

    /// Everything of the guest's that nodes hold.
    pub(crate) fn take_mains(&mut self) -> Vec<(Option<NodeMain>, Vec<Waker>)> {
        let nodes = self.list.iter_mut();
        nodes
            .map(|node| {
                let wakers = std::mem::take(&mut node.stop.wakers);
                (node.main.take(), wakers.into_values().collect())
            })
            .collect()
    }
}

impl World {
    /// Adds a host. It is idle until it is started.
    ///
    /// # Panics
    /// When the name or the address is taken.
    pub fn create_node(&self, name: &str, ip: IpAddr) -> NodeId {
        assert!(
            self.node_by_name(name).is_none(),
            "there are two nodes named {name}"
        );
        assert!(self.node_by_ip(ip).is_none(), "there are two nodes at {ip}");
        self.nodes.borrow_mut().add(name, ip)
    }

    /// Gives a host another address. Devices that keep addresses are told by whoever calls this.
    ///
    /// # Panics
    /// When it is running, or the address is another's.
    pub fn readdress_node(&self, id: NodeId, ip: IpAddr) {
        let owner = self.node_by_ip(ip);
        assert!(
            owner.is_none_or(|owner| owner == id),
            "there are two nodes at {ip}"
        );
        {
            let mut nodes = self.nodes.borrow_mut();
            let node = nodes.get_mut(id);
            assert!(node.state != NodeState::Running, "{} is running", node.name);
            node.ip = ip;
        }
        let bits = match ip {
            IpAddr::V4(ip) => u64::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip) as u64,
        };
        self.event(EventKind::Node, u64::from(id.0), bits);
    }

    /// A node as it is now.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn node(&self, id: NodeId) -> NodeInfo {
        let nodes = self.nodes.borrow();
        nodes.get(id);
        nodes.info(id.0 as usize)
    }

    /// Every node, the harness first.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        let nodes = self.nodes.borrow();
        (0..nodes.list.len())
            .map(|index| nodes.info(index))
            .collect()
    }

    /// The node with this address.
    pub fn node_by_ip(&self, ip: IpAddr) -> Option<NodeId> {
        self.find_node(|node| node.ip == ip)
    }

    /// The node with this host name.
    pub fn node_by_name(&self, name: &str) -> Option<NodeId> {
        self.find_node(|node| *node.name == *name)
    }

    fn find_node(&self, is_it: impl Fn(&Node) -> bool) -> Option<NodeId> {
        let index = self.nodes.borrow().list.iter().position(is_it)?;
        u32::try_from(index).ok().map(NodeId)
    }

    /// A node's generation.
    pub fn boot_of(&self, id: NodeId) -> Boot {
        self.nodes.borrow().get(id).boot
    }

    /// Whether this generation of a node is running.
    pub fn is_alive(&self, id: NodeId, boot: Boot) -> bool {
        let nodes = self.nodes.borrow();
        let node = nodes.get(id);
        node.boot == boot && node.state == NodeState::Running
    }

    /// Starts a node; `main` is kept and run again at each restart.
    ///
    /// # Panics
    /// When it is running.
    pub fn start_node(self: &Rc<Self>, id: NodeId, main: NodeMain) {
        self.nodes.borrow_mut().get_mut(id).main = Some(main);
        self.restart_node(id);
    }

    /// Starts a node that is down, as its next generation.
    ///
    /// # Panics
    /// When it is running, or was never given a main future.
    pub fn restart_node(self: &Rc<Self>, id: NodeId) {
        // A waker may own anything: the last boot's are dropped with nothing borrowed.
        let (boot, name, main, _stop) = {
            let mut nodes = self.nodes.borrow_mut();
            let node = nodes.get_mut(id);
            assert!(node.state != NodeState::Running, "{} is running", node.name);
            // Before anything changes: whoever catches the panic finds the node as it was.
            let main = node
                .main
                .clone()
                .expect("a node is started before it is restarted");
            node.boot = Boot(node.boot.0 + 1);
            node.state = NodeState::Running;
            let stop = std::mem::take(&mut node.stop);
            (node.boot, Rc::clone(&node.name), main, stop)
        };
        self.event(EventKind::Node, u64::from(id.0), u64::from(boot.0) << 8);
        self.each_device(|device| device.node_up(self, id, boot));
        let guard = ExitGuard { node: id, boot };
        let future = async move {
            let _exit = guard;
            main().await;
        };
        drop(spawn_in(
            self,
            id,
            boot,
            Some(name),
            Location::caller(),
            future,
        ));
    }

    /// Takes a node down, now. False: it was not running.
    ///
    /// Devices hear of it first, then its descriptors are abandoned, then its tasks are dropped
    /// in its own context, so that nothing the guest's destructors do reaches the outside.
    pub fn kill_node(self: &Rc<Self>, id: NodeId, down: Down) -> bool {
        if self.is_alive(id, self.boot_of(id)) {
            self.on_node(id, || self.end_mappings(id, self.boot_of(id)));
        }
        let boot = {
            let mut nodes = self.nodes.borrow_mut();
            let node = nodes.get_mut(id);
            if node.state != NodeState::Running {
                return false;
            }
            node.state = NodeState::Down(down);
            node.boot
        };
        self.event(
            EventKind::Node,
            u64::from(id.0),
            (u64::from(boot.0) << 8) | (1 + down as u64),
        );
        self.each_device(|device| device.node_down(self, id, boot, down));
        self.abandon_descriptors(id, boot, down);
        self.end_pauses(id);
        self.executor.drop_process(self, id, boot);
        true
    }

    /// Sends a node the signal that [`ctrl_c`](crate::ctrl_c) waits for. A process that never
    /// waited for it dies of it. False: it was not running.
    pub fn stop_node(self: &Rc<Self>, id: NodeId) -> bool {
        let wakers = {
            let mut nodes = self.nodes.borrow_mut();
            let node = nodes.get_mut(id);
            if node.state != NodeState::Running {
                return false;
            }
            node.stop.sent += 1;
            node.stop
                .handled
                .then(|| std::mem::take(&mut node.stop.wakers))
        };
        let Some(wakers) = wakers else {
            return self.kill_node(id, Down::Kill);
        };
        self.event(EventKind::Node, u64::from(id.0), 0xff);
        wakers.into_values().for_each(Waker::wake);
        true
    }
}

/// When a node's main future is over, however it ended, so is its process.
struct ExitGuard {
    node: NodeId,
    boot: Boot,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        crate::try_with(|world| {
            if world.is_alive(self.node, self.boot) {
                let outer = world.enter(Current {
                    node: self.node,
                    boot: self.boot,
                    task: None,
                });
                world.kill_node(self.node, Down::Exit);
                world.leave(outer);
            }
        });
    }
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "killed",
            Self::PowerLoss => "without power",
            Self::Exit => "exited",
        })
    }
}
