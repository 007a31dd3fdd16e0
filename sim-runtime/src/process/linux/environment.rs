//! The environment of a worker, made the same wherever it is started.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{CStr, OsStr, OsString};

use crate::interpose::floor::WITHOUT_VARIABLE;
use crate::process::exit::WorkerCommand;
use crate::process::protocol::VARIABLE;

/// Where the C library looks for what it is told. A guest does not see it.
pub(super) const TUNABLES: &CStr = c"GLIBC_TUNABLES";
/// In the environment if the number of variables were odd without it.
const EVEN: &str = "LANDFALL_WORKER_EVEN";
/// Where children look for programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What the C library's allocator is told: to keep freed blocks of each small size at hand, instead
/// of seven of them, which takes a twentieth off a seed. It is read before there is any code of
/// ours; a library that does not know it ignores it.
const ALLOCATOR: &str = "glibc.malloc.tcache_count=2000";
/// The strings at the top of a worker's stack take a multiple of this many bytes.
const STRINGS_UNIT: usize = 8192;

/// The variables of a worker that is started by `command` from the path `exe`.
///
/// The kernel puts the environment, the argument and the path at the top of the stack, and so
/// all below moves with their lengths. The value of [`VARIABLE`] pads them to a fixed one.
pub(super) fn of(command: &WorkerCommand, exe: &OsStr) -> BTreeMap<OsString, OsString> {
    #[expect(clippy::disallowed_methods, reason = "what std reads, handed on")]
    let backtrace = env::var_os("RUST_BACKTRACE").unwrap_or_else(|| "0".into());
    let mut variables: BTreeMap<OsString, OsString> = BTreeMap::new();
    variables.insert("PATH".into(), PATH.into());
    variables.insert("RUST_BACKTRACE".into(), backtrace);
    variables.insert(
        TUNABLES.to_string_lossy().into_owned().into(),
        ALLOCATOR.into(),
    );
    #[expect(clippy::disallowed_methods, reason = "what the floor reads, handed on")]
    if let Some(without) = env::var_os(WITHOUT_VARIABLE) {
        variables.insert(WITHOUT_VARIABLE.into(), without);
    }
    variables.extend(command.extra_env.iter().cloned());
    variables.insert(VARIABLE.into(), OsString::new());
    if variables.len() % 2 == 1 {
        // The kernel rounds the stack to 16 bytes below the pointers, of 8 bytes each.
        variables.insert(EVEN.into(), OsString::new());
    }
    // Each with its `=` and NUL and its pointer; the path twice, as argument and by itself.
    let used: usize = variables
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2 + size_of::<usize>())
        .sum();
    let used = used + 2 * (exe.len() + 1);
    let padding = used.next_multiple_of(STRINGS_UNIT) - used;
    variables.insert(VARIABLE.into(), "0".repeat(padding).into());
    variables
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::PathBuf;

    use super::{STRINGS_UNIT, of};
    use crate::process::exit::WorkerCommand;

    #[test]
    fn the_top_of_the_stack_is_the_same_for_any_path_and_variables() {
        for (exe, extra) in [
            ("/a", None),
            ("/home/somebody/target/deps/it-1", Some("value")),
        ] {
            let command = WorkerCommand {
                exe: PathBuf::from(exe),
                cwd: PathBuf::from("/"),
                extra_env: extra
                    .iter()
                    .map(|value| ("EXTRA".into(), value.into()))
                    .collect(),
            };
            let variables = of(&command, OsStr::new(exe));
            let strings: usize = variables
                .iter()
                .map(|(name, value)| name.len() + value.len() + 10)
                .sum();
            assert!(variables.len().is_multiple_of(2), "{variables:?}");
            assert_eq!(strings + 2 * (exe.len() + 1), STRINGS_UNIT, "{exe}");
        }
    }
}
