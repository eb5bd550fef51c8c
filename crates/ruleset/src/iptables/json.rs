//! Texts as JSON: one object a line, rules in their parts.

use serde_json::{Value, json};

use super::rule::{Rule, Target};
use super::save::{Command, Counters, Line, SaveText};

/// A text as JSON: `{"lines": […]}`. Each line has its `text`; what it does is in further keys: `table`, `chain` with
/// `policy`, `command`, `rule` in its parts, `counters`. A line that is not understood has `opaque`.
pub fn json(text: &SaveText) -> Value {
    json!({ "lines": text.lines.iter().map(line).collect::<Vec<_>>() })
}

fn line(line: &Line) -> Value {
    let mut object = json!({ "text": line.to_string() });
    let mut put = |key: &str, value: Value| object[key] = value;
    match line {
        Line::Note(_) => put("note", true.into()),
        Line::Opaque(_) => put("opaque", true.into()),
        Line::Table(table) => put("table", table.keyword().into()),
        Line::Commit => put("commit", true.into()),
        Line::Chain { chain, policy, counters } => {
            put("chain", chain.as_str().into());
            put("policy", policy.map(|policy| policy.keyword()).into());
            put("counters", counters.map(of_counters).into());
        }
        Line::Rule { counters, command } => {
            put("command", command.option().into());
            if let Some(chain) = command.chain() {
                put("chain", chain.as_str().into());
            }
            if let Some(rule) = command.rule() {
                put("rule", of_rule(rule));
            }
            put("counters", counters.map(of_counters).into());
        }
    }
    object
}

fn of_counters(counters: Counters) -> Value {
    json!({ "packets": counters.packets, "bytes": counters.bytes })
}

fn of_rule(rule: &Rule) -> Value {
    let text = |text: Option<String>| text.map_or(Value::Null, |text| text.trim_start().into());
    let part = |name: Option<&str>, whole: String| match name {
        // From behind `-m name` or `-j name` on.
        Some(name) => json!({ "name": name, "options": whole[name.len() + 3..].trim_start() }),
        None => json!({ "opaque": whole }),
    };
    let target = rule.target.as_ref().map(|target| match target {
        Target::Action(action) => part(action.name(), action.to_string()),
        Target::Goto(chain) => json!({ "goto": chain.as_str() }),
        Target::Jump(chain) => json!({ "jump": chain.as_str() }),
        other => json!({ "name": other.to_string()[3..] }),
    });
    let matches = rule.matches.iter().map(|criterion| part(criterion.name(), criterion.to_string()));
    json!({
        "source": text(rule.source.map(|source| format!("{}{}", source.lead(), source.value))),
        "destination": text(rule.destination.map(|to| format!("{}{}", to.lead(), to.value))),
        "in_interface": text(rule.in_interface.as_ref().map(|name| format!("{}{}", name.lead(), name.value))),
        "out_interface": text(rule.out_interface.as_ref().map(|name| format!("{}{}", name.lead(), name.value))),
        "protocol": text(rule.protocol.map(|protocol| format!("{}{}", protocol.lead(), protocol.value))),
        "fragment": rule.fragment,
        "matches": matches.collect::<Vec<_>>(),
        "target": target,
    })
}

impl Command {
    /// The option it is written with.
    pub fn option(&self) -> &'static str {
        match self {
            Self::Append { .. } => "-A",
            Self::Insert { .. } => "-I",
            Self::Delete { .. } | Self::DeleteAt { .. } => "-D",
            Self::Replace { .. } => "-R",
            Self::Check { .. } => "-C",
            Self::NewChain { .. } => "-N",
            Self::DeleteChain { .. } => "-X",
            Self::Flush { .. } => "-F",
            Self::Zero { .. } => "-Z",
            Self::Policy { .. } => "-P",
            Self::Rename { .. } => "-E",
        }
    }

    /// The chain it is about; `None` for all.
    pub fn chain(&self) -> Option<&super::ChainName> {
        match self {
            Self::Append { chain, .. }
            | Self::Insert { chain, .. }
            | Self::Delete { chain, .. }
            | Self::DeleteAt { chain, .. }
            | Self::Replace { chain, .. }
            | Self::Check { chain, .. }
            | Self::NewChain { chain }
            | Self::Policy { chain, .. }
            | Self::Rename { chain, .. } => Some(chain),
            Self::DeleteChain { chain } | Self::Flush { chain } | Self::Zero { chain, .. } => chain.as_ref(),
        }
    }

    /// The rule it gives.
    pub fn rule(&self) -> Option<&Rule> {
        match self {
            Self::Append { rule, .. }
            | Self::Insert { rule, .. }
            | Self::Delete { rule, .. }
            | Self::Replace { rule, .. }
            | Self::Check { rule, .. } => Some(rule),
            _ => None,
        }
    }

    /// The same, to change it.
    pub(super) fn rule_mut(&mut self) -> Option<&mut Rule> {
        match self {
            Self::Append { rule, .. }
            | Self::Insert { rule, .. }
            | Self::Delete { rule, .. }
            | Self::Replace { rule, .. }
            | Self::Check { rule, .. } => Some(rule),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iptables::{Family, parse};

    #[test]
    fn rules_are_told_in_their_parts() {
        let text =
            "*filter\n[1:2] -A INPUT ! -s 10.0.0.1 -p tcp --dport 80 -m odd --x -j LOG --log-level 7\n-P INPUT DROP\n";
        let value = json(&parse("-", text, Family::Ip).text);
        let rule = &value["lines"][1]["rule"];
        assert_eq!(rule["source"], "! 10.0.0.1/32");
        assert_eq!(rule["matches"][0], json!({ "name": "tcp", "options": "--dport 80" }));
        assert_eq!(rule["matches"][1], json!({ "opaque": "-m odd --x" }));
        assert_eq!(rule["target"], json!({ "name": "LOG", "options": "--log-level 7" }));
        assert_eq!(value["lines"][1]["counters"]["bytes"], 2);
        assert_eq!(value["lines"][2]["command"], "-P");
    }
}
