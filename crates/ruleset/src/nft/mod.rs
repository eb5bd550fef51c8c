//! The nft language: what `nft list ruleset` prints and `nft -f` takes.
//!
//! [`print()`] writes a ruleset in the form of `nft -s list ruleset` (counters that are not at nought are written too, so
//! that nothing is lost). Where nft versions differ, the text is one that nft 1.0.6 and 1.1 both take. `Display` of
//! rules, statements and expressions is the same text.
//!
//! [`parse()`] reads what nft reads. What it makes of a text is what nft would list after loading it: symbolic names
//! resolved, elements sorted and merged, implied matches left out.

mod lex;
mod parse;
mod print;
mod source;

pub use parse::{Parsed, is_likely, parse, parse_all, parse_with};
pub use print::{print, print_element};
pub use source::{Loader, NoIncludes};

/// The known word that `word` was most likely meant to be.
fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long texts are no typing errors.
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let most = word.chars().count().div_ceil(3).max(1);
    known
        .into_iter()
        .filter(|known| known.len().abs_diff(word.len()) <= most)
        .map(|known| (distance(word, known), known))
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
        assert_eq!(nearest("xyz", ["chain", "table"]), None);
    }
}
