//! Large pages: whether or not the kernel makes any, programs see the same memory.

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, must, same, told};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "large",
    about: "memory that may have pages of 2 MiB",
    cases: &[
        ("holds_what_was_written", holds_what_was_written),
        ("unmap_a_part", unmap_a_part),
        ("protect_a_part", protect_a_part),
        ("discard_a_part", discard_a_part),
        ("a_fork_copies_on_write", a_fork_copies_on_write),
        (
            "a_fork_that_has_gone_leaves_it_writable",
            a_fork_that_has_gone,
        ),
        ("a_fork_takes_a_part", a_fork_takes_a_part),
        ("move_it", move_it),
        ("move_a_part", move_a_part),
        ("guard_a_part", guard_a_part),
        ("lodger_maps_and_splits_one", lodger_maps_and_splits_one),
    ],
};

/// Pages of a large one.
const LARGE: u64 = 512;

/// Maps two aligned large pages' worth of memory, asks for large pages and writes to every page.
fn filled() -> Result<Map, String> {
    let map = untouched()?;
    for index in 0..map.pages {
        mem::poke64(map.page(index), index + 1);
    }
    Ok(map)
}

fn untouched() -> Result<Map, String> {
    let room = must("mmap", Map::with(3 * LARGE, map::RW, map::ANON, -1))?;
    let start = room.start.next_multiple_of(LARGE * PAGE);
    let map = Map {
        start,
        pages: 2 * LARGE,
    };
    let advice = [map.start, map.bytes(), libc::MADV_HUGEPAGE as u64];
    must("madvise", sys::call(libc::SYS_madvise, advice))?;
    Ok(map)
}

fn pages_hold(what: &str, map: &Map, pages: std::ops::Range<u64>) -> Verdict {
    for index in pages {
        same(what, mem::peek64(map.page(index)), index + 1)?;
        same(what, mem::peek64(map.page(index) + PAGE - 8), 0)?;
    }
    Ok(())
}

fn holds_what_was_written() -> Verdict {
    let map = filled()?;
    pages_hold("all", &map, 0..map.pages)
}

fn unmap_a_part() -> Verdict {
    let map = filled()?;
    must("munmap", sys::munmap(map.page(3), 2 * PAGE))?;
    pages_hold("below", &map, 0..3)?;
    pages_hold("above", &map, 5..map.pages)?;
    dies("the hole", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(4)))
    })?;
    must(
        "munmap of a whole one",
        sys::munmap(map.page(LARGE), LARGE * PAGE),
    )?;
    pages_hold("the first", &map, 5..LARGE)?;
    dies("the second", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(LARGE)))
    })
}

fn protect_a_part() -> Verdict {
    let map = filled()?;
    must("mprotect", sys::mprotect(map.page(7), PAGE, map::R))?;
    pages_hold("all", &map, 0..map.pages)?;
    dies("a write", libc::SIGSEGV, || {
        mem::poke(map.page(7), 1);
        0
    })?;
    mem::poke64(map.page(8), 99);
    same("beside it", mem::peek64(map.page(8)), 99)?;
    must("mprotect", sys::mprotect(map.page(7), PAGE, map::NONE))?;
    must("mprotect", sys::mprotect(map.page(7), PAGE, map::RW))?;
    same("what was hidden", mem::peek64(map.page(7)), 8)
}

fn discard_a_part() -> Verdict {
    let map = filled()?;
    let discard = |start, pages: u64| {
        let advice = [start, pages * PAGE, libc::MADV_DONTNEED as u64];
        sys::call(libc::SYS_madvise, advice)
    };
    must("madvise", discard(map.page(10), 3))?;
    pages_hold("below", &map, 0..10)?;
    for index in 10..13 {
        same("discarded", mem::peek64(map.page(index)), 0)?;
    }
    pages_hold("above", &map, 13..map.pages)?;
    must("madvise of a whole one", discard(map.page(LARGE), LARGE))?;
    same("the second", mem::peek64(map.page(LARGE + 5)), 0)?;
    pages_hold("the first", &map, 13..LARGE)
}

fn a_fork_copies_on_write() -> Verdict {
    let map = filled()?;
    let ended = child::run(|| {
        mem::poke64(map.page(5), 1000);
        let own = mem::peek64(map.page(5)) == 1000 && mem::peek64(map.page(6)) == 7;
        i32::from(!own)
    });
    same("the child", must("fork", ended)?, Ended::Exited(0))?;
    pages_hold("the parent's", &map, 0..map.pages)?;
    mem::poke64(map.page(5), 6);
    pages_hold("the parent's, written again", &map, 0..map.pages)
}

fn a_fork_that_has_gone() -> Verdict {
    let map = filled()?;
    let read = |map: &Map| i32::from(mem::peek64(map.page(LARGE + 3)) != LARGE + 4);
    let ended = child::run(|| read(&map));
    same("the child", must("fork", ended)?, Ended::Exited(0))?;
    let mut meter = user::lodger::Meter::new();
    let faults = meter.measure(|| mem::poke64(map.page(9), 10));
    told("one write", faults, 1)?;
    pages_hold("the parent's", &map, 0..map.pages)?;
    if user::lodger::here() && are_made() {
        same("pages split", meter.grew("large_split"), Some(0))?;
        told(
            "a write beside it",
            meter.measure(|| mem::poke64(map.page(10), 11)),
            0,
        )?;
    }
    Ok(())
}

fn a_fork_takes_a_part() -> Verdict {
    let map = filled()?;
    let advice = [map.page(100), PAGE, libc::MADV_DONTFORK as u64];
    must("madvise", sys::call(libc::SYS_madvise, advice))?;
    let ended = child::run(|| {
        let beside = [99, 101, LARGE + 1].map(|index| mem::peek64(map.page(index)) == index + 1);
        i32::from(beside != [true; 3])
    });
    same("the child", must("fork", ended)?, Ended::Exited(0))?;
    pages_hold("the parent's", &map, 0..map.pages)
}

fn remap(map: &Map, first: u64, pages: u64) -> sys::Result {
    let (len, flags) = (pages * PAGE, libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED);
    let to = sys::mmap(0, len + PAGE, map::NONE, map::ANON, -1, 0)?;
    let args = [map.page(first), len, len, flags as u64, to];
    sys::call(libc::SYS_mremap, args)
}

fn move_it() -> Verdict {
    let map = filled()?;
    let start = must("mremap", remap(&map, 0, map.pages))?;
    let moved = Map { start, ..map };
    pages_hold("moved", &moved, 0..moved.pages)?;
    dies("the old place", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(1)))
    })
}

fn move_a_part() -> Verdict {
    let map = filled()?;
    let start = must("mremap", remap(&map, 500, 24))?;
    for index in 0..24 {
        same("moved", mem::peek64(start + index * PAGE), 501 + index)?;
    }
    pages_hold("below", &map, 0..500)?;
    pages_hold("above", &map, 524..map.pages)
}

fn guard_a_part() -> Verdict {
    const MADV_GUARD_INSTALL: u64 = 102;
    let map = filled()?;
    let advice = [map.page(20), PAGE, MADV_GUARD_INSTALL];
    must("madvise", sys::call(libc::SYS_madvise, advice))?;
    dies("the guard", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(20)))
    })?;
    pages_hold("below", &map, 0..20)?;
    pages_hold("above", &map, 21..map.pages)
}

/// Whether the command line lets those have large pages that ask.
fn are_made() -> bool {
    let cmdline = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    !cmdline.contains("thp=never")
}

/// On Lodger the counters tell that there was a large page at all.
fn lodger_maps_and_splits_one() -> Verdict {
    if !user::lodger::here() {
        return Ok(());
    }
    let map = untouched()?;
    let mut counters = (user::lodger::Counters::new(), user::lodger::Counters::new());
    counters.0.take();
    mem::poke(map.page(1), 1);
    mem::poke(map.page(2), 1);
    must("munmap", sys::munmap(map.page(9), PAGE))?;
    counters.1.take();
    let grew = |name| user::lodger::growth(&counters.0, &counters.1, name).unwrap_or(0);
    let wanted = u64::from(are_made());
    same("mapped", grew("large_mapped"), wanted)?;
    same("split", grew("large_split"), wanted)
}
