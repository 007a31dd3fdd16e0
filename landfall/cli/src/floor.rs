//! `floor`: what this machine would leak into a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use landfall::floor::{Source, Survey, survey};

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
    let name_of = |source: &Source| source.name.clone();
    let follow_seed = found.sources.iter().filter(|source| source.follows_seed);
    let follow_seed: Vec<_> = follow_seed.map(name_of).collect();
    let troubled = found.sources.iter().filter_map(|source| {
        let trouble = source.trouble.clone()?;
        Some((source.name.clone(), trouble))
    });
    let trouble: BTreeMap<_, _> = troubled.collect();
    match args.output.format {
        Format::Human => output::print(&table(&found)),
        Format::Json | Format::Jsonl => output::print_json(&serde_json::json!({
            "sources": found.sources,
            "command": "floor",
            "layers": found.layers,
            "follow_seed": follow_seed,
            "trouble": trouble,
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
        if let Some(trouble) = &source.trouble {
            let _ = writeln!(text, "{}: {trouble}", source.name);
        }
    }
    text
}
