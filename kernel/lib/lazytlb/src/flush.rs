//! Whom a change of page tables concerns, and what they do about it (TLB-1 … TLB-4).
//!
//! Whoever weakens or removes translations edits the tables, raises the mm's generation, and asks
//! all CPUs in the mm's mask that need it to flush. Only when they have done so are frames reused.

use addr::PageRange;

use crate::load::{CpuTlb, MmId};

/// The largest range that is flushed page by page.
pub const FULL_FLUSH_CEILING: u64 = 33;

/// A request to forget translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlushRequest {
    /// The mm whose tables were edited.
    pub mm: MmId,
    /// Its generation after the edit.
    pub generation: u64,
    /// The pages concerned; `None` for all of them.
    pub range: Option<PageRange>,
    /// Page tables were unhooked, and will be freed.
    pub freed_tables: bool,
}

/// What a CPU does about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flush {
    /// It has flushed already.
    Nothing,
    /// It no longer has the mm loaded: it takes itself out of the mm's mask (TLB-5).
    Elsewhere,
    /// Forget these pages, one by one; then `seen_gen` is the request's generation.
    Pages(PageRange),
    /// Forget everything of the mm; then `seen_gen` is the generation read before.
    All,
    /// Get off the mm: load `init_mm`.
    LoadInit,
}

/// Another CPU, as whoever flushes sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It is about to load some mm, who knows which (LZ-15).
    Switching,
    /// It is on this one.
    On(CpuTlb),
}

/// Decides what a CPU does about a request, with interrupts off (TLB-3).
///
/// `current_gen` is the mm's generation now, which may be ahead of the request's.
pub fn receive(cpu: &CpuTlb, request: &FlushRequest, current_gen: u64) -> Flush {
    if cpu.loaded != request.mm {
        return Flush::Elsewhere;
    }
    if cpu.loaded == MmId::INIT {
        return Flush::Nothing;
    }
    if cpu.lazy {
        return Flush::LoadInit;
    }
    if cpu.seen_gen >= request.generation {
        return Flush::Nothing;
    }
    // A selective flush brings the CPU from one generation to the very next. If others were left
    // out in between, or came after, their ranges would never be flushed.
    let is_next = request.generation == cpu.seen_gen + 1 && request.generation == current_gen;
    match request.range {
        Some(range) if is_next => plan_flush(range),
        _ => Flush::All,
    }
}

/// Decides whether a CPU in the mm's mask must be interrupted (TLB-2).
///
/// A CPU that has gone on to another mm needs nothing: what it remembers of this one it cannot use, and it reads
/// the generation when it comes back. A lazy CPU does so too before it runs user code again, but it
/// could still walk through page tables that are freed.
pub fn needs_ipi(cpu: &Standing, request: &FlushRequest) -> bool {
    match cpu {
        Standing::Switching => true,
        Standing::On(cpu) => cpu.loaded == request.mm && (!cpu.lazy || request.freed_tables),
    }
}

/// Decides whether a range is flushed page by page or as a whole (TLB-4).
pub fn plan_flush(range: PageRange) -> Flush {
    if range.len() <= FULL_FLUSH_CEILING {
        Flush::Pages(range)
    } else {
        Flush::All
    }
}
