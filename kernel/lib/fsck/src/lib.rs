//! What must be true of a page-table entry, of the mapping it lies in, and of the frame it shows.
//!
//! ```text
//!  one entry     judge          mapping, entry, owner of the frame  -> what it counts as, or Misfit
//!  one table     table_entry    entry that links a table            -> whether it is as it must be
//!  one frame     References     owner, entries that map it          -> how many references it must have
//! ```
//!
//! The kernel walks its tables with these questions when it ends, when it panics, and when a program
//! asks. They repeat no code of the fault path on purpose: a rule that is wrong there would be wrong here.
#![no_std]
#![forbid(unsafe_code)]

mod entry;
mod frame;

pub use entry::{Charge, Mapping, Misfit, judge, table_entry};
pub use frame::{References, Shown};
