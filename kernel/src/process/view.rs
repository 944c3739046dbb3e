//! What `/proc/self` shows of a process.

use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::ops::Range;

use super::{current, tree, usage::Usage};
use crate::fs::procfs::ProcessView;
use crate::task;

/// The view of whoever asks.
pub struct OwnView;

impl ProcessView for OwnView {
    fn exe(&self) -> Vec<u8> {
        current().program().exe
    }

    fn cwd(&self) -> Vec<u8> {
        current().cwd().path()
    }

    fn arguments(&self) -> Range<u64> {
        current().program().arguments
    }

    /// The first fields of the line, up to the CPU times; those that follow are not kept.
    fn stat(&self, out: &mut dyn Write) -> fmt::Result {
        let pid = current().pid();
        let Some(family) = tree::family(pid) else {
            return Ok(());
        };
        let usage = Usage::of_current();
        write!(out, "{pid} ({}) R ", task::current().name())?;
        write!(
            out,
            "{} {} {} 0 -1 0 ",
            family.parent, family.group, family.session
        )?;
        write!(out, "{} 0 {} 0 ", usage.min_faults, usage.maj_faults)?;
        writeln!(out, "{} 0", usage.cpu_ns / 10_000_000)
    }
}
