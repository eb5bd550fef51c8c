//! What is wanted, compared with what is there.

use rulectl_netlink::{Kernel, Refusal, Scope, interfaces};
use rulectl_ruleset::diff::{self, Diff, Ownership, Part};
use rulectl_ruleset::ir::{AnySet, Provenance, Ruleset, TableId};
use rulectl_ruleset::live::Live;
use rulectl_ruleset::lower::{self, LowerError, Lowered};
use rulectl_ruleset::nft;
use rulectl_ruleset::plan::{self, Op, Plan};
use rulectl_ruleset::service::{self, Layout, ServiceMap};
use rulectl_ruleset::text::{ParseError, Sources, Span};

use crate::args::{Parts, Source};
use crate::clock;
use crate::failure::Failure;
use crate::input::{self, Document, Loaded};
use crate::journal::Proposal;
use crate::output::Terminal;
use crate::target;

/// What is wanted, ready to be compared with a kernel.
#[derive(Clone)]
pub(crate) struct Desired {
    ruleset: Ruleset,
    sources: Sources,
    origin: Origin,
}

/// Where it is from, and so what of a kernel it is about.
#[derive(Clone)]
enum Origin {
    /// Services: these tables are ours, whether wanted or not, if they carry our mark.
    Services {
        tables: Vec<TableId>,
        /// The services.
        map: Box<ServiceMap>,
    },
    /// A ruleset: the tables it declares, whoever made them; if parts are named, only those.
    Ruleset { parts: Vec<Part> },
}

/// A difference and the plan that removes it.
pub(crate) struct Change {
    pub(crate) diff: Diff,
    pub(crate) plan: Plan,
    /// What is wanted, with the places of its rules. Empty for a difference that comes from no text.
    lowered: Lowered,
}

impl Change {
    /// A difference that comes from no text, for the kernel at that generation.
    pub(crate) fn of(diff: Diff, generation: u32) -> Self {
        let plan = plan::plan(&diff, Some(generation));
        Self { diff, plan, lowered: Lowered::default() }
    }
}

impl Desired {
    /// Reads a source, and compiles it if it is one of services.
    pub(crate) fn read(source: &Source, terminal: &Terminal) -> Result<Self, Failure> {
        Ok(match input::load(source)? {
            Loaded::Map { map, findings } => {
                terminal.findings(&findings);
                let compiled = service::compile(&map, &input::options(source, Layout::Maps));
                terminal.findings(&compiled.findings);
                let tables = target::tables(&source.table).to_vec();
                let origin = Origin::Services { tables, map };
                Self { ruleset: compiled.ruleset, sources: Sources::default(), origin }
            }
            Loaded::Ruleset(Document { ruleset, sources }) => {
                Self { ruleset, sources, origin: Origin::Ruleset { parts: Vec::new() } }
            }
        })
    }

    /// The same of only some parts of the tables; all of them if none is named.
    pub(crate) fn only(mut self, named: &Parts) -> Result<Self, Failure> {
        let named = named.parts();
        match &mut self.origin {
            Origin::Ruleset { parts } => *parts = named,
            Origin::Services { .. } if named.is_empty() => {}
            Origin::Services { .. } => {
                return Err(Failure::Usage("--chain and --set are for rulesets, not for services".to_owned()));
            }
        }
        Ok(self)
    }

    /// As it is for the machine this process is on: interfaces by their index, times in UTC.
    pub(crate) fn on_this_machine(mut self) -> Result<Self, Failure> {
        clock::to_utc(&mut self.ruleset);
        let unknown = self.ruleset.number_interfaces(interfaces::index_of);
        let errors = unknown.into_iter().map(|unknown| {
            let message = format!("there is no interface `{}` here", unknown.name);
            self.place(unknown.provenance, message)
                .expecting("one of `ip link`, or `iifname` and `oifname`, which wait for it")
        });
        let errors: Vec<ParseError> = errors.collect();
        if errors.is_empty() { Ok(self) } else { Err(Failure::Parse { errors }) }
    }

    /// The same for no machine: interfaces by numbers of our own.
    pub(crate) fn number_interfaces(&mut self, index_of: impl FnMut(&str) -> Option<u32>) {
        self.ruleset.number_interfaces(index_of);
    }

    /// What would change if it took the place of another, all of it.
    pub(crate) fn replacing(&self, old: Self) -> Result<Diff, Failure> {
        let live = Live::from(old.lower()?);
        let Change { diff, lowered, .. } = self.compare(&live)?;
        let gone = live.tables.keys().filter(|table| !lowered.tables.contains_key(*table));
        let gone = gone.filter(|table| diff.tables.iter().all(|diff| diff.id != **table));
        Ok(diff::removal(&live, gone, &Ownership::Declared)?.and(diff))
    }

    /// What of a kernel it is about.
    pub(crate) fn scope(&self) -> Scope {
        match &self.origin {
            Origin::Services { tables, .. } => Scope::tables(tables.iter().cloned()),
            Origin::Ruleset { parts } if parts.is_empty() => {
                Scope::tables(self.ruleset.tables().map(|table| table.id()))
            }
            Origin::Ruleset { parts } => Scope::tables(parts.iter().map(|part| part.table().clone())),
        }
    }

    /// The services it was compiled from, if it was.
    pub(crate) fn map(&self) -> Option<&ServiceMap> {
        match &self.origin {
            Origin::Services { map, .. } => Some(map),
            Origin::Ruleset { .. } => None,
        }
    }

    /// The ruleset itself.
    pub(crate) fn ruleset(&self) -> &Ruleset {
        &self.ruleset
    }

    /// As the kernel runs it.
    pub(crate) fn lower(&self) -> Result<Lowered, Failure> {
        lower::lower(self.ruleset.clone()).map_err(|errors| self.located(errors))
    }

    /// What would change in a kernel.
    pub(crate) fn proposal(&self, kernel: &mut impl Kernel) -> Result<Proposal, Failure> {
        let scope = self.scope();
        let live = kernel.read(&scope)?;
        let change = self.compare(&live)?;
        Ok(Proposal { tables: scope.tables.unwrap_or_default(), live, change, undoes: None })
    }

    /// Compares it with what is there.
    pub(crate) fn compare(&self, live: &Live) -> Result<Change, Failure> {
        let mut ruleset = self.ruleset.clone();
        let (ownership, stale) = match &self.origin {
            Origin::Services { tables, .. } => {
                service::align(&mut ruleset, live);
                (target::ours(), tables.as_slice())
            }
            Origin::Ruleset { .. } => (Ownership::Declared, [].as_slice()),
        };
        let mut lowered = lower::lower(ruleset).map_err(|errors| self.located(errors))?;
        if let Origin::Ruleset { parts } = &self.origin
            && !parts.is_empty()
        {
            lowered = diff::only(live, &lowered, parts).map_err(|error| Failure::Usage(error.to_string()))?;
        }
        // A family that has no service left has no table either.
        let stale = stale.iter().filter(|table| !lowered.tables.contains_key(*table));
        let diff = diff::diff(live, &lowered, &ownership)?.and(diff::removal(live, stale, &ownership)?);
        let plan = plan::plan(&diff, Some(live.generation.id));
        Ok(Change { diff, plan, lowered })
    }

    /// What the kernel refused, with its places; `None` if nothing of it has one.
    pub(crate) fn refused(&self, change: &Change, refusals: &[Refusal]) -> Option<Vec<ParseError>> {
        let places: Vec<_> = refusals.iter().map(|refusal| self.place_of(change, refusal)).collect();
        if places.iter().all(Option::is_none) {
            return None;
        }
        let error = |(refusal, place): (&Refusal, Option<(Span, &str)>)| match place {
            Some((span, what)) => self.sources.error(span, format!("the kernel refused this {what}: {refusal}")),
            None => ParseError::whole("", format!("the kernel refused the change: {refusal}")),
        };
        Some(refusals.iter().zip(places).map(error).collect())
    }

    /// Where what was refused stands, and what it is.
    fn place_of(&self, change: &Change, refusal: &Refusal) -> Option<(Span, &'static str)> {
        let op = &change.plan.steps.get(refusal.step)?.op;
        let table = op.table();
        let find = |part, element| nft::locate(&self.sources, nft::Declared { table, part, element });
        match op {
            Op::AddRule { chain, program, .. } | Op::ReplaceRule { chain, program, .. } => {
                let rules = &change.lowered.tables.get(table)?.chains.find(chain)?.rules;
                let (_, provenance) = rules.iter().find(|(rule, _)| rule == program)?;
                Some((provenance.0?, "rule"))
            }
            Op::AddElements { set, elements, .. } => {
                let element = refusal.element.and_then(|at| elements.as_slice().get(at));
                let text = element.map(|element| nft::print_element(set.set(), element));
                let keyword = if matches!(set.set(), AnySet::Set(_)) { "set" } else { "map" };
                Some((find(Some((keyword, set.name().as_str())), text.as_deref())?, "element"))
            }
            Op::AddSet { set, .. } => {
                let keyword = if matches!(set.set(), AnySet::Set(_)) { "set" } else { "map" };
                Some((find(Some((keyword, set.name().as_str())), None)?, "set"))
            }
            Op::AddChain { chain, .. } | Op::SetPolicy { chain, .. } => {
                Some((find(Some(("chain", chain.as_str())), None)?, "chain"))
            }
            Op::AddObject { object, .. } => {
                let keyword = object.kind.object_type().keyword();
                // `ct helper` is two words.
                let keyword = keyword.rsplit(' ').next().unwrap_or(keyword);
                Some((find(Some((keyword, object.name.as_str())), None)?, "object"))
            }
            Op::AddFlowtable { flowtable, .. } => {
                Some((find(Some(("flowtable", flowtable.name.as_str())), None)?, "flowtable"))
            }
            Op::AddTable { .. } | Op::SetTableFlags { .. } => Some((find(None, None)?, "table")),
            _ => None,
        }
    }

    fn located(&self, errors: Vec<LowerError>) -> Failure {
        if errors.iter().all(|error| error.provenance.0.is_none()) {
            return Failure::Lower { errors };
        }
        let errors = errors.iter().map(|error| self.place(error.provenance, error.to_string())).collect();
        Failure::Parse { errors }
    }

    fn place(&self, provenance: Provenance, message: String) -> ParseError {
        match provenance.0 {
            Some(span) => self.sources.error(span, message),
            None => ParseError::whole("", message),
        }
    }
}
