//! What was applied in a network namespace: written down before it is done, so that it can be taken back.
//!
//! A folder for each namespace holds one file for each change. A file is written beside its place, flushed and renamed,
//! so that it is whole or not there. A change is written down before it is committed, with what was there, and again
//! after that, with what is there. Whoever comes next finds out about one that was interrupted in between by looking at
//! the kernel.

mod clock;
mod entry;
mod store;

pub(crate) use clock::{now, utc};
pub(crate) use entry::{Author, Entry, State};
pub(crate) use store::{Store, Trial, trial_path};
