//! Charging promises: the private writable pages of all mappings, and shared anonymous memory (VM-14).
//!
//! What is charged is marked by [`VmFlags::ACCOUNT`] and given back when it is unmapped.

use core::sync::atomic::{
    AtomicI64, AtomicU64,
    Ordering::{AcqRel, Relaxed},
};

use vma::{Overcommit, VmFlags};

use super::{OutOfMemory, frame};
use crate::arch::local;

static COMMITTED: AtomicI64 = AtomicI64::new(0);
/// What of that is promised by objects and not by mappings.
static SHARED: AtomicI64 = AtomicI64::new(0);
static MODE: AtomicU64 = AtomicU64::new(Overcommit::Heuristic as u64);
/// Per cent of the memory that may be promised in the strictest mode.
static RATIO: AtomicU64 = AtomicU64::new(50);

/// Returns how promises are limited.
pub fn mode() -> Overcommit {
    Overcommit::new(MODE.load(Relaxed)).expect("only modes are stored")
}

/// Sets how promises are limited from now on.
pub fn set_mode(mode: Overcommit) {
    MODE.store(mode as u64, Relaxed);
}

/// Returns the share of the memory that may be promised, in per cent.
pub fn ratio() -> u64 {
    RATIO.load(Relaxed)
}

/// Sets that share.
pub fn set_ratio(percent: u64) {
    RATIO.store(percent, Relaxed);
}

/// Returns how many pages are promised.
pub fn committed() -> u64 {
    COMMITTED.load(Relaxed).max(0) as u64
}

/// Returns how many pages the strictest mode lets be promised.
pub fn limit() -> u64 {
    vma::commit_limit(frame::total(), ratio())
}

/// Promises `pages`, which [`uncharge`] takes back.
pub fn charge(pages: u64) -> Result<(), OutOfMemory> {
    if pages == 0 {
        return Ok(());
    }
    let before = COMMITTED.fetch_add(pages as i64, AcqRel).max(0) as u64;
    if mode().allows(pages, before, frame::total(), ratio()) {
        return Ok(());
    }
    uncharge(pages);
    Err(OutOfMemory)
}

/// Takes back a promise.
pub fn uncharge(pages: u64) {
    COMMITTED.fetch_sub(pages as i64, AcqRel);
}

/// Returns whether the pages of a mapping with these flags are charged.
pub fn is_charged(flags: VmFlags) -> bool {
    flags.contains(VmFlags::WRITE) && !flags.intersects(VmFlags::SHARED | VmFlags::NORESERVE)
}

/// As [`charge`] for shared memory, whose pages belong to no mapping.
pub fn charge_shared(pages: u64) -> Result<(), OutOfMemory> {
    at_once(|| {
        charge(pages)?;
        SHARED.fetch_add(pages as i64, AcqRel);
        Ok(())
    })
}

/// Takes back what [`charge_shared`] promised.
pub fn uncharge_shared(pages: u64) {
    at_once(|| {
        uncharge(pages);
        SHARED.fetch_sub(pages as i64, AcqRel);
    });
}

/// Returns what the mappings must be charged for, all together: for `fsck`.
pub(super) fn by_mappings() -> i64 {
    COMMITTED.load(Relaxed) - SHARED.load(Relaxed)
}

/// Lets nobody see one count without the other; there is one processor.
fn at_once<T>(change: impl FnOnce() -> T) -> T {
    local::preempt_disable();
    let result = change();
    local::preempt_enable_no_resched();
    result
}
