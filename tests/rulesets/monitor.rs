//! `rulectl monitor`: what others change, as it happens.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rulectl_tests::{binary, run};

/// Starts a listener, makes changes, and gives what it printed of so many commits.
fn heard(form: &str, commits: &[&str]) -> String {
    let mut child = Command::new(binary())
        .args(["-v", "monitor", "--output", form, "--count", &commits.len().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut told = BufReader::new(child.stderr.take().expect("piped above"));
    let mut line = String::new();
    told.read_line(&mut line).expect("it says when it listens");
    assert!(line.contains("listening"), "{line}");
    commits.iter().for_each(|commit| drop(run("nft", &[commit], "")));
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8(output.stdout).expect("text")
}

const COMMITS: [&str; 4] = [
    "add table inet firewalld; add set inet firewalld s { type ipv4_addr; flags interval; }; \
     add chain inet firewalld c { type filter hook input priority 0; policy drop; }; \
     add rule inet firewalld c ip saddr @s tcp dport { 22, 80 } counter accept; add counter inet firewalld n",
    "add table ip mine; add element inet firewalld s { 192.0.2.0/24, 198.51.100.7 }",
    "delete element inet firewalld s { 198.51.100.7 }; delete counter inet firewalld n",
    "flush ruleset",
];

pub(crate) fn prints() {
    let text = heard("text", &COMMITS);
    // Processes have other numbers each time.
    let lines = text.lines().map(|line| match line.split_once(" (pid ") {
        Some((head, _)) => head,
        None => line,
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));

    let json = heard("json", &COMMITS);
    let events: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events.len(), COMMITS.len());
    assert!(events.iter().all(|event| event["commit"]["generation"]["process"] == "nft"), "{json}");
    assert_eq!(events[1]["commit"]["changes"].as_array().map(Vec::len), Some(2), "{json}");
    assert_eq!(events[1]["commit"]["changes"][0]["fate"], "is");
}
