//! The pages an address space has in memory, by what they are, and the most it ever had.
//!
//! Charged with each entry that maps a frame and taken back with it, under the page-table lock or a region's.
//! Readers may look at any time. The zero page and guard markers are not
//! charged (HF-4). Of the most ever, what was before each decrease is remembered.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pte::Pte;

use super::frame::{self, Owner};
use super::large;

/// What a page counts as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Private memory.
    Anon,
    /// A file's page.
    File,
    /// Shared anonymous memory.
    Shmem,
}

/// The counts of one address space, in a cache line of their own: faults on several CPUs write them.
#[derive(Default)]
#[repr(align(64))]
pub struct Rss {
    kinds: [AtomicU64; 3],
    peak: AtomicU64,
}

/// Returns what the page of `pte` counts as, if as anything.
pub fn kind(pte: Pte) -> Option<Kind> {
    if pte.is_anon() {
        return Some(Kind::Anon);
    }
    if pte.is_none() || pte.is_zero_page() || pte.is_guard() {
        return None;
    }
    Some(match frame::info(pte.frame()).owner() {
        Owner::Anon => Kind::Shmem,
        _ => Kind::File,
    })
}

/// Returns how many entries map the frame of `pte`, which counts as `kind`: its references but the source's.
pub fn mappings(pte: Pte, kind: Kind) -> u32 {
    let refs = frame::refs(pte.frame());
    match kind {
        Kind::Anon => refs,
        Kind::File | Kind::Shmem => refs.saturating_sub(1),
    }
}

/// Pages that are being taken away, counted by kind.
#[derive(Clone, Copy, Default)]
pub struct Gone([i64; 3]);

impl Gone {
    /// A large page.
    pub fn large() -> Self {
        let mut gone = Self::default();
        gone.0[Kind::Anon as usize] = large::PAGES as i64;
        gone
    }

    /// Counts the page that `pte` mapped; its frame is not free yet.
    #[inline]
    pub fn count(&mut self, pte: Pte) {
        if let Some(kind) = kind(pte) {
            self.0[kind as usize] += 1;
        }
    }
}

impl Rss {
    /// Counts the page that `pte` maps; its entry's lock is held.
    pub fn charge(&self, pte: Pte) {
        if let Some(kind) = kind(pte) {
            self.add(kind, 1);
        }
    }

    /// Takes back what [`Rss::charge`] counted; the frame is still the entry's.
    pub fn uncharge(&self, pte: Pte) {
        let mut gone = Gone::default();
        gone.count(pte);
        self.take_back(gone);
    }

    /// Takes back all of `gone` at once.
    pub fn take_back(&self, gone: Gone) {
        let now = self.total();
        if now > self.peak.load(Relaxed) {
            self.peak.fetch_max(now, Relaxed);
        }
        for kind in [Kind::Anon, Kind::File, Kind::Shmem] {
            if gone.0[kind as usize] != 0 {
                self.add(kind, -gone.0[kind as usize]);
            }
        }
    }

    /// Changes one count, for who has counted the pages already.
    pub fn add(&self, kind: Kind, pages: i64) {
        // Faults in other regions may be counting too.
        self.kinds[kind as usize].fetch_add(pages as u64, Relaxed);
    }

    /// Returns the pages of one kind.
    pub fn pages(&self, kind: Kind) -> u64 {
        self.kinds[kind as usize].load(Relaxed)
    }

    /// Returns all pages.
    pub fn total(&self) -> u64 {
        let counts = self.kinds.iter().map(|count| count.load(Relaxed));
        counts.fold(0, u64::wrapping_add)
    }

    /// Returns the most pages there ever were.
    pub fn peak(&self) -> u64 {
        self.peak.load(Relaxed).max(self.total())
    }
}
