//! What a task stands on: an mm of its own, a borrowed one, or nothing while it does not run.
//!
//! | state | `mm` | `active_mm` | counts held |
//! |---|---|---|---|
//! | `User` | own | the same (I-3) | one `mm_users` |
//! | `Lazy` | none | borrowed | one `mm_count`, or none with `lazy=shoot` |
//! | `Off` | none | none | – ; a kernel task that does not run |
//!
//! The scheduler moves the borrowed reference along (LZ-1 … LZ-3); here are the other two changes:
//! exec replaces the own mm, exit turns the own mm into a borrowed one.

use core::ptr;

use lazytlb::MmId;

use crate::arch::cpu;
use crate::mm::counters::{LAZY_DROP, LAZY_GIVEN_BACK, LAZY_GRAB};
use crate::mm::{Borrow, Mm, MmUserRef, switch};

use super::current::current;

/// What a task stands on.
pub enum TaskMm {
    /// An address space of its own; user code may run.
    User(MmUserRef),
    /// A borrowed address space: a kernel task that runs, or an exiting one.
    Lazy(Borrow),
    /// Nothing: a kernel task that does not run.
    Off,
}

impl TaskMm {
    /// Returns the address of the mm, if it is the task's own, or null.
    pub(super) fn own(&self) -> *mut Mm {
        match self {
            Self::User(mm) => ptr::from_ref::<Mm>(mm).cast_mut(),
            _ => ptr::null_mut(),
        }
    }
}

/// Returns the current task's own mm, as one more user of it.
#[inline]
pub fn current_mm() -> Option<MmUserRef> {
    match &*current().mm_slot().lock() {
        TaskMm::User(mm) => Some(mm.clone()),
        _ => None,
    }
}

/// Returns the number of the current task's own mm.
pub fn current_mm_id() -> Option<MmId> {
    match &*current().mm_slot().lock() {
        TaskMm::User(mm) => Some(mm.id()),
        _ => None,
    }
}

/// Puts the current task onto `new`, in one step as far as interrupts are concerned (LZ-22).
///
/// Returns the old own mm, to be dropped when no lock is held. A kernel thread that execs (the
/// start of init) gives its borrowed reference back instead (LZ-21).
pub fn exec_mm(new: MmUserRef) -> Option<MmUserRef> {
    let task = current();
    let mut slot = task.mm_slot().lock(); // Interrupts are off from here on.
    let old = core::mem::replace(&mut *slot, TaskMm::User(new.clone()));
    task.note_own_mm(&slot);
    switch::switch_mm(&new);
    drop(slot);
    match old {
        TaskMm::User(mm) => Some(mm),
        TaskMm::Lazy(borrowed) => {
            end(borrowed);
            None
        }
        TaskMm::Off => unreachable!("a running task stands on some mm (I-3)"),
    }
}

/// Ends a borrow when CR3 is off the mm and no lock is held.
fn end(borrowed: Borrow) {
    if let Some(mm) = borrowed.end() {
        LAZY_DROP.inc();
        drop(mm);
    }
}

/// Gives a borrowed mm back whose PML4 this CPU has left; for an idle task, which may not get to run another program for
/// long, and would keep what dies meanwhile (LZ-8, LZ-29).
pub fn give_left_back() {
    let task = current();
    let mut slot = task.mm_slot().lock();
    let TaskMm::Lazy(borrowed) = &mut *slot else {
        return;
    };
    if borrowed.is_left() {
        let left = core::mem::replace(borrowed, Borrow::init());
        drop(slot);
        LAZY_GIVEN_BACK.inc();
        LAZY_GRAB.inc(); // of init_mm
        end(left);
    }
}

/// Moves the current task, which borrows, onto `init_mm`, and gives back what it borrowed (LZ-27). Interrupts are off, or this
/// CPU runs nothing else.
pub fn borrow_init() {
    let task = current();
    let mut slot = task.mm_slot().lock();
    let TaskMm::Lazy(borrowed) = &mut *slot else {
        unreachable!("a task without an mm of its own borrows one while it runs (I-3)")
    };
    let old = core::mem::replace(borrowed, Borrow::init());
    switch::load_init();
    drop(slot);
    LAZY_GRAB.inc(); // of init_mm
    end(old);
}

/// Gives the current task's own mm up and goes on borrowing it (LZ-16).
///
/// The last user's memory is torn down right here, on the dying task's stack, before its parent
/// learns anything (LZ-18).
pub fn exit_mm() {
    let task = current();
    let mut slot = task.mm_slot().lock();
    let TaskMm::User(mm) = &*slot else { return };
    let borrowed = Borrow::of(mm);
    let old = core::mem::replace(&mut *slot, TaskMm::Lazy(borrowed));
    task.note_own_mm(&slot);
    debug_assert!(!cpu::irqs_enabled(), "mm and lazy mode change as one");
    switch::enter_lazy_tlb();
    drop(slot);
    drop(old);
}
