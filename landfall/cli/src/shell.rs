//! `completions` and `man`: the command line, for shells and for `man`, out of its one definition.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::args::{CompletionsArgs, ManArgs};
use crate::exit::{Error, Exit};

/// How shells and `man` call the command.
const NAME: &str = "cargo-landfall";

/// Writes what a shell needs to the standard output.
pub(crate) fn completions(args: &CompletionsArgs, command: Command) -> Result<Exit, Error> {
    let mut text = Vec::new();
    let mut command = command.name(NAME).bin_name(NAME);
    clap_complete::generate(args.shell, &mut command, NAME, &mut text);
    write(&text)
}

/// Writes the page of the command to the standard output, or those of all into a directory.
pub(crate) fn man(args: &ManArgs, command: Command) -> Result<Exit, Error> {
    let command = command.name(NAME).bin_name(NAME);
    let Some(directory) = &args.out else {
        return write(&page(command)?);
    };
    fs::create_dir_all(directory).map_err(|error| unwritten(directory, &error))?;
    for (name, command) in all(NAME, command) {
        let path = directory.join(format!("{name}.1"));
        fs::write(&path, page(command)?).map_err(|error| unwritten(&path, &error))?;
    }
    Ok(Exit::Pass)
}

/// Every command by the name of its page.
fn all(name: &str, command: Command) -> Vec<(String, Command)> {
    let below: Vec<Command> = command.get_subcommands().cloned().collect();
    let mut pages = vec![(name.to_owned(), command)];
    for one in below.into_iter().filter(|one| one.get_name() != "help") {
        let name = format!("{name}-{}", one.get_name());
        let one = one.name(name.clone());
        pages.extend(all(&name, one));
    }
    pages
}

fn page(command: Command) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    let rendered = Man::new(command).render(&mut text);
    rendered.map_err(|error| Error::internal(format!("the page cannot be made: {error}")))?;
    Ok(text)
}

fn write(text: &[u8]) -> Result<Exit, Error> {
    let written = io::stdout().write_all(text);
    // Whoever reads may stop.
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(unwritten(Path::new("the standard output"), &error))
        }
        _ => Ok(Exit::Pass),
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Error {
    Error::usage(format!("{} cannot be written: {error}", path.display()))
}
