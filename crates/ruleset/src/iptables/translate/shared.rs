//! What rules of a table have in common: sets, objects, and what is counted by name.

use std::collections::{BTreeSet, HashMap};

use super::asked::Asked;
use crate::iptables::ruleset::{Table, TableName};
use crate::ir::{AnySet, Expression, Limit, Named, Object};

/// What rules of a table have in common.
#[derive(Default)]
pub(super) struct Shared {
    /// Sets to be declared.
    pub(super) sets: Named<AnySet>,
    /// Objects to be declared.
    pub(super) objects: Named<Object>,
    /// How many `connlimit` there were.
    pub(super) connlimits: u32,
    /// How many rules use a table of `hashlimit`, by its name.
    pub(super) hashlimits: HashMap<String, usize>,
    /// What each table of `hashlimit` that several rules use is for.
    pub(super) rated: HashMap<String, Rated>,
    /// What rules of all tables do with a list of `recent`, by its name.
    pub(super) lists: HashMap<String, ListUse>,
}

/// A rate for each key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rated {
    /// The key.
    pub(super) key: Expression,
    /// How long an entry stays, in milliseconds.
    pub(super) expire: u64,
    /// The rate.
    pub(super) limit: Limit,
}

/// What rules do with a list of `recent`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ListUse {
    /// The tables whose rules use it.
    pub(super) tables: BTreeSet<TableName>,
    /// The times that they ask for; an empty text where none is.
    pub(super) seconds: BTreeSet<String>,
    /// Which addresses they put there: options and masks.
    pub(super) keys: BTreeSet<String>,
    /// Whether a rule puts addresses in.
    pub(super) filled: bool,
    /// Whether one asks for more than an address: how often it was seen, or with which time to live.
    pub(super) counted: bool,
}

/// What the extensions of that table's rules are, as texts.
fn each_asked<'a>(table: &'a Table) -> impl Iterator<Item = Asked> + 'a {
    let matches = table.chains.values().flat_map(|chain| &chain.rules).flat_map(|rule| &rule.matches);
    let texts = matches.map(ToString::to_string).filter(|text| text.contains("--name") || text.contains("hashlimit"));
    texts.filter_map(|text| Asked::parse(&text, "").ok())
}

/// How often each table of `hashlimit` is used.
pub(super) fn hashlimits(table: &Table) -> HashMap<String, usize> {
    let mut uses = HashMap::new();
    for mut asked in each_asked(table).filter(|asked| asked.name == "hashlimit") {
        if let Ok(Some(name)) = asked.plain(&["--hashlimit-name"]) {
            *uses.entry(name).or_default() += 1;
        }
    }
    uses
}

/// Adds what the rules of a table do with lists of `recent`.
pub(super) fn lists(uses: &mut HashMap<String, ListUse>, name: TableName, table: &Table) {
    for mut asked in each_asked(table).filter(|asked| asked.name == "recent") {
        let list = asked.plain(&["--name"]).ok().flatten().unwrap_or_else(|| "DEFAULT".to_owned());
        let list = uses.entry(list).or_default();
        list.tables.insert(name);
        let asks = asked.has(&["--rcheck", "--update"]);
        let seconds = asked.plain(&["--seconds"]).ok().flatten().unwrap_or_default();
        if asks {
            list.seconds.insert(seconds);
        }
        list.filled |= asked.has(&["--set"]);
        let often = asked.plain(&["--hitcount"]).ok().flatten().is_some_and(|count| !matches!(&*count, "0" | "1"));
        list.counted |= often || asked.has(&["--rttl"]);
        let mask = asked.plain(&["--mask"]).ok().flatten().unwrap_or_default();
        list.keys.insert(format!("{} {mask}", if asked.has(&["--rdest"]) { "--rdest" } else { "--rsource" }));
    }
}
