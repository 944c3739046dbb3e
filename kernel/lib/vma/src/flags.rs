//! What a mapping allows and what it is for.

use bitflags::bitflags;
use pte::Prot;

bitflags! {
    /// The properties of a mapping.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct VmFlags: u32 {
        /// Reads are allowed.
        const READ = 1 << 0;
        /// Writes are allowed.
        const WRITE = 1 << 1;
        /// Instruction fetches are allowed.
        const EXEC = 1 << 2;
        /// Writes are seen by everyone who maps the same backing.
        const SHARED = 1 << 3;
        /// `mprotect` may allow reads.
        const MAYREAD = 1 << 4;
        /// `mprotect` may allow writes.
        const MAYWRITE = 1 << 5;
        /// `mprotect` may allow instruction fetches.
        const MAYEXEC = 1 << 6;
        /// An access below the mapping may extend it downwards (SG-1).
        const GROWSDOWN = 1 << 7;
        /// The mapping is not charged to the memory commitment.
        const NORESERVE = 1 << 8;
        /// The pages are to stay in memory.
        const LOCKED = 1 << 9;
        /// The main stack, named `[stack]`.
        const STACK = 1 << 10;
        /// The memory below the break, named `[heap]`.
        const HEAP = 1 << 11;
        /// A forked child does not get the mapping.
        const DONTFORK = 1 << 12;
        /// A forked child gets the mapping with zeroed pages.
        const WIPEONFORK = 1 << 13;
        /// The pages are charged to the memory commitment, and given back when they go (VM-14).
        const ACCOUNT = 1 << 14;
        /// With [`Self::LOCKED`]: the pages stay once they were touched, and are not brought in
        /// before (`MLOCK_ONFAULT`).
        const LOCKONFAULT = 1 << 15;
        /// A core dump leaves the mapping out (`MADV_DONTDUMP`).
        const DONTDUMP = 1 << 16;
        /// Large pages are welcome (`MADV_HUGEPAGE`).
        const HUGEPAGE = 1 << 17;
        /// Large pages are not wanted (`MADV_NOHUGEPAGE`).
        const NOHUGEPAGE = 1 << 18;
        /// Pages will be read in order (`MADV_SEQUENTIAL`).
        const SEQ_READ = 1 << 19;
        /// Pages will be read in no order (`MADV_RANDOM`).
        const RAND_READ = 1 << 20;
        /// Some page may hold a guard marker (`MADV_GUARD_INSTALL`), so that the page tables
        /// say more than "not there yet". See [`Self::STICKY`].
        const GUARDED = 1 << 21;
        /// The pages may be thrown away when memory is short (`MAP_DROPPABLE`).
        const DROPPABLE = 1 << 22;
    }
}

/// How far a `MAY` bit stands above the right it allows.
const MAY_SHIFT: u32 = VmFlags::MAYREAD.bits().trailing_zeros();

// The three rights are the same bits here and in a protection.
const _: () = assert!(VmFlags::READ.bits() == Prot::READ.bits() as u32);
const _: () = assert!(VmFlags::WRITE.bits() == Prot::WRITE.bits() as u32);
const _: () = assert!(VmFlags::EXEC.bits() == Prot::EXEC.bits() as u32);

impl VmFlags {
    /// The three rights, any one of which makes a mapping accessible.
    pub const RIGHTS: Self = Self::READ.union(Self::WRITE).union(Self::EXEC);

    /// Flags that do not keep two mappings apart: where they become one, it has what either
    /// had. They are hints about the contents that may be set without need, so that a guard
    /// page leaves the mapping in one piece (VM-12).
    pub const STICKY: Self = Self::GUARDED;

    /// Returns the rights as a protection.
    pub const fn prot(self) -> Prot {
        Prot::from_bits_truncate(self.bits() as u8)
    }

    /// Returns the same flags with the rights of `prot` instead.
    #[must_use]
    pub const fn with_prot(self, prot: Prot) -> Self {
        self.difference(Self::RIGHTS)
            .union(Self::from_bits_truncate(prot.bits() as u32))
    }

    /// Says whether the `MAY` bits let `mprotect` give the rights of `prot`.
    pub const fn may(self, prot: Prot) -> bool {
        self.contains(Self::from_bits_truncate((prot.bits() as u32) << MAY_SHIFT))
    }

    /// Says whether any access is allowed, that is, the mapping is not `PROT_NONE`.
    pub const fn is_accessible(self) -> bool {
        self.intersects(Self::RIGHTS)
    }

    /// Says whether the pages count as data, which RLIMIT_DATA limits (VM-13).
    pub const fn is_data(self) -> bool {
        self.contains(Self::WRITE) && !self.intersects(Self::SHARED.union(Self::GROWSDOWN))
    }

    /// Says whether the pages count as stack.
    pub const fn is_stack(self) -> bool {
        self.contains(Self::GROWSDOWN)
    }

    /// Says whether the pages count as program text.
    pub const fn is_exec(self) -> bool {
        self.contains(Self::EXEC) && !self.intersects(Self::WRITE.union(Self::GROWSDOWN))
    }

    /// Says whether two mappings with these flags may be one.
    pub(crate) const fn joins(self, next: Self) -> bool {
        self.union(Self::STICKY).bits() == next.union(Self::STICKY).bits()
    }
}
