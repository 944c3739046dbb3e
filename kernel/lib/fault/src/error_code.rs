//! The error code the CPU pushes with a page fault (PF-2; Intel SDM vol. 3, 4.7).

use core::fmt;

use bitflags::bitflags;
use pte::Access;

bitflags! {
    /// Why the MMU refused an access.
    ///
    /// `USER` says how the access was made, not where the program was: the CPU reads its
    /// own tables (GDT, TSS) as a supervisor even while a user program runs.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct ErrorCode: u64 {
        /// A translation was there and refused the access; else there was none.
        const PRESENT = 1 << 0;
        /// The access was a write.
        const WRITE = 1 << 1;
        /// The access was made with user rights.
        const USER = 1 << 2;
        /// A page-table entry has a reserved bit set.
        const RSVD = 1 << 3;
        /// The access was an instruction fetch.
        const FETCH = 1 << 4;
        /// A protection key refused the access.
        const PK = 1 << 5;
        /// The access was made to a shadow stack.
        const SHSTK = 1 << 6;
    }
}

impl ErrorCode {
    /// Returns the kind of access that was refused.
    pub const fn access(self) -> Access {
        if self.contains(Self::WRITE) {
            Access::Write
        } else if self.contains(Self::FETCH) {
            Access::Fetch
        } else {
            Access::Read
        }
    }

    /// Returns the words for the bits that only mean something when they are set.
    fn remarks(self) -> impl Iterator<Item = &'static str> {
        [
            (Self::RSVD, "reserved bit set in a page table"),
            (Self::PK, "protection key"),
            (Self::SHSTK, "shadow stack"),
        ]
        .into_iter()
        .filter_map(move |(bit, words)| self.contains(bit).then_some(words))
    }
}

/// Says in words what was refused, for an oops: `user write, page not present`.
impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.contains(Self::USER) {
            "user"
        } else {
            "supervisor"
        };
        let access = match self.access() {
            Access::Read => "read",
            Access::Write => "write",
            Access::Fetch => "instruction fetch",
        };
        let cause = if self.contains(Self::PRESENT) {
            "protection violation"
        } else {
            "page not present"
        };
        write!(f, "{mode} {access}, {cause}")?;
        self.remarks()
            .try_for_each(|remark| write!(f, ", {remark}"))
    }
}
