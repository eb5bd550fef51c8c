//! docs/conformance.md: which files show what, with which back ends. Written from the files, so it cannot drift.

use std::fmt::Write;
use std::path::Path;

use crate::file::{File, is_for};

/// What a service proxy does, by the words files use in `covers:`.
const FEATURES: [&str; 35] = [
    "ClusterIP",
    "TCP UDP SCTP",
    "unused port of a cluster IP",
    "unallocated service addresses",
    "ServiceCIDR",
    "NodePort",
    "nodeport-addresses primary",
    "nodeport-addresses all",
    "nodeport-addresses networks",
    "localhost node ports",
    "LoadBalancer IPs",
    "ipMode",
    "loadBalancerSourceRanges",
    "ranges and node ports",
    "externalIPs",
    "externalTrafficPolicy Local",
    "internalTrafficPolicy Local",
    "short-circuit",
    "fallback to terminating endpoints",
    "sessionAffinity ClientIP",
    "affinity of a removed endpoint",
    "topology hints",
    "PreferSameNode",
    "no endpoints",
    "reject forms",
    "hairpin masquerade",
    "masqueradeAll",
    "masquerade of clients outside",
    "local-traffic detectors",
    "detector networks",
    "detector interfaces",
    "host-network endpoints",
    "algorithms",
    "weights",
    "hostPort",
];

/// What is easy to get wrong, and defects others have.
const POINTS: [(&str, &str); 20] = [
    ("4.1", "no usable endpoint anywhere is a rejection, none where the policy wants it a drop"),
    ("4.2", "endpoints that terminate stand in for each set by itself"),
    ("4.3", "hints count only if all have them and one is for us, and never for the local set"),
    ("4.4", "the policy Local for clients outside does not bind pods and the node"),
    ("4.5", "the two policies are independent"),
    ("4.6", "source ranges by family: a network of everything is no range, another family's close this one"),
    ("4.7", "addresses of load balancers that end connections themselves are not ours"),
    ("4.8", "source ranges do not close node ports; addresses without node ports are left alone"),
    ("4.10", "a miss at a virtual address is no node port"),
    ("4.11", "affinity: one memory a client and service port, none of endpoints that went"),
    ("4.17", "one frontend of two services has one owner, always the same"),
    ("objects", "headless services and those of other proxies are left out, slices meet, families part"),
    ("missing target ports", "a port that no slice has is rejected"),
    ("duplicate endpoints", "an endpoint in two slices is one"),
    ("duplicate frontends", "two services at one address and port"),
    ("incremental changes", "what was in force before leaves nothing behind"),
    ("defect 3", "affinity costs no more for more endpoints"),
    ("defect 4", "long names block nothing"),
    ("defect 6", "no hole in source ranges for the other family"),
    ("INVALID", "packets of no connection, where that is asked for"),
];

/// Writes the page.
///
/// # Errors
/// Words in `covers:` that are in no table, and rows of tables without a file.
pub(crate) fn page(files: &[File], columns: &[&str]) -> Result<String, String> {
    let known = |word: &str| FEATURES.contains(&word) || POINTS.iter().any(|(point, _)| *point == word);
    for file in files {
        if let Some(word) = file.covers.iter().find(|word| !known(word)) {
            return Err(format!("{}.txt covers `{word}`, which is in no table", file.name));
        }
    }
    let rows: usize = files.iter().flat_map(|file| &file.sections).map(|section| section.rows.len()).sum();
    let mut page = format!(
        "# Conformance\n\nWhat becomes of a packet, {rows} rows in {} files of `tests/conformance/rows`, each for IPv4 and \
         IPv6. A tick is a test:\n`nft-maps` sends real packets between two nodes, `walk-maps` walks the compiled \
         programs in memory. This page is written from the\nfiles: `BLESS=1 cargo test -p rulectl-tests --test \
         conformance`.\n",
        files.len()
    );
    for (title, words) in
        [("Features", FEATURES.map(|feature| (feature, "")).to_vec()), ("What is easy to get wrong", POINTS.to_vec())]
    {
        write!(page, "\n## {title}\n\n| | {} |\n|---|{}\n", columns.join(" | "), "---|".repeat(columns.len()))
            .expect("a string takes all");
        for (word, text) in words {
            let showing: Vec<&File> = files.iter().filter(|file| file.covers.iter().any(|it| it == word)).collect();
            if showing.is_empty() {
                return Err(format!("no file covers `{word}`"));
            }
            let text = if text.is_empty() { word.to_owned() } else { format!("{word}: {text}") };
            write!(page, "| {text} |").expect("a string takes all");
            for column in columns {
                let tests: Vec<String> = showing
                    .iter()
                    .filter(|file| is_for(&file.only, column))
                    .map(|file| format!("✔ {}", file.name))
                    .collect();
                write!(page, " {} |", if tests.is_empty() { "–".to_owned() } else { tests.join(", ") })
                    .expect("a string takes all");
            }
            page.push('\n');
        }
    }
    Ok(page)
}

/// Whether docs/conformance.md says what the files say; with `BLESS` set it is made so.
pub(crate) fn check(files: &[File], columns: &[&str]) -> Result<(), String> {
    let page = page(files, columns)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).map_err(|error| error.to_string())?;
    }
    let there = std::fs::read_to_string(&path).map_err(|error| format!("docs/conformance.md: {error}"))?;
    if there == page {
        Ok(())
    } else {
        Err("docs/conformance.md is not what the files say: run with BLESS=1".to_owned())
    }
}
