//! Keeping the TLB honest: generations, flushes, and the other CPUs.
//!
//! Whoever weakens or removes translations of an mm edits the tables, then calls [`flush`] before
//! anything that was reachable through them is free again. It raises the mm's generation, flushes
//! here, interrupts the CPUs that use the mm, and returns when all of them have flushed. A CPU that
//! is lazy is not interrupted: on its way back to the mm it notices the generation (LZ-12).
//!
//! Who waits for other CPUs has interrupts on and holds no spin lock (TLB-12). Where tables are edited
//! under one, [`begin`] does all but the waiting, and hands out a [`Shootdown`] for the time after it.
//!
//! Island: another CPU reads the request on the stack of the one that waits for it.
#![expect(
    unsafe_code,
    reason = "other CPUs read the request where its sender keeps it until they have answered"
)]

use core::sync::atomic::Ordering::SeqCst;

use addr::{Page, PageRange};
use cpumask::CpuMask;
use lazytlb::{Flush, FlushRequest, Standing, needs_ipi};

use super::counters::{
    FLUSH_WRONG_CPU, IPI_SENT, IPI_SKIPPED_LAZY, TLB_FLUSHES_SKIPPED, TLB_FULL_FLUSHES,
    TLB_GENERATIONS, TLB_PAGE_FLUSHES,
};
use super::{Mm, pcid, switch};
use crate::arch::{cpu, mmu};
use crate::percpu::cpu_id;
use crate::smp::call_function;

/// A flush that this CPU has done and some others have not.
#[must_use = "what was reachable is free only when all CPUs have flushed"]
pub struct Shootdown<'mm> {
    order: Order<'mm>,
    /// The CPUs that must be asked.
    targets: CpuMask,
}

/// What other CPUs are asked for.
struct Order<'mm> {
    mm: &'mm Mm,
    request: FlushRequest,
}

/// Makes every CPU forget the translations of `range` in `mm`; `freed_tables` tells that page
/// tables were unhooked as well, which matters to lazy CPUs too (TLB-2).
///
/// Nothing to do where neither is the case. Waits for other CPUs: interrupts are on.
pub fn flush(mm: &Mm, range: Option<PageRange>, freed_tables: bool) {
    if range.is_some() || freed_tables {
        begin(mm, range, freed_tables).finish();
    }
}

/// Does all of a [`flush`] but the waiting; it may be called under a spin lock.
#[inline(always)]
pub fn begin(mm: &Mm, range: Option<PageRange>, freed_tables: bool) -> Shootdown<'_> {
    let generation = mm.tlb_gen.fetch_add(1, SeqCst) + 1;
    TLB_GENERATIONS.inc();
    let request = FlushRequest {
        mm: mm.id(),
        generation,
        range,
        freed_tables,
    };
    let irq = cpu::irq_save();
    if needs_ipi(&Standing::On(switch::this_cpu()), &request) {
        answer(mm, &request);
    } else {
        TLB_FLUSHES_SKIPPED.inc();
        pcid::follow(&request, generation);
    }
    let others = mm.cpus.load().without(cpu_id());
    cpu::irq_restore(irq);
    let targets = match others.is_empty() {
        true => CpuMask::EMPTY,
        false => who_needs(others, &request),
    };
    let order = Order { mm, request };
    Shootdown { order, targets }
}

/// Picks those of `cpus` that must be interrupted (TLB-2).
#[inline(never)]
fn who_needs(cpus: CpuMask, request: &FlushRequest) -> CpuMask {
    cpus.iter()
        .filter(|&cpu| {
            let standing = switch::standing(cpu);
            let needs = needs_ipi(&standing, request);
            let is_lazy = matches!(standing, Standing::On(tlb) if tlb.loaded == request.mm);
            if !needs && is_lazy {
                IPI_SKIPPED_LAZY.inc();
            }
            needs
        })
        .collect()
}

impl Shootdown<'_> {
    /// Whether no other CPU has to be asked.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.targets.is_empty()
    }

    /// Returns when every CPU has flushed.
    ///
    /// # Panics
    /// If other CPUs must answer and interrupts are off: two that wait so wait for ever (TLB-12).
    #[inline]
    pub fn finish(self) {
        if !self.targets.is_empty() {
            self.ask();
        }
    }

    #[inline(never)]
    fn ask(self) {
        assert!(
            cpu::irqs_enabled(),
            "who waits for other CPUs' flushes has interrupts on (TLB-12)"
        );
        IPI_SENT.add(self.targets.len() as i64);
        // The task may have come to one of them meanwhile: that one answers as well.
        let order = core::ptr::from_ref(&self.order);
        call_function(self.targets, obey, order.expose_provenance(), true);
    }
}

/// What the other CPUs run; interrupts are off.
fn obey(order: usize) {
    let order = core::ptr::with_exposed_provenance::<Order<'_>>(order);
    // SAFETY: `ask` passes the address of its own order, and stays there until all have answered.
    let order = unsafe { &*order };
    answer(order.mm, &order.request);
}

/// Does what `request` asks of this CPU (TLB-3); interrupts are off.
#[inline(always)]
fn answer(mm: &Mm, request: &FlushRequest) {
    // Read before the flush: what is raised later is somebody else's request.
    let newest = mm.generation();
    match lazytlb::receive(&switch::this_cpu(), request, newest) {
        Flush::Nothing => {}
        Flush::Elsewhere => {
            FLUSH_WRONG_CPU.inc();
            pcid::follow(request, newest);
            mm.cpus.remove(cpu_id());
        }
        Flush::Pages(range) => {
            range.iter().for_each(|page| {
                mmu::flush_page(page.start());
                TLB_PAGE_FLUSHES.inc();
            });
            switch::caught_up(request.generation);
        }
        Flush::All => {
            switch::reload();
            TLB_FULL_FLUSHES.inc();
            switch::caught_up(newest);
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
