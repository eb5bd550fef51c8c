//! Rows by real packets, through the rules of one back end.

use std::collections::BTreeMap;
use std::time::Duration;

use rulectl_tests::{Answer, Cluster, Failure, Transport, rulectl};

use crate::file::{FAMILIES, Fate, File, Row};

/// What makes the rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backend {
    /// Its name: layout and program.
    pub(crate) name: &'static str,
    /// The flags of `rulectl apply` that choose it.
    pub(crate) flags: &'static [&'static str],
}

/// The ports at which hosts serve: 8080 and 9090 for pods, 30080 for what the node itself serves there.
pub(crate) const PORTS: [u16; 3] = [8080, 9090, 30_080];

/// How long a client waits where nothing is to come, and where something is.
const SHORT: Duration = Duration::from_millis(250);
const LONG: Duration = Duration::from_secs(5);

/// Enough tries to see each of four endpoints, but once in 10¹⁴ runs.
const TRIES: usize = 120;
/// Tries after which nothing else is waited for.
const FEW: usize = 6;

/// A cluster for one back end: files use it one after the other.
pub(crate) struct Lab {
    cluster: Cluster,
    backend: Backend,
}

impl Lab {
    pub(crate) fn new(backend: Backend) -> Self {
        let cluster = Cluster::new();
        let servers = cluster.hosts().iter().filter(|host| host.name.starts_with("pod") || host.name == "node");
        for host in servers {
            PORTS.iter().for_each(|port| host.serve(*port));
        }
        Self { cluster, backend }
    }

    /// Checks all rows of a file; gives what is wrong, a line each.
    pub(crate) fn check(&self, file: &File) -> Vec<String> {
        let mut wrong = Vec::new();
        for family in 0..FAMILIES.len() {
            let mut memories = BTreeMap::new();
            for section in &file.sections {
                self.apply(&section.map(family));
                let rows: Vec<&Row> = section.rows.iter().filter(|row| row.is_for(self.backend.name)).collect();
                // What is dropped takes its time, and leaves nothing behind: all at once.
                let (dropped, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.fate == Fate::Dropped);
                wrong.extend(self.all_at_once(file, family, &dropped));
                for row in others {
                    let problem = self.row(row, family, &mut memories);
                    wrong.extend(problem.map(|problem| told(file, row, family, &problem)));
                }
            }
            self.delete();
        }
        wrong
    }

    fn all_at_once(&self, file: &File, family: usize, rows: &[&Row]) -> Vec<String> {
        std::thread::scope(|scope| {
            let check = |row: &'_ &Row| {
                let row: Row = (*row).clone();
                scope.spawn(move || {
                    let problem = self.row(&row, family, &mut BTreeMap::new());
                    problem.map(|problem| told(file, &row, family, &problem))
                })
            };
            let threads: Vec<_> = rows.iter().map(check).collect();
            threads.into_iter().filter_map(|thread| thread.join().expect("a row does not panic")).collect()
        })
    }

    fn apply(&self, map: &str) {
        let arguments: Vec<&str> = ["apply", "-"].iter().chain(self.backend.flags).copied().collect();
        let output = self.cluster.host("node").run(|| rulectl(&arguments, map));
        assert_eq!(output.code, 0, "rulectl {arguments:?}: {}{}\n{map}", output.stdout, output.stderr);
    }

    fn delete(&self) {
        let backend = self.backend.flags.windows(2).find(|pair| pair[0] == "--backend").expect("each names it");
        let output = self.cluster.host("node").run(|| rulectl(&["delete", backend[0], backend[1]], ""));
        assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    }

    /// What is wrong with a row, if anything.
    fn row(&self, row: &Row, family: usize, memories: &mut BTreeMap<(String, String), String>) -> Option<String> {
        let client = self.cluster.find(&row.from).unwrap_or_else(|| panic!("line {}: no host {}", row.line, row.from));
        let to = row.to(family);
        let patience = if row.fate == Fate::Dropped { SHORT } else { LONG };
        let enough = |answers: &[Result<Answer, Failure>]| match &row.fate {
            Fate::Reaches { servers, memory, .. } => {
                let others = answers.iter().any(|it| !it.as_ref().is_ok_and(|it| servers.contains(&it.server)));
                let seen = |server: &String| answers.iter().flatten().any(|answer| answer.server == *server);
                others || answers.len() >= FEW && (!memory.is_empty() || servers.iter().all(seen))
            }
            // Rejections by ICMP may come late; one is enough.
            Fate::Rejected | Fate::Dropped => !answers.is_empty(),
        };
        // What is not TCP sends what it has, whoever answers: the same within one connection.
        let tries = if row.transport == Transport::Sctp { TRIES / 4 } else { TRIES };
        let answers = client.ask_until(row.transport, to, patience, tries, enough);
        match &row.fate {
            Fate::Rejected => (answers[0] != Err(Failure::Rejected)).then(|| format!("{:?}", answers[0])),
            Fate::Dropped => (answers[0] != Err(Failure::TimedOut)).then(|| format!("{:?}", answers[0])),
            Fate::Reaches { servers, kept, memory } => {
                let mut seen = std::collections::BTreeSet::new();
                for answer in &answers {
                    let Ok(answer) = answer else { return Some(format!("{answer:?}")) };
                    let own = client.address_like(to.ip()) == answer.seen_as
                        || client.name == "node" && self.is_the_nodes(answer);
                    if answer.server != client.name && own != *kept && client.name != "node" {
                        return Some(format!("{} sees {}", answer.server, answer.seen_as));
                    }
                    if answer.server == client.name && own && client.name != "node" {
                        return Some(format!("{} sees itself", answer.server));
                    }
                    seen.insert(answer.server.clone());
                }
                if memory.is_empty() {
                    return (seen != *servers).then(|| format!("{seen:?}"));
                }
                let server = seen.first()?.clone();
                let known = memories.entry((client.name.clone(), memory.clone())).or_insert(server);
                (seen.len() != 1 || !seen.contains(known) || !seen.is_subset(servers))
                    .then(|| format!("{seen:?}, remembered {known}"))
            }
        }
    }

    fn is_the_nodes(&self, answer: &Answer) -> bool {
        let node = self.cluster.host("node");
        [std::net::IpAddr::from(node.ipv4), node.ipv6.into()].contains(&answer.seen_as)
    }
}

fn told(file: &File, row: &Row, family: usize, problem: &str) -> String {
    format!("{}.txt:{}: {} in {}: {:?}, but {problem}", file.name, row.line, row.from, FAMILIES[family], row.fate)
}
