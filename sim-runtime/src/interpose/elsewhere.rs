//! Where there are no hooks.

/// Why the symbols layer is missing.
pub(crate) fn state() -> Result<(), String> {
    Err("needs Linux with a shared glibc on x86-64 or aarch64".to_owned())
}
