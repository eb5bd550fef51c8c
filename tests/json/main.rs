//! The JSON front end against nft: what nft lists is read, and what is printed loads.

use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};
use rulectl_ruleset::ir::Ruleset;
use rulectl_ruleset::json::{self, Parsed, Release};
use rulectl_ruleset::service::{CompileOptions, Input, Layout, NodeOverrides, compile, read};
use rulectl_tests::{Output, kernel_tests, run, try_run};

fn main() -> ExitCode {
    kernel_tests(|| {
        vec![
            trial("what_nft_lists_loads_again_and_lists_the_same", what_nft_lists_loads_again_and_lists_the_same),
            trial("text_and_json_of_the_chains_layout_list_the_same", text_and_json_of_the_chains_layout_list_the_same),
            trial("nft_1_0_loads_the_maps_layout_from_no_json", nft_1_0_loads_the_maps_layout_from_no_json),
            trial("listings_of_the_corpus_print_back_as_they_came", listings_of_the_corpus_print_back_as_they_came),
        ]
    })
}

fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok::<(), Failed>(())
    })
}

/// Loads `input` into a fresh namespace by `nft` with those options; gives what nft then lists in both forms.
fn load(options: &str, input: &str) -> Output {
    let script = format!("nft {options} -f - && nft list ruleset && echo --- && nft -j list ruleset");
    try_run("unshare", &["-n", "sh", "-c", &script], input)
}

fn listing(options: &str, input: &str) -> (String, String) {
    let output = load(options, input);
    assert_eq!(output.code, 0, "{}\n{input}", output.stderr);
    let (text, json) = output.stdout.split_once("---\n").expect("both listings");
    // How long elements still live differs from moment to moment.
    let without_clock = |text: &str| {
        let words: Vec<&str> = text.split(' ').collect();
        let kept = words
            .iter()
            .enumerate()
            .filter(|(at, word)| **word != "expires" && !(*at > 0 && words[at - 1] == "expires"));
        kept.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
    };
    (without_clock(text), json.to_owned())
}

fn understood(name: &str, text: &str) -> Ruleset {
    let Parsed { ruleset, errors, kept } = json::parse(name, text);
    assert_eq!(errors, [], "{name}");
    assert_eq!(kept, [], "{name}");
    ruleset
}

/// nft's own listing does not: it names `behind` before it is there.
fn what_nft_lists_loads_again_and_lists_the_same() {
    let (text, json) = listing("", include_str!("listing.nft"));
    assert_ne!(load("-j", &json).code, 0, "nft learnt to read its own listing");
    let mut ruleset = understood("listing", &json);
    // Remaining time is no part of a declaration.
    for table in ruleset.tables_mut() {
        for set in table.sets.iter_mut() {
            let elements = set.elements().clone().into_iter().map(|mut element| {
                element.extra = element.extra.map(|mut extra| {
                    extra.expires_ms = None;
                    extra
                });
                element
            });
            *set.elements_mut() = elements.collect();
        }
    }
    let (again, _) = listing("-j", &json::print_for(&ruleset, Release::V1_0));
    assert_eq!(again, text);
}

fn examples() -> Vec<rulectl_ruleset::service::ServiceMap> {
    let texts = [include_str!("../../examples/shop.yaml")];
    let read = |text| {
        let input = Input { name: "example", text };
        read(&[input], &NodeOverrides::default()).expect("examples are legal").0
    };
    texts.into_iter().map(read).collect()
}

fn text_and_json_of_the_chains_layout_list_the_same() {
    for map in examples() {
        let options = CompileOptions { layout: Layout::Chains, ..CompileOptions::default() };
        let ruleset = by_types(compile(&map, &options).ruleset);
        let (by_text, _) = listing("", &rulectl_ruleset::nft::print(&ruleset));
        let (by_json, _) = listing("-j", &json::print_for(&ruleset, Release::V1_0));
        assert_eq!(by_json, by_text);
    }
}

/// The same without what nft 1.0 cannot be told in JSON: `typeof`, and the comments of tables.
fn by_types(mut ruleset: Ruleset) -> Ruleset {
    for table in ruleset.tables_mut() {
        table.comment = None;
        for set in table.sets.iter_mut() {
            for field in &mut set.spec_mut().key.fields {
                field.declared_as = None;
            }
        }
    }
    ruleset
}

/// What [`Release::V1_0`] says of it; if this fails, nft learnt it and the documentation is to be changed.
fn nft_1_0_loads_the_maps_layout_from_no_json() {
    for map in examples() {
        let ruleset = compile(&map, &CompileOptions::default()).ruleset;
        let printed = json::print(&ruleset);
        assert_eq!(json::print(&understood("own", &printed)), printed);
        if !run("nft", &["--version"], "").contains("v1.0.") {
            assert_eq!(load("-j", &json::print(&ruleset)).code, 0);
            continue;
        }
        for release in [Release::V1_0, Release::V1_1] {
            assert_ne!(load("-j", &json::print_for(&ruleset, release)).code, 0, "{release:?}");
        }
    }
}

/// Third-party rulesets, where the environment says they are: every JSON listing of nft 1.0.6 is read without a
/// problem, and printed as it was but for the order of objects, which is the one that loads.
fn listings_of_the_corpus_print_back_as_they_came() {
    let Some(folder) = std::env::var_os("RULECTL_CORPUS") else {
        eprintln!("\n!!! RULECTL_CORPUS is not set: the listings of the corpus are not read\n");
        return;
    };
    let (mut same, mut all) = (0, 0);
    let mut folders = vec![std::path::PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.to_string_lossy().ends_with(".truth.list.json") {
                let text = std::fs::read_to_string(&entry).expect("text");
                let printed = json::print_for(&json::parse("listing", &text).ruleset, Release::V1_0);
                all += 1;
                same += usize::from(objects(&text) == objects(&printed));
            }
        }
    }
    eprintln!("{same} of {all} listings print back");
    assert!(all > 0 && same * 100 >= all * 90, "{same} of {all}");
}

/// The objects of a document in a fixed order, without what names a moment or a machine.
fn objects(text: &str) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let items = document["nftables"].as_array().expect("objects").clone();
    let mut lines: Vec<String> = items
        .into_iter()
        .filter(|item| item.get("metainfo").is_none())
        .map(|mut item| {
            without_moments(&mut item);
            item.to_string()
        })
        .collect();
    lines.sort();
    lines
}

fn without_moments(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            map.remove("handle");
            if map.get("packets") == Some(&0.into()) && map.get("bytes") == Some(&0.into()) && map.len() == 2 {
                *value = serde_json::Value::Null;
                return;
            }
            map.values_mut().for_each(without_moments);
            map.sort_keys();
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(without_moments),
        _ => {}
    }
}
