//! Whether the invariants hold.

use crate::{Backing, Totals, VmaSet};

impl<B: Backing> VmaSet<B> {
    /// Looks at every mapping and says which of the crate's invariants is broken, if one is.
    ///
    /// # Errors
    /// The broken invariant, in words.
    pub fn check(&self) -> Result<(), &'static str> {
        self.tree.check()?;
        let mut totals = Totals::ZERO;
        for vma in self.iter() {
            if vma.range.is_empty() {
                return Err("a mapping has no page");
            }
            totals.add(vma.range, vma.flags);
        }
        for (vma, next) in self.iter().zip(self.iter().skip(1)) {
            if next.range.start < vma.range.end {
                return Err("two mappings overlap");
            }
            if vma.merges_with(next) {
                return Err("two mappings could be one");
            }
        }
        if totals == self.totals {
            Ok(())
        } else {
            Err("the totals are not the sums over all mappings")
        }
    }
}
