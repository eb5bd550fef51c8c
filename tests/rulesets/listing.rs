//! Listings side by side, without what differs from moment to moment or from machine to machine.

use rulectl_tests::in_order;

/// The first lines that differ.
pub(crate) fn differing(ours: &str, theirs: &str) -> Option<String> {
    if ours == theirs {
        return None;
    }
    let longest = ours.lines().count().max(theirs.lines().count());
    let pairs = lines(ours).zip(lines(theirs)).take(longest).filter(|(ours, theirs)| ours != theirs).take(5);
    Some(pairs.map(|(ours, theirs)| format!("\n- {}\n+ {}", theirs.trim(), ours.trim())).collect())
}

/// The lines of a text, and empty ones behind it.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().chain(std::iter::repeat(""))
}

/// Without how long elements still live.
pub(crate) fn without_clock(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        match kept.last() {
            Some(&"expires") => {
                kept.pop();
                // What stood behind the time stays.
                kept.extend(word.find(|it| ",}\n".contains(it)).map(|at| &word[at..]));
            }
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

/// With tables, and what is in them, in the order of their text: that of their making is no matter.
pub(crate) fn sorted(listing: &str) -> String {
    let mut tables: Vec<String> = blocks(listing.lines(), "")
        .into_iter()
        .map(|table| {
            let [head, body @ .., _] = table.as_slice() else { return table.concat() };
            let things = blocks(body.iter().copied(), "\t");
            let mut things: Vec<String> = things.into_iter().map(|thing| in_order(&thing.join("\n"))).collect();
            things.sort_unstable();
            format!("{head}\n{}\n}}\n", things.join("\n"))
        })
        .collect();
    tables.sort();
    tables.concat()
}

/// Lines that belong together: one that is indented just so, and all behind it that are indented more or close it.
fn blocks<'a>(lines: impl Iterator<Item = &'a str>, indent: &str) -> Vec<Vec<&'a str>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let begins = line.strip_prefix(indent).is_some_and(|rest| !rest.starts_with(['\t', ' ', '}']));
        match blocks.last_mut() {
            Some(block) if !begins => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    blocks
}

/// Without comments of anything but rules and elements: they alone are no difference, since no kernel changes them in
/// place.
pub(crate) fn without_comments(listing: &str) -> String {
    let is_comment = |line: &&str| line.trim_start().starts_with("comment \"");
    listing.split_inclusive('\n').filter(|line| !is_comment(line)).collect()
}
