use super::*;
use crate::ir::{ChainType, Header, Hook, MetaKey, Nat, NatKind, PayloadField, Priority, Reject, Value};

fn checked(family: Family, base: Option<&BaseChain>, statements: &[Statement]) -> Result<(), (usize, String)> {
    let site = Site { family, table: None, base };
    check_rule(site, statements).map_err(|(at, refusal)| (at, refusal.message))
}

fn field(header: Header, name: &str) -> Expression {
    PayloadField::find(header, name).unwrap().into()
}

#[test]
fn headers_that_exclude_one_another_are_refused_where_the_second_stands() {
    let port = |header| Statement::equals(field(header, "dport"), Value::port(22));
    let both = [port(Header::Tcp), port(Header::Udp)];
    assert_eq!(checked(Family::Inet, None, &both).unwrap_err().0, 1);
    assert_eq!(checked(Family::Inet, None, &[port(Header::Tcp), port(Header::Th)]), Ok(()));
    let six = Statement::equals(field(Header::Ip6, "nexthdr"), Value::protocol(6));
    assert!(checked(Family::Ip, None, std::slice::from_ref(&six)).is_err());
    assert_eq!(checked(Family::Bridge, None, &[six]), Ok(()));
}

#[test]
fn a_base_chain_limits_what_stands_in_it_and_another_does_not() {
    let base = |kind, hook| BaseChain::new(Family::Ip, hook, kind, Priority(0)).unwrap();
    let masquerade = [Nat::new(NatKind::Masquerade).into()];
    assert_eq!(checked(Family::Ip, None, &masquerade), Ok(()));
    assert_eq!(checked(Family::Ip, Some(&base(ChainType::Nat, Hook::Postrouting)), &masquerade), Ok(()));
    assert!(checked(Family::Ip, Some(&base(ChainType::Nat, Hook::Prerouting)), &masquerade).is_err());
    assert!(checked(Family::Ip, Some(&base(ChainType::Filter, Hook::Postrouting)), &masquerade).is_err());
    assert!(checked(Family::Bridge, None, &masquerade).is_err());
}

#[test]
fn nothing_stands_behind_a_decision() {
    let statements = [Statement::Reject(Reject::Icmp(3)), Statement::counter()];
    assert_eq!(checked(Family::Ip, None, &statements).unwrap_err().0, 1);
    assert_eq!(checked(Family::Ip, None, &[Verdict::Continue.into(), Verdict::Accept.into()]), Ok(()));
}

#[test]
fn ports_are_rewritten_only_with_a_protocol_at_hand() {
    let mut redirect = Nat::new(NatKind::Redirect);
    redirect.port = Some(Value::port(80).into());
    assert!(checked(Family::Ip, None, &[redirect.clone().into()]).is_err());
    let tcp = Statement::equals(MetaKey::L4proto, Value::protocol(6));
    assert_eq!(checked(Family::Ip, None, &[tcp, redirect.into()]), Ok(()));
}
