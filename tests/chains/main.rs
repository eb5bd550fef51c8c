//! iptables and ip6tables, legacy and nf_tables, and nft: the chains layout with the programs it is for, and rules
//! translated from the ones to the other.

mod iptables;
mod maps;
mod nft;
mod traffic;
mod translate;

use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};
use rulectl_ruleset::iptables::Family;
use rulectl_tests::kernel_tests;

use iptables::Tool;

fn main() -> ExitCode {
    kernel_tests(|| {
        let mut trials = Vec::new();
        let mut trial = |name: String, test: Box<dyn FnOnce() + Send>| {
            trials.push(Trial::test(name, move || -> Result<(), Failed> {
                test();
                Ok(())
            }));
        };
        for tool in Tool::ALL {
            for (name, test) in iptables::TESTS {
                trial(format!("{}::{name}", tool.name()), Box::new(move || test(tool)));
            }
            for (name, test) in traffic::TESTS {
                let apply = move |map: &_| {
                    tool.apply(map);
                };
                trial(format!("{}::{name}", tool.name()), Box::new(move || test(tool.family, &apply)));
            }
        }
        for (name, test) in nft::TESTS {
            trial(format!("nft::{name}"), Box::new(test));
        }
        for (name, test) in translate::TESTS {
            trial(format!("translate::{name}"), Box::new(test));
        }
        for family in [Family::Ip, Family::Ip6] {
            for (name, test) in traffic::TESTS {
                let prefix = if family == Family::Ip { "nft" } else { "nft-ipv6" };
                trial(format!("{prefix}::{name}"), Box::new(move || test(family, &nft::apply)));
            }
        }
        trials
    })
}
