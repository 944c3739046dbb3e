//! Address spaces from inside: upper halves, lazy switching, and who frees what when.
//!
//! A kernel thread that execs an mm is a user task as far as the switch is concerned (LZ-1), so
//! the four rows can be walked without a program.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use log::info;
use pte::Prot;
use vma::VmFlags;

use crate::arch::mmu;
use crate::mm::counters::{
    CR3_SKIPPED_LAZY, CR3_WRITES, LAZY_GRAB, MM_ALIVE, MM_FREED, PML4_ALIVE,
};
use crate::mm::frame::{self, Owner};
use crate::mm::{Borrow, MapBacking, MapKind, MapRequest, Mm, MmUserRef, audit};
use crate::sched::{self, kthread_run};
use crate::task::{self, TaskMm};

/// An mm with one writable mapping at `addr`, whose first word is `word`.
pub(super) fn mm_with_word(addr: u64, word: u64, prot: Prot) -> MmUserRef {
    let mm = Mm::new().expect("memory for a test");
    let flags = VmFlags::MAYREAD | VmFlags::MAYWRITE | VmFlags::MAYEXEC;
    let request = MapRequest {
        addr,
        len: 4096,
        prot,
        kind: MapKind::Fixed,
        flags,
        populate: false,
        backing: MapBacking::ANON,
    };
    mm.map(&request).expect("an empty mm has room");
    mm.write_remote(addr, &word.to_le_bytes())
        .expect("the mapping is writable");
    mm
}

fn read_word(mm: &Mm, addr: u64) -> u64 {
    let mut bytes = [0; 8];
    mm.read_remote(addr, &mut bytes)
        .expect("the mapping is readable");
    u64::from_le_bytes(bytes)
}

/// I-2, KH-1: mappings made after a PML4 was copied show in it, because no slot ever changes.
pub(super) fn khalf() {
    let mms: [MmUserRef; 8] =
        core::array::from_fn(|word| mm_with_word(0x40_0000, word as u64, Prot::READ | Prot::WRITE));
    // New kernel stacks and heap pages, seen through every one of them.
    let running = Arc::new(AtomicU32::new(0));
    for mm in &mms {
        let (mm, running) = (mm.clone(), running.clone());
        kthread_run("khalf-user", move || use_and_leave(mm, &running)).expect("memory for a test");
    }
    while running.load(SeqCst) < mms.len() as u32 {
        sched::yield_now();
    }
    let report = audit().unwrap_or_else(|what| panic!("{what}"));
    assert!(
        report.slots == 256,
        "all 256 upper slots are filled: {}",
        report.slots
    );
    assert!(
        report.pml4s >= 9,
        "the audit saw all live PML4s: {}",
        report.pml4s
    );
    for (word, mm) in (0..).zip(&mms) {
        assert!(
            read_word(mm, 0x40_0000) == word,
            "each mm has its own page at the same address"
        );
    }
    info!(target: "test", "khalf ok slots={} pml4s={}", report.slots, report.pml4s);
}

/// Runs on `mm` for a while, on a kernel stack and heap memory younger than its PML4.
fn use_and_leave(mm: MmUserRef, running: &AtomicU32) {
    drop(task::exec_mm(mm));
    let heap = alloc::vec![running as *const _ as usize; 3000];
    sched::yield_now();
    assert!(
        heap.iter()
            .all(|word| *word == running as *const _ as usize),
        "the heap is the same in every PML4"
    );
    running.fetch_add(1, SeqCst);
    drop(heap);
    task::exit_mm();
}

/// LZ-12: user → kthread → same user writes CR3 zero times.
pub(super) fn lazy() {
    const ROUNDS: u32 = 1000;
    let done = Arc::new(AtomicBool::new(false));
    let partner_done = done.clone();
    kthread_run("lazy-partner", move || {
        while !partner_done.load(SeqCst) {
            sched::yield_now();
        }
    })
    .expect("memory for a test");
    drop(task::exec_mm(mm_with_word(
        0x40_0000,
        1,
        Prot::READ | Prot::WRITE,
    )));
    sched::yield_now();
    let before = (CR3_WRITES.get(), CR3_SKIPPED_LAZY.get(), LAZY_GRAB.get());
    (0..ROUNDS).for_each(|_| sched::yield_now());
    let (writes, skipped, grabs) = (
        CR3_WRITES.get() - before.0,
        CR3_SKIPPED_LAZY.get() - before.1,
        LAZY_GRAB.get() - before.2,
    );
    assert!(
        writes == 0,
        "user → kthread → same user writes CR3 zero times, not {writes}"
    );
    assert!(
        skipped >= i64::from(ROUNDS),
        "each round left and came back: {skipped}"
    );
    assert!(
        grabs >= i64::from(ROUNDS),
        "each round the kthread borrowed: {grabs}"
    );
    done.store(true, SeqCst);
    task::exit_mm();
    info!(target: "test", "lazy ok rounds={ROUNDS} cr3_writes={writes} cr3_skipped_lazy={skipped} lazy_grab={grabs}");
}

/// LZ-8, MM-6: the PML4 outlives its process while a kernel thread borrows it, and not longer.
pub(super) fn zombie() {
    let (alive, freed) = (PML4_ALIVE.get(), MM_FREED.get());
    let mm = mm_with_word(0x40_0000, 7, Prot::READ | Prot::WRITE);
    let (id, root) = (mm.id().as_u64(), mm.root());
    let gone = Arc::new(AtomicBool::new(false));
    let owner_gone = gone.clone();
    kthread_run("zombie-owner", move || {
        drop(task::exec_mm(mm));
        task::exit_mm();
        owner_gone.store(true, SeqCst);
    })
    .expect("memory for a test");
    while !gone.load(SeqCst) {
        sched::yield_now();
    }
    let (users, count) = match &*task::current().mm_slot().lock() {
        TaskMm::Lazy(Borrow::Counted(mm)) if mm.id().as_u64() == id => (mm.users(), mm.count()),
        _ => panic!("this thread borrows the mm of the task that ended just before it"),
    };
    assert!(
        users == 0 && count == 1,
        "users {users}, count {count}: only the borrower is left"
    );
    assert!(
        PML4_ALIVE.get() == alive + 1 && frame::info(root).owner() == Owner::PageTable,
        "the PML4 is still there"
    );
    assert!(
        mmu::current_root() != root,
        "CR3 left the tables before they were freed (LZ-17)"
    );
    // A switch to any user task ends the borrow; the drop comes after it, on that task's stack.
    drop(task::exec_mm(mm_with_word(
        0x40_0000,
        8,
        Prot::READ | Prot::WRITE,
    )));
    assert!(
        MM_FREED.get() == freed + 1,
        "the last borrower's drop freed the PML4"
    );
    assert!(
        PML4_ALIVE.get() == alive + 1,
        "only the new mm's PML4 is left"
    );
    task::exit_mm();
    info!(target: "test", "zombie ok mm={id} users={users} count={count} freed=after");
}

/// MM-9, I-5: user memory goes with the last user, the PML4 with the last pin, in that order.
pub(super) fn lifetime() {
    let (mms, anon, tables) = (
        MM_ALIVE.get(),
        frame::count(Owner::Anon),
        frame::count(Owner::PageTable),
    );
    let mm = mm_with_word(0x40_0000, 9, Prot::READ | Prot::WRITE);
    let second = mm.clone();
    let pin = mm.grab();
    assert!(
        mm.users() == 2 && mm.count() == 2,
        "all users together hold one unit of mm_count (I-4)"
    );
    assert!(
        frame::count(Owner::Anon) == anon + 1 && frame::count(Owner::PageTable) == tables + 4,
        "one page, four tables"
    );
    drop(mm);
    drop(second);
    assert!(
        frame::count(Owner::Anon) == anon && frame::count(Owner::PageTable) == tables + 1,
        "only the PML4 is left"
    );
    assert!(
        pin.users() == 0 && pin.try_user().is_none(),
        "there is no way back from users 0 (MM-8)"
    );
    assert!(
        MM_ALIVE.get() == mms + 1,
        "the mm object lives while it is pinned"
    );
    drop(pin);
    assert!(
        frame::count(Owner::PageTable) == tables && MM_ALIVE.get() == mms,
        "the last pin frees the PML4"
    );
    info!(target: "test", "lifetime ok");
}
