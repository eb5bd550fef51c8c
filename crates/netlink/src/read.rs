//! Reading a kernel: its generation, its tables at one generation, single elements.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use indexmap::IndexMap;
use rulectl_ruleset::expr::{Program, SetUse};
use rulectl_ruleset::ir::{
    AnySet, ChainName, Data, Element, Elements, Family, Key, SetName, SetSpec, TableId, TableName,
};
use rulectl_ruleset::live::{Generation, Live, LiveRule, LiveSet, LiveTable};
use rulectl_ruleset::lower::normal_form;
use rulectl_ruleset::plan::{Plan, SetHead};
use rulectl_ruleset::userdata;

use crate::attr::{Attribute, Writer};
use crate::decode::elements::Collector;
use crate::decode::expr::{self, Sets};
use crate::decode::set::Declared;
use crate::decode::{object, set};
use crate::encode::{Batch, Encoder};
use crate::kernel::{ReadError, Scope};
use crate::message::{self, Message};
use crate::socket::Socket;
use crate::uapi::{self, msg};

/// How often a ruleset is read that changes all the time.
const ATTEMPTS: usize = 20;
/// About how long a hash table takes to grow.
const GROWTH: std::time::Duration = std::time::Duration::from_millis(2);
/// How many elements are asked for at once: the answers must fit into a receive buffer of an ordinary user.
const PROBES: usize = 128;

/// The state the kernel is in.
pub(crate) fn generation(socket: &mut Socket) -> Result<Generation, ReadError> {
    let seq = socket.sequence(1);
    let mut request = Writer::default();
    let start = message::begin_nft(&mut request, msg::GETGEN, 0, seq, None);
    message::end(&mut request, start);
    send(socket, request.bytes())?;
    let mut answer = None;
    let waited = socket.wait(|message| {
        if message.seq == seq && message.nft_kind() == Some(msg::NEWGEN) {
            // The process in this answer is the one that asks, not the one that made the generation
            // (`nf_tables_fill_gen_info`, net/netfilter/nf_tables_api.c).
            answer = message.attributes().find(uapi::genid::ID).and_then(Attribute::u32);
        }
    });
    waited.map_err(|source| ReadError::Io { action: "reading the generation", source })?;
    let id = answer.ok_or_else(|| ReadError::Answer("no generation".into()))?;
    Ok(Generation { id, pid: None, process: None })
}

/// Tables, all at one generation.
pub(crate) fn live(socket: &mut Socket, scope: &Scope) -> Result<Live, ReadError> {
    for _ in 0..ATTEMPTS {
        let before = generation(socket)?;
        if !settled(socket, before.id)? {
            continue;
        }
        let mut reader =
            Reader { socket, scope, tables: IndexMap::new(), anonymous: HashMap::new(), interrupted: false };
        reader.read()?;
        let Reader { tables, interrupted, .. } = reader;
        if !interrupted && settled(socket, before.id)? {
            return Ok(Live { generation: before, tables });
        }
    }
    Err(ReadError::Interrupted { attempts: ATTEMPTS })
}

/// The sets there are: what is needed to read rules and elements that come one by one.
pub(crate) struct Declarations {
    /// Sets and maps without their elements.
    pub(crate) named: Vec<(TableId, LiveSet)>,
    /// Those that belong to rules, whole, by the name the kernel gave them.
    pub(crate) anonymous: Vec<((TableId, String), Arc<AnySet>)>,
}

/// The sets there are, as somebody needs them who hears what changes meanwhile.
pub(crate) fn declarations(socket: &mut Socket) -> Result<Declarations, ReadError> {
    let scope = Scope::all().without_elements();
    for _ in 0..ATTEMPTS {
        let mut reader = Reader {
            socket: &mut *socket,
            scope: &scope,
            tables: IndexMap::new(),
            anonymous: HashMap::new(),
            interrupted: false,
        };
        reader.tables()?;
        reader.sets(None)?;
        let Reader { tables, anonymous, interrupted, .. } = reader;
        if !interrupted {
            let named = tables.into_values().flat_map(|table| {
                let LiveTable { id, sets, .. } = table;
                sets.into_iter().map(move |set| (id.clone(), set))
            });
            let anonymous = anonymous
                .into_iter()
                .flat_map(|(table, sets)| sets.into_iter().map(move |(name, set)| ((table.clone(), name), set)));
            return Ok(Declarations { named: named.collect(), anonymous: anonymous.collect() });
        }
    }
    Err(ReadError::Interrupted { attempts: ATTEMPTS })
}

/// Waits until nobody is changing the ruleset, and says whether it is at that generation then.
///
/// The number alone does not tell: a commit makes it first and works through its changes after that
/// (`nf_tables_commit`), and while it does, a dump, which finds its place again by counting, loses elements. An empty
/// batch changes nothing, but gets its turn only when the commit before it is done.
fn settled(socket: &mut Socket, generation: u32) -> Result<bool, ReadError> {
    let plan = Plan { generation: Some(generation), steps: Vec::new() };
    let mut batch = Batch::of(&plan).map_err(|refused| ReadError::Answer(refused.refused.0))?;
    batch.finish();
    send(socket, batch.bytes())?;
    let mut errno = 0;
    let drained = socket.drain(|message| errno = message.report().map_or(errno, |report| report.errno));
    drained.map_err(|source| ReadError::Io { action: "reading the generation", source })?;
    match errno {
        0 => Ok(true),
        libc::ERESTART => Ok(false),
        errno => Err(ReadError::Io { action: "reading the ruleset", source: io::Error::from_raw_os_error(errno) }),
    }
}

/// One attempt to read tables.
struct Reader<'a> {
    socket: &'a mut Socket,
    scope: &'a Scope,
    tables: IndexMap<TableId, LiveTable>,
    /// Sets that belong to rules, by table and by the name the kernel gave them.
    anonymous: HashMap<TableId, HashMap<String, Arc<AnySet>>>,
    interrupted: bool,
}

impl Reader<'_> {
    /// The tables in scope, without what is in them.
    fn tables(&mut self) -> Result<(), ReadError> {
        let mut tables = Vec::new();
        self.dump(
            msg::GETTABLE,
            None,
            |_| {},
            |message| {
                tables.extend(message.family().and_then(|family| object::table(family, message.attributes())));
            },
        )?;
        tables.retain(|table| self.scope.tables.as_ref().is_none_or(|wanted| wanted.contains(&table.id)));
        self.tables = tables.into_iter().map(|table| (table.id.clone(), table)).collect();
        Ok(())
    }

    fn read(&mut self) -> Result<(), ReadError> {
        self.tables()?;
        // Without a scope everything comes in one dump of each kind; with one, only what is in it.
        let within: Vec<Option<TableId>> = match self.scope.tables {
            None => vec![None],
            Some(_) => self.tables.keys().cloned().map(Some).collect(),
        };
        self.chains()?;
        for table in &within {
            self.objects(table.as_ref())?;
            self.sets(table.as_ref())?;
            self.rules(table.as_ref())?;
        }
        Ok(())
    }

    /// The kernel cannot limit a dump of chains to a table.
    fn chains(&mut self) -> Result<(), ReadError> {
        let mut chains = Vec::new();
        self.dump(
            msg::GETCHAIN,
            None,
            |_| {},
            |message| {
                chains.extend(message.family().and_then(|family| object::chain(family, message.attributes())));
            },
        )?;
        for (table, chain) in chains {
            if let Some(table) = self.tables.get_mut(&table) {
                table.chains.insert(chain);
            }
        }
        Ok(())
    }

    fn objects(&mut self, within: Option<&TableId>) -> Result<(), ReadError> {
        let (mut objects, mut flowtables) = (Vec::new(), Vec::new());
        self.dump(
            msg::GETOBJ,
            within,
            |request| put_table(request, uapi::obj::TABLE, within),
            |message| {
                objects.extend(message.family().and_then(|family| object::object(family, message.attributes())));
            },
        )?;
        self.dump(
            msg::GETFLOWTABLE,
            within,
            |request| put_table(request, uapi::flowtable::TABLE, within),
            |message| {
                flowtables.extend(message.family().and_then(|family| object::flowtable(family, message.attributes())));
            },
        )?;
        for (table, object) in objects {
            if let Some(table) = self.tables.get_mut(&table) {
                table.objects.insert(object);
            }
        }
        for (table, flowtable) in flowtables {
            if let Some(table) = self.tables.get_mut(&table) {
                table.flowtables.insert(flowtable);
            }
        }
        Ok(())
    }

    fn sets(&mut self, within: Option<&TableId>) -> Result<(), ReadError> {
        let mut declared: Vec<(TableId, Declared)> = Vec::new();
        self.dump(
            msg::GETSET,
            within,
            |request| put_table(request, uapi::set::TABLE, within),
            |message| {
                let set = message.family().zip(set::declared(message.attributes()));
                declared.extend(set.map(|(family, set)| (TableId::new(family, set.table.clone()), set)));
            },
        )?;
        for (id, Declared { name, handle, anonymous, mut set, .. }) in declared {
            if !self.tables.contains_key(&id) {
                continue;
            }
            if anonymous || self.scope.elements {
                *set.elements_mut() = self.agreed_elements(&id, &name, &set)?;
            }
            if anonymous {
                self.anonymous.entry(id).or_default().insert(name, Arc::new(normal_form(set)));
            } else if let Some(table) = self.tables.get_mut(&id) {
                table.sets.insert(LiveSet { handle, set });
            }
        }
        Ok(())
    }

    /// The elements of a set, read again where one reading may be wrong.
    ///
    /// A hash table without a declared size grows in the background (`rht_deferred_worker`, lib/rhashtable.c). A dump of
    /// several datagrams finds its place again by counting, so one that meets the growth loses elements, and nothing
    /// tells. Two readings that agree met none.
    fn agreed_elements(&mut self, table: &TableId, name: &str, set: &AnySet) -> Result<Elements, ReadError> {
        /// So many always fit into the first datagram.
        const ONE_DATAGRAM: usize = 64;
        let mut elements = self.elements(table, name, set)?.finish();
        let SetSpec { size, flags, .. } = set.spec();
        let grows = size.is_none() && !flags.interval && !flags.timeout && !flags.dynamic;
        if !grows || elements.len() <= ONE_DATAGRAM {
            return Ok(elements);
        }
        for _ in 0..ATTEMPTS {
            let again = self.elements(table, name, set)?.finish();
            if again.iter().map(|element| &element.key).eq(elements.iter().map(|element| &element.key)) {
                return Ok(again);
            }
            elements = again;
            std::thread::sleep(GROWTH);
        }
        self.interrupted = true;
        Ok(elements)
    }

    fn elements(&mut self, table: &TableId, name: &str, set: &AnySet) -> Result<Collector, ReadError> {
        let mut collector = Collector::of(set);
        let request = |request: &mut Writer| {
            request.put_str(uapi::elem_list::TABLE, table.name.as_str());
            request.put_str(uapi::elem_list::SET, name);
        };
        self.dump(msg::GETSETELEM, Some(table), request, |message| {
            if let Some(list) = message.attributes().find(uapi::elem_list::ELEMENTS) {
                list.nested().for_each(|element| collector.take(element));
            }
        })?;
        Ok(collector)
    }

    fn rules(&mut self, within: Option<&TableId>) -> Result<(), ReadError> {
        let anonymous = std::mem::take(&mut self.anonymous);
        let mut tables = std::mem::take(&mut self.tables);
        let mut at = Place::default();
        let dumped = self.dump(
            msg::GETRULE,
            within,
            |request| put_table(request, uapi::rule::TABLE, within),
            |message| {
                let Some(family) = message.family() else { return };
                let [_, table, chain, handle, exprs, _, _, noted] = message.attributes().table::<8>();
                if at.moves(family, table, chain).is_none() {
                    return;
                }
                let sets = Anonymous(at.table.as_ref().and_then(|table| anonymous.get(table)));
                let program = Program {
                    exprs: exprs.map(|exprs| expr::list(exprs.nested(), &sets)).unwrap_or_default(),
                    comment: noted.and_then(|noted| userdata::parse_comment(noted.payload)),
                };
                let rule = LiveRule { handle: handle.and_then(Attribute::u64).unwrap_or(0), program };
                let (Some(table), Some(chain)) = (&at.table, &at.chain) else { return };
                if let Some(chain) = tables.get_mut(table).and_then(|table| table.chains.find_mut(chain)) {
                    chain.rules.push(rule);
                }
            },
        );
        self.tables = tables;
        dumped
    }

    /// Asks for all there is of a kind, and hands each message to `take`.
    fn dump(
        &mut self,
        kind: u16,
        within: Option<&TableId>,
        put: impl FnOnce(&mut Writer),
        mut take: impl FnMut(Message<'_>),
    ) -> Result<(), ReadError> {
        let seq = self.socket.sequence(1);
        let mut request = Writer::default();
        let family = within.map(|table| table.family);
        let start = message::begin_nft(&mut request, kind, uapi::NLM_F_DUMP, seq, family);
        put(&mut request);
        message::end(&mut request, start);
        send(self.socket, request.bytes())?;
        let mut ended = None;
        while ended.is_none() {
            let waited = self.socket.wait(|message| {
                if message.seq != seq {
                    return;
                }
                self.interrupted |= message.flags & uapi::NLM_F_DUMP_INTR != 0;
                if let Some(report) = message.report() {
                    ended = Some(report.errno);
                } else if message.kind == uapi::NLMSG_DONE {
                    ended = Some(0);
                } else {
                    take(message);
                }
            });
            waited.map_err(|source| ReadError::Io { action: "reading the ruleset", source })?;
        }
        match ended {
            None | Some(0) => Ok(()),
            // What was asked about went away, or a commit came between (`EINTR`, `EAGAIN`): read again.
            Some(libc::ENOENT | libc::EINTR | libc::EAGAIN) => {
                self.interrupted = true;
                Ok(())
            }
            Some(errno) => {
                let source = io::Error::from_raw_os_error(errno);
                Err(ReadError::Io { action: "reading the ruleset", source })
            }
        }
    }
}

fn put_table(request: &mut Writer, kind: u16, table: Option<&TableId>) {
    if let Some(table) = table {
        request.put_str(kind, table.name.as_str());
    }
}

/// The table and chain of the rule that was read last: rules of one chain come one after the other.
#[derive(Default)]
struct Place {
    table: Option<TableId>,
    chain: Option<ChainName>,
}

impl Place {
    /// Goes to that table and chain; `None` if there are none of such names.
    fn moves(&mut self, family: Family, table: Option<Attribute<'_>>, chain: Option<Attribute<'_>>) -> Option<()> {
        let (table, chain) = (table?.str()?, chain?.str()?);
        if self.table.as_ref().is_none_or(|at| at.family != family || at.name.as_str() != table) {
            self.table = Some(TableId::new(family, TableName::new(table).ok()?));
        }
        if self.chain.as_ref().is_none_or(|at| at.as_str() != chain) {
            self.chain = Some(ChainName::new(chain).ok()?);
        }
        Some(())
    }
}

/// The sets of a table that belong to rules.
struct Anonymous<'a>(Option<&'a HashMap<String, Arc<AnySet>>>);

impl Sets for Anonymous<'_> {
    fn set(&self, name: &str) -> Option<SetUse> {
        if let Some(set) = self.0.and_then(|sets| sets.get(name)) {
            return Some(SetUse::Anonymous(Arc::clone(set)));
        }
        SetName::new(name).ok().map(SetUse::Named)
    }
}

/// Elements by their keys. The kernel stops at the first key that is not there and says which.
pub(crate) fn probe(
    socket: &mut Socket,
    table: &TableId,
    set: &SetHead,
    keys: &[Key],
) -> Result<Vec<Option<Element>>, ReadError> {
    let spec = set.set().spec();
    if spec.flags.interval && !spec.key.is_concat() {
        return probe_by_reading(socket, table, set, keys);
    }
    let wanted: Vec<Element> =
        keys.iter().map(|key| Element { key: key.clone(), data: Data::None, extra: None }).collect();
    let mut found: Vec<Option<Element>> = vec![None; keys.len()];
    let mut next = 0;
    while next < wanted.len() {
        let some = &wanted[next..wanted.len().min(next + PROBES)];
        match probe_some(socket, table, set, some)? {
            Probed::Found(elements) => {
                let asked = elements.len();
                found[next..next + asked].iter_mut().zip(elements).for_each(|(slot, element)| *slot = Some(element));
                // At least one key fits into a message, and each that was asked for was found.
                next += asked.max(1);
            }
            Probed::UpTo(missing, elements) => {
                found[next..next + missing].iter_mut().zip(elements).for_each(|(slot, element)| *slot = Some(element));
                next += missing + 1;
            }
            Probed::NoSet => return Ok(vec![None; keys.len()]),
        }
    }
    Ok(found)
}

enum Probed {
    /// All of them.
    Found(Vec<Element>),
    /// Those before one that is not there.
    UpTo(usize, Vec<Element>),
    /// There is no such set.
    NoSet,
}

fn probe_some(socket: &mut Socket, table: &TableId, set: &SetHead, wanted: &[Element]) -> Result<Probed, ReadError> {
    let seq = socket.sequence(1);
    let mut encoder = Encoder::new(64 * wanted.len() + 256);
    encoder.probe(seq, table, set, wanted).map_err(|refused| ReadError::Answer(refused.0))?;
    send(socket, encoder.bytes())?;
    let mut collector = Collector::of(set.set());
    let mut failure = None;
    // The kernel answers inside `sendmsg`.
    let drained = socket.drain(|message| {
        if message.seq != seq {
            return;
        }
        match message.report() {
            Some(report) => failure = Some(report),
            None => {
                if let Some(list) = message.attributes().find(uapi::elem_list::ELEMENTS) {
                    list.nested().for_each(|element| collector.take(element));
                }
            }
        }
    });
    drained.map_err(|source| ReadError::Io { action: "reading elements", source })?;
    let elements = collector.in_order();
    match failure {
        None => Ok(Probed::Found(elements)),
        Some(report) if report.errno == libc::ENOENT => {
            let asked = message::Messages(encoder.bytes()).next();
            let missing =
                asked.zip(report.offset).and_then(|(asked, offset)| asked.child_at(uapi::elem_list::ELEMENTS, offset));
            Ok(missing.map_or(Probed::NoSet, |missing| Probed::UpTo(missing, elements)))
        }
        Some(report) => {
            let source = io::Error::from_raw_os_error(report.errno);
            Err(ReadError::Io { action: "reading elements", source })
        }
    }
}

/// Sets that keep ranges as pairs are read whole: a range has no single key to ask for.
fn probe_by_reading(
    socket: &mut Socket,
    table: &TableId,
    set: &SetHead,
    keys: &[Key],
) -> Result<Vec<Option<Element>>, ReadError> {
    let live = live(socket, &Scope::tables([table.clone()]))?;
    let set = live.tables.get(table).and_then(|table| table.sets.find(set.name()));
    let find = |key| set.and_then(|set| set.set.elements().find(key)).cloned();
    Ok(keys.iter().map(find).collect())
}

fn send(socket: &mut Socket, request: &[u8]) -> Result<(), ReadError> {
    socket.ask(request).map_err(|source| ReadError::Io { action: "asking the kernel", source })
}
