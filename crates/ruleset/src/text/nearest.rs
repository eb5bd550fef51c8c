//! The known word that an unknown one was meant to be.

/// The known word that `word` was most likely meant to be, upper and lower case the same.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long texts are no typing errors.
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let word = word.to_lowercase();
    let most = word.chars().count().div_ceil(3).max(1);
    known
        .into_iter()
        .filter(|known| known.len().abs_diff(word.len()) <= most)
        .map(|known| (distance(&word, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, known)| known)
}

/// How many characters must be added, taken out, changed or swapped to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (row[j] + usize::from(x != *y)).min(row[j + 1] + 1).min(next[j] + 1);
            if j > 0 && Some(*y) == last && b[j - 1] == x && !before.is_empty() {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(x);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_far_ones_are_not() {
        assert_eq!(nearest("chian", ["chain", "table"]), Some("chain"));
        assert_eq!(nearest("prioriti", ["policy", "priority"]), Some("priority"));
        assert_eq!(nearest("Endpoint", ["name", "endpoints"]), Some("endpoints"));
        assert_eq!(nearest("xyz", ["chain", "table"]), None);
    }

    #[test]
    fn letters_may_be_exchanged_missing_or_swapped() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
