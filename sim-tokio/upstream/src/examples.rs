//! Examples in documentation, found as rustdoc finds them, and written as modules of one program.

use std::collections::BTreeMap;

/// An example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The file, from `src`.
    pub file: String,
    /// The line of its fence, from 1.
    pub line: usize,
    /// Its fence asks for no more than that it compiles.
    pub is_built_only: bool,
    /// It is to panic.
    pub panics: bool,
    /// Its lines, those that rustdoc hides among them.
    pub code: String,
}

impl Example {
    /// `net_tcp_stream_line_12`.
    pub fn name(&self) -> String {
        let file = self.file.strip_suffix(".rs").unwrap_or(&self.file);
        format!("{}_line_{}", file.replace('/', "_"), self.line)
    }
}

/// Lines `example | why`, for those that cannot be run like this.
pub fn known(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" | "))
        .map(|(name, why)| (name.trim().to_owned(), why.trim().to_owned()))
        .collect()
}

/// The examples in a file's comments. Those that rustdoc would not build are left out, and so are
/// those that must not compile.
pub fn examples(file: &str, text: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String, Vec<&str>)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let comment = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"));
        let Some(comment) = comment else {
            open = None;
            continue;
        };
        let comment = comment.strip_prefix(' ').unwrap_or(comment);
        let fence = comment.trim().strip_prefix("```");
        open = match (open.take(), fence) {
            (None, None) => None,
            (None, Some(words)) => Some((index + 1, words.to_owned(), Vec::new())),
            (Some((line, words, mut lines)), None) => {
                lines.push(comment);
                Some((line, words, lines))
            }
            (Some((line, words, lines)), Some(_)) => {
                found.extend(example(file, line, &words, &lines));
                None
            }
        };
    }
    found
}

fn example(file: &str, line: usize, words: &str, lines: &[&str]) -> Option<Example> {
    let mut example = Example {
        file: file.to_owned(),
        line,
        is_built_only: false,
        panics: false,
        code: lines.iter().map(|line| shown(line)).collect(),
    };
    for word in words.split(|c: char| c == ',' || c.is_whitespace()) {
        match word {
            "" | "rust" | "ignore-wasm" => {}
            "no_run" => example.is_built_only = true,
            "should_panic" => example.panics = true,
            _ => return None,
        }
    }
    Some(example)
}

/// A line as the compiler gets it: rustdoc hides those that begin with `# `.
fn shown(line: &str) -> String {
    let rest = line.trim_start();
    let line = match rest.strip_prefix('#') {
        Some("") => "",
        Some(hidden) if hidden.starts_with(' ') => hidden,
        Some(hidden) if hidden.starts_with('#') => hidden,
        _ => line,
    };
    format!("{line}\n")
}

/// Whether an example is a program: within a block, its `main` is nobody's.
fn has_main(code: &str) -> bool {
    let mut depth = 0;
    for line in code.lines() {
        if depth == 0 && line.contains("fn main(") {
            return true;
        }
        for c in line.chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
        }
    }
    false
}

/// An example as a module with a test.
pub fn module(example: &Example) -> String {
    let name = example.name();
    // Attributes of a crate are of no use to a module.
    let lines = example.code.lines();
    let code: Vec<&str> = lines
        .filter(|line| !line.trim().starts_with("#!"))
        .collect();
    let code = code.join("\n");
    let body = match () {
        () if has_main(&code) => code,
        () if code.trim_end().ends_with("(())") => format!(
            "fn main() {{\nfn inner() -> ::core::result::Result<(), impl ::core::fmt::Debug> {{\n\
             {code}\n}}\ninner().unwrap()\n}}"
        ),
        () => format!("fn main() {{\n{code}\n}}"),
    };
    let mut attributes = String::from("#[test]\n");
    if example.is_built_only {
        attributes.push_str("#[ignore = \"it is to be built only\"]\n");
    }
    if example.panics {
        attributes.push_str("#[should_panic]\n");
    }
    format!(
        "mod {name} {{\n{body}\n\n{attributes}fn runs() {{\nlet end = \
         ::std::process::Termination::report(main());\nassert_eq!(format!(\"{{end:?}}\"), \
         format!(\"{{:?}}\", ::std::process::ExitCode::SUCCESS));\n}}\n}}\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_found_as_rustdoc_finds_them() {
        let text = "\
/// ```
/// # use a::b;
/// #
/// let c = #[d] e;
/// ## f
/// ```
fn g() {}
    //! ```rust,no_run
    //! fn main() {}
    //! ```
/// ```text
/// no
/// ```
/// ```should_panic,ignore-wasm
/// h();
/// ```
/// ```compile_fail
/// ```
/// ```
/// never closed
fn i() {}
";
        let found = examples("net/tcp.rs", text);
        let told: Vec<_> = found
            .iter()
            .map(|example| (example.name(), example.is_built_only, example.panics))
            .collect();
        let name = |line: u32| format!("net_tcp_line_{line}");
        assert_eq!(
            told,
            [
                (name(1), false, false),
                (name(8), true, false),
                (name(14), false, true)
            ]
        );
        assert_eq!(found[0].code, " use a::b;\n\nlet c = #[d] e;\n# f\n");
        assert!(module(&found[0]).contains("mod net_tcp_line_1 {\nfn main() {"));
        assert!(module(&found[1]).contains("#[ignore"));
    }

    #[test]
    fn an_example_may_end_with_a_result() {
        let example = Example {
            file: "a.rs".to_owned(),
            line: 1,
            is_built_only: false,
            panics: false,
            code: "#![deny(b)]\nOk::<(), c::D>(())\n".to_owned(),
        };
        let module = module(&example);
        assert!(module.contains("inner().unwrap()"));
        assert!(!module.contains("deny"));
    }

    #[test]
    fn a_main_within_a_block_is_not_the_programs() {
        assert!(has_main("use a;\n#[b::main]\nasync fn main() {}\n"));
        assert!(!has_main("#[cfg(c)]\n{\nfn main() {}\n}\n"));
    }

    #[test]
    fn what_is_known_has_a_reason() {
        let known = known("# a | b\nc_line_1 | d\n\n");
        assert_eq!(
            known.into_iter().collect::<Vec<_>>(),
            [("c_line_1".into(), "d".into())]
        );
    }
}
