//! A copy for a forked child.

use crate::tree::Builder;
use crate::{Backing, Totals, VmFlags, Vma, VmaSet};

impl<B: Backing> VmaSet<B> {
    /// Makes the set of a forked child: each mapping with the flags that `flags` returns for
    /// it, lowest first, without those for which it returns `None` (FK-1).
    ///
    /// Neighbours that only other flags kept apart are one mapping in the copy.
    #[must_use]
    pub fn copy_with(&self, mut flags: impl FnMut(&Vma<B>) -> Option<VmFlags>) -> Self {
        let mut copy = Builder::new();
        let mut totals = Totals::ZERO;
        let mut last: Option<Vma<B>> = None;
        for vma in self.iter() {
            let Some(flags) = flags(vma) else { continue };
            totals.add(vma.range, flags);
            let next = Vma {
                range: vma.range,
                flags,
                backing: vma.backing.clone(),
            };
            match &mut last {
                Some(last) if last.merges_with(&next) => last.absorb(&next),
                last => last
                    .replace(next)
                    .into_iter()
                    .for_each(|vma| copy.push(vma)),
            }
        }
        last.into_iter().for_each(|vma| copy.push(vma));
        Self {
            tree: copy.finish(),
            totals,
        }
    }
}
