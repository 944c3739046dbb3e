//! Where the contents of a mapping come from.

/// The source of a mapping's pages, as far as cutting and joining mappings cares.
///
/// The kernel's backing is "anonymous" or "this file from that page on"; both rules below
/// keep the meaning of every single page when a mapping is cut in two or joined from two.
pub trait Backing: Clone + PartialEq {
    /// Returns the backing of the part of a mapping that starts `pages` after its start.
    #[must_use]
    fn advance(&self, pages: u64) -> Self;

    /// Returns the backing of a mapping that starts `pages` before this one's start and goes on
    /// with it, for a stack that grows (SG-6); undone by [`advance`](Self::advance).
    #[must_use]
    fn retreat(&self, pages: u64) -> Self;

    /// Says whether a mapping of this backing simply carries on where a mapping of `prev`
    /// with `prev_pages` pages ends.
    fn continues(&self, prev: &Self, prev_pages: u64) -> bool;
}
