//! Wrong plans, and what every kernel says to them.

use rulectl_netlink::{CommitError, Kernel};
use rulectl_ruleset::expr::{Expr, Program, Reg, SetUse};
use rulectl_ruleset::ir::{
    AnySet, BaseChain, ChainName, ChainType, Comment, Counter, Data, DataKind, DataType, Element, Elements, Family,
    HasName, Hook, Key, KeyType, Named, Object, ObjectKind, ObjectName, ObjectType, PayloadBase, Policy, Priority,
    Provenance, SetName, SetSpec, TableFlags, TableId, TableName, Verdict,
};
use rulectl_ruleset::lower::{Lowered, LoweredChain, LoweredTable};
use rulectl_ruleset::plan::{Op, Place, Plan, Reason, SetHead, Step};

use super::{Broken, clear, load, read, unchanged};

/// Error numbers of linux/errno.h.
const ENOENT: i32 = 2;
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const ENFILE: i32 = 23;
const EMLINK: i32 = 31;
const EOPNOTSUPP: i32 = 95;

/// In place of an error number: it does not even fit into a message.
const UNENCODABLE: i32 = 0;

/// What is refused: which step, which of its elements, and with which error number.
type No = (usize, Option<usize>, i32);

/// Each wrong plan is refused at the step and the element that are wrong, with the kernel's error number, and changes
/// nothing.
///
/// # Errors
/// All plans that were taken, or refused otherwise.
pub fn wrong_plans_are_refused(kernel: &mut impl Kernel) -> Result<(), Broken> {
    load(kernel, &start())?;
    let before = read(kernel)?;
    let mut broken = Vec::new();
    for (name, ops, expected) in wrong_plans() {
        let steps = ops.into_iter().map(|op| Step { op, reason: Reason::Missing }).collect();
        let found = match kernel.commit(&Plan { generation: None, steps }) {
            Err(CommitError::Refused { refusals }) => {
                refusals.iter().map(|it| (it.step, it.element, it.errno)).collect::<Vec<_>>()
            }
            Err(CommitError::Unencodable { step, .. }) => vec![(step, None, UNENCODABLE)],
            other => return Err(format!("{name}: {other:?}")),
        };
        if found != expected {
            broken.push(format!("{name}: {found:?}, should be {expected:?}"));
        }
        unchanged(kernel, &before, name)?;
    }
    clear(kernel)?;
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
}

/// Jumps may be nested 15 deep below a base chain, not 16.
///
/// # Errors
/// Where the kernel takes more or less.
pub fn jumps_go_fifteen_deep(kernel: &mut impl Kernel) -> Result<(), Broken> {
    load(kernel, &ladder(15))?;
    clear(kernel)?;
    match load(kernel, &ladder(16)) {
        Err(refused) if refused.contains("deeper than the kernel goes") => clear(kernel),
        other => Err(format!("16 jumps are one too many: {other:?}")),
    }
}

fn ladder(jumps: usize) -> Lowered {
    let mut table = empty_table();
    table.chains.insert(base("base", [verdict(Verdict::Jump(chain_name("c1")))]));
    for at in 1..=jumps {
        let next = (at < jumps).then(|| verdict(Verdict::Jump(chain_name(&format!("c{}", at + 1)))));
        table.chains.insert(chain(&format!("c{at}"), next));
    }
    Lowered { tables: [(table.id.clone(), table)].into() }
}

fn id(name: &str) -> TableId {
    TableId::new(Family::Ip, TableName::new(name).expect("short"))
}

fn chain_name(name: &str) -> ChainName {
    ChainName::new(name).expect("short")
}

fn set_name(name: &str) -> SetName {
    SetName::new(name).expect("short")
}

fn object_name(name: &str) -> ObjectName {
    ObjectName::new(name).expect("short")
}

fn program(exprs: impl IntoIterator<Item = Expr>) -> Program {
    Program { exprs: exprs.into_iter().collect(), comment: None }
}

fn verdict(verdict: Verdict) -> Program {
    program([Expr::Verdict(verdict)])
}

fn source() -> Expr {
    Expr::Payload { dreg: Reg::R1, base: PayloadBase::Network, offset: 12, len: 4 }
}

fn in_set(name: &str) -> Program {
    let set = SetUse::Named(set_name(name));
    program([source(), Expr::Lookup { sreg: Reg::R1, set, dreg: None, inverted: false }])
}

fn by_map(name: &str) -> Program {
    program([source(), Expr::Vmap { sreg: Reg::R1, set: SetUse::Named(set_name(name)) }])
}

fn counts(name: &str) -> Program {
    program([Expr::Objref { object: ObjectType::Counter, name: object_name(name) }])
}

fn chain(name: &str, rules: impl IntoIterator<Item = Program>) -> LoweredChain {
    let rules = rules.into_iter().map(|program| (program, Provenance::default())).collect();
    LoweredChain { name: chain_name(name), base: None, comment: None, rules }
}

fn base(name: &str, rules: impl IntoIterator<Item = Program>) -> LoweredChain {
    let base = BaseChain::new(Family::Ip, Hook::Input, ChainType::Filter, Priority::FILTER).expect("legal");
    LoweredChain { base: Some(base), ..chain(name, rules) }
}

fn spec(name: &str) -> SetSpec {
    SetSpec::new(set_name(name), KeyType::of_types([DataType::Ipv4Addr]))
}

fn element(last: u8, data: Data) -> Element {
    Element::new([10, 0, 0, last].into(), data)
}

fn jump(last: u8, chain: &str) -> Element {
    element(last, Data::Verdict(Verdict::Jump(chain_name(chain))))
}

fn full() -> AnySet {
    let elements = [element(1, Data::None), element(3, Data::None)].into_iter().collect();
    AnySet::new(spec("full").sized(2), DataKind::None).with_elements(elements)
}

fn roomy() -> AnySet {
    AnySet::new(spec("roomy"), DataKind::None).with_elements([element(5, Data::None)].into_iter().collect())
}

fn dispatch() -> AnySet {
    AnySet::new(spec("dispatch"), DataKind::Verdict).with_elements([jump(1, "mapped")].into_iter().collect())
}

fn counter(name: &str) -> Object {
    Object { name: object_name(name), kind: ObjectKind::Counter(Counter::default()), comment: None }
}

fn empty_table() -> LoweredTable {
    LoweredTable {
        id: id("t"),
        flags: TableFlags::default(),
        comment: Some(Comment::new("made by a law test").expect("short")),
        objects: Named::default(),
        sets: Named::default(),
        flowtables: Named::default(),
        chains: Named::default(),
    }
}

/// Where the wrong plans begin.
fn start() -> Lowered {
    let mut table = empty_table();
    table.objects.extend([counter("used"), counter("idle")]);
    table.sets.extend([full(), roomy(), dispatch()]);
    let rules = [in_set("full"), by_map("dispatch"), counts("used"), verdict(Verdict::Jump(chain_name("top")))];
    let bottom = verdict(Verdict::Jump(chain_name("bottom")));
    table.chains.extend([
        base("base", rules),
        chain("top", [bottom]),
        chain("bottom", []),
        chain("mapped", []),
        base("idle-base", []),
    ]);
    Lowered { tables: [(table.id.clone(), table)].into() }
}

/// Steps inside the table.
struct In;

impl In {
    fn add_chain(name: &str) -> Op {
        Op::AddChain { table: id("t"), chain: chain_name(name), base: None, comment: None }
    }

    fn add_base(name: &str) -> Op {
        let base = base(name, []).base;
        Op::AddChain { table: id("t"), chain: chain_name(name), base, comment: None }
    }

    fn delete_chain(name: &str) -> Op {
        Op::DeleteChain { table: id("t"), chain: chain_name(name) }
    }

    fn add_rule(chain: &str, program: Program) -> Op {
        Op::AddRule { table: id("t"), chain: chain_name(chain), place: Place::Last, program }
    }

    fn add(set: &AnySet, elements: impl IntoIterator<Item = Element>) -> Op {
        let elements: Elements = elements.into_iter().collect();
        Op::AddElements { table: id("t"), set: SetHead::of(set), elements }
    }

    fn delete(set: &AnySet, elements: impl IntoIterator<Item = Element>) -> Op {
        let elements: Elements = elements.into_iter().collect();
        Op::DeleteElements { table: id("t"), set: SetHead::of(set), elements }
    }

    fn delete_set(name: &str) -> Op {
        Op::DeleteSet { table: id("t"), set: set_name(name) }
    }

    fn policy(chain: &str) -> Op {
        Op::SetPolicy { table: id("t"), chain: chain_name(chain), policy: Policy::Drop }
    }

    fn delete_object(name: &str) -> Op {
        Op::DeleteObject { table: id("t"), object: ObjectType::Counter, name: object_name(name) }
    }
}

fn wrong_plans() -> Vec<(&'static str, Vec<Op>, Vec<No>)> {
    [tables_and_chains(), sets_and_elements(), rules(), objects(), whole_batches()].into_iter().flatten().collect()
}

type WrongPlans = Vec<(&'static str, Vec<Op>, Vec<No>)>;

/// A plan of one step.
fn one(name: &'static str, op: Op, errno: i32) -> (&'static str, Vec<Op>, Vec<No>) {
    (name, vec![op], vec![(0, None, errno)])
}

/// A plan of one step with elements, one of which is wrong.
fn one_of(name: &'static str, op: Op, element: usize, errno: i32) -> (&'static str, Vec<Op>, Vec<No>) {
    (name, vec![op], vec![(0, Some(element), errno)])
}

fn tables_and_chains() -> WrongPlans {
    let add_table = Op::AddTable { table: id("t"), flags: TableFlags::default(), comment: None };
    let elsewhere = Op::AddChain { table: id("none"), chain: chain_name("c"), base: None, comment: None };
    vec![
        one("a table that is there", add_table, EEXIST),
        one("no such table to delete", Op::DeleteTable { table: id("none") }, ENOENT),
        one("a chain in no table", elsewhere, ENOENT),
        one("a chain that is there", In::add_chain("top"), EEXIST),
        one("no such chain to delete", In::delete_chain("none"), ENOENT),
        one("a chain with rules", In::delete_chain("base"), EBUSY),
        one("a chain a rule jumps to", In::delete_chain("bottom"), EBUSY),
        one("a chain an element jumps to", In::delete_chain("mapped"), EBUSY),
        one("a policy for a regular chain", In::policy("top"), EOPNOTSUPP),
        one("a policy for no chain", In::policy("none"), EOPNOTSUPP),
    ]
}

fn sets_and_elements() -> WrongPlans {
    let none = AnySet::new(spec("none"), DataKind::None);
    let short = Element::new([10, 0, 0].into(), Data::None);
    let valued = element(7, Data::Value([0, 80].into()));
    let range = Element { key: Key::range(&[10, 0, 0, 7], &[10, 0, 0, 9]), data: Data::None, extra: None };
    let add_roomy = Op::AddSet { table: id("t"), set: SetHead::of(&roomy()) };
    vec![
        one("a set that is there", add_roomy, EEXIST),
        one("no such set to delete", In::delete_set("none"), ENOENT),
        one("a set a rule looks into", In::delete_set("full"), EBUSY),
        one("an element of no set", In::add(&none, [element(7, Data::None)]), ENOENT),
        one_of(
            "an element that is there",
            In::add(&roomy(), [4, 5, 6].map(|last| element(last, Data::None))),
            1,
            EEXIST,
        ),
        one_of("no such element", In::delete(&roomy(), [5, 6].map(|last| element(last, Data::None))), 1, ENOENT),
        one_of("an element too many", In::add(&full(), [element(7, Data::None)]), 0, ENFILE),
        one("a key too short", In::add(&roomy(), [short]), UNENCODABLE),
        one("data in a set", In::add(&roomy(), [element(6, Data::None), valued]), UNENCODABLE),
        one("a range in a set of values", In::add(&roomy(), [range]), UNENCODABLE),
        one_of("a verdict to no chain", In::add(&dispatch(), [jump(2, "none")]), 0, ENOENT),
        one_of("a verdict to a base chain", In::add(&dispatch(), [jump(2, "base")]), 0, EOPNOTSUPP),
    ]
}

fn rules() -> WrongPlans {
    let at = |place| Op::AddRule { table: id("t"), chain: chain_name("top"), place, program: counts("idle") };
    let (table, chain, handle) = (id("t"), chain_name("top"), 9999);
    let replace = Op::ReplaceRule { table, chain, handle, program: counts("idle") };
    let delete = Op::DeleteRule { table: id("t"), chain: chain_name("top"), handle };
    vec![
        one("a rule in no chain", In::add_rule("none", counts("idle")), ENOENT),
        one("a rule before no rule", at(Place::Before(9999)), ENOENT),
        one("no rule to replace", replace, ENOENT),
        one("no rule to delete", delete, ENOENT),
        one("a look-up in no set", In::add_rule("top", in_set("none")), ENOENT),
        one("a verdict out of a plain set", In::add_rule("top", by_map("roomy")), EINVAL),
        one("a jump to no chain", In::add_rule("top", verdict(Verdict::Jump(chain_name("none")))), ENOENT),
        one("a jump to a base chain", In::add_rule("top", verdict(Verdict::Goto(chain_name("base")))), EOPNOTSUPP),
        one("a loop", In::add_rule("bottom", verdict(Verdict::Jump(chain_name("top")))), EMLINK),
        one("a loop through a map", In::add_rule("mapped", by_map("dispatch")), EMLINK),
    ]
}

fn objects() -> WrongPlans {
    let flowtable = Op::DeleteFlowtable { table: id("t"), flowtable: object_name("none") };
    vec![
        one("an object that is there", Op::AddObject { table: id("t"), object: counter("idle") }, EEXIST),
        one("no such object to delete", In::delete_object("none"), ENOENT),
        one("an object a rule uses", In::delete_object("used"), EBUSY),
        one("a rule that uses no object", In::add_rule("top", counts("none")), ENOENT),
        one("no such flowtable to delete", flowtable, ENOENT),
    ]
}

fn whole_batches() -> WrongPlans {
    let swap = vec![In::add(&full(), [element(2, Data::None)]), In::delete(&full(), [element(1, Data::None)])];
    let two = vec![
        In::add_chain("top"),
        In::add_chain("fresh"),
        In::delete_set(roomy().name().as_str()),
        In::delete_chain("none"),
    ];
    let late = vec![In::delete_chain("mapped"), In::delete(&dispatch(), [jump(1, "mapped")])];
    let flags = || {
        let flags = TableFlags { dormant: true, ..TableFlags::default() };
        Op::SetTableFlags { table: id("t"), flags }
    };
    let gone = vec![Op::DeleteTable { table: id("t") }, In::add_chain("fresh")];
    vec![
        ("an element added to a full set before another goes", swap, vec![(0, Some(0), ENFILE)]),
        ("flags, then a base chain", vec![flags(), In::add_base("late")], vec![(1, None, EINVAL)]),
        ("a base chain that goes, then flags", vec![In::delete_chain("idle-base"), flags()], vec![(1, None, EINVAL)]),
        ("a policy, then flags", vec![In::policy("base"), flags()], vec![(1, None, EINVAL)]),
        ("two wrong steps among right ones", two, vec![(0, None, EEXIST), (3, None, ENOENT)]),
        ("a reference that goes too late", late, vec![(0, None, EBUSY)]),
        ("a chain in a table that has gone", gone, vec![(1, None, ENOENT)]),
    ]
}
