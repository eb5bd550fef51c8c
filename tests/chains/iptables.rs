//! Our iptables texts and the real programs, legacy and nf_tables, IPv4 and IPv6: what we print loads, what is read back
//! equals it, and nothing but our own chains is touched.

use rulectl_netlink::netns::Netns;
use rulectl_ruleset::iptables::{Family, IptablesPlan, IptablesRuleset, SaveText, delete, parse, plan};
use rulectl_ruleset::service::{CompileOptions, ServiceMap, iptables};
use rulectl_tests::run;

use crate::maps;

/// The tests, for each program.
pub(crate) const TESTS: [(&str, fn(Tool)); 5] = [
    ("what_is_compiled_is_read_back_the_same", read_back),
    ("a_changed_endpoint_touches_only_its_chains", least_change),
    ("rules_of_others_survive_and_delete_leaves_nothing", others_survive),
    ("a_lost_or_doubled_jump_is_repaired", repair),
    ("refusals_come_before_translation_ends_and_go_after_it_begins", swap),
];

/// One of the four programs.
#[derive(Clone, Copy)]
pub(crate) struct Tool {
    backend: &'static str,
    /// IPv4 or IPv6.
    pub(crate) family: Family,
}

impl Tool {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [
        Self { backend: "legacy", family: Family::Ip },
        Self { backend: "legacy", family: Family::Ip6 },
        Self { backend: "nft", family: Family::Ip },
        Self { backend: "nft", family: Family::Ip6 },
    ];

    /// `iptables-legacy` or the like.
    pub(crate) fn name(self) -> String {
        let program = if self.family == Family::Ip { "iptables" } else { "ip6tables" };
        format!("{program}-{}", self.backend)
    }

    fn program(self, what: &str) -> String {
        format!("{}-{what}", self.name())
    }

    /// Runs a text with `--test` first.
    fn load(self, text: &str, more: &[&str]) {
        let arguments = [&["--noflush", "-w", "5"], more].concat();
        run(&self.program("restore"), &[&arguments[..], &["--test"]].concat(), text);
        run(&self.program("restore"), &arguments, text);
    }

    /// iptables-save without its notes.
    fn save(self, more: &[&str]) -> String {
        let text = run(&self.program("save"), more, "");
        text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }

    /// What is live. The dump must print back byte for byte.
    fn live(self) -> IptablesRuleset {
        let dump = self.save(&[]);
        let parsed = parse("-", &dump, self.family);
        assert_eq!(parsed.problems, []);
        assert_eq!(parsed.text.to_string(), dump);
        parsed.text.ruleset()
    }

    fn compile(self, map: &ServiceMap) -> IptablesRuleset {
        iptables(map, &CompileOptions::default(), self.family).ruleset
    }

    /// Plans, loads, and checks that nothing is left to do.
    pub(crate) fn apply(self, map: &ServiceMap) -> IptablesPlan {
        let desired = self.compile(map);
        let steps = plan(&self.live(), &desired).expect("no conflict");
        if !steps.is_empty() {
            self.load(&steps.text().to_string(), &[]);
        }
        let again = plan(&self.live(), &desired).expect("no conflict");
        assert!(again.is_empty(), "left to do:\n{again}");
        steps
    }

    /// Text with addresses of the tool's family: `@1` is a host of ours.
    fn addressed(self, text: &str) -> String {
        match self.family {
            Family::Ip => text.replace('@', "10.9.0."),
            Family::Ip6 => text.replace('@', "fd99::").replace("icmp-", "icmp6-"),
        }
    }
}

fn in_a_namespace(test: impl FnOnce() + Send) {
    Netns::new().expect("a network namespace").run(test).expect("a thread in the namespace");
}

fn read_back(tool: Tool) {
    in_a_namespace(|| {
        tool.apply(&maps::shop(tool.family));
        assert!(tool.apply(&maps::shop(tool.family)).is_empty(), "the second time there is nothing to do");
        let desired = tool.compile(&maps::shop(tool.family));
        let live = tool.live();
        for (name, table) in &desired.tables {
            for (chain, wanted) in &table.chains {
                assert_eq!(live.tables[name].chains[chain].rules, wanted.rules, "{name} {chain}");
            }
        }
        // The text as a whole is for an empty state.
        let whole = SaveText::from(&desired).to_string();
        in_a_namespace(|| {
            tool.load(&whole, &[]);
            assert!(tool.apply(&maps::shop(tool.family)).is_empty());
        });
    });
}

fn least_change(tool: Tool) {
    in_a_namespace(|| {
        let mut map = maps::shop(tool.family);
        let counted: String = SaveText::from(&tool.compile(&map))
            .to_string()
            .lines()
            .map(|line| if line.starts_with("-A") { format!("[7:9] {line}\n") } else { format!("{line}\n") })
            .collect();
        tool.load(&counted, &["--counters"]);
        let before = tool.save(&["-c"]);
        map.services[5].ports[0].endpoints[0].port += 1;
        let steps = tool.apply(&map);
        let chains: Vec<_> = steps.steps.iter().flat_map(|step| &step.chains).map(|change| &change.chain).collect();
        assert_eq!(chains.len(), 4, "the service's two choices, one endpoint that goes, one that comes: {chains:?}");
        assert_eq!(steps.steps.len(), 1);
        let untouched = |save: &str| -> Vec<String> {
            let touched = |line: &&str| chains.iter().any(|chain| line.contains(&format!("-A {chain} ")));
            save.lines().filter(|line| line.starts_with('[') && !touched(line)).map(str::to_owned).collect()
        };
        let after = untouched(&tool.save(&["-c"]));
        assert_eq!(after, untouched(&before));
        // ip6tables-nft-restore 1.8.9 does not take counters.
        if tool.name() != "ip6tables-nft" {
            assert!(after.iter().all(|line| line.starts_with("[7:9]")), "{after:#?}");
        }
    });
}

const OTHERS: &str = "*nat\n:OTHERS - [0:0]\n-A PREROUTING -p tcp -m tcp --dport 1 -j OTHERS\n-A OUTPUT -j OTHERS\n\
    -A OTHERS -d @1 -p tcp -m multiport --dports 1,2 -m comment --comment \"a \\\"b\\\"\" -j DNAT --to-destination @2\n\
    -A POSTROUTING -s @1 -j MASQUERADE\nCOMMIT\n\
    *filter\n:OTHERS - [0:0]\n-A INPUT -m limit --limit 3/min -j LOG --log-prefix \"others \"\n-A FORWARD -j OTHERS\n\
    -A OTHERS ! -i lo -m mark --mark 0x4000/0x4000 -j DROP\n-A OTHERS -j REJECT --reject-with icmp-port-unreachable\n\
    COMMIT\n";

fn others_survive(tool: Tool) {
    in_a_namespace(|| {
        tool.load(&tool.addressed(OTHERS), &[]);
        let before = tool.save(&[]);
        tool.apply(&maps::shop(tool.family));
        let without_ours = |save: String| -> String {
            save.lines().filter(|line| !line.contains("RULECTL-")).map(|line| format!("{line}\n")).collect()
        };
        assert_eq!(without_ours(tool.save(&[])), before);
        assert!(tool.save(&[]).contains("RULECTL-"));
        let steps = delete(&tool.live()).expect("no conflict");
        tool.load(&steps.text().to_string(), &[]);
        assert_eq!(tool.save(&[]), before);
        assert!(delete(&tool.live()).expect("no conflict").is_empty());
    });
}

fn repair(tool: Tool) {
    in_a_namespace(|| {
        tool.load(&tool.addressed(OTHERS), &[]);
        tool.apply(&maps::shop(tool.family));
        let ours = tool.save(&[]);
        // One is lost, one is there three times, one has moved below those of others.
        let jump = |hook: &str| format!("{hook} -m comment --comment \"managed by rulectl\" -j RULECTL-SERVICES");
        let (prerouting, output) = (jump("PREROUTING"), jump("OUTPUT"));
        tool.load(&format!("*nat\n-D {prerouting}\n-A {output}\n-A {output}\nCOMMIT\n"), &[]);
        let steps = tool.apply(&maps::shop(tool.family));
        let jumps: Vec<_> = steps.steps.iter().flat_map(|step| &step.jumps).map(|jump| jump.added).collect();
        assert_eq!(jumps, [false, false, true]);
        assert!(steps.steps.iter().all(|step| step.chains.is_empty()), "{steps}");
        let sorted = |save: &str| {
            let mut lines: Vec<_> = save.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&tool.save(&[])), sorted(&ours));
    });
}

/// One service loses its endpoints while another gets its first: `filter` is committed before and after `nat`.
fn swap(tool: Tool) {
    in_a_namespace(|| {
        let mut map = maps::shop(tool.family);
        tool.apply(&map);
        let endpoints = std::mem::take(&mut map.services[7].ports[0].endpoints);
        map.services[0].ports[0].endpoints = endpoints;
        let steps = tool.apply(&map).steps;
        let tables: Vec<_> = steps.iter().map(|step| step.table.keyword()).collect();
        assert_eq!(tables, ["filter", "nat", "filter"]);
    });
}
