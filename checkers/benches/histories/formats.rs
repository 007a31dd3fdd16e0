//! What reading text takes: a history that is written while it is read, so that no file is needed.

use std::io::{self, BufReader, Read};
use std::mem::size_of;

use checkers::edn::{self, Fails};
use checkers::spec::ModelKind;
use checkers::{Budget, History, Operation, Outcome, Stream, jsonl};

use super::{cpu_ms, peak_mib};

/// A register's history of so many bytes: eight processes, of which one writes and all read.
struct Text {
    edn: bool,
    left: u64,
    line: Vec<u8>,
    from: usize,
    event: u64,
    value: u64,
}

impl Text {
    fn new(edn: bool, bytes: u64) -> Self {
        Self {
            edn,
            left: bytes,
            line: Vec::new(),
            from: 0,
            event: 0,
            value: 0,
        }
    }

    /// Events in rounds: all invoke, all end.
    fn next_line(&mut self) {
        let (round, place) = (self.event / 16, self.event % 16);
        let (process, ends) = (place % 8, place >= 8);
        let writes = process == 0;
        if writes && !ends {
            self.value = round + 1;
        }
        let (r#type, f) = (
            if ends { "ok" } else { "invoke" },
            if writes { "write" } else { "read" },
        );
        let value = match (writes, ends) {
            (false, false) => if self.edn { "nil" } else { "null" }.to_owned(),
            _ => self.value.to_string(),
        };
        let index = self.event;
        let line = if self.edn {
            format!(
                "{{:index {index}, :time {index}000, :process {process}, :type :{type}, :f :{f}, \
                 :value {value}}}\n"
            )
        } else {
            format!(
                "{{\"index\":{index},\"process\":{process},\"type\":\"{type}\",\"f\":\"{f}\",\
                 \"value\":{value}}}\n"
            )
        };
        self.event += 1;
        (self.line, self.from) = (line.into_bytes(), 0);
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.from == self.line.len() {
                let whole = self.event.is_multiple_of(16);
                if whole && self.left == 0 {
                    break;
                }
                self.next_line();
                self.left = self.left.saturating_sub(self.line.len() as u64);
            }
            let rest = &self.line[self.from..];
            let count = rest.len().min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&rest[..count]);
            (filled, self.from) = (filled + count, self.from + count);
        }
        Ok(filled)
    }
}

/// One format, read whole or judged row by row.
pub(crate) fn row(format: &str, way: &str, mib: u64) {
    let (edn, busy) = (format == "edn", cpu_ms());
    let text = BufReader::with_capacity(64 << 10, Text::new(edn, mib << 20));
    let mut ops = 0_usize;
    let said = match way {
        "read" => {
            let read = match edn {
                true => edn::read(text, Fails::DidNotHappen),
                false => jsonl::read(text),
            };
            let History { ops: all, .. } = read.expect("a history");
            ops = all.len();
            String::new()
        }
        _ => {
            let mut stream = Stream::new(ModelKind::Register, Budget::default());
            let mut give = |op: Operation| {
                ops += 1;
                stream.row(op)
            };
            let read = match edn {
                true => edn::stream(text, Fails::DidNotHappen, 1 << 20, &mut give),
                false => jsonl::stream(text, 1 << 20, &mut give),
            };
            read.expect("a history");
            let report = stream.finish();
            assert_eq!(report.outcome, Outcome::Ok, "{report}");
            report.outcome.to_string()
        }
    };
    let each = size_of::<Operation>();
    println!(
        "{format:<6} {way:<7} {mib:>6} MiB {ops:>9} operations, {:>6} MiB as such, {:>8.0} ms cpu, \
         peak {:>5} MiB  {said}",
        (ops * each) >> 20,
        cpu_ms() - busy,
        peak_mib(),
    );
}
