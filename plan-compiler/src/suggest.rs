//! Near misses: what a word that is not known was probably meant to be.

/// Words longer than this are not compared.
const WORD_CHARS_MAX: usize = 40;

/// The candidate (in small letters) nearest to `word`, when it is near enough to be a slip of
/// the pen.
///
/// The first of equally near candidates wins; a word that is known has no near miss.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    if word.len() < 4 || word.len() > WORD_CHARS_MAX {
        return None;
    }
    let allowed = if word.len() < 7 { 1 } else { 2 };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let length = candidate.chars().count();
        if length < 3 || length.abs_diff(word.len()) > allowed {
            continue;
        }
        let chars: Vec<char> = candidate.chars().collect();
        let distance = edits(&word, &chars);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.filter(|(distance, _)| *distance > 0)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn edits(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut older = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != y);
            let mut least = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(older[j - 1] + 1);
            }
            row[j + 1] = least;
        }
        older = above;
        above = row;
    }
    above[width - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let words = ["partition", "symmetric", "asymmetric", "kill"];
        let near = |word| nearest(word, words.into_iter());
        assert_eq!(near("partiton"), Some("partition"));
        assert_eq!(near("symetric"), Some("symmetric"));
        assert_eq!(near("klil"), Some("kill"));
        assert_eq!(near("banana"), None);
        assert_eq!(near("ki"), None);
    }
}
