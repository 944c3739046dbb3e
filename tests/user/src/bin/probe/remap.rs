//! mremap: what moves, what stays behind, what is refused (VM-11).

use user::map::{self, ANON, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, holds, must, refused, same};
use user::{sys, vmas};

pub(crate) const TOPIC: Topic = Topic {
    name: "remap",
    about: "mremap: growing, moving, doubling",
    cases: &[
        ("move_takes_contents_along", move_takes_contents_along),
        (
            "move_over_a_mapping_replaces_it",
            move_over_a_mapping_replaces_it,
        ),
        (
            "move_of_untouched_memory_is_zero",
            move_of_untouched_memory_is_zero,
        ),
        ("growth_in_place_at_the_end", growth_in_place_at_the_end),
        (
            "growth_before_a_neighbour_moves_or_fails",
            growth_before_a_neighbour_moves_or_fails,
        ),
        (
            "growth_of_a_part_moves_the_part",
            growth_of_a_part_moves_the_part,
        ),
        ("shrinking_unmaps_the_tail", shrinking_unmaps_the_tail),
        (
            "several_mappings_move_together",
            several_mappings_move_together,
        ),
        (
            "dontunmap_leaves_empty_memory",
            dontunmap_leaves_empty_memory,
        ),
        (
            "nothing_old_doubles_shared_memory",
            nothing_old_doubles_shared_memory,
        ),
        (
            "shared_memory_ends_where_it_ended",
            shared_memory_ends_where_it_ended,
        ),
        (
            "moved_memory_is_still_copied_on_write",
            moved_memory_is_still_copied_on_write,
        ),
        ("growth_is_limited", growth_is_limited),
        ("growth_keeps_the_protection", growth_keeps_the_protection),
        ("locked_growth_is_filled", locked_growth_is_filled),
    ],
};

const MAYMOVE: i32 = libc::MREMAP_MAYMOVE;
const FIXED: i32 = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
const DONTUNMAP: i32 = FIXED | libc::MREMAP_DONTUNMAP;

fn mremap(old: Map, pages: u64, flags: i32, to: u64) -> sys::Result {
    sys::call(
        libc::SYS_mremap,
        [old.start, old.bytes(), pages * PAGE, flags as u64, to],
    )
}

/// Gives a mapping and room for `room` pages behind it that belongs to nobody.
fn with_room(pages: u64, room: u64) -> Result<Map, String> {
    let whole = must("mmap", Map::apart(pages + room, 4, map::RW))?;
    must("munmap", sys::munmap(whole.page(pages), room * PAGE))?;
    Ok(whole.part(0, pages))
}

fn gone(map: Map) -> Verdict {
    same(
        "lines of the map",
        vmas::within(map.start, map.end()).len(),
        0,
    )?;
    dies("a read there", libc::SIGSEGV, || {
        i32::from(mem::peek(map.start))
    })
}

fn move_takes_contents_along() -> Verdict {
    let map = with_room(4, 12)?;
    map.fill(7);
    let to = map.part(8, 4);
    same("mremap", mremap(map, 4, FIXED, to.start), Ok(to.start))?;
    holds("the contents came along", to.holds(7))?;
    gone(map)
}

fn move_over_a_mapping_replaces_it() -> Verdict {
    let map = must("mmap", Map::apart(8, 4, map::RW))?;
    map.fill(1);
    let (from, to) = (map.part(0, 3), map.part(4, 3));
    must("mprotect", to.protect(map::R))?;
    same("mremap", mremap(from, 3, FIXED, to.start), Ok(to.start))?;
    holds("the contents", to.holds(1))?;
    mem::poke(to.start, 9);
    same("the neighbour above", mem::peek(map.page(7)), 8)?;
    gone(from)
}

fn move_of_untouched_memory_is_zero() -> Verdict {
    let map = with_room(4, 12)?;
    mem::poke(map.page(1), 5);
    let to = map.part(8, 4);
    must("mremap", mremap(map, 4, FIXED, to.start))?;
    let bytes: Vec<u8> = (0..4).map(|page| mem::peek(to.page(page))).collect();
    same("the pages", bytes, vec![0, 5, 0, 0])
}

fn growth_in_place_at_the_end() -> Verdict {
    let map = with_room(2, 6)?;
    map.fill(3);
    same("mremap", mremap(map, 5, 0, 0), Ok(map.start))?;
    let grown = Map { pages: 5, ..map };
    holds("the old contents", map.holds(3))?;
    holds("the new pages are zero", grown.part(2, 3).is_zero())?;
    same("mappings", vmas::within(map.start, grown.end()).len(), 1)
}

fn growth_before_a_neighbour_moves_or_fails() -> Verdict {
    let map = must("mmap", Map::apart(4, 4, map::RW))?;
    must("mprotect", sys::mprotect(map.page(2), 2 * PAGE, map::R))?;
    let low = map.part(0, 2);
    low.fill(6);
    refused("in place", mremap(low, 3, 0, 0), libc::ENOMEM)?;
    let moved = must("with leave to move", mremap(low, 3, MAYMOVE, 0))?;
    holds(
        "it is elsewhere",
        moved + 3 * PAGE <= map.start || moved >= map.end(),
    )?;
    holds(
        "its contents",
        Map {
            start: moved,
            pages: 2,
        }
        .holds(6),
    )?;
    same("its new page", mem::peek(moved + 2 * PAGE), 0)?;
    gone(low)
}

fn growth_of_a_part_moves_the_part() -> Verdict {
    let map = with_room(4, 4)?;
    map.fill(1);
    refused("in place", mremap(map.part(0, 2), 3, 0, 0), libc::ENOMEM)?;
    let moved = must("moving", mremap(map.part(1, 2), 3, MAYMOVE, 0))?;
    holds(
        "the moved part",
        Map {
            start: moved,
            pages: 2,
        }
        .holds(2),
    )?;
    same("below it", mem::peek(map.page(0)), 1)?;
    same("above it", mem::peek(map.page(3)), 4)?;
    gone(map.part(1, 2))
}

fn shrinking_unmaps_the_tail() -> Verdict {
    let map = must("mmap", Map::apart(6, 2, map::RW))?;
    map.fill(1);
    must("a hole", sys::munmap(map.page(4), PAGE))?;
    same("mremap over the hole", mremap(map, 2, 0, 0), Ok(map.start))?;
    holds("what is left", map.part(0, 2).holds(1))?;
    gone(map.part(2, 4))
}

fn several_mappings_move_together() -> Verdict {
    let map = must("mmap", Map::apart(16, 4, map::RW))?;
    map.fill(1);
    must("mprotect", sys::mprotect(map.page(1), PAGE, map::R))?;
    must("a hole", sys::munmap(map.page(2), PAGE))?;
    let to = map.part(8, 4);
    same(
        "mremap",
        mremap(map.part(0, 4), 4, FIXED, to.start),
        Ok(to.start),
    )?;
    let bytes: Vec<u8> = (0..4).map(|page| mem::peek(to.page(page))).collect();
    same(
        "below the hole the old page stays",
        bytes,
        vec![1, 2, 11, 4],
    )?;
    refused(
        "a range that begins in a hole",
        mremap(map.part(0, 4), 4, FIXED, to.start),
        libc::EFAULT,
    )?;
    let other = map.part(12, 4);
    refused(
        "several that are to grow",
        mremap(to, 5, MAYMOVE, 0),
        libc::EFAULT,
    )?;
    holds("the others", other.holds(13))
}

fn dontunmap_leaves_empty_memory() -> Verdict {
    let map = with_room(4, 12)?;
    map.fill(7);
    let to = map.part(8, 4);
    same("mremap", mremap(map, 4, DONTUNMAP, to.start), Ok(to.start))?;
    holds("the contents came along", to.holds(7))?;
    holds("the old place is empty", map.is_zero())?;
    map.fill(1);
    holds("and separate", to.holds(7))?;
    refused(
        "with another size",
        mremap(map, 5, DONTUNMAP, to.start),
        libc::EINVAL,
    )
}

fn nothing_old_doubles_shared_memory() -> Verdict {
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let map = must("mmap", Map::with(3, map::RW, shared, -1))?;
    map.fill(1);
    let twin = must("mremap", mremap(Map { pages: 0, ..map }, 3, MAYMOVE, 0))?;
    let twin = Map {
        start: twin,
        pages: 3,
    };
    holds("it shows the same", twin.holds(1))?;
    mem::poke(twin.page(1), 50);
    same("through the first", mem::peek(map.page(1)), 50)?;
    let inner = must(
        "from the middle",
        mremap(
            Map {
                start: map.page(1),
                pages: 0,
            },
            1,
            MAYMOVE,
            0,
        ),
    )?;
    same("its first page", mem::peek(inner), 50)?;
    let private = must("mmap", Map::anon(2, map::RW))?;
    refused(
        "of private memory",
        mremap(
            Map {
                pages: 0,
                ..private
            },
            2,
            MAYMOVE,
            0,
        ),
        libc::EINVAL,
    )
}

fn shared_memory_ends_where_it_ended() -> Verdict {
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let map = must("mmap", Map::with(2, map::RW, shared, -1))?;
    map.fill(1);
    let grown = must("mremap", mremap(map, 4, MAYMOVE, 0))?;
    let grown = Map {
        start: grown,
        pages: 4,
    };
    holds("its contents", grown.part(0, 2).holds(1))?;
    dies("a read past its end", libc::SIGBUS, || {
        i32::from(mem::peek(grown.page(2)))
    })?;
    dies("a write past its end", libc::SIGBUS, || {
        mem::poke(grown.page(3), 1);
        0
    })
}

fn moved_memory_is_still_copied_on_write() -> Verdict {
    let map = with_room(2, 8)?;
    map.fill(4);
    let to = map.part(4, 2);
    dies("a child that moves and writes", libc::SIGSEGV, || {
        if mremap(map, 2, FIXED, to.start) != Ok(to.start) || !to.holds(4) {
            return 1;
        }
        to.fill(90);
        i32::from(mem::peek(map.start))
    })?;
    holds("the parent's memory", map.holds(4))?;
    must("mremap", mremap(map, 2, FIXED, to.start))?;
    holds("moved", to.holds(4))
}

fn growth_is_limited() -> Verdict {
    let map = with_room(2, 2)?;
    must("setrlimit", sys::set_soft_limit(libc::RLIMIT_AS, 64 << 20))?;
    refused(
        "growth by 64 MiB",
        mremap(map, (64 << 20) / PAGE, MAYMOVE, 0),
        libc::ENOMEM,
    )?;
    must("setrlimit", sys::set_soft_limit(libc::RLIMIT_AS, u64::MAX))?;
    must(
        "setrlimit",
        sys::set_soft_limit(libc::RLIMIT_DATA, 16 << 20),
    )?;
    refused(
        "growth by 64 MiB of data",
        mremap(map, (64 << 20) / PAGE, MAYMOVE, 0),
        libc::ENOMEM,
    )?;
    refused(
        "more than there can be",
        mremap(map, 1 << 35, MAYMOVE, 0),
        libc::EINVAL,
    )?;
    must("a little", mremap(map, 3, MAYMOVE, 0)).map(drop)
}

fn growth_keeps_the_protection() -> Verdict {
    let map = with_room(2, 6)?;
    map.fill(1);
    must("mprotect", map.protect(map::R))?;
    same("mremap", mremap(map, 4, 0, 0), Ok(map.start))?;
    same("a new page", mem::peek(map.page(3)), 0)?;
    dies("a write to a new page", libc::SIGSEGV, || {
        mem::poke(map.page(3), 1);
        0
    })
}

fn locked_growth_is_filled() -> Verdict {
    let map = with_room(2, 6)?;
    must(
        "mlock",
        sys::call(libc::SYS_mlock, [map.start, map.bytes()]),
    )?;
    same("mremap", mremap(map, 5, 0, 0), Ok(map.start))?;
    same(
        "what is there",
        Map { pages: 5, ..map }.present(),
        vec![true; 5],
    )?;
    let fixed = ANON | libc::MAP_FIXED;
    must("mmap", sys::mmap(map.page(2), PAGE, map::RW, fixed, -1, 0))?;
    same(
        "a page of another mapping",
        map.part(2, 1).present(),
        vec![false],
    )
}
