//! The command line: what people may write. `rulectl help`, shell completions and man pages all follow from here.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use rulectl_ruleset::diff::Part;
use rulectl_ruleset::iptables::Family;
use rulectl_ruleset::ir::{self, ChainName, SetName, TableId, TableName};
use rulectl_ruleset::service::{self, Layout, Refusal};

/// Read, compare and atomically change netfilter rules.
///
/// rulectl compiles service maps (virtual IP:port to a changing set of endpoints) to nftables and iptables, shows what
/// would change in a kernel, and makes the smallest change that leads there, all of it or nothing.
#[derive(Debug, Parser)]
#[command(name = "rulectl", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// Say more: once for what is done, twice for each message sent.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// When to use colour; `auto` is on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the rules a service map compiles to, or a ruleset in another form.
    Compile(Compile),
    /// Show what `apply` would change, or how two files differ. Exits with 0 if nothing does, 1 if something.
    Diff(Diff),
    /// Make the kernel's rules those of a service map or ruleset: the smallest change, in one atomic batch.
    Apply(Apply),
    /// Make a plan: what `apply` would change, why, and how much is sent. Kept in a file, `apply` does exactly that.
    Plan(Plan),
    /// Take the last change back that was made in this network namespace. What `undo` did is taken back as well.
    Undo(Undo),
    /// List the changes that were made in this network namespace: when, by whom and how much.
    Log(Log),
    /// Keep a change that was made by `apply --confirm`.
    Confirm(Confirm),
    /// Take a change back if nobody confirms it in time.
    #[command(hide = true)]
    Keep(Keep),
    /// Delete the tables (or chains) that rulectl made.
    Delete(Delete),
    /// List tables as they are in the kernel.
    Show(Show),
    /// Take services over from kube-proxy without a moment in which nobody serves them.
    Migrate(Migrate),
    /// Look after tracked connections: those that go where the rules would not send them any more.
    Conntrack(Conntrack),
    /// Print changes of rules as they happen: what, in whose table, and which process made them.
    Monitor(Monitor),
    /// Read rulesets and print them in their canonical form, as nft lists them.
    Parse(Parse),
    /// Print iptables rules as rules of nft: a ruleset that nft loads, in which each rule that cannot be translated is a
    /// comment that says why. Exits with 1 if there is one.
    Translate(Translate),
    /// Lay nft text out as nft lists it, in place. Comments, definitions, includes and names stay as they are.
    Fmt(Fmt),
    /// Print a completion script for a shell.
    Completions(Completions),
    /// Write the man pages into a folder.
    Man(Man),
}

#[derive(Debug, Args)]
pub(crate) struct Parse {
    /// Rulesets: nft text, JSON of `nft -j`, or text of iptables-save. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The form they are in; `auto` looks whether they begin with a brace, and is never iptables.
    #[arg(long, value_name = "FORM", default_value = "auto")]
    pub(crate) from: RulesetSource,

    /// The form to print.
    #[arg(long, value_name = "FORM", default_value = "nft")]
    pub(crate) to: RulesetForm,

    /// Write protocols above IP as numbers in text, as `nft -p` does.
    #[arg(long)]
    pub(crate) numeric_protocol: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RulesetSource {
    Auto,
    Nft,
    Json,
    /// Text of iptables-save, or for iptables-restore.
    Iptables,
    /// Text of ip6tables-save, or for ip6tables-restore.
    Ip6tables,
}

impl RulesetSource {
    /// Whether it is text of iptables, and whose.
    pub(crate) fn iptables(self) -> Option<Family> {
        match self {
            Self::Iptables => Some(Family::Ip),
            Self::Ip6tables => Some(Family::Ip6),
            Self::Auto | Self::Nft | Self::Json => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RulesetForm {
    /// nft text.
    Nft,
    /// nft JSON.
    Json,
    /// The kernel's expressions, as `nft --debug=netlink` shows them.
    Expr,
    /// What iptables-save prints; of iptables only.
    Iptables,
    /// What ip6tables-save prints; of ip6tables only.
    Ip6tables,
    /// What was understood, in full: rulectl's own typed form, as JSON.
    Ir,
}

#[derive(Debug, Args)]
pub(crate) struct Translate {
    /// Texts of iptables-save or ip6tables-save, or texts for iptables-restore. `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The program they are of; `auto` goes by the first line and the addresses.
    #[arg(long, value_name = "PROGRAM", default_value = "auto")]
    pub(crate) from: IptablesSource,

    /// The form to print.
    #[arg(long, value_name = "FORM", default_value = "nft")]
    pub(crate) to: RulesetForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IptablesSource {
    Auto,
    Iptables,
    Ip6tables,
}

/// What rules are wanted, and what they depend on beside that.
#[derive(Clone, Debug, Args)]
pub(crate) struct Source {
    /// Service maps: rulectl's own YAML or JSON, or Kubernetes objects (Services, EndpointSlices, Nodes) as
    /// `kubectl get -o yaml` prints them. Or rulesets: nft text, or JSON of `nft -j`. Or texts of iptables-save, for an
    /// iptables back end. `-` is standard input. Several files make one map or one ruleset.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// What the files are; `auto` goes by their names, and by how they begin (but standard input is a dump of iptables
    /// only if that is said).
    #[arg(long, value_name = "FORM", default_value = "auto")]
    pub(crate) from: SourceForm,

    /// The name of the tables, one for each family.
    #[arg(long, value_name = "NAME", default_value = service::DEFAULT_TABLE)]
    pub(crate) table: TableName,

    /// How services become rules: `maps` has a fixed number of chains and keeps services and endpoints as elements;
    /// `chains` has a chain for each service, for iptables and for people who read rules.
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) layout: Option<LayoutArg>,

    #[command(flatten)]
    pub(crate) node: Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceForm {
    Auto,
    /// A service map.
    Map,
    /// nft text.
    Nft,
    /// JSON of `nft -j`.
    Json,
    /// Text of iptables-save, or for iptables-restore.
    Iptables,
    /// The same of ip6tables.
    Ip6tables,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutArg {
    Maps,
    Chains,
}

impl From<LayoutArg> for Layout {
    fn from(layout: LayoutArg) -> Self {
        match layout {
            LayoutArg::Maps => Self::Maps,
            LayoutArg::Chains => Self::Chains,
        }
    }
}

/// The node the rules are for. Each flag replaces the setting of the same name in the map's `node` block.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Node settings")]
pub(crate) struct Node {
    /// Which node this is: endpoints that name it are local. A Kubernetes Node of that name gives its addresses.
    #[arg(long = "node", value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// The node's own addresses.
    #[arg(long = "node-ip", value_name = "IP", value_delimiter = ',')]
    pub(crate) addresses: Vec<IpAddr>,

    /// Networks that nodes are in.
    #[arg(long = "node-cidr", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) node_cidrs: Vec<IpNet>,

    /// Networks that pods are in; clients outside them are masqueraded.
    #[arg(long = "pod-cidr", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) pod_cidrs: Vec<IpNet>,

    /// Bridges that pods are connected to, instead of networks.
    #[arg(long = "pod-bridge", value_name = "DEVICE", value_delimiter = ',')]
    pub(crate) pod_bridges: Vec<String>,

    /// First letters of the names of interfaces that pods are behind, instead of networks.
    #[arg(long = "pod-interface-prefix", value_name = "PREFIX", value_delimiter = ',')]
    pub(crate) pod_interface_prefixes: Vec<String>,

    /// Networks that virtual addresses of services are taken from. What is sent to an address in them that no service
    /// has is dropped; where the map's objects alone tell the networks, that needs `--drop-unallocated`.
    #[arg(long = "service-cidr", value_name = "CIDR", value_delimiter = ',')]
    pub(crate) service_cidrs: Vec<IpNet>,

    /// Drop what is sent to addresses in the networks of services that no service has.
    #[arg(long = "drop-unallocated")]
    pub(crate) drop_unallocated: bool,

    /// The zone the node is in, which endpoints may be meant for.
    #[arg(long = "zone", value_name = "NAME")]
    pub(crate) zone: Option<String>,

    /// On which of the node's addresses node ports answer: `primary`, `all`, or networks.
    #[arg(long = "nodeport-addresses", value_name = "ADDRESSES", value_delimiter = ',')]
    pub(crate) nodeport_addresses: Vec<String>,

    /// Have node ports answer on 127.0.0.1 too, if it is among their addresses. `apply` then sets `route_localnet`, and
    /// the rules keep everyone else away from what listens there.
    #[arg(long = "localhost-nodeports")]
    pub(crate) localhost_nodeports: bool,

    /// Masquerade all traffic to cluster IPs, also that of pods.
    #[arg(long = "masquerade-all")]
    pub(crate) masquerade_all: bool,

    /// The bit of the packet mark that says "masquerade", 0 to 31. Only the chains layout uses one.
    #[arg(long = "mark-bit", value_name = "BIT", value_parser = clap::value_parser!(u8).range(0..32))]
    pub(crate) mark_bit: Option<u8>,

    /// Keep the client's port when masquerading, where it is free, instead of choosing one at random.
    #[arg(long = "keep-source-ports")]
    pub(crate) keep_source_ports: bool,

    /// Have source ranges that hold no network of a family let everyone of that family through, as kube-proxy does.
    /// Else nobody of it gets through.
    #[arg(long = "admit-unlisted-families")]
    pub(crate) admit_unlisted_families: bool,

    /// How clients are told that nothing answers.
    #[arg(long = "refusal", value_name = "HOW")]
    pub(crate) refusal: Option<RefusalArg>,

    /// Drop forwarded packets that belong to no connection conntrack knows.
    #[arg(long = "drop-invalid")]
    pub(crate) drop_invalid: bool,

    /// How many clients with session affinity may be remembered at a time, per family.
    #[arg(long = "affinity-size", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) affinity_size: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RefusalArg {
    /// By a reset for TCP, which the kernel does not limit in number, by ICMP for the others. The default.
    Reset,
    /// By ICMP "port unreachable" for all protocols, as kube-proxy does.
    Unreachable,
}

impl From<RefusalArg> for Refusal {
    fn from(refusal: RefusalArg) -> Self {
        match refusal {
            RefusalArg::Reset => Self::Reset,
            RefusalArg::Unreachable => Self::Unreachable,
        }
    }
}

/// Which kernel.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The network namespace to work in: a name (see `ip netns`) or a path. The current one if not given.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) netns: Option<String>,

    /// Who holds the rules.
    #[arg(long, value_name = "BACKEND", default_value = "nft")]
    pub(crate) backend: Backend,
}

/// Of which parts of the tables a ruleset speaks.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Parts {
    /// Only this chain is to be as the ruleset says, and all else of its table stays as it is: `inet filter input`. May
    /// be given several times.
    #[arg(long, value_name = "[FAMILY] TABLE CHAIN", value_parser = chain_part)]
    pub(crate) chain: Vec<Part>,

    /// Only this set or map is to be as the ruleset says: `inet filter blocked`. May be given several times.
    #[arg(long, value_name = "[FAMILY] TABLE SET", value_parser = set_part)]
    pub(crate) set: Vec<Part>,
}

impl Parts {
    /// All that are named.
    pub(crate) fn parts(&self) -> Vec<Part> {
        [self.chain.as_slice(), &self.set].concat()
    }
}

fn chain_part(text: &str) -> Result<Part, String> {
    let (table, name) = table_and_name(text)?;
    Ok(Part::Chain(table, ChainName::new(name).map_err(|error| error.to_string())?))
}

fn set_part(text: &str) -> Result<Part, String> {
    let (table, name) = table_and_name(text)?;
    Ok(Part::Set(table, SetName::new(name).map_err(|error| error.to_string())?))
}

/// A table, of family `ip` if none is named, and the name of a part of it.
fn table_and_name(text: &str) -> Result<(TableId, &str), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (family, table, name) = match words.as_slice() {
        [table, name] => (ir::Family::Ip, table, name),
        [family, table, name] => {
            (ir::Family::from_keyword(family).ok_or_else(|| format!("`{family}` is no family"))?, table, name)
        }
        _ => return Err("family, table and name are expected, as in `inet filter input`".to_owned()),
    };
    let table = TableName::new(*table).map_err(|error| error.to_string())?;
    Ok((TableId::new(family, table), name))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// nftables, over netlink.
    Nft,
    /// x_tables, through iptables-legacy-restore.
    IptablesLegacy,
    /// nftables in the shape of x_tables, through iptables-nft-restore.
    IptablesNft,
}

#[derive(Debug, Args)]
pub(crate) struct Compile {
    #[command(flatten)]
    pub(crate) source: Source,

    /// What to print.
    #[arg(long, value_name = "FORM", default_value = "nft")]
    pub(crate) to: CompileForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompileForm {
    /// nft text, for `nft -f`.
    Nft,
    /// nft JSON, for `nft -j -f`.
    Json,
    /// The kernel's expressions, as `nft --debug=netlink` shows them.
    Expr,
    /// Text for `iptables-restore`.
    Iptables,
    /// Text for `ip6tables-restore`.
    Ip6tables,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) source: Source,

    #[command(flatten)]
    pub(crate) parts: Parts,

    #[command(flatten)]
    pub(crate) target: Target,

    /// Of iptables dumps: the tables they name are to be as they say, all of them. Otherwise they speak for the chains
    /// they declare and, in built-in chains, for their own rules and those that lead to chains they declare.
    #[arg(long)]
    pub(crate) whole_tables: bool,

    /// Compare with what this file says, of any form, instead of with a kernel. No kernel is needed then.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["netns", "backend", "chain", "set"])]
    pub(crate) against: Option<PathBuf>,

    /// How to print the difference: `text` for people, `json` for programs. Anything else is the file that the plan is
    /// written to: `apply` takes it, and does exactly that or nothing.
    #[arg(short, long, value_name = "FORM|FILE", default_value = "text")]
    pub(crate) output: DiffForm,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DiffForm {
    Text,
    Json,
    Plan(PathBuf),
}

impl From<&str> for DiffForm {
    fn from(word: &str) -> Self {
        match word {
            "text" => Self::Text,
            "json" => Self::Json,
            path => Self::Plan(path.into()),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) source: Source,

    #[command(flatten)]
    pub(crate) parts: Parts,

    #[command(flatten)]
    pub(crate) target: Target,

    /// Of iptables dumps: the tables they name are to be as they say, all of them. Otherwise they speak for the chains
    /// they declare and, in built-in chains, for their own rules and those that lead to chains they declare.
    #[arg(long)]
    pub(crate) whole_tables: bool,

    /// Change nothing: `plan` shows the steps, `kernel` also has the kernel try them.
    #[arg(long, value_name = "HOW")]
    pub(crate) dry_run: Option<DryRun>,

    /// Of which protocols tracked connections are deleted, after the rules are in place, if they go where no service
    /// sends them any more: to endpoints that are gone, or past a service that is new.
    #[arg(long, value_name = "PROTOCOLS", default_value = "udp")]
    pub(crate) conntrack: FlowProtocols,

    /// Take the change back after so many seconds unless `rulectl confirm` keeps it: who has locked himself out gets in
    /// again. A process of its own waits, whatever becomes of this session.
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["dry_run", "no_log"],
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) confirm: Option<u32>,

    #[command(flatten)]
    pub(crate) journal: Journal,
}

/// Where changes are written down.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Log of changes")]
pub(crate) struct Journal {
    #[command(flatten)]
    pub(crate) state: StateDir,

    /// Do not write the change down. It cannot be taken back by `undo` then.
    #[arg(long)]
    pub(crate) no_log: bool,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Log of changes")]
pub(crate) struct StateDir {
    /// The folder in which changes are written down. For root it is /var/lib/rulectl, for others rulectl in
    /// $XDG_STATE_HOME, which is ~/.local/state if it is not set.
    #[arg(long, value_name = "DIR", env = "RULECTL_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) source: Source,

    /// The network namespace to work in: a name (see `ip netns`) or a path. The current one if not given.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) netns: Option<String>,

    /// The file to keep the plan in.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// How to print the plan.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) to: ReportForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportForm {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Undo {
    /// The network namespace to work in: a name (see `ip netns`) or a path. The current one if not given.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) netns: Option<String>,

    /// Change nothing, and show what would be.
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) state: StateDir,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    /// The change to show in full, by its number. Without one all are listed.
    #[arg(value_name = "NUMBER")]
    pub(crate) number: Option<u64>,

    /// The network namespace to work in: a name (see `ip netns`) or a path. The current one if not given.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) netns: Option<String>,

    /// How to print it.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) to: ReportForm,

    #[command(flatten)]
    pub(crate) state: StateDir,
}

#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// The network namespace to work in: a name (see `ip netns`) or a path. The current one if not given.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) netns: Option<String>,

    #[command(flatten)]
    pub(crate) state: StateDir,
}

#[derive(Debug, Args)]
pub(crate) struct Keep {
    pub(crate) number: u64,

    pub(crate) seconds: u32,

    #[command(flatten)]
    pub(crate) state: StateDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlowProtocols {
    /// UDP: its clients do not notice.
    Udp,
    /// UDP, TCP and SCTP. Connections of TCP are reset then.
    All,
    /// None: they go on until they end.
    None,
}

impl FlowProtocols {
    pub(crate) fn protocols(self) -> &'static [service::Protocol] {
        use service::Protocol::{Sctp, Tcp, Udp};
        match self {
            Self::Udp => &[Udp],
            Self::All => &[Udp, Tcp, Sctp],
            Self::None => &[],
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Service maps: rulectl's own YAML or JSON, or Kubernetes objects. `-` is standard input. Several make one map.
    #[arg(required = true, value_name = "MAP")]
    pub(crate) files: Vec<PathBuf>,

    /// The name of the tables, one for each family.
    #[arg(long, value_name = "NAME", default_value = service::DEFAULT_TABLE)]
    pub(crate) table: TableName,

    /// How services become rules.
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) layout: Option<LayoutArg>,

    #[command(flatten)]
    pub(crate) node: Node,

    /// Whose rules are to be looked for: `kube-proxy` in any of its modes, or `iptables` for its chains alone.
    #[arg(long, value_name = "WHOSE", default_value = "kube-proxy")]
    pub(crate) from: MigrateFrom,

    /// Remove its rules too: those in nf_tables by the very batch that makes ours, those in x_tables after it. Without
    /// this, ours decide and its rules stay. What is the kubelet's or anybody else's stays in any case.
    #[arg(long)]
    pub(crate) remove: bool,

    /// Remove its rules also if it serves what the map does not.
    #[arg(long, requires = "remove")]
    pub(crate) abandon: bool,

    /// Change nothing: show what would be, and have the kernel try it.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The network namespace to work in: a name (see `ip netns`) or a path. The current one if not given.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) netns: Option<String>,

    /// Of which protocols tracked connections are deleted afterwards, if they go where no service sends them any more.
    #[arg(long, value_name = "PROTOCOLS", default_value = "udp")]
    pub(crate) conntrack: FlowProtocols,

    #[command(flatten)]
    pub(crate) journal: Journal,
}

impl Migrate {
    /// What rules are wanted.
    pub(crate) fn source(&self) -> Source {
        let Self { files, table, layout, node, .. } = self;
        let (files, table, node) = (files.clone(), table.clone(), node.clone());
        Source { files, from: SourceForm::Map, table, layout: *layout, node }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MigrateFrom {
    /// Its tables of nftables, and its chains in those of iptables.
    KubeProxy,
    /// Its chains in the tables of iptables, legacy or nf_tables.
    Iptables,
}

#[derive(Debug, Args)]
pub(crate) struct Conntrack {
    #[command(subcommand)]
    pub(crate) action: ConntrackAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConntrackAction {
    /// List connections, as `conntrack -L` does.
    List(ListFlows),
    /// List connections that the rules of a service map would not make so, and why. Exits with 1 if there are any.
    Stale(StaleFlows),
    /// Delete them: the next packet of each goes where the rules send it.
    Clean(StaleFlows),
}

#[derive(Debug, Args)]
pub(crate) struct ListFlows {
    /// Only those of a family.
    #[arg(short, long, value_name = "ip|ip6")]
    pub(crate) family: Option<FlowFamily>,

    /// Only those of a protocol: a name, or its number above IP.
    #[arg(short, long, value_name = "PROTOCOL", value_parser = protocol)]
    pub(crate) protocol: Option<u8>,

    /// Only those whose first packet went to this address.
    #[arg(short, long, value_name = "IP")]
    pub(crate) destination: Option<IpAddr>,

    /// Only those whose first packet went to this port.
    #[arg(long = "dport", value_name = "PORT")]
    pub(crate) destination_port: Option<u16>,

    /// Only those with this mark, in the bits of the mask.
    #[arg(short, long, value_name = "MARK[/MASK]", value_parser = masked)]
    pub(crate) mark: Option<(u32, u32)>,

    /// Only those in this zone.
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<u16>,

    /// The network namespace to look into: a name (see `ip netns`) or a path. The current one if not given.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) netns: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlowFamily {
    Ip,
    Ip6,
}

#[derive(Debug, Args)]
pub(crate) struct StaleFlows {
    #[command(flatten)]
    pub(crate) source: Source,

    /// The network namespace to look into: a name (see `ip netns`) or a path. The current one if not given.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) netns: Option<String>,

    /// Connections of which protocols.
    #[arg(long, value_name = "PROTOCOLS", default_value = "udp")]
    pub(crate) conntrack: FlowProtocols,
}

/// A protocol above IP by name or number.
fn protocol(word: &str) -> Result<u8, String> {
    const NAMES: [(&str, u8); 7] =
        [("icmp", 1), ("tcp", 6), ("udp", 17), ("gre", 47), ("icmpv6", 58), ("sctp", 132), ("udplite", 136)];
    let named = NAMES.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
    named.or_else(|| word.parse().ok()).ok_or_else(|| {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        format!("one of {}, or a number", names.join(", "))
    })
}

/// `MARK` or `MARK/MASK`, decimal or with `0x`.
fn masked(text: &str) -> Result<(u32, u32), String> {
    let number = |text: &str| {
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => text.parse(),
        };
        parsed.map_err(|error| format!("`{text}`: {error}"))
    };
    match text.split_once('/') {
        Some((mark, mask)) => Ok((number(mark)?, number(mask)?)),
        None => Ok((number(text)?, u32::MAX)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    Plan,
    Kernel,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The name of the tables.
    #[arg(long, value_name = "NAME", default_value = service::DEFAULT_TABLE)]
    pub(crate) table: TableName,

    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) journal: Journal,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// What to list, in the words of `nft list`: `ruleset inet`, `table inet filter`, `chain inet filter input`,
    /// `set ip nat hosts`; also `map` and `flowtable`, and objects: `counter`, `quota`, `limit`. Without a family it is
    /// `ip`. Nothing lists the whole ruleset.
    #[arg(value_name = "WHAT")]
    pub(crate) what: Vec<String>,

    /// The name of the tables to list, of any family.
    #[arg(long, value_name = "NAME", conflicts_with = "what")]
    pub(crate) table: Option<TableName>,

    /// With what packets and time have changed: counters, used quotas, what is left of timeouts.
    #[arg(long)]
    pub(crate) stateful: bool,

    /// With the kernel's number of each thing behind it.
    #[arg(short = 'a', long)]
    pub(crate) handles: bool,

    /// Say on standard error at which generation the ruleset was read: it changes with each commit of anybody.
    #[arg(long)]
    pub(crate) generation: bool,

    /// Whose rules: those of nftables, or what iptables-save says of x_tables or of its tables in nftables.
    #[arg(long, value_name = "BACKEND", default_value = "nft", conflicts_with_all = ["what", "table"])]
    pub(crate) backend: Backend,

    /// The network namespace to look into: a name (see `ip netns`) or a path. The current one if not given.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) netns: Option<String>,

    /// What to print.
    #[arg(long, value_name = "FORM", default_value = "nft")]
    pub(crate) to: ShowForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowForm {
    /// nft text.
    Nft,
    /// nft JSON.
    Json,
    /// The kernel's expressions, as `nft --debug=netlink` shows them.
    Expr,
}

#[derive(Debug, Args)]
pub(crate) struct Monitor {
    /// The network namespace to listen to: a name (see `ip netns`) or a path. The current one if not given.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) netns: Option<String>,

    /// How to print changes: `text` has a block for each commit, `json` a line.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    pub(crate) output: ReportForm,

    /// Stop after so many commits.
    #[arg(short = 'n', long, value_name = "COMMITS")]
    pub(crate) count: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// nft text. `-` is standard input, and goes to standard output. A file with errors is left as it is.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Write nothing: show what would change, and exit with 1 if anything would.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder the pages are written into.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn marks_and_protocols_are_read() {
        assert_eq!(super::masked("0x4000/0xf000"), Ok((0x4000, 0xf000)));
        assert_eq!(super::masked("7"), Ok((7, u32::MAX)));
        assert!(super::masked("7/x").is_err());
        assert_eq!((super::protocol("udp"), super::protocol("89")), (Ok(17), Ok(89)));
        assert!(super::protocol("upd").is_err());
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }
}
