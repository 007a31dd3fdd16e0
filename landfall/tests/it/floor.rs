//! The survey of the floor, over probes that a test binary brings itself.

use std::sync::atomic::{AtomicU32, Ordering};

use landfall::floor::survey;
use landfall::runtime::interpose::floor::{PROBES, Probe};
use landfall::runtime::interpose::outside;

#[linkme::distributed_slice(PROBES)]
static COUNTER: Probe = Probe {
    order: 1,
    name: "a counter that the process keeps",
    run: || {
        static LOOKED: AtomicU32 = AtomicU32::new(0);
        Box::pin(async { LOOKED.fetch_add(1, Ordering::Relaxed).to_string() })
    },
};

#[linkme::distributed_slice(PROBES)]
static REAL: Probe = Probe {
    order: 2,
    name: "the process id outside",
    run: || Box::pin(async { outside(std::process::id).to_string() }),
};

#[linkme::distributed_slice(PROBES)]
static BROKEN: Probe = Probe {
    order: 3,
    name: "a probe that panics",
    run: || Box::pin(async { panic!("there is no such clock") }),
};

#[test]
fn a_binary_surveys_its_own_probes() {
    let found = survey().expect("this binary is a worker");
    let rows: Vec<_> = found
        .sources
        .iter()
        .map(|source| {
            let answers = (source.across_processes, source.within_process);
            (source.name.as_str(), answers, source.layer.as_str())
        })
        .collect();
    assert_eq!(
        rows,
        [
            (COUNTER.name, (true, false), "fresh-process"),
            // One process has one, and each has another.
            (REAL.name, (false, true), "not served"),
            (BROKEN.name, (false, false), "not served"),
        ]
    );
    let trouble = found.sources[2].trouble.as_deref().unwrap_or_default();
    assert!(trouble.contains("there is no such clock"), "{trouble}");
    let names: Vec<_> = found
        .layers
        .iter()
        .filter_map(|layer| layer.split(':').next())
        .collect();
    let all = [
        "symbols",
        "inline-syscalls",
        "tsc",
        "fixed-addresses",
        "fresh-process",
        "fresh-thread",
    ];
    assert_eq!(names, all);
}
