//! What a node knows of what lies below it.

use addr::Page;

use crate::Vma;

/// The extent of one or more neighbouring mappings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    /// Where the first begins, less the gap it keeps below itself (SG-4). This lies below
    /// the end of the mapping before if that was put into the gap on purpose.
    pub(super) start: Page,
    /// Where the last ends.
    pub(super) end: Page,
    /// Pages in the widest gap between two of them where a mapping may go.
    pub(super) gap: u64,
}

impl Span {
    /// Returns the extent of `self` and `next` together, which lies above it.
    pub(super) fn with(self, next: Self) -> Self {
        let between = next.start.number().saturating_sub(self.end.number());
        Self {
            start: self.start,
            end: next.end,
            gap: self.gap.max(next.gap).max(between),
        }
    }
}

/// Whatever extends over pages.
pub(super) trait Spanned {
    /// Returns its extent.
    fn span(&self) -> Span;
}

impl<B> Spanned for Vma<B> {
    fn span(&self) -> Span {
        Span {
            start: self.start_with_gap(),
            end: self.range.end,
            gap: 0,
        }
    }
}
