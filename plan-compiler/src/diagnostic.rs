//! What a plan is told: a code, a place, a reason and a way out.

use std::fmt;
use std::ops::Range;

use serde::{Serialize, Serializer};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The scenario (or the plan) cannot be run as written.
    Error,
    /// It runs, and proves less than its author may believe.
    Warning,
}

/// Declares the codes with their numbers and one-line meanings, in one place.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// What kind of problem a diagnostic reports. The numbers are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code, in order of number.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// `P0001` and so on.
            pub fn number(self) -> &'static str {
                match self { $(Code::$name => $number,)+ }
            }

            /// What it is about, why it matters and what to write instead, with examples, as
            /// Markdown.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Code::$name => include_str!(concat!("../codes/", $number, ".md")),)+
                }
            }

            /// One line of what the code means in general.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    /// A clause has no meaning in the grammar.
    NotUnderstood = "P0001",
    /// A scenario refers to a claim that no table declares.
    UndeclaredClaim = "P0002",
    /// A scenario for a claim that needs it has no (complete) 7.M.
    MissingFormal = "P0003",
    /// A scenario names nobody who judges its history.
    NoOracle = "P0004",
    /// A scenario plans faults and does not say how it knows that they landed.
    NoLanding = "P0005",
    /// A claim that no scenario can falsify.
    ClaimWithoutScenario = "P0006",
    /// A scenario that falsifies no claim.
    ScenarioWithoutClaim = "P0007",
    /// Two claims, hypotheses or scenarios share a name.
    DuplicateId = "P0008",
    /// A scenario whose partitions all cut both ways.
    SymmetricOnly = "P0009",
    /// An oracle or checker that nobody knows by this name.
    UnknownChecker = "P0010",
    /// A known thing that is not served yet.
    NotServed = "P0011",
    /// A number or duration that cannot be read.
    BadNumber = "P0012",
    /// A workload's shares do not add up to 100 %.
    PercentSum = "P0013",
    /// A line of a scenario that belongs to no known field.
    UnknownField = "P0014",
    /// A scenario without a workload.
    NoWorkload = "P0015",
    /// A model that nobody knows by this name.
    UnknownModel = "P0016",
    /// A claim category that is not one of the eleven.
    UnknownCategory = "P0017",
    /// A code fence that is never closed hides what follows it.
    UnclosedFence = "P0018",
    /// A plan without a single scenario.
    NoScenarios = "P0019",
    /// The workload issues an operation that the model does not have.
    ModelMismatch = "P0020",
    /// A fault names a node that the topology does not have.
    NodeOutOfRange = "P0021",
    /// A fault opens when the workload is already over.
    FaultOutsideWorkload = "P0022",
    /// The plan says two things where only one can hold.
    Conflict = "P0023",
    /// Text inside a scenario that is nobody's clause.
    ProseNotCompiled = "P0024",
    /// A budget of one seed, which can never show more than PARTIAL-model.
    OneSeed = "P0025",
    /// The residual uncertainty is left empty and not said to be empty.
    EmptyResidual = "P0026",
    /// The confidence statement promises something absolute.
    AbsoluteConfidence = "P0027",
    /// Only the final state is judged.
    FinalStateOnly = "P0028",
    /// A row of a table lacks what its kind needs.
    IncompleteRow = "P0029",
    /// A hypothesis is named that section 4 does not have.
    UndeclaredHypothesis = "P0030",
    /// A scenario is named that the plan does not have, or takes over what that one lacks.
    UndeclaredScenario = "P0031",
    /// The coverage matrix and a scenario's own fields say different things.
    CoverageDiffers = "P0032",
    /// A hypothesis that no scenario tries.
    HypothesisWithoutScenario = "P0033",
    /// A hypothesis that threatens no claim.
    HypothesisWithoutClaim = "P0034",
    /// A section that readers need is not there.
    MissingSection = "P0035",
    /// A plan mode that is neither change-scoped nor project-wide.
    UnknownPlanMode = "P0036",
    /// A change-scoped plan does not name its change.
    ChangeNotNamed = "P0037",
    /// A boundary or fairness claim without surfaces (7.M.S).
    MissingSurfaces = "P0038",
    /// References that lead back to where they began.
    CyclicReference = "P0039",
    /// 7b does not argue for a claim, or gives no reason.
    AdequacyUnargued = "P0040",
    /// Every scenario runs on one size of cluster.
    OneTopology = "P0041",
    /// Landing evidence that none of the scenario's faults can produce.
    LandingCannotHold = "P0042",
    /// A durability claim, and nothing crashes.
    DurabilityWithoutCrash = "P0043",
    /// A liveness claim, and no oracle has a deadline.
    LivenessWithoutBound = "P0044",
    /// A safety claim, and no fault is planned.
    NothingGoesWrong = "P0045",
    /// Linearizability is asked of a history without concurrency.
    OneClient = "P0046",
    /// The oracle judges answers, and no operation asks for any.
    NothingObserved = "P0047",
    /// No operation of the workload changes anything.
    NothingChanges = "P0048",
    /// The hardening budget is smaller than the smoke budget.
    HardeningNotLarger = "P0049",
    /// Faults must land in more seeds than are ever run.
    LandedSeedsExceedBudget = "P0050",
    /// More hosts than a simulated network has addresses for.
    TopologyTooLarge = "P0051",
    /// A fault needs more nodes than the cluster has.
    TooFewNodes = "P0052",
    /// Bytes that are no text.
    NotUtf8 = "P0053",
    /// NUL characters, which no editor shows.
    NulCharacter = "P0054",
    /// A plan too large to be one.
    PlanTooLarge = "P0055",
    /// A failing verdict cannot be allowed.
    FailureAllowed = "P0056",
    /// A generated test whose scenario has changed since.
    TestDrifted = "P0057",
    /// A generated test that a person has changed.
    TestEdited = "P0058",
    /// A scenario whose target test file does not exist, or lacks its test.
    TestMissing = "P0059",
    /// A target test file that cannot be one of the package.
    BadTargetFile = "P0060",
    /// A claim of a kind that no oracle of its scenario looks at.
    OracleMissesClaim = "P0061",
    /// Something is required to be observable that nobody captures.
    NotCaptured = "P0062",
}

impl Code {
    /// The code of a number such as `P0005`, whatever its case; `5` will do.
    #[must_use]
    pub fn from_number(number: &str) -> Option<Code> {
        let digits = number
            .trim_start_matches(['P', 'p'])
            .trim_start_matches('0');
        let wanted = format!("P{digits:0>4}");
        Code::ALL
            .iter()
            .copied()
            .find(|code| code.number() == wanted)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.number())
    }
}

/// A problem of the plan at a place of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Which problem.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// The problem in one sentence.
    pub message: String,
    /// The bytes of the plan it is about; always on character boundaries.
    pub span: Range<usize>,
    /// Line of the first of them, from 1.
    pub line: u32,
    /// Column of the first of them in characters, from 1.
    pub column: u32,
    /// What is said under the marked bytes.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// Where lines begin, so that offsets can be said as line and column.
pub(crate) struct LineIndex<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        LineIndex { text, starts }
    }

    /// The line an offset is on, from 1.
    pub(crate) fn line(&self, offset: usize) -> u32 {
        let line = self.starts.partition_point(|start| *start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// Line and column (in characters), both from 1.
    pub(crate) fn position(&self, offset: usize) -> (u32, u32) {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line(offset);
        let start = self.starts[line as usize - 1];
        let column = self.text[start..offset].chars().count() + 1;
        (line, u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// The span moved onto character boundaries inside the text.
    pub(crate) fn snap(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.ceil_char_boundary(span.end).max(start);
        start..end
    }
}
