//! Words that a kernel thread stores in this program's memory, on Lodger with `postman` on its command line.

use std::fs;

use user::child::{self, Ended};
use user::lodger::Counters;
use user::map::{self, Map};
use user::mem;
use user::probe::{Case, Verdict, code, holds, must, same};
use user::sys;

const CASES: &[Case] = &[
    ("a_word_arrives_where_nothing_was_touched", arrives),
    ("the_childs_copy_stays_as_it_was", copy_on_write),
    ("what_the_program_cannot_store_the_postman_cannot", returned),
    ("nobody_is_home_any_more", nobody_home),
];

/// Runs the cases one after the other; prints how many held.
pub(crate) fn run() -> i32 {
    let mut failed = 0;
    for (name, case) in CASES {
        match case() {
            Ok(()) => println!("ok postman {name}"),
            Err(why) => {
                println!("FAIL postman {name}: {why}");
                failed += 1;
            }
        }
    }
    failed
}

fn post(addr: u64, word: u64) -> Verdict {
    fs::write("/proc/self/postman", format!("{addr:x} {word:x}")).map_err(|error| error.to_string())
}

/// Naps until something holds; gives up after many naps.
fn nap_until(what: &str, holds_now: impl Fn() -> bool) -> Verdict {
    for _ in 0..2000 {
        if holds_now() {
            return Ok(());
        }
        must("nanosleep", sys::sleep_ms(5))?;
    }
    Err(format!("in vain: {what}"))
}

fn counter(name: &str) -> u64 {
    Counters::new().get(name).unwrap_or(0)
}

fn arrives() -> Verdict {
    let map = must("mmap", Map::anon(3, map::RW))?;
    let at = map.page(1) + 8;
    post(at, 0xfeed_beef)?;
    nap_until("the word", || mem::peek64(at) == 0xfeed_beef)?;
    same("the word beside it", mem::peek64(at + 8), 0)?;
    // Across the boundary of two pages.
    let at = map.page(2) - 4;
    post(at, 0x1122_3344_5566_7788)?;
    nap_until("the word", || mem::peek64(at) == 0x1122_3344_5566_7788)
}

fn copy_on_write() -> Verdict {
    let map = must("mmap", Map::anon(1, map::RW))?;
    mem::poke64(map.page(0), 1);
    let [tell, told] = must("pipe", sys::pipe())?;
    let pid = must(
        "fork",
        child::start(|| {
            let mut byte = [0_u8];
            let heard = sys::read(tell, sys::at(&mut byte), 1);
            i32::from(heard.is_err() || mem::peek64(map.page(0)) != 1)
        }),
    )?;
    post(map.page(0), 2)?;
    nap_until("the word", || mem::peek64(map.page(0)) == 2)?;
    must("write", sys::write(told, sys::at(&mut [0_u8]), 1))?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )
}

fn returned() -> Verdict {
    let map = must("mmap", Map::anon(2, map::RW))?;
    map.fill(3);
    must("mprotect", map.protect(libc::PROT_READ))?;
    for at in [map.page(0), 8, 0x7fff_ffff_f000, u64::MAX - 7, 1 << 63] {
        let before = counter("letters_returned");
        post(at, 4)?;
        nap_until("a letter that comes back", || {
            counter("letters_returned") > before
        })?;
    }
    holds("nothing was stored", map.holds(3))?;
    let bad = ["", "1", "x y", "1 2 3", "-1 0"];
    let taken = bad
        .iter()
        .filter(|text| fs::write("/proc/self/postman", text.as_bytes()).is_ok());
    // The empty one is no write at all.
    same(
        "nonsense taken",
        taken.filter(|text| !text.is_empty()).count(),
        0,
    )
}

const VISITS: u64 = 30;

/// Processes that post and end at once: each letter is accounted for, and nobody's memory is left behind.
fn nobody_home() -> Verdict {
    let sum =
        || counter("letters_delivered") + counter("letters_returned") + counter("letters_lost");
    let before = sum();
    for word in 0..VISITS {
        let ended = child::run(|| {
            code(
                Map::anon(1, map::RW)
                    .map_err(|e| format!("{e:?}"))
                    .and_then(|map| post(map.page(0), word)),
            )
        });
        same("a child", must("fork", ended)?, Ended::Exited(0))?;
    }
    nap_until("all letters", || sum() == before + VISITS)
}
