//! `-m bpf` (extensions/libxt_bpf.c).

use std::fmt;

use super::super::extension::{Extension, Given, Opt};
use super::super::problem::Problem;
use super::super::value::{Text, number};

/// An instruction of classic BPF (`struct sock_filter`, linux/filter.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BpfInstruction {
    /// What it does.
    pub code: u16,
    /// How many it jumps over if so.
    pub jump_true: u8,
    /// How many it jumps over if not.
    pub jump_false: u8,
    /// Its number.
    pub value: u32,
}

/// A program that decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bpf {
    /// Of classic BPF.
    Bytecode(Vec<BpfInstruction>),
    /// One that a file of the BPF file system stands for.
    Pinned(Text<511>),
}

impl Bpf {
    /// How many instructions there may be (`XT_BPF_MAX_NUM_INSTR`, linux/netfilter/xt_bpf.h).
    pub const MAX_INSTRUCTIONS: usize = 64;

    fn read_bytecode(text: &str) -> Option<Self> {
        let (count, instructions) = text.trim().split_once(',')?;
        let instructions: Option<Vec<_>> = instructions.trim_end_matches(',').split(',').map(instruction).collect();
        let instructions = instructions.filter(|all| Some(all.len() as u64) == number(count))?;
        (instructions.len() <= Self::MAX_INSTRUCTIONS).then_some(Self::Bytecode(instructions))
    }
}

fn instruction(text: &str) -> Option<BpfInstruction> {
    let mut words = text.split_whitespace().map(number);
    let instruction = BpfInstruction {
        code: u16::try_from(words.next()??).ok()?,
        jump_true: u8::try_from(words.next()??).ok()?,
        jump_false: u8::try_from(words.next()??).ok()?,
        value: u32::try_from(words.next()??).ok()?,
    };
    words.next().is_none().then_some(instruction)
}

impl Extension for Bpf {
    const NAMES: &'static [&'static str] = &["bpf"];
    const OPTIONS: &'static [Opt] = &[Opt::word(&["--bytecode"]), Opt::word(&["--object-pinned"])];

    fn build(given: &Given<'_, '_>) -> Result<Self, Problem> {
        let option = given.exactly_one_of(&[0, 1])?;
        if option.option == 1 {
            return option.read(given.context).map(Self::Pinned);
        }
        let expected = "a count and so many instructions, as `1,6 0 0 0`";
        Self::read_bytecode(option.value()).ok_or_else(|| option.unexpected(expected))
    }
}

impl fmt::Display for Bpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytecode(instructions) => {
                write!(f, " --bytecode \"{}", instructions.len())?;
                for BpfInstruction { code, jump_true, jump_false, value } in instructions {
                    write!(f, ",{code} {jump_true} {jump_false} {value}")?;
                }
                f.write_str("\"")
            }
            Self::Pinned(path) => write!(f, " --object-pinned {path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iptables::rule::tests::{is_refused, round_trips};

    #[test]
    fn it_prints_as_iptables_save_does() {
        round_trips(&["-m bpf --bytecode \"2,48 0 0 9,6 0 0 1\"", "-m bpf --object-pinned \"/sys/fs/bpf/a\""]);
        is_refused(&["-m bpf", "-m bpf --bytecode \"2,6 0 0 1\"", "-m bpf --bytecode x"]);
    }
}
