//! Every kind of step does what it says, seen by reading back.

use libtest_mimic::Trial;
use rulectl_netlink::{Kernel, Scope};
use rulectl_ruleset::expr::{Expr, Program};
use rulectl_ruleset::ir::{
    BaseChain, ChainType, Comment, Counter, Data, DataKind, DataType, Element, Elements, Family, HasName, Hook, Key,
    KeyType, Object, ObjectKind, ObjectName, ObjectType, Policy, Priority, TableFlags,
};
use rulectl_ruleset::live::LiveTable;
use rulectl_ruleset::plan::{Op, Place, SetHead};

use crate::sandbox::{
    Sandbox, add_chain, add_elements, add_set, add_table, chain, delete_elements, numbered, set, set_name, table, test,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        test("tables_come_change_and_go", tables),
        test("chains_come_change_and_go", chains),
        test("rules_come_to_their_place_change_and_go", rules),
        test("sets_and_elements_come_and_go", sets),
        test("ranges_come_and_go_in_any_order", ranges),
        test("objects_come_and_go", objects),
        test("elements_are_found_by_their_keys", probes),
        test("a_scope_limits_what_is_read", scopes),
    ]
}

fn the_table(sandbox: &mut Sandbox) -> LiveTable {
    sandbox.live().tables.shift_remove(&table()).expect("it is there")
}

fn tables() {
    let mut sandbox = Sandbox::new();
    let comment = Some(Comment::new("a comment").unwrap());
    sandbox.applied(vec![Op::AddTable { table: table(), flags: TableFlags::default(), comment: comment.clone() }]);
    assert_eq!(the_table(&mut sandbox).comment, comment);
    let dormant = TableFlags { dormant: true, ..TableFlags::default() };
    sandbox.applied(vec![Op::SetTableFlags { table: table(), flags: dormant }]);
    assert_eq!((the_table(&mut sandbox).flags, the_table(&mut sandbox).comment), (dormant, comment));
    assert!(sandbox.apply(vec![add_table()]).is_err(), "it is there already");
    sandbox.applied(vec![Op::DeleteTable { table: table() }, add_table()]);
    assert_eq!(the_table(&mut sandbox).flags, TableFlags::default());
    sandbox.applied(vec![Op::DeleteTable { table: table() }]);
    assert!(sandbox.live().tables.is_empty());
}

fn chains() {
    let mut sandbox = Sandbox::new();
    let base = BaseChain::new(Family::Ip, Hook::Forward, ChainType::Filter, Priority(-5)).unwrap();
    let comment = Some(Comment::new("of the way").unwrap());
    let add = Op::AddChain {
        table: table(),
        chain: chain("base"),
        base: Some(base.clone().with_policy(Policy::Drop)),
        comment: comment.clone(),
    };
    sandbox.applied(vec![add_table(), add.clone(), add_chain("regular")]);
    let live = the_table(&mut sandbox);
    let read = live.chains.find("base").unwrap();
    assert_eq!((read.base.clone(), read.comment.clone()), (Some(base.clone().with_policy(Policy::Drop)), comment));
    assert_eq!(live.chains.find("regular").unwrap().base, None);
    assert!(sandbox.apply(vec![add]).is_err(), "it is there already");
    sandbox.applied(vec![Op::SetPolicy { table: table(), chain: chain("base"), policy: Policy::Accept }]);
    assert_eq!(the_table(&mut sandbox).chains.find("base").unwrap().base, Some(base));
    sandbox.applied(vec![Op::DeleteChain { table: table(), chain: chain("base") }]);
    assert!(!the_table(&mut sandbox).chains.contains("base"));
}

/// A rule that is told from others by its comment.
fn program(comment: &str) -> Program {
    let exprs = vec![Expr::Counter { packets: 0, bytes: 0 }];
    Program { exprs, comment: Some(Comment::new(comment).unwrap()) }
}

fn rules() {
    let mut sandbox = Sandbox::new();
    let add = |place, comment| Op::AddRule { table: table(), chain: chain("c"), place, program: program(comment) };
    let comments = |sandbox: &mut Sandbox| -> (Vec<String>, Vec<u64>) {
        let live = the_table(sandbox);
        let rules = &live.chains.find("c").unwrap().rules;
        rules.iter().map(|rule| (rule.program.comment.clone().unwrap().to_string(), rule.handle)).unzip()
    };
    sandbox.applied(vec![add_table(), add_chain("c"), add(Place::Last, "one"), add(Place::Last, "three")]);
    let (_, handles) = comments(&mut sandbox);
    sandbox.applied(vec![add(Place::Before(handles[1]), "two a"), add(Place::Before(handles[1]), "two b")]);
    assert_eq!(comments(&mut sandbox).0, ["one", "two a", "two b", "three"]);
    let replace =
        Op::ReplaceRule { table: table(), chain: chain("c"), handle: handles[0], program: program("another") };
    let delete = Op::DeleteRule { table: table(), chain: chain("c"), handle: handles[1] };
    sandbox.applied(vec![replace, delete]);
    assert_eq!(comments(&mut sandbox).0, ["another", "two a", "two b"]);
}

fn sets() {
    let mut sandbox = Sandbox::new();
    let mut timed = set("s", KeyType::of_types([DataType::Ipv4Addr, DataType::InetService]), DataKind::None);
    timed.spec_mut().flags.timeout = true;
    timed.spec_mut().size = Some(10);
    timed.spec_mut().comment = Some(Comment::new("of pairs").unwrap());
    let key = |last: u8| [192, 0, 2, last, 0, 80, 0, 0];
    let comment = Comment::new("first").unwrap();
    let elements = [
        Element::new(key(1).into(), Data::None).commented(comment),
        Element::new(key(2).into(), Data::None).with_timeout_ms(3_600_000),
    ];
    sandbox.applied(vec![add_table(), add_set(&timed), add_elements(&timed, elements.clone())]);
    let live = the_table(&mut sandbox);
    let read = &live.sets.find("s").unwrap().set;
    assert_eq!(read.spec(), timed.spec());
    assert!(read.elements().same(&elements.iter().cloned().collect::<Elements>()), "{read:?}");
    assert!(read.elements().as_slice()[1].extra.as_ref().unwrap().expires_ms.is_some());
    sandbox.applied(vec![delete_elements(&timed, elements.into_iter().collect())]);
    assert!(the_table(&mut sandbox).sets.find("s").unwrap().set.elements().is_empty());
    sandbox.applied(vec![Op::DeleteSet { table: table(), set: set_name("s") }]);
    assert!(the_table(&mut sandbox).sets.is_empty());
}

fn ranges() {
    let mut sandbox = Sandbox::new();
    let mut networks = set("s", KeyType::of_types([DataType::Ipv4Addr]), DataKind::None);
    networks.spec_mut().flags.interval = true;
    let range = |first: u32, last: u32| Element {
        key: Key::range(&first.to_be_bytes(), &last.to_be_bytes()),
        data: Data::None,
        extra: None,
    };
    let all = [range(0, 0), range(10, 19), range(20, 29), range(31, 31), range(0xffff_0000, u32::MAX)];
    let elements = |sandbox: &mut Sandbox| the_table(sandbox).sets.find("s").unwrap().set.elements().clone();
    sandbox.applied(vec![add_table(), add_set(&networks), add_elements(&networks, all.clone())]);
    let sorted = |elements: &[Element]| elements.iter().cloned().collect::<Elements>();
    assert_eq!(elements(&mut sandbox), sorted(&all));
    sandbox.applied(vec![delete_elements(&networks, [all[1].clone(), all[4].clone()].into_iter().collect())]);
    assert_eq!(elements(&mut sandbox), sorted(&[all[0].clone(), all[2].clone(), all[3].clone()]));
    sandbox.applied(vec![add_elements(&networks, [all[4].clone(), all[1].clone()])]);
    assert_eq!(elements(&mut sandbox), sorted(&all));
}

fn objects() {
    let mut sandbox = Sandbox::new();
    let name = ObjectName::new("web").unwrap();
    let object = Object {
        name: name.clone(),
        kind: ObjectKind::Counter(Counter { packets: 7, bytes: 420 }),
        comment: Some(Comment::new("of the web").unwrap()),
    };
    sandbox.applied(vec![add_table(), Op::AddObject { table: table(), object: object.clone() }]);
    assert_eq!(the_table(&mut sandbox).objects.find(&object.key()).unwrap().object, object);
    sandbox.applied(vec![Op::DeleteObject { table: table(), object: ObjectType::Counter, name }]);
    assert!(the_table(&mut sandbox).objects.is_empty());
}

fn probes() {
    let mut sandbox = Sandbox::new();
    let value = |number: u32| Data::Value(number.to_be_bytes().into());
    let ipv4 = || KeyType::of_types([DataType::Ipv4Addr]);
    let map = set("m", ipv4(), DataKind::Value { data: ipv4(), interval: false });
    let even = (0..1_000).map(|number| numbered(2 * number, value(number)));
    sandbox.applied(vec![add_table(), add_set(&map), add_elements(&map, even)]);
    let head = SetHead::of(&map);
    let key = |number: u32| Key::Value(number.to_be_bytes().into());
    let present: Vec<Key> = (0..1_000).map(|number| key(2 * number)).collect();
    let found = sandbox.kernel.probe(&table(), &head, &present).unwrap();
    assert!(found.iter().enumerate().all(|(at, found)| found.as_ref().is_some_and(|one| one.data == value(at as u32))));
    let mixed: Vec<Key> = (0..50).map(key).collect();
    let found = sandbox.kernel.probe(&table(), &head, &mixed).unwrap();
    assert!(found.iter().enumerate().all(|(at, found)| found.is_some() == (at % 2 == 0)), "{found:?}");
    assert_eq!(sandbox.kernel.probe(&table(), &head, &[]).unwrap(), []);
}

fn scopes() {
    let mut sandbox = Sandbox::new();
    sandbox.nft(
        "table ip t { set s { type ipv4_addr; elements = { 192.0.2.1 } }
         chain c { ip saddr { 192.0.2.1, 192.0.2.2 } drop
         }
         }
         table ip6 t { chain c { ip6 saddr ::1 drop
         }
         }",
    );
    let all = sandbox.live();
    let mut one = sandbox.kernel.read(&Scope::tables([table()])).unwrap();
    assert_eq!(one.tables.keys().collect::<Vec<_>>(), [&table()]);
    assert_eq!(one.tables[&table()], all.tables[&table()]);
    one = sandbox.kernel.read(&Scope::tables([table()]).without_elements()).unwrap();
    assert!(one.tables[&table()].sets.find("s").unwrap().set.elements().is_empty());
    assert_eq!(one.tables[&table()].chains, all.tables[&table()].chains, "sets of rules are part of the rules");
}
