//! The pages an address space has in memory, by what they are, and the most it ever had.
//!
//! Charged with each entry that maps a frame and taken back with it, in the [`Row`] of the entry's region: that changes
//! under the region's lock, or that of the whole, and lies beside it, so that faults in different regions write to
//! nothing in common. Only the sum of all rows means something, for pages move between regions. Readers
//! may look at any time. The zero page and guard markers are not charged (HF-4). Of the most ever, what was
//! before each decrease is remembered.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pte::Pte;

use super::frame::{self, Owner};
use super::{Mm, large};

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

/// What the entries of some regions add to the counts; wraps below 0.
#[derive(Default)]
pub struct Row([AtomicU64; 3]);

/// All kinds.
const KINDS: [Kind; 3] = [Kind::Anon, Kind::File, Kind::Shmem];

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

impl Row {
    /// Counts the page that `pte` maps; its entry's lock is held, as for all that follows.
    #[inline]
    pub fn charge(&self, pte: Pte) {
        if let Some(kind) = kind(pte) {
            self.add(kind, 1);
        }
    }

    /// Takes back what [`Row::charge`] counted; the frame is still the entry's.
    pub fn uncharge(&self, pte: Pte) {
        if let Some(kind) = kind(pte) {
            self.add(kind, -1);
        }
    }

    /// Takes back all of `gone` at once.
    #[inline]
    pub fn take_back(&self, gone: Gone) {
        for kind in KINDS {
            if gone.0[kind as usize] != 0 {
                self.add(kind, -gone.0[kind as usize]);
            }
        }
    }

    /// Changes one count, for who has counted the pages already.
    #[inline]
    pub fn add(&self, kind: Kind, pages: i64) {
        // Under the lock nobody else writes: no locked instruction is needed.
        let count = &self.0[kind as usize];
        count.store(count.load(Relaxed).wrapping_add(pages as u64), Relaxed);
    }
}

/// The most pages that were in memory before any was taken away.
#[derive(Default)]
pub struct Peak(AtomicU64);

impl Mm {
    /// Returns how many pages of one kind are mapped.
    pub fn rss(&self, kind: Kind) -> u64 {
        let rows = self.tables.rss_rows();
        not_below_zero(rows.map(|row| row.0[kind as usize].load(Relaxed)))
    }

    /// Returns how many pages are mapped.
    pub fn rss_pages(&self) -> u64 {
        let rows = self.tables.rss_rows();
        not_below_zero(rows.flat_map(|row| &row.0).map(|count| count.load(Relaxed)))
    }

    /// Remembers how many pages are mapped if there were never more; to be called before pages are taken away.
    pub(super) fn note_rss_peak(&self) {
        let now = self.rss_pages();
        if now > self.rss_peak.0.load(Relaxed) {
            self.rss_peak.0.fetch_max(now, Relaxed);
        }
    }

    /// Returns the most pages that were ever in memory at once.
    pub fn peak_rss_pages(&self) -> u64 {
        self.rss_peak.0.load(Relaxed).max(self.rss_pages())
    }
}

/// Adds counts up. Those that were read at different times, while pages moved, may not add up.
fn not_below_zero(counts: impl Iterator<Item = u64>) -> u64 {
    let sum = counts.fold(0, u64::wrapping_add) as i64;
    sum.max(0) as u64
}
