//! PCIDs: the address spaces that this CPU's TLB remembers side by side (TLB-6).
//!
//! Which slot an mm gets, and whether what the slot holds may stay, is decided by the pure crate `lazytlb`. Without PCIDs
//! (the CPU has none, or `nopcid`) every CR3 write drops all of user memory, and nothing here costs more than a look at a flag.
//!
//! The kernel half is the same in every slot and global: INVLPG drops its pages from all of them.
//!
//! Island: each CPU's slots are its own.
#![expect(
    unsafe_code,
    reason = "a CPU's slots are touched by that CPU only, with interrupts off"
)]

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use lazytlb::pcid::{Slots, Tag};
use lazytlb::{FlushRequest, MmId};

use super::counters::{CR3_KEPT, INVPCIDS, PCIDS_RECYCLED};
use crate::arch::{cpu, mmu};
use crate::percpu::{MAX_CPUS, PerCpu};

/// One CPU's slots.
///
/// # Invariants
/// Touched by that CPU only, with interrupts off.
struct Own(UnsafeCell<Slots>);

// SAFETY: the invariant: nobody else looks.
unsafe impl Sync for Own {}

static SLOTS: PerCpu<Own> = PerCpu::new([const { Own(UnsafeCell::new(Slots::EMPTY)) }; MAX_CPUS]);

/// Whether CR4.PCIDE is set on every CPU that runs.
static ON: AtomicBool = AtomicBool::new(false);
/// Whether INVPCID is used.
static INVPCID: AtomicBool = AtomicBool::new(false);
/// A slot's generation is not looked at, on purpose.
static FORGETFUL: AtomicBool = AtomicBool::new(false);

/// Chooses, once, before there is a second CPU, whether PCIDs and INVPCID are used; both exist.
pub fn choose(pcids: bool, invpcid: bool) {
    ON.store(pcids, Relaxed);
    INVPCID.store(pcids && invpcid, Relaxed);
}

/// Breaks the return to a slot, on purpose: what was flushed meanwhile is not looked at (TLB-6). Returns whether this kernel
/// can be broken; only one with debug assertions can.
pub fn forget_generations() -> bool {
    FORGETFUL.store(true, Relaxed);
    cfg!(debug_assertions)
}

/// Begins on a CPU that has just come up: nothing is remembered (LZ-28). It stands on tables without a PCID, interrupts are off.
pub fn start() {
    if is_on() {
        with_own(|slots| *slots = Slots::EMPTY);
        mmu::turn_pcids_on();
    }
}

/// Whether CR3 has PCIDs.
#[inline]
pub fn is_on() -> bool {
    ON.load(Relaxed)
}

/// Whether single pages of any slot can be dropped.
#[inline]
pub fn has_invpcid() -> bool {
    INVPCID.load(Relaxed)
}

/// Returns what is written to CR3 beside `mm`'s address; its generation was just read.
#[inline]
pub(super) fn tag(mm: MmId, generation: u64) -> u64 {
    if is_on() { load(mm, generation) } else { 0 }
}

#[inline(never)]
fn load(mm: MmId, generation: u64) -> u64 {
    let tag = with_own(|slots| match forgets_generations() {
        true => Tag {
            keep: true,
            ..slots.load(mm, generation)
        },
        false => slots.load(mm, generation),
    });
    if tag.keep {
        CR3_KEPT.inc();
    }
    if tag.recycled {
        PCIDS_RECYCLED.inc();
    }
    tag.bits()
}

fn forgets_generations() -> bool {
    cfg!(debug_assertions) && FORGETFUL.load(Relaxed)
}

/// Notes that the slot in use holds nothing older than `generation`. Interrupts are off.
#[inline]
pub(super) fn caught_up(generation: u64) {
    if is_on() {
        with_own(|slots| slots.caught_up(generation));
    }
}

/// Drops the whole slot in use without a write to CR3; returns whether that could be done. Interrupts are off.
#[inline]
pub(super) fn flush_slot_in_use() -> bool {
    let can = has_invpcid();
    if can {
        mmu::flush_pcid(with_own(|slots| slots.in_use()));
        INVPCIDS.inc();
    }
    can
}

/// Follows a flush of an mm that this CPU has not loaded but may remember; `current_gen` was read just now. Interrupts are off.
#[inline]
pub(super) fn follow(request: &FlushRequest, current_gen: u64) {
    if has_invpcid()
        && let Some((pcid, pages)) = with_own(|slots| slots.follow(request, current_gen))
    {
        pages.iter().for_each(|page| {
            mmu::flush_page_of(pcid, page.start());
            INVPCIDS.inc();
        });
    }
}

fn with_own<R>(each: impl FnOnce(&mut Slots) -> R) -> R {
    debug_assert!(
        !cpu::irqs_enabled(),
        "slots are touched with interrupts off"
    );
    // SAFETY: this CPU's, with interrupts off, and `each` calls nobody who would come here.
    each(unsafe { &mut *SLOTS.this().0.get() })
}
