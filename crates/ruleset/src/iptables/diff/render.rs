//! A difference for people: `+` comes, `-` goes, `>` moves, `~` has something in it that changes.

use std::fmt;

use super::{ChainChange, ChainDiff, IptablesDiff, RuleEdit};
use crate::iptables::Policy;

impl fmt::Display for IptablesDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            writeln!(f, "~ table {}", table.table)?;
            table.chains.iter().try_for_each(|chain| write!(f, "{chain}"))?;
        }
        Ok(())
    }
}

impl IptablesDiff {
    /// How much it is: `chains: 1 added; rules: 2 added, 1 moved`.
    pub fn summary(&self) -> String {
        let chains = || self.tables.iter().flat_map(|table| &table.chains);
        let rules = || chains().flat_map(|chain| &chain.rules);
        let count = |is: fn(&RuleEdit) -> bool| rules().filter(|edit| is(edit)).count();
        let of = |is: fn(ChainChange) -> bool| chains().filter(|chain| is(chain.change)).count();
        let parts = [
            ("chains", of(|it| it == ChainChange::Added), "added"),
            ("chains", of(|it| it == ChainChange::Removed), "removed"),
            ("policies", of(|it| matches!(it, ChainChange::Policy { .. })), "changed"),
            ("rules", count(|it| matches!(it, RuleEdit::Added { .. })), "added"),
            ("rules", count(|it| matches!(it, RuleEdit::Removed { .. })), "removed"),
            ("rules", count(|it| matches!(it, RuleEdit::Moved { .. })), "moved"),
        ];
        let mut text = String::new();
        let mut last = "";
        for (what, count, change) in parts.into_iter().filter(|(_, count, _)| *count > 0) {
            let lead = match last {
                "" => format!("{what}: "),
                same if same == what => ", ".to_owned(),
                _ => format!("; {what}: "),
            };
            text += &format!("{lead}{count} {change}");
            last = what;
        }
        text
    }
}

impl fmt::Display for ChainDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = &self.chain;
        match self.change {
            ChainChange::Added => writeln!(f, "+   chain {chain}")?,
            ChainChange::Removed => writeln!(f, "-   chain {chain}")?,
            ChainChange::Rules => writeln!(f, "~   chain {chain}")?,
            ChainChange::Policy { from, to } => {
                let from = from.unwrap_or(Policy::Accept).keyword();
                writeln!(f, "~   chain {chain}: policy {from} becomes {}", to.keyword())?;
            }
        }
        self.rules.iter().try_for_each(|edit| write!(f, "{edit}"))
    }
}

impl fmt::Display for RuleEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { rule, .. } => writeln!(f, "+     {rule}"),
            Self::Removed { rule, .. } => writeln!(f, "-     {rule}"),
            Self::Moved { from, to, rule } => writeln!(f, ">     {rule} (from {from} to {to})"),
        }
    }
}
