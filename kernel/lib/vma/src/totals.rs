//! How many pages the mappings have, by what they count as.
//!
//! The limits ask at every `mmap` and `/proc` asks for all of it, so the sums are kept, not
//! counted: whatever adds, removes or changes pages tells it here.

use addr::PageRange;

use crate::VmFlags;

/// Pages of all mappings together. One page may count under several names, or under none
/// but `total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// All of them, accessible or not: RLIMIT_AS.
    pub total: u64,
    /// Private, writable, not a stack: RLIMIT_DATA (VM-13).
    pub data: u64,
    /// In mappings that grow down.
    pub stack: u64,
    /// Executable, not writable, not a stack.
    pub exec: u64,
    /// In mappings with [`VmFlags::LOCKED`]: RLIMIT_MEMLOCK.
    pub locked: u64,
    /// In mappings with [`VmFlags::ACCOUNT`]: what is charged to the commitment (VM-14).
    pub account: u64,
}

impl Totals {
    /// What an empty set has.
    pub const ZERO: Self = Self {
        total: 0,
        data: 0,
        stack: 0,
        exec: 0,
        locked: 0,
        account: 0,
    };

    /// Counts the pages of `range` under `flags`.
    pub(crate) const fn add(&mut self, range: PageRange, flags: VmFlags) {
        let pages = range.len();
        self.total += pages;
        self.data += pages * flags.is_data() as u64;
        self.stack += pages * flags.is_stack() as u64;
        self.exec += pages * flags.is_exec() as u64;
        self.locked += pages * flags.contains(VmFlags::LOCKED) as u64;
        self.account += pages * flags.contains(VmFlags::ACCOUNT) as u64;
    }

    /// Takes back what [`Self::add`] counted for the same pages and flags.
    pub(crate) const fn remove(&mut self, range: PageRange, flags: VmFlags) {
        let pages = range.len();
        self.total -= pages;
        self.data -= pages * flags.is_data() as u64;
        self.stack -= pages * flags.is_stack() as u64;
        self.exec -= pages * flags.is_exec() as u64;
        self.locked -= pages * flags.contains(VmFlags::LOCKED) as u64;
        self.account -= pages * flags.contains(VmFlags::ACCOUNT) as u64;
    }
}
