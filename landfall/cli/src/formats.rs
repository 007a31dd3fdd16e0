//! Histories in and out, in every format: `convert`, and what `check` reads.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use checkers::{History, codec, edn, jsonl};

use crate::args::{ConvertArgs, Input, InputArgs, Written};
use crate::exit::{Error, Exit};

/// How much of a history is looked at to tell what it is, bytes.
const HEAD: usize = 64 << 10;

/// Reads a history and writes it in another format.
pub(crate) fn run(args: &ConvertArgs) -> Result<Exit, Error> {
    let history = read(&args.input)?;
    let format = args.format.unwrap_or_else(|| match ending(&args.to) {
        "edn" => Written::Edn,
        "bin" | "bincode" => Written::Bincode,
        _ => Written::Jsonl,
    });
    let name = args.to.display();
    let failed = |error: io::Error| Error::usage(format!("{name} cannot be written: {error}"));
    if args.to == Path::new("-") {
        write(&history, format, io::stdout().lock()).map_err(failed)?;
    } else {
        let file = File::create(&args.to).map_err(failed)?;
        write(&history, format, file).map_err(failed)?;
    }
    Ok(Exit::Pass)
}

fn write(history: &History, format: Written, output: impl Write) -> io::Result<()> {
    let mut output = BufWriter::new(output);
    match format {
        Written::Jsonl => jsonl::write(history, &mut output)?,
        Written::Events => jsonl::write_events(history, &mut output)?,
        Written::Edn => edn::write(history, &mut output)?,
        Written::Bincode => {
            let bytes = codec::encode(history).map_err(io::Error::other)?;
            output.write_all(&bytes)?;
        }
    }
    output.flush()
}

/// Reads a history in the format that was asked for, or that it looks like.
pub(crate) fn read(args: &InputArgs) -> Result<History, Error> {
    let name = args.history.display();
    if args.history == Path::new("-") {
        return read_from(args, BufReader::with_capacity(HEAD, io::stdin().lock()));
    }
    let file = File::open(&args.history)
        .map_err(|e| Error::usage(format!("the history {name} cannot be read: {e}")))?;
    read_from(args, BufReader::with_capacity(HEAD, file))
}

fn read_from(args: &InputArgs, mut input: impl BufRead) -> Result<History, Error> {
    let name = args.history.display();
    let unreadable = |e| Error::usage(format!("the history {name} cannot be read: {e}"));
    let format = match args.input {
        Some(format) => format,
        None => guess(&args.history, input.fill_buf().map_err(unreadable)?),
    };
    let fails = match args.refused {
        true => edn::Fails::Refused,
        false => edn::Fails::DidNotHappen,
    };
    let read = match format {
        Input::Jsonl => jsonl::read(input),
        Input::Edn => edn::read(input, fails),
        Input::JepsenLog => edn::read_log(input, fails),
        Input::Bincode => {
            let mut bytes = Vec::new();
            input.read_to_end(&mut bytes).map_err(unreadable)?;
            let decoded = codec::decode(&bytes);
            return decoded.map_err(|error| Error::usage(format!("{name}: {error}")));
        }
    };
    read.map_err(|error| {
        let jsonl::ReadError {
            line,
            column,
            message,
        } = error;
        Error::usage(format!("{name}:{line}:{column}: {message}"))
    })
}

fn ending(path: &Path) -> &str {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.unwrap_or_default()
}

/// By the ending, else by the beginning.
fn guess(path: &Path, head: &[u8]) -> Input {
    match ending(path) {
        "jsonl" | "ndjson" => return Input::Jsonl,
        "edn" => return Input::Edn,
        "bin" | "bincode" => return Input::Bincode,
        _ => {}
    }
    if head.starts_with(&codec::MAGIC) {
        return Input::Bincode;
    }
    let mut text = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (text.next(), text.next()) {
        (None, _) | (Some(b'{'), Some(b'"' | b'}')) => Input::Jsonl,
        (Some(b'{' | b'[' | b'(' | b'#' | b';'), _) => Input::Edn,
        _ if head.windows(11).any(|window| window == b"jepsen.util") => Input::JepsenLog,
        _ => Input::Jsonl,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_guessed() {
        let none = Path::new("-");
        for (head, expected) in [
            ("", Input::Jsonl),
            (" {\"index\":0", Input::Jsonl),
            ("{:process 0", Input::Edn),
            ("[{:process 0", Input::Edn),
            ("#jepsen.history.Op{", Input::Edn),
            ("INFO  jepsen.util - 0\t:invoke", Input::JepsenLog),
            ("landfallhist", Input::Bincode),
            ("nothing", Input::Jsonl),
        ] {
            assert_eq!(guess(none, head.as_bytes()), expected, "{head}");
        }
        assert_eq!(guess(Path::new("a.edn"), b"{\""), Input::Edn);
    }
}
