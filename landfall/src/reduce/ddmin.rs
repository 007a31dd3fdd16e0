//! Delta debugging over a list: which of its items it takes.

/// Drops what can be dropped of `items`, in ever smaller pieces, until no single one can be.
///
/// `first` is given candidates, each with one piece less, and says which of them, the earliest,
/// still fails; `None` where none does, or where no more may be tried. After Zeller and
/// Hildebrandt, *Simplifying and Isolating Failure-Inducing Input* (2002), with a sweep over the
/// pieces of one size in place of a restart after each success: at most O(n log n) candidates
/// when few items matter, O(n^2) at worst.
pub(super) fn ddmin<T: Clone>(
    items: Vec<T>,
    first: &mut dyn FnMut(Vec<Vec<T>>) -> Option<usize>,
) -> Vec<T> {
    if items.is_empty() || first(vec![Vec::new()]).is_some() {
        return Vec::new();
    }
    let mut kept = items;
    let mut size = kept.len().div_ceil(2);
    while kept.len() > 1 {
        let dropped = sweep(&mut kept, size, first);
        if size == 1 && !dropped {
            break;
        }
        size = size.min(kept.len()).div_ceil(2).max(1);
    }
    kept
}

/// Tries to drop every piece of `size` items, from the last to the first; whether one could be.
fn sweep<T: Clone>(
    kept: &mut Vec<T>,
    size: usize,
    first: &mut dyn FnMut(Vec<Vec<T>>) -> Option<usize>,
) -> bool {
    let mut end = kept.len();
    let mut dropped = false;
    while end > 0 {
        let lasts = (0..end).rev().step_by(size);
        let pieces: Vec<_> = lasts
            .map(|last| ((last + 1).saturating_sub(size), last + 1))
            // Nothing at all has been tried before.
            .filter(|(start, stop)| stop - start < kept.len())
            .collect();
        let candidates = pieces.iter().map(|(start, stop)| {
            let mut rest = kept[..*start].to_vec();
            rest.extend_from_slice(&kept[*stop..]);
            rest
        });
        let candidates: Vec<_> = candidates.collect();
        let Some(place) = (!candidates.is_empty())
            .then(|| first(candidates))
            .flatten()
        else {
            break;
        };
        let (start, stop) = pieces[place];
        kept.drain(start..stop);
        dropped = true;
        end = start;
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reduces 0..n to the least that `fails` holds for; gives the candidates that were tried.
    fn reduce(n: u32, fails: impl Fn(&[u32]) -> bool) -> (Vec<u32>, usize) {
        let mut tried = 0;
        let kept = ddmin((0..n).collect(), &mut |candidates| {
            let place = candidates.iter().position(|candidate| fails(candidate));
            tried += place.map_or(candidates.len(), |place| place + 1);
            place
        });
        (kept, tried)
    }

    #[test]
    fn what_matters_is_kept_wherever_it_stands() {
        for needed in [
            vec![0],
            vec![99],
            vec![3, 50],
            vec![0, 1, 99],
            vec![10, 20, 30, 40],
        ] {
            let (kept, tried) = reduce(100, |items| needed.iter().all(|n| items.contains(n)));
            assert_eq!(kept, needed);
            assert!(tried < 100, "{tried} for {needed:?}");
        }
    }

    #[test]
    fn nothing_is_left_where_nothing_matters() {
        assert_eq!(reduce(1_000, |_| true), (vec![], 1));
        assert!(reduce(0, |_| true).0.is_empty());
    }

    #[test]
    fn the_outcome_is_one_minimal_for_any_condition() {
        // At least 7 items of which the sum is odd: not monotone.
        let fails = |items: &[u32]| items.len() >= 7 && items.iter().sum::<u32>() % 2 == 1;
        let (kept, _) = reduce(41, |items| fails(items) || items.len() == 41);
        for place in 0..kept.len() {
            let mut less = kept.clone();
            less.remove(place);
            assert!(!fails(&less), "{kept:?} without {place}");
        }
    }
}
