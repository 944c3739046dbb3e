//! Which page tables a CPU stands on: `switch_mm`, `enter_lazy_tlb`, and what CR3 really holds.
//!
//! `loaded` names the mm in CR3, which may differ from a task's `active_mm` while the CPU is lazy
//! (LZ-10). All of this runs with interrupts off. What to do is decided by the pure crate
//! `lazytlb`; here it is done and counted.
//!
//! Island: the only writer of CR3 after boot.
#![expect(unsafe_code, reason = "writes CR3")]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use lazytlb::{CpuTlb, Load, MmId};

use super::counters::{CR3_CATCH_UP, CR3_SKIPPED_LAZY, CR3_WRITES, LAZY_ENTER};
use super::{Mm, init_mm};
use crate::arch::{cpu, mmu};
use crate::percpu::{MAX_CPUS, PerCpu};

/// What one CPU's TLB may hold. Written by that CPU with interrupts off, read by all.
struct State {
    loaded: AtomicU64,
    seen_gen: AtomicU64,
    lazy: AtomicBool,
}

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

/// Returns what this CPU stands on.
pub fn this_cpu() -> CpuTlb {
    let state = STATE.this();
    CpuTlb {
        loaded: MmId::new(state.loaded.load(SeqCst)),
        seen_gen: state.seen_gen.load(SeqCst),
        lazy: state.lazy.load(SeqCst),
    }
}

/// Tells whether a CPU's CR3 names `mm`'s PML4.
pub fn is_loaded(mm: &Mm) -> bool {
    (0..MAX_CPUS).any(|cpu| STATE.of(cpu).loaded.load(SeqCst) == mm.id().as_u64())
}

/// Puts this CPU onto `next` for a task that has it as its own mm. Interrupts are off.
pub fn switch_mm(next: &Mm) {
    debug_assert!(!cpu::irqs_enabled(), "switch_mm runs with interrupts off");
    let before = this_cpu();
    if before.loaded == next.id() {
        // Before the generation is read: whoever raises it from here on no longer passes this CPU by.
        STATE.this().lazy.swap(false, SeqCst);
    }
    let generation = next.generation();
    match lazytlb::plan_load(&before, next.id(), generation) {
        Load::Keep => return,
        Load::LeaveLazy => return CR3_SKIPPED_LAZY.inc(),
        Load::Reload => CR3_CATCH_UP.inc(),
        Load::Switch => {}
    }
    load(next, generation);
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
pub fn load_init() {
    load(init_mm(), 0);
}

/// Notes that this CPU's TLB is as new as `mm`'s present generation.
pub fn caught_up(mm: &Mm) {
    if this_cpu().loaded == mm.id() {
        STATE.this().seen_gen.store(mm.generation(), SeqCst);
    }
}

/// Writes CR3 again with what it holds, which forgets all non-global translations.
pub fn reload() {
    CR3_WRITES.inc();
    mmu::flush_user();
}

/// Before `CR3` changes the state says so: there is no instant at which it names a table it is not on.
fn load(mm: &Mm, generation: u64) {
    let state = STATE.this();
    state.lazy.store(false, SeqCst);
    // SAFETY: a live mm's PML4 maps the kernel half as every other does (I-2), and the caller's
    // reference keeps it alive until this CPU has left it (I-1).
    unsafe { mmu::load_root(mm.root()) };
    CR3_WRITES.inc();
    state.loaded.store(mm.id().as_u64(), SeqCst);
    state.seen_gen.store(generation, SeqCst);
}
