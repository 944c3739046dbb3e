//! Memory mappings: protections and flags of `mmap`.

use bitflags::bitflags;
use linux_raw_sys::general as raw;

bitflags! {
    /// The `prot` argument of `mmap` and `mprotect`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct ProtFlags: u64 {
        /// Readable.
        const READ = raw::PROT_READ as u64;
        /// Writable.
        const WRITE = raw::PROT_WRITE as u64;
        /// Executable.
        const EXEC = raw::PROT_EXEC as u64;
        /// Atomic operations work; always so here.
        const SEM = raw::PROT_SEM as u64;
        /// Extends the change to the start of a growing mapping.
        const GROWSDOWN = raw::PROT_GROWSDOWN as u64;
        /// Extends the change to the end of a mapping that grows up.
        const GROWSUP = raw::PROT_GROWSUP as u64;
    }

    /// The `flags` argument of `mmap` besides the type.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct MapFlags: u64 {
        /// Exactly at the given address, replacing what is there.
        const FIXED = raw::MAP_FIXED as u64;
        /// No file behind it.
        const ANONYMOUS = raw::MAP_ANONYMOUS as u64;
        /// Below 2 GiB.
        const BIT32 = raw::MAP_32BIT as u64;
        /// Grows downwards like a stack.
        const GROWSDOWN = raw::MAP_GROWSDOWN as u64;
        /// Locked in memory.
        const LOCKED = raw::MAP_LOCKED as u64;
        /// Not charged against memory.
        const NORESERVE = raw::MAP_NORESERVE as u64;
        /// Populated at once.
        const POPULATE = raw::MAP_POPULATE as u64;
        /// Not populated even if POPULATE says so.
        const NONBLOCK = raw::MAP_NONBLOCK as u64;
        /// Meant for a stack; no effect.
        const STACK = raw::MAP_STACK as u64;
        /// Of huge pages.
        const HUGETLB = raw::MAP_HUGETLB as u64;
        /// Writes are synchronous.
        const SYNC = raw::MAP_SYNC as u64;
        /// Exactly at the given address, or not at all.
        const FIXED_NOREPLACE = raw::MAP_FIXED_NOREPLACE as u64;
        /// Other bits are kept.
        const _ = !0;
    }
}

bitflags! {
    /// The `flags` argument of `mremap`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct RemapFlags: u64 {
        /// The mapping may move.
        const MAYMOVE = raw::MREMAP_MAYMOVE as u64;
        /// It moves exactly to the given address.
        const FIXED = raw::MREMAP_FIXED as u64;
        /// The old mapping stays, without its pages.
        const DONTUNMAP = raw::MREMAP_DONTUNMAP as u64;
    }
}

impl MapFlags {
    /// The bits that hold the mapping's type.
    pub const TYPE: u64 = raw::MAP_TYPE as u64;
    /// Shared type.
    pub const SHARED: u64 = raw::MAP_SHARED as u64;
    /// Private type.
    pub const PRIVATE: u64 = raw::MAP_PRIVATE as u64;
    /// Private memory that may be thrown away when memory is short.
    pub const DROPPABLE: u64 = raw::MAP_DROPPABLE as u64;
    /// The flags that were there before a type that checks them was.
    pub const LEGACY: u64 = (raw::MAP_FIXED
        | raw::MAP_ANONYMOUS
        | raw::MAP_32BIT
        | raw::MAP_GROWSDOWN
        | raw::MAP_DENYWRITE
        | raw::MAP_EXECUTABLE
        | raw::MAP_LOCKED
        | raw::MAP_NORESERVE
        | raw::MAP_POPULATE
        | raw::MAP_NONBLOCK
        | raw::MAP_STACK
        | raw::MAP_HUGETLB
        | raw::MAP_FIXED_NOREPLACE
        | raw::MAP_HUGE_MASK << raw::MAP_HUGE_SHIFT) as u64;
    /// Shared type that checks its flags.
    pub const SHARED_VALIDATE: u64 = raw::MAP_SHARED_VALIDATE as u64;
}
