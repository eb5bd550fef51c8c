//! The layout of texts: what people wrote, one statement a line, indented as nft lists it.
//!
//! Nothing is resolved and nothing is lost: comments, definitions, includes and names stay. What nft itself lists comes
//! out as it went in.

use super::lex::{Kind, Sign, Token, lex};

/// Lays a text out. One with errors comes out as well as it can be; do not write that anywhere.
pub fn format(text: &str) -> String {
    let mut layout = Layout { text, out: String::with_capacity(text.len()), ..Layout::default() };
    let mut end = 0;
    for token in lex(0, text) {
        layout.gap(&text[end..token.span.start as usize]);
        layout.token(token);
        end = token.span.end as usize;
    }
    layout.gap(&text[end..]);
    let mut out = layout.out;
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// An open brace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Brace {
    Table,
    Chain,
    /// A set, map or object.
    Other,
    /// Around elements, not statements.
    List,
}

#[derive(Default)]
struct Layout<'t> {
    text: &'t str,
    out: String,
    open: Vec<Brace>,
    /// The first words of the statement that is written.
    statement: Vec<&'t str>,
    /// Line ends that come before what is written next; more than two are too many.
    lines: usize,
    /// Whether a statement or block has ended, and its line has not.
    ended: bool,
    /// Whether nothing stands between the last token and the next one.
    adjoined: bool,
    /// Whether the line goes on after a backslash.
    continued: bool,
    last: Option<Kind>,
}

impl<'t> Layout<'t> {
    /// What stands between two tokens: blanks, a comment, a line that goes on.
    fn gap(&mut self, gap: &'t str) {
        self.adjoined = gap.is_empty();
        if let Some((_, comment)) = gap.split_once('#') {
            // A comment behind a statement stays on its line.
            if self.lines > 0 && !self.ended || self.out.is_empty() {
                self.begin(false);
            } else {
                self.out.push(' ');
            }
            self.out.push('#');
            self.out.push_str(comment.trim_end());
            self.last = None;
        }
        self.continued = gap.contains('\\') && !gap.contains('#');
    }

    fn token(&mut self, token: Token) {
        let text = &self.text[token.span.start as usize..token.span.end as usize];
        match token.kind {
            Kind::Newline => self.newline(),
            Kind::Sign(Sign::Open) => self.open(),
            Kind::Sign(Sign::Close) => self.close(),
            Kind::Sign(Sign::Semicolon) if !self.in_list() => self.semicolon(),
            _ => {
                self.write(token.kind, text);
                if token.kind == Kind::Word && self.statement.len() < 4 && !self.in_list() {
                    self.statement.push(text);
                }
            }
        }
        self.last = (token.kind != Kind::Newline).then_some(token.kind).or(self.last);
    }

    fn newline(&mut self) {
        let lines = if std::mem::take(&mut self.ended) { 1 } else { (self.lines + 1).min(2) };
        self.lines = if self.out.is_empty() { 0 } else { lines };
        if !self.in_list() {
            self.statement.clear();
        }
    }

    fn open(&mut self) {
        let brace = self.kind_of_brace();
        self.write(Kind::Sign(Sign::Open), "{");
        self.open.push(brace);
        if brace != Brace::List {
            self.end();
        }
    }

    /// Ends a statement, and so its line when something follows.
    fn end(&mut self) {
        self.lines = 1;
        self.ended = true;
        self.statement.clear();
    }

    /// What a brace opens, by the statement it stands in.
    fn kind_of_brace(&self) -> Brace {
        const VERBS: [&str; 4] = ["add", "create", "destroy", "delete"];
        let object = self.statement.iter().find(|word| !VERBS.contains(word)).copied();
        match (self.open.last(), object) {
            (None, Some("table")) => Brace::Table,
            (None | Some(Brace::Table), Some("chain")) => Brace::Chain,
            (
                None,
                Some("set" | "map" | "counter" | "quota" | "limit" | "ct" | "synproxy" | "secmark" | "flowtable"),
            )
            | (Some(Brace::Table), _) => Brace::Other,
            (Some(Brace::Chain), _) if self.out.ends_with("jump") || self.out.ends_with("goto") => Brace::Chain,
            _ => Brace::List,
        }
    }

    fn close(&mut self) {
        let list = self.in_list();
        self.open.pop();
        if list {
            self.lines = self.lines.min(1);
            self.write(Kind::Sign(Sign::Close), "}");
            return;
        }
        self.lines = 1;
        self.write(Kind::Sign(Sign::Close), "}");
        self.end();
    }

    /// Statements end with their line, but for those that say where a chain hooks in: nft lists these with a sign.
    fn semicolon(&mut self) {
        let hook =
            self.open.last() == Some(&Brace::Chain) && matches!(self.statement.first(), Some(&("type" | "policy")));
        if hook {
            self.out.push(';');
            self.statement.clear();
        } else if !self.statement.is_empty() {
            self.end();
        }
    }

    fn write(&mut self, kind: Kind, text: &str) {
        let glued = self.is_glued(kind);
        self.begin(glued);
        self.out.push_str(text);
    }

    /// Ends lines, or puts a blank before what comes.
    fn begin(&mut self, glued: bool) {
        if self.out.is_empty() {
            return;
        }
        let deep = self.open.iter().filter(|brace| **brace != Brace::List).count();
        if std::mem::take(&mut self.continued) {
            self.out.push_str(" \\\n");
            self.indent(deep + 1);
        } else if self.lines > 0 {
            let after_brace = self.out.ends_with('{');
            self.out.push_str(if self.lines > 1 && !after_brace { "\n\n" } else { "\n" });
            match self.in_list() {
                // Below the first element, as nft puts them.
                true if self.statement.first() == Some(&"elements") && deep == 2 && !after_brace => {
                    self.indent(3);
                    self.out.push_str("     ");
                }
                true => self.indent(deep + 1),
                false => self.indent(deep),
            }
        } else if !glued {
            self.out.push(' ');
        }
        self.lines = 0;
        self.ended = false;
    }

    fn indent(&mut self, deep: usize) {
        self.out.extend(std::iter::repeat_n('\t', deep));
    }

    /// Whether no blank belongs before a token.
    fn is_glued(&self, kind: Kind) -> bool {
        let spaced = |kind| matches!(kind, Some(Kind::Sign(sign)) if is_spaced(sign));
        match kind {
            Kind::Sign(Sign::Comma | Sign::Semicolon) => true,
            _ if spaced(Some(kind)) || spaced(self.last) => false,
            _ if self.last == Some(Kind::Sign(Sign::Semicolon)) => false,
            _ if self.last == Some(Kind::Sign(Sign::Comma)) && self.in_list() => false,
            _ => self.adjoined,
        }
    }

    fn in_list(&self) -> bool {
        self.open.last() == Some(&Brace::List)
    }
}

/// Signs that stand between blanks.
fn is_spaced(sign: Sign) -> bool {
    matches!(
        sign,
        Sign::Open
            | Sign::Close
            | Sign::Assign
            | Sign::Eq
            | Sign::Neq
            | Sign::Lte
            | Sign::Gte
            | Sign::Lt
            | Sign::Gt
            | Sign::Lshift
            | Sign::Rshift
            | Sign::And
            | Sign::Or
            | Sign::Xor
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ir::arbitrary;
    use crate::nft::{parse, print};

    #[test]
    fn comments_definitions_and_names_stay() {
        let text = "#!/usr/sbin/nft -f
define lan={192.0.2.1,  192.0.2.2} # who is in


table   inet filter{
   # the first
 set s{ type ipv4_addr;flags interval; elements={192.0.2.0/24,
 198.51.100.7, # one
   203.0.113.1 } }

  chain input { type filter hook input priority 0;policy drop;

     tcp dport {ssh,80-90} ip saddr $lan accept;ct state   new \\
  drop # the end
  tcp flags&(fin|syn)==syn jump { accept; drop }
  }
}
";
        let expected = "#!/usr/sbin/nft -f
define lan = { 192.0.2.1, 192.0.2.2 } # who is in

table inet filter {
\t# the first
\tset s {
\t\ttype ipv4_addr
\t\tflags interval
\t\telements = { 192.0.2.0/24,
\t\t\t     198.51.100.7, # one
\t\t\t     203.0.113.1 }
\t}

\tchain input {
\t\ttype filter hook input priority 0; policy drop;

\t\ttcp dport { ssh, 80-90 } ip saddr $lan accept
\t\tct state new \\
\t\t\tdrop # the end
\t\ttcp flags & (fin | syn) == syn jump {
\t\t\taccept
\t\t\tdrop
\t\t}
\t}
}
";
        assert_eq!(format(text), expected);
        assert_eq!(format(expected), expected);
        assert_eq!(parse("t", text).errors, []);
        assert_eq!(parse("t", text).ruleset, parse("t", expected).ruleset);
    }

    #[test]
    fn nothing_stays_nothing() {
        assert_eq!(format(""), "");
        assert_eq!(format("\n\n  # alone\n\n"), "# alone\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn listings_are_laid_out_already(ruleset in arbitrary::ruleset()) {
            let text = print(&ruleset);
            prop_assert_eq!(format(&text), text);
        }

        #[test]
        fn any_text_is_laid_out_somehow(text in "[a-z{};,#\"$ \n\\\\=:.]{0,80}") {
            let once = format(&text);
            let parsed = parse("t", &text);
            if parsed.errors.is_empty() {
                prop_assert_eq!(format(&once), once.clone());
                prop_assert_eq!(parse("t", &once).ruleset, parsed.ruleset);
            }
        }
    }
}
