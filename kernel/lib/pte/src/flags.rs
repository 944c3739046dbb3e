//! The bits of a page-table entry beside its frame number.
//!
//! Bits 0 to 8 and 63 belong to the CPU (Intel SDM vol. 3, 4.5 "4-level paging"); bits 9 to 11 and
//! 52 are ignored by it and carry what the fault path must know about the frame.

use bitflags::bitflags;

bitflags! {
    /// The bits of an entry that are not its frame number.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct PteFlags: u64 {
        /// The CPU may use the entry.
        const PRESENT = 1 << 0;
        /// Writes are allowed.
        const WRITE = 1 << 1;
        /// User mode may use it.
        const USER = 1 << 2;
        /// Writes go through the cache.
        const PWT = 1 << 3;
        /// The cache is bypassed.
        const PCD = 1 << 4;
        /// The CPU has used the entry since the bit was cleared.
        const ACCESSED = 1 << 5;
        /// The CPU has written through the entry since the bit was cleared.
        const DIRTY = 1 << 6;
        /// The entry of an upper level maps a large page instead of a table.
        const HUGE = 1 << 7;
        /// Loading CR3 does not drop the translation. In an entry that is not present it
        /// marks a page under `PROT_NONE` instead.
        const GLOBAL = 1 << 8;
        /// The frame belongs to anonymous memory and is counted by its references.
        const ANON = 1 << 9;
        /// The frame is the shared zero frame, which is never counted, written or freed.
        const ZERO = 1 << 10;
        /// The page may be thrown away as long as it is not dirty (MADV_FREE). In an entry that is
        /// not present it is the guard marker.
        const LAZY = 1 << 11;
        /// The page has just taken another one's place and is read-only until every CPU has forgotten
        /// that one; who put it there is about to allow writes.
        const SETTLING = 1 << 52;
        /// Instructions may not be fetched.
        const NX = 1 << 63;
    }
}
