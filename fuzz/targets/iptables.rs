//! iptables-save text: no input makes us panic, nothing is lost, and printing is stable.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rulectl_ruleset::iptables::{self, Family};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for family in [Family::Ip, Family::Ip6] {
        let read = iptables::parse("input", &text, family);
        let printed = read.text.to_string();
        let again = iptables::parse("printed", &printed, family);
        assert_eq!(again.text.to_string(), printed, "printing is stable");
        assert_eq!(again.problems.len(), read.problems.len(), "what was not understood is still there");
        let _ = iptables::plan(&read.text.ruleset(), &again.text.ruleset());
    }
});
