//! `rulectl show`: the kernel's tables, read over netlink.

use std::process::ExitCode;

use rulectl_netlink::{Kernel, Scope, interfaces};
use rulectl_ruleset::ir::{Family, HasName, Named, Ruleset, Table, TableId, TableName};
use rulectl_ruleset::live::Live;
use rulectl_ruleset::nft::{Detail, State, Subject};
use rulectl_ruleset::{json, lift, nft};

use crate::args::{Backend, Show, ShowForm};
use crate::failure::Failure;
use crate::output::Terminal;
use crate::{clock, dump, listing, target};

pub(crate) fn run(args: &Show, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.backend != Backend::Nft {
        return dump::show(args, terminal);
    }
    let what = Selection::of(args)?;
    target::enter(args.netns.as_deref())?;
    let mut live = target::kernel()?.read(&what.scope())?;
    if args.generation {
        terminal.note(&format!("read at {}", live.generation));
    }
    if let Selection::Ruleset(Some(family)) = what {
        live.tables.retain(|table, _| table.family == family);
    }
    let text = match args.to {
        ShowForm::Nft => nft::print_with(&what.lifted(&live)?, detail(args, &|it| handle(&live, it))),
        ShowForm::Json => {
            let mut ruleset = what.lifted(&live)?;
            ruleset.name_interfaces(interfaces::name_of);
            json::print(&ruleset) + "\n"
        }
        ShowForm::Expr => listing::live(&what.of_live(live)?),
    };
    terminal.print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn detail<'a>(args: &Show, handle: &'a dyn Fn(Subject<'_>) -> Option<u64>) -> Detail<'a> {
    Detail {
        state: if args.stateful { State::All } else { State::Omitted },
        handle: args.handles.then_some(handle),
        interface: Some(&interfaces::name_of),
        numeric_protocols: false,
        notes: None,
    }
}

fn handle(live: &Live, subject: Subject<'_>) -> Option<u64> {
    let table = |id| live.tables.get(id);
    match subject {
        Subject::Table(id) => Some(table(id)?.handle),
        Subject::Chain(id, name) => Some(table(id)?.chains.find(name)?.handle),
        Subject::Rule(id, chain, at) => Some(table(id)?.chains.find(chain)?.rules.get(at)?.handle),
        Subject::Set(id, name) => Some(table(id)?.sets.find(name)?.handle),
        Subject::Object(id, kind, name) => Some(table(id)?.objects.find(&(kind, name.clone()))?.handle),
        Subject::Flowtable(id, name) => Some(table(id)?.flowtables.find(name)?.handle),
        _ => None,
    }
}

/// What is listed.
enum Selection {
    /// Everything, or all of a family.
    Ruleset(Option<Family>),
    /// The tables of a name.
    Named(TableName),
    /// A table.
    Table(TableId),
    /// A part of a table: what it is, and its name.
    Part { table: TableId, kind: String, name: String },
}

impl Selection {
    fn of(args: &Show) -> Result<Self, Failure> {
        if let Some(name) = &args.table {
            return Ok(Self::Named(name.clone()));
        }
        let [kind, words @ ..] = args.what.as_slice() else { return Ok(Self::Ruleset(None)) };
        let usage =
            || Failure::Usage(format!("`show {}` is not complete: see `rulectl show --help`", args.what.join(" ")));
        let family = words.first().and_then(|word| Family::from_keyword(word));
        let names = if family.is_some() { &words[1..] } else { words };
        let id = |name: &String| {
            let name = TableName::new(name.as_str()).map_err(|error| Failure::Usage(error.to_string()))?;
            Ok::<_, Failure>(TableId::new(family.unwrap_or(Family::Ip), name))
        };
        match (kind.as_str(), names) {
            ("ruleset", []) => Ok(Self::Ruleset(family)),
            ("table", [name]) => Ok(Self::Table(id(name)?)),
            ("chain" | "set" | "map" | "flowtable" | "counter" | "quota" | "limit", [table, name]) => {
                Ok(Self::Part { table: id(table)?, kind: kind.clone(), name: name.clone() })
            }
            _ => Err(usage()),
        }
    }

    fn scope(&self) -> Scope {
        match self {
            Self::Ruleset(_) => Scope::all(),
            Self::Named(name) => Scope::tables(Family::ALL.map(|family| TableId::new(family, name.clone()))),
            Self::Table(table) | Self::Part { table, .. } => Scope::tables([table.clone()]),
        }
    }

    /// What was asked for, or that it is not there.
    fn lifted(&self, live: &Live) -> Result<Ruleset, Failure> {
        let mut ruleset = lift::lift(live);
        clock::to_local(&mut ruleset);
        match self {
            Self::Ruleset(_) | Self::Named(_) => {}
            Self::Table(id) => drop(ruleset.find(id).ok_or_else(|| missing("table", &id.to_string(), None))?),
            Self::Part { table: id, kind, name } => {
                let missing = || missing(kind, name, Some(id));
                let table = part(ruleset.find_mut(id).ok_or_else(missing)?, kind, name).ok_or_else(missing)?;
                ruleset.insert(table);
            }
        }
        Ok(ruleset)
    }

    /// The same of what a kernel holds: programs are only in chains.
    fn of_live(&self, mut live: Live) -> Result<Live, Failure> {
        match self {
            Self::Ruleset(_) | Self::Named(_) => {}
            Self::Table(id) => drop(live.tables.get(id).ok_or_else(|| missing("table", &id.to_string(), None))?),
            Self::Part { table: id, kind, name } => {
                let missing = || missing(kind, name, Some(id));
                let table = live.tables.get_mut(id).ok_or_else(missing)?;
                table.chains = only(&table.chains, name);
                table.sets = Named::default();
                if kind != "chain" || table.chains.is_empty() {
                    return Err(missing());
                }
            }
        }
        Ok(live)
    }
}

fn missing(kind: &str, name: &str, table: Option<&TableId>) -> Failure {
    Failure::Usage(match table {
        Some(table) => format!("there is no {kind} `{name}` in table `{table}`"),
        None => format!("there is no {kind} `{name}`"),
    })
}

/// A table with nothing in it but that part.
fn part(table: &Table, kind: &str, name: &str) -> Option<Table> {
    let mut one =
        Table { flags: table.flags, comment: table.comment.clone(), ..Table::new(table.family, table.name.clone()) };
    match kind {
        "chain" => one.chains = only(&table.chains, name),
        "set" | "map" => one.sets = only(&table.sets, name),
        "flowtable" => one.flowtables = only(&table.flowtables, name),
        _ => {
            let objects = table.objects.iter().filter(|it| it.name.as_str() == name);
            one.objects = objects.filter(|it| it.kind.object_type().keyword() == kind).cloned().collect();
        }
    }
    let is_there = one.chains.len() + one.sets.len() + one.flowtables.len() + one.objects.len() > 0;
    is_there.then_some(one)
}

fn only<T: HasName + Clone>(things: &Named<T>, name: &str) -> Named<T>
where
    T::Name: ToString,
{
    things.iter().filter(|it| it.name().to_string() == name).cloned().collect()
}
