//! Rulesets that rulectl is held to: our own, and a collection of real ones where there is one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rulectl_netlink::{Kernel, NetlinkKernel, Netns, Scope, interfaces};
use rulectl_ruleset::ir::Ruleset;
use rulectl_ruleset::live::Live;
use rulectl_ruleset::lower::{self, Lowered};
use rulectl_ruleset::{json, nft};
use rulectl_tests::run;

/// Where the environment says a collection of real rulesets is.
const COLLECTION: &str = "RULECTL_CORPUS";
/// Only samples whose name holds this are looked at.
const ONLY: &str = "RULECTL_CORPUS_ONLY";

/// A ruleset as a program takes it.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) form: Form,
    /// Interfaces it names, besides `lo`.
    devices: Vec<String>,
}

/// Who takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `nft -f`.
    Nft,
    /// `nft -j -f`.
    Json,
    /// `iptables-nft-restore`.
    Iptables,
    /// `ip6tables-nft-restore`.
    Ip6tables,
}

/// Our own, one for each kind of thing.
pub(crate) fn own() -> Vec<Sample> {
    let sample = |(name, text): (&str, &str)| {
        let devices = ["d0", "d1"].map(str::to_owned).to_vec();
        Sample { name: name.to_owned(), text: text.to_owned(), form: Form::Nft, devices }
    };
    let samples = [
        ("host", super::HOST),
        ("state", super::show::STATE),
        ("sets", include_str!("../netlink/rulesets/sets.nft")),
        ("matches", include_str!("../netlink/rulesets/matches.nft")),
        ("statements", include_str!("../netlink/rulesets/statements.nft")),
        ("objects", include_str!("../netlink/rulesets/objects.nft")),
        ("chains", include_str!("../netlink/rulesets/chains.nft")),
    ];
    samples.into_iter().map(sample).collect()
}

/// The collection, in the order of their names. `None`, and said so, if there is none.
///
/// A file `truth.jsonl` in it may say of each file below it whether nft loads it (`nft_ok`), and with which `devices`.
pub(crate) fn collected() -> Option<Vec<Sample>> {
    let Some(folder) = std::env::var_os(COLLECTION) else {
        eprintln!("\n!!! {COLLECTION} is not set: only our own rulesets are tried\n");
        return None;
    };
    let mut found = Vec::new();
    gather(folder.as_ref(), &HashMap::new(), &mut found, 6);
    let only = std::env::var(ONLY).unwrap_or_default();
    found.retain(|sample| sample.name.contains(&only));
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Some(found)
}

/// What is known of a file: whether it loads, and with which devices.
type Known = HashMap<PathBuf, (bool, Vec<String>)>;

fn gather(folder: &Path, known: &Known, found: &mut Vec<Sample>, depth: usize) {
    let index = std::fs::read_to_string(folder.join("truth.jsonl")).map(|index| read_index(folder, &index)).ok();
    let known = index.as_ref().unwrap_or(known);
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && depth > 0 {
            gather(&path, known, found, depth - 1);
        }
        let Some(form) = form(&path) else { continue };
        let (loads, devices) = known.get(&path).cloned().unwrap_or((known.is_empty(), Vec::new()));
        let text = std::fs::read_to_string(&path);
        // What is included is not here.
        if let (true, Ok(text)) = (loads, text)
            && !text.contains("include \"")
        {
            found.push(Sample { name: path.display().to_string(), text, form, devices });
        }
    }
}

fn read_index(folder: &Path, index: &str) -> Known {
    let entries = index.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let entry = |entry: serde_json::Value| {
        let devices = entry["devices"].as_array().into_iter().flatten();
        let devices = devices.filter_map(|device| device.as_str().map(str::to_owned)).collect();
        Some((folder.join(entry["file"].as_str()?), (entry["nft_ok"] == true, devices)))
    };
    entries.filter_map(entry).collect()
}

fn form(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()? {
        "nft" => Some(Form::Nft),
        "json" => Some(Form::Json),
        "ipt" | "save" => Some(Form::Iptables),
        "ip6t" | "save6" => Some(Form::Ip6tables),
        _ => None,
    }
}

impl Sample {
    /// Runs `work` in a namespace of its own that has the devices of samples, on a thread of its own.
    pub(crate) fn inside<T: Send>(samples: &[&Self], work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            run("ip", &["link", "set", "lo", "up"], "");
            let mut devices: Vec<&String> = samples.iter().flat_map(|sample| &sample.devices).collect();
            devices.sort_unstable();
            devices.dedup();
            for device in devices {
                run("ip", &["tuntap", "add", "dev", device, "mode", "tap"], "");
            }
            work()
        };
        Netns::new().expect("a network namespace").run(inside).expect("a thread in the namespace")
    }

    /// What it asks for, read by us, for the namespace we are in.
    ///
    /// `None` if it is in the words of iptables.
    pub(crate) fn wanted(&self) -> Option<Result<Lowered, String>> {
        let (ruleset, errors) = match self.form {
            Form::Nft => {
                let parsed = nft::parse(&self.name, &self.text);
                (parsed.ruleset, parsed.errors)
            }
            Form::Json => {
                let parsed = json::parse(&self.name, &self.text);
                (parsed.ruleset, parsed.errors)
            }
            Form::Iptables | Form::Ip6tables => return None,
        };
        Some(match errors.first() {
            Some(error) => Err(format!("not read: {error}")),
            None => lowered(ruleset),
        })
    }
}

/// A ruleset for the namespace we are in.
pub(crate) fn lowered(mut ruleset: Ruleset) -> Result<Lowered, String> {
    let unknown = ruleset.number_interfaces(interfaces::index_of);
    if let Some(unknown) = unknown.first() {
        return Err(format!("no interface `{}`", unknown.name));
    }
    lower::lower(ruleset).map_err(|errors| format!("not lowered: {}", errors[0]))
}

/// What the kernel of the namespace we are in holds.
pub(crate) fn live() -> Live {
    NetlinkKernel::new().expect("a socket").read(&Scope::all()).expect("the ruleset can be read")
}
