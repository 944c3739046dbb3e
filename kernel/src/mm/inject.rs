//! Makes the n-th allocation fail, to show that whoever asked for it can live with that.
//!
//! A program arms it for itself by writing n to `/proc/self/fail-nth`, or the kernel command line does for
//! everybody (`failalloc=N[,SITE]`), counted from the start of the first program on. Counted is whatever the armed task asks for where a failure is an answer:
//! frames for pages, tables and stacks, and [`frame::can_spare`](super::frame::can_spare), which is
//! asked before the heap is used in a way that cannot be undone. One task is armed at a time.

use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

use super::counters::ALLOC_FAILURES_INJECTED;
use super::frame::Owner;
use crate::arch::local;

/// Where an allocation is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Site {
    /// A frame of anonymous memory.
    Anon,
    /// A frame for a page of a file.
    PageCache,
    /// A page table.
    PageTable,
    /// A page of a kernel stack.
    Kstack,
    /// The question whether the heap can have some more.
    Heap,
}

/// All sites with their names on the kernel command line.
pub const SITES: [(Site, &str); 5] = [
    (Site::Anon, "anon"),
    (Site::PageCache, "page_cache"),
    (Site::PageTable, "page_table"),
    (Site::Kstack, "kstack"),
    (Site::Heap, "heap"),
];

/// Every site.
const ALL: u8 = u8::MAX;

/// How many allocations are left up to and with the one that fails; 0 while nothing is armed.
static LEFT: AtomicU32 = AtomicU32::new(0);
/// The armed task; null for any.
static TASK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
/// The site that is counted, or [`ALL`].
static SITE: AtomicU8 = AtomicU8::new(ALL);
/// Whether the armed task is where a failure is no answer.
static PAUSED: AtomicBool = AtomicBool::new(false);

/// Makes the current task's `nth` allocation from now on fail; 0 disarms.
pub fn arm(nth: u32) {
    arm_for(local::current(), nth, None);
}

/// Makes the `nth` allocation from now on fail, whoever asks for it, at one site or at any.
pub fn arm_everybody(nth: u32, site: Option<Site>) {
    arm_for(core::ptr::null(), nth, site);
}

fn arm_for(task: *const (), nth: u32, site: Option<Site>) {
    LEFT.store(0, Relaxed);
    TASK.store(task.cast_mut(), Relaxed);
    SITE.store(site.map_or(ALL, |site| site as u8), Relaxed);
    LEFT.store(nth, Release);
}

/// Returns how many allocations are still to come, the one that fails included; 0 if it did, or
/// if the current task is not armed.
pub fn left() -> u32 {
    if is_armed() { LEFT.load(Acquire) } else { 0 }
}

/// Disarms the current task, which ends.
pub fn disarm() {
    if is_armed() {
        LEFT.store(0, Relaxed);
    }
}

fn is_armed() -> bool {
    TASK.load(Relaxed).cast_const() == local::current()
}

/// Counts an allocation of the current task and tells whether it is to fail.
pub(super) fn fails(site: Site) -> bool {
    LEFT.load(Relaxed) != 0 && counts(site) && {
        let last = LEFT.fetch_sub(1, Relaxed) == 1;
        if last {
            ALLOC_FAILURES_INJECTED.inc();
        }
        last
    }
}

fn counts(site: Site) -> bool {
    let wanted = SITE.load(Relaxed);
    let ours = is_armed() || TASK.load(Relaxed).is_null();
    ours && !PAUSED.load(Relaxed) && (wanted == ALL || wanted == site as u8)
}

/// Whether a frame for `owner` is not to be had this time.
pub(super) fn refuses(owner: Owner) -> bool {
    let site = match owner {
        Owner::Anon => Site::Anon,
        Owner::PageCache => Site::PageCache,
        Owner::PageTable => Site::PageTable,
        Owner::Kstack => Site::Kstack,
        _ => return false,
    };
    fails(site)
}

/// While it lives, nothing fails: the heap grows for somebody who cannot be refused.
pub(super) struct Pause {
    before: bool,
}

impl Pause {
    pub(super) fn new() -> Self {
        Self {
            before: PAUSED.swap(true, Relaxed),
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        PAUSED.store(self.before, Relaxed);
    }
}
