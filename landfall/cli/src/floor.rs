//! `floor`: what this machine would leak into a run.

use std::fmt::Write as _;

use landfall::floor::{Survey, survey};

use crate::args::{FloorArgs, Format};
use crate::exit::{Error, Exit};
use crate::output;

/// Looks at every source and prints the table.
pub(crate) fn run(args: &FloorArgs) -> Result<Exit, Error> {
    debug_assert!(landfall_floor::count() > 0, "the probes are linked");
    let found = survey().map_err(|error| Error::internal(error.to_string()))?;
    let exit = match found.sources.iter().all(|source| source.across_processes) {
        true => Exit::Pass,
        false => Exit::Nondeterministic,
    };
    match args.output.format {
        Format::Human => output::print(&table(&found)),
        Format::Json => output::print_json(&serde_json::json!({
            "command": "floor",
            "sources": found.sources,
            "layers": found.layers,
            "exit_code": exit.code(),
        })),
    }
    Ok(exit)
}

const HEADER: [&str; 4] = ["source", "across processes", "within a process", "layer"];

/// The table as Markdown, then the layers, then what differs.
fn table(survey: &Survey) -> String {
    let word = |yes| if yes { "yes" } else { "no" };
    let rows = survey.sources.iter().map(|source| {
        [
            source.name.as_str(),
            word(source.across_processes),
            word(source.within_process),
            source.layer.as_str(),
        ]
    });
    let rows: Vec<_> = std::iter::once(HEADER).chain(rows).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max();
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(text, "| {cell:<0$} ", width(column).unwrap_or(0));
        }
        text.push_str("|\n");
        if index == 0 {
            text.push_str("|---|---|---|---|\n");
        }
    }
    text.push('\n');
    for layer in &survey.layers {
        let _ = writeln!(text, "{layer}");
    }
    for source in &survey.sources {
        if let Some([one, other]) = &source.differs {
            let name = &source.name;
            let _ = writeln!(text, "{name} differs:\n  {one}\n  {other}");
        }
    }
    text
}
