//! A network namespace with its kernel, and nft beside it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use libtest_mimic::{Failed, Trial};
use rulectl_netlink::{Applied, CommitError, Kernel, NetlinkKernel, Netns, Scope};
use rulectl_ruleset::ir::{
    AnySet, ChainName, Data, DataKind, Element, Elements, Family, KeyType, Packed, SetName, SetSpec, TableFlags,
    TableId, TableName,
};
use rulectl_ruleset::live::Live;
use rulectl_ruleset::plan::{Op, Plan, Reason, SetHead, Step};

/// A fresh network namespace.
pub(crate) struct Sandbox {
    pub(crate) netns: Netns,
    pub(crate) kernel: NetlinkKernel,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let netns = Netns::new().expect("a network namespace");
        let kernel = NetlinkKernel::in_namespace(&netns).expect("a netlink socket");
        Self { netns, kernel }
    }

    /// Runs a program inside, with `input` on its standard input.
    pub(crate) fn run(&self, program: &str, arguments: &[&str], input: &str) -> Output {
        let run = || {
            let mut child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program is installed");
            child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads its input");
            child.wait_with_output().expect("it ends")
        };
        self.netns.run(run).expect("the namespace can be entered")
    }

    /// Loads a ruleset by nft.
    pub(crate) fn nft(&self, ruleset: &str) {
        let output = self.run("nft", &["-f", "-"], ruleset);
        assert!(output.status.success(), "{}\n{ruleset}", String::from_utf8_lossy(&output.stderr));
    }

    /// What nft lists.
    pub(crate) fn listing(&self) -> String {
        let output = self.run("nft", &["list", "ruleset"], "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Everything that is there.
    pub(crate) fn live(&mut self) -> Live {
        self.kernel.read(&Scope::all()).expect("the ruleset can be read")
    }

    /// Applies steps, whatever the generation.
    pub(crate) fn apply(&mut self, ops: Vec<Op>) -> Result<Applied, CommitError> {
        self.kernel.commit(&plan(ops))
    }

    /// Applies steps that must succeed.
    pub(crate) fn applied(&mut self, ops: Vec<Op>) -> Applied {
        self.apply(ops).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A test that fails by panic.
pub(crate) fn test(name: &'static str, run: fn()) -> Trial {
    Trial::test(name, move || {
        run();
        Ok::<(), Failed>(())
    })
}

pub(crate) fn plan(ops: Vec<Op>) -> Plan {
    Plan { generation: None, steps: ops.into_iter().map(|op| Step { op, reason: Reason::Missing }).collect() }
}

/// Table `ip t`.
pub(crate) fn table() -> TableId {
    TableId::new(Family::Ip, TableName::new("t").unwrap())
}

pub(crate) fn add_table() -> Op {
    Op::AddTable { table: table(), flags: TableFlags::default(), comment: None }
}

pub(crate) fn chain(name: &str) -> ChainName {
    ChainName::new(name).unwrap()
}

/// A regular chain of table `ip t`.
pub(crate) fn add_chain(name: &str) -> Op {
    Op::AddChain { table: table(), chain: chain(name), base: None, comment: None }
}

pub(crate) fn set_name(name: &str) -> SetName {
    SetName::new(name).unwrap()
}

/// An empty set or map of keys of those types.
pub(crate) fn set(name: &str, key: KeyType, kind: DataKind) -> AnySet {
    AnySet::new(SetSpec::new(set_name(name), key), kind)
}

pub(crate) fn add_set(set: &AnySet) -> Op {
    Op::AddSet { table: table(), set: SetHead::of(set) }
}

pub(crate) fn add_elements(set: &AnySet, elements: impl IntoIterator<Item = Element>) -> Op {
    Op::AddElements { table: table(), set: SetHead::of(set), elements: elements.into_iter().collect() }
}

pub(crate) fn delete_elements(set: &AnySet, elements: Elements) -> Op {
    Op::DeleteElements { table: table(), set: SetHead::of(set), elements }
}

/// The element whose key is that number.
pub(crate) fn numbered(number: u32, data: Data) -> Element {
    Element::new(Packed::from(number.to_be_bytes()), data)
}
