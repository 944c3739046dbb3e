//! Which page tables a CPU stands on: `switch_mm`, `enter_lazy_tlb`, and what CR3 really holds.
//!
//! `loaded` names the mm in CR3, which may differ from a task's `active_mm` while the CPU is lazy
//! (LZ-10). All of this runs with interrupts off. What to do is decided by the pure crate
//! `lazytlb`; here it is done and counted.
//!
//! A CPU that goes onto an mm and a CPU that flushes it must not miss each other (LZ-15):
//!
//! | who goes onto the mm | who flushes it ([`super::tlb`]) |
//! |---|---|
//! | says that it switches, or that it is no longer lazy | edits the page tables |
//! | sets its bit in the mm's mask | raises the generation |
//! | reads the generation | reads the mask |
//! | writes CR3, says what is loaded | reads what those CPUs say |
//!
//! Each side writes, then reads, in one order that all CPUs agree on: one of the two sees the other.
//!
//! Island: the only writer of CR3 after boot.
#![expect(unsafe_code, reason = "writes CR3")]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use lazytlb::{CpuTlb, Load, MmId, Standing};

use super::counters::{CR3_CATCH_UP, CR3_SKIPPED_LAZY, CR3_WRITES, LAZY_ENTER};
use super::{Mm, init_mm, pcid};
use crate::arch::{cpu, mmu};
use crate::percpu::{MAX_CPUS, PerCpu, cpu_id};

/// What one CPU's TLB may hold. Written by that CPU with interrupts off, read by all; a cache line
/// of its own, since who flushes looks at many.
#[repr(align(64))]
struct State {
    /// The mm in CR3, or [`SWITCHING`].
    loaded: AtomicU64,
    seen_gen: AtomicU64,
    lazy: AtomicBool,
}

/// In place of an mm's number while CR3 changes: who flushes assumes the worst (LZ-15).
const SWITCHING: u64 = u64::MAX;

static STATE: PerCpu<State> = PerCpu::new(
    [const {
        State {
            loaded: AtomicU64::new(0),
            seen_gen: AtomicU64::new(0),
            lazy: AtomicBool::new(false),
        }
    }; MAX_CPUS],
);

static EAGER: AtomicBool = AtomicBool::new(false);

/// Chooses whether a CPU leaves the user's tables as soon as it runs a kernel task.
pub fn set_eager(eager: bool) {
    EAGER.store(eager, SeqCst);
}

static FORGETFUL: AtomicBool = AtomicBool::new(false);

/// Breaks the return from a borrow, on purpose: what was flushed meanwhile is not looked at (LZ-12). It shows
/// whether tests would notice. Returns whether this kernel can be broken; only one with debug assertions can.
pub fn forget_generations() -> bool {
    FORGETFUL.store(true, SeqCst);
    cfg!(debug_assertions)
}

fn forgets_generations() -> bool {
    cfg!(debug_assertions) && FORGETFUL.load(SeqCst)
}

/// Returns what this CPU stands on.
pub fn this_cpu() -> CpuTlb {
    read(STATE.this())
}

fn read(state: &State) -> CpuTlb {
    CpuTlb {
        loaded: MmId::new(state.loaded.load(SeqCst)),
        seen_gen: state.seen_gen.load(SeqCst),
        lazy: state.lazy.load(SeqCst),
    }
}

/// Returns what CPU `cpu` says it stands on; by the time it is used that may have changed.
pub(super) fn standing(cpu: usize) -> Standing {
    // What is loaded is read first: a CPU that became lazy after it says so about this mm or a later one.
    match read(STATE.of(cpu)) {
        tlb if tlb.loaded.as_u64() == SWITCHING => Standing::Switching,
        tlb => Standing::On(tlb),
    }
}

/// Tells whether a CPU's CR3 names `mm`'s PML4.
///
/// A CPU that is about to leave `mm` no longer counts: whoever switches it holds a reference until it is done.
pub fn is_loaded(mm: &Mm) -> bool {
    (0..MAX_CPUS).any(|cpu| STATE.of(cpu).loaded.load(SeqCst) == mm.id().as_u64())
}

/// Tells whether a CPU may still stand on `mm`'s PML4, or be about to leave it.
pub(super) fn is_loaded_or_switching(mm: &Mm) -> bool {
    mm.cpus.load().iter().any(|cpu| match standing(cpu) {
        Standing::Switching => true,
        Standing::On(tlb) => tlb.loaded == mm.id(),
    })
}

/// Puts this CPU onto `next` for a task that has it as its own mm. Interrupts are off.
pub fn switch_mm(next: &Mm) {
    debug_assert!(!cpu::irqs_enabled(), "switch_mm runs with interrupts off");
    let before = this_cpu();
    announce(&before, next);
    let generation = next.generation();
    match lazytlb::plan_load(&before, next.id(), generation) {
        Load::Keep => return,
        Load::LeaveLazy => return CR3_SKIPPED_LAZY.inc(),
        Load::Reload if forgets_generations() => return CR3_SKIPPED_LAZY.inc(),
        Load::Reload => CR3_CATCH_UP.inc(),
        Load::Switch => {}
    }
    load(next, generation);
}

/// Tells the others that this CPU uses `next` from here on, before its generation is read: whoever
/// raises it later no longer passes this CPU by.
#[inline]
fn announce(before: &CpuTlb, next: &Mm) {
    let state = STATE.this();
    if before.loaded != next.id() {
        state.loaded.swap(SWITCHING, SeqCst);
        // Nobody else sets or clears this bit, and it stays when the CPU goes on to another mm (TLB-5).
        let here = cpu_id();
        if !next.cpus.contains(here) {
            next.cpus.insert(here);
        }
    } else if before.lazy {
        state.lazy.swap(false, SeqCst);
    }
}

/// Marks this CPU lazy: it goes on to a task that borrows what is loaded. Interrupts are off.
///
/// Idempotent; a CPU on `init_mm` has nothing to be lazy about (LZ-9). With `lazy=eager` it moves
/// there at once instead, so that the two ways can be compared.
pub fn enter_lazy_tlb() {
    if EAGER.load(SeqCst) {
        if this_cpu().loaded != MmId::INIT {
            load_init();
        }
    } else if lazytlb::enter_lazy(&this_cpu()) {
        STATE.this().lazy.store(true, SeqCst);
        LAZY_ENTER.inc();
    }
}

/// Takes this CPU off `mm`'s tables if it borrows them, before they are freed (LZ-17).
pub fn leave_mm(mm: &Mm) {
    let irq = cpu::irq_save();
    if this_cpu().loaded == mm.id() {
        load_init();
    }
    cpu::irq_restore(irq);
}

/// Loads `init_mm`'s tables; who borrowed goes on borrowing, but CR3 no longer shows it (LZ-10).
/// Interrupts are off.
pub fn load_init() {
    STATE.this().loaded.swap(SWITCHING, SeqCst);
    load(init_mm(), 0);
}

/// Notes that this CPU's TLB holds nothing of what is loaded that is older than `generation`.
#[inline]
pub(super) fn caught_up(generation: u64) {
    STATE.this().seen_gen.store(generation, SeqCst);
    pcid::caught_up(generation);
}

/// Forgets all translations of what is loaded: writes CR3 again with what it holds, or INVPCID.
pub fn reload() {
    if !pcid::flush_slot_in_use() {
        CR3_WRITES.inc();
        mmu::flush_user();
    }
}

/// Writes CR3, keeping what the mm's slot holds if that is up to date, then says so. Until then the state says that this CPU switches, or that it is on `mm` already.
fn load(mm: &Mm, generation: u64) {
    let state = STATE.this();
    let tag = pcid::tag(mm.id(), generation);
    // SAFETY: a live mm's PML4 maps the kernel half as every other does (I-2), and the caller's reference
    // keeps it alive until this CPU has left it (I-1). The tag is this CPU's PCID for it.
    unsafe { mmu::load_root(mm.root(), tag) };
    CR3_WRITES.inc();
    state.lazy.store(false, SeqCst);
    state.seen_gen.store(generation, SeqCst);
    // Last: who sees this mm here must not take the flag of the one before for its own.
    state.loaded.store(mm.id().as_u64(), SeqCst);
}
