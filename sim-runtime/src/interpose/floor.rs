//! The floor report: which layers this process has, and why it lacks the others.

use std::fmt;

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
            LayerState::Missing(reason) => write!(f, "{}: missing ({reason})", self.name.as_str()),
        }
    }
}

/// What this process and this thread can rely on, layer by layer, lowest number first.
///
/// Call it on the thread of the simulation. Costs a dozen symbol look-ups and a system call: once
/// a run, not once an event.
pub fn report() -> Vec<Layer> {
    let uncovered = |what: &str| Err(format!("{what} are not caught"));
    [
        (LayerName::Symbols, super::hooks::state()),
        (
            LayerName::InlineSyscalls,
            uncovered("system calls made without libc"),
        ),
        (LayerName::Tsc, uncovered("reads of the time-stamp counter")),
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
            "fixed-addresses: missing (no)"
        );
    }
}
