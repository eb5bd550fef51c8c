//! Which programs of a chain stay.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use crate::expr::Program;

/// The pairs of indices of programs that stay, both growing.
pub(super) fn align<P: Borrow<Program>>(old: &[P], new: &[P]) -> Vec<(usize, usize)> {
    crate::align::align(&behaviours(old), &behaviours(new))
}

fn behaviours<P: Borrow<Program>>(programs: &[P]) -> Vec<Behaviour<'_>> {
    programs.iter().map(|program| Behaviour(program.borrow())).collect()
}

/// A program by what it does.
struct Behaviour<'a>(&'a Program);

impl PartialEq for Behaviour<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.same(other.0)
    }
}

impl Eq for Behaviour<'_> {}

impl Hash for Behaviour<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash_behaviour(state);
    }
}
