//! What a program does: a list of steps, made from a seed and nothing else.
//!
//! Steps name processes and mapped pages by number, counted around, so that every step means
//! something whatever the steps before it did; leaving one out makes another valid program.

use pte::{Access, Prot};
use vma::VmFlags;

use crate::mm::MapKind;
use crate::mm::madvise::Advice;

/// One step: who does what.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which of the living processes.
    pub who: u64,
    /// Whether a kernel thread does it on the process's behalf, without going onto its tables.
    pub from_outside: bool,
    /// What.
    pub act: Act,
}

/// An address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// This one.
    Exact(u64),
    /// So many bytes from the start of one of the mapped pages.
    Mapped(u64, i64),
}

/// What a mapping shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Private anonymous memory.
    Anon,
    /// Shared anonymous memory.
    SharedAnon,
    /// A file from a page on.
    File {
        /// Which file.
        file: usize,
        /// Which of its pages comes first.
        page: u64,
        /// Whether writes go to the file.
        shared: bool,
    },
}

/// How memory is locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Locking {
    /// Not.
    Off,
    /// Brought in at once.
    Now,
    /// As it is touched.
    OnFault,
}

/// mremap: its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Remap {
    /// Where the old mapping is.
    pub at: At,
    /// How long the part in question is.
    pub old_len: u64,
    /// How long it is to be.
    pub new_len: u64,
    /// MREMAP_MAYMOVE.
    pub may_move: bool,
    /// MREMAP_FIXED.
    pub fixed: bool,
    /// MREMAP_DONTUNMAP.
    pub dont_unmap: bool,
    /// Where to.
    pub to: At,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Act {
    /// mmap.
    Map {
        /// Address or hint.
        at: At,
        /// Bytes.
        len: u64,
        /// Protection.
        prot: Prot,
        /// How the address is meant.
        kind: MapKind,
        /// What is shown.
        what: What,
        /// Further properties.
        flags: VmFlags,
        /// Whether the pages are brought in at once.
        populate: bool,
    },
    /// munmap.
    Unmap(At, u64),
    /// mprotect.
    Protect(At, u64, Prot),
    /// madvise.
    Advise(At, u64, Advice),
    /// mremap.
    Remap(Remap),
    /// mlock, or mlock2 with the pages left alone; munlock.
    Lock(At, u64, Locking),
    /// mlockall and munlockall: what is there, what comes, and how.
    LockAll(bool, bool, Locking),
    /// brk, so many bytes above the heap's start.
    Brk(u64),
    /// One access to each of so many pages; a write writes a number made from the last field.
    Touch(At, Access, u64, u64),
    /// Reading or writing a few bytes from outside, across a page boundary or not.
    Remote(At, bool, u64),
    /// fork.
    Fork,
    /// The end of the process; the last one is followed by a new one.
    Exit,
    /// The processor goes on to a kernel thread.
    Pause,
    /// A file gets so many pages.
    Resize(usize, u64),
    /// So many frames are wanted.
    Reclaim(u64),
    /// The process has to end, its memory goes first.
    Reap,
    /// Of the allocations to come this one fails.
    Fail(u64),
    /// Somebody takes all frames but so many above the reserve.
    Hog(u64),
    /// That somebody gives them back.
    Relent,
}

/// The files that every program finds: their lengths in pages.
pub const FILES: [u64; 3] = [3, 18, 40];
/// Where the heap starts: not far below a 2 MiB boundary.
pub const HEAP: u64 = 0x5000_0000 - 0x6000;
/// Where there is room for large pages.
pub const LARGE: u64 = 0x6000_0000;
/// Where stacks are put.
pub const STACKS: u64 = 0x7000_0000;
