//! Forks beside threads that write: what a child has is what was there when it was made.

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::must;
use user::sys;

use crate::field::{
    WORKERS, act_on, all_have_seen, give_way, insist, look_on, place, publish, set_place,
    with_workers,
};
use crate::pages::{apart, words, writes_own_word};

/// FK-3: the child's page stays as it was, however the parent's threads write on.
pub(crate) fn forked(rounds: u64) -> Result<(), String> {
    let page = apart(1)?;
    set_place(page);
    with_workers(writes_own_word, || {
        for round in 1..=rounds {
            publish(round);
            all_have_seen(round);
            let looks_twice = || {
                let before = words(page);
                for _ in 0..8 {
                    give_way();
                    if words(page) != before {
                        return 1;
                    }
                }
                0
            };
            let ended = must("fork", child::run(looks_twice))?;
            insist(
                "nobody writes to the child's page",
                ended == Ended::Exited(0),
            )?;
        }
        Ok(())
    })
}

const PAGES: u64 = 8;
const OLD: u64 = 0x01d_01d;

extern "C" fn writes_to_shared_pages(number: u64) -> u64 {
    act_on(number, |now| {
        for page in 0..PAGES {
            mem::poke64(place() + page * PAGE + 64 * (number + 1), now);
        }
    })
}

fn holds_in_all(start: u64, holds: impl Fn(u64) -> bool) -> bool {
    (0..PAGES).all(|page| holds(start + page * PAGE))
}

/// HF-8: several write to the same page at once that a child has too: one copy, all words in it.
pub(crate) fn cow_two_threads(rounds: u64) -> Result<(), String> {
    let start = apart(PAGES)?;
    set_place(start);
    let [reader, writer] = must("pipe", sys::pipe())?;
    with_workers(writes_to_shared_pages, || {
        for round in 1..=rounds {
            for at in (0..PAGES * PAGE).step_by(8) {
                mem::poke64(start + at, OLD);
            }
            let keeps_the_old = || {
                let mut byte = 0_u8;
                let _ = sys::read(reader, sys::at(&mut byte), 1);
                let words = (0..PAGES * PAGE).step_by(8);
                i32::from(
                    words
                        .map(|at| mem::peek64(start + at))
                        .any(|word| word != OLD),
                )
            };
            let pid = must("fork", child::start(keeps_the_old))?;
            publish(round);
            for page in 0..PAGES {
                mem::poke64(start + page * PAGE, round);
            }
            all_have_seen(round);
            insist(
                "every word",
                holds_in_all(start, |at| words(at) == [round; WORKERS]),
            )?;
            insist(
                "the first thread's",
                holds_in_all(start, |at| mem::peek64(at) == round),
            )?;
            insist(
                "the others",
                holds_in_all(start, |at| mem::peek64(at + 8) == OLD),
            )?;
            let mut byte = 1_u8;
            must("write", sys::write(writer, sys::at(&mut byte), 1))?;
            let ended = must("wait", child::wait(pid))?;
            insist(
                "the child's pages are the old ones",
                ended == Ended::Exited(0),
            )?;
        }
        Ok(())
    })
}

/// Maps and unmaps a page of its own while the process forks.
extern "C" fn comes_and_goes(number: u64) -> u64 {
    look_on(number, |_| {
        if let Ok(own) = Map::anon(2, map::RW) {
            mem::poke64(own.start, number);
            mem::poke64(own.page(1), number);
            let _ = sys::munmap(own.start, own.bytes());
        }
    })
}

/// The process forks while its threads change the mappings; the children end, and so does all they had.
pub(crate) fn fork_beside_unmap(rounds: u64) -> Result<(), String> {
    with_workers(comes_and_goes, || {
        for round in 1..=rounds {
            let ended = must("fork", child::run(|| 7))?;
            insist("the child's end", ended == Ended::Exited(7))?;
            publish(round);
            all_have_seen(round);
        }
        Ok(())
    })
}
