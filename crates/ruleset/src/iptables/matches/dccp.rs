//! `-m dccp` (extensions/libxt_dccp.c, `dccp_save`).

use std::fmt;

use super::super::extension::{Context, Given, Only, Value, extension};
use super::super::head::Criterion;
use super::super::problem::Problem;
use super::super::value::{PortRange, drop_every_port, keywords};

keywords! {
    /// The type of a DCCP packet.
    DccpType, "a type as `REQUEST`";
    /// Begins a connection.
    Request = "REQUEST",
    /// Answers that.
    Response = "RESPONSE",
    /// Carries data.
    Data = "DATA",
    /// Acknowledges.
    Ack = "ACK",
    /// Carries data and acknowledges.
    DataAck = "DATAACK",
    /// Asks to close.
    CloseReq = "CLOSEREQ",
    /// Closes.
    Close = "CLOSE",
    /// Resets.
    Reset = "RESET",
    /// Synchronizes.
    Sync = "SYNC",
    /// Answers that.
    SyncAck = "SYNCACK",
    /// None of these.
    Invalid = "INVALID",
}

/// Several types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DccpTypes(u16);

impl DccpTypes {
    /// The types, in the order of iptables-save.
    pub fn iter(self) -> impl Iterator<Item = DccpType> {
        DccpType::ALL.iter().copied().filter(move |kind| self.0 & 1 << *kind as u8 != 0)
    }
}

impl Value for DccpTypes {
    const EXPECTED: &'static str = "types as `REQUEST,RESPONSE`";

    fn read([word, _]: &[&str; 2], _: &Context<'_>) -> Option<Self> {
        let bit = |word: &str| DccpType::from_keyword(word).map(|kind| 1 << kind as u8);
        word.split(',').map(bit).try_fold(0, |bits: u16, bit: Option<u16>| Some(bits | bit?)).map(Self)
    }
}

impl fmt::Display for DccpTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in self.iter().enumerate() {
            write!(f, "{}{kind}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

extension! {
    /// What a DCCP packet must be.
    Dccp, "dccp", Only::ANYWHERE.protocols(&[33]);
    /// The ports one of which it must come from.
    sport: Option<Criterion<PortRange>>, "--sport" | "--source-port";
    /// The ports one of which it must go to.
    dport: Option<Criterion<PortRange>>, "--dport" | "--destination-port";
    /// The types one of which it must have.
    types: Option<Criterion<DccpTypes>>, "--dccp-types";
    /// The option it must have.
    option: Option<Criterion<u8>>, "--dccp-option";
    => Dccp::settle;
}

impl Dccp {
    fn settle(&mut self, _: &Given<'_, '_>) -> Result<(), Problem> {
        drop_every_port(&mut self.sport);
        drop_every_port(&mut self.dport);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&[
            "-p dccp -m dccp --sport 1 ! --dport 2:3 ! --dccp-types REQUEST,DATA --dccp-option 5",
            "-p dccp -m dccp",
        ]);
        is_refused(&["-m dccp", "-p dccp --dccp-types odd", "-p dccp --dccp-option 256"]);
    }
}
