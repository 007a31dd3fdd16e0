//! What a person says of an item: `path | status | why`, a line each.

use std::collections::BTreeMap;

/// What is said of an item and, with `::*`, of all below it.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) status: Status,
    pub(crate) why: String,
}

/// What a note may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It is there and refuses its work inside a simulation.
    Refused,
    /// It works, and something about it is to be known.
    Differs,
}

/// Notes by path.
pub(crate) type Notes = BTreeMap<String, Note>;

/// Reads the notes.
pub(crate) fn parse(text: &str) -> Result<Notes, String> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(note).collect()
}

fn note(line: &str) -> Result<(String, Note), String> {
    let parts: Vec<_> = line.splitn(3, '|').map(str::trim).collect();
    let [path, status, why] = parts[..] else {
        return Err(format!("not a note: {line}"));
    };
    let status = match status {
        "refused" => Status::Refused,
        "differs" => Status::Differs,
        _ => return Err(format!("no such status: {line}")),
    };
    let why = why.to_owned();
    Ok((path.to_owned(), Note { status, why }))
}

/// The note on `path`, or on a module or type above it.
pub(crate) fn find<'a>(notes: &'a Notes, path: &str) -> Option<&'a Note> {
    if let Some(note) = notes.get(path) {
        return Some(note);
    }
    let mut above = path.split(": ").next().unwrap_or_default();
    loop {
        if let Some(note) = notes.get(&format!("{above}::*")) {
            return Some(note);
        }
        above = above.rsplit_once("::")?.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_holds_for_what_is_below_it() {
        let notes = parse("# c\nprocess::* | refused | no processes\nio::X | differs | so\n");
        let notes = notes.unwrap();
        let status = |path| find(&notes, path).map(|note| note.status);
        assert_eq!(status("process::Command::spawn"), Some(Status::Refused));
        assert_eq!(status("process::Command: Debug"), Some(Status::Refused));
        assert_eq!(status("io::X"), Some(Status::Differs));
        assert_eq!(status("io::X::y"), None);
        assert!(parse("a | b").is_err() && parse("a | b | c").is_err());
    }
}
