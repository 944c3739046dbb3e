//! Whether a frame has as many references as there are reasons for.

/// Whose frame an entry shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Shown {
    /// Anonymous memory, private or shared.
    Anon,
    /// A file's page.
    PageCache,
    /// The shared zero page.
    Zero,
    /// Anybody else's.
    Other,
}

/// What is known of one frame of anonymous memory or of the page cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct References {
    /// The references it has.
    pub refs: u32,
    /// The entries of all address spaces that map it.
    pub mapped: u32,
    /// Whether one of those, at least, maps it as private memory.
    pub private: bool,
    /// Whether one of those, at least, maps it as a source's page.
    pub shared: bool,
    /// Whether everything was counted: no address space was skipped, and nobody was at work.
    pub complete: bool,
}

impl References {
    /// Returns how many references the frame must have: one for each entry, and its source's own
    /// unless it is private memory.
    pub const fn expected(&self) -> u32 {
        self.mapped + !self.private as u32
    }

    /// Says whether a source owns the frame: nothing maps it, or something does as a source's page.
    pub const fn is_sources(&self) -> bool {
        !self.private
    }

    /// Says whether the counts can be true.
    ///
    /// Whoever is at work may hold more, and entries that were not seen hold some, but never
    /// are there fewer references than entries.
    pub const fn holds(&self) -> bool {
        if self.private && self.shared {
            return false;
        }
        if self.complete {
            self.refs == self.expected()
        } else {
            self.refs >= self.mapped && self.refs > 0
        }
    }
}
