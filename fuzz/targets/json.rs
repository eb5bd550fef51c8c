//! JSON of nft: no input makes us panic, and what was read without an error is printed so that it reads as the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rulectl_ruleset::{json, lower};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let read = json::parse("input", &text);
    if !read.errors.is_empty() {
        return;
    }
    let printed = json::print(&read.ruleset);
    let again = json::parse("printed", &printed);
    assert!(again.errors.is_empty(), "{printed}\n{:?}", again.errors);
    assert_eq!(json::print(&again.ruleset), printed, "printing is stable");
    let _ = lower::lower_possible(read.ruleset);
});
