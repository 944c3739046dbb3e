//! Keeping the TLB honest: generations and flushes.
//!
//! Whoever weakens or removes translations of an mm edits the tables, then calls [`flush`] before
//! anything that was reachable through them is free again. The generation it raises is what lets a
//! CPU that was lazy meanwhile notice, on its way back to the mm, that it must flush (LZ-12).
//! The rules are the pure crate `lazytlb`; with one CPU there is nobody to interrupt yet.

use core::sync::atomic::Ordering::SeqCst;

use addr::{Page, PageRange};
use lazytlb::{Flush, FlushRequest};

use super::counters::{TLB_FLUSHES_SKIPPED, TLB_FULL_FLUSHES, TLB_GENERATIONS, TLB_PAGE_FLUSHES};
use super::{Mm, switch};
use crate::arch::{cpu, mmu};

/// Makes every CPU forget the translations of `range` in `mm`; `freed_tables` tells that page
/// tables were unhooked as well, which matters to lazy CPUs too (TLB-2).
///
/// Nothing to do where neither is the case.
pub fn flush(mm: &Mm, range: Option<PageRange>, freed_tables: bool) {
    if range.is_none() && !freed_tables {
        return;
    }
    let generation = mm.tlb_gen.fetch_add(1, SeqCst) + 1;
    TLB_GENERATIONS.inc();
    let request = FlushRequest {
        mm: mm.id(),
        generation,
        range,
        freed_tables,
    };
    let irq = cpu::irq_save();
    let cpu = switch::this_cpu();
    if cpu.loaded == mm.id() && (!cpu.lazy || freed_tables) {
        carry_out(lazytlb::receive(&cpu, &request, mm.generation()));
        switch::caught_up(mm);
    } else {
        TLB_FLUSHES_SKIPPED.inc();
    }
    cpu::irq_restore(irq);
}

fn carry_out(flush: Flush) {
    match flush {
        Flush::Nothing => {}
        Flush::Pages(range) => range.iter().for_each(|page| {
            mmu::flush_page(page.start());
            TLB_PAGE_FLUSHES.inc();
        }),
        Flush::All => {
            switch::reload();
            TLB_FULL_FLUSHES.inc();
        }
        Flush::LoadInit => switch::load_init(),
    }
}

/// Forgets one translation on this CPU only, where an entry gained rights or did not change (TLB-8).
pub fn flush_local(mm: &Mm, page: Page) {
    if switch::this_cpu().loaded == mm.id() {
        mmu::flush_page(page.start());
        TLB_PAGE_FLUSHES.inc();
    }
}
