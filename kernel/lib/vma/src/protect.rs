//! `mprotect`: other rights for a range of pages.

use alloc::vec::Vec;
use core::fmt;

use addr::{Page, PageRange};
use pte::Prot;

use crate::{Backing, VmFlags, VmaSet};

/// What [`VmaSet::protect`] did before it finished or failed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "the page tables of the changed ranges still hold the old rights"]
pub struct ProtectOutcome {
    /// The ranges whose rights changed with the flags before and after, lowest first.
    pub changed: Vec<(PageRange, VmFlags, VmFlags)>,
    /// Whether the whole range was covered. What is in `changed` stays either way.
    pub result: Result<(), ProtectError>,
}

/// Why the rights of a range could not be changed to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProtectError {
    /// A page of the range belongs to no mapping.
    Hole,
    /// A mapping of the range may never have these rights.
    Denied,
}

impl fmt::Display for ProtectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hole => "the range has a hole",
            Self::Denied => "a mapping may never have these rights",
        })
    }
}

impl core::error::Error for ProtectError {}

impl<B: Backing> VmaSet<B> {
    /// Gives the pages of `range` the rights of `prot`, mapping by mapping from below.
    ///
    /// At a hole or at a mapping whose `MAY` bits forbid it the walk stops, and everything
    /// before that point stays changed (VM-10).
    pub fn protect(&mut self, range: PageRange, prot: Prot) -> ProtectOutcome {
        let mut changed = Vec::new();
        let mut at = range.start;
        let result = loop {
            if range.end <= at {
                break Ok(());
            }
            match self.protect_at(at, range.end, prot) {
                Ok((piece, old, new)) => {
                    at = piece.end;
                    if old != new {
                        changed.push((piece, old, new));
                    }
                }
                Err(error) => break Err(error),
            }
        };
        ProtectOutcome { changed, result }
    }

    /// Gives the pages from `at` on the rights of `prot`, up to the end of the mapping that
    /// contains `at` or to `end`, whichever comes first: one step of [`Self::protect`].
    ///
    /// Returns the pages with their flags before and after, which may be the same.
    ///
    /// # Errors
    /// As [`Self::protection_at`]; then nothing has changed.
    pub fn protect_at(
        &mut self,
        at: Page,
        end: Page,
        prot: Prot,
    ) -> Result<(PageRange, VmFlags, VmFlags), ProtectError> {
        let (piece, old, new) = self.protection_at(at, end, prot)?;
        if old != new {
            self.set_flags(piece, new);
        }
        Ok((piece, old, new))
    }

    /// Returns what [`Self::protect_at`] would do, for a caller that has to agree first.
    ///
    /// # Errors
    /// [`ProtectError::Hole`] if nothing is mapped at `at`, [`ProtectError::Denied`] if what
    /// is there may never have these rights.
    pub fn protection_at(
        &self,
        at: Page,
        end: Page,
        prot: Prot,
    ) -> Result<(PageRange, VmFlags, VmFlags), ProtectError> {
        let vma = self.find(at).ok_or(ProtectError::Hole)?;
        if !vma.flags.may(prot) {
            return Err(ProtectError::Denied);
        }
        let piece = PageRange::new(at, end.min(vma.range.end));
        Ok((piece, vma.flags, vma.flags.with_prot(prot)))
    }
}
