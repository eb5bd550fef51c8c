//! Plans, the log of changes, and taking changes back.

use std::time::{Duration, Instant};

use rulectl_netlink::Netns;
use rulectl_tests::{Output, rulectl, run};

use crate::{HOST, applied, by_nft, difference, listing, with};

/// Another port for ssh.
fn changed() -> String {
    HOST.replace("dport 22 log", "dport 2222 log")
}

fn ok(arguments: &[&str]) -> String {
    let Output { code, stdout, stderr } = rulectl(arguments, "");
    assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}");
    stdout
}

fn refused(arguments: &[&str]) -> String {
    let Output { code, stdout, stderr } = rulectl(arguments, "");
    assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
    stderr
}

pub(crate) fn plans() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made.plan");
    let file = path.to_str().expect("a path of text");
    applied(HOST);
    let wanted = changed()
        .replace("type filter hook forward priority filter", "type filter hook forward priority filter + 5")
        .replace("size 4096", "size 8192");
    let output = with(&["plan", "-o", file], &wanted);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(output.stdout);
    assert_eq!(ok(&["plan", file]), output.stdout, "as it was made");

    let json: serde_json::Value = serde_json::from_str(&ok(&["plan", "--to", "json", file])).expect("JSON");
    assert_eq!(json["messages"].as_u64().map(|count| output.stdout.contains(&format!("{count} messages"))), Some(true));
    assert_eq!(json["steps"].as_array().map(|steps| steps.iter().all(|step| step["reason"].is_string())), Some(true));
    let done = ok(&["apply", file]);
    assert!(
        done.ends_with(&format!("one batch of {} messages, {} bytes\n", json["messages"], json["bytes"])),
        "{done}"
    );
    assert_eq!(difference(&wanted), "");
    let told = with(&["plan"], &wanted).stdout;
    assert!(told.starts_with("no change: all is as wanted at generation "), "{told}");
    assert!(refused(&["apply", file]).contains("since the plan was made"), "a plan is applied once");
}

pub(crate) fn undo() {
    let empty = listing();
    applied(HOST);
    let first = listing();
    applied(&changed());
    let second = listing();
    assert_eq!(ok(&["undo"]).split(": one batch").next(), Some("change 2 undone: rules: 1 changed"));
    assert_eq!(listing(), first);
    assert!(
        rulectl(&["undo", "--dry-run"], "")
            .stdout
            .contains("+     ip saddr { 192.168.10.5, 192.168.10.7 } tcp dport 2222")
    );
    assert_eq!(listing(), first, "a dry run changes nothing");
    ok(&["undo"]);
    assert_eq!(listing(), second);
    with(&["delete"], "");
    // Nothing of that name was there, so nothing was written down.
    ok(&["undo"]);
    assert_eq!(listing(), first);

    let table = "table ip t {\n\tmap m {\n\t\ttype ipv4_addr : verdict\n\t\telements = { 192.0.2.1 : goto c }\n\t}\n\n\tchain c {\n\t}\n}\n";
    applied(table);
    run("nft", &["delete", "table", "ip", "t"], "");
    assert!(refused(&["undo"]).contains("- table ip t"), "somebody else has taken it back");
    applied(table);
    assert_eq!(ok(&["undo"]).split(':').next(), Some("change 7 undone"));
    assert_eq!(listing(), first);
    assert_ne!(first, empty);
}

pub(crate) fn others() {
    assert!(refused(&["undo"]).contains("there is nothing to undo"));
    applied(HOST);
    applied(&changed());
    run("nft", &["add", "table", "ip", "elsewhere"], "");
    run("nft", &["add", "element", "inet", "filter", "blocked", "{ 198.51.100.99 }"], "");
    run("nft", &["add", "rule", "inet", "filter", "input", "counter"], "");
    let before = listing();
    let said = refused(&["undo"]);
    assert!(said.starts_with("error: nothing was changed: since change 2 was made at generation "), "{said}");
    let told =
        "~ table inet filter\n~   set blocked: 1 element added\n+     198.51.100.99\n~   chain input\n+     counter\n";
    assert!(said.ends_with(told), "{said}");
    assert_eq!(listing(), before);
    run("nft", &["flush", "ruleset"], "");
    let said = refused(&["undo"]);
    assert!(said.contains("- table inet filter\n") && said.contains("- table ip nat\n"), "{said}");
}

/// Elements that packets add and that expire come and go; counters count.
pub(crate) fn passing() {
    let timed = changed().replace("size 4096\n", "size 4096\n\t\telements = { 192.0.2.50 timeout 400ms }\n");
    applied(HOST);
    let first = listing();
    applied(&timed);
    run("nft", &["add", "element", "inet", "filter", "seen", "{ 192.0.2.77 }"], "");
    std::thread::sleep(Duration::from_millis(600));
    ok(&["undo"]);
    run("nft", &["delete", "element", "inet", "filter", "seen", "{ 192.0.2.77 }"], "");
    assert_eq!(listing(), first);
}

pub(crate) fn log() {
    assert_eq!(ok(&["log"]), "");
    applied(HOST);
    applied(&changed());
    ok(&["undo"]);
    // What is not made is not written down.
    with(&["apply"], HOST);
    with(&["apply", "--no-log"], &changed());
    with(&["apply"], "table ip t {\n\tchain c {\n\t\tjump nowhere\n\t}\n}\n");
    let log = ok(&["log"]);
    let lines: Vec<Vec<&str>> =
        log.lines().map(|line| line.split("  ").filter(|word| !word.is_empty()).collect()).collect();
    assert_eq!(lines.iter().map(|line| line[0].trim()).collect::<Vec<_>>(), ["3", "2", "1"]);
    assert_eq!(lines[0][3..], ["rules: 1 changed", "(undoes 2)"], "{log}");
    assert!(lines[2][1].ends_with('Z') && lines[2][1].len() == "2026-11-26 23:16:28Z".len(), "{log}");
    let one = ok(&["log", "2"]);
    assert!(one.contains(": rulectl apply -\n") && one.contains("tcp dport 2222 log"), "{one}");
    assert!(refused(&["log", "9"]).contains("there is no change 9"));
    let json: serde_json::Value = serde_json::from_str(&ok(&["log", "--to", "json"])).expect("JSON");
    assert_eq!((json[0]["undoes"].as_u64(), json[0]["summary"]["rules"]["changed"].as_u64()), (Some(2), Some(1)));
}

pub(crate) fn namespaces() {
    applied(HOST);
    let elsewhere = || assert!(refused(&["undo"]).contains("there is nothing to undo"));
    Netns::new().expect("a network namespace").run(elsewhere).expect("a thread in the namespace");
    ok(&["undo"]);
    assert_eq!(listing(), "");
}

pub(crate) fn at_once() {
    let rulesets: Vec<String> =
        (0..6).map(|number| format!("table ip t{number} {{\n\tchain c {{\n\t}}\n}}\n")).collect();
    let here = Netns::current().expect("this namespace");
    std::thread::scope(|scope| {
        for ruleset in &rulesets {
            scope.spawn(|| here.run(|| drop(applied(ruleset))).expect("a thread in the namespace"));
        }
    });
    assert_eq!(ok(&["log"]).lines().count(), rulesets.len());
    assert_eq!(run("nft", &["list", "tables"], "").lines().count(), rulesets.len());
    ok(&["undo"]);
    assert_eq!(run("nft", &["list", "tables"], "").lines().count(), rulesets.len() - 1);
}

/// Waits until nothing waits to be confirmed any more.
fn settled() {
    let start = Instant::now();
    while ok(&["log"]).contains("unless confirmed") {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", ok(&["log"]));
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn not_confirmed() {
    // The first rules there are: back to none.
    let output = with(&["apply", "--confirm", "1"], HOST);
    assert_eq!((output.code, output.stderr.contains("taken back in 1 s")), (0, true), "{}", output.stderr);
    assert_eq!(listing(), by_nft(HOST));
    let output = with(&["apply"], &changed());
    assert!(output.code == 2 && output.stderr.contains("change 1 waits to be confirmed"), "{}", output.stderr);
    settled();
    assert_eq!(listing(), "");
    assert!(refused(&["confirm"]).contains("no change waits to be confirmed"));

    // Also what others did beside it is no reason to stay locked out.
    applied(HOST);
    with(&["apply", "--confirm", "1"], &changed());
    run("nft", &["add", "rule", "inet", "filter", "input", "counter"], "");
    settled();
    run("nft", &["flush", "chain", "inet", "filter", "forward"], "");
    assert!(
        listing().contains("tcp dport 22 log") && listing().contains("\t\tcounter packets 0 bytes 0\n"),
        "{}",
        listing()
    );

    // A change the kernel refuses needs no confirmation.
    let output = with(&["apply", "--confirm", "60"], "table ip t {\n\tchain c {\n\t\tjump nowhere\n\t}\n}\n");
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(refused(&["confirm"]).contains("no change waits to be confirmed"));
}

pub(crate) fn confirmed() {
    with(&["apply", "--confirm", "1"], HOST);
    assert_eq!(ok(&["confirm"]), "change 1 stays\n");
    with(&["apply", "--confirm", "60"], &changed());
    ok(&["undo"]);
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(listing(), by_nft(HOST));
    assert_eq!(ok(&["log"]).lines().count(), 3);
}
