//! One table of the user half: its entries, how many are in use, and roughly which.
//!
//! Both facts live in the table's frame info, so that nobody has to look at 512 entries to learn that
//! three are in use: the word counts the entries that are not empty, and each bit of the two links
//! stands for a group of eight entries, one of which may be in use. A bit that is clear is true; a bit
//! that is set may be stale, and whoever finds the group empty clears it.
//!
//! All of it changes under the mm's page-table lock, that of last-level tables also under their region's.

use core::ops::Range;
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use addr::Frame;
use pte::Pte;

use super::frame::{self, FrameInfo};
use super::physmap::{self, TABLE_ENTRIES};

/// Entries that one bit stands for: those of one cache line.
const GROUP: usize = 8;
/// Groups whose bits are in one link.
const HALF: usize = TABLE_ENTRIES / GROUP / 2;

/// A table of a user half.
#[derive(Clone, Copy)]
pub(super) struct UserTable(Frame);

impl UserTable {
    /// Views `frame`, which [`Self::init`] has made a table.
    #[inline]
    pub(super) fn new(frame: Frame) -> Self {
        Self(frame)
    }

    #[inline]
    fn info(self) -> &'static FrameInfo {
        frame::info(self.0)
    }

    /// Makes a frame of zeros a table without entries.
    pub(super) fn init(frame: Frame) -> Self {
        let table = Self::new(frame);
        table.info().word().store(0, Relaxed);
        table.info().links().0.store(0, Relaxed);
        table.info().links().1.store(0, Relaxed);
        table
    }

    /// Makes a frame a PML4: it counts one entry more than it has, and so is never found empty. The
    /// entries of the kernel half are not counted and belong to no group.
    pub(super) fn init_root(frame: Frame) {
        add(Self::init(frame).info().word(), 1);
    }

    /// Returns its frame.
    pub(super) fn frame(self) -> Frame {
        self.0
    }

    /// Returns entry `index` as memory.
    #[inline]
    pub(super) fn entry(self, index: usize) -> &'static AtomicU64 {
        &physmap::table(self.0)[index]
    }

    /// Reads entry `index`.
    #[inline]
    pub(super) fn load(self, index: usize) -> Pte {
        Pte::from_raw(self.entry(index).load(Acquire))
    }

    /// Whether no entry is in use.
    pub(super) fn is_empty(self) -> bool {
        self.info().word().load(Relaxed) == 0
    }

    /// Replaces entry `index` and returns the old one, with any A or D bit the CPU set meanwhile (TLB-10).
    ///
    /// Release: what the new entry points at is complete before the entry is seen (HF-3).
    #[inline]
    pub(super) fn swap(self, index: usize, new: Pte) -> Pte {
        let old = Pte::from_raw(self.entry(index).swap(new.raw(), AcqRel));
        match (old.is_none(), new.is_none()) {
            (true, false) => self.filled(index),
            (false, true) => self.emptied(1),
            _ => {}
        }
        old
    }

    /// Empties entry `index`, which is in use; the caller tells [`Self::emptied`] how many it was.
    #[inline]
    pub(super) fn take(self, index: usize) -> Pte {
        Pte::from_raw(self.entry(index).swap(0, AcqRel))
    }

    /// As [`Self::swap`], for an entry in use that becomes another in use.
    #[inline]
    pub(super) fn exchange(self, index: usize, new: Pte) -> Pte {
        Pte::from_raw(self.entry(index).swap(new.raw(), AcqRel))
    }

    /// Replaces entry `index`, which is in use, by another that is. What the CPU may set meanwhile is
    /// lost: only for an entry whose page has a second reader from now on, and so counts as used.
    #[inline]
    pub(super) fn replace(self, index: usize, new: Pte) {
        self.entry(index).swap(new.raw(), AcqRel);
    }

    /// Fills entry `index`, which is empty, so that no CPU notes anything in it meanwhile.
    #[inline]
    pub(super) fn fill(self, index: usize, new: Pte) {
        debug_assert!(self.load(index).is_none(), "only an empty entry is filled");
        self.entry(index).store(new.raw(), Release);
        self.filled(index);
    }

    /// Fills entry `index` of a table that no CPU uses yet.
    #[inline]
    pub(super) fn put(self, index: usize, pte: Pte) {
        self.entry(index).store(pte.raw(), Relaxed);
        self.filled(index);
    }

    /// Notes that entry `index` is no longer empty.
    #[inline]
    pub(super) fn filled(self, index: usize) {
        let info = self.info();
        add(info.word(), 1);
        let (bits, bit) = group_of(info, index / GROUP);
        bits.store(bits.load(Relaxed) | bit, Relaxed);
    }

    /// Notes that `count` entries have become empty.
    #[inline]
    pub(super) fn emptied(self, count: u32) {
        add(self.info().word(), count.wrapping_neg());
    }

    /// Whether the group of entry `index` may have an entry in use; for checks.
    pub(super) fn expects(self, index: usize) -> bool {
        let (bits, bit) = self.group(index / GROUP);
        bits.load(Relaxed) & bit != 0
    }

    /// Returns the first index at or above `from` whose entry is in use.
    pub(super) fn next_used(self, from: usize) -> Option<usize> {
        let mut found = None;
        self.each_used(from..TABLE_ENTRIES, |index| {
            found = Some(index);
            false
        });
        found
    }

    /// Calls `each` with the index of every entry in use, lowest first, until it returns false.
    #[inline]
    pub(super) fn each_used(self, range: Range<usize>, mut each: impl FnMut(usize) -> bool) {
        let entries = physmap::table(self.0);
        let mut group = range.start / GROUP;
        while let Some(next) = self.next_group(group) {
            let all = next * GROUP..(next + 1) * GROUP;
            if all.start >= range.end {
                return;
            }
            let mut in_use = false;
            let wanted = all.start.max(range.start)..all.end.min(range.end);
            for (index, entry) in wanted.clone().zip(&entries[wanted]) {
                if entry.load(Acquire) != 0 {
                    in_use = true;
                    if !each(index) {
                        return;
                    }
                }
            }
            if !in_use && all.start >= range.start && all.end <= range.end {
                let (bits, bit) = self.group(next);
                bits.store(bits.load(Relaxed) & !bit, Relaxed);
            }
            group = next + 1;
        }
    }

    /// Returns the first group at or above `from` whose bit is set.
    #[inline]
    fn next_group(self, from: usize) -> Option<usize> {
        let (low, high) = self.info().links();
        let bits = u64::from(low.load(Relaxed)) | u64::from(high.load(Relaxed)) << HALF;
        let rest = bits.checked_shr(from as u32)?;
        (rest != 0).then(|| from + rest.trailing_zeros() as usize)
    }

    #[inline]
    fn group(self, group: usize) -> (&'static AtomicU32, u32) {
        group_of(self.info(), group)
    }
}

/// Returns the word with the bit of `group`, and the bit.
#[inline]
fn group_of(info: &FrameInfo, group: usize) -> (&AtomicU32, u32) {
    let (low, high) = info.links();
    match group < HALF {
        true => (low, 1 << group),
        false => (high, 1 << (group - HALF)),
    }
}

/// Under the page-table lock nobody else writes: no locked instruction is needed.
fn add(word: &AtomicU32, amount: u32) {
    word.store(word.load(Relaxed).wrapping_add(amount), Relaxed);
}

const _: () = assert!(TABLE_ENTRIES / GROUP == 64 && HALF == 32);
