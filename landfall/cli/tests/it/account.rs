//! The session that a sweep writes, and its report in a real browser where there is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::on_landfall;

const FAILS: &str = "failures::unsynced::s1_acknowledged_writes_survive";

/// What a reader does with the page, and what it must look like then. The answer is the title.
const READER: &str = r##"<script>
window.addEventListener("load", () => setTimeout(() => {
  const said = [];
  const must = (what, holds) => { if (!holds) said.push(what); };
  const press = (key) => document.activeElement.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const { figures, tests } = window.report;
  must("two pictures and a curve", figures.length === 3);
  const filter = document.getElementById("filter");
  const shown = () => document.querySelectorAll("tbody tr:not([hidden])").length;
  const all = shown();
  filter.value = "no-lost-ack";
  filter.dispatchEvent(new Event("input"));
  must("fewer rows when filtered", shown() > 0 && shown() < all);
  filter.value = "";
  filter.dispatchEvent(new Event("input"));
  must("all rows again", shown() === all);
  const link = document.querySelector("a[href^='#op-']");
  must("an operation to go to", link !== null);
  location.hash = link.getAttribute("href");
  setTimeout(() => {
    const detail = document.getElementById("detail").textContent;
    must("the operation is told", /of the finding: operation \d+/.test(detail));
    const timeline = figures.find((one) => one.kind === "timeline");
    must("the timeline has the focus", document.activeElement === timeline.canvas);
    const span = () => timeline.to - timeline.from;
    const before = span();
    press("ArrowUp");
    must("it zooms by keyboard", span() < before);
    press("0");
    must("it shows all again", span() === tests[0].end);
    press("n");
    must("the next operation of the finding is chosen", timeline.chosen !== null);
    const claim = document.querySelector("a[href^='#plan-']").getAttribute("href");
    must("a claim's line is there", document.querySelector(claim) !== null);
    press("Escape");
    document.body.focus();
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "d" }));
    must("it turns dark or light", document.documentElement.dataset.theme !== undefined);
    // A hundred thousand operations of four clients, each drawn in bins.
    const many = { name: "many", seed: 1, end: 1e11, leads: [], windows: [], lines: [],
      marked: [77], prefix: [], curve: null, ops: [] };
    for (let n = 0; n < 100000; n += 1) {
      many.ops.push([n, n % 4, n * 1e6, n * 1e6 + 3e6, n % 50 === 0 ? 2 : 0, "op " + n, "n1"]);
    }
    const place = document.createElement("div");
    document.querySelector("main").append(place);
    const figure = new timeline.constructor(place, "timeline", timeline.prepare(many));
    figure.draw();
    must("many are drawn in bins", figure.drawn === "100000 operations in bins");
    figure.show(5e10, 5e10 + 1e8);
    must("few of many are drawn one by one", /^10\d operations$/.test(figure.drawn));
    document.title = said.length === 0 ? "all is well" : "not: " + said.join("; ");
  }, 50);
}, 50));
</script>
</body>"##;

/// An empty directory for one test.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    path
}

/// The only thing in a directory.
fn only(directory: &Path) -> PathBuf {
    let mut entries = fs::read_dir(directory).expect("it is a directory");
    let first = entries
        .next()
        .expect("it has something")
        .expect("it can be read");
    assert!(
        entries.next().is_none(),
        "{} has one entry",
        directory.display()
    );
    first.path()
}

#[test]
fn a_sweep_leaves_a_session_and_a_report_that_can_be_read() {
    let home = directory("account");
    let out = home.to_str().expect("UTF-8");
    let answer = on_landfall("sweep", FAILS, &["--seeds", "4", "--out", out]);
    assert_eq!(answer.code, 100, "{}", answer.stderr);
    let session = only(&only(&home));
    let read = |path: &str| {
        let text = fs::read_to_string(session.join(path));
        text.unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let log = read("session-log.md");
    assert!(log.contains("FAIL-reproducible  S1"), "{log}");
    assert!(log.contains("environment: "), "{log}");
    let report = read("findings/report.md");
    for part in [
        "Session: **FAIL**. failed: S1.",
        "## Summary",
        "## Scenario results",
        "## Findings",
        "## Coverage",
        "## Adequacy against 7b",
        "## Confidence delta against 7d",
        "Lowered for C2",
        "## Green-but-broken audit",
        "## Surface coverage",
        "## Budgets",
        "cargo landfall replay",
        "decisive: it passes without",
        "| run the same seed again | 2 further runs fail alike, event for event | nobody |",
        "type crash-recovery: without S1.power-loss-n1 the same seed does not fail so",
        "severity **P0**",
        "Blame: **SUT**",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    for folder in ["logs", "metrics", "artifacts"] {
        let entries = fs::read_dir(session.join(folder)).expect("it is there");
        assert!(entries.count() > 0, "{folder} is empty");
    }
    let artifacts = fs::read_dir(session.join("artifacts")).expect("it is there");
    let ledger = artifacts
        .map(|entry| entry.expect("it can be read").path())
        .find(|path| path.to_string_lossy().ends_with("-ledger.json"));
    let ledger = fs::read(ledger.expect("a ledger")).expect("it can be read");
    let ledger: serde_json::Value = serde_json::from_slice(&ledger).expect("JSON");
    let without = &ledger[0]["without"];
    assert_eq!(without["fault"], "S1.power-loss-n1", "{ledger}");
    assert_eq!(without["decisive"], true, "{ledger}");
    assert!(read("findings/s1-acknowledged_writes_survive.md").contains("Blame: **SUT**"));
    let page = read("findings/report.html");
    in_a_browser(&session.join("findings"), &page);
}

/// Opens the page and does with it what a reader does; says so where there is no browser.
fn in_a_browser(folder: &Path, page: &str) {
    let read = folder.join("read.html");
    // The page's own function is not seen from outside; the reader's copy lets it out.
    let page = page
        .replace(
            "window.report = { tests, figures };",
            "Figure.prototype.prepare = prepare;\n  window.report = { tests, figures };",
        )
        .replace("</body>", READER);
    fs::write(&read, page).expect("it can be written");
    let profile = folder.join("profile");
    let flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--virtual-time-budget=20000",
        "--enable-logging=stderr",
        "--window-size=1200,900",
        "--dump-dom",
    ];
    let started = Command::new("chromium")
        .args(flags)
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", read.display()))
        .stdin(Stdio::null())
        .output();
    let Ok(output) = started else {
        eprintln!("no chromium here: the page was not opened in a browser");
        return;
    };
    let dom = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let console: Vec<&str> = errors
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert!(console.is_empty(), "{console:?}");
    let title = dom
        .split("<title>")
        .nth(1)
        .and_then(|rest| rest.split("</title>").next());
    assert_eq!(title, Some("all is well"), "{errors}");
}
