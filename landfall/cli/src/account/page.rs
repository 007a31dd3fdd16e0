//! The report as one file that needs nothing else: style, script and data are in it.

use serde_json::Value;

use super::doc::{self, Block, escaped};

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The page; `plan` is the text that the report's lines are links to.
pub(super) fn page(title: &str, blocks: &[Block], plan: Option<&str>, data: &Value) -> String {
    let data = serde_json::to_string(data).expect("plain data has a JSON form");
    // Within a script element nothing but its end is markup; in JSON `<` only stands in strings.
    let data = data.replace('<', "\\u003c");
    let mut contents = String::new();
    for block in blocks {
        if let Block::Heading(2, id, words) = block {
            contents.push_str(&format!(
                "<a href=\"#{}\">{}</a>\n",
                escaped(id),
                escaped(words)
            ));
        }
    }
    let body = doc::html(blocks);
    let plan = plan.map(plan_html).unwrap_or_default();
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <nav aria-label=\"Sections\">\n{contents}\
         <label>Filter rows <input id=\"filter\" type=\"search\" \
         placeholder=\"verdict, fault, claim (/)\"></label>\n\
         <output id=\"filtered\"></output>\n\
         <button id=\"theme\" type=\"button\">dark / light (d)</button>\n</nav>\n\
         <main>\n{body}{plan}</main>\n\
         <div id=\"detail\" role=\"status\" aria-live=\"polite\"></div>\n\
         <script id=\"data\" type=\"application/json\">{data}</script>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

/// The plan, line by line, each with its name.
fn plan_html(text: &str) -> String {
    let mut out = "<h2 id=\"plan\">The plan</h2>\n<ol class=\"plan\">\n".to_owned();
    for (number, line) in (1..).zip(text.lines()) {
        out.push_str(&format!(
            "<li id=\"plan-{number}\">{}</li>\n",
            escaped(line)
        ));
    }
    out.push_str("</ol>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_data_ends_the_script_and_nothing_is_loaded() {
        let data = serde_json::json!({ "x": "</script><img src=x>" });
        let blocks = [Block::Heading(2, "a".to_owned(), "A".to_owned())];
        let page = page("t <b>", &blocks, Some("# <plan>\n"), &data);
        assert_eq!(page.matches("</script>").count(), 2, "{page}");
        assert!(page.contains("<li id=\"plan-1\"># &lt;plan&gt;</li>"));
        for outside in ["http:", "https:", "src=\"", "@import", "url(", "fetch("] {
            assert!(!page.contains(outside), "{outside} is in the page");
        }
    }
}
