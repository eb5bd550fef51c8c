//! Text and JSON of the same ruleset are the same to us.

use std::path::{Path, PathBuf};

use rulectl_ruleset::ir::Ruleset;
use rulectl_ruleset::json::Release;
use rulectl_ruleset::{json, nft};

/// Pairs of a text and the JSON of the same ruleset below a folder: `X.nft` and `X.json`, in the same place or in folders
/// `nft` and `json` side by side.
fn pairs(folder: &Path, found: &mut Vec<(PathBuf, PathBuf)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pairs(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let beside = path.with_extension("nft");
            let across = PathBuf::from(beside.to_string_lossy().replace("/json/", "/nft/"));
            let text = [beside, across].into_iter().find(|text| text.exists());
            found.extend(text.map(|text| (text, path)));
        }
    }
}

/// As much of a ruleset as JSON of every release of nft says: types of keys by name, times in whole seconds, and not what
/// nft 1.0 or its older listings leave out.
fn as_said_by_all(ruleset: &Ruleset) -> Ruleset {
    let mut said = json::parse("-", &json::print_for(ruleset, Release::V1_0)).ruleset;
    for table in said.tables_mut() {
        table.comment = None;
        table.sets.iter_mut().for_each(|set| set.spec_mut().auto_merge = false);
        table.flowtables.iter_mut().for_each(|flowtable| flowtable.counter = false);
        for chain in table.chains.iter_mut() {
            chain.comment = None;
            chain.base =
                chain.base.take().map(|base| base.with_devices(Vec::new()).expect("no device is always right"));
        }
    }
    said
}

/// The first lines in which two rulesets differ: those of their text, or of all that is in them.
fn difference(text: &Ruleset, json: &Ruleset) -> String {
    let lines = |text: &str, json: &str| -> String {
        let differ = text.lines().zip(json.lines()).filter(|(text, json)| text != json);
        let differ = differ.filter(|(text, _)| !["start:", "end:"].iter().any(|place| text.trim().starts_with(place)));
        differ.take(3).map(|(text, json)| format!("\n  text {}\n  json {}", text.trim(), json.trim())).collect()
    };
    let short = lines(&nft::print(text).to_string(), &nft::print(json).to_string());
    if short.is_empty() { lines(&format!("{text:#?}"), &format!("{json:#?}")) } else { short }
}

#[test]
fn text_and_json_of_a_ruleset_are_the_same() {
    let Some(corpus) = std::env::var_os("RULECTL_CORPUS") else {
        eprintln!("skipped: RULECTL_CORPUS is not set");
        return;
    };
    let mut found = Vec::new();
    pairs(&Path::new(&corpus).join("given"), &mut found);
    found.sort();
    assert!(!found.is_empty(), "no pair below {corpus:?}");
    let mut problems = Vec::new();
    for (text_path, json_path) in &found {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let text = nft::parse("-", &read(text_path));
        let json = json::parse("-", &read(json_path));
        let (text_said, json_said) = (as_said_by_all(&text.ruleset), as_said_by_all(&json.ruleset));
        // nft writes what has no JSON in its release as text, which is kept, and some text that it does not read itself.
        let unread = !json.kept.is_empty() || !text.errors.is_empty();
        if text.ruleset != json.ruleset && text_said != json_said && !unread {
            let what = difference(&text_said, &json_said);
            problems.push(format!("{}{what}", json_path.display()));
        }
    }
    // Of several statements in an element nft 1.0 lists one, it rounds times down, and it writes other signs in text than
    // in JSON.
    eprintln!("{} of {} differ:\n{}", problems.len(), found.len(), problems.join("\n"));
    assert!(problems.len() * 50 <= found.len(), "{} of {} differ", problems.len(), found.len());
}
