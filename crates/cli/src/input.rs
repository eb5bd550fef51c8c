//! From files and flags to a service map or a ruleset.

use std::io::Read;
use std::path::Path;

use rulectl_ruleset::ir::{Provenance, Ruleset};
use rulectl_ruleset::json;
use rulectl_ruleset::nft;
use rulectl_ruleset::service::{
    self, CompileOptions, Finding, Input, Layout, NodeOverrides, NodePortAddresses, ServiceMap,
};
use rulectl_ruleset::text::{ParseError, Sources};

use crate::args::{Node, Source, SourceForm};
use crate::failure::Failure;
use crate::include::Files;

/// What files say.
pub(crate) enum Loaded {
    /// Services, and everything that was found while reading them.
    Map { map: Box<ServiceMap>, findings: Vec<Finding> },
    /// Rules, and where each stands.
    Ruleset(Document),
}

/// A ruleset and the texts it was read from.
#[derive(Clone, Default)]
pub(crate) struct Document {
    pub(crate) ruleset: Ruleset,
    pub(crate) sources: Sources,
}

/// A file as it was read.
struct File {
    name: String,
    text: String,
    form: SourceForm,
}

/// Reads the files of a source: all of them make one service map, or one ruleset.
pub(crate) fn load(source: &Source) -> Result<Loaded, Failure> {
    let files = source.files.iter().map(|path| file(path, source.from)).collect::<Result<Vec<_>, _>>()?;
    if let Some(dump) = files.iter().find(|file| matches!(file.form, SourceForm::Iptables | SourceForm::Ip6tables)) {
        let message = "is a dump of iptables: `diff`, `apply`, `parse` and `translate` take it";
        return Err(Failure::Usage(format!("`{}` {message}", dump.name)));
    }
    let map = |file: &File| file.form == SourceForm::Map;
    match files.iter().find(|file| !map(file)) {
        None => load_map(&files, &source.node),
        Some(ruleset) => match files.iter().find(|file| map(file)) {
            None => load_ruleset(&files).map(Loaded::Ruleset),
            Some(map) => Err(Failure::Usage(format!(
                "`{}` is a ruleset and `{}` a service map: one command takes the one or the other (--from says what \
                 a file is)",
                ruleset.name, map.name
            ))),
        },
    }
}

/// The same for a service map only.
pub(crate) fn load_only_map(source: &Source) -> Result<(ServiceMap, Vec<Finding>), Failure> {
    match load(source)? {
        Loaded::Map { map, findings } => Ok((*map, findings)),
        Loaded::Ruleset(_) => Err(Failure::Usage("iptables rules are made of service maps only".to_owned())),
    }
}

/// What the compiler is asked for.
pub(crate) fn options(source: &Source, default: Layout) -> CompileOptions {
    CompileOptions { table: source.table.clone(), layout: source.layout.map_or(default, Layout::from) }
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let failure = |source| Failure::File { path: path.to_owned(), source };
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failure)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(failure)
}

fn file(path: &Path, from: SourceForm) -> Result<File, Failure> {
    let text = read(path)?;
    let form = if from == SourceForm::Auto { form(path, &text) } else { from };
    Ok(File { name: path.display().to_string(), text, form })
}

/// What a file holds: its name says it, or how it begins.
fn form(path: &Path, text: &str) -> SourceForm {
    let extension = path.extension().unwrap_or_default();
    let is_json = || {
        let text = text.trim_start();
        text.starts_with('[') || text.starts_with('{') && text[1..].trim_start().starts_with("\"nftables\"")
    };
    if extension == "nft" || extension == "nftables" {
        // Not all who write JSON say so in the name.
        if is_json() { SourceForm::Json } else { SourceForm::Nft }
    } else if extension == "yaml" || extension == "yml" {
        SourceForm::Map
    } else if is_json() {
        SourceForm::Json
    } else if nft::is_likely(text) {
        SourceForm::Nft
    } else {
        SourceForm::Map
    }
}

fn load_map(files: &[File], node: &Node) -> Result<Loaded, Failure> {
    let inputs: Vec<Input<'_>> = files.iter().map(|File { name, text, .. }| Input { name, text }).collect();
    match service::read(&inputs, &overrides(node)?) {
        Ok((map, findings)) => Ok(Loaded::Map { map: Box::new(map), findings }),
        Err(errors) => Err(Failure::Parse { errors }),
    }
}

/// The ruleset of all files: texts are read as one, each JSON document brings tables of its own.
fn load_ruleset(files: &[File]) -> Result<Document, Failure> {
    let texts = files.iter().filter(|file| file.form == SourceForm::Nft).map(|file| (&*file.name, &*file.text));
    let parsed = nft::parse_all(texts, &mut Files);
    let mut document = Document { ruleset: parsed.ruleset, sources: parsed.sources };
    let mut errors = parsed.errors;
    for file in files.iter().filter(|file| file.form == SourceForm::Json) {
        let parsed = json::parse(&file.name, &file.text);
        errors.extend(parsed.errors);
        errors.extend(parsed.kept.into_iter().map(|kept| kept.place));
        let mut sources = Sources::default();
        sources.add(&file.name, &file.text);
        errors.extend(document.add(parsed.ruleset, sources, &file.name));
    }
    if errors.is_empty() { Ok(document) } else { Err(Failure::Parse { errors }) }
}

impl Document {
    /// Adds tables that were read from another text. Gives what is wrong with that: tables that are there already.
    fn add(&mut self, ruleset: Ruleset, sources: Sources, name: &str) -> Vec<ParseError> {
        let offset = self.sources.append(sources);
        let mut errors = Vec::new();
        for mut table in ruleset.into_tables() {
            let id = table.id();
            if self.ruleset.find(&id).is_some() {
                errors.push(ParseError::whole(name, format!("table `{id}` is in another file too")));
            }
            for rule in table.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
                if let Provenance(Some(span)) = &mut rule.provenance {
                    span.source += offset;
                }
            }
            self.ruleset.insert(table);
        }
        errors
    }
}

/// The flags as what replaces settings of the map.
fn overrides(node: &Node) -> Result<NodeOverrides, Failure> {
    let nodeport_addresses = match node.nodeport_addresses.as_slice() {
        [] => None,
        words => Some(
            NodePortAddresses::from_words(words)
                .map_err(|message| Failure::Usage(format!("--nodeport-addresses: {message}")))?,
        ),
    };
    Ok(NodeOverrides {
        name: node.name.clone(),
        addresses: node.addresses.clone(),
        node_cidrs: node.node_cidrs.clone(),
        pod_cidrs: node.pod_cidrs.clone(),
        pod_bridges: node.pod_bridges.clone(),
        pod_interface_prefixes: node.pod_interface_prefixes.clone(),
        service_cidrs: node.service_cidrs.clone(),
        zone: node.zone.clone(),
        nodeport_addresses,
        localhost_nodeports: node.localhost_nodeports,
        drop_unallocated: node.drop_unallocated || !node.service_cidrs.is_empty(),
        masquerade_all: node.masquerade_all,
        mark_bit: node.mark_bit,
        keep_source_ports: node.keep_source_ports,
        admit_unlisted_families: node.admit_unlisted_families,
        refusal: node.refusal.map(Into::into),
        drop_invalid: node.drop_invalid,
        affinity_size: node.affinity_size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_beginnings_tell_what_a_file_holds() {
        let cases = [
            ("a.yaml", "table: x\n", SourceForm::Map),
            ("a.nft", "", SourceForm::Nft),
            ("a.conf", "#!/usr/sbin/nft -f\n\nflush ruleset\n", SourceForm::Nft),
            ("-", "table inet t {\n}\n", SourceForm::Nft),
            ("-", "define x = 1\n", SourceForm::Nft),
            ("-", "services:\n- name: a\n", SourceForm::Map),
            ("-", "# a map\ntable: rulectl\n", SourceForm::Map),
            ("-", " { \"nftables\": [] }", SourceForm::Json),
            ("a.json", "{ \"services\": [] }", SourceForm::Map),
            ("a.json", "[{ \"add\": {} }]", SourceForm::Json),
            ("a.nft", "{\"nftables\": []}", SourceForm::Json),
        ];
        for (path, text, expected) in cases {
            assert_eq!(form(Path::new(path), text), expected, "{path}: {text}");
        }
    }
}
