//! `rulectl monitor`: changes as they happen, a block for each commit.

use std::fmt::Write;
use std::process::ExitCode;

use rulectl_netlink::watch::{Change, Commit, Fate, Thing};
use rulectl_netlink::{Event, Kernel, interfaces};
use rulectl_ruleset::diff::known_program;
use rulectl_ruleset::ir::{AnySet, Chain, Named, TableId};
use rulectl_ruleset::lift::lift_program;
use rulectl_ruleset::live::{LiveChain, LiveTable};
use rulectl_ruleset::nft::{Detail, on_one_line, print_element, print_rule};

use crate::args::{Monitor, ReportForm};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::target;

/// How many elements of a set are told on lines of their own.
const ELEMENTS: usize = 32;

pub(crate) fn run(args: &Monitor, terminal: &Terminal) -> Result<ExitCode, Failure> {
    target::enter(args.netns.as_deref())?;
    let mut watch = target::kernel()?.watch()?;
    tracing::info!("listening");
    let mut heard = 0;
    while args.count.is_none_or(|count| heard < count) {
        let Some(event) = watch.wait(None)? else { continue };
        heard += usize::from(matches!(event, Event::Commit(_)));
        match (args.output, &event) {
            (ReportForm::Json, event) => {
                let line = serde_json::to_string(event).map_err(|error| Failure::Usage(error.to_string()))?;
                terminal.print(&(line + "\n"))?;
            }
            (ReportForm::Text, Event::Commit(commit)) => terminal.print_diff(&block(commit))?,
            (ReportForm::Text, Event::Lost) => {
                terminal.print("# some changes were lost: there were too many at once\n")?
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A commit: who made it, and what came and went, table by table.
fn block(commit: &Commit) -> String {
    let mut text = format!("{}\n", commit.generation);
    let mut last = None;
    for change in &commit.changes {
        if last != Some(&change.table) {
            let program = known_program(&change.table).map_or_else(String::new, |program| format!(", of {program}"));
            writeln!(text, "  table {}{program}", change.table).expect("a string takes all");
            last = Some(&change.table);
        }
        lines(commit, change, &mut text);
    }
    text
}

fn lines(commit: &Commit, change: &Change, text: &mut String) {
    let mark = if change.fate == Fate::Is { '+' } else { '-' };
    let mut line = |what: String| writeln!(text, "{mark}     {what}").expect("a string takes all");
    match &change.thing {
        // The kernel tells no more than the name of what is gone.
        Thing::Chain(live) if mark == '-' => line(format!("chain {}", live.name)),
        Thing::Object(live) if mark == '-' => line(format!("{} {}", live.object.kind.object_type(), live.object.name)),
        Thing::Flowtable(live) if mark == '-' => line(format!("flowtable {}", live.flowtable.name)),
        Thing::Table(table) => line(table_line(table)),
        Thing::Chain(LiveChain { name, base, comment, .. }) => {
            let chain = Chain { base: base.clone(), comment: comment.clone(), ..Chain::new(name.clone()) };
            line(on_one_line(&chain));
        }
        Thing::Rule { chain, rule, .. } => {
            let rule_text = print_rule(
                &lift_program(change.table.family, &context(commit, &change.table), &rule.program),
                Detail { interface: Some(&interfaces::name_of), ..Detail::default() },
            );
            // What has no words in nft's language is on several lines.
            line(format!("rule in {chain}: {} # handle {}", rule_text.replace("\n  ", " "), rule.handle));
        }
        Thing::Set(live) => line(on_one_line(&live.set)),
        Thing::Elements { set, elements } => {
            let (kind, name) = (set.set().keyword(), set.name());
            for element in elements.iter().take(ELEMENTS) {
                line(format!("element of {kind} {name}: {}", print_element(set.set(), element)));
            }
            if elements.len() > ELEMENTS {
                line(format!("# and {} more of {kind} {name}", elements.len() - ELEMENTS));
            }
        }
        Thing::Object(live) => line(on_one_line(&live.object)),
        Thing::Flowtable(live) => line(on_one_line(&live.flowtable)),
        Thing::Other { kind, attributes } => line(format!("# a message of type {kind}, {} bytes", attributes.len())),
        _ => line("# something this version does not know".to_owned()),
    }
}

fn table_line(table: &LiveTable) -> String {
    let owner = table.owner.map_or_else(String::new, |port| format!(", owned by the process at netlink port {port}"));
    let comment = table.comment.as_ref().map_or_else(String::new, |comment| format!(", comment \"{comment}\""));
    format!("the table itself{owner}{comment}")
}

/// The sets that rules of a table look into.
fn context(commit: &Commit, table: &TableId) -> Named<AnySet> {
    commit.context.iter().filter(|(at, _)| at == table).map(|(_, set)| set.clone()).collect()
}
