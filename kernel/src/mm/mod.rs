//! Memory management: frames, kernel memory, address spaces and their faults.
//!
//! mm never asks who is running: every operation takes the [`Mm`] it works on. Policy lives in the
//! pure crates (`buddy`, `vma`, `fault`, `lazytlb`, `pte`); the files here apply it under locks.
//!
//! Read in this order:
//! 1. [`layout`]: the map of the kernel half. [`physmap`]: how a frame is touched.
//! 2. [`frame`]: the frame table and allocator. [`heap`], [`kstack`]: the kernel's own memory.
//! 3. [`pgtable`] over `table`: four levels of tables; [`kernel_map`]: the kernel half; [`large`]: pages of 2 MiB. [`tlb`], [`gather`]: what must happen before a frame is
//!    free again. [`switch`]: which tables a CPU stands on; [`pcid`]: which others it remembers; [`borrow`]: what keeps them there.
//! 4. [`mm_struct`]: the address space and its two counts. [`rss`]: its pages, counted. [`backing`]: what a VMA shows.
//!    [`place`] and [`commit`]: where something may go, and how much may be promised. [`mmap`], [`brk`],
//!    [`mprotect`], [`mremap`], [`madvise`], [`mlock`], [`fork`]: the calls. [`fault`], [`fault_around`],
//!    `stack` and [`populate`]: how pages come in; [`zap`] and [`rmap`]: how they go. [`uaccess`], [`remote`]: how the
//!    kernel reads and writes it. [`maps`], `smaps`, `pagemap`, [`figures`], [`mincore`]: how it is shown.
//! 5. [`reclaim`]: how frames come back when there are none; [`watermark`]: when somebody begins before that.
//! 6. [`audit`](mod@audit) and [`fsck`](mod@fsck): what must never be false, checked. [`inject`]: allocations
//!    that fail on purpose; [`tamper`]: damage on purpose.
//!
//! tests/mmu runs these files on the host, above a simulated MMU: all but those that are nothing without
//! the machine, the kernel's allocator and the instructions that touch user memory.

pub mod audit;
pub mod backing;
pub mod borrow;
pub mod brk;
pub mod commit;
mod cow;
pub mod damage;
pub mod fault;
pub mod fault_around;
mod fault_prepare;
pub mod figures;
pub mod fork;
pub mod frame;
mod free;
pub mod fsck;
pub mod gather;
mod guard;
#[cfg(target_os = "none")]
pub mod heap;
pub mod inject;
pub mod kernel_map;
pub mod kstack;
pub mod large;
pub mod layout;
mod limits;
pub mod madvise;
pub mod maps;
pub mod mincore;
pub mod mlock;
pub mod mm_struct;
pub mod mmap;
mod move_pages;
pub mod mprotect;
pub mod mremap;
mod owner;
mod pagemap;
pub mod pcid;
pub mod pgtable;
pub mod physmap;
mod pinned;
pub mod place;
pub mod populate;
pub mod reclaim;
pub mod remote;
pub mod rmap;
pub mod rss;
pub mod shared_anon;
mod smaps;
mod stack;
pub mod switch;
mod table;
mod table_lock;
pub mod tamper;
pub mod tlb;
#[cfg(target_os = "none")]
pub mod uaccess;
pub mod watermark;
pub mod zap;

pub use crate::percpu::counters;
pub use audit::audit;
pub use backing::{MapBacking, PageSource, SourceError, SourceId};
pub use borrow::Borrow;
pub use mm_struct::{Mm, MmRef, MmUserRef, init_mm, init_mm_root};
pub use mmap::{MapError, MapKind, MapRequest, UnmapError};
pub use mprotect::ProtectError;

use addr::Frame;

use crate::locks::Once;

/// No frame was free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

static ZERO_FRAME: Once<Frame> = Once::new();

/// Allocates the shared zero page, once; called by boot as soon as there are frames.
pub fn init_zero_frame() -> Result<(), OutOfMemory> {
    let frame = frame::alloc_zeroed(frame::Owner::Zero).ok_or(OutOfMemory)?;
    ZERO_FRAME.call_once(|| frame);
    Ok(())
}

/// Returns the shared zero page: mapped read-only wherever untouched memory is read, never counted (HF-5).
pub fn zero_frame() -> Frame {
    *ZERO_FRAME
        .get()
        .expect("boot allocates the zero page before any program runs")
}
