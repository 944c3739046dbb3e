//! Threads whose memory changes while others look, sleep or are gone: for stories that count interrupts.
//!
//! What they must see is checked here; how many processors were asked to forget is in the kernel's counters.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use user::child;
use user::lodger::Counters;
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::sys;
use user::threads::{Helper, THREAD};

/// Where the pages are, for helpers, which are given one word.
static AT: AtomicU64 = AtomicU64::new(0);
/// Helpers that have touched them.
static READY: AtomicU32 = AtomicU32::new(0);
/// How often it is looked whether the ended ones' memory has come back, at most.
const LOOKS: u32 = 100;
/// 1 when helpers are to end; a futex.
static OVER: AtomicU32 = AtomicU32::new(0);

fn over() -> u64 {
    OVER.as_ptr() as u64
}

/// Stays on one processor, if there is such a one.
fn stay_on(cpu: u64) {
    let mut cpus = [1_u64 << cpu];
    let _ = sys::call(libc::SYS_sched_setaffinity, [0, 8, sys::at(&mut cpus)]);
}

/// Touches the pages and sleeps until it is over.
extern "C" fn sleep(number: u64) -> u64 {
    stay_on(number + 1);
    let _ = mem::peek(AT.load(SeqCst));
    READY.fetch_add(1, SeqCst);
    while OVER.load(SeqCst) == 0 {
        let wait = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as u64;
        let _ = sys::call(libc::SYS_futex, [over(), wait, 0, 0]);
    }
    0
}

/// Reads the first page until it is over: what it says never goes back.
extern "C" fn watch(number: u64) -> u64 {
    stay_on(number + 1);
    let (at, mut last, mut wrong) = (AT.load(SeqCst), 0, 0);
    READY.fetch_add(1, SeqCst);
    while OVER.load(SeqCst) == 0 {
        let now = mem::peek64(at);
        wrong += u64::from(now < last);
        last = now;
    }
    wrong
}

fn begin(work: extern "C" fn(u64) -> u64, count: u32) -> Option<Vec<Helper>> {
    // One page more than is changed, so that no page table becomes empty.
    stay_on(0);
    let pages = Map::anon(2, map::RW).ok()?;
    mem::poke64(pages.start, 1);
    mem::poke64(pages.start + PAGE, 1);
    AT.store(pages.start, SeqCst);
    let helpers: Option<Vec<_>> = (0..count)
        .map(|number| Helper::start(THREAD, work, u64::from(number)).ok())
        .collect();
    while READY.load(SeqCst) < count {
        let _ = sys::sleep_ms(1);
    }
    helpers
}

fn end(helpers: Vec<Helper>) {
    OVER.store(1, SeqCst);
    let wake = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as u64;
    let _ = sys::call(libc::SYS_futex, [over(), wake, i32::MAX as u64]);
    helpers.into_iter().for_each(Helper::join);
}

/// Takes the right to write from a page and gives it back, with a write after it.
fn flip(at: u64, value: u64) -> bool {
    let taken = sys::mprotect(at, PAGE, libc::PROT_READ).is_ok();
    let given = sys::mprotect(at, PAGE, libc::PROT_READ | libc::PROT_WRITE).is_ok();
    mem::poke64(at, value);
    taken && given
}

/// `shootdown asleep N` and `shootdown awake N`: changes rights while another thread sleeps, or looks on.
pub(crate) fn run(awake: bool, rounds: u64) -> i32 {
    let Some(helpers) = begin(if awake { watch } else { sleep }, 1) else {
        println!("shootdown: no helper");
        return 1;
    };
    // Let the other one fall asleep.
    let _ = sys::sleep_ms(20);
    let flipped = (0..rounds)
        .filter(|round| flip(AT.load(SeqCst), round + 2))
        .count();
    end(helpers);
    println!("shootdown: {flipped} flips");
    i32::from(flipped as u64 != rounds)
}

/// Maps, touches and unmaps as much as a page table describes, and more; the helpers have gone by then.
fn unhook() -> bool {
    let _ = sys::sleep_ms(20);
    let Ok(map) = Map::anon(1024, map::RW) else {
        return false;
    };
    mem::poke(map.page(700), 1);
    sys::munmap(map.start, map.bytes()).is_ok()
}

/// `shootdown borrowed N`: processes end while the CPUs that their other threads slept on still borrow their memory. Every
/// other one takes a page table away when its threads have ended: those CPUs leave its memory then, and are not told of the end.
pub(crate) fn borrowed(rounds: u64) -> i32 {
    stay_on(0);
    let before = Counters::new();
    let ended = (0..rounds).filter(|round| {
        let pid = child::start(|| {
            let Some(helpers) = begin(sleep, 3) else {
                return 1;
            };
            if round % 2 == 0 {
                // The helpers end with the process.
                std::mem::forget(helpers);
                return 0;
            }
            end(helpers);
            i32::from(!unhook())
        });
        pid.is_ok_and(|pid| child::wait(pid).is_ok_and(|ended| ended == child::Ended::Exited(0)))
    });
    let ended = ended.count();
    let mut now = Counters::new();
    for _ in 0..LOOKS {
        now.take();
        if now.get("mm_alive") <= before.get("mm_alive") {
            break;
        }
        let _ = sys::sleep_ms(2);
    }
    let [was, is] = [&before, &now].map(|counters| counters.get("mm_alive").unwrap_or(0));
    let kept = is.saturating_sub(was);
    println!("shootdown: {ended} processes ended, {kept} address spaces stayed behind");
    i32::from(ended as u64 != rounds || kept != 0)
}
