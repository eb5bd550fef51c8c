//! Where statements and expressions may stand: families, chain types and hooks.

use super::{Check, Checked, Refusal};
use crate::ir::{
    ChainType, CtKey, Expression, Family, FibResult, Hook, IpsecDirection, MetaKey, NatKind, Payload, RtKey, Statement,
};

const FROM_OUTSIDE: &[Hook] = &[Hook::Prerouting, Hook::Input, Hook::Forward];
const ROUTED: &[Hook] = &[Hook::Forward, Hook::Output, Hook::Postrouting];
const IP: &[Family] = &[Family::Ip, Family::Ip6, Family::Inet];

impl Check<'_> {
    /// Whether a statement may stand in this family and chain.
    pub(super) fn may_stand(&self, statement: &Statement) -> Checked {
        match statement {
            Statement::Nat(nat) => self.nat_may_stand(nat.kind),
            Statement::Reject(_) => {
                let hooks: &[Hook] = match self.site.family {
                    Family::Arp => return Refusal::new("`reject` is not for tables of family `arp`"),
                    Family::Bridge => &[Hook::Prerouting, Hook::Input],
                    Family::Netdev => &[Hook::Ingress],
                    _ => &[Hook::Ingress, Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Output],
                };
                self.hooks("reject", hooks)
            }
            Statement::Tproxy { .. } => {
                self.families("tproxy", IP)?;
                self.hooks("tproxy", &[Hook::Prerouting])
            }
            Statement::Synproxy(_) => {
                self.families("synproxy", IP)?;
                self.hooks("synproxy", &[Hook::Input, Hook::Forward])
            }
            Statement::FlowAdd(_) => {
                self.families("flow add", IP)?;
                self.hooks("flow add", &[Hook::Forward])
            }
            Statement::Dup { .. } => self.families("dup", &[Family::Ip, Family::Ip6, Family::Netdev]),
            Statement::Fwd { .. } => self.families("fwd", &[Family::Netdev]),
            Statement::Queue { .. } => self.families("queue", &[Family::Ip, Family::Ip6, Family::Inet, Family::Bridge]),
            Statement::Mangle { target, .. } => self.may_be_set(target),
            _ => Ok(()),
        }
    }

    fn nat_may_stand(&self, kind: NatKind) -> Checked {
        let word = kind.keyword();
        self.families(word, IP)?;
        if self.site.base.is_some_and(|base| base.chain_type() != ChainType::Nat) {
            return Refusal::expecting(format!("`{word}` does not belong into this chain"), "a chain of type `nat`");
        }
        self.hooks(
            word,
            match kind {
                NatKind::Snat => &[Hook::Postrouting, Hook::Input],
                NatKind::Dnat | NatKind::Redirect => &[Hook::Prerouting, Hook::Output],
                NatKind::Masquerade => &[Hook::Postrouting],
            },
        )
    }

    fn may_be_set(&self, target: &Expression) -> Checked {
        match target {
            Expression::Meta(MetaKey::Pkttype) => self.hooks("meta pkttype set", &[Hook::Prerouting, Hook::Ingress]),
            Expression::Meta(MetaKey::Broute) => self.hooks("meta broute set", &[Hook::Prerouting]),
            Expression::Meta(MetaKey::Mark | MetaKey::Priority | MetaKey::Nftrace | MetaKey::Secmark) => Ok(()),
            Expression::Meta(key) => Refusal::expecting(
                format!("`meta {}` cannot be set", key.keyword()),
                "`mark`, `priority`, `pkttype`, `nftrace` or `secmark`",
            ),
            Expression::Payload(Payload::Inside { tunnel, .. }) => {
                Refusal::new(format!("what `{}` carries can be read, not set", tunnel.name()))
            }
            Expression::Ct { key, direction } => match (key, direction) {
                (CtKey::Mark | CtKey::Label | CtKey::Event | CtKey::Secmark, None) | (CtKey::Zone, _) => Ok(()),
                _ => Refusal::expecting(
                    format!("`ct {}` cannot be set", key.keyword()),
                    "`mark`, `zone`, `event`, `label` or `secmark`",
                ),
            },
            _ => Ok(()),
        }
    }

    /// Whether an expression may stand in this family and chain.
    pub(super) fn expression_may_stand(&self, expression: &Expression) -> Checked {
        match expression {
            Expression::Meta(key) => self.meta_may_stand(*key),
            Expression::Ct { key, direction } => {
                self.families("ct", &[Family::Ip, Family::Ip6, Family::Inet, Family::Bridge])?;
                if direction.is_none() && needs_direction(*key) {
                    return Refusal::expecting(
                        format!("`ct {}` is another one in each direction", key.keyword()),
                        "`original` or `reply` before it",
                    );
                }
                Ok(())
            }
            Expression::Socket { .. } => {
                self.families("socket", IP)?;
                self.hooks("socket", &[Hook::Prerouting, Hook::Input, Hook::Output])
            }
            Expression::Rt(key) => {
                self.families("rt", IP)?;
                match key {
                    RtKey::Mtu => self.hooks("rt mtu", ROUTED),
                    _ => Ok(()),
                }
            }
            Expression::Fib { flags, result } if self.site.family != Family::Netdev => {
                self.families("fib", &[Family::Ip, Family::Ip6, Family::Inet, Family::Bridge])?;
                match result {
                    FibResult::Type if flags.oif => self.hooks("fib … oif type", ROUTED),
                    FibResult::Type if flags.iif => self.hooks("fib … iif type", FROM_OUTSIDE),
                    FibResult::Type => Ok(()),
                    _ if flags.oif => Refusal::expecting("which interface it leaves by is asked, not given", "`iif`"),
                    _ => self.hooks("fib … oif", FROM_OUTSIDE),
                }
            }
            Expression::Ipsec { direction, .. } => {
                self.families("ipsec", IP)?;
                match direction {
                    IpsecDirection::In => self.hooks("ipsec in", FROM_OUTSIDE),
                    IpsecDirection::Out => self.hooks("ipsec out", ROUTED),
                }
            }
            Expression::Osf { .. } => {
                self.families("osf", IP)?;
                self.hooks("osf", FROM_OUTSIDE)
            }
            _ => Ok(()),
        }
    }

    fn meta_may_stand(&self, key: MetaKey) -> Checked {
        let word = format!("meta {}", key.keyword());
        match key {
            MetaKey::Nfproto => self.families(&word, &[Family::Inet]),
            MetaKey::Ibrname
            | MetaKey::Obrname
            | MetaKey::Ibrpvid
            | MetaKey::Ibrvproto
            | MetaKey::Ibrhwaddr
            | MetaKey::Broute => self.families(&word, &[Family::Bridge]),
            MetaKey::Ipsec => {
                self.families(&word, &[Family::Ip, Family::Ip6, Family::Inet, Family::Netdev])?;
                self.hooks(&word, &[Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Ingress])
            }
            _ => Ok(()),
        }
    }

    fn families(&self, word: &str, families: &[Family]) -> Checked {
        if families.contains(&self.site.family) {
            return Ok(());
        }
        let names = either(families.iter().map(|family| family.keyword()));
        let message = format!("`{word}` is not for tables of family `{}`", self.site.family);
        Refusal::expecting(message, format!("a table of family {names}"))
    }

    /// A chain that hooks in nowhere may be called from anywhere.
    fn hooks(&self, word: &str, hooks: &[Hook]) -> Checked {
        let Some(base) = self.site.base.filter(|base| !hooks.contains(&base.hook())) else { return Ok(()) };
        let names = either(hooks.iter().map(|hook| hook.keyword()));
        Refusal::expecting(
            format!("`{word}` does not work at hook `{}`", base.hook().keyword()),
            format!("hook {names}"),
        )
    }
}

const fn needs_direction(key: CtKey) -> bool {
    matches!(
        key,
        CtKey::Saddr
            | CtKey::Daddr
            | CtKey::SaddrIp
            | CtKey::DaddrIp
            | CtKey::SaddrIp6
            | CtKey::DaddrIp6
            | CtKey::ProtoSrc
            | CtKey::ProtoDst
    )
}

fn either<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => words.concat(),
    }
}
