//! Service maps and Kubernetes objects: no input makes us panic, in either layout, and what was read is printed so that it
//! reads as the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rulectl_ruleset::service::{self, CompileOptions, Layout};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let overrides = service::NodeOverrides::default();
    let Ok((map, _)) = service::read(&[service::Input { name: "input", text: &text }], &overrides) else { return };
    let printed = service::print(&map);
    let again = service::read(&[service::Input { name: "printed", text: &printed }], &overrides);
    let (again, _) = again.unwrap_or_else(|errors| panic!("{printed}\n{errors:?}"));
    assert_eq!(service::print(&again), printed, "printing is stable");
    for layout in [Layout::Maps, Layout::Chains] {
        let _ = service::compile(&map, &CompileOptions { layout, ..CompileOptions::default() });
    }
});
