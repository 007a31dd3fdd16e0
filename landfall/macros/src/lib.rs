//! The macros of `landfall`: a plan's scenarios and hand-written simulations as `#[test]`s.
//!
//! Takes a plan's path or an `async fn`, gives a `#[test]` and an entry in landfall's registry for
//! each scenario, so that `cargo test` and a sweep find the same ones.
//!
//! *Invariants*
//! - A problem of a plan is never a compile error: its test fails when run, with the diagnostics.
//!   Only a file that cannot be read and arguments that make no sense stop the build.
//! - No scenario of a plan is left out: one that cannot run has a test too, which fails.
//! - Nothing is generated that names another crate than `landfall`, but for one item of `tokio`
//!   where the package depends on it: the real one has no such item.
//!
//! *Modules*: `plan`, `hand`, `patched`.

use proc_macro::TokenStream;

mod hand;
mod patched;
mod plan;

/// Makes every scenario of a Markdown plan a `#[test]` and an entry for sweeps.
///
/// `plan!("plan.md", system = MySystem::new())`: the path is relative to the manifest of the
/// crate; the expression makes the system under test, anew for each seed. The crate is rebuilt
/// when the plan changes. With `scenario = "S1"` it is this one alone. With `test = false` the
/// scenarios are entries for sweeps and replays only: for those that are too long for
/// `cargo test`, or are meant to fail.
///
/// # Errors
/// Does not compile when the file cannot be read or the arguments are others than these. Problems
/// of the plan itself are reported by the tests.
#[proc_macro]
pub fn plan(input: TokenStream) -> TokenStream {
    checked(plan::expand(input.into()))
}

/// Makes an `async fn` a simulation: a `#[test]` that runs it under several seeds, and an entry
/// for sweeps.
///
/// `#[landfall::test]` or `#[landfall::test(seeds = 20)]`, on a function without parameters that
/// returns `()` or a `Result`. With `test = false` it is an entry for sweeps and replays only.
///
/// # Errors
/// Does not compile on anything but such a function, or with other arguments.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    checked(hand::expand(arguments.into(), item.into()))
}

/// What was made, and the check that goes with it; or what is wrong.
fn checked(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    let checked = expanded.map(|mut tokens| {
        tokens.extend(patched::check());
        tokens
    });
    checked
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
