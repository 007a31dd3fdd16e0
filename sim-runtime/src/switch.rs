//! The one switch between simulated and real.

/// Emits its first block when this crate is built with the feature `sim`, else its second.
///
/// The macro is defined by *this* crate's feature, so a crate that uses it needs no feature of
/// its own: Cargo's unification switches the whole graph at once.
///
/// ```
/// sim_runtime::if_sim! {
///     sim { const MODE: &str = "simulated"; }
///     real { const MODE: &str = "real"; }
/// }
/// assert!(MODE == "simulated" || MODE == "real");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! if_sim {
    (sim { $($sim:tt)* } real { $($real:tt)* }) => { $($sim)* };
}

/// Emits its first block when this crate is built with the feature `sim`, else its second.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! if_sim {
    (sim { $($sim:tt)* } real { $($real:tt)* }) => { $($real)* };
}
