//! Nodes with a disk, driven step by step from the test.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use sim_disk::{Disk, DiskConfig, OpenFlags};
use sim_runtime::{
    Config, Digest, Down, FaultId, LedgerRow, NodeId, NodeMain, Seed, Simulation, Summary, time,
};

/// A simulation with one running node and its disk.
pub(crate) struct Bench {
    pub(crate) simulation: Simulation,
    pub(crate) disk: Rc<Disk>,
    pub(crate) node: NodeId,
}

impl Bench {
    pub(crate) fn new(seed: u64, config: DiskConfig) -> Bench {
        let simulation = Simulation::new(Config::new(Seed(seed)));
        let disk = Disk::install(simulation.world(), config);
        let node = simulation
            .world()
            .create_node("one", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
        let main: NodeMain = Rc::new(|| Box::pin(std::future::pending()));
        simulation.world().start_node(node, main);
        Bench {
            simulation,
            disk,
            node,
        }
    }

    /// Runs `f` as the node.
    pub(crate) fn on_node<R>(&self, f: impl FnOnce(&Disk) -> R) -> R {
        self.simulation.world().on_node(self.node, || f(&self.disk))
    }

    pub(crate) fn down_and_up(&self, down: Down) {
        assert!(self.simulation.world().kill_node(self.node, down));
        self.simulation.world().restart_node(self.node);
    }

    /// A second node, or a third, with a disk of its own.
    pub(crate) fn another(&self) -> NodeId {
        let world = self.simulation.world();
        let number = world.nodes().len() as u8;
        let name = format!("node-{number}");
        let node = world.create_node(&name, IpAddr::V4(Ipv4Addr::new(10, 0, 0, number)));
        let main: NodeMain = Rc::new(|| Box::pin(std::future::pending()));
        world.start_node(node, main);
        node
    }

    /// Lets so much virtual time pass.
    pub(crate) fn run_for(&self, duration: Duration) {
        let slept = self.simulation.block_on(time::sleep(duration));
        assert!(slept.is_ok());
    }

    pub(crate) fn finish(self) -> Summary {
        drop(self.disk);
        self.simulation.finish()
    }

    pub(crate) fn digest(self) -> Digest {
        self.finish().digest
    }
}

/// Plans a fault and arms it.
pub(crate) fn fault(bench: &Bench, kind: &str) -> FaultId {
    let ledger = bench.simulation.world().ledger();
    let fault = ledger.plan("a fault", kind);
    ledger.arm(fault, "one");
    fault
}

/// A fault's row of the ledger.
pub(crate) fn row(bench: &Bench, fault: FaultId) -> LedgerRow {
    let ledger = bench.simulation.world().ledger();
    ledger.row(fault, LedgerRow::clone).unwrap()
}

/// The number of an error.
pub(crate) fn code<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

/// How often something was counted in a row of the ledger.
pub(crate) fn count(counters: &BTreeMap<String, u64>, name: &str) -> u64 {
    counters.get(name).copied().unwrap_or_default()
}

/// Writes a whole file, with or without syncing it.
pub(crate) fn put(disk: &Disk, path: &str, content: &[u8], sync: bool) {
    let fd = disk.open(Path::new(path), OpenFlags::creating()).unwrap();
    assert_eq!(disk.write(fd, content).unwrap(), content.len());
    if sync {
        disk.fsync(fd).unwrap();
    }
    disk.close(fd).unwrap();
}

/// Syncs the entries of a directory.
pub(crate) fn sync_dir(disk: &Disk, path: &str) {
    let fd = disk.open(Path::new(path), OpenFlags::reading()).unwrap();
    disk.fsync(fd).unwrap();
    disk.close(fd).unwrap();
}

/// Reads a whole file; None when it is not there.
pub(crate) fn get(disk: &Disk, path: &str) -> Option<Vec<u8>> {
    let fd = match disk.open(Path::new(path), OpenFlags::reading()) {
        Ok(fd) => fd,
        Err(error) => {
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
            return None;
        }
    };
    let mut content = Vec::new();
    let mut chunk = [0; 1000];
    loop {
        let read = disk.read(fd, &mut chunk).unwrap();
        if read == 0 {
            break;
        }
        content.extend_from_slice(&chunk[..read]);
    }
    disk.close(fd).unwrap();
    Some(content)
}
