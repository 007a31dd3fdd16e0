//! Histories in and out, in every format: `convert`, and what `check` reads.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use checkers::{History, Note, Operation, codec, edn, jsonl};

use crate::args::{ConvertArgs, Input, InputArgs, Written};
use crate::exit::{Error, Exit};

/// How much of a history is looked at to tell what it is, bytes.
const HEAD: usize = 64 << 10;

/// Reads a history and writes it in another format.
pub(crate) fn run(args: &ConvertArgs) -> Result<Exit, Error> {
    let (history, _) = read(&args.input)?;
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

/// Reads a history in the format that was asked for, or that it looks like, with what is odd in
/// it.
pub(crate) fn read(args: &InputArgs) -> Result<(History, Vec<Note>), Error> {
    let name = args.history.display();
    if args.history == Path::new("-") {
        return read_from(args, BufReader::with_capacity(HEAD, io::stdin().lock()));
    }
    let file = File::open(&args.history)
        .map_err(|e| Error::usage(format!("the history {name} cannot be read: {e}")))?;
    read_from(args, BufReader::with_capacity(HEAD, file))
}

/// Rows that a stream holds back behind one that has no completion.
const HELD_MAX: usize = 1 << 20;

/// Gives the rows of a history one by one.
pub(crate) fn stream(
    args: &InputArgs,
    give: &mut dyn FnMut(Operation) -> Result<(), String>,
) -> Result<(), Error> {
    if args.history == Path::new("-") {
        let input = BufReader::with_capacity(HEAD, io::stdin().lock());
        return stream_from(args, input, give);
    }
    let name = args.history.display();
    let file = File::open(&args.history)
        .map_err(|e| Error::usage(format!("the history {name} cannot be read: {e}")))?;
    stream_from(args, BufReader::with_capacity(HEAD, file), give)
}

fn stream_from(
    args: &InputArgs,
    mut input: impl BufRead,
    give: &mut dyn FnMut(Operation) -> Result<(), String>,
) -> Result<(), Error> {
    skip_mark(args, &mut input)?;
    let streamed = match format_of(args, &mut input)? {
        Input::Jsonl => jsonl::stream(input, HELD_MAX, give),
        Input::Edn | Input::PorcupineKv => edn::stream(input, fails_of(args), HELD_MAX, give),
        Input::JepsenLog | Input::PorcupineEtcd => {
            edn::stream_log(input, fails_of(args), HELD_MAX, give)
        }
        Input::Bincode => {
            let message = "--stream reads text: convert the history, or leave --stream out";
            return Err(Error::usage(message.to_owned()));
        }
    };
    streamed.map_err(|error| misread(args, error))
}

/// Skips the mark with which some editors begin a text, if it is one in UTF-8.
fn skip_mark(args: &InputArgs, input: &mut impl BufRead) -> Result<(), Error> {
    let name = args.history.display();
    let head = input
        .fill_buf()
        .map_err(|e| Error::usage(format!("the history {name} cannot be read: {e}")))?;
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        let message = format!("the history {name} is in UTF-16: write it in UTF-8");
        return Err(Error::usage(message));
    }
    if head.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    Ok(())
}

fn format_of(args: &InputArgs, input: &mut impl BufRead) -> Result<Input, Error> {
    let name = args.history.display();
    let unreadable = |e| Error::usage(format!("the history {name} cannot be read: {e}"));
    Ok(match args.input {
        Some(format) => format,
        None => guess(&args.history, input.fill_buf().map_err(unreadable)?),
    })
}

fn fails_of(args: &InputArgs) -> edn::Fails {
    match args.refused || args.input == Some(Input::PorcupineEtcd) {
        true => edn::Fails::Refused,
        false => edn::Fails::DidNotHappen,
    }
}

fn misread(args: &InputArgs, error: jsonl::ReadError) -> Error {
    let name = args.history.display();
    let jsonl::ReadError {
        line,
        column,
        message,
    } = error;
    let told = args.input.is_some() || known(&args.history).is_some();
    let remedy = match told {
        true => "",
        false => " (how it begins says its format: name another by --input)",
    };
    Error::usage(format!("{name}:{line}:{column}: {message}{remedy}"))
}

fn read_from(args: &InputArgs, mut input: impl BufRead) -> Result<(History, Vec<Note>), Error> {
    let name = args.history.display();
    let unreadable = |e| Error::usage(format!("the history {name} cannot be read: {e}"));
    skip_mark(args, &mut input)?;
    let format = format_of(args, &mut input)?;
    let fails = fails_of(args);
    let whole = |history| (history, Vec::new());
    let read = match format {
        Input::Jsonl => jsonl::read_noted(input),
        Input::Edn | Input::PorcupineKv => edn::read_noted(input, fails),
        Input::JepsenLog | Input::PorcupineEtcd => edn::read_log_noted(input, fails),
        Input::Bincode => {
            let mut bytes = Vec::new();
            input.read_to_end(&mut bytes).map_err(unreadable)?;
            let decoded = codec::decode(&bytes).map(whole);
            return decoded.map_err(|error| Error::usage(format!("{name}: {error}")));
        }
    };
    read.map_err(|error| misread(args, error))
}

fn ending(path: &Path) -> &str {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.unwrap_or_default()
}

/// What the ending says.
fn known(path: &Path) -> Option<Input> {
    Some(match ending(path) {
        "jsonl" | "ndjson" => Input::Jsonl,
        "edn" => Input::Edn,
        "bin" | "bincode" => Input::Bincode,
        _ => return None,
    })
}

/// By the ending, else by the beginning.
fn guess(path: &Path, head: &[u8]) -> Input {
    if let Some(input) = known(path) {
        return input;
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
