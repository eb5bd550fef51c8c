//! The front ends of service maps: our own schema and Kubernetes objects, as YAML or JSON.
//!
//! Reading has three layers: a text becomes trees that know their places (`document`), trees become the types of a
//! schema (`decode`, `schema`, `kubernetes`), and those one [`ServiceMap`].

mod decode;
mod document;
mod kubernetes;
mod own;
mod schema;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Finding, NodePortAddresses, NodeSettings, Refusal, ServiceMap, ServiceName, check, quarantine};
use crate::text::ParseError;
use decode::Problem;
use document::Node;
use schema::{API_VERSION, MapDocument};

/// A text and the name its user knows it by.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// A path, or `-`.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a str,
}

/// Settings that replace those of the same name in a map's `node` block. Empty lists and `None` replace nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `NodeSettings`")]
pub struct NodeOverrides {
    pub name: Option<String>,
    pub addresses: Vec<IpAddr>,
    pub node_cidrs: Vec<IpNet>,
    pub pod_cidrs: Vec<IpNet>,
    pub pod_bridges: Vec<String>,
    pub pod_interface_prefixes: Vec<String>,
    pub service_cidrs: Vec<IpNet>,
    pub zone: Option<String>,
    pub nodeport_addresses: Option<NodePortAddresses>,
    pub localhost_nodeports: bool,
    pub drop_unallocated: bool,
    pub masquerade_all: bool,
    pub mark_bit: Option<u8>,
    pub keep_source_ports: bool,
    pub admit_unlisted_families: bool,
    pub refusal: Option<Refusal>,
    pub drop_invalid: bool,
    pub affinity_size: Option<u32>,
}

/// Reads texts, each our own schema or Kubernetes objects, into one map.
///
/// # Errors
/// Everything that is wrong with any of them, in the order of the texts, up to a hundred errors. A text that can be read but says something that
/// cannot be meant is no error: the services concerned are left out, with a [`Finding`].
pub fn read(inputs: &[Input<'_>], overrides: &NodeOverrides) -> Result<(ServiceMap, Vec<Finding>), Vec<ParseError>> {
    let mut reader = Reader::default();
    for input in inputs {
        reader.input(*input);
    }
    reader.finish(overrides)
}

/// Whether a text can be meant as a service map or as Kubernetes objects, rather than as rules: its first word is a key
/// of YAML or JSON, and not that of `nft -j`. Looks at the beginning only.
pub fn looks_like(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}');
    let presentation = |line: &str| line.is_empty() || line.starts_with(['#', '%']) || line.starts_with("---");
    let mut lines = text.lines().map(str::trim).filter(|line| !presentation(line));
    let Some(line) = lines.next() else { return false };
    if let Some(rest) = line.strip_prefix('{') {
        let key = if rest.is_empty() { lines.next().unwrap_or_default() } else { rest };
        return !key.trim_start().trim_start_matches('"').starts_with("nftables");
    }
    let line = line.strip_prefix("- ").unwrap_or(line);
    line.split_once(':').is_some_and(|(key, value)| {
        let key = key.trim_matches('"');
        !key.is_empty() && key.chars().all(char::is_alphanumeric) && (value.is_empty() || value.starts_with(' '))
    })
}

/// Writes a map in our own schema, as JSON, which is also YAML. [`read`] gives the same map back.
pub fn print(map: &ServiceMap) -> String {
    let text = serde_json::to_string_pretty(&MapDocument::from(map)).expect("a map has only text keys and no IO");
    text + "\n"
}

/// The JSON Schema of our own schema.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(MapDocument);
    let text = serde_json::to_string_pretty(&schema).expect("a schema is a value of JSON");
    text + "\n"
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    /// The settings of a `node` block, and the name of the text it is in.
    node: Option<(NodeSettings, String)>,
    services: BTreeMap<ServiceName, super::Service>,
    objects: kubernetes::Objects,
    errors: Errors,
}

/// How many errors are told at most. Each costs a look at the text before it.
const ERRORS: usize = 100;

/// The errors found so far.
#[derive(Default)]
struct Errors {
    listed: Vec<ParseError>,
    /// How many more there are.
    more: usize,
}

impl Errors {
    /// Adds a problem; `node` is what it is about if it does not know better.
    fn add(&mut self, input: Input<'_>, node: &Node, problem: Problem) {
        if self.listed.len() >= ERRORS {
            self.more += 1;
            return;
        }
        let place = problem.place.unwrap_or(node.place);
        let error = ParseError::at(input.name, input.text, place.start, place.end, problem.message);
        self.listed.push(match problem.expected {
            Some(expected) => error.expecting(expected),
            None => error,
        });
    }

    fn into_result(mut self) -> Result<(), Vec<ParseError>> {
        let Some(last) = self.listed.last() else { return Ok(()) };
        if self.more > 0 {
            let message = format!("there are {} more errors", self.more);
            self.listed.push(ParseError::whole(&last.source_name.clone(), message));
        }
        Err(self.listed)
    }
}

impl Reader {
    fn input(&mut self, input: Input<'_>) {
        let first = self.errors.listed.len();
        match document::parse(input.name, input.text) {
            Ok(documents) if documents.is_empty() => {
                let error = ParseError::whole(input.name, "there is nothing in it").expecting("a service map");
                self.errors.listed.push(error);
            }
            Ok(documents) => documents.into_iter().for_each(|document| self.document(input, document)),
            Err(error) => self.errors.listed.push(error),
        }
        self.errors.listed[first..].sort_by_key(|error| (error.line, error.column));
    }

    fn document(&mut self, input: Input<'_>, document: Node) {
        match document.field("apiVersion").and_then(Node::text) {
            Some(version) if version.starts_with("rulectl/") => self.map(input, document),
            Some(_) => self.objects.add(input, &document, &mut self.errors),
            None => {
                let problem = Problem::new("the field `apiVersion` is missing");
                self.errors.add(
                    input,
                    &document,
                    problem.expecting(format!("`{API_VERSION}`, or a Kubernetes object")),
                );
            }
        }
    }

    fn finish(mut self, overrides: &NodeOverrides) -> Result<(ServiceMap, Vec<Finding>), Vec<ParseError>> {
        let mut node = self.node.map(|(settings, _)| settings).unwrap_or_default();
        overrides.replace(&mut node);
        let mut findings = Vec::new();
        self.objects.finish(&mut node, &mut self.services, &mut findings);
        self.errors.into_result()?;
        let mut map = ServiceMap { node, services: self.services.into_values().collect() };
        findings.extend(check(&map));
        quarantine(&mut map);
        findings.sort();
        findings.dedup();
        Ok((map, findings))
    }
}

impl NodeOverrides {
    fn replace(&self, node: &mut NodeSettings) {
        fn list<T: Clone>(to: &mut Vec<T>, from: &[T]) {
            if !from.is_empty() {
                *to = from.to_vec();
            }
        }
        if self.name.is_some() {
            node.name.clone_from(&self.name);
        }
        list(&mut node.addresses, &self.addresses);
        list(&mut node.node_cidrs, &self.node_cidrs);
        list(&mut node.pod_cidrs, &self.pod_cidrs);
        list(&mut node.pod_bridges, &self.pod_bridges);
        list(&mut node.pod_interface_prefixes, &self.pod_interface_prefixes);
        list(&mut node.service_cidrs, &self.service_cidrs);
        if self.zone.is_some() {
            node.zone.clone_from(&self.zone);
        }
        if let Some(addresses) = &self.nodeport_addresses {
            node.nodeport_addresses.clone_from(addresses);
        }
        node.localhost_nodeports |= self.localhost_nodeports;
        node.drop_unallocated |= self.drop_unallocated;
        node.masquerade_all |= self.masquerade_all;
        node.mark_bit = self.mark_bit.unwrap_or(node.mark_bit);
        node.keep_source_ports |= self.keep_source_ports;
        node.admit_unlisted_families |= self.admit_unlisted_families;
        node.refusal = self.refusal.unwrap_or(node.refusal);
        node.drop_invalid |= self.drop_invalid;
        node.affinity_size = self.affinity_size.or(node.affinity_size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> String {
        let input = Input { name: "map.yaml", text };
        let errors = read(&[input], &NodeOverrides::default()).expect_err("the map is wrong");
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    const HEAD: &str = "apiVersion: rulectl/v1\nkind: ServiceMap\n";

    #[test]
    fn an_unknown_field_is_located_and_the_one_meant_is_named() {
        let text = format!("{HEAD}services:\n  - name: web\n    clusterIP: 10.0.0.1\n    ports: []\n");
        insta::assert_snapshot!(errors(&text), @r"
        map.yaml:5:5: error: there is no field `clusterIP` here, expected `clusterIPs`
            clusterIP: 10.0.0.1
            ^^^^^^^^^
        ");
    }

    #[test]
    fn each_wrong_service_has_its_own_error() {
        let text = format!(
            "{HEAD}services:\n  - {{name: a, ports: [{{port: 70000}}]}}\n  - {{name: b, ports: [{{port: 1, \
             endpoints: [10.0.0.999]}}]}}\n  - {{name: c, clusterIPs: x, ports: []}}\n"
        );
        insta::assert_snapshot!(errors(&text));
    }

    /// The errors of a map with these services.
    fn errors_of(services: &str) -> String {
        errors(&format!("{HEAD}services:\n{services}\n"))
    }

    #[test]
    fn a_port_in_quotes_or_out_of_range_is_located() {
        insta::assert_snapshot!(errors_of("- {name: a, ports: [{port: \"80\"}, {port: 0}, {port: 80.5}, {port: }]}"), @r#"
        map.yaml:4:28: error: `"80"` cannot be here, expected a port from 1 to 65535
        - {name: a, ports: [{port: "80"}, {port: 0}, {port: 80.5}, {port: }]}
                                   ^^^^
        map.yaml:4:42: error: `0` cannot be here, expected a port from 1 to 65535
        - {name: a, ports: [{port: "80"}, {port: 0}, {port: 80.5}, {port: }]}
                                                 ^
        map.yaml:4:53: error: `80.5` cannot be here, expected a port from 1 to 65535
        - {name: a, ports: [{port: "80"}, {port: 0}, {port: 80.5}, {port: }]}
                                                            ^^^^
        map.yaml:4:65: error: nothing cannot be here, expected a port from 1 to 65535
        - {name: a, ports: [{port: "80"}, {port: 0}, {port: 80.5}, {port: }]}
                                                                        ^
        "#);
    }

    #[test]
    fn all_errors_of_a_service_are_told_in_order() {
        let service = "- name: a b\n  ports:\n  - port: 80\n    endpoints: [10.0.0.1:0, fd00::1%2]\n  - port: x\n    \
                       endpoints:\n    - {address: 10.0.0.1, wieght: 2}\n    - {address: 10.0.0.1, weight: 0}";
        insta::assert_snapshot!(errors_of(service), @"
        map.yaml:4:9: error: `a b` cannot be here, expected a name of letters, digits, `-`, `_` and `.`
        - name: a b
                ^^^
        map.yaml:7:17: error: `10.0.0.1:0` cannot be here, expected an endpoint, as `10.244.0.11:8080`, `[fd44::11]:8080`, or `{address: …, port: …}`
            endpoints: [10.0.0.1:0, fd00::1%2]
                        ^^^^^^^^^^
        map.yaml:7:29: error: `fd00::1%2` cannot be here, expected an endpoint, as `10.244.0.11:8080`, `[fd44::11]:8080`, or `{address: …, port: …}`
            endpoints: [10.0.0.1:0, fd00::1%2]
                                    ^^^^^^^^^
        map.yaml:8:11: error: `x` cannot be here, expected a port from 1 to 65535
          - port: x
                  ^
        map.yaml:10:27: error: there is no field `wieght` here, expected `weight`
            - {address: 10.0.0.1, wieght: 2}
                                  ^^^^^^
        map.yaml:11:7: error: an endpoint of weight 0 gets nothing: leave it out
            - {address: 10.0.0.1, weight: 0}
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        ");
    }

    #[test]
    fn a_wrong_type_is_told_in_words_of_yaml() {
        insta::assert_snapshot!(errors_of("- 7\n- {name: a, ports: {port: 80}}\n- {name: [a], ports: []}"), @"
        map.yaml:4:3: error: `7` cannot be here, expected a mapping
        - 7
          ^
        map.yaml:5:20: error: a mapping cannot be here, expected a list
        - {name: a, ports: {port: 80}}
                           ^^^^^^^^^^
        map.yaml:6:10: error: a list cannot be here, expected a text
        - {name: [a], ports: []}
                 ^^^
        ");
        insta::assert_snapshot!(errors("apiVersion: rulectl/v1\nkind: ServiceMap\nservices: {}\n"), @"
        map.yaml:3:11: error: a mapping cannot be here, expected a list
        services: {}
                  ^^
        ");
    }

    #[test]
    fn what_is_there_twice_is_told_at_the_second() {
        let service = "- {name: a, namespace: n, ports: [{port: 80}, {port: 80}, {port: 80, protocol: udp}]}\n\
                       - {name: a, namespace: n, ports: [{port: 1, endpoints: [10.0.0.1, 10.0.0.1:1]}]}\n\
                       - {name: a, name: b, ports: []}";
        insta::assert_snapshot!(errors_of(service), @"
        map.yaml:4:54: error: the port 80/tcp is here twice
        - {name: a, namespace: n, ports: [{port: 80}, {port: 80}, {port: 80, protocol: udp}]}
                                                             ^^
        map.yaml:5:10: error: there is a service `n/a` already
        - {name: a, namespace: n, ports: [{port: 1, endpoints: [10.0.0.1, 10.0.0.1:1]}]}
                 ^
        map.yaml:5:67: error: the endpoint 10.0.0.1 port 1 is here twice, expected each once; `weight` gives one more connections
        - {name: a, namespace: n, ports: [{port: 1, endpoints: [10.0.0.1, 10.0.0.1:1]}]}
                                                                          ^^^^^^^^^^
        map.yaml:6:3: error: the field `name` is here twice
        - {name: a, name: b, ports: []}
          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        ");
    }

    #[test]
    fn an_ipv6_endpoint_without_quotes_is_located() {
        insta::assert_snapshot!(errors_of("- name: a\n  ports:\n  - port: 80\n    endpoints:\n    - [fd00::5]:80"), @r#"
        map.yaml:8:16: error: this is no YAML: while parsing a block mapping, did not find expected key, expected quotes, as in `"[fd00:244::11]:8080"`
            - [fd00::5]:80
                       ^
        "#);
    }

    #[test]
    fn a_document_that_says_not_what_it_is_is_located() {
        insta::assert_snapshot!(errors("services: []\n"), @"
        map.yaml:1:1: error: the field `apiVersion` is missing, expected `rulectl/v1`, or a Kubernetes object
        services: []
        ^^^^^^^^^^^^
        ");
        insta::assert_snapshot!(errors("apiVersion: rulectl/v2\nkind: ServiceMap\n"), @"
        map.yaml:1:13: error: `rulectl/v2` cannot be here, expected `rulectl/v1`
        apiVersion: rulectl/v2
                    ^^^^^^^^^^
        ");
        insta::assert_snapshot!(errors("apiVersion: rulectl/v1\nkind: Servicemap\n"), @"
        map.yaml:2:7: error: `Servicemap` cannot be here, expected `ServiceMap`
        kind: Servicemap
              ^^^^^^^^^^
        ");
        insta::assert_snapshot!(errors("apiVersion: v1\nmetadata: {name: x}\n"), @"
        map.yaml:1:1: error: the field `kind` is missing
        apiVersion: v1
        ^^^^^^^^^^^^^^
        ");
        insta::assert_snapshot!(errors("# nothing\n"), @"map.yaml: error: there is nothing in it, expected a service map");
    }

    #[test]
    fn wrong_settings_of_the_node_are_located() {
        let text = |field: &str| errors(&format!("{HEAD}node:\n  {field}\n"));
        insta::assert_snapshot!(text("markBit: 32"), @"
        map.yaml:4:12: error: `32` is no bit of a mark, expected a bit from 0 to 31
          markBit: 32
                   ^^
        ");
        insta::assert_snapshot!(text("podCIDRs: [10.244.1.0/16]"), @"
        map.yaml:4:14: error: `10.244.1.0/16` cannot be here, expected the network alone: `10.244.0.0/16`
          podCIDRs: [10.244.1.0/16]
                     ^^^^^^^^^^^^^
        ");
        insta::assert_snapshot!(text("nodeportAddresses: [all, primary]"), @"
        map.yaml:4:22: error: `all` is none of `primary`, `all` and networks like `10.0.0.0/8`
          nodeportAddresses: [all, primary]
                             ^^^^^^^^^^^^^^
        ");
        insta::assert_snapshot!(text("podCidr: 10.0.0.0/8"), @"
        map.yaml:4:3: error: there is no field `podCidr` here, expected `podCIDRs`
          podCidr: 10.0.0.0/8
          ^^^^^^^
        ");
    }

    #[test]
    fn errors_without_end_are_counted() {
        let errors = errors_of(&"- 7\n".repeat(300));
        assert!(errors.ends_with("there are 200 more errors"), "{errors}");
    }

    #[test]
    fn texts_in_several_files_are_one_map_with_one_node_block() {
        let map =
            |node: &str, service: &str| format!("{HEAD}node: {node}\nservices: [{{name: {service}, ports: []}}]\n");
        let (first, same, other) = (map("{name: n1}", "a"), map("{name: n1}", "b"), map("{name: n2}", "a"));
        let input = |name, text| Input { name, text };
        let (read_both, _) = read(&[input("1", &first), input("2", &same)], &NodeOverrides::default()).unwrap();
        assert_eq!(read_both.services.len(), 2);
        let errors = read(&[input("1", &first), input("2", &other)], &NodeOverrides::default()).unwrap_err();
        insta::assert_snapshot!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @"
        2:3:7: error: a `node` block that is not the same as the one in 1, expected one `node` block
        node: {name: n2}
              ^^^^^^^^^^
        2:4:19: error: there is a service `a` already
        services: [{name: a, ports: []}]
                          ^
        ");
    }

    #[test]
    fn flags_replace_settings_of_the_map() {
        let text = format!("{HEAD}node: {{name: n1, podCIDRs: 10.0.0.0/8, markBit: 3, nodeportAddresses: all}}\n");
        let overrides = NodeOverrides {
            pod_cidrs: vec!["10.128.0.0/14".parse().unwrap()],
            nodeport_addresses: Some(NodePortAddresses::Primary),
            ..NodeOverrides::default()
        };
        let node = read(&[Input { name: "-", text: &text }], &overrides).unwrap().0.node;
        assert_eq!((node.name.as_deref(), node.mark_bit), (Some("n1"), 3));
        assert_eq!(node.pod_cidrs, overrides.pod_cidrs);
        assert_eq!(node.nodeport_addresses, NodePortAddresses::Primary);
    }

    #[test]
    fn maps_are_told_from_rules() {
        for map in [
            "# map\n---\napiVersion: v1\n",
            "{\"apiVersion\": \"v1\"}",
            "{\n  \"items\": []}",
            "- kind: x\n",
            "\u{feff}kind: List",
        ] {
            assert!(looks_like(map), "{map}");
        }
        for rules in [
            "",
            "#!/usr/sbin/nft -f\n# apiVersion: v1\ntable ip t {\n}\n",
            "define x = 1\n",
            "{\"nftables\": []}",
            "{ \n \"nftables\": []}",
            "*filter\n:INPUT ACCEPT [0:0]\n",
            ":INPUT ACCEPT [0:0]\n",
            "include \"a:b\"\n",
        ] {
            assert!(!looks_like(rules), "{rules}");
        }
    }
}
