//! A kernel thread's stay in an address space (LZ-23 … LZ-26, KT-4).

use log::info;
use pte::Prot;

use super::address_spaces::mm_with_word;
use crate::mm::counters::{
    COW_COPIED, FAULT_DEMAND_ZERO, LAZY_DROP, LAZY_GRAB, MM_ALIVE, USER_COPIES_REFUSED,
};
use crate::mm::{MmUserRef, switch, uaccess};
use crate::sched::kthread::kthread_use_mm;
use crate::sched::{self, kthread_run};
use crate::smp;
use crate::task;

const AT: u64 = 0x40_0000;

fn home(word: u64) -> MmUserRef {
    mm_with_word(AT, word, Prot::READ | Prot::WRITE)
}

/// In, store, fault, out, refused; with the counts as they must be at each step.
pub(super) fn use_mm() {
    let alive = MM_ALIVE.get();
    let mm = home(5);
    assert!(mm.users() == 1 && mm.count() == 1);
    counts_of_a_stay(&mm);
    stores_and_refusals(&mm);
    copy_on_write(&mm);
    stays_across_switches(&mm);
    again_while_it_is_borrowed(&mm);
    outlives_the_process(mm);
    // The last thing borrowed is given back for something else.
    let other = home(1);
    drop(kthread_use_mm(&other));
    // Another CPU that has nothing to do may still borrow what ran there last.
    assert!(
        MM_ALIVE.get() == alive + 1 || smp::online().len() > 1,
        "an mm that nobody uses and nobody borrows is gone"
    );
    info!(target: "test", "use_mm ok refused={}", USER_COPIES_REFUSED.get());
}

/// LZ-23, LZ-24: both references change kind, in both directions.
fn counts_of_a_stay(mm: &MmUserRef) {
    let (grabs, drops) = (LAZY_GRAB.get(), LAZY_DROP.get());
    let stay = kthread_use_mm(mm);
    assert!(
        mm.users() == 2 && mm.count() == 1,
        "a stay is a user, not a borrower: users {}, count {}",
        mm.users(),
        mm.count()
    );
    assert!(LAZY_DROP.get() == drops + 1 && task::current().has_mm());
    drop(stay);
    assert!(
        mm.users() == 1 && mm.count() == 2,
        "after it the thread borrows: users {}, count {}",
        mm.users(),
        mm.count()
    );
    assert!(LAZY_GRAB.get() == grabs + 1 && !task::current().has_mm());
}

/// LZ-25, I-8: the same store works inside and is refused outside, although CR3 names the same tables.
fn stores_and_refusals(mm: &MmUserRef) {
    let (refused, zeroed) = (USER_COPIES_REFUSED.get(), FAULT_DEMAND_ZERO.get());
    assert!(uaccess::write_user(AT, &1_u64).is_err());
    let stay = kthread_use_mm(mm);
    assert!(uaccess::write_user(AT, &77_u64).is_ok());
    assert!(uaccess::read_user::<u64>(AT) == Ok(77));
    assert!(
        uaccess::write_user(AT + 4096, &1_u64).is_err(),
        "nothing is mapped there"
    );
    drop(stay);
    assert!(switch::this_cpu().loaded == mm.id(), "CR3 stays as it is");
    assert!(
        uaccess::write_user(AT, &99_u64).is_err() && uaccess::read_user::<u64>(AT).is_err(),
        "without an mm there is no user memory, whatever CR3 shows (I-8)"
    );
    assert!(USER_COPIES_REFUSED.get() == refused + 3);
    let mut word = [0; 8];
    mm.read_remote(AT, &mut word)
        .expect("the mapping is readable");
    assert!(u64::from_le_bytes(word) == 77 && FAULT_DEMAND_ZERO.get() == zeroed);
}

/// A store from here is a store of the process's: it copies what a fork shares.
fn copy_on_write(mm: &MmUserRef) {
    let child = mm.fork().expect("memory for a test");
    let copied = COW_COPIED.get();
    {
        let _stay = kthread_use_mm(mm);
        assert!(uaccess::write_user(AT, &78_u64).is_ok());
    }
    assert!(COW_COPIED.get() == copied + 1);
    {
        let _stay = kthread_use_mm(&child);
        assert!(uaccess::read_user::<u64>(AT) == Ok(77));
    }
    let _stay = kthread_use_mm(mm);
    assert!(uaccess::read_user::<u64>(AT) == Ok(78));
}

/// LZ-26: others run in between, and the thread comes back to the mm that it uses.
fn stays_across_switches(mm: &MmUserRef) {
    let other = home(11);
    let neighbour = kthread_run("neighbour", move || {
        for word in 0..50_u64 {
            let _stay = kthread_use_mm(&other);
            assert!(uaccess::write_user(AT, &word).is_ok());
            sched::yield_now();
            assert!(uaccess::read_user::<u64>(AT) == Ok(word));
        }
    });
    let neighbour = neighbour.expect("memory for a test");
    let _stay = kthread_use_mm(mm);
    while neighbour.result().is_none() {
        sched::yield_now();
        assert!(uaccess::read_user::<u64>(AT) == Ok(78));
    }
}

/// LZ-23: even if the mm is the borrowed one, one reference is taken and another one given back.
fn again_while_it_is_borrowed(mm: &MmUserRef) {
    for _ in 0..3 {
        drop(kthread_use_mm(mm));
        assert!(mm.users() == 1 && mm.count() == 2);
    }
}

/// The process ends while the thread is there: user memory goes when the thread leaves.
fn outlives_the_process(mm: MmUserRef) {
    let pin = mm.grab();
    {
        let last = pin.try_user().expect("there are users");
        let _stay = kthread_use_mm(&last);
        drop(mm);
        assert!(uaccess::read_user::<u64>(AT) == Ok(78));
        assert!(pin.users() == 2);
    }
    assert!(
        pin.users() == 0 && pin.rss_pages() == 0 && pin.try_user().is_none(),
        "the last user's memory is gone"
    );
}

/// A second stay inside the first is a bug, and named.
pub(super) fn twice() {
    let (mm, other) = (home(1), home(2));
    let _stay = kthread_use_mm(&mm);
    let _inner = kthread_use_mm(&other);
    panic!("a thread was let into a second address space");
}

/// A thread that ends inside is a bug, and named (KT-4).
pub(super) fn kept() {
    let guest = kthread_run("guest", || {
        let mm = home(1);
        core::mem::forget(kthread_use_mm(&mm));
    });
    let guest = guest.expect("memory for a test");
    while guest.result().is_none() {
        sched::yield_now();
    }
    panic!("a thread ended that used an mm");
}
