//! kstatd: deferred work that looks at the kernel thread which does it. That has no mm, so each time it runs it
//! says on whose address space it is lodging; and it checks that CR3 agrees.
//!
//! `kstatd=MS` on the command line sets the period, `kstatd=0` silences it.

use bootinfo::CommandLine;
use log::{debug, info};

use crate::arch::mmu;
use crate::locks::{Once, SpinLock, rank};
use crate::mm::{counters, frame, init_mm, init_mm_root};
use crate::task::{self, TaskMm};
use crate::workqueue::{Work, WorkRef, queue_delayed_work};

/// Half a second, unless the command line says otherwise.
const DEFAULT_MS: u64 = 500;

/// Returns the period in ns; 0 for never.
pub fn period(cmdline: &CommandLine) -> u64 {
    super::period(cmdline, "kstatd", DEFAULT_MS)
}

static WORK: Once<WorkRef> = Once::new();
/// What was found last.
static LAST: SpinLock<Option<Borrowed>, { rank::WORK_LIST }> = SpinLock::new(None);

/// Looks for the first time after a period, and then again and again; there are workers by then.
pub fn start(period: u64) {
    if period > 0 {
        queue_delayed_work(WORK.call_once(|| Work::new(move || turn(period))), period);
    }
}

fn turn(period: u64) {
    let borrowed = look();
    let last = LAST.lock().replace(borrowed);
    if last != Some(borrowed) {
        info!(target: "kstatd", "{}", Lodging(borrowed));
    } else {
        debug!(target: "kstatd", "{}", Lodging(borrowed));
    }
    let own = WORK.get().expect("it was queued");
    queue_delayed_work(own, period);
}

/// Where the thread found itself.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Borrowed {
    /// The borrowed mm; 0 is `init_mm`.
    active_mm: u64,
    /// What CR3 holds: the PML4's physical address.
    cr3: u64,
    /// Whether CR3 holds the borrowed mm, not `init_mm` behind its back (LZ-10).
    loaded: bool,
}

/// Reads the current task's borrowed mm and CR3, which must be that mm's PML4 or `init_mm`'s (LZ-10).
fn look() -> Borrowed {
    let task = task::current();
    let slot = task.mm_slot().lock(); // Interrupts are off: no switch comes between the two readings.
    let TaskMm::Lazy(borrowed) = &*slot else {
        unreachable!("a kernel thread that runs has a borrowed mm and no other (I-3)")
    };
    let cr3 = mmu::current_root();
    // Without a reference there is nothing to compare with: the thread borrows what is loaded.
    let root = borrowed.mm().map_or(cr3, |mm| mm.root());
    let active = borrowed.active();
    let loaded = cr3 == root;
    assert!(
        loaded || cr3 == init_mm_root(),
        "CR3 is the borrowed mm's or init_mm's, not {cr3:?}"
    );
    counters::KSTATD_LOOKS.inc();
    counters::KSTATD_BORROWED.add(i64::from(active != init_mm().id()));
    Borrowed {
        active_mm: active.as_u64(),
        cr3: cr3.start().as_u64(),
        loaded,
    }
}

/// Tells it in a line.
struct Lodging(Borrowed);

impl core::fmt::Display for Lodging {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Borrowed {
            active_mm,
            cr3,
            loaded,
        } = self.0;
        match active_mm {
            0 => write!(f, "no mm of my own; lodging in init_mm, cr3 {cr3:#x}")?,
            id => write!(f, "no mm of my own; lodging in mm {id}, cr3 {cr3:#x}")?,
        }
        if !loaded {
            write!(f, " (init_mm's: the owner has gone)")?;
        }
        let (switches, writes) = (counters::CONTEXT_SWITCHES.get(), counters::CR3_WRITES.get());
        let free = frame::count(frame::Owner::Free);
        write!(
            f,
            "; {switches} switches, {writes} CR3 writes, {free} frames free"
        )
    }
}
