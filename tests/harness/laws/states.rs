//! Random rulesets that a kernel takes: small ones from a small world, so that two of them have much in common.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rulectl_ruleset::expr::{CmpOp, Expr, Program, Reg, SetUse};
use rulectl_ruleset::ir::{
    AnySet, BaseChain, ChainName, ChainType, Comment, Counter, Data, DataKind, DataType, Element, Elements, Family,
    Hook, Key, KeyType, MetaKey, Named, Object, ObjectKind, ObjectName, ObjectType, PayloadBase, Policy, Priority,
    Provenance, Quota, SetName, SetSpec, TableFlags, TableId, TableName, Verdict,
};
use rulectl_ruleset::lower::{Lowered, LoweredChain, LoweredTable};

/// A table by its parts; [`Parts::table`] leaves out what refers to something that is not there.
#[derive(Clone, Debug)]
struct Parts {
    flags: TableFlags,
    counter: bool,
    quota: Option<u64>,
    blocked: Option<Vec<u8>>,
    ranges: Option<Vec<u8>>,
    ports: Option<(bool, Vec<(u8, u16)>)>,
    dispatch: Option<(Option<u32>, Vec<(u8, u8)>)>,
    accounts: Option<Vec<(u8, bool)>>,
    bases: Vec<Option<(i32, Policy, Vec<RuleKind>)>>,
    chains: Vec<Option<Vec<RuleKind>>>,
}

/// A rule of the small world.
#[derive(Clone, Copy, Debug)]
enum RuleKind {
    Source(u8, u8),
    Count,
    Block,
    Range,
    Mark,
    Dispatch,
    Account,
    NamedCounter,
    Quota,
    Jump(u8, bool),
    OneOf(u8),
    Anonymous(u8),
    Commented(u8),
}

/// How many regular chains there may be.
const CHAINS: u8 = 5;

/// A ruleset of one or two tables.
pub fn states() -> impl Strategy<Value = Lowered> {
    (parts(), option::weighted(0.3, parts())).prop_map(|(first, second)| state(&first, second.as_ref()))
}

/// Two rulesets: the second is the first with some of its parts replaced.
pub fn pairs() -> impl Strategy<Value = (Lowered, Lowered)> {
    let second = || option::weighted(0.3, parts());
    (parts(), parts(), any::<u16>(), second(), second()).prop_map(|(old, other, replaced, second_old, second_new)| {
        let new = mixed(&old, other, replaced);
        let mut after = state(&new, second_new.as_ref());
        let before = state(&old, second_old.as_ref());
        // A table that is not declared is not ours to take away.
        for (id, table) in &before.tables {
            after.tables.entry(id.clone()).or_insert_with(|| table.clone());
        }
        (before, after)
    })
}

/// `old` with those parts of `other` whose bits are set.
fn mixed(old: &Parts, other: Parts, replaced: u16) -> Parts {
    let bit = |at: u16| replaced >> at & 1 == 1;
    let mut new = old.clone();
    if bit(0) {
        (new.counter, new.quota) = (other.counter, other.quota);
    }
    if bit(1) {
        new.blocked = other.blocked;
    }
    if bit(2) {
        new.ranges = other.ranges;
    }
    if bit(3) {
        new.ports = other.ports;
    }
    if bit(4) {
        new.dispatch = other.dispatch;
    }
    if bit(5) {
        new.accounts = other.accounts;
    }
    if bit(6) {
        new.flags = other.flags;
    }
    for (at, (chain, other)) in new.bases.iter_mut().zip(other.bases).enumerate() {
        if bit(7 + at as u16) {
            *chain = other;
        }
    }
    for (at, (chain, other)) in new.chains.iter_mut().zip(other.chains).enumerate() {
        if bit(9 + at as u16) {
            *chain = other;
        }
    }
    new
}

fn parts() -> impl Strategy<Value = Parts> {
    let sets = (
        option::weighted(0.8, vec(0_u8..12, 0..8)),
        option::weighted(0.5, vec(0_u8..12, 0..6)),
        option::weighted(0.8, (any::<bool>(), vec((0_u8..12, 80_u16..83), 0..8))),
        option::weighted(
            0.8,
            (prop_oneof![Just(None), Just(Some(64)), Just(Some(128))], vec((0_u8..12, 0..CHAINS + 1), 0..8)),
        ),
        option::weighted(0.4, vec((0_u8..12, any::<bool>()), 0..4)),
    );
    let base =
        (prop_oneof![3 => Just(0), 1 => Just(10)], prop_oneof![Just(Policy::Accept), Just(Policy::Drop)], rules());
    let chains = (vec(option::weighted(0.9, base), 2), vec(option::weighted(0.8, rules()), usize::from(CHAINS)));
    let objects = (any::<bool>(), option::weighted(0.5, prop_oneof![Just(1000), Just(2000)]));
    let flags = prop_oneof![5 => Just(false), 1 => Just(true)];
    (flags, objects, sets, chains).prop_map(|(dormant, (counter, quota), sets, (bases, chains))| {
        let (blocked, ranges, ports, dispatch, accounts) = sets;
        let flags = TableFlags { dormant, ..TableFlags::default() };
        Parts { flags, counter, quota, blocked, ranges, ports, dispatch, accounts, bases, chains }
    })
}

fn rules() -> impl Strategy<Value = Vec<RuleKind>> {
    use RuleKind::*;
    let rule = prop_oneof![
        4 => (0_u8..6, 0_u8..3).prop_map(|(address, verdict)| Source(address, verdict)),
        2 => Just(Count),
        2 => Just(Block),
        1 => Just(Range),
        2 => Just(Mark),
        2 => Just(Dispatch),
        1 => Just(Account),
        1 => Just(NamedCounter),
        1 => Just(Quota),
        3 => (0..CHAINS, any::<bool>()).prop_map(|(chain, back)| Jump(chain, back)),
        1 => (0_u8..4).prop_map(OneOf),
        1 => (0..CHAINS).prop_map(Anonymous),
        1 => (0_u8..3).prop_map(Commented),
    ];
    vec(rule, 0..8)
}

fn state(first: &Parts, second: Option<&Parts>) -> Lowered {
    let tables = [("first", Some(first)), ("second", second)];
    let tables = tables.into_iter().filter_map(|(name, parts)| {
        let id = TableId::new(Family::Ip, TableName::new(name).expect("short"));
        Some((id.clone(), parts?.table(id)))
    });
    Lowered { tables: tables.collect() }
}

fn chain_name(at: u8) -> ChainName {
    ChainName::new(format!("chain-{at}")).expect("short")
}

fn set_name(name: &str) -> SetName {
    SetName::new(name).expect("short")
}

fn object_name(name: &str) -> ObjectName {
    ObjectName::new(name).expect("short")
}

fn address(last: u8) -> [u8; 4] {
    [10, 0, 0, last]
}

fn address_key() -> KeyType {
    KeyType::of_types([DataType::Ipv4Addr])
}

impl Parts {
    fn table(&self, id: TableId) -> LoweredTable {
        let mut table = LoweredTable {
            id,
            flags: self.flags,
            comment: Some(Comment::new("made by a law test").expect("short")),
            objects: self.objects(),
            sets: Named::default(),
            flowtables: Named::default(),
            chains: Named::default(),
        };
        table.sets = self.sets();
        for (at, base) in self.bases.iter().enumerate() {
            let Some((priority, policy, rules)) = base else { continue };
            let hook = [Hook::Input, Hook::Forward][at % 2];
            let base = BaseChain::new(Family::Ip, hook, ChainType::Filter, Priority(*priority));
            let base = base.expect("a filter chain may be anywhere").with_policy(*policy);
            let name = ChainName::new(format!("base-{at}")).expect("short");
            table.chains.insert(self.chain(name, Some(base), rules, 0));
        }
        for (at, rules) in (0..).zip(&self.chains) {
            if let Some(rules) = rules {
                table.chains.insert(self.chain(chain_name(at), None, rules, at + 1));
            }
        }
        table
    }

    fn objects(&self) -> Named<Object> {
        let counter = self.counter.then(|| ("counted", ObjectKind::Counter(Counter::default())));
        let quota = self.quota.map(|bytes| ("allowed", ObjectKind::Quota(Quota { over: true, bytes, used: 0 })));
        let object = |(name, kind)| Object { name: object_name(name), kind, comment: None };
        counter.into_iter().chain(quota).map(object).collect()
    }

    fn sets(&self) -> Named<AnySet> {
        let spec = |name| SetSpec::new(set_name(name), address_key());
        let value = |last: u8| Key::Value(address(last).into());
        let element = |key, data| Element { key, data, extra: None };
        let blocked = self.blocked.iter().map(|keys| {
            let elements: Elements = keys.iter().map(|last| element(value(*last), Data::None)).collect();
            AnySet::new(spec("blocked").sized(64), DataKind::None).with_elements(elements)
        });
        let ranges = self.ranges.iter().map(|keys| {
            let range = |last: &u8| Key::range(&[10, 0, *last, 4], &[10, 0, *last, 9]);
            let elements: Elements = keys.iter().map(|last| element(range(last), Data::None)).collect();
            AnySet::new(spec("ranges").interval(), DataKind::None).with_elements(elements)
        });
        let ports = self.ports.iter().map(|(wide, entries)| {
            let data = KeyType::of_types([if *wide { DataType::Mark } else { DataType::Realm }]);
            let kind = DataKind::Value { data, interval: false };
            let number = |port: u16| Data::Value(u32::from(port).to_be_bytes().into());
            let elements: Elements = entries.iter().map(|(last, port)| element(value(*last), number(*port))).collect();
            AnySet::new(spec("ports"), kind).with_elements(elements)
        });
        let dispatch = self.dispatch.iter().map(|(size, entries)| {
            let verdict = |to: u8| if to < CHAINS { self.target(to, true) } else { Some(Verdict::Drop) };
            let entry = |(last, to): &(u8, u8)| Some(element(value(*last), Data::Verdict(verdict(*to)?)));
            let elements: Elements = entries.iter().filter_map(entry).collect();
            let spec = SetSpec { size: *size, ..spec("dispatch") };
            AnySet::new(spec, DataKind::Verdict).with_elements(elements)
        });
        let accounts = self.accounts.iter().filter(|_| self.counter).map(|entries| {
            let name = |_: bool| Data::Object(object_name("counted"));
            let elements: Elements = entries.iter().map(|(last, which)| element(value(*last), name(*which))).collect();
            AnySet::new(spec("accounts"), DataKind::Object(ObjectType::Counter)).with_elements(elements)
        });
        blocked.chain(ranges).chain(ports).chain(dispatch).chain(accounts).collect()
    }

    /// Jumps go from lower to higher numbers, so there is no loop.
    fn target(&self, to: u8, back: bool) -> Option<Verdict> {
        self.chains.get(usize::from(to))?.as_ref()?;
        Some(if back { Verdict::Jump(chain_name(to)) } else { Verdict::Goto(chain_name(to)) })
    }

    /// `first` is the first regular chain its rules may lead to.
    fn chain(&self, name: ChainName, base: Option<BaseChain>, rules: &[RuleKind], first: u8) -> LoweredChain {
        let programs = rules.iter().filter_map(|kind| self.program(*kind, first, base.is_some()));
        let rules = programs.map(|program| (program, Provenance::default())).collect();
        LoweredChain { name, base, comment: None, rules }
    }

    fn program(&self, kind: RuleKind, first: u8, in_base: bool) -> Option<Program> {
        let source = Expr::Payload { dreg: Reg::R1, base: PayloadBase::Network, offset: 12, len: 4 };
        let counter = Expr::Counter { packets: 0, bytes: 0 };
        let named = |name: &str, there: bool| there.then(|| SetUse::Named(set_name(name)));
        let lookup = |set, dreg| Expr::Lookup { sreg: Reg::R1, set, dreg, inverted: false };
        let drop = Expr::Verdict(Verdict::Drop);
        let mut comment = None;
        let exprs = match kind {
            RuleKind::Source(last, verdict) => {
                let verdict = [Verdict::Accept, Verdict::Drop, Verdict::Return][usize::from(verdict % 3)].clone();
                let compare = Expr::Cmp { sreg: Reg::R1, op: CmpOp::Eq, data: address(last).into() };
                vec![source, compare, counter, Expr::Verdict(verdict)]
            }
            RuleKind::Count => vec![counter],
            RuleKind::Block => vec![source, lookup(named("blocked", self.blocked.is_some())?, None), drop],
            RuleKind::Range => vec![source, lookup(named("ranges", self.ranges.is_some())?, None), drop],
            RuleKind::Mark => {
                let set = named("ports", self.ports.is_some())?;
                let key = MetaKey::Mark;
                vec![source, lookup(set, Some(Reg::R1)), Expr::MetaSet { sreg: Reg::R1, key }]
            }
            // Only from base chains: the map may lead to any other.
            RuleKind::Dispatch if in_base => {
                vec![source, Expr::Vmap { sreg: Reg::R1, set: named("dispatch", self.dispatch.is_some())? }]
            }
            RuleKind::Dispatch => return None,
            RuleKind::Account => {
                let set = named("accounts", self.accounts.is_some() && self.counter)?;
                vec![source, Expr::ObjrefMap { sreg: Reg::R1, set }]
            }
            RuleKind::NamedCounter => {
                self.counter.then_some(())?;
                vec![Expr::Objref { object: ObjectType::Counter, name: object_name("counted") }]
            }
            RuleKind::Quota => {
                self.quota?;
                vec![Expr::Objref { object: ObjectType::Quota, name: object_name("allowed") }, drop]
            }
            RuleKind::Jump(to, back) => {
                let to = to.max(first);
                vec![counter, Expr::Verdict(self.target(to, back)?)]
            }
            RuleKind::OneOf(count) => {
                let keys = (0..=count + 1).map(|last| Element::new(address(last).into(), Data::None));
                vec![source, lookup(anonymous("__set%d", DataKind::None, keys.collect()), None), drop]
            }
            RuleKind::Anonymous(to) => {
                let to = self.target(to.max(first), false)?;
                let entries = [(1, to), (2, Verdict::Drop)].map(|(last, to)| (address(last), Data::Verdict(to)));
                let entries = entries.into_iter().map(|(key, to)| Element::new(key.into(), to));
                let set = anonymous("__map%d", DataKind::Verdict, entries.collect());
                vec![source, Expr::Vmap { sreg: Reg::R1, set }]
            }
            RuleKind::Commented(which) => {
                comment = Some(Comment::new(format!("number {which}")).expect("short"));
                vec![counter]
            }
        };
        Some(Program { exprs, comment })
    }
}

fn anonymous(template: &str, kind: DataKind, elements: Elements) -> SetUse {
    let spec = SetSpec::new(set_name(template), address_key());
    SetUse::Anonymous(AnySet::new(spec, kind).with_elements(elements).into())
}
