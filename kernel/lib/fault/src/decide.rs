//! What a legal fault does to the page-table entry (HF-1 to HF-12).
//!
//! ```text
//!                      read, fetch          write
//!  private  nothing    MapZero / MapFile    NewAnon / CopyFile
//!           zero page  Touch                UpgradeZero
//!           anonymous  Touch                Touch if writable, Reuse if the only owner, else Copy
//!           settling   Touch                Wait
//!           file page  Touch                Copy
//!  shared   nothing    MapFile              MapFile, writable
//!           file page  Touch                Touch if writable, else MkWriteShared
//!  any      guard      Refuse               Refuse
//! ```
//!
//! Two pages are never written in place, whatever the entry says: the zero page, which
//! everybody reads (HF-5), and a file's page in a private mapping (HF-7).

use pte::Access;
use vma::VmFlags;

use crate::check_access;

/// Where a mapping's pages come from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Backed {
    /// Private anonymous memory.
    Anon,
    /// A file; also shared anonymous memory, which is a file without a name (HF-6).
    File,
}

/// What the page-table entry holds now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mapped {
    /// Nothing.
    None,
    /// A page hidden by `PROT_NONE`.
    ProtNone,
    /// The marker that makes every access fail.
    Guard,
    /// The shared zero page.
    Zero {
        /// Whether the entry allows writes; it never should.
        writable: bool,
    },
    /// A page of anonymous memory.
    Anon {
        /// Whether the entry allows writes.
        writable: bool,
        /// Whether this entry holds the only reference to the frame. A reference that is
        /// not a mapping counts too (HF-7).
        sole_owner: bool,
    },
    /// A page of anonymous memory that has just taken another's place; whoever put it there allows
    /// writes as soon as every CPU has forgotten the other one (TLB-8).
    Settling,
    /// A page of the file's cache.
    File {
        /// Whether the entry allows writes; in a private mapping it never should.
        writable: bool,
    },
}

/// What to do to the entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FaultAction {
    /// Map the shared zero page, read-only.
    MapZero,
    /// Map a zeroed frame, writable.
    NewAnon,
    /// Replace the zero page by a zeroed frame, writable.
    UpgradeZero,
    /// Map the file's page.
    MapFile {
        /// Whether writes go to the file at once.
        writable: bool,
    },
    /// Map a copy of the file's page, writable; the file's own page is never mapped (HF-12).
    CopyFile,
    /// Replace the page by a copy of it, writable.
    Copy,
    /// Allow writes to the page where it is.
    Reuse,
    /// Allow writes to the file's page and mark it as written.
    MkWriteShared,
    /// The entry allows the access already: another CPU was faster, or this CPU's
    /// translation is stale. Mark the page as used, after a write as written, and drop the
    /// translation.
    Touch,
    /// Another CPU is about to allow the write: look again.
    Wait,
    /// The access fails as if nothing were mapped (`MADV_GUARD_INSTALL`).
    Refuse,
    /// Nothing can be done to the entry. The mapping does not allow the access, or entry
    /// and mapping contradict each other; the access faults again and is checked again.
    Spurious,
}

/// Decides what an access that [`check_access`] let through does to its entry.
///
/// A hidden page in a mapping that allows access does not occur, because both change while
/// no fault is under way; neither does private memory in a shared mapping. The
/// answer is [`FaultAction::Spurious`], which harms nobody.
#[inline(always)]
pub const fn decide(flags: VmFlags, backed: Backed, mapped: Mapped, access: Access) -> FaultAction {
    if check_access(flags, access, false).is_err() {
        return FaultAction::Spurious;
    }
    if matches!(mapped, Mapped::Guard) {
        return FaultAction::Refuse;
    }
    let write = matches!(access, Access::Write);
    match backed {
        Backed::File if flags.contains(VmFlags::SHARED) => decide_shared(mapped, write),
        Backed::File | Backed::Anon => decide_private(backed, mapped, write),
    }
}

/// Decides for a mapping whose writes everybody sees: there is never a copy.
#[inline]
const fn decide_shared(mapped: Mapped, write: bool) -> FaultAction {
    match mapped {
        Mapped::None => FaultAction::MapFile { writable: write },
        Mapped::File { writable } if writable || !write => FaultAction::Touch,
        Mapped::File { .. } => FaultAction::MkWriteShared,
        Mapped::ProtNone
        | Mapped::Guard
        | Mapped::Zero { .. }
        | Mapped::Anon { .. }
        | Mapped::Settling => FaultAction::Spurious,
    }
}

/// Decides for a mapping whose writes nobody else sees.
#[inline]
const fn decide_private(backed: Backed, mapped: Mapped, write: bool) -> FaultAction {
    match (mapped, write) {
        (Mapped::None, _) => bring_in(backed, write),
        (Mapped::ProtNone | Mapped::Guard, _) => FaultAction::Spurious,
        (_, false) => FaultAction::Touch,
        (Mapped::Zero { .. }, true) => FaultAction::UpgradeZero,
        (Mapped::Settling, true) => FaultAction::Wait,
        (Mapped::File { .. }, true) => FaultAction::Copy,
        (Mapped::Anon { writable: true, .. }, true) => FaultAction::Touch,
        (Mapped::Anon { sole_owner, .. }, true) => write_protected(sole_owner),
    }
}

/// Decides for the first touch of a page. A write to a file's page is one fault, not two.
const fn bring_in(backed: Backed, write: bool) -> FaultAction {
    match (backed, write) {
        (Backed::Anon, false) => FaultAction::MapZero,
        (Backed::Anon, true) => FaultAction::NewAnon,
        (Backed::File, false) => FaultAction::MapFile { writable: false },
        (Backed::File, true) => FaultAction::CopyFile,
    }
}

/// Decides for a write to an anonymous page whose entry does not allow it (HF-7).
const fn write_protected(sole_owner: bool) -> FaultAction {
    if sole_owner {
        FaultAction::Reuse
    } else {
        FaultAction::Copy
    }
}
