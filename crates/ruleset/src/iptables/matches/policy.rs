//! `-m policy` (extensions/libxt_policy.c, `policy_save`).

use std::fmt;

use super::super::extension::{Context, Extension, Field, Given, GivenOption, Opt, Value};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::protocol::Protocol;
use super::super::value::{BareAddress, Hex, keywords};

keywords! {
    /// Whose policy is meant.
    PolicyDirection, "`in` or `out`";
    /// That by which the packet was unwrapped.
    In = "in",
    /// That by which it will be wrapped.
    Out = "out",
}

keywords! {
    /// Whether there is one.
    PolicyKind, "`none` or `ipsec`";
    /// There is none.
    None = "none",
    /// There is one.
    Ipsec = "ipsec",
}

keywords! {
    /// How packets are wrapped.
    PolicyMode, "`transport` or `tunnel`";
    /// Between the two hosts.
    Transport = "transport",
    /// In a tunnel.
    Tunnel = "tunnel",
}

/// One way packets are wrapped.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyElement {
    /// The number of the request.
    pub reqid: Option<Criterion<u32>>,
    /// The parameter index.
    pub spi: Option<Criterion<Hex<{ u32::MAX }>>>,
    /// The protocol.
    pub protocol: Option<Criterion<Protocol>>,
    /// The mode.
    pub mode: Option<Criterion<PolicyMode>>,
    /// The far end of the tunnel.
    pub tunnel_destination: Option<Criterion<BareAddress>>,
    /// The near end of the tunnel.
    pub tunnel_source: Option<Criterion<BareAddress>>,
}

/// The IPsec policy of a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Policy {
    /// Whose.
    pub direction: PolicyDirection,
    /// Whether there is one.
    pub kind: PolicyKind,
    /// The elements are all there are, in that order; else one of the policy's is enough.
    pub strict: bool,
    /// What its elements must be.
    pub elements: Vec<PolicyElement>,
}

impl Policy {
    /// How many elements there may be (`XT_POLICY_MAX_ELEM`, linux/netfilter/xt_policy.h).
    pub const MAX_ELEMENTS: usize = 4;
}

fn put<T: Value>(
    place: &mut Option<Criterion<T>>,
    option: &GivenOption<'_>,
    context: &Context<'_>,
) -> Result<(), Problem> {
    let value = Criterion { inverted: option.inverted, value: option.read(context)? };
    match place.replace(value) {
        Some(_) => Err(Problem::at(option.word, format!("`{}` is given twice", option.word.value))),
        None => Ok(()),
    }
}

impl Extension for Policy {
    const NAMES: &'static [&'static str] = &["policy"];
    const OPTIONS: &'static [Opt] = &[
        Opt::word(&["--dir"]),
        Opt::word(&["--pol"]),
        Opt::flag(&["--strict"]),
        Opt::word(&["--reqid"]).or_not(),
        Opt::word(&["--spi"]).or_not(),
        Opt::word(&["--proto"]).or_not(),
        Opt::word(&["--mode"]).or_not(),
        Opt::word(&["--tunnel-dst"]).or_not(),
        Opt::word(&["--tunnel-src"]).or_not(),
        Opt::flag(&["--next"]),
    ];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let direction = given.value(0)?.ok_or_else(|| given.missing(&[0]))?;
        let kind = given.value(1)?.ok_or_else(|| given.missing(&[1]))?;
        let strict = given.flag(2)?;
        let mut elements = vec![PolicyElement::default()];
        for option in given.all() {
            let Some(element) = elements.last_mut() else { break };
            match option.option {
                3 => put(&mut element.reqid, option, given.context)?,
                4 => put(&mut element.spi, option, given.context)?,
                5 => put(&mut element.protocol, option, given.context)?,
                6 => put(&mut element.mode, option, given.context)?,
                7 => put(&mut element.tunnel_destination, option, given.context)?,
                8 => put(&mut element.tunnel_source, option, given.context)?,
                9 => elements.push(PolicyElement::default()),
                _ => {}
            }
        }
        let is_empty = elements.iter().all(|element| *element == PolicyElement::default());
        if kind == PolicyKind::None && (strict || !is_empty) {
            return Err(given.problem("no policy has no elements"));
        }
        if !strict && elements.len() > 1 {
            return Err(given.problem("`--next` needs `--strict`"));
        }
        if strict && elements.contains(&PolicyElement::default()) {
            return Err(given.problem("`--strict` needs elements, none of them empty"));
        }
        if elements.len() > Self::MAX_ELEMENTS {
            return Err(given.problem("there are at most 4 elements"));
        }
        let is_tunnel = |mode: &Criterion<PolicyMode>| mode.value == PolicyMode::Tunnel;
        let no_tunnel = |element: &PolicyElement| {
            let ends = element.tunnel_destination.is_some() || element.tunnel_source.is_some();
            ends && !element.mode.as_ref().is_some_and(is_tunnel)
        };
        if elements.iter().any(no_tunnel) {
            return Err(given.problem("ends of a tunnel need `--mode tunnel`"));
        }
        elements.retain(|element| *element != PolicyElement::default());
        match (direction, given.context.built_in()) {
            (PolicyDirection::In, Some(chain @ ("OUTPUT" | "POSTROUTING")))
            | (PolicyDirection::Out, Some(chain @ ("INPUT" | "PREROUTING"))) => {
                Err(given.problem(format!("packets in {chain} have no policy of that direction")))
            }
            _ => Ok(Self { direction, kind, strict, elements }),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " --dir {} --pol {}", self.direction, self.kind)?;
        Field::print(&self.strict, f, "--strict")?;
        for (index, element) in self.elements.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " --next" })?;
            Field::print(&element.reqid, f, "--reqid")?;
            Field::print(&element.spi, f, "--spi")?;
            Field::print(&element.protocol, f, "--proto")?;
            Field::print(&element.mode, f, "--mode")?;
            Field::print(&element.tunnel_destination, f, "--tunnel-dst")?;
            Field::print(&element.tunnel_source, f, "--tunnel-src")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-m policy --dir in --pol none",
            "-m policy --dir out --pol ipsec",
            "-m policy --dir in --pol ipsec --strict --reqid 1 --spi 0x1 --proto esp --mode tunnel --tunnel-dst 10.0.0.0/8 --tunnel-src 10.0.0.1 --next ! --reqid 2",
        ]);
        is_refused(&[
            "-m policy",
            "-m policy --dir in --pol none --strict",
            "-m policy --dir in --pol ipsec --reqid 1 --next --reqid 2",
            "-m policy --dir in --pol ipsec --strict",
        ]);
    }
}
