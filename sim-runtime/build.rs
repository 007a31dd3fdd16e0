//! Says in one place what a platform has of the determinism floor:
//!
//! - `floor_symbols`: functions that shadow the C library's, and workers;
//! - `floor_traps`: traps for system calls and the time-stamp counter, and fibers.
//!
//! `--cfg landfall_portable` among the compiler's flags builds what is built where there is
//! neither, on any machine; `--cfg landfall_portable="symbols"` what is built where there are no
//! traps.

/// What Cargo says of the target; empty if it says nothing.
fn of_target(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "how Cargo talks to this program")]
    std::env::var(format!("CARGO_CFG_{name}")).ok()
}

fn is(name: &str, value: &str) -> bool {
    let listed = of_target(name).unwrap_or_default();
    listed.split(',').any(|listed| listed == value)
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(floor_symbols)");
    println!("cargo::rustc-check-cfg=cfg(floor_traps)");
    let portable = of_target("LANDFALL_PORTABLE");
    // A C library that is linked into the executable can't be shadowed, and musl's loader finds no
    // second definition.
    let is_shared_glibc =
        is("TARGET_OS", "linux") && is("TARGET_ENV", "gnu") && !is("TARGET_FEATURE", "crt-static");
    let is_known = is("TARGET_ARCH", "x86_64") || is("TARGET_ARCH", "aarch64");
    if !is_shared_glibc || !is_known || portable.as_deref() == Some("") {
        return;
    }
    println!("cargo::rustc-cfg=floor_symbols");
    if is("TARGET_ARCH", "x86_64") && portable.is_none() {
        println!("cargo::rustc-cfg=floor_traps");
    }
}
