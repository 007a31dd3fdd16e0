//! Metrics in the lines of guests' logs: fields of events, by the convention of the exporters of
//! `tracing`, or `metric = "name", value = 3`.

/// How a metric's name begins as a field, and whether what follows adds up.
const PREFIXES: [(&str, bool); 4] = [
    (" monotonic_counter.", true),
    (" counter.", true),
    (" gauge.", false),
    (" histogram.", false),
];

/// A field that is a metric's name.
const NAMED: &str = " metric=";

/// Whether an event says something of any metric.
pub(crate) fn is_told(text: &str) -> bool {
    let mut prefixes = PREFIXES.iter().map(|(prefix, _)| *prefix);
    prefixes.any(|prefix| text.contains(prefix)) || text.contains(NAMED)
}

/// What an event says of a metric, and whether it is to be added to what came before.
pub(crate) fn value_of(text: &str, name: &str) -> Option<(f64, bool)> {
    for (prefix, adds) in PREFIXES {
        let field = format!("{prefix}{name}=");
        if let Some((_, rest)) = text.split_once(&field) {
            return number(rest).map(|value| (value, adds));
        }
    }
    // `metric = "name", value = 3`.
    let named = ["", "\""].map(|quote| format!("{NAMED}{quote}{name}{quote}"));
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(' ');
    let is_named = |field: &String| {
        text.split_once(field.as_str())
            .is_some_and(|(_, r)| ends(r))
    };
    named.iter().any(is_named).then_some(())?;
    match text.split_once(" value=") {
        Some((_, rest)) => number(rest).map(|value| (value, false)),
        None => Some((1.0, true)),
    }
}

fn number(rest: &str) -> Option<f64> {
    rest.split(' ').next()?.trim_matches('"').parse().ok()
}
