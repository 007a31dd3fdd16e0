//! Nodes: inheritance, boots, going down, the stop signal.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use sim_runtime::{Boot, Down, NodeId, NodeMain, NodeState, ctrl_c, spawn, time, with, world};

use crate::support::run;

type Log = Rc<RefCell<Vec<String>>>;

fn node(name: &str, last: u8) -> NodeId {
    world().create_node(name, IpAddr::from([10, 0, 0, last]))
}

fn main_of<F: Future<Output = ()> + 'static>(f: impl Fn() -> F + 'static) -> NodeMain {
    Rc::new(move || Box::pin(f()))
}

#[test]
fn tasks_inherit_node_and_boot_through_spawn() {
    run(1, || async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let n1 = node("n1", 1);
        let log = Rc::clone(&seen);
        world().start_node(
            n1,
            main_of(move || {
                let log = Rc::clone(&log);
                async move {
                    let inner = Rc::clone(&log);
                    let deep = spawn(async move {
                        let here = with(|world| (world.current_node(), world.current_boot()));
                        inner.borrow_mut().push(here);
                    });
                    deep.await.unwrap();
                    std::future::pending::<()>().await;
                }
            }),
        );
        time::sleep(Duration::from_millis(1)).await;
        world().kill_node(n1, Down::Kill);
        world().restart_node(n1);
        time::sleep(Duration::from_millis(1)).await;
        assert_eq!(*seen.borrow(), [(n1, Boot(1)), (n1, Boot(2))]);
        assert_eq!(with(|world| world.current_node()), NodeId::HARNESS);
    });
}

struct Noisy(Log, &'static str);

impl Drop for Noisy {
    fn drop(&mut self) {
        let (node, alive) = with(|world| {
            let (node, boot) = (world.current_node(), world.current_boot());
            (node, world.is_alive(node, boot))
        });
        self.0
            .borrow_mut()
            .push(format!("{} dropped on {node}, alive: {alive}", self.1));
    }
}

#[test]
fn kill_drops_the_tasks_of_the_node_at_once_in_its_context() {
    run(1, || async {
        let log = Log::default();
        let (n1, n2) = (node("n1", 1), node("n2", 2));
        for (id, name) in [(n1, "one"), (n2, "two")] {
            let log = Rc::clone(&log);
            let main = main_of(move || {
                let noisy = Noisy(Rc::clone(&log), name);
                async move {
                    drop(spawn(async move {
                        let _noisy = noisy;
                        std::future::pending::<()>().await;
                    }));
                    std::future::pending::<()>().await;
                }
            });
            world().start_node(id, main);
        }
        time::sleep(Duration::from_millis(1)).await;
        assert!(world().kill_node(n1, Down::PowerLoss));
        assert_eq!(*log.borrow(), ["one dropped on node 1, alive: false"]);
        assert_eq!(world().node(n1).state, NodeState::Down(Down::PowerLoss));
        assert!(!world().kill_node(n1, Down::Kill), "it is down already");
    });
}

#[test]
fn a_node_can_kill_itself() {
    run(1, || async {
        let n1 = node("n1", 1);
        let log = Log::default();
        let inner = Rc::clone(&log);
        world().start_node(
            n1,
            main_of(move || {
                let log = Rc::clone(&inner);
                async move {
                    world().kill_node(n1, Down::Kill);
                    log.borrow_mut().push("to the next await".to_owned());
                    time::sleep(Duration::from_nanos(1)).await;
                    log.borrow_mut().push("never".to_owned());
                }
            }),
        );
        time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*log.borrow(), ["to the next await"]);
    });
}

#[test]
fn the_end_of_main_is_the_end_of_the_process() {
    let (_, summary) = run(1, || async {
        let n1 = node("n1", 1);
        let log = Log::default();
        let inner = Rc::clone(&log);
        world().start_node(
            n1,
            main_of(move || {
                let noisy = Noisy(Rc::clone(&inner), "child");
                async move {
                    drop(spawn(async move {
                        let _noisy = noisy;
                        std::future::pending::<()>().await;
                    }));
                    time::sleep(Duration::from_millis(1)).await;
                }
            }),
        );
        time::sleep(Duration::from_millis(5)).await;
        assert_eq!(world().node(n1).state, NodeState::Down(Down::Exit));
        assert_eq!(log.borrow().len(), 1);
    });
    assert_eq!(summary.leaks.tasks, Vec::<String>::new());
}

#[test]
fn ctrl_c_is_heard_by_who_listens_and_kills_who_does_not() {
    run(1, || async {
        let log = Log::default();
        let (listens, deaf) = (node("n1", 1), node("n2", 2));
        let inner = Rc::clone(&log);
        world().start_node(
            listens,
            main_of(move || {
                let log = Rc::clone(&inner);
                async move {
                    ctrl_c().await;
                    log.borrow_mut().push("stopping".to_owned());
                }
            }),
        );
        world().start_node(deaf, main_of(std::future::pending::<()>));
        time::sleep(Duration::from_millis(1)).await;
        assert!(world().stop_node(listens) && world().stop_node(deaf));
        time::sleep(Duration::from_millis(1)).await;
        assert_eq!(*log.borrow(), ["stopping"]);
        assert_eq!(world().node(listens).state, NodeState::Down(Down::Exit));
        assert_eq!(world().node(deaf).state, NodeState::Down(Down::Kill));
    });
}

#[test]
fn ten_thousand_kills_leave_nothing_behind() {
    let (_, summary) = run(1, || async {
        let n1 = node("n1", 1);
        world().start_node(n1, main_of(std::future::pending::<()>));
        for _ in 0..10_000 {
            time::sleep(Duration::from_micros(10)).await;
            world().kill_node(n1, Down::Kill);
            world().restart_node(n1);
        }
        assert_eq!(world().node(n1).boot, Boot(10_001));
    });
    assert_eq!(summary.leaks.tasks.len(), 1, "the last boot's main alone");
}
