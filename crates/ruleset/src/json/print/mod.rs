//! Rulesets as JSON.

mod element;
mod expression;
mod object;
mod statement;

pub(super) use statement::{LOG_ALL, LOG_FLAGS, tests_bits};

use serde_json::{Value as Json, json};

use crate::ir::{Opaque, Ruleset, Table};

/// A release of nft, by what its JSON can say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Release {
    /// nft 1.0.x, as in Debian 12 (1.0.6).
    ///
    /// It knows no `typeof`: keys and data are written by their types, so a set declared by `typeof` is created by
    /// `type`. It refuses `integer` inside a concatenation, and it does not load a map whose values are concatenated
    /// in any form: what needs one of the two (the maps layout of services: `… . numgen … : addr . port`) has no form
    /// that nft 1.0.6 would load from JSON. Use nft text or netlink there.
    V1_0,
    /// nft 1.1.2 and later: `"type": {"typeof": EXPRESSION}` for keys and data, operations on bits with any number of
    /// operands.
    #[default]
    V1_1,
}

/// The ruleset as JSON text for nft 1.1, one object a line.
///
/// Times are written in whole seconds, as JSON has them: what is below a second is rounded up. An opaque piece that
/// came from JSON is written as it came; one of another form as `{"opaque": {"dialect": …, "text": …}}`, which nft
/// refuses: nobody loads half a rule by mistake.
pub fn print(ruleset: &Ruleset) -> String {
    print_for(ruleset, Release::V1_1)
}

/// The ruleset as JSON text for that release of nft, one object a line. See [`print()`].
pub fn print_for(ruleset: &Ruleset, release: Release) -> String {
    let mut text = String::from("{\"nftables\": [\n");
    let mut items = Vec::new();
    Printer { release }.ruleset(ruleset, &mut |item| items.push(item.to_string()));
    text.push_str(&items.join(",\n"));
    text.push_str("\n]}\n");
    text
}

/// The ruleset as a JSON document for that release of nft. See [`print()`].
pub fn to_value(ruleset: &Ruleset, release: Release) -> Json {
    let mut items = Vec::new();
    Printer { release }.ruleset(ruleset, &mut |item| items.push(item));
    json!({ "nftables": items })
}

/// Writes for one release of nft.
#[derive(Clone, Copy)]
struct Printer {
    release: Release,
}

impl Printer {
    fn ruleset(self, ruleset: &Ruleset, emit: &mut dyn FnMut(Json)) {
        emit(self.metainfo());
        ruleset.tables().for_each(|table| self.table(table, emit));
    }

    /// nft checks only the schema's version, which has been 1 since there is one.
    fn metainfo(self) -> Json {
        let version = env!("CARGO_PKG_VERSION");
        json!({ "metainfo": { "version": version, "release_name": "rulectl", "json_schema_version": 1 } })
    }

    /// Every object after those it names: elements name chains and objects, rules name all.
    fn table(self, table: &Table, emit: &mut dyn FnMut(Json)) {
        emit(object::table(table));
        table.chains.iter().for_each(|chain| emit(object::chain(table, chain)));
        table.objects.iter().for_each(|object| emit(object::object(table, object)));
        table.sets.iter().for_each(|set| emit(self.set(table, set)));
        table.flowtables.iter().for_each(|flowtable| emit(object::flowtable(table, flowtable)));
        for chain in &table.chains {
            chain.rules.iter().for_each(|rule| emit(self.rule(table, chain, rule)));
        }
    }
}

/// A piece that is kept as it came.
fn opaque(opaque: &Opaque) -> Json {
    let own = (opaque.dialect == crate::ir::Dialect::Json).then(|| serde_json::from_str(&opaque.text).ok()).flatten();
    own.unwrap_or_else(|| json!({ "opaque": opaque }))
}

/// Whole seconds, rounded up: an element with a time must not become one without.
fn seconds(milliseconds: u64) -> Json {
    milliseconds.div_ceil(1000).into()
}

/// Flags as nft writes them: one as a string, several as a list.
fn flags(names: &[&str]) -> Json {
    match names {
        [name] => (*name).into(),
        names => names.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{
        BaseChain, Chain, ChainType, CtKey, DataType, Expression, Family, Hook, KeyType, Map, MetaKey, Nat, NatKind,
        Numgen, NumgenMode, PayloadField, Priority, RelationalOp, SetName, SetSpec, Statement, Value, Verdict,
        VerdictMap,
    };

    fn frontend() -> Vec<Expression> {
        vec![PayloadField::IP_DADDR.into(), MetaKey::L4proto.into(), PayloadField::TH_DPORT.into()]
    }

    /// The maps layout of services in small.
    fn services() -> Ruleset {
        let mut key = frontend();
        key.push(Expression::Numgen(Numgen { mode: NumgenMode::Random, modulus: 2, offset: 0 }));
        let endpoint = KeyType::of_expressions([PayloadField::IP_DADDR.into(), PayloadField::TH_DPORT.into()]).unwrap();
        let name = |name: &str| SetName::new(name).unwrap();
        let chain = |name: &str| crate::ir::ChainName::new(name).unwrap();
        let spec = SetSpec::new(name("endpoints"), KeyType::of_expressions(key.clone()).unwrap());
        let mut endpoints = Map::new(spec.sized(8), endpoint);
        let vip = Value::ipv4([10, 96, 0, 1].into());
        let slot = Value::number(DataType::Integer, 0);
        let pod = [Value::ipv4([10, 1, 0, 7].into()), Value::port(8080)];
        endpoints.insert(&[vip.clone(), Value::protocol(6), Value::port(80), slot], &pod).unwrap();
        let spec = SetSpec::new(name("services"), KeyType::of_expressions(frontend()).unwrap());
        let mut verdicts = VerdictMap::new(spec);
        let goto = Verdict::Goto(chain("lb-2"));
        verdicts.insert(&[vip, Value::protocol(6), Value::port(80)], goto).unwrap();
        let nat = Nat {
            family: Some(Family::Ip),
            address: Some(Expression::concat(key).map(name("endpoints"))),
            ..Nat::new(NatKind::Dnat)
        };
        let base = BaseChain::new(Family::Ip, Hook::Prerouting, ChainType::Nat, Priority(-101)).unwrap();
        let services = Chain::base(chain("prerouting"), base)
            .with(Statement::vmap(Expression::concat(frontend()), name("services")));
        let table = Table::new(Family::Ip, "svc".parse().unwrap())
            .with_set(verdicts)
            .with_set(endpoints)
            .with_chain(services)
            .with_chain(Chain::new(chain("lb-2")).with(nat));
        [table].into_iter().collect()
    }

    #[test]
    fn what_is_named_comes_before_what_names_it() {
        insta::assert_snapshot!(print(&services()).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }

    #[test]
    fn an_old_release_is_given_types_and_no_typeof() {
        let text = print_for(&services(), Release::V1_0);
        assert!(!text.contains("typeof"), "{text}");
        assert!(text.contains(r#""map":"ipv4_addr . inet_service""#), "{text}");
    }

    #[test]
    fn flags_are_listed_in_tests_and_joined_elsewhere() {
        let printer = Printer { release: Release::V1_1 };
        let state = |bits| Value::number(DataType::CtState, bits);
        let tested = Statement::matches(Expression::ct(CtKey::State), state(6));
        let sign = r#"{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}}"#;
        assert_eq!(printer.statement(&tested).to_string(), sign);
        let left = Expression::ct(CtKey::State);
        let equal = Statement::Match { left, op: RelationalOp::Eq, right: state(14).into() };
        let sign = r#"{"|":["established","related","new"]}"#;
        assert!(printer.statement(&equal).to_string().contains(sign), "{}", printer.statement(&equal));
        let nested = Printer { release: Release::V1_0 }.statement(&equal).to_string();
        assert!(nested.contains(r#"{"|":[{"|":["established","related"]},"new"]}"#), "{nested}");
    }
}
