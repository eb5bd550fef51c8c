//! The kernel's own events: one message for each thing that changes, and one with the generation behind them.
//!
//! Rules and elements cannot be read without the sets they are about. So declarations are read at the beginning, and
//! kept up to date from the events. Where events are lost, they are read anew.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rulectl_ruleset::expr::{Program, Reference, SetUse};
use rulectl_ruleset::ir::{
    AnySet, ChainName, Family, Flowtable, HasName, ObjectName, Priority, SetName, TableId, TableName,
};
use rulectl_ruleset::live::{Generation, LiveFlowtable, LiveRule, LiveSet};
use rulectl_ruleset::lower::normal_form;
use rulectl_ruleset::plan::SetHead;
use rulectl_ruleset::userdata;

use crate::attr::Attribute;
use crate::decode::elements::Collector;
use crate::decode::expr::{self, Sets};
use crate::decode::{object, set};
use crate::kernel::ReadError;
use crate::message::Message;
use crate::read::{self, Declarations};
use crate::socket::Socket;
use crate::uapi::msg;
use crate::watch::{Change, Commit, Event, Fate, Thing, Watch};

/// Hears the changes of one network namespace.
pub(crate) struct Listener {
    events: Socket,
    questions: Socket,
    decoder: Decoder,
    ready: VecDeque<Event>,
}

impl Listener {
    /// Listens to the network namespace of the calling thread.
    pub(crate) fn open() -> Result<Self, ReadError> {
        let open = || Ok((Socket::listening()?, Socket::open()?));
        let (events, questions) = open().map_err(|source| ReadError::Io { action: "opening a socket", source })?;
        let mut listener = Self { events, questions, decoder: Decoder::default(), ready: VecDeque::new() };
        listener.resync()?;
        Ok(listener)
    }

    /// The number of the network namespace.
    pub(crate) fn netns_cookie(&self) -> io::Result<u64> {
        self.events.netns_cookie()
    }

    fn resync(&mut self) -> Result<(), ReadError> {
        self.decoder = Decoder::knowing(read::declarations(&mut self.questions)?);
        Ok(())
    }

    /// Throws away what is left of what was half lost, and begins anew.
    fn lost(&mut self) -> Result<(), ReadError> {
        loop {
            match self.events.receive_now(|_| {}) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if is_loss(&error) => {}
                Err(source) => return Err(ReadError::Io { action: "hearing of changes", source }),
            }
        }
        self.resync()?;
        self.ready.push_back(Event::Lost);
        Ok(())
    }
}

/// Whether there was no room for an event, or not enough for all of it.
fn is_loss(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS) || error.kind() == io::ErrorKind::InvalidData
}

impl Watch for Listener {
    fn try_next(&mut self) -> Result<Option<Event>, ReadError> {
        while self.ready.is_empty() {
            let (decoder, ready) = (&mut self.decoder, &mut self.ready);
            match self.events.receive_now(|message| ready.extend(decoder.take(message).map(Event::Commit))) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) if is_loss(&error) => self.lost()?,
                Err(source) => return Err(ReadError::Io { action: "hearing of changes", source }),
            }
        }
        Ok(self.ready.pop_front())
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }
}

/// Puts messages together to commits.
#[derive(Default)]
struct Decoder {
    /// Sets and maps by table and name, without elements.
    named: HashMap<(TableId, String), LiveSet>,
    anonymous: HashMap<(TableId, String), Anonymous>,
    heard: Vec<Heard>,
    /// Sets that go in this commit: rules that are told before or after may look into them.
    gone: HashMap<(TableId, String), LiveSet>,
}

/// A set that belongs to a rule.
enum Anonymous {
    /// Its elements are still coming.
    Coming(Box<(AnySet, Collector)>),
    /// It is whole.
    Whole(Arc<AnySet>),
}

/// A part of a commit.
enum Heard {
    Change(Change),
    /// Elements come one by one, ranges as two.
    Elements {
        fate: Fate,
        table: TableId,
        set: SetHead,
        collector: Collector,
    },
}

impl Decoder {
    fn knowing(Declarations { named, anonymous }: Declarations) -> Self {
        let key = |(table, set): (TableId, LiveSet)| ((table, set.name().to_string()), set);
        Self {
            named: named.into_iter().map(key).collect(),
            anonymous: anonymous.into_iter().map(|(key, set)| (key, Anonymous::Whole(set))).collect(),
            heard: Vec::new(),
            gone: HashMap::new(),
        }
    }

    /// Takes a message in; gives the commit that it ends.
    fn take(&mut self, message: Message<'_>) -> Option<Commit> {
        let kind = message.nft_kind()?;
        if kind == msg::NEWGEN {
            return Some(self.commit(generation(message)));
        }
        let family = message.family();
        let known = family.and_then(|family| self.known(kind, family, message));
        match known {
            Some(heard) => self.heard.extend(heard),
            None => {
                // A family or name that is not understood has no place, but is told all the same.
                let table = TableId::new(family.unwrap_or(Family::Inet), nameless());
                let thing = Thing::Other { kind, attributes: message.attributes().bytes().to_vec() };
                self.heard.push(Heard::Change(Change { fate: Fate::Is, table, thing }));
            }
        }
        None
    }

    /// What a message says; `None` if that is not understood.
    fn known(&mut self, kind: u16, family: Family, message: Message<'_>) -> Option<Option<Heard>> {
        let fate = match kind {
            msg::NEWTABLE
            | msg::NEWCHAIN
            | msg::NEWRULE
            | msg::NEWSET
            | msg::NEWSETELEM
            | msg::NEWOBJ
            | msg::NEWFLOWTABLE => Fate::Is,
            _ => Fate::Gone,
        };
        let attributes = message.attributes();
        let (table, thing) = match kind {
            msg::NEWTABLE | msg::DELTABLE => {
                let table = object::table(family, attributes)?;
                (table.id.clone(), Thing::Table(table))
            }
            msg::NEWCHAIN | msg::DELCHAIN => {
                let (table, chain) = object::chain(family, attributes)?;
                (table, Thing::Chain(chain))
            }
            msg::NEWOBJ | msg::DELOBJ => {
                let (table, object) = object::object(family, attributes)?;
                (table, Thing::Object(object))
            }
            msg::NEWFLOWTABLE => {
                let (table, flowtable) = object::flowtable(family, attributes)?;
                (table, Thing::Flowtable(flowtable))
            }
            msg::DELFLOWTABLE => flowtable_gone(family, message)?,
            msg::NEWRULE | msg::DELRULE => self.rule(family, message, fate)?,
            msg::NEWSET | msg::DELSET => return self.set(family, message, fate),
            msg::NEWSETELEM | msg::DELSETELEM => return self.elements(family, message, fate),
            _ => return None,
        };
        Some(Some(Heard::Change(Change { fate, table, thing })))
    }

    fn set(&mut self, family: Family, message: Message<'_>, fate: Fate) -> Option<Option<Heard>> {
        let set::Declared { table, name, handle, anonymous, set } = set::declared(message.attributes())?;
        let table = TableId::new(family, table);
        let key = (table.clone(), name);
        let set = match fate {
            Fate::Is if anonymous => {
                let collector = Collector::of(&set);
                self.anonymous.insert(key, Anonymous::Coming(Box::new((set, collector))));
                return Some(None);
            }
            Fate::Is => {
                let set = LiveSet { handle, set };
                self.named.insert(key, set.clone());
                set
            }
            // The rule it belongs to may be told to be gone after it.
            Fate::Gone if self.anonymous.contains_key(&key) => return Some(None),
            // The kernel tells no more than the name of what is gone.
            Fate::Gone => {
                let set = self.named.remove(&key).unwrap_or(LiveSet { handle, set });
                self.gone.insert(key, set.clone());
                set
            }
        };
        Some(Some(Heard::Change(Change { fate, table, thing: Thing::Set(set) })))
    }

    fn elements(&mut self, family: Family, message: Message<'_>, fate: Fate) -> Option<Option<Heard>> {
        let [_, table, name, elements] = message.attributes().table::<4>();
        let table = TableId::new(family, TableName::new(table?.str()?).ok()?);
        let elements = elements.map(Attribute::nested).unwrap_or_default();
        let key = (table, name?.str()?.to_owned());
        if let Some(Anonymous::Coming(coming)) = self.anonymous.get_mut(&key) {
            elements.for_each(|element| coming.1.take(element));
            return Some(None);
        }
        let set = &self.named.get(&key)?.set;
        let (table, name) = key;
        if let Some(Heard::Elements { fate: last, table: at, set, collector }) = self.heard.last_mut()
            && (*last, &*at, set.name().as_str()) == (fate, &table, name.as_str())
        {
            elements.for_each(|element| collector.take(element));
            return Some(None);
        }
        let mut collector = Collector::of(set);
        elements.for_each(|element| collector.take(element));
        Some(Some(Heard::Elements { fate, table, set: SetHead::of(set), collector }))
    }

    fn rule(&mut self, family: Family, message: Message<'_>, fate: Fate) -> Option<(TableId, Thing)> {
        let [_, table, chain, handle, exprs, _, position, noted] = message.attributes().table::<8>();
        let table = TableId::new(family, TableName::new(table?.str()?).ok()?);
        self.complete_anonymous();
        let sets = SetsOf { table: &table, anonymous: &self.anonymous };
        let program = Program {
            exprs: exprs.map(|exprs| expr::list(exprs.nested(), &sets)).unwrap_or_default(),
            comment: noted.and_then(|noted| userdata::parse_comment(noted.payload)),
        };
        let thing = Thing::Rule {
            chain: ChainName::new(chain?.str()?).ok()?,
            rule: LiveRule { handle: handle.and_then(Attribute::u64)?, program },
            after: position.and_then(Attribute::u64).filter(|_| fate == Fate::Is),
        };
        Some((table, thing))
    }

    /// Sets that belong to a rule come before it, and so are whole when it comes.
    fn complete_anonymous(&mut self) {
        for anonymous in self.anonymous.values_mut() {
            if let Anonymous::Coming(coming) = anonymous {
                let (set, collector) = &mut **coming;
                let elements = std::mem::replace(collector, Collector::of(set)).finish();
                *anonymous = Anonymous::Whole(Arc::new(normal_form(set.clone().with_elements(elements))));
            }
        }
    }

    fn commit(&mut self, generation: Generation) -> Commit {
        let changes: Vec<Change> = std::mem::take(&mut self.heard).into_iter().map(Heard::change).collect();
        let context = self.context(&changes);
        self.gone.clear();
        for Change { fate, table, thing } in &changes {
            if let (Fate::Gone, Thing::Table(_)) = (fate, thing) {
                self.named.retain(|(at, _), _| at != table);
                self.anonymous.retain(|(at, _), _| at != table);
            }
        }
        Commit { generation, changes, context }
    }
}

impl Decoder {
    /// The declarations of the sets that rules look into.
    fn context(&self, changes: &[Change]) -> Vec<(TableId, AnySet)> {
        let mut context: Vec<(TableId, AnySet)> = Vec::new();
        for Change { table, thing, .. } in changes {
            let Thing::Rule { rule, .. } = thing else { continue };
            for reference in rule.program.references() {
                let Reference::Set(name) = reference else { continue };
                let key = (table.clone(), name.to_string());
                let set = self.named.get(&key).or_else(|| self.gone.get(&key));
                let is_there = context.iter().any(|(at, set)| at == table && *set.name() == name);
                context.extend(set.filter(|_| !is_there).map(|live| (table.clone(), live.set.clone())));
            }
        }
        context
    }
}

impl Heard {
    fn change(self) -> Change {
        match self {
            Self::Change(change) => change,
            Self::Elements { fate, table, set, collector } => {
                let elements = collector.finish();
                Change { fate, table, thing: Thing::Elements { set, elements } }
            }
        }
    }
}

/// The kernel tells no more than the name of what is gone.
fn flowtable_gone(family: Family, message: Message<'_>) -> Option<(TableId, Thing)> {
    let [_, table, name, _, _, handle] = message.attributes().table::<6>();
    let flowtable = Flowtable {
        name: ObjectName::new(name?.str()?).ok()?,
        priority: Priority(0),
        devices: Vec::new(),
        counter: false,
        offload: false,
    };
    let live = LiveFlowtable { handle: handle.and_then(Attribute::u64).unwrap_or(0), flowtable };
    Some((TableId::new(family, TableName::new(table?.str()?).ok()?), Thing::Flowtable(live)))
}

fn generation(message: Message<'_>) -> Generation {
    let [_, id, pid, process] = message.attributes().table::<4>();
    Generation {
        id: id.and_then(Attribute::u32).unwrap_or(0),
        pid: pid.and_then(Attribute::u32),
        process: process.map(Attribute::text),
    }
}

/// In place of a table's name that cannot be read.
fn nameless() -> TableName {
    TableName::new("?").expect("a question mark is a name")
}

/// The sets of a table that belong to rules.
struct SetsOf<'a> {
    table: &'a TableId,
    anonymous: &'a HashMap<(TableId, String), Anonymous>,
}

impl Sets for SetsOf<'_> {
    fn set(&self, name: &str) -> Option<SetUse> {
        match self.anonymous.get(&(self.table.clone(), name.to_owned())) {
            Some(Anonymous::Whole(set)) => Some(SetUse::Anonymous(Arc::clone(set))),
            _ => SetName::new(name).ok().map(SetUse::Named),
        }
    }
}
