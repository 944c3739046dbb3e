//! Pages that are replaced, given up, unmapped and protected while others use them.

use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::must;
use user::sys;
use user::tolerant;

use crate::field::{
    WORKERS, act_on, all_have_seen, epoch, give_way, insist, look_on, mark_pages, place, publish,
    set_place, with_workers, wrong,
};

/// What is written to say where it is: a page's number in the low bits.
const TAG: u64 = 0x7a9_0000_0000;
/// Pages of a range that many use.
const RANGE: u64 = 8;

fn map_fixed(addr: u64, pages: u64, prot: i32) -> Result<u64, String> {
    let flags = map::ANON | libc::MAP_FIXED;
    must("mmap", sys::mmap(addr, pages * PAGE, prot, flags, -1, 0))
}

/// Maps pages with one more behind them that stays, so that no page table goes with them: that would be flushed for itself.
pub(crate) fn apart(pages: u64) -> Result<u64, String> {
    let map = must("mmap", Map::apart(pages + 1, 2, map::RW))?;
    mem::poke(map.page(pages), 1);
    Ok(map.start)
}

fn new_place(pages: u64) -> Result<u64, String> {
    let place = apart(pages)?;
    set_place(place);
    Ok(place)
}

/// In epoch `e` the page holds `e`, or the change to the next epoch is under way: then nothing, or that epoch's number.
extern "C" fn reads_what_is_there(number: u64) -> u64 {
    look_on(number, |before| {
        let value = mem::peek64(place());
        let after = epoch();
        if value != 0 && !(before..=after + 1).contains(&value) {
            wrong(before, value, after);
        }
    })
}

/// Takes the frame that was freed last, so that who still reads it finds what it never was; returns where.
fn take_frame() -> Result<u64, String> {
    let other = must("mmap", Map::anon(1, map::RW))?.start;
    mem::poke64(other, u64::MAX / 2);
    Ok(other)
}

/// A new page takes the place of the old one: nobody reads the old one any more.
pub(crate) fn replaced(rounds: u64) -> Result<(), String> {
    renewed(rounds, |page| map_fixed(page, 1, map::RW).map(drop))
}

/// The page's contents are given up: nobody reads them any more.
pub(crate) fn given_up(rounds: u64) -> Result<(), String> {
    renewed(rounds, |page| {
        let dontneed = [page, PAGE, libc::MADV_DONTNEED as u64];
        must("madvise", sys::call(libc::SYS_madvise, dontneed)).map(drop)
    })
}

/// In each round `renew` makes the page an empty one, which gets the round's number.
fn renewed(rounds: u64, renew: fn(u64) -> Result<(), String>) -> Result<(), String> {
    let page = new_place(1)?;
    with_workers(reads_what_is_there, || {
        for round in 1..=rounds {
            renew(page)?;
            let other = take_frame()?;
            mem::poke64(page, round);
            publish(round);
            all_have_seen(round);
            must("munmap", sys::munmap(other, PAGE))?;
        }
        Ok(())
    })
}

extern "C" fn marks_pages(number: u64) -> u64 {
    mark_pages(number, RANGE, TAG)
}

/// Pages come and go: a read finds nothing, zero or what this place was given, never another page's contents.
pub(crate) fn unmapped(rounds: u64) -> Result<(), String> {
    let start = new_place(RANGE)?;
    with_workers(marks_pages, || {
        for round in 1..=rounds {
            let (first, len) = (round % 5, 1 + round % 4);
            let other = must("mmap", Map::anon(len, map::RW))?;
            must("munmap", sys::munmap(start + first * PAGE, len * PAGE))?;
            publish(round);
            // Other memory takes the frames.
            for page in 0..len {
                mem::poke64(other.page(page), round);
                mem::poke64(other.page(page) + 8, round);
                mem::poke64(other.page(page) + 16, round);
            }
            all_have_seen(round);
            for page in 0..len {
                let untouched =
                    (0..3).all(|word| mem::peek64(other.page(page) + 8 * word) == round);
                insist("nobody wrote to the frames after munmap", untouched)?;
            }
            must("munmap", sys::munmap(other.start, other.bytes()))?;
            map_fixed(start + first * PAGE, len, map::RW)?;
        }
        Ok(())
    })
}

extern "C" fn reads_if_allowed(number: u64) -> u64 {
    look_on(number, |before| {
        let value = tolerant::load(place());
        let after = epoch();
        // In odd epochs the page is forbidden.
        if before == after && before % 2 == 1 && value.is_some() {
            wrong(before, value.unwrap_or(0), after);
        }
    })
}

/// The page is forbidden: nobody reads it.
pub(crate) fn forbidden(rounds: u64) -> Result<(), String> {
    let page = new_place(1)?;
    mem::poke64(page, 1);
    with_workers(reads_if_allowed, || {
        for round in 1..=rounds {
            must("mprotect", sys::mprotect(page, PAGE, map::NONE))?;
            publish(2 * round - 1);
            all_have_seen(2 * round - 1);
            publish(2 * round);
            must("mprotect", sys::mprotect(page, PAGE, map::RW))?;
            all_have_seen(2 * round);
        }
        Ok(())
    })
}

/// Writes a word of its own, always another value.
pub(crate) extern "C" fn writes_own_word(number: u64) -> u64 {
    let mut value = 0;
    look_on(number, |_| {
        value += 1;
        tolerant::store(place() + 64 * (number + 1), value);
    })
}

/// What the workers' words in the page at `page` say.
pub(crate) fn words(page: u64) -> [u64; WORKERS] {
    core::array::from_fn(|number| mem::peek64(page + 64 * (number as u64 + 1)))
}

/// The page is made read-only: from then on nobody writes.
pub(crate) fn write_protected(rounds: u64) -> Result<(), String> {
    let page = new_place(1)?;
    with_workers(writes_own_word, || {
        for round in 1..=rounds {
            must("mprotect", sys::mprotect(page, PAGE, map::R))?;
            let before = words(page);
            publish(2 * round - 1);
            all_have_seen(2 * round - 1);
            let after = words(page);
            insist(&format!("{before:?} stay, not {after:?}"), before == after)?;
            must("mprotect", sys::mprotect(page, PAGE, map::RW))?;
            publish(2 * round);
            all_have_seen(2 * round);
        }
        insist(
            "they wrote at other times",
            words(page).iter().all(|word| *word > 0),
        )
    })
}

extern "C" fn writes_to_all_pages(number: u64) -> u64 {
    act_on(number, |now| {
        for page in 0..RANGE {
            mem::poke64(place() + page * PAGE + 64 * (number + 1), now);
        }
    })
}

/// Everybody touches the same new pages at once: each page is one frame, and zero but for what was written.
pub(crate) fn first_touch(rounds: u64) -> Result<(), String> {
    let start = new_place(RANGE)?;
    let dontneed = [start, RANGE * PAGE, libc::MADV_DONTNEED as u64];
    with_workers(writes_to_all_pages, || {
        for round in 1..=rounds {
            must("madvise", sys::call(libc::SYS_madvise, dontneed))?;
            publish(round);
            for page in 0..RANGE {
                mem::poke64(start + page * PAGE, round);
            }
            all_have_seen(round);
            for page in 0..RANGE {
                let at = start + page * PAGE;
                insist("nobody's word is lost", words(at) == [round; WORKERS])?;
                insist("nor the first thread's", mem::peek64(at) == round)?;
                let rest = (0..PAGE / 8).filter(|word| word % 8 != 0 || *word > 8 * WORKERS as u64);
                let zero = rest
                    .map(|word| mem::peek64(at + 8 * word))
                    .all(|word| word == 0);
                insist("the rest is zero", zero)?;
            }
        }
        Ok(())
    })
}

/// Maps, touches, protects and unmaps pages of its own.
extern "C" fn lives_alone(number: u64) -> u64 {
    let mut round = 0;
    look_on(number, |now| {
        round += 1;
        let mark = TAG | number << 20 | round;
        let Ok(own) = Map::anon(4, map::RW) else {
            return wrong(now, 1, 1);
        };
        for page in 0..4 {
            if mem::peek64(own.page(page)) != 0 {
                wrong(now, mem::peek64(own.page(page)), 2);
            }
            mem::poke64(own.page(page), mark);
        }
        let protected = sys::mprotect(own.page(1), 2 * PAGE, map::R);
        if protected.is_err() || tolerant::store(own.page(1), 0) {
            wrong(now, mark, 3);
        }
        if (0..4).any(|page| mem::peek64(own.page(page)) != mark) {
            wrong(now, mark, 4);
        }
        if sys::munmap(own.start, own.bytes()).is_err() || tolerant::load(own.start).is_some() {
            // Another worker's mapping may have taken the place: then it holds no mark of this one.
            if tolerant::load(own.start) == Some(mark) {
                wrong(now, mark, 5);
            }
        }
        give_way();
    })
}

/// Everybody changes mappings at once, so that every processor asks every other to flush.
pub(crate) fn crossfire(rounds: u64) -> Result<(), String> {
    with_workers(lives_alone, || {
        for round in 1..=rounds {
            let own = must("mmap", Map::anon(2, map::RW))?;
            mem::poke64(own.start, round);
            must("mprotect", sys::mprotect(own.start, PAGE, map::R))?;
            must("munmap", sys::munmap(own.start, own.bytes()))?;
            publish(round);
            all_have_seen(round);
        }
        Ok(())
    })
}
