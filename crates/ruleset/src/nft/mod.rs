//! The nft language: what `nft list ruleset` prints and `nft -f` takes.
//!
//! [`print()`] writes a ruleset in the form of `nft -s list ruleset` (counters that are not at nought are written too, so
//! that nothing is lost). Where nft versions differ, the text is one that nft 1.0.6 and 1.1 both take. `Display` of
//! rules, statements and expressions is the same text.
//!
//! [`parse()`] reads what nft reads. What it makes of a text is what nft would list after loading it: symbolic names
//! resolved, elements sorted and merged, implied matches left out.

mod format;
mod lex;
mod locate;
mod parse;
mod print;
mod source;

pub use format::format;
pub use locate::{Declared, locate};
pub use parse::{Parsed, is_likely, parse, parse_all, parse_with};
pub use print::{Detail, State, Subject, on_one_line, print, print_element, print_rule, print_with};
pub use source::{Loader, NoIncludes};
