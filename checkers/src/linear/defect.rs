//! Seams at which tests plant defects into the engines, to see that their tests would find them.
//! In a build without tests nothing is ever planted.

#[cfg(not(test))]
use super::monitor::Verdict;
#[cfg(not(test))]
use super::partition::Partition;

/// What can be wrong with an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    SearchLooksPastReturns,
    SearchTakesNothingOptional,
    SearchTakesAllAtOnce,
    SearchTakesOptionalEarly,
    SearchForgetsStates,
    SearchTakesTheLastFirst,
    SearchWantsTooLittle,
    ItemsTakeTheLastFirst,
    ItemsTakeNothingOptional,
    ItemsForgetStates,
    ItemsForgetWhoCameSooner,
    CountsForgetWhatIsPut,
    OverwrittenForgetsTheUnknown,
    TakersComeLast,
    NestsForgetValues,
    NestsTakeNothingOptional,
    FrontierForgetsReturns,
    FrontierBelievesReads,
    FrontierForgetsChains,
    FrontierTakesNothingOptional,
    VerifierSeesNoneMissing,
    VerifierHasNoTime,
    VerifierHearsNothing,
    VerifierTakesOneTwice,
    RefuterTakesMore,
    RefuterTakesLess,
    ShrinkerStopsEarly,
    ShrinkerGoesTooFar,
    ReaderForgetsAmbiguous,
    ReaderForgetsProgramOrder,
    /// A model takes an illegal response for one that leaves the state.
    ModelBelieves,
    /// A model leaves its state as it is.
    ModelForgets,
    /// A monitor calls legal what is not.
    #[cfg(test)]
    MonitorIsCredulous,
    /// It calls illegal what is not.
    #[cfg(test)]
    MonitorAccuses,
    /// It names the operations of its order in another one.
    #[cfg(test)]
    MonitorTurnsItsOrder,
    /// It leaves one of its witnesses out.
    #[cfg(test)]
    MonitorLosesAWitness,
}

#[cfg(not(test))]
pub(crate) const fn planted(_: Defect) -> bool {
    false
}

/// Whether anything is planted.
#[cfg(not(test))]
pub(super) const fn any() -> bool {
    false
}

#[cfg(not(test))]
pub(super) fn spoil(_: &str, verdict: Verdict, _: &Partition<'_>) -> Verdict {
    verdict
}

#[cfg(test)]
pub(crate) use tests::planted;
#[cfg(test)]
pub(super) use tests::{any, spoil};

#[cfg(test)]
mod tests;
