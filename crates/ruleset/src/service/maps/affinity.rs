//! Session affinity: clients are led to the endpoint they had.
//!
//! A memory is an element that the packet itself writes, after routing, when its endpoint is known:
//!
//! ```text
//! map affinity { ip saddr . ip daddr . meta l4proto . th dport : ip daddr . th dport }    # client . frontend → endpoint
//! ```
//!
//! Every new connection writes it anew, so its time begins again. A memory of an endpoint that went is found out by the
//! first packet that it misleads: what the frontend's endpoints (`sticky-members`) do not hold is forgotten, and
//! the packet dropped; the client's next try is led elsewhere. So removing an endpoint is one element, whatever the
//! number of clients.
//!
//! Clients that are not remembered are led by a hash of their address ([`super::contents::balance`]): a client that comes
//! to the cluster IP of a service and then to its node port gets the same endpoint at both, as long as the endpoints are
//! the same. It also keeps most clients where they are when the map is full: then a client is served, but not remembered.

use crate::ir::{
    AnySet, Chain, CtKey, DataKind, Expression, Family, MetaKey, Nat, NatKind, PayloadField, Rule, SetSpec, SetUpdate,
    SetUpdateOp, Statement,
};

use super::super::{NodeSettings, Service};
use super::sets::Site;
use super::skeleton::{asked_address, chain_name, dispatch, drop_all, frontend_key, set_name, transport, type_of};

/// How many clients are remembered where nothing else is said. Memory is taken for those there are.
const SIZE: u32 = 262_144;

/// The maps that packets write to, one for each kind of frontends.
pub(super) fn memories(node: &NodeSettings, family: Family) -> [AnySet; 2] {
    Site::ALL.map(|site| {
        let key = std::iter::once(Expression::saddr(family)).chain(frontend_key(site, family));
        let spec = SetSpec::new(set_name(site.affinity()), type_of(key.collect()));
        let mut spec = spec.sized(node.affinity_size.unwrap_or(SIZE));
        spec.flags.dynamic = true;
        spec.flags.timeout = true;
        // Every element has a time of its own; this is for those that people add.
        spec.timeout_ms = Some(u64::from(Service::LONGEST_AFFINITY) * 1000);
        AnySet::new(spec, DataKind::Value { data: type_of(endpoint(family)), interval: false })
    })
}

/// Leads a client to the endpoint it had, or on.
pub(super) fn sticky(site: Site, family: Family) -> Chain {
    let key = std::iter::once(Expression::saddr(family)).chain(frontend_key(site, family));
    let mut nat = Nat::new(NatKind::Dnat);
    nat.family = Some(family);
    nat.address = Some(Expression::concat(key).map(set_name(site.affinity())));
    Chain::new(chain_name(site.sticky_chain()))
        .with(Statement::Nat(nat))
        .with(dispatch(site, family, site.sticky()))
        .with(drop_all())
}

/// Remembers for so many seconds where a client got to; forgets it, where that is no endpoint any more.
pub(super) fn remember(site: Site, family: Family, seconds: u32) -> Chain {
    let asked = || {
        let address = (site == Site::Address).then(|| asked_address(family));
        let port = [Expression::Meta(MetaKey::L4proto), Expression::ct_original(CtKey::ProtoDst)];
        address.into_iter().chain(port)
    };
    let member = Expression::concat(asked().chain(endpoint(family)));
    let is_gone = Statement::differs(member, Expression::SetRef(site.members().set_name()));
    let update = |op, timeout_ms| {
        Statement::SetUpdate(Box::new(SetUpdate {
            op,
            set: set_name(site.affinity()),
            key: Expression::concat(std::iter::once(Expression::saddr(family)).chain(asked())),
            data: Some(Expression::concat(endpoint(family))),
            timeout_ms,
            statements: Vec::new(),
        }))
    };
    Chain::new(site.remember_chain(seconds))
        .with(Rule::new([transport(), is_gone, update(SetUpdateOp::Delete, None), drop_all()]))
        .with(Rule::new([transport(), update(SetUpdateOp::Update, Some(u64::from(seconds) * 1000))]))
}

/// `daddr . th dport`: after translation, the endpoint.
fn endpoint(family: Family) -> Vec<Expression> {
    vec![Expression::daddr(family), Expression::field(PayloadField::TH_DPORT)]
}
