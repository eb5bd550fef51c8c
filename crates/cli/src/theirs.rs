//! The rules of kube-proxy: its own tables of nftables, and its chains in the tables of iptables.

use rulectl_netlink::{Kernel, Scope};
use rulectl_ruleset::diff::{self, Diff, Ownership};
use rulectl_ruleset::expr::Reference;
use rulectl_ruleset::iptables::{self, IptablesPlan};
use rulectl_ruleset::ir::{Family, Provenance, TableId, TableName};
use rulectl_ruleset::live::{Live, LiveChain, LiveRule, LiveTable};
use rulectl_ruleset::lower::{Lowered, LoweredChain, LoweredTable};
use rulectl_ruleset::service::{self, Frontend};

use crate::args::{Backend, MigrateFrom};
use crate::desired::{Change, Desired};
use crate::failure::Failure;
use crate::journal::Proposal;
use crate::restore;

/// Chains of kube-proxy (pkg/proxy/iptables/proxier.go), and how the others' names begin. KUBE-FIREWALL, the hint and the
/// canary are the kubelet's.
const CHAINS: [&str; 8] = [
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-NODEPORTS",
    "KUBE-POSTROUTING",
    "KUBE-MARK-MASQ",
    "KUBE-FORWARD",
    "KUBE-PROXY-FIREWALL",
    "KUBE-PROXY-CANARY",
];
const BEGINNINGS: [&str; 6] = ["KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SEP-", "KUBE-XLB-"];

fn is_theirs(chain: &str) -> bool {
    CHAINS.contains(&chain) || BEGINNINGS.iter().any(|beginning| chain.starts_with(beginning))
}

/// What is there of kube-proxy's.
#[derive(Default)]
pub(crate) struct Theirs {
    /// In nf_tables: its tables, and those of iptables that have chains of its.
    tables: Vec<TableId>,
    /// In x_tables: how its chains go.
    legacy: Vec<(iptables::Family, IptablesPlan)>,
    /// What it serves.
    pub(crate) frontends: Vec<Frontend>,
    /// Its rules, by their kind, for people.
    pub(crate) found: Vec<String>,
}

impl Theirs {
    /// Looks for them in the namespace this process is in.
    pub(crate) fn find(from: MigrateFrom, kernel: &mut impl Kernel) -> Result<Self, Failure> {
        let mut theirs = Self::default();
        if from == MigrateFrom::KubeProxy {
            let live = kernel.read(&Scope::tables(tables(["kube-proxy"])))?;
            theirs.frontends.extend(service::frontends(live.tables.values()));
            theirs.found.extend(live.tables.keys().map(|table| format!("table {table}")));
            theirs.tables.extend(live.tables.into_keys());
        }
        let live = kernel.read(&Scope::tables(tables(["nat", "filter", "mangle"])).without_elements())?;
        theirs.tables.extend(live.tables.values().filter(|table| has_theirs(table)).map(|table| table.id.clone()));
        for (backend, family) in restore::variants() {
            let Some(live) = restore::live(backend, family) else { continue };
            let frontends = service::frontends_of_chains(&live, family, |chain| is_theirs(chain.as_str()));
            let plan = iptables::remove(&live, |chain| is_theirs(chain.as_str()))?;
            if plan.is_empty() {
                continue;
            }
            theirs.frontends.extend(frontends);
            theirs.found.push(restore::name(backend, family));
            if backend == Backend::IptablesLegacy {
                theirs.legacy.push((family, plan));
            }
        }
        theirs.frontends.sort_unstable();
        theirs.frontends.dedup();
        Ok(theirs)
    }

    /// What would bring our tables to what is wanted, and, if they are to be removed, theirs away in the same batch.
    pub(crate) fn proposal(
        &self,
        desired: &Desired,
        remove: bool,
        kernel: &mut impl Kernel,
    ) -> Result<Proposal, Failure> {
        let mut tables = desired.scope().tables.unwrap_or_default();
        if remove {
            tables.extend(self.tables.iter().cloned());
        }
        let live = kernel.read(&Scope::tables(tables.iter().cloned()))?;
        let change = desired.compare(&live)?;
        let diff = if remove { change.diff.and(self.removal(&live)?) } else { change.diff };
        let change = Change::of(diff, live.generation.id);
        Ok(Proposal { tables, live, change, undoes: None })
    }

    /// How their part of nf_tables goes.
    fn removal(&self, live: &Live) -> Result<Diff, Failure> {
        let theirs = self.tables.iter().filter_map(|id| live.tables.get(id));
        let (shared, whole): (Vec<&LiveTable>, Vec<&LiveTable>) = theirs.partition(|table| has_theirs(table));
        let mut rest = Lowered::default();
        for table in shared {
            rest.tables.insert(table.id.clone(), without_theirs(table)?);
        }
        let whole = diff::removal(live, whole.iter().map(|table| &table.id), &Ownership::Declared)?;
        Ok(diff::diff(live, &rest, &Ownership::Declared)?.and(whole))
    }

    /// The steps that take their chains out of x_tables, for people.
    pub(crate) fn legacy_steps(&self) -> String {
        let step = |(family, plan): &(iptables::Family, IptablesPlan)| {
            format!("{}\n{plan}", restore::name(Backend::IptablesLegacy, *family))
        };
        self.legacy.iter().map(step).collect()
    }

    /// Takes their chains out of x_tables, table by table.
    pub(crate) fn remove_legacy(&self) -> Result<(), Failure> {
        self.legacy.iter().try_for_each(|(family, plan)| restore::run(Backend::IptablesLegacy, *family, plan))
    }
}

fn tables<const N: usize>(names: [&str; N]) -> Vec<TableId> {
    let id = |family, name| TableId::new(family, TableName::new(name).expect("a short word is a name"));
    names.into_iter().flat_map(|name| [Family::Ip, Family::Ip6].map(|family| id(family, name))).collect()
}

fn has_theirs(table: &LiveTable) -> bool {
    table.chains.iter().any(|chain| is_theirs(chain.name.as_str()))
}

/// A table without their chains, and without the rules of base chains that lead to them.
fn without_theirs(table: &LiveTable) -> Result<LoweredTable, Failure> {
    let chains = table.chains.iter().filter(|chain| !is_theirs(chain.name.as_str()));
    let chains = chains.map(|chain| rest_of(table, chain)).collect::<Result<_, _>>()?;
    Ok(LoweredTable {
        id: table.id.clone(),
        flags: table.flags,
        comment: table.comment.clone(),
        objects: table.objects.iter().map(|live| live.object.clone()).collect(),
        sets: table.sets.iter().map(|live| live.set.clone()).collect(),
        flowtables: table.flowtables.iter().map(|live| live.flowtable.clone()).collect(),
        chains,
    })
}

fn rest_of(table: &LiveTable, chain: &LiveChain) -> Result<LoweredChain, Failure> {
    let leads_to_theirs = |rule: &&LiveRule| {
        let references = rule.program.references();
        references.iter().any(|it| matches!(it, Reference::Chain(chain) if is_theirs(chain.as_str())))
    };
    if chain.base.is_none() && chain.rules.iter().any(|rule| leads_to_theirs(&rule)) {
        return Err(Failure::Usage(format!(
            "chain `{}` of table `{}` is another owner's and leads to chains of kube-proxy: they cannot be removed",
            chain.name, table.id
        )));
    }
    let rules = chain.rules.iter().filter(|rule| !leads_to_theirs(rule));
    Ok(LoweredChain {
        name: chain.name.clone(),
        base: chain.base.clone(),
        comment: chain.comment.clone(),
        rules: rules.map(|rule| (rule.program.clone(), Provenance(None))).collect(),
    })
}
