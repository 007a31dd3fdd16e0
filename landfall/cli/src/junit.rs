//! Results as JUnit's XML, and as GitHub's annotations: what CI systems show by themselves.

use std::fmt::Write as _;

use landfall::report::SeedOutcome;

use crate::exit::{self, Exit};
use crate::sweep::Finished;

/// One suite a package, one case a test.
pub(crate) fn xml(results: &[Finished]) -> String {
    let mut out =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"landfall\">\n".to_owned();
    let mut packages: Vec<&String> = results.iter().map(|one| &one.place.package).collect();
    packages.dedup();
    for package in packages {
        let cases: Vec<_> = results
            .iter()
            .filter(|one| one.place.package == *package)
            .collect();
        let failed = cases
            .iter()
            .filter(|one| Exit::of(&one.result) != Exit::Pass)
            .count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\">",
            escaped(package),
            cases.len()
        );
        cases.iter().for_each(|one| case(&mut out, one));
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(out: &mut String, one: &Finished) {
    let result = &one.result;
    let (name, verdict) = (escaped(&result.test.test), result.judgement.verdict.name());
    let class = escaped(result.test.plan.as_deref().unwrap_or(&one.place.package));
    let _ = write!(out, "    <testcase name=\"{name}\" classname=\"{class}\"");
    if Exit::of(result) == Exit::Pass {
        let _ = writeln!(
            out,
            "><properties><property name=\"verdict\" value=\"{verdict}\"/>\
             <property name=\"seeds\" value=\"{}\"/></properties></testcase>",
            result.tally.seeds
        );
        return;
    }
    let reason = escaped(&result.judgement.reason);
    let details = result
        .tally
        .failures
        .first()
        .map(SeedOutcome::failures)
        .unwrap_or_default();
    let _ = writeln!(
        out,
        "><failure type=\"{verdict}\" message=\"{reason}\">{}</failure></testcase>",
        escaped(&details.join("\n"))
    );
}

/// One annotation a test that did not pass, at the line of the plan that says what it claims.
pub(crate) fn annotations(results: &[Finished]) -> String {
    let mut out = String::new();
    for one in results {
        let result = &one.result;
        if Exit::of(result) == Exit::Pass && !exit::is_allowed(result) {
            continue;
        }
        let kind = if result.judgement.verdict.is_fail() {
            "error"
        } else {
            "warning"
        };
        let place = match (&result.test.plan, &result.test.scenario) {
            (Some(plan), Some(scenario)) => {
                let line = scenario
                    .falsifies
                    .first()
                    .map_or(scenario.line, |claim| claim.line);
                format!(
                    " file={},line={line},",
                    property(&format!("{}/{plan}", one.place.directory))
                )
            }
            _ => " ".to_owned(),
        };
        let title = property(&format!(
            "{} {}",
            result.test.test, result.judgement.verdict
        ));
        let _ = writeln!(
            out,
            "::{kind}{place}title={title}::{}",
            data(&result.judgement.reason)
        );
    }
    out
}

/// A table for the summary of a job.
pub(crate) fn summary(results: &[Finished]) -> String {
    let mut out = "| test | verdict | seeds | failed | why |\n|---|---|---|---|---|\n".to_owned();
    for one in results {
        let result = &one.result;
        let _ = writeln!(
            out,
            "| {} {} | {} | {} | {} | {} |",
            cell(&one.place.package),
            cell(result.test.id.as_ref().unwrap_or(&result.test.test)),
            result.judgement.verdict,
            result.tally.seeds,
            result.tally.failed,
            cell(&result.judgement.reason)
        );
    }
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML 1.0 has no way to write these.
            c if (c < ' ' && !"\n\t".contains(c)) || c == '\u{fffe}' || c == '\u{ffff}' => {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, escaped, property};

    #[test]
    fn what_would_end_an_attribute_or_a_command_is_escaped() {
        assert_eq!(
            escaped("a<b & \"c\"\u{1}"),
            "a&lt;b &amp; &quot;c&quot;\u{fffd}"
        );
        assert_eq!(data("50%\nmore"), "50%25%0Amore");
        assert_eq!(property("a: b, c"), "a%3A b%2C c");
    }
}
