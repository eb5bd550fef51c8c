//! Declarations of named objects.

use super::super::lex::{Kind, Sign};
use super::{Fail, Parser, Result};
use crate::ir::{
    Comment, Counter, DataType, Dialect, Family, Limit, LimitUnit, Object, ObjectKind, ObjectName, ObjectType, Opaque,
    Quota, Synproxy, TableId, TimeUnit,
};

/// What is read of an object, line by line.
struct Draft {
    kind: ObjectKind,
    comment: Option<Comment>,
    /// Whether what the object cannot be without was read.
    complete: bool,
}

impl Parser<'_> {
    /// `{ … }`, or the same on one line without braces.
    pub(super) fn object_block(&mut self, id: &TableId, object: ObjectType, name: ObjectName) -> Result<()> {
        let span = self.span();
        let mut draft = Draft { kind: empty(object), comment: None, complete: object == ObjectType::Counter };
        if object == ObjectType::Tunnel {
            draft.kind = self.opaque_object(object)?;
            draft.complete = true;
        } else if self.peek_is(Sign::Open) {
            self.block(|parser| {
                while !parser.at_end() {
                    parser.object_part(&mut draft)?;
                }
                Ok(())
            })?;
        } else {
            while !self.at_end() {
                self.object_part(&mut draft)?;
            }
        }
        if !draft.complete {
            return Fail::new(span, format!("the {object} `{name}` is not complete"));
        }
        self.table_of(id).objects.insert(Object { name, kind: draft.kind, comment: draft.comment });
        Ok(())
    }

    /// The text between braces as it is.
    fn opaque_object(&mut self, object: ObjectType) -> Result<ObjectKind> {
        let open = self.span();
        self.expect(Sign::Open)?;
        let mut depth = 1_usize;
        let mut text = String::new();
        loop {
            let Some(token) = self.peek() else { return Fail::expected(open, "this brace is not closed", "`}`") };
            self.bump();
            match token.kind {
                Kind::Sign(Sign::Open) => depth += 1,
                Kind::Sign(Sign::Close) => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if !text.is_empty() && !text.ends_with('\n') && token.kind != Kind::Newline {
                text.push(' ');
            }
            text.push_str(self.text(token));
        }
        let text = text.trim().to_owned();
        Ok(ObjectKind::Opaque { object, body: Opaque { dialect: Dialect::Nft, text } })
    }

    fn object_part(&mut self, draft: &mut Draft) -> Result<()> {
        if self.eat_word("comment") {
            draft.comment = self.comment()?;
            return Ok(());
        }
        let Draft { kind, complete, .. } = draft;
        match kind {
            ObjectKind::Counter(counter) if matches!(self.peek_word(), "packets" | "bytes") => {
                *counter = self.counter()?;
            }
            ObjectKind::Quota(quota) => {
                *quota = self.quota()?;
                *complete = true;
            }
            ObjectKind::Limit(limit) => {
                *limit = self.limit()?;
                *complete = true;
            }
            ObjectKind::Synproxy(synproxy) => {
                *complete = self.synproxy_part(synproxy)?;
                if !*complete {
                    return self.unexpected("`mss`, `wscale`, `timestamp` or `sack-perm`");
                }
            }
            ObjectKind::Secmark(context) => {
                *context = self.quoted("a security context in quotes")?.0;
                *complete = true;
            }
            _ => return self.conntrack_part(draft),
        }
        Ok(())
    }

    fn conntrack_part(&mut self, draft: &mut Draft) -> Result<()> {
        let token = self.word("a part of the object")?;
        let word = self.text(token).to_owned();
        let Draft { kind, complete, .. } = draft;
        match (kind, word.as_str()) {
            (ObjectKind::CtHelper { helper, protocol, .. }, "type") => {
                *helper = self.quoted("the name of a helper in quotes")?.0;
                self.expect_word("protocol")?;
                *protocol = self.protocol()?;
                *complete = true;
            }
            (
                ObjectKind::CtHelper { l3proto, .. }
                | ObjectKind::CtTimeout { l3proto, .. }
                | ObjectKind::CtExpectation { l3proto, .. },
                "l3proto",
            ) => {
                let token = self.word("a family")?;
                *l3proto = Family::from_keyword(self.text(token));
                if l3proto.is_none() {
                    let message = format!("`{}` is no family", self.text(token));
                    return Fail::expected(token.span, message, "`ip`, `ip6` or `inet`");
                }
            }
            (ObjectKind::CtTimeout { protocol, .. }, "protocol") => {
                *protocol = self.protocol()?;
                *complete = true;
            }
            (ObjectKind::CtExpectation { protocol, .. }, "protocol") => {
                *protocol = self.protocol()?;
                *complete = true;
            }
            (ObjectKind::CtTimeout { policy, .. }, "policy") => *policy = self.timeout_policy()?,
            (ObjectKind::CtExpectation { dport, .. }, "dport") => *dport = self.number("a port")?,
            (ObjectKind::CtExpectation { size, .. }, "size") => *size = self.number("a number")?,
            (ObjectKind::CtExpectation { timeout_ms, .. }, "timeout") => {
                let span = self.span();
                *timeout_ms = u32::try_from(self.duration()?).or_else(|_| Fail::new(span, "this is too long"))?;
            }
            _ => return Fail::new(token.span, format!("the object has no `{word}`")),
        }
        Ok(())
    }

    fn protocol(&mut self) -> Result<u8> {
        let token = self.word("a protocol")?;
        let value = super::literal::literal(self.text(token), false, DataType::InetProto, 8);
        match value {
            Ok(value) => Ok(value.bytes.first().copied().unwrap_or(0)),
            Err(no) => Err(Box::new(Fail { span: token.span, message: no.message, expected: no.expected })),
        }
    }

    /// `= { established : 100s, … }`.
    fn timeout_policy(&mut self) -> Result<Vec<(String, u32)>> {
        self.expect(Sign::Assign)?;
        self.expect(Sign::Open)?;
        let mut policy = Vec::new();
        loop {
            self.skip_newlines();
            if self.eat(Sign::Close) {
                return Ok(policy);
            }
            let token = self.word("a state")?;
            let state = self.text(token).to_owned();
            self.expect(Sign::Colon)?;
            let span = self.span();
            let seconds = u32::try_from(self.duration()? / 1000).or_else(|_| Fail::new(span, "this is too long"))?;
            policy.push((state, seconds));
            self.skip_newlines();
            if !self.eat(Sign::Comma) && !self.peek_is(Sign::Close) {
                return self.unexpected("`,` or `}`");
            }
        }
    }
}

/// An object of which nothing was read yet.
fn empty(object: ObjectType) -> ObjectKind {
    match object {
        ObjectType::Counter => ObjectKind::Counter(Counter::default()),
        ObjectType::Quota => ObjectKind::Quota(Quota::default()),
        ObjectType::Limit => {
            ObjectKind::Limit(Limit { over: false, rate: 0, unit: LimitUnit::Packets, per: TimeUnit::Second, burst: 5 })
        }
        ObjectType::CtHelper => ObjectKind::CtHelper { helper: String::new(), protocol: 0, l3proto: None },
        ObjectType::CtTimeout => ObjectKind::CtTimeout { protocol: 0, l3proto: None, policy: Vec::new() },
        ObjectType::CtExpectation => {
            ObjectKind::CtExpectation { protocol: 0, l3proto: None, dport: 0, timeout_ms: 0, size: 0 }
        }
        ObjectType::Synproxy => ObjectKind::Synproxy(Synproxy::default()),
        ObjectType::Secmark => ObjectKind::Secmark(String::new()),
        ObjectType::Tunnel => {
            ObjectKind::Opaque { object, body: Opaque { dialect: Dialect::Nft, text: String::new() } }
        }
    }
}
