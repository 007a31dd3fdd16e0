//! Instructions of a process, counted by valgrind.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::Failure;

/// A program that does an operation as often as its last argument says.
pub(crate) struct Counted<'a> {
    pub(crate) program: &'a Path,
    /// What comes before the count.
    pub(crate) words: Vec<String>,
}

impl Counted<'_> {
    /// What one more operation takes: the difference of `count` and twice as many, divided, is
    /// free of everything that happens once.
    pub(crate) fn per_operation(&self, count: u64) -> Result<u64, Failure> {
        let once = self.instructions(count)?;
        let twice = self.instructions(2 * count)?;
        let more = twice.checked_sub(once).map(|more| more / count);
        more.ok_or_else(|| self.broken(&format!("{twice} instructions after {once}")))
    }

    fn broken(&self, what: &str) -> Failure {
        Failure::Broken(format!("{}: {what}", self.words.join(" ")))
    }

    fn instructions(&self, count: u64) -> Result<u64, Failure> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(self.program)
            .args(&self.words)
            .arg(count.to_string())
            // valgrind itself, which makes the program's calls for it, would die of the traps.
            .env("LANDFALL_FLOOR_WITHOUT", "tsc,inline-syscalls")
            .output();
        let output = output.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::Usage(
                "instructions are counted by valgrind, which is not installed: \
                 `apt-get install valgrind`"
                    .to_owned(),
            ),
            _ => self.broken(&error.to_string()),
        })?;
        let report = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(self.broken(&format!("{}\n{report}", output.status)));
        }
        collected(&report).ok_or_else(|| self.broken(&format!("valgrind says no count:\n{report}")))
    }
}

/// The number in callgrind's line `==123== Collected : 456`.
fn collected(report: &str) -> Option<u64> {
    let line = report.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn the_count_is_found_among_what_valgrind_says() {
        let report = "==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n";
        assert_eq!(collected(report), Some(1_234_567));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
        assert_eq!(collected("==7== Collected : 12x\n"), None);
    }
}
