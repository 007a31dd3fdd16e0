//! The floor report: which layers this process has, and why it lacks the others.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

/// A layer of the determinism floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerName {
    /// Calls of the C library for clocks, entropy and sleep are answered by the simulation.
    Symbols,
    /// So are system calls made without the C library.
    InlineSyscalls,
    /// So are reads of the time-stamp counter.
    Tsc,
    /// The addresses of the stack, the heap and the libraries are the same in every process.
    FixedAddresses,
    /// The process runs one seed and was forked from a parent that ran none.
    FreshProcess,
    /// The thread drew no real entropy: std's hash keys, which it caches per thread, are virtual.
    FreshThread,
}

/// Whether a layer is in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerState {
    /// It is.
    Active,
    /// It is not, for this reason.
    Missing(String),
}

/// One layer and its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Which layer.
    pub name: LayerName,
    /// Whether it is in place.
    pub state: LayerState,
}

/// Something that a guest can learn of the machine: `cargo landfall floor` tells whether it is
/// reproducible, and by which layer.
///
/// ```
/// # if !cfg!(feature = "sim") { return; }
/// use sim_runtime::interpose::floor::{PROBES, Probe};
///
/// #[linkme::distributed_slice(PROBES)]
/// static MINE: Probe = Probe {
///     order: 100,
///     name: "the clock of my crate",
///     run: || Box::pin(async { format!("{:?}", std::time::Instant::now()) }),
/// };
/// ```
pub struct Probe {
    /// Where in the table.
    pub order: u32,
    /// What it is.
    pub name: &'static str,
    /// Looks, inside a simulation, and says what it saw. A panic is a source that is not served.
    pub run: fn() -> Pin<Box<dyn Future<Output = String>>>,
}

/// The probes of this executable; users may add their own.
#[linkme::distributed_slice]
pub static PROBES: [Probe];

impl LayerName {
    /// The name as reports print it.
    pub fn as_str(self) -> &'static str {
        match self {
            LayerName::Symbols => "symbols",
            LayerName::InlineSyscalls => "inline-syscalls",
            LayerName::Tsc => "tsc",
            LayerName::FixedAddresses => "fixed-addresses",
            LayerName::FreshProcess => "fresh-process",
            LayerName::FreshThread => "fresh-thread",
        }
    }
}

impl Layer {
    /// Whether the layer is in place.
    pub fn is_active(&self) -> bool {
        self.state == LayerState::Active
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            LayerState::Active => write!(f, "{}: active", self.name.as_str()),
            LayerState::Missing(reason) => write!(
                f,
                "{}: missing ({reason}); uncovered: {}",
                self.name.as_str(),
                self.name.covers()
            ),
        }
    }
}

impl LayerName {
    /// What is not reproducible where this layer is missing.
    pub fn covers(self) -> &'static str {
        match self {
            LayerName::Symbols => "clocks, entropy and sleep of std and of everything above it",
            LayerName::InlineSyscalls => "entropy and clocks read without libc: rustix, ring",
            LayerName::Tsc => "the time-stamp counter: quanta, minstant",
            LayerName::FixedAddresses => {
                "hashes of addresses and orders by address: ahash, foldhash"
            }
            LayerName::FreshProcess => "what a process keeps: statics, thread ids, tokio's select!",
            LayerName::FreshThread => "what a thread keeps: the keys of std's HashMap",
        }
    }
}

/// What this process and this thread can rely on, layer by layer, lowest number first.
///
/// Call it on the thread of the simulation. Costs a dozen symbol look-ups and a system call: once
/// a run, not once an event.
pub fn report() -> Vec<Layer> {
    [
        (LayerName::Symbols, symbols()),
        (LayerName::InlineSyscalls, super::dispatch::inline_state()),
        (LayerName::Tsc, super::dispatch::tsc_state()),
        (LayerName::FixedAddresses, crate::process::fixed_addresses()),
        (LayerName::FreshProcess, crate::process::fresh()),
        (LayerName::FreshThread, fresh_thread()),
    ]
    .into_iter()
    .map(|(name, state)| Layer {
        name,
        state: state.map_or_else(LayerState::Missing, |()| LayerState::Active),
    })
    .collect()
}

/// Names the layers that are to be left off, separated by commas, to see what they are for:
/// `symbols`, `inline-syscalls`, `tsc`, `fixed-addresses`, and `user-dispatch` (which leaves inline
/// calls to seccomp).
pub const WITHOUT_VARIABLE: &str = "LANDFALL_FLOOR_WITHOUT";

/// What the environment asks to be left off: the value of [`WITHOUT_VARIABLE`], empty if it has
/// none. Reads the environment.
#[must_use]
pub fn left_off() -> OsString {
    #[expect(clippy::disallowed_methods, reason = "this module owns the variable")]
    std::env::var_os(WITHOUT_VARIABLE).unwrap_or_default()
}

/// Whether the environment asks for this one to be left off. Reads the environment.
pub(crate) fn is_without(name: &str) -> bool {
    is_listed(&left_off(), name)
}

/// Whether a value of the variable names a layer.
pub(crate) fn is_listed(names: &OsStr, name: &str) -> bool {
    let names = names.to_string_lossy();
    names.split(',').any(|listed| listed.trim() == name)
}

fn symbols() -> Result<(), String> {
    match is_without("symbols") {
        true => Err("switched off".to_owned()),
        false => super::hooks::state(),
    }
}

fn fresh_thread() -> Result<(), String> {
    match super::hatch::real_entropy_draws() {
        0 => Ok(()),
        n => Err(format!("the thread drew real entropy {n} times")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Layer, LayerName, LayerState};

    #[test]
    fn a_layer_prints_as_one_line() {
        let layer = |state| {
            Layer {
                name: LayerName::FixedAddresses,
                state,
            }
            .to_string()
        };
        assert_eq!(layer(LayerState::Active), "fixed-addresses: active");
        assert_eq!(
            layer(LayerState::Missing("no".to_owned())),
            "fixed-addresses: missing (no); uncovered: hashes of addresses and orders by \
             address: ahash, foldhash"
        );
    }
}
