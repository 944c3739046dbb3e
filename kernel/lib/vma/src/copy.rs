//! A copy for a forked child.

use crate::{Backing, VmFlags, Vma, VmaSet};

impl<B: Backing> VmaSet<B> {
    /// Makes the set of a forked child: each mapping with the flags that `flags` returns for
    /// it, lowest first, without those for which it returns `None` (FK-1).
    ///
    /// Neighbours that only other flags kept apart are one mapping in the copy.
    #[must_use]
    pub fn copy_with(&self, mut flags: impl FnMut(&Vma<B>) -> Option<VmFlags>) -> Self {
        let mut copy = Self::new();
        let mut last: Option<Vma<B>> = None;
        for vma in self.iter() {
            let Some(flags) = flags(vma) else { continue };
            let next = Vma {
                range: vma.range,
                flags,
                backing: vma.backing.clone(),
            };
            match &mut last {
                Some(last) if last.merges_with(&next) => last.absorb(&next),
                _ => copy.append(last.replace(next)),
            }
        }
        copy.append(last);
        copy
    }

    /// Adds a mapping above all others, which does not belong to the one below it.
    fn append(&mut self, vma: Option<Vma<B>>) {
        if let Some(vma) = vma {
            self.totals.add(vma.range, vma.flags);
            self.by_start.insert(vma.range.start, vma);
        }
    }
}
