//! nft text: no input makes us panic; and what was read without an error is laid out the same twice, is printed so that it
//! reads as the same again, has programs, and is lifted from them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rulectl_ruleset::{lift, lower, nft};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let read = nft::parse("input", &text);
    let formatted = nft::format(&text);
    if !read.errors.is_empty() {
        return;
    }
    assert_eq!(nft::format(&formatted), formatted, "laying out is stable");
    let printed = nft::print(&read.ruleset);
    let again = nft::parse("printed", &printed);
    assert!(again.errors.is_empty(), "{printed}\n{:?}", again.errors);
    assert_eq!(nft::print(&again.ruleset), printed, "printing is stable");
    let (lowered, _) = lower::lower_possible(read.ruleset);
    let _ = nft::print(&lift::lift(&lowered.into()));
});
