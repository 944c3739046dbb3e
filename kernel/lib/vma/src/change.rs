//! Other flags for a range of pages: `madvise`, `mlock`, and what `mprotect` is made of.

use addr::PageRange;

use crate::{Backing, VmFlags, Vma, VmaSet};

impl<B: Backing> VmaSet<B> {
    /// Gives the mapped pages of `range` the flags that `flags` wants for the mapping they
    /// belong to, lowest first, and returns how many pages that were; holes are passed over
    /// (VM-12).
    ///
    /// The mapping that `flags` is asked about may stick out of the range; only the part
    /// inside changes. [`VmaSet::splits_needed`] says how many more mappings there may be.
    pub fn change_flags(
        &mut self,
        range: PageRange,
        mut flags: impl FnMut(&Vma<B>) -> VmFlags,
    ) -> u64 {
        let mut at = range.start;
        let mut covered = 0;
        while let Some(vma) = self.find_from(at)
            && let Some(piece) = PageRange::new(at, range.end).intersection(&vma.range)
        {
            let new = flags(vma);
            if new != vma.flags {
                self.set_flags(piece, new);
            }
            covered += piece.len();
            at = piece.end;
        }
        covered
    }

    /// Sets the flags of `piece`, which lies inside one mapping, and joins it with its
    /// neighbours where that is possible (VM-6).
    ///
    /// # Panics
    /// If the piece is empty or does not lie inside one mapping.
    pub fn set_flags(&mut self, piece: PageRange, flags: VmFlags) {
        let inside = self
            .find(piece.start)
            .is_some_and(|vma| vma.range.contains_range(&piece));
        assert!(inside && !piece.is_empty(), "a piece lies in one mapping");
        self.cut_at(piece.start);
        self.cut_at(piece.end);
        let old = self
            .tree
            .update(piece.start, |vma| core::mem::replace(&mut vma.flags, flags));
        self.totals.remove(piece, old);
        self.totals.add(piece, flags);
        self.join_at(piece.start);
        self.join_at(piece.end);
    }
}
