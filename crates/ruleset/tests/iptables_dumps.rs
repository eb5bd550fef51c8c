//! Real dumps of iptables-save print back byte for byte.

use std::path::Path;

use rulectl_ruleset::iptables::{Family, parse};

/// Texts of iptables-save below a folder: what `iptables-restore` loaded and `iptables-save` printed.
fn dumps(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            dumps(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "legacy-save" || extension == "nft-save") {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).expect("text")));
        }
    }
}

#[test]
fn dumps_print_back_byte_for_byte() {
    let Some(corpus) = std::env::var_os("RULECTL_CORPUS") else {
        eprintln!("skipped: RULECTL_CORPUS is not set");
        return;
    };
    let mut found = Vec::new();
    dumps(&Path::new(&corpus).join("given/ipt"), &mut found);
    assert!(!found.is_empty(), "no dump below {corpus:?}");
    for (name, text) in found {
        let printed = parse(&name, &text, Family::Ip).text.to_string();
        assert_eq!(printed.trim_end(), text.trim_end(), "{name}");
    }
}
