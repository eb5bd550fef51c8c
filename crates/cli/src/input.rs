//! From files and flags to a service map.

use std::io::Read;
use std::path::Path;

use rulectl_ruleset::service::{
    self, CompileOptions, Finding, Input, Layout, NodeOverrides, NodePortAddresses, ServiceMap,
};

use crate::args::{Node, Source};
use crate::failure::Failure;

/// A service map with everything that was found while reading it.
pub(crate) struct Loaded {
    pub(crate) map: ServiceMap,
    pub(crate) findings: Vec<Finding>,
}

/// Reads the files of a source and merges them into one map.
pub(crate) fn load(source: &Source) -> Result<Loaded, Failure> {
    let texts = source
        .files
        .iter()
        .map(|path| Ok((path.display().to_string(), read(path)?)))
        .collect::<Result<Vec<(String, String)>, Failure>>()?;
    let inputs: Vec<Input<'_>> = texts.iter().map(|(name, text)| Input { name, text }).collect();
    let overrides = overrides(&source.node)?;
    match service::read(&inputs, &overrides) {
        Ok((map, findings)) => Ok(Loaded { map, findings }),
        Err(errors) => Err(Failure::Parse { errors }),
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
        nodeport_addresses,
        masquerade_all: node.masquerade_all,
        mark_bit: node.mark_bit,
    })
}
