//! Lines of bounded length, as UTF-8, with their numbers.

use std::io::{self, BufRead};

use super::ReadError;

/// Reads line by line and never holds more than `line_max` bytes of one.
pub(super) struct Lines<R> {
    input: R,
    line_max: usize,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R, line_max: usize) -> Self {
        Self {
            input,
            line_max,
            number: 0,
            line: Vec::new(),
        }
    }

    /// The line that was read last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not blank, without its end, and its number.
    pub(super) fn next_line(&mut self) -> Result<Option<(u64, &str)>, ReadError> {
        loop {
            if !self.fill()? {
                return Ok(None);
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        match std::str::from_utf8(&self.line) {
            Ok(line) => Ok(Some((self.number, line))),
            Err(error) => Err(ReadError {
                line: self.number,
                column: error.valid_up_to() as u64 + 1,
                message: "not UTF-8".to_owned(),
            }),
        }
    }

    /// Fills `line` with the next one; false at the end of the input.
    fn fill(&mut self) -> Result<bool, ReadError> {
        self.line.clear();
        self.number += 1;
        let mut any = false;
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let column = self.line.len() as u64 + 1;
                    let message = format!("the input can not be read: {error}");
                    return Err(ReadError {
                        line: self.number,
                        column,
                        message,
                    });
                }
            };
            if available.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(available.len());
            if self.line.len() + taken > self.line_max {
                let message = format!("the line is longer than {} bytes", self.line_max);
                let column = self.line_max as u64 + 1;
                return Err(ReadError {
                    line: self.number,
                    column,
                    message,
                });
            }
            self.line.extend_from_slice(&available[..taken]);
            self.input.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}
