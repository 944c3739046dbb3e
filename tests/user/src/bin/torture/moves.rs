//! Pages that move away, threads that sleep or move to another processor meanwhile.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::must;
use user::sys;

use crate::field::{
    WORKERS, all_have_seen, give_way, insist, look_on, note_seen, place, publish, set_place,
    with_workers, wrong,
};
use crate::pages::{apart, words, writes_own_word};

/// The page moves to another address: from then on nobody writes to it through the old one.
pub(crate) fn moved(rounds: u64) -> Result<(), String> {
    let page = apart(1)?;
    let away = apart(1)?;
    set_place(page);
    let how = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as u64;
    with_workers(writes_own_word, || {
        for round in 1..=rounds {
            all_have_seen(round - 1);
            let moves = [page, PAGE, PAGE, how, away];
            must("mremap", sys::call(libc::SYS_mremap, moves))?;
            let before = words(away);
            let fixed = map::ANON | libc::MAP_FIXED;
            must("mmap", sys::mmap(page, PAGE, map::RW, fixed, -1, 0))?;
            publish(round);
            all_have_seen(round);
            let after = words(away);
            insist(&format!("{before:?} stay, not {after:?}"), before == after)?;
        }
        Ok(())
    })
}

/// A word for each worker to sleep on.
static BELLS: [AtomicU32; WORKERS] = [const { AtomicU32::new(0) }; WORKERS];

/// What a bell says when nobody is to sleep any more.
const NO_SLEEP: u32 = u32::MAX;

fn futex(bell: &AtomicU32, op: i32, value: u32) {
    let addr = std::ptr::from_ref(bell) as u64;
    let op = (op | libc::FUTEX_PRIVATE_FLAG) as u64;
    let _ = sys::call(libc::SYS_futex, [addr, op, u64::from(value), 0]);
}

/// Looks, and sleeps until its bell rings.
extern "C" fn sleeps_then_looks(number: u64) -> u64 {
    let mut heard = 0;
    let bell = &BELLS[number as usize];
    look_on(number, |before| {
        let value = mem::peek64(place());
        if value < before || value > before + 1 {
            wrong(before, value, before);
        }
        note_seen(number, before);
        while bell.load(SeqCst) == heard && heard != NO_SLEEP {
            futex(bell, libc::FUTEX_WAIT, heard);
        }
        heard = bell.load(SeqCst);
    })
}

/// LZ-12: the page is replaced while the workers' processors have nothing to do; they wake and must see the new one.
pub(crate) fn lazy_idle_then_wake(rounds: u64) -> Result<(), String> {
    let page = apart(1)?;
    set_place(page);
    mem::poke64(page, 0);
    let spare = must("mmap", Map::anon(1, map::RW))?.start;
    let how = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as u64;
    let ring = || {
        for bell in &BELLS {
            bell.fetch_add(1, SeqCst);
            futex(bell, libc::FUTEX_WAKE, 1);
        }
    };
    with_workers(sleeps_then_looks, || {
        for round in 1..=rounds {
            all_have_seen(round - 1);
            // They sleep, or are about to.
            must("sleep", sys::sleep_ms(1))?;
            mem::poke64(spare, round);
            let moves = [spare, PAGE, PAGE, how, page];
            must("mremap", sys::call(libc::SYS_mremap, moves))?;
            let fixed = map::ANON | libc::MAP_FIXED;
            must("mmap", sys::mmap(spare, PAGE, map::RW, fixed, -1, 0))?;
            publish(round);
            ring();
        }
        all_have_seen(rounds);
        for bell in &BELLS {
            bell.store(NO_SLEEP, SeqCst);
            futex(bell, libc::FUTEX_WAKE, 1);
        }
        Ok(())
    })
}

/// Asks to run on this processor only; not everybody has it.
fn run_on(cpu: u64) -> bool {
    let mut mask = 1_u64 << cpu;
    sys::call(libc::SYS_sched_setaffinity, [0, 8, sys::at(&mut mask)]).is_ok()
}

extern "C" fn keeps_busy(number: u64) -> u64 {
    look_on(number, |_| give_way())
}

/// A thread looks at a page on one processor, replaces it on another, and looks again on the first.
pub(crate) fn migrate(rounds: u64) -> Result<(), String> {
    let page = apart(1)?;
    with_workers(keeps_busy, || {
        for round in 1..=rounds {
            run_on(0);
            mem::poke64(page, 1 << 40 | round);
            insist("what was written", mem::peek64(page) == 1 << 40 | round)?;
            run_on(round % 2);
            let fixed = map::ANON | libc::MAP_FIXED;
            must("mmap", sys::mmap(page, PAGE, map::RW, fixed, -1, 0))?;
            mem::poke64(page, round);
            run_on(0);
            insist("what was written elsewhere", mem::peek64(page) == round)?;
            publish(round);
        }
        Ok(())
    })
}
