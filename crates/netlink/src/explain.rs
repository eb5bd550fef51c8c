//! What the kernel's error numbers mean, for what was being done, what it probably lacks, and the way out.
//!
//! A number says little by itself: 2 is a chain that is missing, a module that is missing, or a rule that somebody else
//! has deleted. What it means follows from the step, and from the expression or element the kernel points at. The tables
//! here follow net/netfilter/nf_tables_api.c (`nf_tables_newrule`, `nft_add_set_elem` and their neighbours).

use std::io;

use libc::{
    EAFNOSUPPORT, EAGAIN, EBUSY, EEXIST, EINVAL, ELOOP, EMLINK, ENFILE, ENOBUFS, ENODEV, ENOENT, ENOMEM, ENOSPC,
    ENOTEMPTY, EOPNOTSUPP, EOVERFLOW, EPERM, EPROTONOSUPPORT, ERANGE,
};
use rulectl_ruleset::expr::{Expr, Program, Reference};
use rulectl_ruleset::ir::{AnySet, BaseChain, ChainType, Element, Family, HasName, Object, ObjectKind};
use rulectl_ruleset::plan::Op;

use crate::encode::expr::name;

/// What a refusal means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// What is wrong, in words for what was being done.
    pub words: String,
    /// What can be done about it, where that is known.
    pub way_out: Option<String>,
}

/// What is wrong, and the way out where there is one.
type Words = (String, Option<String>);

/// Explains an error number for a step of a plan, or, without one, for the change as a whole.
pub(crate) fn explain(op: Option<&Op>, element: Option<usize>, expression: Option<usize>, errno: i32) -> Explanation {
    let known = op.and_then(|op| of_step(op, element, expression, errno)).or_else(|| of_any(op, errno));
    let (words, way_out) = known.unwrap_or_else(|| (system_words(errno), None));
    Explanation { words, way_out }
}

/// The name of an error number, as in errno(3).
pub(crate) fn errno_name(errno: i32) -> Option<&'static str> {
    const NAMES: &[(i32, &str)] = &[
        (EPERM, "EPERM"),
        (ENOENT, "ENOENT"),
        (EAGAIN, "EAGAIN"),
        (ENOMEM, "ENOMEM"),
        (EBUSY, "EBUSY"),
        (EEXIST, "EEXIST"),
        (ENODEV, "ENODEV"),
        (EINVAL, "EINVAL"),
        (ENFILE, "ENFILE"),
        (ENOSPC, "ENOSPC"),
        (EMLINK, "EMLINK"),
        (ERANGE, "ERANGE"),
        (ENOTEMPTY, "ENOTEMPTY"),
        (ELOOP, "ELOOP"),
        (libc::E2BIG, "E2BIG"),
        (EOVERFLOW, "EOVERFLOW"),
        (libc::EMSGSIZE, "EMSGSIZE"),
        (EPROTONOSUPPORT, "EPROTONOSUPPORT"),
        (EOPNOTSUPP, "EOPNOTSUPP"),
        (EAFNOSUPPORT, "EAFNOSUPPORT"),
        (ENOBUFS, "ENOBUFS"),
    ];
    NAMES.iter().find(|(number, _)| *number == errno).map(|(_, name)| *name)
}

/// The C library's words, without its number.
fn system_words(errno: i32) -> String {
    let words = io::Error::from_raw_os_error(errno).to_string();
    words.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn words(words: impl Into<String>) -> Option<Words> {
    Some((words.into(), None))
}

fn with_way_out(words: impl Into<String>, way_out: impl Into<String>) -> Option<Words> {
    Some((words.into(), Some(way_out.into())))
}

/// Somebody else has changed what the plan was made for.
const PLAN_AGAIN: &str = "somebody else has changed it meanwhile: plan again";

fn of_step(op: &Op, element: Option<usize>, expression: Option<usize>, errno: i32) -> Option<Words> {
    match op {
        Op::AddTable { table, flags, .. } => match errno {
            EEXIST => with_way_out("a table of that name is there already", PLAN_AGAIN),
            EOPNOTSUPP | EINVAL if flags.owner || flags.persist => {
                words("the kernel does not know these flags: `owner` came with Linux 5.12, `persist` with 6.9")
            }
            EAFNOSUPPORT | EOPNOTSUPP => with_way_out(
                format!("the kernel has no tables of family {}", table.family),
                format!("it was built without {}", family_option(table.family)),
            ),
            _ => None,
        },
        Op::SetTableFlags { .. } => match errno {
            EOPNOTSUPP | EINVAL => words("these flags cannot be changed, or not together with what else is changed"),
            _ => None,
        },
        Op::DeleteTable { .. } | Op::DeleteRule { .. } if errno == ENOENT => {
            with_way_out("it is not there", PLAN_AGAIN)
        }
        Op::AddChain { base, .. } => of_chain(base.as_ref(), errno),
        Op::DeleteChain { .. } => match errno {
            EBUSY => with_way_out("it is in use", "delete first the rules and elements that jump to it"),
            ENOENT => with_way_out("it is not there", PLAN_AGAIN),
            _ => None,
        },
        Op::DeleteSet { .. } | Op::DeleteObject { .. } | Op::DeleteFlowtable { .. } => match errno {
            EBUSY => with_way_out("it is in use", "delete first the rules and elements that use it"),
            ENOENT => with_way_out("it is not there", PLAN_AGAIN),
            _ => None,
        },
        Op::AddSet { set, .. } => match errno {
            EEXIST => with_way_out("a set or map of that name is there already, with another declaration", PLAN_AGAIN),
            EOPNOTSUPP if set.set().spec().flags.interval && set.set().spec().key.is_concat() => words(
                "the kernel has no kind of set for ranges of concatenated keys: they came with Linux 5.6 (nft_set_pipapo)",
            ),
            EOPNOTSUPP => words("the kernel has no kind of set that can do all that its flags and statements ask for"),
            ENOENT => words("its table is not there, or the kernel lacks the objects or statements it is to hold"),
            _ => None,
        },
        Op::AddElements { set, elements, .. } => {
            of_added_element(set.set(), element.and_then(|at| elements.as_slice().get(at)), errno)
        }
        Op::DeleteElements { .. } => match errno {
            ENOENT => with_way_out("it is not in there", PLAN_AGAIN),
            EBUSY => words("a rule uses the set, and it is constant: its elements cannot change"),
            _ => None,
        },
        Op::SetPolicy { .. } if errno == EOPNOTSUPP => with_way_out("it is not there, or is no base chain", PLAN_AGAIN),
        Op::AddObject { object, .. } => of_object(object, errno),
        Op::AddFlowtable { flowtable, .. } => match errno {
            EEXIST => words("there is one of that name, or a device that is in another already"),
            ENOENT | ENODEV => with_way_out(
                "one of its devices is not there (Linux 6.16 and later wait for it), or the kernel lacks flowtables",
                format!(
                    "its devices are {}; the module is nf_flow_table_inet (CONFIG_NF_FLOW_TABLE_INET, Linux 4.16)",
                    {
                        let names: Vec<_> = flowtable.devices.iter().map(ToString::to_string).collect();
                        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
                    }
                ),
            ),
            EOPNOTSUPP if flowtable.offload => {
                words("a device cannot take connections over: leave `flags offload` out")
            }
            _ => None,
        },
        Op::AddRule { program, .. } | Op::ReplaceRule { program, .. } => of_rule(op, program, expression, errno),
        _ => None,
    }
}

fn of_object(object: &Object, errno: i32) -> Option<Words> {
    let kind = object.kind.object_type();
    match (&object.kind, errno) {
        (_, EEXIST) => with_way_out("an object of that name is there already", PLAN_AGAIN),
        (ObjectKind::CtHelper { helper, .. }, ENOENT) => with_way_out(
            format!("the kernel has no helper `{helper}` for that protocol"),
            format!("helpers are in modules of their own, most in nf_conntrack_{helper}: load it"),
        ),
        (_, ENOENT | EOPNOTSUPP) => with_way_out(
            format!("its table is not there, or the kernel lacks what a {kind} needs"),
            format!("that is {}", object_module(kind.keyword())),
        ),
        _ => None,
    }
}

fn of_chain(base: Option<&BaseChain>, errno: i32) -> Option<Words> {
    let Some(base) = base else {
        return match errno {
            EEXIST => with_way_out("a chain of that name is there already", PLAN_AGAIN),
            ENOENT => with_way_out("its table is not there", PLAN_AGAIN),
            _ => None,
        };
    };
    let (kind, hook) = (base.chain_type(), base.hook());
    match errno {
        EEXIST => {
            with_way_out("a chain of that name is there already, at another place or with another policy", PLAN_AGAIN)
        }
        EOPNOTSUPP => words(format!("a chain of type {kind} cannot be at hook {hook} here")),
        ENOENT if !base.devices().is_empty() => {
            let names: Vec<_> = base.devices().iter().map(ToString::to_string).collect();
            words(format!("its table or, before Linux 6.16, one of its devices is not there: {}", names.join(", ")))
        }
        ENOENT if kind == ChainType::Nat => with_way_out(
            "its table is not there, or the kernel lacks chains of type nat",
            "the module is nft_chain_nat (CONFIG_NFT_NAT, Linux 3.13)",
        ),
        ENOENT => words("its table is not there, or the kernel lacks chains of that type"),
        EBUSY => {
            words("something else has the hook: iptables-legacy and nftables cannot both do nat on kernels before 4.18")
        }
        libc::E2BIG => words("more chains are at the hook than the kernel takes (1,024)"),
        EINVAL => words("the kernel does not take the priority for this type: nat chains come after -200"),
        _ => None,
    }
}

fn of_added_element(set: &AnySet, element: Option<&Element>, errno: i32) -> Option<Words> {
    let spec = set.spec();
    match errno {
        EEXIST if spec.flags.interval => {
            words("it is there already with other data, or overlaps with one that is there")
        }
        EEXIST => with_way_out("its key is there already, with other data", PLAN_AGAIN),
        ENOTEMPTY => words("it overlaps with one that is there"),
        ENFILE => {
            let size = spec.size.map_or_else(String::new, |size| format!(" (size {size})"));
            with_way_out(
                format!("{} `{}` is full{size}", set.keyword(), set.name()),
                "declare a larger `size`, with room for what is added before the same change removes others",
            )
        }
        EBUSY => words("a rule uses the set, and it is constant: its elements cannot change"),
        ENOENT => match element.and_then(|element| set.reference(element)) {
            Some(reference) => words(format!("there is no {}", named(&reference))),
            None => words("the set is not there, or not what it leads to"),
        },
        EMLINK | ELOOP => words(DEEP),
        _ => None,
    }
}

/// `NFT_JUMP_STACK_SIZE` in net/netfilter/nf_tables.h.
const DEEP: &str = "chains jump in a circle, or deeper than the kernel goes (16 chains, the base chain included)";

fn of_rule(op: &Op, program: &Program, expression: Option<usize>, errno: i32) -> Option<Words> {
    let Some(expr) = expression.and_then(|at| program.exprs.get(at)) else {
        return match (errno, op) {
            (ENOENT, Op::ReplaceRule { .. }) => with_way_out("it is not there", PLAN_AGAIN),
            (ENOENT, _) => with_way_out("its table, its chain or the rule it goes before is not there", PLAN_AGAIN),
            (EMLINK | ELOOP, _) => words(DEEP),
            // The rule as a whole is looked at last (`nft_chain_validate`).
            (EOPNOTSUPP | EINVAL, _) => program.exprs.iter().find_map(place_of).and_then(misplaced),
            _ => None,
        };
    };
    match errno {
        ENOENT => missing(expr),
        EOPNOTSUPP | EINVAL if place_of(expr).is_some() => place_of(expr).and_then(misplaced),
        EOPNOTSUPP => {
            words("the kernel does not do this here: not in this family, chain or hook, or not with these values")
        }
        EOVERFLOW if matches!(expr, Expr::Limit { .. }) => {
            words("rate and burst together are more than the kernel can count")
        }
        EOVERFLOW | ERANGE => words("a number is larger than the kernel can hold"),
        EINVAL => words("the kernel does not take these values"),
        EBUSY => words("the set is in use in a way that does not go together with this"),
        EMLINK | ELOOP => words(DEEP),
        EPROTONOSUPPORT | EAFNOSUPPORT => words("the kernel does not do this for this protocol or family"),
        _ => None,
    }
}

fn misplaced(place: &str) -> Option<Words> {
    with_way_out("this statement cannot be in that chain, or not with these values", format!("it is for {place}"))
}

/// What is not there: what the expression refers to, or the expression's own module.
fn missing(expr: &Expr) -> Option<Words> {
    let program = Program { exprs: vec![expr.clone()], comment: None };
    let references: Vec<_> = program.references().iter().map(named).collect();
    if !references.is_empty() {
        return words(format!("there is no {}", references.join(", or no ")));
    }
    let name = name(expr);
    match module(name) {
        Some((module, option, since)) => with_way_out(
            format!("the kernel lacks `{name}`"),
            format!(
                "it is in the module {module} (CONFIG_{option}, Linux {since}): load it, or use a kernel that has it"
            ),
        ),
        None => words(format!("the kernel does not know `{name}`: it is too old, or was built without it")),
    }
}

fn named(reference: &Reference) -> String {
    match reference {
        Reference::Chain(name) => format!("chain `{name}`"),
        Reference::Set(name) => format!("set or map `{name}`"),
        Reference::Object(kind, name) => format!("{kind} `{name}`"),
        Reference::Flowtable(name) => format!("flowtable `{name}`"),
    }
}

/// Where statements that are not for all chains may be (`validate` of `struct nft_expr_ops`).
fn place_of(expr: &Expr) -> Option<&'static str> {
    Some(match expr {
        Expr::Nat { .. } => "chains of type nat: dnat at prerouting and output, snat at postrouting and input",
        Expr::Masq { .. } => "chains of type nat at postrouting",
        Expr::Redir { .. } => "chains of type nat at prerouting and output",
        Expr::Reject { .. } => "chains at input, forward, output, prerouting and, in bridges, prerouting and input",
        Expr::Tproxy { .. } => "chains at prerouting",
        Expr::FlowOffload { .. } => "chains of type filter at forward",
        Expr::Fwd { .. } => "chains of family netdev",
        Expr::Fib { .. } => "chains at prerouting, input and forward, and for types at output and postrouting too",
        Expr::Socket { .. } => "chains at prerouting, input and output",
        _ => return None,
    })
}

/// The option a family needs.
fn family_option(family: Family) -> &'static str {
    match family {
        Family::Ip => "CONFIG_NF_TABLES_IPV4",
        Family::Ip6 => "CONFIG_NF_TABLES_IPV6",
        Family::Inet => "CONFIG_NF_TABLES_INET",
        Family::Arp => "CONFIG_NF_TABLES_ARP",
        Family::Bridge => "CONFIG_NF_TABLES_BRIDGE",
        Family::Netdev => "CONFIG_NF_TABLES_NETDEV",
    }
}

/// The module, the option and the first version of Linux of an expression; `None` for what nf_tables has built in.
fn module(expression: &str) -> Option<(&'static str, &'static str, &'static str)> {
    const MODULES: &[(&str, &str, &str, &str)] = &[
        ("connlimit", "nft_connlimit", "NFT_CONNLIMIT", "4.18"),
        ("ct", "nft_ct", "NFT_CT", "3.13"),
        ("dup", "nft_dup_ipv4, nft_dup_ipv6 or nft_dup_netdev", "NFT_DUP_IPV4", "4.3"),
        ("fib", "nft_fib_ipv4, nft_fib_ipv6 or nft_fib_inet", "NFT_FIB_INET", "4.10"),
        ("flow_offload", "nft_flow_offload", "NFT_FLOW_OFFLOAD", "4.16"),
        ("fwd", "nft_fwd_netdev", "NFT_FWD_NETDEV", "4.5"),
        ("hash", "nft_hash", "NFT_HASH", "4.9"),
        ("limit", "nft_limit", "NFT_LIMIT", "3.13"),
        ("log", "nft_log", "NFT_LOG", "3.13"),
        ("masq", "nft_masq", "NFT_MASQ", "3.18"),
        ("match", "nft_compat and the xt_ module of the match", "NFT_COMPAT", "3.13"),
        ("nat", "nft_nat", "NFT_NAT", "3.13"),
        ("notrack", "nft_ct", "NFT_CT", "4.9"),
        ("numgen", "nft_numgen", "NFT_NUMGEN", "4.9"),
        ("osf", "nft_osf", "NFT_OSF", "4.19"),
        ("queue", "nft_queue", "NFT_QUEUE", "3.14"),
        ("quota", "nft_quota", "NFT_QUOTA", "4.9"),
        ("redir", "nft_redir", "NFT_REDIR", "3.19"),
        ("reject", "nft_reject_inet, nft_reject_ipv4 or nft_reject_ipv6", "NFT_REJECT", "3.14"),
        ("socket", "nft_socket", "NFT_SOCKET", "4.18"),
        ("synproxy", "nft_synproxy", "NFT_SYNPROXY", "5.3"),
        ("target", "nft_compat and the xt_ module of the target", "NFT_COMPAT", "3.13"),
        ("tproxy", "nft_tproxy", "NFT_TPROXY", "4.19"),
        ("tunnel", "nft_tunnel", "NFT_TUNNEL", "4.19"),
        ("xfrm", "nft_xfrm", "NFT_XFRM", "4.20"),
    ];
    MODULES.iter().find(|(name, ..)| *name == expression).map(|(_, module, option, since)| (*module, *option, *since))
}

/// What the kernel needs for an object.
fn object_module(kind: &str) -> &'static str {
    match kind {
        "quota" => "nft_quota (CONFIG_NFT_QUOTA, Linux 4.10)",
        "limit" => "nft_limit (CONFIG_NFT_LIMIT, Linux 4.14)",
        "ct timeout" => "CONFIG_NF_CONNTRACK_TIMEOUT (Linux 4.19)",
        "ct expectation" => "nft_ct (Linux 5.3)",
        "synproxy" => "nft_synproxy (CONFIG_NFT_SYNPROXY, Linux 5.4)",
        "secmark" => "CONFIG_NETWORK_SECMARK (Linux 4.20)",
        "tunnel" => "nft_tunnel (CONFIG_NFT_TUNNEL, Linux 4.19)",
        _ => "nf_tables (Linux 4.10)",
    }
}

/// What numbers mean whatever is done.
fn of_any(op: Option<&Op>, errno: i32) -> Option<Words> {
    match errno {
        EPERM if op.is_some() => with_way_out(
            "the table belongs to a process that keeps it for itself (flags owner)",
            "only that process can change it, or its end",
        ),
        EPERM => with_way_out("it takes CAP_NET_ADMIN in this network namespace", "run as root"),
        EMLINK | ELOOP => words(DEEP),
        ENOMEM | ENOBUFS => words("the kernel has no memory left for it"),
        EOPNOTSUPP => words("the kernel does not do this: it is too old, or was built without it"),
        EINVAL => words("the kernel does not take these values"),
        ENOENT => words("something it needs is not there"),
        EEXIST => words("it is there already"),
        EBUSY => words("it is in use"),
        _ => None,
    }
}
